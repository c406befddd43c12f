"""The report as text: findings in words, the slowest lookups, the scorecard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dnscap.explain.styled import Line, coloured_text, plain_text, wrapped
from dnscap.explain.waterfall import WIDTH
from dnscap.findings import SEVERITIES, Finding
from dnscap.findings.rule import plural, seconds
from dnscap.output.cells import safe
from dnscap.report.block_text import block_lines

if TYPE_CHECKING:
    from dnscap.report.model import Report

MOST_INFO = 8
"""Remarks without severity that are shown."""

_STYLE = {"high": "bad", "medium": "negative", "low": "axis", "info": "dim"}
_INDENT = "        "


def write(report: Report, *, colour: bool = False, width: int | None = None) -> str:
    """The report as text, with terminal colours where asked for."""
    lines = lines_of(report, width or WIDTH)
    return coloured_text(lines) if colour else plain_text(lines)


def lines_of(report: Report, width: int = WIDTH) -> list[Line]:
    """Styled lines of the report."""
    lines = _summary(report, width)
    for finding in report.loud:
        lines += [[], *finding_lines(finding, width)]
    lines += _infos(report, width)
    if report.slowest:
        lines += [[], [("The slowest lookups", "bold")]]
        for explanation in report.slowest:
            lines += [[], *explanation.lines(width=width, evidence=False)]
    for block in report.blocks:
        lines += [[], *block_lines(block, width)]
    return lines if report.bare else [*lines, [], *_scorecard(report, width)]


def _summary(report: Report, width: int) -> list[Line]:
    loud = report.loud
    what = plural(len(loud), "finding") if loud else "Nothing to judge" if report.bare else "Nothing wrong"
    where = ", ".join(report.names[:2]) + (
        f" and {len(report.names) - 2} more" if len(report.names) > 2 else ""
    )
    lines = wrapped(f"{what} in {where}", width, style="bold")
    lines += wrapped(report.headline, width)
    if report.totals:
        lines += wrapped(report.totals, width)
    for remark in (*report.remarks, *report.breaks):
        lines += wrapped(f"Capture quality: {remark}.", width, style="negative")
    if report.bare and report.inputs:
        lines += _without_dns(report, width)
    return lines


def _without_dns(report: Report, width: int) -> list[Line]:
    """What the frames were instead, and where DNS may hide."""
    frames = sum(item.frames for item in report.inputs)
    told = [note.text for note in report.quality if note.weight == "told"]
    if not frames:
        return wrapped("It holds no frame.", width)
    lines = wrapped(f"{plural(frames, 'frame')} read{': ' if told else ''}{', '.join(told)}.", width)
    return lines + wrapped(report.where_dns_may_hide.replace("`", ""), width)


def _infos(report: Report, width: int) -> list[Line]:
    infos = report.quiet
    if not infos:
        return []
    lines: list[Line] = [[], [("Worth knowing", "bold")]]
    for finding in infos[:MOST_INFO]:
        shown = f"; see {_grouped(finding.evidence[:1])}" if finding.evidence else ""
        first, *rest = wrapped(f"{finding.title} [{finding.id}{shown}]", width - 2)
        lines += [[("- ", ""), *first], *([("  ", ""), *line] for line in rest)]
    if len(infos) > MOST_INFO:
        lines.append([(f"… {len(infos) - MOST_INFO} more (dnscap findings)", "dim")])
    return lines


def _scorecard(report: Report, width: int) -> list[Line]:
    lines: list[Line] = [[("Scorecard", "bold")]]
    for figure in report.scorecard:
        passed = {True: "pass", False: "FAIL", None: "  - "}[figure.passed]
        style = {True: "good", False: "bad", None: "dim"}[figure.passed]
        sample = f"n={figure.sample:,}" if figure.sample else ""
        tail = f"{sample:<10} {figure.note}".rstrip()
        head = f"{figure.metric:<36} {figure.value:>9}  {figure.target:<15} "
        if len(head) + 6 + len(tail) > width and figure.note:
            lines.append([(f"  {passed} ", style), (head + sample, "")])
            lines += wrapped(figure.note, width, " " * 7, "dim")
        else:
            lines.append([(f"  {passed} ", style), (head + tail, "")])
    return lines


def finding_lines(finding: Finding, width: int = WIDTH) -> list[Line]:
    """A finding in words: what, what it cost, why, what to do."""
    label = finding.severity.upper()
    title = wrapped(finding.title, width - len(_INDENT))
    lines: list[Line] = []
    for place, line in enumerate(title):
        lead = (label.ljust(len(_INDENT)), _STYLE[finding.severity]) if place == 0 else (_INDENT, "")
        lines.append([lead, (line[0][0], "bold")])
    cost = [f"cost {seconds(finding.cost_seconds)}"] if finding.cost_seconds else []
    cost += [plural(finding.cost_queries, "query")] if finding.cost_queries else []
    cost += [f"in {plural(finding.lookups, 'lookup')}"] if finding.lookups else []
    if finding.failed:
        cost.append(f"{finding.failed:,} failed")
    said = (
        f"{', '.join(cost)}{'; ' if cost else ''}confidence {100 * finding.confidence:.0f} % [{finding.id}]"
    )
    lines += wrapped(said, width, _INDENT, "dim")
    lines += wrapped(finding.explanation, width, _INDENT)
    lines += _labelled("What to do", finding.remedy, width)
    if finding.counterfactual:
        lines += _labelled("Then", finding.counterfactual, width)
    lines += _labelled("Not so if", finding.disproved_by, width, "dim")
    lines += _labelled("Shown by", _grouped(finding.evidence), width, "dim")
    return lines


def _grouped(evidence: Sequence[str]) -> str:
    """Evidence by kind: ``lookups 2 0 1; exchanges 8 9; frames 18``."""
    groups: dict[str, list[str]] = {}
    for entry in evidence:
        kind, _, number = entry.partition(":")
        groups.setdefault(kind, []).append(safe(number))
    return "; ".join(f"{kind}{'s' if len(n) > 1 else ''} {' '.join(n)}" for kind, n in groups.items())


def _labelled(label: str, text: str, width: int, style: str = "") -> list[Line]:
    return wrapped(f"{label}: {text}", width, _INDENT, style) if text else []


def at_least(findings: Sequence[Finding], severity: str) -> bool:
    """Whether a finding is as severe as this, or more."""
    wanted = SEVERITIES.index(severity)
    return any(SEVERITIES.index(finding.severity) >= wanted for finding in findings)
