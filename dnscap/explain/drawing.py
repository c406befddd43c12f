"""A lookup as HTML: its waterfall with bars in SVG, where its time went, what shows it.

Everything goes through markupsafe, so that what came from the wire is escaped; nothing has style attributes, so
that a page may forbid them.  Colours are classes; what they say stands in words or signs beside them.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from dnscap.explain.waterfall import GOOD, LOST, NEGATIVE, WORDS, critical, ends_of, shown_places, style_of
from dnscap.findings.costs import shares_of
from dnscap.output.cells import duration, full_time, safe

if TYPE_CHECKING:
    from dnscap.explain.explanation import Explanation

_WIDTH = 1000
"""Units of a bar's own coordinates; it is stretched to whatever room there is."""

_LEAST = 6

KEY = (
    "▸ marks what the application waited for. Bars: ● answered, ○ no such name or data, × error, "
    "? no answer (dashed)."
)
"""What the signs of a waterfall mean."""


@cache
def style_sheet() -> str:
    """Rules for the classes used here; they hold below an element of class ``dnscap``."""
    return files("dnscap.explain").joinpath("drawing.css").read_text(encoding="utf-8")


def standing_alone(body: Markup) -> str:
    """A piece of HTML with its style sheet, for a notebook."""
    style = Markup(style_sheet())  # our own file
    return str(Markup('<div class="dnscap dc-alone"><style>{}</style>{}</div>').format(style, body))


def explanation_html(explanation: Explanation, *, heading: bool = True, key: bool = True) -> Markup:
    """All that is told of a lookup; a page that tells once what the signs mean wants no `key` of each."""
    row = explanation.lookup
    parts = [_heading(row)] if heading else []
    parts += [
        waterfall_html(row, explanation.sent, key=key),
        budget_html(row),
        _causes(explanation),
        _facts(explanation),
    ]
    return Markup("").join(parts)


def outcome_words(row: dict[str, Any]) -> str:
    """How a lookup ended: ``ok after 5.01 s``."""
    hedge = ""
    if row["end_basis"] not in (None, "packet") and row["duration_min"] != row["duration_max"]:
        hedge = f" ({duration(row['duration_min'])} to {duration(row['duration_max'])})"
    return f"{row['outcome']} after {duration(row['duration'] or 0)}{hedge}"


def _heading(row: dict[str, Any]) -> Markup:
    types = " ".join(row["qtypes"] or ())
    stub = f" ({row['stub']})" if row["stub"] else ""
    causes = f" because of {', '.join(row['causes'])}" if row["causes"] else ""
    return Markup(
        '<p class="dc-title"><b>{}</b> {}</p><p class="dc-note">lookup {}, {}, client {}{}: {}{}</p>'
    ).format(
        safe(row["name"] or "?"),
        types,
        row["lookup"],
        full_time(row["time"]),
        safe(row["client"]),
        safe(stub),
        outcome_words(row),
        safe(causes),
    )


# ---------------------------------------------------------------- waterfall


def waterfall_html(lookup: dict[str, Any], sent: list[dict[str, Any]], *, key: bool = True) -> Markup:
    """The waterfall of a lookup as a table whose bars are SVG.

    Parameters
    ----------
    lookup : dict
        Its row of the lookups table, times and durations in nanoseconds.
    sent : list of dict
        Its exchanges in order of time, likewise.
    key : bool
        Say below it what its signs mean.
    """
    if not sent:
        return Markup('<p class="dc-note">None of its transmissions were kept.</p>')
    start = lookup["time"]
    end = start + (lookup["duration"] or 0)
    ends = ends_of(sent, end)
    span = max(end, *ends, start + 1) - start
    marks = critical(sent, ends, end)
    shown = shown_places(len(sent))
    several = len({row["qname"] for row in sent}) > 1
    name: object = None
    body: list[Markup] = []
    for place, row in enumerate(sent):
        if place not in shown:
            if place - 1 in shown:
                body.append(
                    Markup('<tr class="dc-name"><td colspan="6">… {} more transmissions</td></tr>').format(
                        len(sent) - len(shown)
                    )
                )
            continue
        if several and row["qname"] != name:
            name = row["qname"]
            body.append(
                Markup('<tr class="dc-name"><th colspan="6" scope="rowgroup">{}</th></tr>').format(
                    safe(row["qname"] or "?")
                )
            )
        body.append(_transmission(row, ends[place], start, span, marks[place], lookup["outcome"]))
    return Markup(
        '<table class="dc-waterfall"><caption class="dc-hidden">Waterfall of lookup {}: each transmission with '
        'when it was sent and how it ended</caption><thead><tr><th scope="col">sent</th>'
        '<th scope="col">type</th><th scope="col">role</th><th scope="col">server</th>'
        '<th scope="col" class="dc-bar">{}</th><th scope="col">outcome</th></tr></thead>'
        "<tbody>{}</tbody></table>{}"
    ).format(
        lookup["lookup"],
        _axis(span),
        Markup("").join(body),
        Markup('<p class="dc-note">{}</p>').format(KEY) if key else "",
    )


def _axis(span: int) -> Markup:
    return Markup(
        '<svg width="100%" height="16" role="img" aria-label="time from 0 to {last}">'
        '<text x="0" y="12">0</text><text x="50%" y="12" text-anchor="middle">{middle}</text>'
        '<text x="100%" y="12" text-anchor="end">{last}</text></svg>'
    ).format(last=duration(span), middle=duration(span // 2))


def _transmission(
    row: dict[str, Any], end: int, start: int, span: int, marked: bool, lookup_outcome: str
) -> Markup:
    # Where the lookup had ended, its client no longer waited when the capture did.
    outcome = row["outcome"]
    if outcome == "unfinished" and lookup_outcome != "unfinished":
        outcome = "unanswered"
    word = WORDS.get(outcome, outcome) + ("?" if row.get("ambiguous") else "")
    took = f" {duration(row['latency'])}" if row["latency"] is not None else ""
    sign = "?" if outcome in LOST else "●" if outcome in GOOD else "○" if outcome in NEGATIVE else "×"
    style = style_of(outcome)
    offset = "+" + duration(row["time"] - start) if row["time"] > start else "0 s"
    return Markup(
        '<tr{}><td class="dc-when">{}{}</td><td>{}</td><td>{}</td><td class="dc-server">{}</td>'
        '<td class="dc-bar">{}</td><td class="dc-{} dc-end">{} {}{}</td></tr>'
    ).format(
        Markup(' class="dc-critical"') if marked else "",
        Markup('<span title="the application waited for this">▸</span> ') if marked else "",
        offset,
        safe(row["qtype"] or "-"),
        safe(row["role"] or "-"),
        safe(row["server"]),
        _bar(row["time"] - start, end - start, span, style),
        style,
        sign,
        word,
        took,
    )


def _bar(first: int, last: int, span: int, style: str) -> Markup:
    left = min(max(round(first * _WIDTH / span), 0), _WIDTH - _LEAST)
    width = min(max(round((last - first) * _WIDTH / span), _LEAST), _WIDTH - left)
    if style == "lost":
        shape = Markup(
            '<line x1="{}" y1="7" x2="{}" y2="7" class="dc-stroke-lost" vector-effect="non-scaling-stroke"/>'
        ).format(left, left + width)
    else:
        shape = Markup('<rect x="{}" y="3" width="{}" height="8" class="dc-fill-{}"/>').format(
            left, width, style
        )
    return Markup(
        '<svg viewBox="0 0 {} 14" preserveAspectRatio="none" width="100%" height="14" aria-hidden="true">{}</svg>'
    ).format(_WIDTH, shape)


# ---------------------------------------------------------------- budget, causes, facts


def budget_html(row: dict[str, Any]) -> Markup:
    """Where a lookup's time went, the longest part first."""
    from dnscap.explain.explanation import BUDGET

    parts = sorted(((name, row[name] or 0) for name in BUDGET), key=lambda part: -part[1])
    total = sum(took for _, took in parts)
    if total <= 0:
        return Markup("")
    lines = [
        Markup(
            '<tr><td class="dc-number">{}</td><td class="dc-number">{:.1f} %</td><td class="dc-bar">{}</td>'
            "<td>{}</td></tr>"
        ).format(
            duration(took),
            100 * took / total,
            share_bar(took, total, "good" if name in ("t_answer", "t_gap") else "bad"),
            BUDGET[name],
        )
        for name, took in parts
        if took > 0
    ]
    return Markup(
        '<table class="dc-budget"><caption>Where the time went</caption><tbody>{}</tbody></table>'
    ).format(Markup("").join(lines))


def share_bar(part: int, whole: int, style: str) -> Markup:
    """A bar as long as a part of a whole."""
    width = max(round(part * _WIDTH / whole), _LEAST) if whole and part else 0
    return Markup(
        '<svg viewBox="0 0 {} 10" preserveAspectRatio="none" width="100%" height="10" aria-hidden="true">'
        '<rect x="0" y="0" width="{}" height="10" class="dc-fill-{}"/></svg>'
    ).format(_WIDTH, width, style)


def _causes(explanation: Explanation) -> Markup:
    from dnscap.findings import RULES

    shares = shares_of(explanation.lookup)
    told = []
    for cause in explanation.lookup["causes"] or ():
        rule = next((rule for rule in RULES if cause in rule.causes), None)
        took = f", {duration(round(shares[cause][0] * 1e9))}" if shares[cause][0] else ""
        told.append(
            Markup("<dt>{}{}</dt><dd>{}</dd>").format(safe(cause), took, rule.explanation if rule else "")
        )
    return Markup('<dl class="dc-causes">{}</dl>').format(Markup("").join(told)) if told else Markup("")


def _facts(explanation: Explanation) -> Markup:
    lines = [
        Markup("<p>{}: <span>{}</span></p>").format(label, safe(text))
        for label, text in explanation.facts()
        if text
    ]
    if not lines:
        return Markup("")
    return Markup('<div class="dc-facts">{}</div>').format(Markup("").join(lines))
