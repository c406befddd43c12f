"""The waterfall of a lookup: a time axis, and a line a transmission with its role, server and outcome."""

from __future__ import annotations

from typing import Any

from dnscap.explain.styled import Line
from dnscap.output.cells import duration, safe, shortened, width_of

WIDTH = 80
"""Columns of a line."""

MOST_LINES = 60
"""Transmissions shown; a lookup that sent more shows its first and last ones."""

_LEAST_BAR = 5
_SERVER_WIDTH = 17
_OUTCOME_WIDTH = len("truncated 20.0 ms")

GOOD = ("answer",)
NEGATIVE = ("nodata", "nxdomain", "referral", "truncated", "duplicate")
LOST = ("unanswered", "unfinished", "waiting")

WORDS = {"unanswered": "no answer", "unfinished": "capture ended", "answer": "answer"}


def style_of(outcome: str) -> str:
    """Style of an outcome."""
    if outcome in GOOD:
        return "good"
    if outcome in NEGATIVE:
        return "negative"
    return "lost" if outcome in LOST else "bad"


def ends_of(exchanges: list[dict[str, Any]], end: int) -> list[int]:
    """When the wait for each transmission ended: its answer, the next one of its question, or the end."""
    ends = []
    for place, row in enumerate(exchanges):
        if row["latency"] is not None:
            ends.append(row["time"] + row["latency"])
            continue
        following = (
            later["time"]
            for later in exchanges[place + 1 :]
            if (later["qname"], later["qtype"]) == (row["qname"], row["qtype"])
            and later["time"] > row["time"]
        )
        ends.append(max(next(following, end), row["time"]))
    return ends


def critical(exchanges: list[dict[str, Any]], ends: list[int], end: int) -> list[bool]:
    """Which transmissions the application waited for, one after another, from the end back to the first."""
    marked = [False] * len(exchanges)
    at = end
    slack = 2_000_000  # ns: what a stub needs to act on an answer
    while True:
        before = [
            place
            for place, row in enumerate(exchanges)
            if not marked[place]
            and row["time"] < at
            # Of two that overlap by more than half the application waited for one.
            and ends[place] - at <= min(slack, (ends[place] - row["time"]) // 2)
        ]
        if not before:
            return marked
        latest = max(before, key=lambda place: (ends[place], -exchanges[place]["time"]))
        marked[latest] = True
        at = exchanges[latest]["time"]


def waterfall(lookup: dict[str, Any], exchanges: list[dict[str, Any]], width: int = WIDTH) -> list[Line]:
    """Lines of the waterfall.

    Parameters
    ----------
    lookup : dict
        Its row of the lookups table, times and durations in nanoseconds.
    exchanges : list of dict
        Its exchanges in order of time, likewise.
    width : int
        Columns of a line.
    """
    start = lookup["time"]
    end = start + (lookup["duration"] or 0)
    ends = ends_of(exchanges, end)
    span = max(end, *ends, start + 1) - start if exchanges else max(end - start, 1)
    marks = critical(exchanges, ends, end)
    roles = [row["role"] or "-" for row in exchanges]
    servers = [shortened(safe(row["server"]), _SERVER_WIDTH) for row in exchanges]
    role_width = max(map(len, roles), default=4)
    server_width = max(map(width_of, servers), default=6)
    type_width = max((len(row["qtype"] or "-") for row in exchanges), default=1)
    offsets = ["+" + duration(row["time"] - start) if row["time"] > start else "0 s" for row in exchanges]
    offset_width = max(8, *map(len, offsets)) if offsets else 8
    left = 2 + offset_width + 1 + type_width + 1 + role_width + 1 + server_width + 1
    bar_width = max(_LEAST_BAR, width - left - 1 - _OUTCOME_WIDTH)
    lines: list[Line] = [_axis(left, bar_width, span)]
    several = len({row["qname"] for row in exchanges}) > 1
    name = None
    shown = shown_places(len(exchanges))
    for place, row in enumerate(exchanges):
        if place not in shown:
            if place - 1 in shown:
                lines.append([(f"  … {len(exchanges) - len(shown)} more transmissions", "dim")])
            continue
        if several and row["qname"] != name:
            name = row["qname"]
            lines.append([(f"  {shortened(safe(name or '?'), width - 2)}", "bold")])
        lead = "> " if marks[place] else "  "
        cells = (
            f"{lead}{offsets[place]:>{offset_width}} {row['qtype'] or '-':<{type_width}} {roles[place]:<{role_width}} "
            f"{servers[place]}{' ' * (server_width - width_of(servers[place]))} "
        )
        style = style_of(row["outcome"])
        bar = _bar(row, ends[place], start, span, bar_width)
        lines.append(
            [
                (cells, "bold" if marks[place] else ""),
                (bar, style),
                (" " + _outcome(row, lookup["outcome"] == ("unfinished")), style),
            ]
        )
    return lines


def shown_places(count: int) -> set[int]:
    """Which of so many transmissions are shown: the first and the last where they are too many."""
    if count <= MOST_LINES:
        return set(range(count))
    return {*range(MOST_LINES // 2), *range(count - MOST_LINES // 2, count)}


def _axis(left: int, bar_width: int, span: int) -> Line:
    axis = [" "] * bar_width
    last = duration(span)
    middle = duration(span // 2)
    if bar_width < len(last) + 2:
        return [(" " * left, ""), (shortened(last, bar_width).rjust(bar_width), "axis")]
    axis[0] = "0"
    at = bar_width // 2 - len(middle) // 2
    if at > 1 and at + len(middle) < bar_width - len(last):
        axis[at : at + len(middle)] = middle
    axis[bar_width - len(last) :] = last
    return [(" " * left, ""), ("".join(axis), "axis")]


def _bar(row: dict[str, Any], end: int, start: int, span: int, width: int) -> str:
    first = min(int((row["time"] - start) * width / span), width - 1)
    last = min(max(int((end - start) * width / span), first), width - 1)
    lost = row["outcome"] in LOST
    tip = "?" if lost else "●" if row["outcome"] in GOOD else "○" if row["outcome"] in NEGATIVE else "×"
    body = ("╌" if lost else "━") * (last - first)
    return (" " * first + body + tip).ljust(width)


def _outcome(row: dict[str, Any], still_open: bool) -> str:
    # Where the lookup had ended, its client no longer waited when the capture did.
    outcome = "unanswered" if row["outcome"] == "unfinished" and not still_open else row["outcome"]
    word = WORDS.get(outcome, outcome) + ("?" if row.get("ambiguous") else "")
    if row["latency"] is None:
        return str(word)
    took = duration(row["latency"])
    return f"{word} {took}" if len(word) + 1 + len(took) <= _OUTCOME_WIDTH else str(word)
