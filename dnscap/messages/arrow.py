"""Native columns of a batch as Arrow arrays: one function per column of the messages and records tables.

Codes and numbers are handed over without copying; what needs text (mnemonics, EDNS options, RDATA) is made
here, and only for the columns asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dnscap import registry, schema
from dnscap.arrays import array_of, without_columns
from dnscap.messages import edns_text, rdata_text
from dnscap.native import columns as native_columns
from dnscap.native import decoder as native
from dnscap.native.edns import Options

if TYPE_CHECKING:
    from dnscap.native.decoder import Batch

Array = np.ndarray[Any, np.dtype[Any]]

NO_CODE = 0xFFFFFFFF
HAS_HEADER, HAS_NAME, HAS_TYPE, HAS_EDNS, HAS_UNICAST, HAS_CAPITALS, HAS_ID = 1, 2, 4, 8, 16, 32, 64

ARROW_TYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "u8": pa.uint8(),
    "u16": pa.uint16(),
    "u32": pa.uint32(),
    "u64": pa.uint64(),
    "i64": pa.int64(),
    "float": pa.float64(),
    "category": pa.dictionary(pa.int32(), pa.string()),
    "string": pa.large_string(),
    "time": pa.timestamp("ns", tz="UTC"),
    "duration": pa.duration("ns"),
    "texts": pa.list_(pa.string()),
    "numbers": pa.list_(pa.uint32()),
}
"""Arrow type of each kind of column."""


def column_names(table: str) -> list[str]:
    """Names of a table's columns, in order."""
    return [column.name for column in schema.TABLES[table]]


@lru_cache(maxsize=1)
def status_texts() -> pa.Array:
    """Names of message statuses, in the order of their numbers."""
    return array_of([name for name, _ in native.statuses()], pa.string())


TRANSPORTS = array_of(["udp", "tcp"], pa.string())
DIRECTIONS = array_of(["in", "out"], pa.string())
SECTIONS = array_of(["answer", "authority", "additional"], pa.string())


Validity = tuple[pa.Buffer | None, int]
"""Packed bits that tell which rows have a value, and how many have none."""

ALL: Validity = (None, 0)


class BatchColumns:
    """Access to the native columns of one batch; what several Arrow columns share is computed once.

    Parameters
    ----------
    batch : Batch
        From the native decoder.
    interfaces : callable
        Gives the name of an interface, or None, for a row of the sources table and an interface index.
    """

    def __init__(self, batch: Batch, interfaces: Callable[[int, int], str | None]) -> None:
        self.batch = batch
        self.interfaces = interfaces
        self.narrow = False
        self._valid: dict[int, Validity] = {}
        self._options: Options | None = None

    def forget(self) -> None:
        """Let go of what several columns share; it is made again when needed."""
        self._valid.clear()
        self._options = None

    def message(self, name: str) -> Array:
        """A native column of the messages as a numpy view."""
        return np.asarray(self.batch.message_column(name))

    def record(self, name: str) -> Array:
        """A native column of the records as a numpy view."""
        return np.asarray(self.batch.record_column(name))

    def valid(self, bit: int) -> Validity:
        """Which messages have something that a bit of `presence` stands for."""
        if bit not in self._valid:
            presence = self.message("presence")
            bits = native_columns.bit_of(presence, bit)
            self._valid[bit] = validity(bits, len(presence))
        return self._valid[bit]

    def options(self) -> Options:
        """Where the EDNS options of the messages lie."""
        if self._options is None:
            self._options = Options(self.message("options"), self.message("options_octets"))
        return self._options

    def names(self) -> pa.Array:
        """Distinct domain names that codes refer to."""
        count, offsets, text = self.batch.dictionary.names_view()
        return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])

    def addresses(self) -> pa.Array:
        """Distinct addresses that codes refer to."""
        count, offsets, text = self.batch.dictionary.addresses_view()
        return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])


def validity(bits: native_columns.Memory, rows: int, lacking: int | None = None) -> Validity:
    """Packed bits and how many rows lack a value, counted if not known; no bits where none does."""
    buffer = pa.py_buffer(bits)
    if lacking is None:
        lacking = rows - (
            pa.Array.from_buffers(pa.bool_(), rows, [None, buffer], 0).true_count if rows else 0
        )
    return (buffer, lacking) if lacking else ALL


def except_where(lacking: Array) -> Validity:
    """Which rows have a value, told by a mask of those that have none."""
    packed = pa.py_buffer(np.packbits(~lacking, bitorder="little"))
    return (packed, int(lacking.sum())) if lacking.any() else ALL


def plain(values: Any, type_: pa.DataType, valid: Validity = ALL, rows: int | None = None) -> pa.Array:
    """Numbers as Arrow, without copying them."""
    rows = len(values) if rows is None else rows
    return pa.Array.from_buffers(type_, rows, [valid[0], pa.py_buffer(values)], valid[1])


def flag(values: Array, bit: int, valid: Validity = ALL) -> pa.Array:
    """One bit of each number as a truth value."""
    return plain(native_columns.bit_of(values, bit), pa.bool_(), valid, len(values))


def coded(codes: Array, texts: pa.Array, valid: Validity = ALL, narrow: bool = False) -> pa.Array:
    """A dictionary array from unsigned codes and their texts; where `narrow`, codes of one octet stay so."""
    if codes.dtype.itemsize == 1 and narrow:
        return pa.DictionaryArray.from_arrays(plain(codes, pa.int8(), valid), texts, safe=False)
    if codes.dtype.itemsize != 4:
        codes = codes.astype(np.int32)
    return pa.DictionaryArray.from_arrays(plain(codes, pa.int32(), valid), texts, safe=False)


def numbered(
    values: Array,
    name_of: Callable[[int], str],
    valid: Validity = ALL,
    shift: int = 0,
    most: int = 65535,
    narrow: bool = False,
) -> pa.Array:
    """A dictionary array of mnemonics for the numbers ``values >> shift & most`` that occur."""
    codes, numbers = native_columns.number(values, shift, most, not narrow)
    texts = array_of([name_of(number) for number in numbers], pa.string())
    indices = plain(codes, pa.uint16() if narrow else pa.int32(), valid, len(values))
    return pa.DictionaryArray.from_arrays(indices, texts, safe=False)


MessageColumn = Callable[[BatchColumns], pa.Array]


def _number(name: str, type_: pa.DataType, bit: int = 0) -> MessageColumn:
    return lambda b: plain(b.message(name), type_, b.valid(bit) if bit else ALL)


def _flag(mask: int) -> MessageColumn:
    return lambda b: flag(b.message("flags"), mask, b.valid(HAS_HEADER))


def _presence(bit: int, needs: int = 0) -> MessageColumn:
    return lambda b: flag(b.message("presence"), bit, b.valid(needs) if needs else ALL)


def _message_numbers(b: BatchColumns) -> pa.Array:
    first = b.batch.first_message
    return plain(np.arange(first, first + b.batch.messages, dtype=np.uint32), pa.uint32())


def _absent(name: str) -> MessageColumn:
    def column(b: BatchColumns) -> pa.Array:
        values = b.message(name)
        bits, lacking = native_columns.other_than(values, NO_CODE)
        return plain(values, pa.uint32(), validity(bits, len(values), lacking))

    return column


def _status_at(b: BatchColumns) -> pa.Array:
    bits, lacking = native_columns.other_than(b.message("status"), 0)
    values = b.message("status_at")
    return plain(values, pa.uint32(), validity(bits, len(values), lacking))


def _direction(b: BatchColumns) -> pa.Array:
    direction = b.message("direction")
    bits, lacking = native_columns.other_than(direction, 0)
    codes = direction - np.uint8(1)  # wraps where there is none
    return coded(codes, DIRECTIONS, validity(bits, len(direction), lacking), b.narrow)


def _interface(b: BatchColumns) -> pa.Array:
    sources, indices = b.message("source"), b.message("interface")
    if len(sources) == 0:
        return array_of([], ARROW_TYPES["category"])
    if sources.min() == sources.max() and indices.min() == indices.max():
        name = b.interfaces(int(sources[0]), int(indices[0]))
        if name is None:
            codes = edns_text.absent(len(sources), pa.int32())
            return pa.DictionaryArray.from_arrays(codes, array_of([], pa.string()), safe=False)
        return coded(np.zeros(len(sources), np.int32), array_of([name], pa.string()))
    keys = sources.astype(np.uint64) << np.uint64(32) | indices.astype(np.uint64)
    distinct, codes = np.unique(keys, return_inverse=True)
    texts = [b.interfaces(int(key) >> 32, int(key) & 0xFFFFFFFF) for key in distinct]
    vocabulary = sorted({text for text in texts if text is not None})
    code_of = np.array([vocabulary.index(text) if text is not None else -1 for text in texts], dtype=np.int32)
    codes = code_of[codes]
    missing = codes < 0
    codes[missing] = 0
    indices = array_of(codes, pa.int32(), lacking=missing)
    return pa.DictionaryArray.from_arrays(indices, array_of(vocabulary, pa.string()), safe=False)


MESSAGE_COLUMNS: dict[str, MessageColumn] = {
    "message": _message_numbers,
    "frame": _number("frame", pa.uint64()),
    "frames": _number("frames", pa.uint32()),
    "source": _number("source", pa.uint32()),
    "interface": _interface,
    "direction": _direction,
    "time": _number("time", ARROW_TYPES["time"]),
    "src": lambda b: coded(b.message("src"), b.addresses()),
    "src_port": _number("src_port", pa.uint16()),
    "dst": lambda b: coded(b.message("dst"), b.addresses()),
    "dst_port": _number("dst_port", pa.uint16()),
    "transport": lambda b: coded(b.message("transport"), TRANSPORTS, narrow=b.narrow),
    "stream": _absent("stream"),
    "id": _number("id", pa.uint16(), HAS_ID),
    "qr": _flag(0x8000),
    "opcode": lambda b: numbered(
        b.message("flags"), registry.opcode_name, b.valid(HAS_HEADER), 11, 15, b.narrow
    ),
    "aa": _flag(0x0400),
    "tc": _flag(0x0200),
    "rd": _flag(0x0100),
    "ra": _flag(0x0080),
    "z": _flag(0x0040),
    "ad": _flag(0x0020),
    "cd": _flag(0x0010),
    "rcode": lambda b: numbered(
        b.message("rcode"), registry.rcode_name, b.valid(HAS_HEADER), narrow=b.narrow
    ),
    "qdcount": _number("qdcount", pa.uint16(), HAS_HEADER),
    "ancount": _number("ancount", pa.uint16(), HAS_HEADER),
    "nscount": _number("nscount", pa.uint16(), HAS_HEADER),
    "arcount": _number("arcount", pa.uint16(), HAS_HEADER),
    "qname": lambda b: coded(b.message("qname"), b.names(), b.valid(HAS_NAME)),
    "qtype": lambda b: numbered(b.message("qtype"), registry.rrtype_name, b.valid(HAS_TYPE), narrow=b.narrow),
    "qclass": lambda b: numbered(
        b.message("qclass"), registry.class_name, b.valid(HAS_TYPE), narrow=b.narrow
    ),
    "unicast_response": _presence(HAS_UNICAST, HAS_TYPE),
    "mixed_case": _presence(HAS_CAPITALS),
    "edns_version": _number("edns_version", pa.uint8(), HAS_EDNS),
    "edns_udp_size": _number("edns_udp_size", pa.uint16(), HAS_EDNS),
    "do": lambda b: flag(b.message("edns_flags"), 0x8000, b.valid(HAS_EDNS)),
    "edns_options": lambda b: edns_text.names(b.options(), *b.valid(HAS_EDNS)),
    "ecs": lambda b: edns_text.texts(b.options(), edns_text.CLIENT_SUBNET),
    "nsid": lambda b: edns_text.texts(b.options(), edns_text.NSID),
    "ede": lambda b: edns_text.extended_errors(b.options()),
    "cookie": lambda b: edns_text.texts(b.options(), edns_text.COOKIE),
    "padding": lambda b: edns_text.padding(b.options()),
    "size": _number("size", pa.uint32()),
    "ip_ttl": _number("ip_ttl", pa.uint8()),
    "sighting_of": _absent("sighting_of"),
    "status": lambda b: coded(b.message("status"), status_texts(), narrow=b.narrow),
    "status_at": _status_at,
}


def _record_message(b: BatchColumns) -> Array:
    rows = b.record("message")
    return rows + np.uint32(b.batch.first_message) if b.batch.first_message else rows


RECORD_COLUMNS: dict[str, MessageColumn] = {
    "message": lambda b: plain(_record_message(b), pa.uint32()),
    "section": lambda b: coded(b.record("section") & np.uint8(3), SECTIONS, narrow=b.narrow),
    "name": lambda b: coded(b.record("name"), b.names()),
    "type": lambda b: numbered(b.record("type"), registry.rrtype_name, narrow=b.narrow),
    "class": lambda b: numbered(b.record("class"), registry.class_name, narrow=b.narrow),
    "cache_flush": lambda b: flag(b.record("section"), 4),
    "ttl": lambda b: plain(b.record("ttl"), pa.uint32()),
    "rdata": lambda b: rdata_text.rdata_texts(
        b.record("type"), b.record("class"), b.record("rdata"), b.record("rdata_octets")
    ),
}


def record_batch(
    b: BatchColumns, table: str, columns: Sequence[str] | None = None, narrow: bool = False
) -> pa.RecordBatch:
    """The asked-for columns of the messages or records of a batch, in table order.

    Where `narrow`, codes of small vocabularies take one or two octets instead of the four of `ARROW_TYPES`.
    """
    makers = MESSAGE_COLUMNS if table == "messages" else RECORD_COLUMNS
    names = [name for name in makers if columns is None or name in columns]
    b.narrow = narrow
    arrays = [makers[name](b) for name in names]
    if arrays:
        return pa.RecordBatch.from_arrays(arrays, names=names)
    rows = b.batch.messages if table == "messages" else b.batch.records
    return without_columns(rows)
