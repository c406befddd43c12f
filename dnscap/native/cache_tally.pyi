"""Resolutions counted by resolver; see ext/dnscap/native/cache_tally.pyx."""

from typing import Any, Self, final

import numpy as np

from dnscap.native.resolution_columns import ResolutionBatch

_Array = np.ndarray[Any, np.dtype[Any]]

@final
class CacheCounts:
    """Counts of each resolver, in the order in which they first came."""

    def __new__(cls, limit: int, caches: _Array, evidence: _Array) -> Self: ...
    def __len__(self) -> int: ...
    def feed(self, batch: ResolutionBatch, totals: _Array) -> None:
        """Count a batch; verdicts of all resolvers are added to `totals`."""

    def resolver(self, number: int) -> tuple[bytes, list[int], list[int], list[list[int]]]:
        """Counts of one resolver by its number."""
