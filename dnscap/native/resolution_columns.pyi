"""Resolutions that are judged, in native columns; see ext/dnscap/native/resolution_columns.pxd."""

from typing import final

@final
class ResolutionBatch:
    """Resolutions that are judged, in native columns."""

    @property
    def count(self) -> int:
        """How many."""

    @property
    def row_size(self) -> int:
        """Octets of a ResolutionRow."""

    def column(self, name: str) -> bytes:
        """A native column as octets; ``rows`` holds ResolutionRow structs, ``..._ends`` and ``..._lists`` offsets."""
