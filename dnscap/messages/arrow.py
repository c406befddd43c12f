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
from dnscap.messages import edns_text, rdata_text
from dnscap.native import decoder as native

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
def _status_texts() -> pa.Array:
    return pa.array([name for name, _ in native.statuses()], pa.string())


_TRANSPORTS = pa.array(["udp", "tcp"], pa.string())
_DIRECTIONS = pa.array(["", "in", "out"], pa.string())
_SECTIONS = pa.array(["answer", "authority", "additional"], pa.string())


class BatchColumns:
    """Access to the native columns of one batch, with what several Arrow columns share computed once.

    Parameters
    ----------
    batch : Batch
        From the native decoder.
    interfaces : callable
        Gives the name of an interface, or None, for a row of the sources table and an interface index of the frame.
    """

    def __init__(self, batch: Batch, interfaces: Callable[[int, int], str | None]) -> None:
        self.batch = batch
        self.interfaces = interfaces
        self._presence: dict[int, Array | None] = {}

    def message(self, name: str) -> Array:
        """A native column of the messages as a numpy view."""
        return np.asarray(self.batch.message_column(name))

    def record(self, name: str) -> Array:
        """A native column of the records as a numpy view."""
        return np.asarray(self.batch.record_column(name))

    def lacking(self, bit: int) -> Array | None:
        """Mask of the messages that lack something, or None where none does."""
        if bit not in self._presence:
            mask = (self.message("presence") & bit) == 0
            self._presence[bit] = mask if mask.any() else None
        return self._presence[bit]

    def names(self) -> pa.Array:
        """Distinct domain names that codes refer to."""
        count, offsets, text = self.batch.dictionary.names_view()
        return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])

    def addresses(self) -> pa.Array:
        """Distinct addresses that codes refer to."""
        count, offsets, text = self.batch.dictionary.addresses_view()
        return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])


def plain(values: Array, type_: pa.DataType, mask: Array | None = None) -> pa.Array:
    """Numbers as Arrow, without copying them; `mask` is true where a value is null."""
    validity = None if mask is None else pa.py_buffer(np.packbits(~mask, bitorder="little"))
    return pa.Array.from_buffers(type_, len(values), [validity, pa.py_buffer(values)])


def coded(codes: Array, texts: pa.Array, mask: Array | None = None) -> pa.Array:
    """A dictionary array from codes (any unsigned width) and their texts."""
    if codes.dtype.itemsize == 4:
        indices = plain(codes, pa.int32(), mask)
    else:
        indices = plain(codes.astype(np.int32), pa.int32(), mask)
    return pa.DictionaryArray.from_arrays(indices, texts, safe=False)


def numbered(values: Array, name_of: Callable[[int], str], mask: Array | None = None) -> pa.Array:
    """A dictionary array of mnemonics for 16-bit numbers; only those that occur are named."""
    seen = np.zeros(65536, dtype=bool)
    seen[values] = True
    numbers = np.flatnonzero(seen)
    code_of = np.zeros(65536, dtype=np.int32)
    code_of[numbers] = np.arange(len(numbers), dtype=np.int32)
    texts = pa.array([name_of(int(number)) for number in numbers], pa.string())
    return pa.DictionaryArray.from_arrays(plain(code_of[values], pa.int32(), mask), texts, safe=False)


MessageColumn = Callable[[BatchColumns], pa.Array]


def _number(name: str, type_: pa.DataType, bit: int = 0) -> MessageColumn:
    return lambda b: plain(b.message(name), type_, b.lacking(bit) if bit else None)


def _flag(mask: int) -> MessageColumn:
    return lambda b: pa.array((b.message("flags") & mask) != 0, mask=b.lacking(HAS_HEADER))


def _presence(bit: int, needs: int = 0) -> MessageColumn:
    return lambda b: pa.array((b.message("presence") & bit) != 0, mask=b.lacking(needs) if needs else None)


def _message_numbers(b: BatchColumns) -> pa.Array:
    first = b.batch.first_message
    return plain(np.arange(first, first + b.batch.messages, dtype=np.uint32), pa.uint32())


def _absent(name: str) -> MessageColumn:
    def column(b: BatchColumns) -> pa.Array:
        values = b.message(name)
        mask = values == NO_CODE
        return plain(values, pa.uint32(), mask if mask.any() else None)

    return column


def _status_at(b: BatchColumns) -> pa.Array:
    return plain(b.message("status_at"), pa.uint32(), b.message("status") == 0)


def _direction(b: BatchColumns) -> pa.Array:
    direction = b.message("direction")
    return coded(direction, _DIRECTIONS, direction == 0)


def _interface(b: BatchColumns) -> pa.Array:
    keys = b.message("source").astype(np.uint64) << np.uint64(32) | b.message("interface").astype(np.uint64)
    if len(keys) == 0:
        return pa.array([], ARROW_TYPES["category"])
    if (keys == keys[0]).all():
        distinct, codes = keys[:1], np.zeros(len(keys), dtype=np.int32)
    else:
        distinct, codes = np.unique(keys, return_inverse=True)
        codes = codes.astype(np.int32)
    texts = [b.interfaces(int(key) >> 32, int(key) & 0xFFFFFFFF) for key in distinct]
    vocabulary = sorted({text for text in texts if text is not None})
    code_of = np.array([vocabulary.index(text) if text is not None else -1 for text in texts], dtype=np.int32)
    codes = code_of[codes]
    missing = codes < 0
    codes[missing] = 0
    return coded(codes, pa.array(vocabulary, pa.string()), missing if missing.any() else None)


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
    "transport": lambda b: coded(b.message("transport"), _TRANSPORTS),
    "stream": _absent("stream"),
    "id": _number("id", pa.uint16(), HAS_ID),
    "qr": _flag(0x8000),
    "opcode": lambda b: numbered(b.message("flags") >> 11 & 15, registry.opcode_name, b.lacking(HAS_HEADER)),
    "aa": _flag(0x0400),
    "tc": _flag(0x0200),
    "rd": _flag(0x0100),
    "ra": _flag(0x0080),
    "z": _flag(0x0040),
    "ad": _flag(0x0020),
    "cd": _flag(0x0010),
    "rcode": lambda b: numbered(b.message("rcode"), registry.rcode_name, b.lacking(HAS_HEADER)),
    "qdcount": _number("qdcount", pa.uint16(), HAS_HEADER),
    "ancount": _number("ancount", pa.uint16(), HAS_HEADER),
    "nscount": _number("nscount", pa.uint16(), HAS_HEADER),
    "arcount": _number("arcount", pa.uint16(), HAS_HEADER),
    "qname": lambda b: coded(b.message("qname"), b.names(), b.lacking(HAS_NAME)),
    "qtype": lambda b: numbered(b.message("qtype"), registry.rrtype_name, b.lacking(HAS_TYPE)),
    "qclass": lambda b: numbered(b.message("qclass"), registry.class_name, b.lacking(HAS_TYPE)),
    "unicast_response": _presence(HAS_UNICAST, HAS_TYPE),
    "mixed_case": _presence(HAS_CAPITALS),
    "edns_version": _number("edns_version", pa.uint8(), HAS_EDNS),
    "edns_udp_size": _number("edns_udp_size", pa.uint16(), HAS_EDNS),
    "do": lambda b: pa.array((b.message("edns_flags") & 0x8000) != 0, mask=b.lacking(HAS_EDNS)),
    "edns_options": lambda b: edns_text.options(b.message("options"), b.message("options_octets"), b.lacking(HAS_EDNS)),
    "ecs": lambda b: edns_text.client_subnet(b.message("options"), b.message("options_octets")),
    "nsid": lambda b: edns_text.server_identifier(b.message("options"), b.message("options_octets")),
    "ede": lambda b: edns_text.extended_errors(b.message("options"), b.message("options_octets")),
    "cookie": lambda b: edns_text.cookie(b.message("options"), b.message("options_octets")),
    "padding": lambda b: edns_text.padding(b.message("options"), b.message("options_octets")),
    "size": _number("size", pa.uint32()),
    "ip_ttl": _number("ip_ttl", pa.uint8()),
    "sighting_of": _absent("sighting_of"),
    "status": lambda b: coded(b.message("status"), _status_texts()),
    "status_at": _status_at,
}

RECORD_COLUMNS: dict[str, MessageColumn] = {
    "message": lambda b: plain(b.record("message") + np.uint32(b.batch.first_message), pa.uint32()),
    "section": lambda b: coded(b.record("section") & 3, _SECTIONS),
    "name": lambda b: coded(b.record("name"), b.names()),
    "type": lambda b: numbered(b.record("type"), registry.rrtype_name),
    "class": lambda b: numbered(b.record("class"), registry.class_name),
    "cache_flush": lambda b: pa.array((b.record("section") & 4) != 0),
    "ttl": lambda b: plain(b.record("ttl"), pa.uint32()),
    "rdata": lambda b: rdata_text.rdata_texts(
        b.record("type"), b.record("class"), b.record("rdata"), b.record("rdata_octets")
    ),
}


def record_batch(b: BatchColumns, table: str, columns: Sequence[str] | None = None) -> pa.RecordBatch:
    """The asked-for columns of the messages or records of a batch, in table order."""
    makers = MESSAGE_COLUMNS if table == "messages" else RECORD_COLUMNS
    names = [name for name in makers if columns is None or name in columns]
    arrays = [makers[name](b) for name in names]
    if arrays:
        return pa.RecordBatch.from_arrays(arrays, names=names)
    rows = b.batch.messages if table == "messages" else b.batch.records
    return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))
