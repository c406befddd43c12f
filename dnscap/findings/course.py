"""What a report draws: lookups and queries over time, how long they took, how they ended."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from dnscap.clients import FAILED
from dnscap.servers.tally import ANSWERED
from dnscap.tables.columns import Columns
from dnscap.tables.histogram import BUCKETS, buckets_of
from dnscap.tables.timeline import Timeline

Array = np.ndarray[Any, np.dtype[Any]]

SLOW = 1_000_000_000
"""Nanoseconds from which a lookup counts as slow: people notice, and most stubs have asked again by then."""

MOST_WORDS = 64


COURSE_OF_LOOKUPS = [
    "time",
    "duration",
    "t_gap",
    "outcome",
    "t_search",
    "candidates",
    "queries",
    "wasted_queries",
    "causes",
]
"""Columns of the lookups table that a course is made of."""

COURSE_OF_EXCHANGES = ["time", "outcome", "latency"]
"""Likewise of the exchanges table."""


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
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    for word, count in zip(words, counts.tolist(), strict=False):
        if count and (word in counter or len(counter) < MOST_WORDS):
            counter[word] += count
