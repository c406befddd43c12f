"""Seven figures of a healthy name service, each against its target, as far as the capture can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dnscap.resolutions.arrow import Verdicts
from dnscap.resolutions.words import CACHES, FROM_CACHE
from dnscap.servers.tally import ANSWERED, OUTCOMES, kinds_of
from dnscap.tables.columns import Columns
from dnscap.tables.histogram import BUCKETS, buckets_of, percentile

Array = np.ndarray[Any, np.dtype[Any]]

MINUTE = 60_000_000_000

LEAST_MINUTES = 5
"""Minutes of queries to authoritative servers before a baseline is one."""

SPIKE = 10.0

MOST_MINUTES = 100_000
"""Minutes counted one by one: ten weeks."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the scorecard.

    Attributes
    ----------
    metric, value, target : str
        What it is, what was measured, what it should be.
    passed : bool or None
        None where the capture cannot tell.
    sample : int
        How many things the value rests on.
    note : str
        Why there is no value, or what it excludes.
    """

    metric: str
    value: str
    target: str
    passed: bool | None
    sample: int
    note: str = ""


class ScoreTally:
    """Counts what the scorecard needs from exchanges."""

    def __init__(self) -> None:
        self.latencies: Array = np.zeros(BUCKETS, dtype=np.int64)
        self.outcomes: Counter[str] = Counter()
        self.minutes: Counter[int] = Counter()
        self.hits = 0
        self.verdicts = 0

    def feed_exchanges(self, rows: Columns, end: int | None = None) -> None:
        """Count a batch of exchanges: those of lookups as the clients' side, the others as iteration.

        `end` is when the capture ends, once that is known.
        """
        if not rows.rows:
            return
        ours = rows.numbers("lookup") >= 0
        kinds = kinds_of(rows, end)
        counts = np.bincount(kinds[ours], minlength=len(OUTCOMES) + 1)
        for word, count in zip(OUTCOMES, counts.tolist(), strict=False):
            self.outcomes[word] += count
        latency = rows.numbers("latency")
        timed = ours & (latency >= 0) & rows.word_is("outcome", *ANSWERED)
        self.latencies += np.bincount(buckets_of(latency[timed]), minlength=BUCKETS)
        upstream = ~ours & ~rows.word_is("outcome", "unsolicited", "duplicate")
        minutes, found = np.unique(rows.numbers("time")[upstream] // MINUTE, return_counts=True)
        self._add_minutes(zip(minutes.tolist(), found.tolist(), strict=True))

    def add(self, outcomes: Array, minutes: Iterable[tuple[int, int]]) -> None:
        """Add counts of outcomes, and of queries to authoritative servers by minute."""
        for word, count in zip(OUTCOMES, outcomes.tolist(), strict=False):
            self.outcomes[word] += count
        self._add_minutes(minutes)

    def _add_minutes(self, minutes: Iterable[tuple[int, int]]) -> None:
        for minute, count in minutes:
            if minute in self.minutes or len(self.minutes) < MOST_MINUTES:
                self.minutes[minute] += count

    def feed_resolutions(self, verdicts: Verdicts) -> None:
        """Count cache verdicts where the resolver's upstream side is seen."""
        self.add_verdicts(np.bincount(verdicts.cache, minlength=len(CACHES)).tolist())

    def add_verdicts(self, counts: Sequence[int]) -> None:
        """Add cache verdicts, counted in the order of `CACHES`."""
        self.hits += sum(counts[CACHES.index(word)] for word in FROM_CACHE)
        self.verdicts += sum(counts) - counts[CACHES.index("unknown")]

    def figures(self) -> list[Figure]:
        """The seven rows, in their order."""
        timed = int(self.latencies.sum())
        answered = sum(self.outcomes[word] for word in ANSWERED)
        ended = answered + self.outcomes["unanswered"] + self.outcomes["unreachable"]
        bad = sum(self.outcomes[w] for w in ("servfail", "refused", "formerr", "notimp", "other-rcode"))
        return [
            self._latency("query latency, median", 0.5, 20, timed),
            self._latency("query latency, 99th percentile", 0.99, 100, timed),
            _share("queries answered well", answered - bad, ended, 0.9995, above=True, digits=2),
            self._hit_rate(),
            _share(
                "answers that a name does not exist",
                self.outcomes["nxdomain"],
                answered,
                0.05,
                above=False,
                digits=1,
            ),
            _share("answers SERVFAIL", self.outcomes["servfail"], answered, 0.001, above=False, digits=2),
            self._spike(),
        ]

    def _latency(self, metric: str, share: float, target: float, timed: int) -> Figure:
        found = percentile(self.latencies, share)
        told = f"< {target:g} ms"
        if found is None:
            return Figure(metric, "-", told, None, 0, "no answer to a client's query")
        value = found / 1e6
        return Figure(metric, f"{value:.1f} ms", told, value < target, timed)

    def _hit_rate(self) -> Figure:
        if not self.verdicts:
            return Figure("cache hit rate", "-", "> 85 %", None, 0, "needs the resolver's upstream side")
        figure = _share("cache hit rate", self.hits, self.verdicts, 0.85, above=True, digits=1)
        return Figure(
            figure.metric,
            figure.value,
            figure.target,
            figure.passed,
            figure.sample,
            "without hits inside applications",
        )

    def _spike(self) -> Figure:
        metric, told = "peak of authoritative queries", f"< {SPIKE:g} x baseline"
        if not self.minutes:
            return Figure(metric, "-", told, None, 0, "no queries to authoritative servers")
        first, last = min(self.minutes), max(self.minutes)
        span = last - first + 1
        total = sum(self.minutes.values())
        if span < LEAST_MINUTES:
            return Figure(metric, "-", told, None, total, f"fewer than {LEAST_MINUTES} minutes")
        quiet = max(0, span - len(self.minutes))
        counts = np.sort(np.array([*self.minutes.values(), *([0] * min(quiet, MOST_MINUTES))]))
        baseline = max(float(np.median(counts)), 1.0)
        ratio = float(counts[-1]) / baseline
        return Figure(metric, f"{ratio:.1f} x", told, ratio < SPIKE, total)


def _share(metric: str, part: int, whole: int, target: float, *, above: bool, digits: int) -> Figure:
    told = f"{'>' if above else '<'} {100 * target:g} %"
    if not whole:
        return Figure(metric, "-", told, None, 0, "no query of a client ended in this capture")
    share = part / whole
    return Figure(
        metric, f"{100 * share:.{digits}f} %", told, share > target if above else share < target, whole
    )
