"""Durations counted on a log scale; see ext/dnscap/native/histograms.pxd."""

from typing import Any, Self, final

import numpy as np

_Array = np.ndarray[Any, np.dtype[Any]]

@final
class Scale:
    """Buckets of durations by the least duration of each."""

    def __new__(cls, least: _Array) -> Self: ...
    def buckets(self, durations: _Array, out: _Array) -> None:
        """Fill `out` with the bucket of each duration."""

@final
class Histograms:
    """One histogram a row number; rows are added as numbers appear."""

    def __new__(cls, scale: Scale) -> Self: ...
    def __len__(self) -> int: ...
    @property
    def scale(self) -> Scale: ...
    def grow(self, rows: int) -> None:
        """Make room for so many rows."""

    def add(self, rows: _Array, durations: _Array, row_count: int) -> None:
        """Count durations (nanoseconds) in the histograms of their rows, of which there are `row_count`."""

    def merge(self, other: Histograms, places: _Array) -> None:
        """Add the rows of other histograms, each to the row that `places` names; further ones to the last named."""

    def row(self, row: int, out: _Array) -> None:
        """Fill `out` with the counters of a row."""

    def percentile(self, row: int, share: float) -> int | None:
        """Nanoseconds that `share` of a row's durations do not exceed; None where it has none."""
