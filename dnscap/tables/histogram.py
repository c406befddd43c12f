"""Durations counted on a log scale: percentiles of any number of them in a few hundred counters."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

PARTS = 16
"""Buckets an octave: a percentile is right to about 2 %."""

_LOWEST = 1_000.0  # ns: finer than any capture clock tells
_OCTAVES = 28  # to 268 s: longer than any stub waits
BUCKETS = PARTS * _OCTAVES


def buckets_of(durations: Array) -> Array:
    """Bucket of each duration in nanoseconds."""
    scaled = np.log2(np.maximum(durations, _LOWEST) / _LOWEST) * PARTS
    return np.minimum(scaled.astype(np.int64), BUCKETS - 1)


def bound_of(bucket: int) -> int:
    """Nanoseconds at which a bucket begins."""
    return int(_LOWEST * 2.0 ** (bucket / PARTS))


def _least() -> Array:
    """Least duration of each bucket, as `buckets_of` puts them."""
    near = np.floor(_LOWEST * 2.0 ** (np.arange(BUCKETS) / PARTS)).astype(np.int64)
    tried = near[:, None] + np.arange(-2, 4)
    least: Array = tried[
        np.arange(BUCKETS), np.argmax(buckets_of(tried) >= np.arange(BUCKETS)[:, None], axis=1)
    ]
    least[0] = np.iinfo(np.int64).min
    return least


LEAST: Array = _least()
"""Least duration of each bucket in nanoseconds."""


def percentile(counts: Array, share: float) -> int | None:
    """Duration in nanoseconds that `share` of those counted do not exceed; None where none was counted."""
    total = int(counts.sum())
    if total == 0:
        return None
    wanted = share * total
    reached = np.cumsum(counts)
    bucket = int(np.searchsorted(reached, wanted))
    bucket = min(bucket, BUCKETS - 1)
    before = int(reached[bucket - 1]) if bucket else 0
    within = (wanted - before) / max(int(counts[bucket]), 1)
    return int(_LOWEST * 2.0 ** ((bucket + min(max(within, 0.0), 1.0)) / PARTS))


class Histograms:
    """One histogram a row number; rows are added as numbers appear."""

    def __init__(self) -> None:
        self.counts: Array = np.zeros((0, BUCKETS), dtype=np.uint32)

    def add(self, rows: Array, durations: Array, row_count: int) -> None:
        """Count durations (nanoseconds) in the histograms of their rows."""
        self.grow(row_count)
        if len(rows):
            np.add.at(self.counts.reshape(-1), rows * BUCKETS + buckets_of(durations), 1)

    def grow(self, row_count: int) -> None:
        """Make room for `row_count` rows."""
        if row_count > len(self.counts):
            more = max(row_count, 2 * len(self.counts))
            grown = np.zeros((more, BUCKETS), dtype=np.uint32)
            grown[: len(self.counts)] = self.counts
            self.counts = grown

    def percentile(self, row: int, share: float) -> int | None:
        """As `percentile`, of one row."""
        return percentile(self.counts[row], share) if row < len(self.counts) else None
