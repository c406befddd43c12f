"""Drives the native tally of names, and reads its rows: numbers as arrays, texts only when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dnscap import registry
from dnscap.messages.rdata_text import rdata_texts
from dnscap.native.names_seen import NamesSeen

if TYPE_CHECKING:
    from dnscap.messages.decoding import MessageBatch

Array = np.ndarray[Any, np.dtype[Any]]

SECTIONS = ("", "answer", "authority", "additional")
ANSWER, AUTHORITY, ADDITIONAL = 1, 2, 3
"""Sections as keys have them."""

AUTHORITATIVE, RECURSIVE, NXDOMAIN, NO_SOA, MORE, ASKED = 1, 2, 4, 8, 16, 32
"""Bits of a row's flags; see names_seen.pxd."""

TRIED = (60, 300, 3600)
"""Lifetimes in seconds that caching is tried with."""

NO_CODE = 0xFFFFFFFF
INTERNET = 1
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
        return NameRows(self.native)


class Value:
    """A value that an RRset had at a server; texts are made when asked for.

    Attributes
    ----------
    first, last : int
        When it was seen first and last, in nanoseconds since the epoch.
    expires : int
        The latest time to which an answer seen may be kept.
    answers : int
        Responses that gave it.
    ttl_max, ttl_last : int
        TTLs in seconds.
    first_frame, last_frame : int
        Frames that gave it.
    value : int
        Equal for equal values.
    """

    value: int
    first: int
    last: int
    expires: int
    first_frame: int
    last_frame: int
    answers: int
    ttl_max: int
    ttl_last: int

    def __init__(self, rows: NameRows, number: int) -> None:
        self._rows = rows
        self._number = number
        (
            self.value,
            self.first,
            self.last,
            self.expires,
            self.first_frame,
            self.last_frame,
            self._rrset,
            self.answers,
            self.ttl_max,
            self.ttl_last,
            *_,
        ) = rows.versions[number].item()

    def __repr__(self) -> str:
        return f"<Value {', '.join(self.rdata[:3])}>"

    @cached_property
    def rdata(self) -> tuple[str, ...]:
        """The records in presentation format, sorted; empty where too large to be kept."""
        return self._rows.rdata_of([self._rrset])[0]

    @cached_property
    def clients(self) -> tuple[str, ...]:
        """Addresses that were given it, the first few."""
        version = self._rows.versions[self._number]
        codes = version["clients"][: min(int(version["client_count"]), _CLIENTS)]
        return tuple(self._rows.addresses[int(code)].as_py() for code in codes)

    @property
    def more_clients(self) -> bool:
        """Whether there were more."""
        return int(self._rows.versions["client_count"][self._number]) > _CLIENTS


class NameRows:
    """The rows of a tally: one a name, type, server and section.

    Attributes
    ----------
    count : int
        Rows.
    whole : bool
        Nothing was given up for lack of room: what has no row was not seen.
    rows : numpy.ndarray
        Numbers of the rows, of `ROW`; `name`, `type`, `server`, `section` are their parted keys.
    """

    def __init__(self, native: NamesSeen) -> None:
        octets, size = native.rows()
        self.rows: Array = _structs(octets, size, ROW)
        octets, size = native.versions()
        self.versions: Array = _structs(octets, size, VERSION)
        starts, self._octets = native.rrsets()
        self._starts = np.frombuffer(starts, "u8")
        self._dictionary = native.names
        counts = native.counts()
        self.whole = not counts["names_dropped"] and not counts["values_dropped"]
        key = self.rows["key"]
        self.name: Array = (key >> np.uint64(37)).astype(np.uint32)
        self.server: Array = ((key >> np.uint64(18)) & np.uint64(0x7FFFF)).astype(np.uint32)
        self.type: Array = ((key >> np.uint64(2)) & np.uint64(0xFFFF)).astype(np.uint16)
        self.section: Array = (key & np.uint64(3)).astype(np.uint8)
        self.count = len(self.rows)
        self._histories: dict[int, list[Value]] = {}

    # ------------------------------------------------------------ texts

    @cached_property
    def names(self) -> pa.Array:
        """Distinct domain names, by code."""
        count, offsets, text = self._dictionary.names_view()
        return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])

    @cached_property
    def addresses(self) -> pa.Array:
        """Distinct addresses, by code."""
        count, offsets, text = self._dictionary.addresses_view()
        return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])

    def name_of(self, row: int) -> str:
        """Name of a row."""
        text: str = self.names[int(self.name[row])].as_py()
        return text

    def server_of(self, row: int) -> str:
        """Address of the server of a row."""
        text: str = self.addresses[int(self.server[row])].as_py()
        return text

    def type_of(self, row: int) -> str:
        """Type of a row."""
        return registry.rrtype_name(int(self.type[row]))

    def code_of(self, name: str) -> int | None:
        """Code of a name, None where no row has it."""
        return self._codes.get(name.lower().rstrip(".") + ".")

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {name: code for code, name in enumerate(self.names.to_pylist())}

    def rdata_of(self, rrsets: Iterable[int]) -> list[tuple[str, ...]]:
        """Sorted texts of RRsets by number."""
        types: list[int] = []
        sizes: list[int] = []
        parts: list[bytes] = []
        counts: list[int] = []
        for rrset in rrsets:
            if rrset >= len(self._starts) - 1:
                counts.append(0)
                continue
            at, end = int(self._starts[rrset]), int(self._starts[rrset + 1])
            rtype = int.from_bytes(self._octets[at : at + 2], "little")
            at += 4
            count = 0
            while at < end:
                size = int.from_bytes(self._octets[at : at + 2], "little")
                types.append(rtype)
                sizes.append(size)
                parts.append(self._octets[at + 2 : at + 2 + size])
                at += 2 + size
                count += 1
            counts.append(count)
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint32)
        texts = rdata_texts(
            np.array(types, np.uint16),
            np.full(len(types), INTERNET, np.uint16),
            offsets,
            np.frombuffer(b"".join(parts), np.uint8),
        ).to_pylist()
        found, at = [], 0
        for count in counts:
            found.append(tuple(sorted(texts[at : at + count])))
            at += count
        return found

    def octets_of(self, rrset: int) -> list[bytes]:
        """RDATA of the records of an RRset, as on the wire with names expanded."""
        if rrset >= len(self._starts) - 1:
            return []
        at, end = int(self._starts[rrset]) + 4, int(self._starts[rrset + 1])
        found = []
        while at < end:
            size = int.from_bytes(self._octets[at : at + 2], "little")
            found.append(self._octets[at + 2 : at + 2 + size])
            at += 2 + size
        return found

    # ------------------------------------------------------------ values over time

    def version_numbers(self, row: int) -> Iterator[int]:
        """Numbers of a row's values, in the order in which they appeared."""
        number = int(self.rows["versions"][row])
        while number:
            yield number
            number = int(self.versions["after"][number])

    def history(self, row: int) -> list[Value]:
        """The values of a row, in the order in which they appeared."""
        found = self._histories.get(row)
        if found is None:
            found = sorted((Value(self, n) for n in self.version_numbers(row)), key=lambda value: value.first)
            self._histories[row] = found
        return found

    # ------------------------------------------------------------ whole columns

    @cached_property
    def end(self) -> int:
        """Time of the last response that says something of a name."""
        if not self.count:
            return 0
        return max(int(self.rows[name].max()) for name in ("last", "last_negative", "failed"))

    @cached_property
    def current_value(self) -> Array:
        """The value that each row had last, as a number; 0 where there is none that is kept."""
        current = self.rows["current"]
        values: Array = np.where(current > 0, self.versions["value"][current], np.uint64(0))
        return values

    def groups(
        self, chosen: Array, *, differing: bool = False, changing: bool = False
    ) -> Iterator[list[int]]:
        """Chosen rows of the same name and type, where there are several.

        Parameters
        ----------
        chosen : numpy.ndarray of bool
            One value a row.
        differing : bool
            Only where they do not all have one and the same value.
        changing : bool
            Only where one of them has had several values, or gave a negative answer.
        """
        at = np.flatnonzero(chosen)
        at = at[np.argsort(self.question[at], kind="stable")]
        if not len(at):
            return
        questions = self.question[at]
        starts = np.flatnonzero(np.concatenate([[True], questions[1:] != questions[:-1]]))
        sizes = np.diff(np.append(starts, len(at)))
        wanted = sizes > 1
        if differing:
            values, versions = self.current_value[at], self.rows["version_count"][at]
            one = np.minimum.reduceat(values, starts) == np.maximum.reduceat(values, starts)
            wanted &= ~(one & (np.maximum.reduceat(versions, starts) <= 1))
        if changing:
            changed = (self.rows["version_count"][at] > 1) | (self.rows["negatives"][at] > 0)
            wanted &= np.maximum.reduceat(changed, starts)
        for start, size in zip(starts[wanted].tolist(), sizes[wanted].tolist(), strict=True):
            yield at[start : start + size].tolist()

    def has(self, bit: int) -> Array:
        """Which rows have a flag."""
        flags: Array = (self.rows["flags"] & np.uint8(bit)) != 0
        return flags

    @cached_property
    def question(self) -> Array:
        """Name and type of each row as one number."""
        return self.name.astype(np.uint64) << np.uint64(16) | self.type.astype(np.uint64)

    @cached_property
    def ttl_full(self) -> Array:
        """The TTL as published: what authoritative servers say, or else the largest that the server gave."""
        own = np.where(self.has(AUTHORITATIVE), self.rows["ttl_own"], 0).astype(np.int64)
        own[(self.section == ADDITIONAL) | (self.rows["answers"] == 0)] = 0
        _, group = np.unique(self.question, return_inverse=True)
        best = np.zeros(int(group.max()) + 1 if len(group) else 0, np.int64)
        np.maximum.at(best, group, own)
        published: Array = np.where(best[group] > 0, best[group], self.rows["ttl_max"].astype(np.int64))
        return published


def _structs(octets: bytes, size: int, form: np.dtype[Any]) -> Array:
    if size != form.itemsize:
        raise RuntimeError(
            f"native struct of {size} octets, {form.itemsize} declared: rebuild the extensions"
        )
    return np.frombuffer(octets, dtype=form)
