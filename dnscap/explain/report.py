"""The diagnosis as something to read: findings in words, the slowest lookups, the scorecard."""

from __future__ import annotations

from collections.abc import Sequence

from dnscap.explain.explanation import Explanation
from dnscap.explain.styled import Line, coloured_text, html_text, plain_text, wrapped
from dnscap.explain.waterfall import WIDTH
from dnscap.findings import SEVERITIES, Finding
from dnscap.findings.diagnosis import Diagnosis
from dnscap.findings.rule import plural, seconds
from dnscap.findings.scorecard import Figure
from dnscap.output.cells import safe

SLOWEST = 3
"""Lookups shown whole unless told otherwise."""

MOST_INFO = 8
"""Remarks without severity that are shown."""

_STYLE = {"high": "bad", "medium": "negative", "low": "axis", "info": "dim"}
_INDENT = "        "


class DiagnosisReport:
    """What is wrong in a capture, in words; ``str()`` of it is the text.

    Parameters
    ----------
    names : sequence of str
        The captures.
    diagnosis : Diagnosis
        Finished.
    slowest : int
        Lookups shown whole.
    """

    def __init__(self, names: Sequence[str], diagnosis: Diagnosis, slowest: int = SLOWEST) -> None:
        self.names = list(names)
        self.findings: list[Finding] = diagnosis.findings
        self.figures: list[Figure] = diagnosis.scorecard
        self.remarks: list[str] = diagnosis.quality.remarks()
        facts = diagnosis.facts
        self.lookups = facts.lookups
        self.failed = facts.failed
        self.seconds = facts.seconds
        self.troubled = max((cost.lookups for cost in facts.costs.values()), default=0)
        worst = sorted(facts.kept, key=lambda kept: (-kept.waited, kept.number))
        self.slowest = [
            Explanation(dict(kept.row), [dict(row) for row in kept.exchanges], diagnosis.attempts)
            for kept in worst[:slowest]
            if kept.exchanges
        ]

    def __str__(self) -> str:
        return plain_text(self.lines())

    def _repr_html_(self) -> str:
        return html_text(self.lines())

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:
        printer.text(str(self))  # type: ignore[attr-defined]

    def text(self, *, colour: bool = False, width: int = WIDTH) -> str:
        """The report as text, with terminal colours where asked for."""
        lines = self.lines(width)
        return coloured_text(lines) if colour else plain_text(lines)

    def lines(self, width: int = WIDTH) -> list[Line]:
        """Styled lines of the report."""
        lines = self._summary(width)
        for finding in self.findings:
            if finding.severity != "info":
                lines += [[], *finding_lines(finding, width)]
        lines += self._infos(width)
        if self.slowest:
            lines += [[], [("The slowest lookups", "bold")]]
            for explanation in self.slowest:
                lines += [[], *explanation.lines(width=width, evidence=False)]
        return [*lines, [], *self._scorecard(width)]

    # ------------------------------------------------------------ parts

    def _summary(self, width: int) -> list[Line]:
        loud = [f for f in self.findings if f.severity != "info"]
        what = plural(len(loud), "finding") if loud else "Nothing wrong"
        where = ", ".join(self.names[:2]) + (
            f" and {len(self.names) - 2} more" if len(self.names) > 2 else ""
        )
        lines = wrapped(f"{what} in {where}", width, style="bold")
        failed = f", {self.failed:,} of them failed" if self.failed else ""
        lines += wrapped(
            f"{plural(self.lookups, 'lookup')}{failed}; applications waited {seconds(self.seconds)} in all.",
            width,
        )
        for remark in self.remarks:
            lines += wrapped(f"Capture quality: {remark}.", width, style="negative")
        return lines

    def _infos(self, width: int) -> list[Line]:
        infos = [f for f in self.findings if f.severity == "info"]
        if not infos:
            return []
        lines: list[Line] = [[], [("Worth knowing", "bold")]]
        for finding in infos[:MOST_INFO]:
            lines += wrapped(
                f"- {finding.title} ({finding.id}, {finding.evidence[0] if finding.evidence else ''})", width
            )
        if len(infos) > MOST_INFO:
            lines.append([(f"… {len(infos) - MOST_INFO} more (dnscap findings)", "dim")])
        return lines

    def _scorecard(self, width: int) -> list[Line]:
        lines: list[Line] = [[("Scorecard", "bold")]]
        for figure in self.figures:
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
    cost += [f"in {plural(finding.lookups, 'lookup')}"]
    if finding.failed:
        cost.append(f"{finding.failed:,} failed")
    said = f"{', '.join(cost)}; confidence {100 * finding.confidence:.0f} % [{finding.id}]"
    lines += wrapped(said, width, _INDENT, "dim")
    lines += wrapped(finding.explanation, width, _INDENT)
    lines += _labelled("Remedy", finding.remedy, width)
    if finding.counterfactual:
        lines += _labelled("Then", finding.counterfactual, width)
    lines += _labelled("Not so if", finding.disproved_by, width, "dim")
    lines += _labelled("See", _grouped(finding.evidence), width, "dim")
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
