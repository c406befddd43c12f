"""Lookups that are still open; see ext/dnscap/native/outstanding.pyx."""

from collections.abc import Iterable

from dnscap.native.lookup_columns import LookupBatch
from dnscap.native.lookups import Lookups

_Attempt = tuple[int, int, bytes, int, int, int, int, int, int, int, int]
_Row = tuple[int, int, int, bytes, list[bytes], int, list[_Attempt], bool]

def open_lookups(lookups: Lookups, most: int = 256, since: int = 0, lost: bool = False) -> list[_Row]:
    """Lookups that wait for an answer."""

def count_waiting(lookups: Lookups) -> int:
    """How many lookups wait for an answer, as far as they are looked at for one."""

def numbers_of(lookups: Lookups) -> tuple[int, int, int]:
    """Numbers of lookups: the oldest not taken yet, the oldest that is open, and that of the next new one."""

def lookups_at(lookups: Lookups, numbers: Iterable[int]) -> tuple[list[_Row], LookupBatch]:
    """Where some lookups stand that were not taken yet."""
