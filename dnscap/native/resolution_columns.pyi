"""Resolutions that are judged, in native columns; see ext/dnscap/native/resolution_columns.pxd."""

from typing import Any, Self, final

import numpy as np

_Array = np.ndarray[Any, np.dtype[Any]]

@final
class ResolutionBatch:
    """Resolutions that are judged, in native columns."""

    @property
    def count(self) -> int:
        """How many."""

    @property
    def dictionary(self) -> Any:
        """What the codes of names mean; None where there are no rows."""

    @property
    def last_exchange(self) -> int:
        """Exchange of the last row; 0 where there is none."""

    @property
    def row_size(self) -> int:
        """Octets of a ResolutionRow."""

    def column(self, name: str) -> bytes:
        """A native column as octets; ``rows`` holds ResolutionRow structs, ``upstream_lists`` offsets."""

    def slower(self, least: int, passed_over: int, places: _Array, latencies: _Array) -> int:
        """Find rows whose resolver is seen to have waited for upstream, and took longer than `least`."""

    def pick(self, places: _Array) -> Self:
        """Some rows as a batch of their own."""
