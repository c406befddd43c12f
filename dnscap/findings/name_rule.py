"""How findings are made that rest on what servers said of names, rather than on lookups that suffered."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from dnscap.findings.costs import Cost
from dnscap.findings.gate import WITHHELD_BELOW, bounded
from dnscap.findings.rule import MOST_EVIDENCE, Facts, Finding, Rule
from dnscap.names import NameRows

SECOND = 1_000_000_000

MOST_FINDINGS = 5
"""Of one rule told one by one; further ones are counted."""

MOST_COUNTED = 200
"""Of one rule looked for: that there are more is seldom a question."""

MOST_GROUPS = 2_000
"""Names of which the answers of several servers are compared: more say nothing new."""


@dataclass(slots=True)
class Draft:
    """A finding that is put into words only if it is told.

    Attributes
    ----------
    confidence : float
        Of the finding.
    make : callable
        Gives it.
    """

    confidence: float
    make: Callable[[], Finding]


class NameRule(Rule):
    """A rule that reads the rows of names.

    Attributes
    ----------
    needs_all : bool
        It rests on something that was not said, so that it keeps quiet where names were given up for lack of
        room.
    """

    causes: ClassVar[tuple[str, ...]] = ()
    rests_on: ClassVar[str] = "content"
    needs_all: ClassVar[bool] = False

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give findings, if any, the first few one by one."""
        seen = facts.seen
        if seen is None or not seen.count or (self.needs_all and not seen.whole):
            return
        yield from self.first_few(self.look(facts, seen))

    def first_few(self, looked: Iterable[Finding | Draft]) -> Iterator[Finding]:
        """The surest of what was found; the last of them says how much more there is."""
        found = list(itertools.islice(looked, MOST_COUNTED))
        found.sort(key=lambda finding: -finding.confidence)
        told = [one.make() if isinstance(one, Draft) else one for one in found[:MOST_FINDINGS]]
        if len(found) > len(told):
            more = f"{len(found) - len(told):,} more" if len(found) < MOST_COUNTED else "many more"
            told[-1].explanation += f" The same holds for {more}."
        yield from told

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding | Draft]:
        """Give every finding."""
        raise NotImplementedError

    def sure(self, facts: Facts, certainty: float | None = None) -> float:
        """Confidence in a finding, weakened where the capture is poor."""
        whole = self.certainty if certainty is None else certainty
        return bounded(whole * facts.quality.factor(self.rests_on))

    def draft(self, facts: Facts, make: Callable[[], Finding], certainty: float | None = None) -> Draft:
        """A finding to be put into words by `make`, with the same `certainty`."""
        return Draft(self.sure(facts, certainty), make)

    def tell(
        self,
        facts: Facts,
        subject: str | None,
        title: str,
        *,
        severity: str = "info",
        frames: Iterable[int] = (),
        certainty: float | None = None,
        queries: int = 0,
        counterfactual: str | None = None,
        detail: str = "",
    ) -> Finding:
        """Put a finding together, weakened where the capture is poor."""
        sure = self.sure(facts, certainty)
        if sure < WITHHELD_BELOW:
            severity = "info"
        kept = facts.named(subject)[:3] if subject else []
        return Finding(
            id=self.id,
            severity=severity,
            title=title,
            causes=[],
            subject=subject,
            lookups=0,
            failed=0,
            cost_seconds=0.0,
            cost_queries=queries,
            confidence=sure,
            evidence=[f"lookup:{k.number}" for k in kept] + facts.origins.all_told(frames, MOST_EVIDENCE[2]),
            explanation=f"{detail} {self.explanation}".strip(),
            remedy=self.remedy_for(facts, kept),
            counterfactual=counterfactual,
            disproved_by=self.disproved_by,
        )

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        """Titles are given with the findings."""
        return self.id


def clock(time: int) -> str:
    """A moment as people read it: the time of day in UTC.

    Examples
    --------
    >>> clock(1_700_000_000_000_000_000)
    '22:13:20 UTC'
    """
    return datetime.fromtimestamp(time // SECOND, UTC).strftime("%H:%M:%S UTC")


def span(value: float) -> str:
    """A lifetime as people say it.

    Examples
    --------
    >>> span(45), span(300), span(86400)
    ('45 s', '5 min', '1 day')
    """
    value = round(value)
    for size, noun in ((86400, "day"), (3600, "h"), (60, "min")):
        if value >= 2 * size or (value >= size and value % size == 0):
            whole = value / size
            text = f"{whole:.0f}" if abs(whole - round(whole)) < 0.05 else f"{whole:.1f}"
            return f"{text} {noun}{'s' if noun == 'day' and text != '1' else ''}"
    return f"{value} s"


def brief(rdata: Iterable[str], most: int = 2) -> str:
    """Record data in a sentence: the first few records."""
    texts = list(rdata)
    told = ", ".join(text if len(text) <= 60 else f"{text[:57]}..." for text in texts[:most])
    return f"{told} and {len(texts) - most} more" if len(texts) > most else told or "(not kept)"


def is_under(name: str, zone: str) -> bool:
    """Whether a name is in a zone, or its apex.

    Examples
    --------
    >>> is_under("ns1.example.com.", "example.com."), is_under("badexample.com.", "example.com.")
    (True, False)
    """
    return name == zone or zone == "." or name.endswith(f".{zone}")
