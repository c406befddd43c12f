"""Frames of the messages and records of a whole capture, gathered while its batches go by.

Columns grow in the form in which pandas keeps them, and the memory of a batch serves the next one: never are
there two copies of a capture.  The frames are the same, to the order of categories, as those that
`dnscap.tables.frames` makes of batches that are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dnscap import registry
from dnscap.messages import edns_text
from dnscap.messages.arrow import (
    DIRECTIONS,
    RECORD_COLUMNS,
    SECTIONS,
    TRANSPORTS,
    BatchColumns,
    status_texts,
)
from dnscap.native.edns_gathering import EdnsGathering
from dnscap.native.growing import Lists, Pages, Texts, ones
from dnscap.native.message_gathering import MessageGathering, RecordGathering
from dnscap.schema import TABLES
from dnscap.tables.frames import UTC, code_width, framed, strings

if TYPE_CHECKING:
    from dnscap.messages.decoding import MessageBatch

Array = np.ndarray[Any, np.dtype[Any]]

MOST_EXPECTED = 1 << 24
"""Rows that address space (about 3 GB, none of it used yet) is reserved for at most, however long a capture seems."""

MOST_LISTED = 1 << 30
"""Octets of texts in lists after which a new piece begins; the offsets of Arrow's lists end at twice that."""

_TYPES = {
    "message": "u4",
    "frame": "u8",
    "frames": "u4",
    "source": "u4",
    "src_port": "u2",
    "dst_port": "u2",
    "mixed_case": "?",
    "size": "u4",
    "ip_ttl": "u1",
}
"""Columns of messages that no row lacks."""

_NULLABLE = {
    "stream": ("u4", "stream"),
    "id": ("u2", "id"),
    **dict.fromkeys(("qr", "aa", "tc", "rd", "ra", "z", "ad", "cd"), ("?", "header")),
    **dict.fromkeys(("qdcount", "ancount", "nscount", "arcount"), ("u2", "header")),
    "unicast_response": ("?", "type"),
    "edns_version": ("u1", "edns"),
    "edns_udp_size": ("u2", "edns"),
    "do": ("?", "edns"),
    "sighting_of": ("u4", "sighting_of"),
    "status_at": ("u4", "status_at"),
}
"""Columns that rows may lack, with the mask that tells which."""

_NUMBERED: dict[str, Callable[[int], str]] = {
    "opcode": registry.opcode_name,
    "rcode": registry.rcode_name,
    "qtype": registry.rrtype_name,
    "qclass": registry.class_name,
}
_RECORD_NUMBERED: dict[str, Callable[[int], str]] = {
    "type": registry.rrtype_name,
    "class": registry.class_name,
}
_TEXTS = ("ecs", "nsid", "cookie")


class WholeMessages:
    """The messages of a capture, batch by batch."""

    def __init__(self) -> None:
        self._gathering = MessageGathering()
        self._edns = EdnsGathering(edns_text.NAMES)
        self._names = _Lists()
        self._errors = _Lists()
        self._padding = _Padding()
        self._interfaces = _Interfaces()

    @property
    def rows(self) -> int:
        """Messages gathered."""
        return self._gathering.rows

    def add(self, batch: MessageBatch, share: float) -> None:
        """Take over a batch, with which `share` of the capture has been read."""
        columns = batch.native_columns
        expected = _expected(self.rows + batch.messages, share)
        self._gathering.expect(expected)
        self._gathering.add(batch.native)
        self._interfaces.add(columns, batch.messages, self._gathering.one_interface)
        self._edns.expect(expected)
        self._edns.add(batch.native, self._names.open(expected))
        errors = columns.options().errors(edns_text.MEANINGS) if self._edns.errors else None
        self._errors.add(batch.messages, None if errors is None else (*errors[:4], errors[5]), expected)
        self._padding.add(columns.options().padding() if self._edns.padding else None, batch.messages)

    def frame(self) -> pd.DataFrame:
        """All of them as a frame; nothing can be added any more."""
        g = self._gathering
        rows = g.rows
        masks = _Masks(g, rows)
        addresses = _categories(_addresses(g))
        values: dict[str, Any] = {}
        for column in TABLES["messages"]:
            name = column.name
            if name in _TYPES:
                values[name] = np.frombuffer(g.column(name), _TYPES[name])
            elif name in _NULLABLE:
                dtype, mask = _NULLABLE[name]
                values[name] = _nullable(np.frombuffer(g.column(name), dtype), masks[mask])
            elif name in _NUMBERED:
                values[name] = _numbered(*g.codes(name), _NUMBERED[name])
            elif name in _TEXTS:
                values[name] = _texts(getattr(self._edns, name))
        values["time"] = pd.DatetimeIndex(np.frombuffer(g.column("time"), "i8"), dtype=UTC, copy=False)
        for name in ("src", "dst"):
            pages, width, _ = g.codes(name)
            values[name] = _category(np.frombuffer(pages, f"i{width}"), addresses)
        for name, texts in (
            ("direction", DIRECTIONS),
            ("transport", TRANSPORTS),
            ("status", status_texts()),
        ):
            values[name] = _category(np.frombuffer(g.column(name), "i1"), _categories(texts))
        values["qname"] = _texts(g.names)
        values["interface"] = self._interfaces.values()
        values["edns_options"] = self._names.values()
        values["ede"] = self._errors.values()
        values["padding"] = self._padding.values(masks)
        return framed({column.name: values[column.name] for column in TABLES["messages"]}, rows)


class WholeRecords:
    """The records of a capture, batch by batch.

    Parameters
    ----------
    columns : sequence of str, optional
        Only these; texts of record data cost most.
    """

    def __init__(self, columns: Sequence[str] | None = None) -> None:
        self._columns = [column.name for column in TABLES["records"]] if columns is None else list(columns)
        self._gathering = RecordGathering("name" in self._columns)
        self._rdata = Texts()

    @property
    def rows(self) -> int:
        """Records gathered."""
        return self._gathering.rows

    def add(self, batch: MessageBatch, share: float) -> None:
        """Take over a batch, with which `share` of the capture has been read."""
        expected = _expected(self.rows + batch.records, share)
        self._gathering.expect(expected)
        self._gathering.add(batch.native)
        if "rdata" in self._columns:
            self._rdata.expect(expected)
            made = RECORD_COLUMNS["rdata"](batch.native_columns)
            for part in made.chunks if isinstance(made, pa.ChunkedArray) else [made]:
                valid, ends, text = (
                    None if b is None else np.frombuffer(b, np.uint8) for b in part.buffers()
                )
                assert ends is not None
                self._rdata.append(
                    len(part), valid, ends, np.zeros(0, np.uint8) if text is None else text, part.null_count
                )

    def frame(self) -> pd.DataFrame:
        """All of them as a frame; nothing can be added any more."""
        g = self._gathering
        values: dict[str, Any] = {}
        for name in self._columns:
            if name in ("message", "ttl"):
                values[name] = np.frombuffer(g.column(name), "u4")
            elif name == "cache_flush":
                values[name] = np.frombuffer(g.column(name), "?")
            elif name == "section":
                values[name] = _category(np.frombuffer(g.column(name), "i1"), _categories(SECTIONS))
            elif name in _RECORD_NUMBERED:
                values[name] = _numbered(*g.codes(name), _RECORD_NUMBERED[name])
            else:
                values[name] = _texts(g.names if name == "name" else self._rdata)
        return framed(values, g.rows)


def _expected(rows: int, share: float) -> int:
    """How many rows there will be in all, when so many are a share of them; never much more than memory may hold."""
    return min(int(rows / share), max(MOST_EXPECTED, 2 * rows)) if share > 0 else rows


class _Masks:
    """Masks of missing values, each made once; columns that no row has share one."""

    def __init__(self, gathering: MessageGathering, rows: int) -> None:
        self._gathering = gathering
        self._rows = rows
        self._made: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._made:
            pages = self._gathering.mask(name)
            mask = self.all_missing if pages is None else np.frombuffer(pages, bool)
            mask.flags.writeable = False
            self._made[name] = mask
        return self._made[name]

    @property
    def all_missing(self) -> Array:
        """True in all rows."""
        if "" not in self._made:
            self._made[""] = np.frombuffer(ones(self._rows), bool)
        return self._made[""]


class _Lists:
    """A column of lists of texts, in pieces whose offsets do not run over."""

    def __init__(self) -> None:
        self._lists = Lists()
        self._parts: list[pa.Array] = []
        self._without = 0  # rows without a list that have not been appended yet

    def open(self, expected: int) -> Lists:
        """The piece that the lists of a batch go to."""
        if self._lists.size > MOST_LISTED:
            self._close()
        self._lists.expect(expected)
        if self._without:
            self._lists.append_none(self._without)
            self._without = 0
        return self._lists

    def add(self, rows: int, made: tuple[Any, Any, Any, Any, int] | None, expected: int) -> None:
        """Take over the lists of a batch: validity, starts, ends, text and how many rows have none."""
        if made is None:
            self._without += rows
            return
        valid, starts, ends, text, lacking = made
        valid = None if valid is None else np.frombuffer(valid, np.uint8)
        self.open(expected).append(rows, valid, starts, ends, text, lacking)

    def _close(self) -> None:
        if self._without:
            self._lists.append_none(self._without)
            self._without = 0
        rows, lacking, count = self._lists.rows, self._lists.lacking, self._lists.count
        valid, starts, ends, text = (None if p is None else pa.py_buffer(p) for p in self._lists.finish())
        values = pa.Array.from_buffers(pa.string(), count, [None, ends, text], 0)
        type_ = pa.list_(pa.string())
        self._parts.append(pa.Array.from_buffers(type_, rows, [valid, starts], lacking, 0, [values]))
        self._lists = Lists()

    def values(self) -> Any:
        """The column as pandas holds it."""
        self._close()
        parts, self._parts = self._parts, []
        return pd.arrays.ArrowExtensionArray(pa.chunked_array(parts, pa.list_(pa.string())))


class _Padding:
    """Octets of EDNS padding, which most captures have nothing of."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, Array, Array]] = []
        self._rows = 0

    def add(self, made: tuple[Any, Any, int] | None, rows: int) -> None:
        if made is not None:
            valid, values, _ = made
            there = np.unpackbits(np.frombuffer(valid, np.uint8), count=rows, bitorder="little")
            self._parts.append((self._rows, np.frombuffer(values, np.uint16), there == 0))
        self._rows += rows

    def values(self, masks: _Masks) -> Any:
        values = np.zeros(self._rows, np.uint16)
        if not self._parts:
            return _nullable(values, masks.all_missing)
        mask = np.ones(self._rows, bool)
        for first, some, lacking in self._parts:
            values[first : first + len(some)] = some
            mask[first : first + len(some)] = lacking
        return _nullable(values, mask)


class _Interfaces:
    """Names of interfaces: nearly always one for a whole batch."""

    def __init__(self) -> None:
        self._places: dict[str | None, int] = {None: -1}
        self._parts: list[tuple[int, int | Array]] = []

    def _place(self, name: str | None) -> int:
        return self._places.setdefault(name, len(self._places) - 1)

    def add(self, columns: BatchColumns, rows: int, one: tuple[int, int] | None) -> None:
        """Take over those of a batch, of which `one` tells source and interface where all have the same."""
        if one is not None:
            self._parts.append((rows, self._place(columns.interfaces(*one))))
            return
        sources, indices = columns.message("source"), columns.message("interface")
        keys = sources.astype(np.uint64) << np.uint64(32) | indices.astype(np.uint64)
        distinct, codes = np.unique(keys, return_inverse=True)
        places = [self._place(columns.interfaces(int(key) >> 32, int(key) & 0xFFFFFFFF)) for key in distinct]
        self._parts.append((rows, np.array(places, np.int32)[codes]))

    def values(self) -> pd.Categorical:
        names = [name for name in self._places if name is not None]
        vocabulary = sorted(names)
        rank = np.array([*(vocabulary.index(name) for name in names), -1], f"i{code_width(len(names))}")
        codes = np.zeros(sum(rows for rows, _ in self._parts), rank.dtype)
        at = 0
        for rows, part in self._parts:
            # zero they are already, and take no memory so far
            if not isinstance(part, int) or rank[part] != 0:
                codes[at : at + rows] = rank[part]
            at += rows
        return _category(codes, _categories(pa.array(vocabulary, pa.string())))


def _addresses(gathering: MessageGathering) -> pa.Array:
    addresses = gathering.addresses
    assert addresses.first is not None
    count, offsets, text = addresses.first.addresses_view()
    first = pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])
    if not addresses.further:
        return first
    return pa.concat_arrays([first, pa.array(addresses.further, pa.string())])


def _categories(texts: pa.Array) -> pd.CategoricalDtype:
    return pd.CategoricalDtype(
        pd.Index(strings(pa.chunked_array([texts.cast(pa.large_string())])), copy=False)
    )


def _category(codes: Array, dtype: pd.CategoricalDtype) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, dtype=dtype, validate=False)


def _numbered(pages: Pages, width: int, numbers: list[int], name_of: Callable[[int], str]) -> pd.Categorical:
    texts = pa.array([name_of(number) for number in numbers], pa.string())
    return _category(np.frombuffer(pages, f"i{width}"), _categories(texts))


def _nullable(values: Array, mask: Array) -> Any:
    if values.dtype == bool:
        return pd.arrays.BooleanArray(values, mask, copy=False)
    return pd.arrays.IntegerArray(values, mask, copy=False)


def _texts(texts: Texts) -> Any:
    rows, lacking = texts.rows, texts.lacking
    valid, ends, text = texts.finish()
    buffers = [None if valid is None else pa.py_buffer(valid), pa.py_buffer(ends), pa.py_buffer(text)]
    array = pa.Array.from_buffers(pa.large_string(), rows, buffers, lacking)
    return strings(pa.chunked_array([array], pa.large_string()))
