"""What captures, findings and servers look like in a notebook: small cards that suit light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from dnscap.explain.drawing import explanation_html, share_bar, standing_alone
from dnscap.findings import Finding
from dnscap.findings.rule import plural, seconds
from dnscap.output.cells import duration, full_time, safe
from dnscap.report.html import SIGNS, prose

if TYPE_CHECKING:
    from dnscap.report.model import Report

MOST_CARDS = 20
MOST_SERVERS = 20


def report_html(report: Report) -> str:
    """A report: headline, findings, the slowest lookups."""
    parts = [
        Markup('<p class="dc-title"><b>{}</b></p><p class="dc-note">{}</p>').format(
            safe(report.headline), safe(": ".join(filter(None, (", ".join(report.names[:3]), report.totals))))
        )
    ]
    parts += [Markup('<p class="dc-note">Capture quality: {}.</p>').format(safe(r)) for r in report.remarks]
    parts += [finding_card(finding) for finding in report.loud[:MOST_CARDS]]
    if report.slowest:
        parts.append(Markup('<p class="dc-title">The slowest lookups</p>'))
    for explanation in report.slowest:
        row = explanation.lookup
        parts.append(
            Markup("<details><summary>{} {} ({})</summary>{}</details>").format(
                duration(row["duration"] or 0),
                safe(row["name"] or "?"),
                safe(", ".join(row["causes"]) or row["outcome"]),
                explanation_html(explanation),
            )
        )
    if report.servers.rows:
        parts.append(server_table(report.servers.rows))
    return standing_alone(Markup("").join(parts))


def finding_card(finding: Finding) -> Markup:
    """One finding: what, what it cost, why, what to do."""
    cost = [f"cost {seconds(finding.cost_seconds)}"] if finding.cost_seconds else []
    cost += [plural(finding.cost_queries, "query")] if finding.cost_queries else []
    cost += [plural(finding.lookups, "lookup")] if finding.lookups else []
    if finding.failed:
        cost.append(f"{finding.failed:,} failed")
    return Markup(
        '<div class="dc-card dc-{}"><p class="dc-title">{} {} <b>{}</b></p><p class="dc-note">{}</p>'
        "<p>{}</p><p><b>What to do</b> {}</p></div>"
    ).format(
        finding.severity,
        SIGNS[finding.severity],
        finding.severity,
        safe(finding.title),
        f"{', '.join(cost)}{'; ' if cost else ''}confidence {100 * finding.confidence:.0f} % [{finding.id}]",
        prose(finding.explanation),
        prose(finding.remedy),
    )


def capture_card(names: Sequence[str], inputs: Iterable[Mapping[str, Any]] | None) -> str:
    """A capture: its files, and how much of what time they hold where they have been read."""
    if inputs is None:
        rows = Markup("").join(Markup("<li>{}</li>").format(safe(name)) for name in names[:MOST_CARDS])
        more = f" and {len(names) - MOST_CARDS} more" if len(names) > MOST_CARDS else ""
        return standing_alone(
            Markup(
                '<p class="dc-title"><b>Capture</b></p><ul>{}</ul><p class="dc-note">{} not read yet: '
                "tables are read when they are asked for</p>"
            ).format(rows, more)
        )
    rows = Markup("").join(
        Markup('<tr><td>{}</td><td>{}</td><td class="dc-number">{:,}</td><td>{}</td><td>{}</td></tr>').format(
            safe(row["name"] or "-"),
            safe(row["format"] or "-"),
            row["frames"] or 0,
            "-" if row["first_time"] is None else full_time(row["first_time"]),
            "-" if row["first_time"] is None else duration(row["last_time"] - row["first_time"]),
        )
        for row in inputs
    )
    return standing_alone(
        Markup(
            '<table class="dc-plain"><caption>Capture</caption><thead><tr><th>file</th><th>format</th>'
            '<th class="dc-number">frames</th><th>from</th><th>for</th></tr></thead><tbody>{}</tbody></table>'
        ).format(rows)
    )


def server_table(rows: Sequence[Mapping[str, Any]]) -> Markup:
    """Servers: how much they were asked, how often they answered, how fast."""
    body = Markup("").join(
        Markup(
            '<tr><td>{}</td><td>{}</td><td class="dc-number">{:,}</td><td class="dc-number">{:.1f} %</td>'
            '<td class="dc-bar">{}</td><td class="dc-number">{}</td><td class="dc-number">{}</td></tr>'
        ).format(
            safe(row["server"]),
            safe(row["role"] or "-"),
            row["queries"],
            100 * row["answered"] / row["queries"] if row["queries"] else 0.0,
            share_bar(row["answered"], row["queries"], "good"),
            "-" if row["latency_p50"] is None else duration(row["latency_p50"]),
            "-" if row["latency_p99"] is None else duration(row["latency_p99"]),
        )
        for row in rows[:MOST_SERVERS]
    )
    more = (
        Markup('<p class="dc-note">{:,} more servers</p>').format(len(rows) - MOST_SERVERS)
        if len(rows) > MOST_SERVERS
        else Markup("")
    )
    return Markup(
        '<table class="dc-plain"><caption>Servers</caption><thead><tr><th>server</th><th>role</th>'
        '<th class="dc-number">queries</th><th class="dc-number">answered</th><th></th>'
        '<th class="dc-number">median</th><th class="dc-number">99 % within</th></tr></thead>'
        "<tbody>{}</tbody></table>{}"
    ).format(body, more)
