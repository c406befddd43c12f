"""Lookups and exchanges by time, for the course of a capture; see ext/dnscap/native/course.pyx."""

from typing import Any, Self, final

import numpy as np

from dnscap.native.exchange_rows import ExchangeBatch
from dnscap.native.histograms import Scale
from dnscap.native.lookup_columns import LookupBatch

_Array = np.ndarray[Any, np.dtype[Any]]

@final
class Spans:
    """Spans of a timeline: the one that was counted last is found without a division."""

    def __new__(cls, width: int, first: int, count: int) -> Self: ...

def lookup_times(batch: LookupBatch) -> tuple[int, int]:
    """First and last time of the lookups of a batch that is not empty."""

def exchange_times(batch: ExchangeBatch) -> tuple[int, int]:
    """First and last time of the exchanges of a batch that is not empty."""

def count_lookups(
    batch: LookupBatch,
    scale: Scale,
    spans: Spans,
    slow: int,
    counts: _Array,
    histograms: _Array,
    durations: _Array,
    outcomes: _Array,
    totals: _Array,
) -> None:
    """Count a batch of lookups."""

def count_exchanges(
    batch: ExchangeBatch,
    scale: Scale,
    spans: Spans,
    counts: _Array,
    histograms: _Array,
    latencies: _Array,
    outcomes: _Array,
    totals: _Array,
) -> None:
    """Count a batch of exchanges."""
