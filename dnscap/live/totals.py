"""What is counted over the whole of a live capture: for the closing words and for metrics."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from dnscap.clients.keeping import FAILED
from dnscap.live.feeds import Counters
from dnscap.messages.arrow import NO_CODE
from dnscap.tables.columns import Columns

if TYPE_CHECKING:
    from dnscap.exchanges.matching import ExchangeBatch
    from dnscap.lookups.assembling import LookupBatch
    from dnscap.messages.decoding import MessageBatch

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the histograms, seconds; one more bucket holds the rest."""

_EDGES = np.array([int(bound * 1e9) for bound in BOUNDS], dtype=np.int64)

SLOW = 200_000_000
"""Nanoseconds from which on a lookup counts as slow, unless told otherwise."""

MOST_LABELS = 100
"""Name servers, and types, counted by themselves; the rest share a label, as every label is a time series."""

REST = "other"

FAILURES = ("servfail", "refused", "formerr", "notimp", "other-rcode", "unreachable", "unanswered")
"""Outcomes of exchanges that count as failures of the name server."""

RESPONSE = 0x8000


class Histogram:
    """Counts by duration, and their sum."""

    def __init__(self) -> None:
        self.counts = np.zeros(len(BOUNDS) + 1, dtype=np.int64)
        self.seconds = 0.0

    def feed(self, durations: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Add durations in nanoseconds."""
        if len(durations):
            self.counts += np.bincount(np.searchsorted(_EDGES, durations), minlength=len(BOUNDS) + 1)
            self.seconds += float(durations.sum()) / 1e9


class Totals:
    """Counts over all messages, exchanges and lookups so far.

    Attributes
    ----------
    queries : Counter
        Queries by type.
    responses : int
        Responses.
    exchanges, lookups : Counter
        By outcome.
    failures : Counter
        Exchanges that failed, by name server.
    latency, waits : Histogram
        Of exchanges that were answered, and of lookups.
    slow : int
        Lookups that took `threshold` or longer.
    """

    def __init__(self) -> None:
        self.messages = 0
        self.queries: Counter[int] = Counter()
        self.responses = 0
        self.exchanges: Counter[str] = Counter()
        self.lookups: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.latency = Histogram()
        self.waits = Histogram()
        self.slow = 0
        self.threshold = SLOW
        self.counters: Counters | None = None

    @property
    def failed(self) -> int:
        """Lookups that left the application without an answer to act on."""
        return sum(self.lookups[outcome] for outcome in FAILED)

    def feed_messages(self, batch: MessageBatch) -> None:
        """Count messages; further sightings of one are not counted again."""
        if not batch.messages:
            return
        self.messages += batch.messages
        first = batch.column("sighting_of") == NO_CODE
        responses = (batch.column("flags") & RESPONSE) != 0
        self.responses += int((first & responses).sum())
        types, counts = np.unique(batch.column("qtype")[first & ~responses], return_counts=True)
        for qtype, count in zip(types.tolist(), counts.tolist(), strict=True):
            self.queries[qtype if qtype in self.queries or len(self.queries) < MOST_LABELS else -1] += count

    def feed(self, exchanges: list[ExchangeBatch], lookups: list[LookupBatch]) -> None:
        """Count exchanges and lookups that became final."""
        for sent in exchanges:
            rows = Columns(sent.to_arrow(["outcome", "server", "latency"]))
            codes, words = rows.codes("outcome")
            counts = np.bincount(codes[codes >= 0], minlength=len(words))
            for word, count in zip(words, counts.tolist(), strict=True):
                if count:
                    self.exchanges[word] += count
            latencies = rows.numbers("latency")
            self.latency.feed(latencies[latencies >= 0])
            bad = rows.word_is("outcome", *FAILURES)
            if bad.any():
                servers, names = rows.codes("server")
                for code, count in enumerate(
                    np.bincount(servers[bad & (servers >= 0)], minlength=len(names))
                ):
                    if count:
                        name = names[code]
                        known = name in self.failures or len(self.failures) < MOST_LABELS
                        self.failures[name if known else REST] += int(count)
        for looked in lookups:
            rows = Columns(looked.to_arrow(["outcome", "duration"]))
            codes, words = rows.codes("outcome")
            for word, count in zip(
                words, np.bincount(codes[codes >= 0], minlength=len(words)).tolist(), strict=True
            ):
                if count:
                    self.lookups[word] += count
            durations = rows.numbers("duration", 0)
            self.waits.feed(durations)
            self.slow += int((durations >= self.threshold).sum())
