"""Lookups that are over, in native columns; see ext/dnscap/native/lookup_columns.pxd."""

from typing import final

@final
class LookupBatch:
    """Lookups that are over, in native columns."""

    @property
    def count(self) -> int:
        """How many."""

    @property
    def first_lookup(self) -> int:
        """Number of the first lookup; of rows that were picked, 0."""

    @property
    def row_size(self) -> int:
        """Octets of a LookupRow."""

    def column(self, name: str) -> memoryview:
        """A native column as octets; ``rows`` holds LookupRow structs, ``..._ends`` and ``..._lists`` offsets."""

@final
class LookupColumn:
    """Octets of a column, as a buffer that keeps its batch alive."""

    def __buffer__(self, flags: int, /) -> memoryview: ...
