"""Resolutions counted by resolver for a report; see ext/dnscap/native/cache_course.pyx."""

from typing import Any, Self, final

import numpy as np

from dnscap.native.histograms import Scale
from dnscap.native.resolution_columns import ResolutionBatch

_Array = np.ndarray[Any, np.dtype[Any]]

@final
class CacheCourses:
    """Counts of each resolver, in the order in which they first came."""

    def __new__(cls, scale: Scale, limit: int, kinds: _Array) -> Self: ...
    def __len__(self) -> int: ...
    def feed(self, batch: ResolutionBatch, depths: _Array, depth_times: _Array) -> None:
        """Count a batch."""

    def resolver(
        self, number: int, cached: _Array, asked: _Array
    ) -> tuple[bytes, list[int], list[int], int, float, int]:
        """Counts of one resolver by its number; durations are added to `cached` and `asked`."""
