"""Lookups that are still open; see ext/dnscap/native/outstanding.pyx."""

from dnscap.native.lookups import Lookups

_Attempt = tuple[int, int, bytes, int, int, int, int, int]

def open_lookups(
    lookups: Lookups, most: int = 256, since: int = 0
) -> list[tuple[int, int, int, bytes, bytes, bytes, int, list[_Attempt]]]:
    """Lookups that wait for an answer."""
