"""What surrounds the table, as lines of text: how the capture goes, the pulse, outcomes, servers, tops, findings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dnscap.clients.keeping import FAILED
from dnscap.explain.styled import Line
from dnscap.findings import SEVERITIES
from dnscap.findings.rule import plural
from dnscap.live.view.pulse import sparkline
from dnscap.live.view.rows import BAD, LOST, MARKS
from dnscap.live.view.tops import PATIENCE, ServerHealth
from dnscap.output.cells import clock, duration, safe, shortened, width_of

if TYPE_CHECKING:
    from dnscap.findings.rule import Finding
    from dnscap.live.view.watch import Watch

SEVERITY = {"high": ("▲", "bad"), "medium": ("△", "negative"), "low": ("▵", ""), "info": ("·", "dim")}

_FIGURES = 34
"""Columns for what a sparkline is and its present value."""

BESIDE = 120
"""Columns from which on both sparklines stand side by side."""

QUANTILE = 0.95
"""The share of lookups that a bar of waits stands for."""


def status_line(watch: Watch, width: int, *, paused: bool = False, fault: str | None = None) -> Line:
    """What is captured and how well: nobody should have to look for drops."""
    dropped = watch.dropped
    state: Line = [(_clock(watch.elapsed), "dim")]
    if fault is not None:
        state.append((f" ENDED: {safe(fault)}", "bad"))
    elif watch.ended:
        state.append((" ENDED", "negative"))
    if paused:
        state.append((" PAUSED", "negative"))
    right: Line = [(f"{plural(watch.frames, 'frame')}, ", "")]
    if dropped is None:
        right.append(("drops unknown", "dim"))
    elif dropped:
        share = dropped / max(dropped + watch.frames, 1)
        right.append((f"{dropped:,} DROPPED ({_percent(share)})", "alarm"))
    else:
        right.append(("none dropped", "good"))
    if watch.lost:
        right.append((f", {plural(sum(watch.lost.values()), 'gap')}", "negative"))
    right.append((" ", ""))
    room = width - 16 - sum(width_of(text) for text, _ in (*state, *right))
    source = shortened(safe(watch.source), max(room, 5))
    return _two_ended([(" dnscap live ", "title"), (f" {source} ", "bold"), *state], right, width)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"


def pulse_lines(watch: Watch, width: int, height: int = 1) -> list[Line]:
    """Sparklines of queries and waits, the latest second at the right."""
    half = (width - 1) // 2 if width >= BESIDE else width
    room = max(half - _FIGURES - 1, 8)
    rates = watch.pulse.queries(watch.now, room)
    waits = watch.pulse.waits(watch.now, room, QUANTILE)
    middle, high = (watch.pulse.recent_wait(watch.now, 10, share) for share in (0.5, QUANTILE))
    wait = "-" if middle is None or high is None else f"{duration(middle)}, 95 % {duration(high)}"
    first = _chart("queries/s", f"{rates[-1]:,}", sparkline(_from_first(rates), height), half, "good")
    bars = sparkline([_log(wait) for wait in waits], height, 1.0)
    second = _chart("waits", wait, bars, width - half - 1 if half < width else width, "axis")
    if half < width:
        return [[*a, (" ", ""), *b] for a, b in zip(first, second, strict=True)]
    return [*first, *second]


def _log(wait: int | None) -> float | None:
    """Where a wait lies between 10 µs and 10 s: the ordinary and the dreadful both have to be seen."""
    return None if wait is None else min(max(math.log10(max(wait, 1) / 1e4) / 6, 0.0), 1.0)


def _from_first(values: list[int]) -> list[float | None]:
    """Nothing before the first query, rather than zeros."""
    found: list[float | None] = list(values)
    for place, value in enumerate(values):
        if value:
            break
        found[place] = None
    return found


def _chart(label: str, figure: str, rows: list[str], width: int, style: str) -> list[Line]:
    lines: list[Line] = []
    for place, row in enumerate(rows):
        if place < len(rows) - 1:
            lines.append([(" " * _FIGURES, ""), (row, style)])
        else:
            text = beginning(figure, _FIGURES - 12)
            lines.append([(f" {label:<10}", "dim"), (text.ljust(_FIGURES - 11), "bold"), (row, style)])
    return [fitted(line, width) for line in lines]


def outcome_line(watch: Watch, width: int) -> Line:
    """Lookups by outcome: all of them, and what is worth attention."""
    totals, rest = watch.outcomes()
    waiting = watch.waiting
    everything = sum(totals.values()) + rest + waiting
    parts: Line = [(f" {plural(everything, 'lookup')}  ", "bold")]
    slow = watch.slow()
    if slow:  # at the beginning: a narrow terminal cuts the end
        parts += [("! ", "bad"), (f"slow {slow:,}  ", "")]
    for word, count in sorted(totals.items(), key=lambda item: -item[1]):
        sign, style = MARKS.get(word) or LOST.get(word) or BAD
        parts.append((f"{sign} ", style))
        parts.append((f"{word} {count:,}  ", "bad" if word in FAILED else ""))
    if waiting:
        parts += [("… ", "lost"), (f"waiting {waiting:,}  ", "lost")]
    if rest:
        parts.append((f"settling {rest:,}", "dim"))
    return fitted(parts, width)


def server_lines(watch: Watch, width: int, height: int) -> list[Line]:
    """Health of servers over the last minute, the silent ones first."""
    roomy = width >= 56
    lines = [title("servers", width, "queries    median         " if roomy else "queries  median       ")]
    servers = watch.servers(height - 1)
    if not servers:
        return [*lines, [(" nobody was asked within a minute", "dim")]][:height]
    tail = 27 if roomy else 14
    for one in servers:
        sign, style, word = _health(one)
        room = max(width - 3 - 9 - tail, 8)
        name = shortened(safe(one.address), room)
        line: Line = [
            (f" {sign} ", style),
            (name + " " * (room - width_of(name)), ""),
            (f"{one.asked:>7,}  ", ""),
        ]
        wait = duration(one.wait) if one.wait is not None else "-"
        if roomy:
            line += [(f"{wait:>8}  ", "dim" if one.wait is None else ""), (word, style)]
        elif style == "good":
            line.append((wait, ""))
        else:
            line.append((word, style))
        lines.append(fitted(line, width))
    return lines[:height]


def _health(server: ServerHealth) -> tuple[str, str, str]:
    """Sign, style and words for how a server does."""
    if server.absent:
        return "×", "bad", "not there"
    if server.silent is not None and server.silent >= PATIENCE:
        return "?", "lost", f"silent {duration(server.silent)}"
    if not server.answered and server.asked and not server.waiting:
        return "?", "lost", "no answers"
    if server.failed and server.failed * 20 >= server.asked:
        return "×", "bad", f"{_percent(server.failed / max(server.answered, 1))} fail"
    lacking = server.asked - server.answered - server.waiting
    if lacking * 20 >= server.asked and lacking > 1:
        return "!", "negative", f"{_percent(lacking / server.asked)} lost"
    return "●", "good", "answers"


def top_lines(watch: Watch, what: str, width: int, height: int, hint: str = "") -> list[Line]:
    """The most frequent names or clients of the last minute; `hint` says what else may be there."""
    found, total = watch.most(what, height - 1)
    lines = [title(f"{what}s{hint}", width, "queries  share ")]
    if not found:
        return [
            *lines,
            [(" nobody asked within a minute" if what == "client" else " none within a minute", "dim")],
        ][:height]
    for text, count in found:
        share = _percent(count / max(total, 1))
        figures = f"{count:>8,} {share:>6} "
        room = max(width - 1 - len(figures), 4)
        name = shortened(safe(text), room)
        lines.append([(" ", ""), (name + " " * (room - width_of(name)), ""), (figures, "dim")])
    return lines[:height]


def finding_lines(watch: Watch, width: int, height: int) -> list[Line]:
    """Findings as they arose: the worst first."""
    arisen = sorted(watch.findings, key=_weight, reverse=True)
    lines = [
        title(f"findings ({len(arisen)})" if arisen else "findings", width, "f tells more " if arisen else "")
    ]
    if not arisen:
        return [*lines, [(" nothing found wrong so far", "dim")]][:height]
    for at, finding in arisen[: height - 1]:
        sign, style = SEVERITY[finding.severity]
        room = width - 12
        lines.append(
            [
                (f" {sign} ", style),
                (clock(at)[:8], "dim"),
                (" ", ""),
                (beginning(safe(finding.title), room), style if finding.severity == "high" else ""),
            ]
        )
    return lines[:height]


def _weight(arisen: tuple[int, Finding]) -> tuple[int, float, int]:
    at, finding = arisen
    return SEVERITIES.index(finding.severity), finding.cost_seconds, at


def finding_pages(findings: list[Finding], width: int) -> list[Line]:
    """Findings at length: what each means and what to do."""
    from dnscap.explain.styled import wrapped

    lines: list[Line] = []
    for finding in findings:
        sign, style = SEVERITY[finding.severity]
        sure = f"  confidence {100 * finding.confidence:.0f} %"
        lines.append([(f"{sign} {finding.severity}  ", style), (finding.id, "bold"), (sure, "dim")])
        lines += wrapped(finding.title, width, "  ", "bold")
        lines += wrapped(finding.explanation, width, "  ")
        lines += wrapped(f"What to do: {finding.remedy}", width, "  ")
        if finding.counterfactual:
            lines += wrapped(f"Then: {finding.counterfactual}", width, "  ")
        lines += wrapped(f"Not so if: {finding.disproved_by}", width, "  ", "dim")
        lines.append([])
    return lines or [[("Nothing was found wrong so far.", "")]]


# ---------------------------------------------------------------- lines


def title(text: str, width: int, figures: str = "") -> Line:
    """A heading with a rule behind it, and headings of figures at its end."""
    tail = f" {figures}" if figures and len(text) + len(figures) + 5 <= width else ""
    rule = "─" * max(width - len(text) - 2 - len(tail), 0)
    return [(f" {text} ", "head"), (rule, "rule"), (tail, "dim")]


def beginning(text: str, width: int) -> str:
    """A text cut at its end."""
    if width_of(text) <= width:
        return text
    while text and width_of(text) > width - 1:
        text = text[:-1]
    return f"{text}…"


def fitted(line: Line, width: int) -> Line:
    """A line no wider than `width`."""
    out: Line = []
    room = width
    for text, style in line:
        size = width_of(text)
        if size > room:
            out.append((beginning(text, room), style))
            return out
        out.append((text, style))
        room -= size
    return out


def _two_ended(left: Line, right: Line, width: int) -> Line:
    """Text at both ends of a line; what is at the right is whole."""
    tail = sum(width_of(text) for text, _ in right)
    left = fitted(left, max(width - tail - 1, 0))
    head = sum(width_of(text) for text, _ in left)
    return [*left, (" " * max(width - head - tail, 0), ""), *fitted(right, width)]
