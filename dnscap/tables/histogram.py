"""Durations counted on a log scale: percentiles of any number of them in a few hundred counters."""

from __future__ import annotations

from typing import Any

import numpy as np

from dnscap.native.histograms import Histograms, Scale

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

SCALE = Scale(LEAST)
"""The same for native code."""


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


def histograms() -> Histograms:
    """One histogram a row number, as many as there will be numbers; see `dnscap.native.histograms`."""
    return Histograms(SCALE)
