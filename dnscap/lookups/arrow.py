"""Native columns of a batch of lookups as Arrow arrays: one function per column of the lookups table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dnscap import registry
from dnscap.arrays import array_of, without_columns
from dnscap.batches import RowColumns
from dnscap.lookups.words import BUCKETS, CAUSES, END_BASES, OUTCOMES
from dnscap.messages.around import address_text
from dnscap.messages.arrow import ARROW_TYPES, coded, except_where, plain
from dnscap.messages.rdata_text import rdata_texts
from dnscap.native.stubs import names as stub_names

if TYPE_CHECKING:
    from dnscap.native.lookup_columns import LookupBatch as NativeBatch

Array = np.ndarray[Any, np.dtype[Any]]

ROW = np.dtype(
    [
        ("lookup", "u8"),
        ("time", "i8"),
        ("duration", "i8"),
        ("client", "V16"),
        ("queries", "u4"),
        ("wasted_queries", "u4"),
        ("retransmissions", "u4"),
        ("failovers", "u4"),
        ("end_basis", "u1"),
        ("outcome", "u1"),
        ("name_certain", "u1"),
        ("tcp_fallback", "u1"),
        ("edns_fallback", "u1"),
        ("stub", "u1"),
        ("padding", "u1", (2,)),
        ("duration_min", "i8"),
        ("duration_max", "i8"),
        ("budget", "i8", (8,)),
    ],
    align=True,
)

CNAME = 5
INTERNET = 1


class Columns(RowColumns):
    """Access to the native columns of one batch, with what several Arrow columns share computed once."""

    row = ROW

    def octets(self, name: str) -> Array:
        """A column of lists whose values are octets."""
        return np.frombuffer(self.native.column(name), "u1")

    def offsets(self, name: str) -> Array:
        """Where the lists of each row begin; one more at the end."""
        return np.frombuffer(self.native.column(name), "i4")

    def texts(self, name: str, ends: str) -> pa.Array:
        """Texts that lie one after another, with their ends."""
        offsets = pa.py_buffer(self.native.column(ends))
        return pa.Array.from_buffers(
            pa.string(), offsets.size // 4 - 1, [None, offsets, pa.py_buffer(self.native.column(name))]
        )

    def lists(self, name: str, values: pa.Array) -> pa.Array:
        """Values split into one list a row."""
        return pa.ListArray.from_arrays(array_of(np.frombuffer(self.native.column(name), "i4")), values)

    @cached_property
    def records(self) -> tuple[Array, pa.Array, Array]:
        """Answer records: row each belongs to, text, whether it is an alias."""
        return self.records_of(range(len(self.rows)))

    def records_of(self, rows: Sequence[int]) -> tuple[Array, pa.Array, Array]:
        """As `records`, of some rows only; rows are numbered by their place in `rows`."""
        octets = self.native.column("records")
        ends = np.frombuffer(self.native.column("record_lists"), "i4")
        types: list[int] = []
        sizes: list[int] = []
        starts: list[int] = []
        owners: list[int] = []
        for place, row in enumerate(rows):
            at, end = int(ends[row]), int(ends[row + 1])
            while at < end:
                size = int.from_bytes(octets[at + 2 : at + 4], "little")
                types.append(int.from_bytes(octets[at : at + 2], "little"))
                sizes.append(size)
                starts.append(at + 6)
                owners.append(place)
                at += 6 + size
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint32)
        rdata = np.frombuffer(
            b"".join(octets[s : s + n] for s, n in zip(starts, sizes, strict=True)), np.uint8
        )
        kinds = np.array(types, np.uint16)
        texts = rdata_texts(kinds, np.full(len(kinds), INTERNET, np.uint16), offsets, rdata)
        return np.array(owners, np.int64), texts, kinds == CNAME

    def answers(self, aliases: bool) -> pa.Array:
        """Texts of the answer records of each row: the aliases, or all else."""
        owners, texts, alias = self.records
        mask = alias if aliases else ~alias
        counts = (
            np.bincount(owners[mask], minlength=len(self.rows))
            if len(owners)
            else np.zeros(len(self.rows), np.int64)
        )
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        return pa.ListArray.from_arrays(array_of(offsets), texts.filter(array_of(mask)).cast(pa.string()))


Column = Callable[[Columns], pa.Array]


def _number(name: str, type_: pa.DataType) -> Column:
    return lambda c: plain(c.values(name), type_)


def _word(name: str, words: Sequence[str]) -> Column:
    return lambda c: coded(c.values(name), array_of(words, pa.string()))


def _flag(name: str) -> Column:
    return lambda c: array_of(c.rows[name] != 0)


def _stub(c: Columns) -> pa.Array:
    numbers = c.values("stub")
    return coded(numbers, array_of(stub_names(), pa.string()), except_where(numbers == 0))


def _addresses(octets: Array) -> pa.DictionaryArray:
    """Addresses of sixteen octets each; hashing tells equal ones apart faster than sorting."""
    fixed = pa.Array.from_buffers(pa.binary(16), len(octets) // 16, [None, pa.py_buffer(octets)])
    coded_octets = fixed.dictionary_encode()
    texts = [address_text(value) for value in coded_octets.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(coded_octets.indices, array_of(texts, pa.string()))


def _client(c: Columns) -> pa.Array:
    return _addresses(np.ascontiguousarray(c.rows["client"]).view(np.uint8))


def _servers(c: Columns) -> pa.Array:
    servers = _addresses(np.frombuffer(c.native.column("servers"), np.uint8))
    return c.lists("server_lists", servers.dictionary.take(servers.indices))


def _qtypes(c: Columns) -> pa.Array:
    distinct, codes = np.unique(np.frombuffer(c.native.column("types"), "u2"), return_inverse=True)
    texts = array_of([registry.rrtype_name(int(number)) for number in distinct], pa.string())
    return c.lists("type_lists", texts.take(array_of(codes)))


def _causes(c: Columns) -> pa.Array:
    words = array_of(CAUSES, pa.string())
    return c.lists("cause_lists", words.take(array_of(np.frombuffer(c.native.column("causes"), "u1"))))


def _budget(place: int) -> Column:
    return lambda c: plain(c.rows["budget"][:, place].copy(), ARROW_TYPES["duration"])


LOOKUP_COLUMNS: dict[str, Column] = {
    "lookup": _number("lookup", pa.uint64()),
    "time": _number("time", ARROW_TYPES["time"]),
    "duration": _number("duration", ARROW_TYPES["duration"]),
    "end_basis": _word("end_basis", END_BASES),
    "duration_min": _number("duration_min", ARROW_TYPES["duration"]),
    "duration_max": _number("duration_max", ARROW_TYPES["duration"]),
    "client": _client,
    "name": lambda c: c.texts("name", "name_ends").cast(pa.large_string()),
    "name_certain": _flag("name_certain"),
    "qtypes": _qtypes,
    "outcome": _word("outcome", OUTCOMES),
    "final_name": lambda c: c.texts("final_name", "final_ends").cast(pa.large_string()),
    "answers": lambda c: c.answers(aliases=False),
    "cname_chain": lambda c: c.answers(aliases=True),
    "candidates": lambda c: c.lists("candidate_lists", c.texts("candidates", "candidate_ends")),
    "queries": _number("queries", pa.uint32()),
    "wasted_queries": _number("wasted_queries", pa.uint32()),
    "retransmissions": _number("retransmissions", pa.uint32()),
    "failovers": _number("failovers", pa.uint32()),
    "servers": _servers,
    "tcp_fallback": _flag("tcp_fallback"),
    "edns_fallback": _flag("edns_fallback"),
    "stub": _stub,
    "causes": _causes,
    **{
        name: _budget(BUCKETS.index(name))
        for name in (
            "t_answer",
            "t_search",
            "t_timeout",
            "t_failed_server",
            "t_truncation",
            "t_edns",
            "t_serial",
            "t_gap",
        )
    },
}


def answer_details(native: NativeBatch, numbers: Sequence[int]) -> list[dict[str, list[str]]]:
    """Columns ``answers`` and ``cname_chain`` of some lookups of a batch, by their numbers."""
    access = Columns(native)
    rows = np.searchsorted(access.rows["lookup"], np.array(numbers, np.uint64)).tolist()
    found: list[dict[str, list[str]]] = [{"answers": [], "cname_chain": []} for _ in numbers]
    owners, texts, alias = access.records_of(rows)
    for owner, text, is_alias in zip(owners.tolist(), texts.to_pylist(), alias.tolist(), strict=True):
        found[owner]["cname_chain" if is_alias else "answers"].append(text)
    return found


def lookup_batch(native: NativeBatch, columns: Sequence[str] | None = None) -> pa.RecordBatch:
    """The asked-for columns of a batch of lookups, in table order."""
    names = [name for name in LOOKUP_COLUMNS if columns is None or name in columns]
    access = Columns(native)
    if names:
        return pa.RecordBatch.from_arrays([LOOKUP_COLUMNS[name](access) for name in names], names=names)
    return without_columns(native.count)
