"""The rows of a tally of names as they are read: numbers as whole columns, texts only when asked for."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dnscap import registry
from dnscap.messages.rdata_text import rdata_texts
from dnscap.names.seen import ADDITIONAL, AUTHORITATIVE, ROW, VERSION

if TYPE_CHECKING:
    from dnscap.native.names_seen import NamesSeen

Array = np.ndarray[Any, np.dtype[Any]]

INTERNET = 1
_CLIENTS = 4


class Structs:
    """Native structs by row and, each copied together when it is first asked for, by field."""

    def __init__(self, octets: bytes, size: int, form: np.dtype[Any]) -> None:
        if size != form.itemsize:
            raise RuntimeError(
                f"native struct of {size} octets, {form.itemsize} declared: rebuild the extensions"
            )
        self.octets = octets
        self.whole: Array = np.frombuffer(octets, dtype=form)
        self._fields: dict[str, Array] = {}

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, key: str | int) -> Any:
        if not isinstance(key, str):
            return self.whole[key]
        found = self._fields.get(key)
        if found is None:
            found = self._fields[key] = np.ascontiguousarray(self.whole[key])
        return found


_NUMBERS = struct.Struct("QqqqQQIIII")
"""The fields of `VERSION` before ``after``: one struct at a time is read faster so than by numpy."""

FRAME_BITS = 40
"""Bits of a frame number in the native tables; above them stands its source's number, and 1."""


class Frame(int):
    """A frame number that knows which source the frame is of.

    Examples
    --------
    >>> frame = Frame.of(3 << FRAME_BITS | 7)
    >>> frame, frame.source
    (7, 2)
    """

    source: int

    @classmethod
    def of(cls, whereabouts: int) -> Frame:
        """A frame as the native tables tell it."""
        frame = cls(whereabouts & (1 << FRAME_BITS) - 1)
        frame.source = (whereabouts >> FRAME_BITS) - 1
        return frame


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
    value : int
        Equal for equal values.
    rrset : int
        Its number in `NameRows.octets_of`.
    """

    value: int
    rrset: int
    first: int
    last: int
    expires: int
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
            self._first_frame,
            self._last_frame,
            self.rrset,
            self.answers,
            self.ttl_max,
            self.ttl_last,
        ) = _NUMBERS.unpack_from(rows.versions.octets, number * VERSION.itemsize)

    @property
    def first_frame(self) -> Frame:
        """The frame that gave it first."""
        return Frame.of(self._first_frame)

    @property
    def last_frame(self) -> Frame:
        """The frame that gave it last."""
        return Frame.of(self._last_frame)

    def __repr__(self) -> str:
        return f"<Value {', '.join(self.rdata[:3])}>"

    @cached_property
    def rdata(self) -> tuple[str, ...]:
        """The records in presentation format, sorted; empty where too large to be kept."""
        return self._rows.rdata_of([self.rrset])[0]

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
    rows : Structs
        Numbers of the rows, of `ROW`; `name`, `type`, `server`, `section` are their parted keys.
    """

    def __init__(self, native: NamesSeen) -> None:
        octets, size = native.rows()
        self.rows = Structs(octets, size, ROW)
        octets, size = native.versions()
        self.versions = Structs(octets, size, VERSION)
        starts, self._octets = native.rrsets()
        self._starts = memoryview(starts).cast("Q")
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
        self._made: dict[str, Any] = {}

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

    def negative_frame(self, row: int) -> Frame:
        """The frame of a negative answer of a row."""
        return Frame.of(int(self.rows["negative_frame"][row]))

    def failed_frame(self, row: int) -> Frame:
        """The frame of a failure of a row."""
        return Frame.of(int(self.rows["failed_frame"][row]))

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
            at, end = self._starts[rrset], self._starts[rrset + 1]
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
        at, end = self._starts[rrset] + 4, self._starts[rrset + 1]
        found = []
        while at < end:
            size = int.from_bytes(self._octets[at : at + 2], "little")
            found.append(self._octets[at + 2 : at + 2 + size])
            at += 2 + size
        return found

    # ------------------------------------------------------------ values over time

    def version_numbers(self, row: int) -> Iterator[int]:
        """Numbers of a row's values, in the order in which they appeared."""
        number = self._first_versions[row]
        while number:
            yield number
            number = self._next_versions[number]

    @cached_property
    def _first_versions(self) -> memoryview[int]:
        return memoryview(self.rows["versions"])

    @cached_property
    def _next_versions(self) -> memoryview[int]:
        return memoryview(self.versions["after"])

    def history(self, row: int) -> list[Value]:
        """The values of a row, in the order in which they appeared."""
        found = self._histories.get(row)
        if found is None:
            found = [Value(self, number) for number in self.version_numbers(row)]
            found.sort(key=lambda value: value.first)
            self._histories[row] = found
        return found

    def expect(self, rows: Iterable[int]) -> None:
        """Have the texts of all values of these rows, which takes less time together than one by one."""
        values = [value for row in rows for value in self.history(row)]
        for value, rdata in zip(values, self.rdata_of(value.rrset for value in values), strict=True):
            value.rdata = rdata

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

    @cached_property
    def successions(self) -> tuple[Array, Array]:
        """Rows that had several values, each as often as it had one, and the numbers of these values in their order."""
        after = self.versions["after"]
        owners = np.flatnonzero(self.rows["versions"] > 0)
        numbers = self.rows["versions"][owners].astype(np.int64)
        several = after[numbers] > 0
        owners, numbers = owners[several], numbers[several]
        all_owners, all_numbers = [owners], [numbers]
        while len(numbers):
            numbers = after[numbers].astype(np.int64)
            owners, numbers = owners[numbers > 0], numbers[numbers > 0]
            all_owners.append(owners)
            all_numbers.append(numbers)
        owner, number = np.concatenate(all_owners), np.concatenate(all_numbers)
        order = np.lexsort((self.versions["first"][number], owner))
        return owner[order], number[order]

    def over_values(self, test: Array, *, least: bool = True) -> Array:
        """Whether a test holds for all values (or for any) of each row that had several; False for other rows.

        Parameters
        ----------
        test : numpy.ndarray of bool
            One value for each of `successions`.
        least : bool
            For all of them, rather than for any.
        """
        held = np.zeros(self.count, bool)
        owner, _ = self.successions
        if len(owner):
            starts = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
            held[owner[starts]] = (np.logical_and if least else np.logical_or).reduceat(test, starts)
        return held

    @cached_property
    def by_question(self) -> tuple[Array, Array]:
        """Rows in the order of name and type, and these as numbers."""
        order = np.argsort(self.question, kind="stable")
        return order, self.question[order]

    def rows_of(self, code: int, kind: int) -> list[int]:
        """Rows of a name and type, by its code."""
        order, questions = self.by_question
        wanted = np.uint64(code << 16 | kind)
        start, end = np.searchsorted(questions, wanted), np.searchsorted(questions, wanted, side="right")
        rows: list[int] = order[start:end].tolist()
        return rows

    def remembered(self, name: str, make: Callable[[NameRows], Any]) -> Any:
        """What was made of these rows under a name, made when first asked for."""
        if name not in self._made:
            self._made[name] = make(self)
        return self._made[name]

    def grouped(
        self, chosen: Array, *, differing: bool = False, changing: bool = False
    ) -> tuple[Array, Array, Array]:
        """Chosen rows of the same name and type, where there are several.

        Parameters
        ----------
        chosen : numpy.ndarray of bool
            One value a row.
        differing : bool
            Only where they do not all have one and the same value.
        changing : bool
            Only where one of them has had several values, or gave a negative answer.

        Returns
        -------
        tuple of numpy.ndarray
            Rows, group by group; where each group begins, and how many rows it has.
        """
        order, questions = self.by_question
        within = chosen[order]
        at, questions = order[within], questions[within]
        starts = np.flatnonzero(np.concatenate([[True], questions[1:] != questions[:-1]])) if len(at) else at
        sizes = np.diff(np.append(starts, len(at)))
        wanted = sizes > 1
        if differing and len(at):
            values, versions = self.current_value[at], self.rows["version_count"][at]
            one = np.minimum.reduceat(values, starts) == np.maximum.reduceat(values, starts)
            wanted &= ~(one & (np.maximum.reduceat(versions, starts) <= 1))
        if changing and len(at):
            changed = (self.rows["version_count"][at] > 1) | (self.rows["negatives"][at] > 0)
            wanted &= np.logical_or.reduceat(changed, starts)
        starts, sizes = starts[wanted], sizes[wanted]
        ends = np.cumsum(sizes)
        kept = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(starts - (ends - sizes), sizes)
        return at[kept], ends - sizes, sizes

    def groups(
        self, chosen: Array, *, differing: bool = False, changing: bool = False
    ) -> Iterator[list[int]]:
        """As `grouped`, group by group."""
        at, starts, sizes = self.grouped(chosen, differing=differing, changing=changing)
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
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
        best = np.zeros(self.count, np.int64)
        if self.count:
            order, questions = self.by_question
            first = np.concatenate([[True], questions[1:] != questions[:-1]])
            best[order] = np.maximum.reduceat(own[order], np.flatnonzero(first))[np.cumsum(first) - 1]
        published: Array = np.where(best > 0, best, self.rows["ttl_max"].astype(np.int64))
        return published
