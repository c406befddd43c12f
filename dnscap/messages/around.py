"""What surrounds the messages: TCP connections and events as Arrow tables."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dnscap import registry
from dnscap.arrays import array_of
from dnscap.messages.arrow import ALL, ARROW_TYPES, coded, except_where, plain
from dnscap.native.messages import question_text

if TYPE_CHECKING:
    from dnscap.native.decoder import Batch

Array = np.ndarray[Any, np.dtype[Any]]

# The native structs field by field; `align=True` lays them out as a C compiler does.
CONNECTION = np.dtype(
    [
        ("client", "V16"),
        ("server", "V16"),
        ("time", "i8"),
        ("end_time", "i8"),
        ("handshake", "i8"),
        ("first_frame", "u8"),
        ("last_frame", "u8"),
        ("octets_to_server", "u8"),
        ("octets_to_client", "u8"),
        ("gap_octets", "u8"),
        ("stream", "u4"),
        ("source", "u4"),
        ("syns", "u4"),
        ("retransmissions", "u4"),
        ("out_of_order", "u4"),
        ("queries", "u4"),
        ("responses", "u4"),
        ("client_port", "u2"),
        ("server_port", "u2"),
        ("end", "u1"),
        ("ip_version", "u1"),
    ],
    align=True,
)
EVENT = np.dtype(
    [
        ("time", "i8"),
        ("frame", "u8"),
        ("src", "V16"),
        ("dst", "V16"),
        ("quoted_src", "V16"),
        ("quoted_dst", "V16"),
        ("source", "u4"),
        ("stream", "u4"),
        ("octets", "u4"),
        ("quoted_src_port", "u2"),
        ("quoted_dst_port", "u2"),
        ("code", "u2"),
        ("quote_size", "u2"),
        ("kind", "u1"),
        ("transport", "u1"),
        ("quote", "V292"),
    ],
    align=True,
)

ENDS = ("open", "fin", "reset", "refused", "unanswered", "idle", "evicted")
KINDS = (
    "icmp-error",
    "arp-failure",
    "fragments-expired",
    "fragments-overlap",
    "stream-gap",
    "stream-evicted",
    "fragments-evicted",
)
ICMP = {
    (4, 3, 0): "net-unreachable",
    (4, 3, 1): "host-unreachable",
    (4, 3, 2): "protocol-unreachable",
    (4, 3, 3): "port-unreachable",
    (4, 3, 4): "packet-too-big",
    (4, 3, 9): "net-prohibited",
    (4, 3, 10): "host-prohibited",
    (4, 3, 13): "admin-prohibited",
    (4, 11, 0): "time-exceeded",
    (4, 11, 1): "reassembly-time-exceeded",
    (6, 1, 0): "no-route",
    (6, 1, 1): "admin-prohibited",
    (6, 1, 3): "host-unreachable",
    (6, 1, 4): "port-unreachable",
    (6, 1, 5): "source-policy",
    (6, 1, 6): "route-rejected",
    (6, 2, 0): "packet-too-big",
    (6, 3, 0): "time-exceeded",
    (6, 3, 1): "reassembly-time-exceeded",
}
"""ICMP errors by IP version, type and code."""


def _structs(view: Any, size: int, dtype: np.dtype[Any]) -> Array:
    if size != dtype.itemsize:
        raise RuntimeError(
            f"native struct of {size} octets, {dtype.itemsize} declared: rebuild the extensions"
        )
    return np.frombuffer(view, dtype=dtype)


@lru_cache(maxsize=1 << 16)
def address_text(octets: bytes) -> str:
    """Sixteen octets as an address; IPv4-mapped ones as IPv4."""
    address = ipaddress.IPv6Address(octets)
    return str(address.ipv4_mapped or address)


def _addresses(column: Array, *, nullable: bool = False) -> pa.Array:
    distinct, codes = np.unique(column, return_inverse=True)
    raw = [bytes(value) for value in distinct]
    texts = array_of([address_text(value) for value in raw], pa.string())
    empty = np.array([value == bytes(16) for value in raw], dtype=bool)
    valid = except_where(empty[codes]) if nullable and len(raw) else ALL
    return coded(codes.astype(np.uint32), texts, valid)


def _vocabulary(codes: Array, words: tuple[str, ...]) -> pa.Array:
    return coded(codes, array_of(words, pa.string()))


def _made(makers: dict[str, Callable[[], pa.Array]], columns: Sequence[str] | None) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {name: make() for name, make in makers.items() if columns is None or name in columns}
    )


class Surroundings:
    """Connections and events of many batches, offered as one batch offers its own."""

    def __init__(self) -> None:
        self._connections: list[bytes] = []
        self._events: list[bytes] = []

    def __bool__(self) -> bool:
        return bool(self._events)

    def add(self, batch: Batch) -> None:
        """Keep what ended during a batch."""
        self._connections.append(bytes(batch.connections()[0]))
        self._events.append(bytes(batch.events()[0]))

    def connections(self) -> tuple[bytes, int]:
        """Octets of all rows, and of one."""
        return b"".join(self._connections), CONNECTION.itemsize

    def events(self) -> tuple[bytes, int]:
        """Octets of all rows, and of one."""
        return b"".join(self._events), EVENT.itemsize


def connection_rows(batch: Batch | Surroundings) -> Array:
    """Connections that ended during a batch, as native rows of `CONNECTION`."""
    view, size = batch.connections()
    return _structs(view, size, CONNECTION)


def connections(batch: Batch | Surroundings, columns: Sequence[str] | None = None) -> pa.RecordBatch:
    """Connections that ended during a batch; only the columns asked for are made."""
    rows = connection_rows(batch)
    makers: dict[str, Callable[[], pa.Array]] = {
        "stream": lambda: plain(rows["stream"].copy(), pa.uint32()),
        "source": lambda: plain(rows["source"].copy(), pa.uint32()),
        "time": lambda: plain(rows["time"].copy(), ARROW_TYPES["time"]),
        "end_time": lambda: plain(rows["end_time"].copy(), ARROW_TYPES["time"]),
        "first_frame": lambda: plain(rows["first_frame"].copy(), pa.uint64()),
        "last_frame": lambda: plain(rows["last_frame"].copy(), pa.uint64()),
        "client": lambda: _addresses(rows["client"]),
        "client_port": lambda: plain(rows["client_port"].copy(), pa.uint16()),
        "server": lambda: _addresses(rows["server"]),
        "server_port": lambda: plain(rows["server_port"].copy(), pa.uint16()),
        "syns": lambda: plain(rows["syns"].copy(), pa.uint32()),
        "handshake": lambda: plain(
            rows["handshake"].copy(), ARROW_TYPES["duration"], except_where(rows["handshake"] < 0)
        ),
        "end": lambda: _vocabulary(rows["end"], ENDS),
        "queries": lambda: plain(rows["queries"].copy(), pa.uint32()),
        "responses": lambda: plain(rows["responses"].copy(), pa.uint32()),
        "octets_to_server": lambda: plain(rows["octets_to_server"].copy(), pa.uint64()),
        "octets_to_client": lambda: plain(rows["octets_to_client"].copy(), pa.uint64()),
        "gap_octets": lambda: plain(rows["gap_octets"].copy(), pa.uint64()),
        "retransmissions": lambda: plain(rows["retransmissions"].copy(), pa.uint32()),
        "out_of_order": lambda: plain(rows["out_of_order"].copy(), pa.uint32()),
    }
    return _made(makers, columns)


def _icmp_text(row: Any) -> str | None:
    if row["kind"] != 0:
        return None
    # IPv4 addresses are kept mapped, which tells the ICMP version apart
    version = 4 if bytes(row["quoted_src"])[:12] == bytes(10) + b"\xff\xff" else 6
    kind, code = int(row["code"]) >> 8, int(row["code"]) & 255
    return ICMP.get((version, kind, code), f"type {kind} code {code}")


def event_kinds(batch: Batch) -> Array:
    """Kinds of the events noted during a batch, as places in `KINDS`."""
    kinds: Array = _structs(*batch.events(), EVENT)["kind"]
    return kinds


def events(batch: Batch | Surroundings, first: int, columns: Sequence[str] | None = None) -> pa.RecordBatch:
    """Events noted during a batch, numbered from `first`; only the columns asked for are made."""
    view, size = batch.events()
    rows = _structs(view, size, EVENT)

    @cache
    def quotes() -> list[bytes]:
        return [bytes(row["quote"])[: int(row["quote_size"])] for row in rows]

    @cache
    def questions() -> list[tuple[str | None, int | None]]:
        return [question_text(quote) for quote in quotes()]

    has_port = rows["quoted_src_port"] != 0
    makers: dict[str, Callable[[], pa.Array]] = {
        "event": lambda: array_of(range(first, first + len(rows)), pa.uint32()),
        "time": lambda: plain(rows["time"].copy(), ARROW_TYPES["time"]),
        "frame": lambda: plain(rows["frame"].copy(), pa.uint64()),
        "source": lambda: plain(rows["source"].copy(), pa.uint32()),
        "kind": lambda: _vocabulary(rows["kind"], KINDS),
        "src": lambda: _addresses(rows["src"], nullable=True),
        "dst": lambda: _addresses(rows["dst"], nullable=True),
        "icmp": lambda: array_of([_icmp_text(row) for row in rows], pa.string()).dictionary_encode(),
        "transport": lambda: coded(
            rows["transport"], array_of(["udp", "tcp"], pa.string()), except_where(~has_port)
        ),
        "quoted_src": lambda: _addresses(rows["quoted_src"], nullable=True),
        "quoted_src_port": lambda: plain(
            rows["quoted_src_port"].copy(), pa.uint16(), except_where(~has_port)
        ),
        "quoted_dst": lambda: _addresses(rows["quoted_dst"], nullable=True),
        "quoted_dst_port": lambda: plain(
            rows["quoted_dst_port"].copy(), pa.uint16(), except_where(~has_port)
        ),
        "id": lambda: array_of(
            [int.from_bytes(q[:2]) if len(q) >= 2 else None for q in quotes()], pa.uint16()
        ),
        "qr": lambda: array_of([bool(q[2] & 0x80) if len(q) >= 3 else None for q in quotes()], pa.bool_()),
        "qname": lambda: array_of([name for name, _ in questions()], pa.large_string()),
        "qtype": lambda: array_of(
            [None if number is None else registry.rrtype_name(number) for _, number in questions()],
            pa.string(),
        ).dictionary_encode(),
        "stream": lambda: plain(
            rows["stream"].copy(), pa.uint32(), except_where(rows["stream"] == 0xFFFFFFFF)
        ),
        "octets": lambda: plain(rows["octets"].copy(), pa.uint32(), except_where(rows["octets"] == 0)),
    }
    return _made(makers, columns)
