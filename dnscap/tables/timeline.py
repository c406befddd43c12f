"""Counts and latencies in spans of time that widen as a capture goes on, so that their number stays bounded."""

from __future__ import annotations

from typing import Any

import numpy as np

from dnscap.tables.histogram import BUCKETS, buckets_of, percentile

Array = np.ndarray[Any, np.dtype[Any]]

_SECOND = 1_000_000_000

_DAY = 86_400 * _SECOND

WIDTHS = (
    *(int(seconds * _SECOND) for seconds in (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600)),
    *(days * _DAY // 4 for days in (1, 4, 40, 400, 4000)),
)
"""Widths of a span in nanoseconds: round ones, each a multiple of the one before, so that spans merge whole."""

MOST_SPANS = 240
"""Spans at most: what a chart of ordinary width can show. Fewer are left where they have to be widened."""


class Timeline:
    """Counters and a histogram of durations for each span of time.

    Spans begin at multiples of their width, so that timelines of parts of a capture add up to that of the whole.

    Parameters
    ----------
    counters : int
        How many counters a span has.
    """

    def __init__(self, counters: int) -> None:
        self._level = 0
        self._first = 0
        self.counts: Array = np.zeros((0, counters), dtype=np.int64)
        self.histograms: Array = np.zeros((0, BUCKETS), dtype=np.int64)

    @property
    def width(self) -> int:
        """Nanoseconds of a span."""
        return WIDTHS[self._level]

    @property
    def spans(self) -> tuple[int, int, int]:
        """Width of a span, how many such widths lie before the first, and how many spans there are."""
        return self.width, self._first, len(self.counts)

    @property
    def start(self) -> int:
        """When the first span begins, in nanoseconds since 1970."""
        return self._first * self.width

    def __len__(self) -> int:
        return len(self.counts)

    def add(self, times: Array, counters: tuple[Array | None, ...], durations: Array, timed: Array) -> None:
        """Count rows.

        Parameters
        ----------
        times : numpy.ndarray
            Nanoseconds since 1970 of each row.
        counters : tuple
            For each counter the rows that raise it, as a mask; None for all.
        durations, timed : numpy.ndarray
            Durations in nanoseconds, and which rows have one.
        """
        if not len(times):
            return
        self.reach(int(times.min()), int(times.max()))
        places = times // self.width - self._first
        for number, mask in enumerate(counters):
            chosen = places if mask is None else places[mask]
            self.counts[:, number] += np.bincount(chosen, minlength=len(self.counts))
        keys = places[timed] * BUCKETS + buckets_of(durations[timed])
        # Rows of a batch lie in few spans: only those are counted through.
        low, high = (int(keys.min()) // BUCKETS, int(keys.max()) // BUCKETS + 1) if len(keys) else (0, 0)
        if high:
            found = np.bincount(keys - low * BUCKETS, minlength=(high - low) * BUCKETS)
            self.histograms[low:high] += found.reshape(-1, BUCKETS)

    def merge(self, other: Timeline) -> None:
        """Add what another timeline counted."""
        if not len(other):
            return
        self._widen_to(other._level)
        theirs = Timeline(self.counts.shape[1])
        theirs._level, theirs._first = other._level, other._first
        theirs.counts, theirs.histograms = other.counts.copy(), other.histograms.copy()
        self.reach(other.start, other.start + len(other) * other.width - 1)
        theirs._widen_to(self._level)
        at = theirs._first - self._first
        self.counts[at : at + len(theirs)] += theirs.counts
        self.histograms[at : at + len(theirs)] += theirs.histograms

    def cover(self, first: int, last: int, width: int) -> None:
        """Have spans of at least this width from the one of `first` to that of `last`."""
        self._widen_to(WIDTHS.index(width))
        self.reach(first, last)

    def percentiles(self, share: float) -> list[int | None]:
        """Duration that `share` of those in each span do not exceed; None where a span has none."""
        return [percentile(row, share) for row in self.histograms]

    # ------------------------------------------------------------ spans

    def reach(self, first: int, last: int) -> None:
        """Make spans from the one of `first` to that of `last`."""
        if not len(self.counts):
            while last // self.width - first // self.width >= MOST_SPANS and self._level + 1 < len(WIDTHS):
                self._level += 1
            self._first = first // self.width
        low, high = min(first, self.start), max(last, self.start + len(self.counts) * self.width - 1)
        while high // self.width - low // self.width >= MOST_SPANS and self._level + 1 < len(WIDTHS):
            self._widen_to(self._level + 1)
        before = self._first - low // self.width
        after = high // self.width - (self._first + len(self.counts) - 1)
        self.counts = _padded(self.counts, max(before, 0), max(after, 0))
        self.histograms = _padded(self.histograms, max(before, 0), max(after, 0))
        self._first -= max(before, 0)

    def _widen_to(self, level: int) -> None:
        if level <= self._level:
            return
        if len(self.counts):
            places = (self._first + np.arange(len(self.counts))) * self.width // WIDTHS[level]
            self._first = int(places[0])
            starts = np.flatnonzero(np.r_[True, places[1:] != places[:-1]])
            self.counts = np.add.reduceat(self.counts, starts, axis=0)
            self.histograms = np.add.reduceat(self.histograms, starts, axis=0)
        self._level = level


def _padded(rows: Array, before: int, after: int) -> Array:
    if not before and not after:
        return rows
    width = rows.shape[1]
    return np.concatenate([np.zeros((before, width), rows.dtype), rows, np.zeros((after, width), rows.dtype)])
