"""Names of lookups, counted; see ext/dnscap/native/name_counts.pxd."""

from typing import Self, final

from dnscap.native.lookup_columns import LookupBatch

@final
class Names:
    """How often each name was resolved, and how often it did not exist."""

    def __new__(cls, limit: int) -> Self: ...
    @property
    def overflowed(self) -> int: ...
    def count(self, batch: LookupBatch, all_up_to: int, one_in: int) -> None:
        """Count the names of a batch: of the first `all_up_to` lookups, then of one in `one_in`."""

    def counts_of(self, absent: bool) -> list[int]:
        """How often each name was resolved, or did not exist, in the order in which they first came."""

    def name(self, number: int) -> str:
        """A name by its place in that order."""
