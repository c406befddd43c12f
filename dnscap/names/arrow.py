"""Rows of names, and their values over time, as Arrow tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from dnscap import registry
from dnscap.arrays import array_of
from dnscap.messages.arrow import ARROW_TYPES, coded
from dnscap.names.rows import FRAME_BITS, NameRows
from dnscap.names.seen import AUTHORITATIVE, NO_CODE, NO_SOA, NXDOMAIN, SECTIONS

Array = np.ndarray[Any, np.dtype[Any]]

_TIME = ARROW_TYPES["time"]
_SECTION_TEXTS = array_of(SECTIONS, pa.string())


def names_table(rows: NameRows, columns: Sequence[str] | None = None) -> pa.Table:
    """The names table, by name, type, server and section.

    Parameters
    ----------
    rows : NameRows
        What was seen.
    columns : sequence of str, optional
        Only these columns; others cost nothing.
    """
    order = _order(rows)
    return _table(NAME_COLUMNS, columns, lambda make: make(rows, order))


def rrsets_table(rows: NameRows, columns: Sequence[str] | None = None) -> pa.Table:
    """The rrsets table: each value that an RRset had at a server, in the order of the names table."""
    order = _order(rows)
    owners: list[int] = []
    numbers: list[int] = []
    first = rows.versions["first"]
    for row in order[rows.rows["answers"][order] > 0].tolist():
        own = sorted(rows.version_numbers(row), key=lambda n: int(first[n]))
        owners += [row] * len(own)
        numbers += own
    owner, number = np.array(owners, np.int64), np.array(numbers, np.int64)
    return _table(RRSET_COLUMNS, columns, lambda make: make(rows, owner, number))


def _table(makers: Any, columns: Sequence[str] | None, call: Callable[[Any], pa.Array]) -> pa.Table:
    names = [name for name in makers if columns is None or name in columns]
    return pa.table({name: call(makers[name]) for name in names})


def _order(rows: NameRows) -> Array:
    """Rows by name, type, server and section."""
    used = (
        (rows.rows["answers"] > 0)
        | (rows.rows["negatives"] > 0)
        | (rows.rows["servfails"] > 0)
        | (rows.rows["refused"] > 0)
    )
    keep = np.flatnonzero(used)
    names = _ranks(rows.names, rows.name[keep])
    servers = _ranks(rows.addresses, rows.server[keep])
    return keep[np.lexsort((rows.section[keep], servers, rows.type[keep], names))]


def _ranks(texts: pa.Array, codes: Array) -> Array:
    """Places of codes in the order of their texts."""
    present = np.unique(codes)
    ordered = np.argsort(np.array(texts.take(array_of(present)).to_pylist(), dtype=object), kind="stable")
    rank = np.zeros(len(present), np.int64)
    rank[ordered] = np.arange(len(present))
    places: Array = rank[np.searchsorted(present, codes)]
    return places


def _numbers(values: Array, kind: str, lacking: Array | None = None) -> pa.Array:
    return array_of(values, lacking=lacking).cast(ARROW_TYPES[kind])


def _times(values: Array, lacking: Array | None = None) -> pa.Array:
    return array_of(values.astype(np.int64), pa.int64(), lacking=lacking).cast(_TIME)


def _types(rows: NameRows, at: Array) -> pa.Array:
    numbers, codes = np.unique(rows.type[at], return_inverse=True)
    texts = array_of([registry.rrtype_name(int(number)) for number in numbers], pa.string())
    return coded(codes.astype(np.int32), texts)


def _texts_of(rows: NameRows, rrsets: Array) -> pa.Array:
    distinct, places = np.unique(rrsets, return_inverse=True)
    texts = rows.rdata_of(distinct.tolist())
    found = [list(texts[place]) for place in places.tolist()]
    return array_of(found, ARROW_TYPES["texts"])


def _values(rows: NameRows, at: Array) -> pa.Array:
    current = rows.rows["current"][at]
    rrsets = np.where(current > 0, rows.versions["rrset"][current], NO_CODE)
    return _texts_of(rows, rrsets)


def _absent(rows: NameRows, at: Array) -> pa.Array:
    negative = rows.rows["negatives"][at] == 0
    codes = rows.has(NXDOMAIN)[at].astype(np.int32)
    words = array_of(["nodata", "nxdomain"], pa.string())
    return pa.DictionaryArray.from_arrays(array_of(codes, pa.int32(), lacking=negative), words)


def _zone(rows: NameRows, at: Array) -> pa.Array:
    zones = rows.rows["zone"][at]
    lacking = zones == NO_CODE
    return rows.names.take(array_of(zones.astype(np.int64), lacking=lacking)).cast(ARROW_TYPES["string"])


def _hit_rate(place: int) -> Callable[[NameRows, Array], pa.Array]:
    def column(rows: NameRows, at: Array) -> pa.Array:
        asked = rows.rows["asked"][at].astype(np.float64)
        rate = np.divide(rows.rows["hits"][at, place], asked, out=np.zeros(len(at)), where=asked > 0)
        return array_of(rate, lacking=asked == 0)

    return column


def _never(rows: NameRows, at: Array) -> Array:
    never: Array = rows.rows["answers"][at] == 0
    return never


def _not_negative(rows: NameRows, at: Array) -> Array:
    never: Array = rows.rows["negatives"][at] == 0
    return never


def _uncached(rows: NameRows, at: Array) -> Array:
    return _not_negative(rows, at) | rows.has(NO_SOA)[at]


def signed_until(rows: NameRows) -> Array:
    """Seconds since 1970 at which each row's signature ends; 0 where there is none.

    Signatures count in serial arithmetic (RFC 4034 section 3.1.5): the moment meant is the one nearest.
    """
    now = rows.rows["signed_at"] // 1_000_000_000
    ahead = (rows.rows["signed_until"].astype(np.int64) - now + (1 << 31)) % (1 << 32) - (1 << 31)
    until: Array = np.where(rows.rows["signed_at"] > 0, now + ahead, 0)
    return until


NameColumn = Callable[[NameRows, Array], pa.Array]

NAME_COLUMNS: dict[str, NameColumn] = {
    "name": lambda r, at: r.names.take(array_of(r.name[at])).cast(ARROW_TYPES["string"]),
    "type": _types,
    "server": lambda r, at: coded(r.server[at].astype(np.int32), r.addresses),
    "section": lambda r, at: coded(r.section[at].astype(np.int32), _SECTION_TEXTS),
    "authoritative": lambda r, at: array_of(r.has(AUTHORITATIVE)[at]),
    "values": _values,
    "ttl_full": lambda r, at: _numbers(r.ttl_full[at], "u32", _never(r, at)),
    "ttl": lambda r, at: _numbers(r.rows["ttl_last"][at], "u32", _never(r, at)),
    "ttl_min": lambda r, at: _numbers(r.rows["ttl_min"][at], "u32", _never(r, at)),
    "ttl_max": lambda r, at: _numbers(r.rows["ttl_max"][at], "u32", _never(r, at)),
    "answers": lambda r, at: _numbers(r.rows["answers"][at], "u64"),
    "first_time": lambda r, at: _times(r.rows["first"][at], _never(r, at)),
    "last_time": lambda r, at: _times(r.rows["last"][at], _never(r, at)),
    "expires": lambda r, at: _times(r.rows["expires"][at], _never(r, at)),
    "changes": lambda r, at: _numbers(r.rows["changes"][at], "u32"),
    "absent": _absent,
    "negatives": lambda r, at: _numbers(r.rows["negatives"][at], "u64"),
    "negative_ttl": lambda r, at: _numbers(r.rows["negative_ttl"][at], "u32", _uncached(r, at)),
    "first_negative": lambda r, at: _times(r.rows["first_negative"][at], _not_negative(r, at)),
    "last_negative": lambda r, at: _times(r.rows["last_negative"][at], _not_negative(r, at)),
    "negative_until": lambda r, at: _times(r.rows["negative_until"][at], _uncached(r, at)),
    "zone": _zone,
    "servfails": lambda r, at: _numbers(r.rows["servfails"][at], "u64"),
    "refusals": lambda r, at: _numbers(r.rows["refused"][at], "u64"),
    "signed_until": lambda r, at: _times(signed_until(r)[at] * 1_000_000_000, r.rows["signed_at"][at] == 0),
    "hit_rate_60": _hit_rate(0),
    "hit_rate_300": _hit_rate(1),
    "hit_rate_3600": _hit_rate(2),
}


def _clients(rows: NameRows, owner: Array, number: Array) -> pa.Array:
    counts = np.minimum(rows.versions["client_count"][number], rows.versions["clients"].shape[1])
    codes = rows.versions["clients"][number]
    kept = np.arange(codes.shape[1])[None, :] < counts[:, None]
    texts = rows.addresses.take(array_of(codes[kept].astype(np.int64)))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(array_of(offsets), texts)


FRAME = np.uint64((1 << FRAME_BITS) - 1)

RRSET_COLUMNS: dict[str, Callable[[NameRows, Array, Array], pa.Array]] = {
    "name": lambda r, at, _: NAME_COLUMNS["name"](r, at),
    "type": lambda r, at, _: _types(r, at),
    "server": lambda r, at, _: NAME_COLUMNS["server"](r, at),
    "section": lambda r, at, _: NAME_COLUMNS["section"](r, at),
    "authoritative": lambda r, at, _: NAME_COLUMNS["authoritative"](r, at),
    "values": lambda r, at, v: _texts_of(r, r.versions["rrset"][v]),
    "first_time": lambda r, at, v: _times(r.versions["first"][v]),
    "last_time": lambda r, at, v: _times(r.versions["last"][v]),
    "answers": lambda r, at, v: _numbers(r.versions["answers"][v], "u64"),
    "ttl_max": lambda r, at, v: _numbers(r.versions["ttl_max"][v], "u32"),
    "ttl": lambda r, at, v: _numbers(r.versions["ttl_last"][v], "u32"),
    "expires": lambda r, at, v: _times(r.versions["expires"][v]),
    "first_frame": lambda r, at, v: _numbers(r.versions["first_frame"][v] & FRAME, "u64"),
    "last_frame": lambda r, at, v: _numbers(r.versions["last_frame"][v] & FRAME, "u64"),
    "clients": _clients,
}
