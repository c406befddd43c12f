"""What a finding is, and how most are made: lookups with a cause, grouped by what they have in common."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from dnscap.clients import Kept
from dnscap.clients.configuration import family_of
from dnscap.clients.keeping import distinct_cells
from dnscap.findings.costs import Cost, shares_of
from dnscap.findings.gate import WITHHELD_BELOW, CaptureQuality, bounded
from dnscap.findings.origins import Origins
from dnscap.names import NameRows

SEVERITIES = ("info", "low", "medium", "high")
"""From the least to the most severe."""

MOST_EVIDENCE = (8, 8, 12)
"""Lookups, exchanges and frames that a finding names at most."""


@dataclass(slots=True)
class Finding:
    """Something wrong, what it cost and what to do; the columns of the findings table."""

    id: str
    severity: str
    title: str
    causes: list[str]
    subject: str | None
    lookups: int
    failed: int
    cost_seconds: float
    cost_queries: int
    confidence: float
    evidence: list[str]
    explanation: str
    remedy: str
    counterfactual: str | None
    disproved_by: str

    def as_row(self) -> dict[str, Any]:
        """A row of the findings table."""
        return asdict(self)


@dataclass(slots=True)
class Case:
    """A lookup with a cause of a rule, and what that cost it."""

    kept: Kept
    causes: list[str]
    seconds: float
    queries: int


@dataclass
class Facts:
    """Everything that findings are made from.

    Attributes
    ----------
    kept : list of Kept
        Slow, failed and telling lookups, in order.
    costs : dict of str to Cost
        What each cause cost over all lookups.
    lookups, failed : int
        All lookups, and those that failed.
    servers, clients : list of dict
        Rows of these tables.
    quality : CaptureQuality
        What the capture lacks.
    events : Counter
        Events by kind.
    names : NameFacts or None
        What the names themselves tell.
    seen : NameRows or None
        What servers said of names.
    caches : CacheTally or None
        What resolvers did for their clients, by resolver.
    habits : Habits or None
        What only shows in numbers: of clients, servers, names and subnets.
    answers : callable or None
        Gives the latencies of a server's answers as a histogram, and how many queries it left without one.
    origins : Origins
        Which file a frame is in.
    """

    kept: list[Kept] = field(default_factory=list)
    costs: dict[str, Cost] = field(default_factory=dict)
    lookups: int = 0
    failed: int = 0
    seconds: float = 0.0
    servers: list[dict[str, Any]] = field(default_factory=list)
    clients: list[dict[str, Any]] = field(default_factory=list)
    quality: CaptureQuality = field(default_factory=CaptureQuality)
    events: Counter[str] = field(default_factory=Counter)
    names: Any = None
    seen: NameRows | None = None
    caches: Any = None
    habits: Any = None
    answers: Callable[[str], tuple[Any, int]] | None = None
    origins: Origins = field(default_factory=Origins)

    def cases(
        self, causes: Sequence[str], covers: Sequence[str] = (), covered_by: Sequence[str] = ()
    ) -> list[Case]:
        """Kept lookups that have one of these causes.

        Parameters
        ----------
        causes : sequence of str
            One of them is needed.
        covers : sequence of str
            Further causes that they explain: what these cost counts too.
        covered_by : sequence of str
            Causes that explain these: lookups with one of them are not given.
        """
        places = sorted({place for cause in causes for place in self._by_cause.get(cause, ())})
        found = []
        for place in places:
            kept = self.kept[place]
            shares = shares_of(kept.row)
            if any(cause in shares for cause in covered_by):
                continue
            own = [cause for cause in shares if cause in causes or cause in covers]
            found.append(Case(kept, own, sum([shares[c][0] for c in own]), sum([shares[c][1] for c in own])))
        return found

    @cached_property
    def _by_cause(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for place, kept in enumerate(self.kept):
            for cause in kept.row["causes"] or ():
                places.setdefault(cause, []).append(place)
        return places

    def with_causes(self, causes: Iterable[str]) -> list[Kept]:
        """Kept lookups that have one of these causes, in order."""
        places = {place for cause in causes for place in self._by_cause.get(cause, ())}
        return [self.kept[place] for place in sorted(places)]

    def kept_with(self, cause: str) -> int:
        """How many kept lookups have a cause."""
        return len(self._by_cause.get(cause, ()))

    def named(self, name: str) -> list[Kept]:
        """Kept lookups of a name."""
        return self._by_name.get(name, [])

    @cached_property
    def _by_name(self) -> dict[str, list[Kept]]:
        named: dict[str, list[Kept]] = {}
        for kept in self.kept:
            named.setdefault(kept.row["name"], []).append(kept)
        return named

    def outcomes_of(self, server: str | None) -> set[str]:
        """How exchanges with a server ended, of the lookups that are kept."""
        return self._outcomes.get(server, set())

    @cached_property
    def _outcomes(self) -> dict[str | None, set[str]]:
        outcomes: dict[str | None, set[str]] = {}
        for server, outcome in distinct_cells(self.kept, "server", "outcome"):
            outcomes.setdefault(server, set()).add(outcome)
        return outcomes

    def server(self, address: str) -> dict[str, Any] | None:
        """Row of the servers table."""
        return next((row for row in self.servers if row["server"] == address), None)

    @cached_property
    def kubernetes(self) -> bool:
        """Whether the clients look like pods of a cluster."""
        return any(
            suffix.endswith("svc.cluster.local") for row in self.clients for suffix in row["search"] or ()
        ) or any(".svc.cluster.local." in c for kept in self.kept for c in kept.row["candidates"] or ())


class Rule:
    """A family member: declares what it is, finds its cases.

    Attributes
    ----------
    id : str
        Stable, in kebab-case.
    causes : tuple of str
        Causes of lookups that it stands for.
    covers, covered_by : tuple of str
        Causes that it explains along with its own, and causes that explain its own: one wait, one finding.
    rests_on : str
        What weakens it where the capture lacks it; see `CaptureQuality.factor`.
    certainty : float
        Confidence that one whole case in a faultless capture gives.
    explanation, disproved_by : str
        Sentences for people.
    remedy : str
        For everybody; `remedies` adds what holds for a stub (or for ``kubernetes``).
    """

    id: ClassVar[str]
    causes: ClassVar[tuple[str, ...]] = ()
    covers: ClassVar[tuple[str, ...]] = ()
    covered_by: ClassVar[tuple[str, ...]] = ()
    rests_on: ClassVar[str] = "errors"
    certainty: ClassVar[float] = 0.8
    explanation: ClassVar[str]
    remedy: ClassVar[str]
    remedies: ClassVar[dict[str, str]] = {}
    disproved_by: ClassVar[str]

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give findings, if any."""
        cases = facts.cases(self.causes, self.covers, self.covered_by)
        groups: defaultdict[str | None, list[Case]] = defaultdict(list)
        for case in cases:
            groups[self.subject(case, facts)].append(case)
        # Where more lookups had a cause than were kept whole, those kept stand for all.
        known = sum(facts.costs[c].lookups for c in self.causes if c in facts.costs)
        kept = sum(facts.kept_with(cause) for cause in self.causes)
        scale = max(1.0, known / kept) if kept else 1.0
        for subject, group in sorted(groups.items(), key=lambda item: -sum(c.seconds for c in item[1])):
            finding = self.make(facts, subject, group, scale)
            if finding is not None:
                yield finding

    def subject(self, case: Case, facts: Facts) -> str | None:
        """What a case is about: cases about the same thing make one finding."""
        return None

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        """One sentence."""
        raise NotImplementedError

    def severity(self, cost: Cost, facts: Facts) -> str:
        """How bad: by the share of lookups that it touches, the wait, and whether they failed."""
        return severity_of(cost, facts.lookups)

    def make(self, facts: Facts, subject: str | None, cases: list[Case], scale: float) -> Finding | None:
        """A finding out of cases about the same thing."""
        cost = Cost(
            round(len(cases) * scale),
            round(sum(case.kept.failed for case in cases) * scale),
            sum(case.seconds for case in cases) * scale,
            round(sum(case.queries for case in cases) * scale),
        )
        cases = sorted(cases, key=lambda case: -case.seconds)
        ranked = Counter(cause for case in cases for cause in case.causes)
        return self.finding(
            facts,
            subject,
            cost,
            [case.kept for case in cases],
            causes=[cause for cause, _ in ranked.most_common()],
            confidence=self.confidence(cost, facts),
            severity=self.severity(cost, facts),
        )

    def confidence(self, cost: Cost, facts: Facts) -> float:
        """More cases make it surer; what the capture lacks makes it less sure."""
        doubt = (1 - self.certainty) / (1 + 0.25 * (cost.lookups - 1))
        return (1 - doubt) * facts.quality.factor(self.rests_on)

    def finding(
        self,
        facts: Facts,
        subject: str | None,
        cost: Cost,
        kept: list[Kept],
        *,
        causes: list[str],
        confidence: float,
        severity: str,
        counterfactual: str | None = None,
    ) -> Finding:
        """Put a finding together, weakened where the capture is poor."""
        sure = bounded(confidence)
        if sure < WITHHELD_BELOW:
            severity = "info"
        return Finding(
            id=self.id,
            severity=severity,
            title=self.title(subject, cost, facts),
            causes=causes,
            subject=subject,
            lookups=cost.lookups,
            failed=cost.failed,
            cost_seconds=round(cost.seconds, 6),
            cost_queries=cost.queries,
            confidence=sure,
            evidence=evidence_of(kept, facts.origins),
            explanation=self.explanation,
            remedy=self.remedy_for(facts, kept),
            counterfactual=counterfactual or self.counterfactual(cost, kept, facts),
            disproved_by=self.disproved_by,
        )

    def counterfactual(self, cost: Cost, kept: list[Kept], facts: Facts) -> str | None:
        """What would have been without it."""
        if not cost.lookups or cost.seconds < 0.001:
            return None
        took = sum(k.row["duration"] or 0 for k in kept) / 1e9
        scale = cost.lookups / max(len(kept), 1)
        which = "this lookup" if cost.lookups == 1 else f"these {cost.lookups:,} lookups"
        left = max(took * scale - cost.seconds, 0)
        if left < 0.0001:
            return f"Without it {which} would have waited {seconds(cost.seconds)} less."
        return (
            f"Without it {which} would have taken {seconds(left)} in all instead of {seconds(took * scale)}."
        )

    def remedy_for(self, facts: Facts, kept: Iterable[Kept]) -> str:
        """The remedy for the stubs and platforms that are concerned."""
        stubs: Counter[str | None] = Counter()
        for stub, count in Counter(k.row["stub"] for k in kept).items():
            stubs[family_of(stub)] += count
        said = [self.remedy]
        for stub, _ in stubs.most_common():
            if stub and stub in self.remedies:
                said.append(f"{stub}: {self.remedies[stub]}")
        if "kubernetes" in self.remedies and facts.kubernetes:
            said.append(f"Kubernetes: {self.remedies['kubernetes']}")
        return " ".join(said)


def severity_of(cost: Cost, lookups: int) -> str:
    """Severity by the share of lookups touched, the wait of each, and failures."""
    share = cost.lookups / max(lookups, 1)
    each = cost.seconds / max(cost.lookups, 1)
    if cost.failed and cost.failed / max(lookups, 1) >= 0.05:
        return "high"
    if each >= 1.0 and share >= 0.1:
        return "high"
    if cost.failed or each >= 0.5 or (each >= 0.2 and share >= 0.2):
        return "medium"
    return "low"


def evidence_of(kept: Sequence[Kept], origins: Origins) -> list[str]:
    """Lookups, and the exchanges and frames of those that show most."""
    lookups = [f"lookup:{k.number}" for k in kept[: MOST_EVIDENCE[0]]]
    exchanges: list[str] = []
    frames: dict[str, tuple[str, int]] = {}
    for k in kept[: MOST_EVIDENCE[0]]:
        # The transmissions that failed tell more than those that went well.
        ranked = sorted(k.exchanges, key=lambda row: (row["outcome"] in ("answer", "nodata"), row["time"]))
        for row in ranked:
            if len(exchanges) < MOST_EVIDENCE[1]:
                exchanges.append(f"exchange:{row['exchange']}")
            for name in ("query", "response"):
                frame = row.get(f"{name}_frame")
                if frame and len(frames) < MOST_EVIDENCE[2]:
                    told = origins.told(frame, row.get(name))
                    frames[told] = told.partition("@")[2], frame
    return [*lookups, *exchanges, *sorted(frames, key=frames.__getitem__)]


def plural(count: int, noun: str) -> str:
    """A count with its noun: 1 lookup, 2 lookups, 3 queries."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1]}ies" if noun.endswith("y") else f"{count:,} {noun}s"


def seconds(value: float) -> str:
    """Seconds as people say them."""
    if value >= 100:
        return f"{value:,.0f} s"
    if value >= 1:
        return f"{value:.2f} s"
    if value < 0.00005:
        return "0 s"
    return f"{value * 1000:.0f} ms" if value >= 0.01 else f"{value * 1000:.1f} ms"


def waited(cost: Cost) -> str:
    """How many lookups waited how long: ``3 lookups waited 5.00 s each``."""
    if cost.seconds < 0.0001:
        return f"{plural(cost.lookups, 'lookup')} affected"
    if cost.lookups == 1:
        return f"1 lookup waited {seconds(cost.seconds)}"
    return f"{cost.lookups:,} lookups waited {seconds(cost.seconds / max(cost.lookups, 1))} each"


def silent_server(case: Case) -> str | None:
    """The server whose silence cost a case most: first the one that never answered it."""
    return _server(case, ("unanswered", "unfinished"), in_time=True)


def failing_server(outcomes: Sequence[str]) -> Callable[[Case], str | None]:
    """A function that names the server which answered so."""
    return lambda case: _server(case, outcomes)


def _server(case: Case, outcomes: Sequence[str], *, in_time: bool = False) -> str | None:
    counts: dict[str, int] = {}
    sent = case.kept.cells("server", "outcome", "late")
    for server, outcome, late in sent:
        if outcome in outcomes and not (in_time and late):
            counts[server] = counts.get(server, 0) + 1
    if not counts:
        return first_server(case)
    if len(counts) == 1:
        return next(iter(counts))
    heard = {server for server, outcome, _ in sent if outcome in ("answer", "nodata", "nxdomain")}
    return max(counts, key=lambda server: (server not in heard, counts[server]))


def first_server(case: Case) -> str | None:
    """The server that was asked first."""
    servers: list[str] = case.kept.row["servers"] or []
    return servers[0] if servers else None
