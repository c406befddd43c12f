"""Native columns of a batch of resolutions as Arrow arrays: one function per column of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dnscap import registry
from dnscap.arrays import array_of, numpy_of, without_columns
from dnscap.batches import RowColumns
from dnscap.messages.around import address_text
from dnscap.messages.arrow import ARROW_TYPES, coded, plain
from dnscap.resolutions.words import CACHES, EVIDENCE

if TYPE_CHECKING:
    from dnscap.native.resolution_columns import ResolutionBatch as NativeBatch

Array = np.ndarray[Any, np.dtype[Any]]

ROW = np.dtype(
    [
        ("resolution", "u8"),
        ("exchange", "u8"),
        ("time", "i8"),
        ("latency", "i8"),
        ("upstream_time", "i8"),
        ("client", "V16"),
        ("resolver", "V16"),
        ("probability", "f4"),
        ("evidence", "u4"),
        ("ttl", "u4"),
        ("full_ttl", "u4"),
        ("qname", "u4"),
        ("qtype", "u2"),
        ("rcode", "u2"),
        ("cache", "u1"),
        ("start_depth", "i1"),
        ("answered", "u1"),
        ("outcome", "u1"),
        ("seen_upstream", "u1"),
        ("padding", "u1", (3,)),
    ],
    align=True,
)

NO_TTL = 0xFFFFFFFF


class Columns(RowColumns):
    """Access to the native columns of one batch."""

    row = ROW

    @property
    def answered(self) -> Array:
        """Which rows were answered."""
        return np.asarray(self.rows["answered"] != 0)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What is added up of some resolutions.

    Attributes
    ----------
    exchange, cache, evidence : ndarray
        Row of the exchanges table, place in `CACHES`, bits by place in `EVIDENCE`.
    latency, upstream_time : ndarray
        Nanoseconds; the latency is -1 where no answer came.
    probability, start_depth : ndarray
        As in the table; 0 and -1 where it has none.
    seen : ndarray of bool
        The resolver's upstream side is in the capture: the verdict is not inferred.
    resolver : ndarray
        Place in `addresses`.
    addresses : list of str
        Resolvers.
    native, places : ResolutionBatch, ndarray
        The batch that they come from, and their rows there.
    """

    exchange: Array
    cache: Array
    evidence: Array
    latency: Array
    upstream_time: Array
    probability: Array
    start_depth: Array
    seen: Array
    resolver: Array
    addresses: list[str]
    native: NativeBatch
    places: Array

    @staticmethod
    def of(native: NativeBatch) -> Verdicts:
        """Those of a batch."""
        access = Columns(native)
        resolver = _address("resolver")(access)
        return Verdicts(
            access.values("exchange"),
            access.values("cache"),
            access.values("evidence"),
            access.values("latency"),
            access.values("upstream_time"),
            access.values("probability"),
            access.values("start_depth"),
            access.values("seen_upstream") != 0,
            numpy_of(resolver.indices),
            resolver.dictionary.to_pylist(),
            native,
            np.arange(native.count),
        )

    def __len__(self) -> int:
        return len(self.cache)

    def keep(self, mask: Array) -> Verdicts:
        """Those of them that a mask keeps."""
        return Verdicts(
            self.exchange[mask],
            self.cache[mask],
            self.evidence[mask],
            self.latency[mask],
            self.upstream_time[mask],
            self.probability[mask],
            self.start_depth[mask],
            self.seen[mask],
            self.resolver[mask],
            self.addresses,
            self.native,
            self.places[mask],
        )

    def rows(self, places: Array, columns: Sequence[str] | None = None) -> pa.RecordBatch:
        """Some of them as rows of the table, all its columns or those named."""
        return resolution_batch(self.native, columns).take(array_of(self.places[places]))


Column = Callable[[Columns], pa.Array]


def _number(name: str, type_: pa.DataType) -> Column:
    return lambda c: plain(c.values(name), type_)


def _address(name: str) -> Column:
    def column(c: Columns) -> pa.DictionaryArray:
        octets = np.ascontiguousarray(c.rows[name]).view(np.uint8)
        fixed = pa.Array.from_buffers(pa.binary(16), len(octets) // 16, [None, pa.py_buffer(octets)])
        codes = fixed.dictionary_encode()
        texts = [address_text(value) for value in codes.dictionary.to_pylist()]
        return pa.DictionaryArray.from_arrays(codes.indices, array_of(texts, pa.string()))

    return column


def _registered(name: str, text: Callable[[int], str], *, answers_only: bool) -> Column:
    def column(c: Columns) -> pa.DictionaryArray:
        distinct, codes = np.unique(c.rows[name], return_inverse=True)
        indices = array_of(codes.astype(np.int32), lacking=~c.answered if answers_only else None)
        return pa.DictionaryArray.from_arrays(
            indices, array_of([text(int(n)) for n in distinct], pa.string())
        )

    return column


def _name(c: Columns) -> pa.Array:
    if c.native.dictionary is None:
        return array_of([], pa.large_string())
    count, offsets, text = c.native.dictionary.names_view()
    names = pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])
    return names.take(array_of(c.values("qname"))).cast(pa.large_string())


def _latency(c: Columns) -> pa.Array:
    return array_of(c.values("latency"), lacking=~c.answered).cast(ARROW_TYPES["duration"])


def _cache(c: Columns) -> pa.Array:
    return coded(c.values("cache"), array_of(CACHES, pa.string()))


def _probability(c: Columns) -> pa.Array:
    values = c.rows["probability"].astype(np.float64).round(4)
    return array_of(values, lacking=values == 0)


def _evidence(c: Columns) -> pa.Array:
    bits = c.rows["evidence"]
    shown = (bits[:, None] >> np.arange(len(EVIDENCE), dtype=np.uint32)) & 1 == 1
    offsets = np.concatenate([[0], np.cumsum(shown.sum(axis=1))]).astype(np.int32)
    words = array_of(EVIDENCE, pa.string()).take(array_of(np.nonzero(shown)[1]))
    return pa.ListArray.from_arrays(array_of(offsets), words)


def _upstream(c: Columns) -> pa.Array:
    offsets = np.frombuffer(c.native.column("upstream_lists"), "i4")
    return pa.ListArray.from_arrays(
        array_of(offsets), array_of(np.frombuffer(c.native.column("upstream"), "u8"))
    )


def _depth(c: Columns) -> pa.Array:
    depth = c.values("start_depth")
    return array_of(depth.astype(np.uint8), lacking=depth < 0)


def _ttl(name: str, none: int) -> Column:
    def column(c: Columns) -> pa.Array:
        values = c.values(name)
        return array_of(values, lacking=(values == none) | (c.rows["ttl"] == NO_TTL))

    return column


RESOLUTION_COLUMNS: dict[str, Column] = {
    "resolution": _number("resolution", pa.uint64()),
    "exchange": _number("exchange", pa.uint64()),
    "time": _number("time", ARROW_TYPES["time"]),
    "client": _address("client"),
    "resolver": _address("resolver"),
    "qname": _name,
    "qtype": _registered("qtype", registry.rrtype_name, answers_only=False),
    "rcode": _registered("rcode", registry.rcode_name, answers_only=True),
    "latency": _latency,
    "cache": _cache,
    "probability": _probability,
    "evidence": _evidence,
    "ttl": _ttl("ttl", NO_TTL),
    "upstream": _upstream,
    "upstream_time": _number("upstream_time", ARROW_TYPES["duration"]),
    "start_depth": _depth,
}


def resolution_batch(native: NativeBatch, columns: Sequence[str] | None = None) -> pa.RecordBatch:
    """The asked-for columns of a batch of resolutions, in table order."""
    names = [name for name in RESOLUTION_COLUMNS if columns is None or name in columns]
    access = Columns(native)
    if names:
        return pa.RecordBatch.from_arrays([RESOLUTION_COLUMNS[name](access) for name in names], names=names)
    return without_columns(native.count)
