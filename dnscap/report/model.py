"""What a report says, as plain data; text, HTML and JSON are renderings of it and cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dnscap.explain.explanation import BUDGET, Explanation
from dnscap.findings import RULES, Finding
from dnscap.findings.course import CourseTally
from dnscap.findings.diagnosis import Diagnosis
from dnscap.findings.rule import Facts, plural
from dnscap.findings.scorecard import Figure
from dnscap.quality import COUNTS, STATE_COUNTS
from dnscap.report.block_forms import Block
from dnscap.report.blocks import BLOCKS
from dnscap.report.headline import headline, totals
from dnscap.tables.histogram import BUCKETS, PARTS, bound_of, percentile
from dnscap.tables.timeline import Timeline

if TYPE_CHECKING:
    import pyarrow as pa

    from dnscap.messages.decoding import Quality

MOST_ROWS = 50
"""Servers and clients that a report lists: a large capture gives a report as quick to open as a small one."""

BINS_AN_OCTAVE = 2
"""Bars of a latency distribution for each doubling."""

PERCENTILES = (50, 90, 99)


@dataclass(slots=True)
class Input:
    """One file section or interface; times in nanoseconds since 1970."""

    name: str
    format: str
    interface: str | None
    link_type: str
    snaplen: int
    filter: str | None
    frames: int
    first_time: int | None
    last_time: int | None
    drops: int | None


@dataclass(slots=True)
class Note:
    """A word on capture quality.

    Attributes
    ----------
    weight : {"weakens", "lost", "noted", "told"}
        Makes findings less sure, takes something from the picture, says how the input ended, or is only worth
        a word.
    text : str
    """

    weight: str
    text: str


@dataclass(slots=True)
class Span:
    """A stretch of time: what began in it. Durations in nanoseconds, None where nothing ended."""

    start: int
    lookups: int
    failed: int
    slow: int
    queries: int
    unanswered: int
    p50: int | None
    p95: int | None


@dataclass(slots=True)
class Course:
    """A capture over time, in spans of `width` nanoseconds.

    Attributes
    ----------
    of : {"lookups", "queries"}
        What the percentiles of the spans are of: queries where there is no lookup.
    """

    width: int = 0
    of: str = "lookups"
    spans: list[Span] = field(default_factory=list)


@dataclass(slots=True)
class Bin:
    """Durations from `low` on and below `high`, in nanoseconds."""

    low: int
    high: int
    count: int


@dataclass(slots=True)
class Distribution:
    """How long things took.

    Attributes
    ----------
    timed : int
        How many ended.
    bins : list of Bin
        Without gaps, from the first to the last that holds something.
    percentiles : dict
        Nanoseconds that so many of a hundred do not exceed; exact to 2 %.
    """

    timed: int = 0
    bins: list[Bin] = field(default_factory=list)
    percentiles: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class CauseCost:
    """What a cause cost over all lookups."""

    cause: str
    finding: str | None
    lookups: int
    failed: int
    seconds: float
    queries: int


@dataclass(slots=True)
class Ranked:
    """The first rows of a table, and how many it has."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0


@dataclass(slots=True)
class Report:
    """What is wrong in a capture and what that rests on.

    Made by `build`; ``str()`` of it is the text, and it shows itself in notebooks.

    Attributes
    ----------
    names : list of str
        The captures.
    headline, totals : str
        What is the matter in a sentence, and what it is a part of in another.
    lookups, failed, slow : int
        Lookups, those that failed, and those that waited for a second or longer.
    seconds : float
        Time that applications waited in all.
    longest : int
        Nanoseconds that the longest of these waits took.
    slowest : list of Explanation
        The slowest lookups, the worst first.
    remarks, breaks : list of str
        What weakens findings; where inputs break off.
    blocks : list of Block
        Further tables of what this capture shows.
    """

    names: list[str]
    headline: str = ""
    totals: str = ""
    inputs: list[Input] = field(default_factory=list)
    lookups: int = 0
    failed: int = 0
    slow: int = 0
    seconds: float = 0.0
    longest: int = 0
    queries: int = 0
    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    breaks: list[str] = field(default_factory=list)
    quality: list[Note] = field(default_factory=list)
    scorecard: list[Figure] = field(default_factory=list)
    course: Course = field(default_factory=Course)
    lookup_times: Distribution = field(default_factory=Distribution)
    query_times: Distribution = field(default_factory=Distribution)
    lookup_outcomes: dict[str, int] = field(default_factory=dict)
    query_outcomes: dict[str, int] = field(default_factory=dict)
    causes: list[CauseCost] = field(default_factory=list)
    slowest: list[Explanation] = field(default_factory=list)
    servers: Ranked = field(default_factory=Ranked)
    clients: Ranked = field(default_factory=Ranked)
    blocks: list[Block] = field(default_factory=list)

    @property
    def first_time(self) -> int | None:
        """Of all inputs, in nanoseconds since 1970."""
        return min((i.first_time for i in self.inputs if i.first_time is not None), default=None)

    @property
    def last_time(self) -> int | None:
        """Of all inputs, in nanoseconds since 1970."""
        return max((i.last_time for i in self.inputs if i.last_time is not None), default=None)

    @property
    def loud(self) -> list[Finding]:
        """Findings that have a severity."""
        return [finding for finding in self.findings if finding.severity != "info"]

    @property
    def quiet(self) -> list[Finding]:
        """Findings that are only worth knowing."""
        return [finding for finding in self.findings if finding.severity == "info"]

    @property
    def bare(self) -> bool:
        """Whether there was no DNS to judge: neither a query nor a response."""
        return not self.queries and not self.query_outcomes

    @property
    def where_dns_may_hide(self) -> str:
        """Where to look for DNS that was not found."""
        if any(item.link_type.startswith("IEEE802_11") for item in self.inputs):
            return "Wi-Fi frames show DNS only where they are not encrypted."
        return "`--port N` takes a port as DNS; DNS over TLS and HTTPS cannot be read."

    # ------------------------------------------------------------ renderings

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from dnscap.report.notebook import report_html

        return report_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def text(self, *, colour: bool = False, width: int | None = None) -> str:
        """The report as text, with terminal colours where asked for."""
        from dnscap.report.text import write

        return write(self, colour=colour, width=width)

    def html(self) -> str:
        """The report as one page that needs nothing else: no network, no other file."""
        from dnscap.report.html import write

        return write(self)

    def json(self) -> str:
        """The report as JSON: times RFC 3339 in UTC, durations in seconds."""
        from dnscap.report.json import write

        return write(self)


def build(
    names: Sequence[str],
    diagnosis: Diagnosis,
    sources: pa.Table | None = None,
    quality: Quality | None = None,
    *,
    slowest: int = 3,
) -> Report:
    """Make a report of what a pass over a capture added up.

    Parameters
    ----------
    names : sequence of str
        The captures.
    diagnosis : Diagnosis
        Finished.
    sources : pyarrow.Table, optional
        The sources table.
    quality : Quality, optional
        What reading lacked.
    slowest : int
        Lookups to tell whole.

    Examples
    --------
    >>> build(["empty.pcap"], Diagnosis()).headline
    'No query of unicast DNS in this capture.'
    """
    facts, course = diagnosis.facts, diagnosis.course
    inputs = [] if sources is None else _inputs(sources)
    unread = bool(quality and quality.faults) and not any(item.frames for item in inputs)
    return Report(
        names=list(names),
        headline="Nothing of it could be read." if unread else headline(facts, course),
        totals=totals(facts, course),
        inputs=inputs,
        lookups=facts.lookups,
        failed=facts.failed,
        slow=course.slow,
        seconds=facts.seconds,
        longest=course.longest,
        queries=int(course.queries.counts[:, 0].sum()),
        findings=diagnosis.findings,
        remarks=diagnosis.quality.remarks(),
        breaks=[str(one) for one in (*quality.faults, *quality.notes)] if quality is not None else [],
        quality=_notes(diagnosis.quality.remarks(), quality),
        scorecard=diagnosis.scorecard,
        course=_course(course),
        lookup_times=_distribution(course.durations, course.longest),
        query_times=_distribution(course.latencies, course.longest_latency),
        lookup_outcomes=dict(course.lookup_outcomes.most_common()),
        query_outcomes=dict(course.exchange_outcomes.most_common()),
        causes=_causes(facts),
        slowest=_slowest(facts, diagnosis.attempts, slowest),
        servers=Ranked(diagnosis.server_rows[:MOST_ROWS], len(diagnosis.server_rows)),
        clients=Ranked(facts.clients[:MOST_ROWS], diagnosis.client_count),
        blocks=[block for make in BLOCKS if (block := make(diagnosis)) is not None],
    )


def _inputs(sources: pa.Table) -> list[Input]:
    from dnscap.clients.kept_rows import plain_rows

    rows = [row for part in sources.to_batches() for row in plain_rows(part)]
    told: list[dict[str, Any]] = [{name: row[name] for name in Input.__dataclass_fields__} for row in rows]
    return [Input(**row) for row in told]


def _notes(remarks: list[str], quality: Quality | None) -> list[Note]:
    notes = [Note("weakens", text) for text in remarks]
    if quality is None:
        return notes
    for counted in (*COUNTS, *STATE_COUNTS):
        count = quality.counts.get(counted.name, 0)
        if count and counted.weight != "plain":
            notes.append(Note(counted.weight, f"{plural(count, counted.noun)} {counted.rest}"))
    notes += [Note("lost", str(fault)) for fault in quality.faults]
    notes += [Note("noted", text) for text in quality.notes]
    return notes


def _slowest(facts: Facts, attempts: list[dict[str, Any]], most: int) -> list[Explanation]:
    worst = sorted(facts.kept, key=lambda kept: (-kept.waited, kept.number))
    return [
        Explanation(dict(kept.row), [dict(row) for row in kept.exchanges], attempts)
        for kept in worst[:most]
        if kept.exchanges
    ]


def _causes(facts: Facts) -> list[CauseCost]:
    finding_of: dict[str, str] = {}
    for rule in RULES:
        for cause in rule.causes:
            finding_of.setdefault(cause, rule.id)
    costs = [
        CauseCost(cause, finding_of.get(cause), c.lookups, c.failed, c.seconds, c.queries)
        for cause, c in facts.costs.items()
    ]
    return sorted(costs, key=lambda cost: (-cost.seconds, -cost.lookups, cost.cause))


def _course(tally: CourseTally) -> Course:
    """Both timelines on the same spans: those of the coarser one."""
    lookups, queries = tally.lookups, tally.queries
    both = [Timeline(3), Timeline(2)]
    for mine, theirs in zip(both, (lookups, queries), strict=True):
        mine.merge(theirs)
    first = min((line.start for line in both if len(line)), default=0)
    last = max((line.start + len(line) * line.width - 1 for line in both if len(line)), default=-1)
    if last < first:
        return Course()
    for _ in range(2):  # covering more may widen the first beyond the second
        for line in both:
            line.cover(first, last, max(line.width for line in both))
    timed = both[0] if len(lookups) else both[1]
    longest = tally.longest if len(lookups) else tally.longest_latency
    middle, high = (
        [None if value is None else min(value, longest) for value in timed.percentiles(share)]
        for share in (0.5, 0.95)
    )
    starts = both[0].start + np.arange(len(both[0])) * both[0].width
    counts = np.column_stack([starts, both[0].counts, both[1].counts]).tolist()
    spans = [Span(*[*row, p50, p95]) for row, p50, p95 in zip(counts, middle, high, strict=True)]
    return Course(both[0].width, "lookups" if len(lookups) else "queries", spans)


def _distribution(counts: np.ndarray[Any, np.dtype[Any]], longest: int) -> Distribution:
    step = PARTS // BINS_AN_OCTAVE
    coarse = counts.reshape(BUCKETS // step, step).sum(axis=1)
    held = np.flatnonzero(coarse)
    if not len(held):
        return Distribution()
    bins = [
        Bin(bound_of(place * step), bound_of((place + 1) * step), int(coarse[place]))
        for place in range(int(held[0]), int(held[-1]) + 1)
    ]
    found: Mapping[int, int | None] = {share: percentile(counts, share / 100) for share in PERCENTILES}
    return Distribution(
        int(counts.sum()),
        bins,
        {share: min(value, longest) for share, value in found.items() if value is not None},
    )


def budget_of(lookup: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Parts of a lookup's time budget that are not empty, the longest first."""
    parts = [(name, int(lookup[name] or 0)) for name in BUDGET]
    return sorted((part for part in parts if part[1] > 0), key=lambda part: -part[1])
