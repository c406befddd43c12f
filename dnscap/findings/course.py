"""What a report draws: lookups and queries over time, how long they took, how they ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dnscap.clients import FAILED
from dnscap.exchanges.arrow import OUTCOMES as EXCHANGE_OUTCOMES
from dnscap.lookups.words import OUTCOMES as LOOKUP_OUTCOMES
from dnscap.native.course import Spans, count_exchanges, count_lookups, exchange_times, lookup_times
from dnscap.servers.tally import ANSWERED
from dnscap.tables.columns import Columns
from dnscap.tables.histogram import BUCKETS, SCALE, buckets_of
from dnscap.tables.timeline import Timeline

if TYPE_CHECKING:
    from dnscap.native.exchange_rows import ExchangeBatch
    from dnscap.native.lookup_columns import LookupBatch

Array = np.ndarray[Any, np.dtype[Any]]

SLOW = 1_000_000_000
"""Nanoseconds from which a lookup counts as slow: people notice, and most stubs have asked again by then."""

MOST_WORDS = 64


NATIVE_WORDS = 16
"""Numbers that native rows have for outcomes."""


class CourseTally:
    """Adds up lookups and exchanges by time, duration and outcome.

    Attributes
    ----------
    lookups : Timeline
        Counters: lookups, failed ones, slow ones; durations of lookups.
    queries : Timeline
        Counters: queries, unanswered ones; latencies of exchanges.
    durations, latencies : numpy.ndarray
        The same for the whole capture, on the scale of `dnscap.tables.histogram`.
    slow : int
        Lookups that waited for `SLOW` or longer.
    longest, longest_latency : int
        Nanoseconds, exact.
    expanded, wasted, search_wait : int
        Lookups that went through a search list, queries that added nothing, nanoseconds waited for candidates.
    """

    def __init__(self) -> None:
        self.lookups = Timeline(3)
        self.queries = Timeline(2)
        self.durations: Array = np.zeros(BUCKETS, dtype=np.int64)
        self.latencies: Array = np.zeros(BUCKETS, dtype=np.int64)
        self.lookup_outcomes: Counter[str] = Counter()
        self.exchange_outcomes: Counter[str] = Counter()
        self.slow = 0
        self.longest = 0
        self.longest_latency = 0
        self.expanded = 0
        self.sent = 0
        self.wasted = 0
        self.search_wait = 0

    def feed_lookups(self, rows: Columns) -> None:
        """Count the lookups of a batch."""
        if not rows.rows:
            return
        duration = rows.numbers("duration", 0)
        waited = duration - rows.numbers("t_gap", 0)
        codes, words = rows.codes("outcome")
        _count(self.lookup_outcomes, codes, words)
        failed = rows.word_is("outcome", *FAILED)
        slow = waited >= SLOW
        finished = ~rows.word_is("outcome", "unfinished")
        self.lookups.add(rows.numbers("time"), (None, failed, slow), waited, finished)
        self.durations += np.bincount(buckets_of(waited[finished]), minlength=BUCKETS)
        self.slow += int(slow.sum())
        self.longest = max(self.longest, int(waited.max()))
        search = rows.numbers("t_search", 0)
        self.expanded += int((rows.list_lengths("candidates") > 1).sum())
        self.sent += int(rows.numbers("queries", 0).sum())
        self.wasted += int(rows.numbers("wasted_queries", 0).sum())
        self.search_wait += int(search.sum())

    def feed_native_lookups(self, batch: LookupBatch) -> None:
        """As `feed_lookups`, of native rows."""
        if not batch.count:
            return
        self.lookups.reach(*lookup_times(batch))
        outcomes = np.zeros(NATIVE_WORDS, np.int64)
        totals = np.array([self.slow, self.longest, self.expanded, self.sent, self.wasted, self.search_wait])
        count_lookups(
            batch,
            SCALE,
            Spans(*self.lookups.spans),
            SLOW,
            self.lookups.counts,
            self.lookups.histograms,
            self.durations,
            outcomes,
            totals,
        )
        self.slow, self.longest, self.expanded, self.sent, self.wasted, self.search_wait = totals.tolist()
        _add(self.lookup_outcomes, LOOKUP_OUTCOMES, outcomes)

    def feed_native_exchanges(self, batch: ExchangeBatch) -> None:
        """As `feed_exchanges`, of native rows."""
        if not batch.exchanges:
            return
        self.queries.reach(*exchange_times(batch))
        outcomes = np.zeros(NATIVE_WORDS, np.int64)
        totals = np.array([self.longest_latency])
        count_exchanges(
            batch,
            SCALE,
            Spans(*self.queries.spans),
            self.queries.counts,
            self.queries.histograms,
            self.latencies,
            outcomes,
            totals,
        )
        self.longest_latency = int(totals[0])
        _add(self.exchange_outcomes, EXCHANGE_OUTCOMES, outcomes)

    def feed_exchanges(self, rows: Columns) -> None:
        """Count the exchanges of a batch."""
        if not rows.rows:
            return
        codes, words = rows.codes("outcome")
        _count(self.exchange_outcomes, codes, words)
        asked = ~rows.word_is("outcome", "unsolicited", "duplicate")
        latency = rows.numbers("latency")
        timed = asked & (latency >= 0) & rows.word_is("outcome", *ANSWERED)
        silent = rows.word_is("outcome", "unanswered", "unreachable")
        self.queries.add(rows.numbers("time"), (asked, silent), latency, timed)
        self.latencies += np.bincount(buckets_of(latency[timed]), minlength=BUCKETS)
        self.longest_latency = max(self.longest_latency, int(latency[timed].max(initial=0)))

    def merge(self, other: CourseTally) -> None:
        """Add what another tally counted."""
        self.lookups.merge(other.lookups)
        self.queries.merge(other.queries)
        self.durations += other.durations
        self.latencies += other.latencies
        self.lookup_outcomes += other.lookup_outcomes
        self.exchange_outcomes += other.exchange_outcomes
        self.longest = max(self.longest, other.longest)
        self.longest_latency = max(self.longest_latency, other.longest_latency)
        for name in ("slow", "expanded", "sent", "wasted", "search_wait"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def _count(counter: Counter[str], codes: Array, words: list[str]) -> None:
    _add(counter, words, np.bincount(codes[codes >= 0], minlength=len(words)))


def _add(counter: Counter[str], words: Sequence[str], counts: Array) -> None:
    for word, count in zip(words, counts.tolist(), strict=False):
        if count and (word in counter or len(counter) < MOST_WORDS):
            counter[word] += count
