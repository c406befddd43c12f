"""Resolutions that are judged, in native columns; see ext/dnscap/native/resolution_columns.pxd."""

from typing import Any, final

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
    def row_size(self) -> int:
        """Octets of a ResolutionRow."""

    def column(self, name: str) -> bytes:
        """A native column as octets; ``rows`` holds ResolutionRow structs, ``upstream_lists`` offsets."""
