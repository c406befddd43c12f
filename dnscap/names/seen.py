"""Drives the native tally of names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dnscap.native.names_seen import NamesSeen

if TYPE_CHECKING:
    from dnscap.messages.decoding import MessageBatch
    from dnscap.names.rows import NameRows

Array = np.ndarray[Any, np.dtype[Any]]

SECTIONS = ("", "answer", "authority", "additional")
ANSWER, AUTHORITY, ADDITIONAL = 1, 2, 3
"""Sections as keys have them."""

AUTHORITATIVE, RECURSIVE, NXDOMAIN, NO_SOA, MORE, ASKED = 1, 2, 4, 8, 16, 32
"""Bits of a row's flags; see names_seen.pxd."""

TRIED = (60, 300, 3600)
"""Lifetimes in seconds that caching is tried with."""

NO_CODE = 0xFFFFFFFF
_CLIENTS = 4

# The native structs field by field; `align=True` lays them out as a C compiler does.
ROW = np.dtype(
    [
        ("key", "u8"),
        ("first", "i8"),
        ("last", "i8"),
        ("expires", "i8"),
        ("answers", "u4"),
        ("ttl_min", "u4"),
        ("ttl_max", "u4"),
        ("ttl_last", "u4"),
        ("ttl_own", "u4"),
        ("versions", "u4"),
        ("current", "u4"),
        ("changes", "u4"),
        ("until", "i8", (3,)),
        ("hits", "u4", (3,)),
        ("asked", "u4"),
        ("first_negative", "i8"),
        ("last_negative", "i8"),
        ("negative_until", "i8"),
        ("negative_frame", "u8"),
        ("failed_frame", "u8"),
        ("failed", "i8"),
        ("signed_at", "i8"),
        ("negatives", "u4"),
        ("negative_ttl", "u4"),
        ("zone", "u4"),
        ("servfails", "u4"),
        ("checked_off", "u4"),
        ("refused", "u4"),
        ("signed_until", "u4"),
        ("signed_from", "u4"),
        ("version_count", "u2"),
        ("ede", "u2"),
        ("flags", "u1"),
    ],
    align=True,
)
VERSION = np.dtype(
    [
        ("value", "u8"),
        ("first", "i8"),
        ("last", "i8"),
        ("expires", "i8"),
        ("first_frame", "u8"),
        ("last_frame", "u8"),
        ("rrset", "u4"),
        ("answers", "u4"),
        ("ttl_max", "u4"),
        ("ttl_last", "u4"),
        ("after", "u4"),
        ("clients", "u4", (_CLIENTS,)),
        ("client_count", "u1"),
    ],
    align=True,
)


MOST_ROWS = 1 << 16
"""Names, types and servers told apart while a capture is judged: some 20 MiB."""

MOST_ROWS_ALONE = 1 << 20
"""The same where names are all that is asked for."""


class SeenNames:
    """Adds up what responses say of names; see `dnscap.native.names_seen`.

    Parameters
    ----------
    most_rows : int
        Names, types and servers told apart. Beyond that a sample of the names is followed, and those that come
        again and again.

    Examples
    --------
    >>> from dnscap.reading import Capture
    >>> tally = SeenNames()
    >>> for batch in Capture("examples/first-look.pcap").batches():  # doctest: +SKIP
    ...     tally.feed(batch)
    >>> tally.rows().count
    0
    """

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self.native = NamesSeen(most_rows)

    def feed(self, batch: MessageBatch) -> None:
        """Take in a batch of messages with their records; narrowed batches count what they keep."""
        kept = batch.kept
        self.native.feed(batch.native, None if kept is None else kept.view(np.uint8))

    def merge(self, other: SeenNames) -> None:
        """Add what another tally saw."""
        self.native.merge(other.native)

    @property
    def counts(self) -> dict[str, int]:
        """What was given up because of a limit."""
        counts = self.native.counts()
        return {name: counts[name] for name in ("names_dropped", "values_dropped")}

    def rows(self) -> NameRows:
        """What was seen up to now."""
        from dnscap.names.rows import NameRows

        return NameRows(self.native)
