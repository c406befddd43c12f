"""Native columns of a batch of exchanges as Arrow arrays: one function per column of the exchanges table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dnscap import registry
from dnscap.arrays import array_of, without_columns
from dnscap.messages.arrow import ARROW_TYPES, NO_CODE, Validity, coded, except_where, flag, numbered, plain

if TYPE_CHECKING:
    from dnscap.native.exchange_rows import ExchangeBatch as NativeBatch

Array = np.ndarray[Any, np.dtype[Any]]

OUTCOMES = (
    "",
    "answer",
    "nodata",
    "nxdomain",
    "referral",
    "truncated",
    "servfail",
    "refused",
    "formerr",
    "notimp",
    "other-rcode",
    "unreachable",
    "unanswered",
    "unfinished",
    "unsolicited",
    "duplicate",
)
"""Outcomes in the order of their native numbers."""

ROLES = (
    "",
    "primary",
    "companion",
    "search",
    "retransmission",
    "failover",
    "tcp-fallback",
    "edns-fallback",
    "parallel",
    "chase",
)
"""Roles in a lookup in the order of their native numbers."""

LATE, AMBIGUOUS, EDNS, NO_OPT_BACK, NO_QUESTION = 1, 2, 4, 2048, 16384
NO_LOOKUP = 0xFFFFFFFFFFFFFFFF

_OUTCOMES = array_of(OUTCOMES, pa.string())
_ROLES = array_of(ROLES, pa.string())
_TRANSPORTS = array_of(["udp", "tcp"], pa.string())


def _values(b: NativeBatch, name: str) -> Array:
    return np.asarray(memoryview(b.column(name)))


def _texts(count: int, offsets: Any, text: Any) -> pa.Array:
    return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])


class Picked:
    """Some rows of a native batch, read as if they were one.

    Parameters
    ----------
    batch : NativeBatch
        The batch.
    rows : array of uint32
        Which rows.
    """

    def __init__(self, batch: NativeBatch, rows: Array) -> None:
        self.batch = batch
        self.rows = rows
        self.dictionary = batch.dictionary
        self.first_exchange = batch.first_exchange
        self.exchanges = len(rows)

    def column(self, name: str) -> Array:
        """A column of the rows, by native name."""
        picked: Array = _values(self.batch, name)[self.rows]
        return picked


Column = Callable[[Any], pa.Array]


def _number(name: str, type_: pa.DataType) -> Column:
    return lambda b: plain(_values(b, name), type_)


def _duration(name: str) -> Column:
    def column(b: NativeBatch) -> pa.Array:
        values = _values(b, name)
        return plain(values, ARROW_TYPES["duration"], except_where(values < 0))

    return column


def _with(message: str, name: str, type_: pa.DataType) -> Column:
    """A column that only rows with a query, or with a response, have."""
    return lambda b: plain(_values(b, name), type_, except_where(_values(b, message) == NO_CODE))


def _address(name: str) -> Column:
    return lambda b: coded(_values(b, name), _texts(*b.dictionary.addresses_view()))


def _flag(bit: int) -> Column:
    return lambda b: flag(_values(b, "flags"), bit)


def _edns(b: NativeBatch) -> pa.Array:
    return flag(_values(b, "flags"), EDNS, except_where(_values(b, "query") == NO_CODE))


def _response_edns(b: NativeBatch) -> pa.Array:
    """Told only of responses to queries with EDNS: to others a server says nothing of it (RFC 6891 section 7)."""
    flags = _values(b, "flags")
    lacking = (_values(b, "response") == NO_CODE) | (flags & EDNS == 0)
    return array_of((flags & NO_OPT_BACK) == 0, lacking=lacking)


def _without_question(b: NativeBatch) -> Validity:
    return except_where((_values(b, "flags") & NO_QUESTION) != 0)


def _exchange(b: NativeBatch | Picked) -> pa.Array:
    if isinstance(b, Picked):
        return plain(b.first_exchange + b.rows.astype(np.uint64), pa.uint64())
    return plain(np.arange(b.first_exchange, b.first_exchange + b.exchanges, dtype=np.uint64), pa.uint64())


def _qname(b: NativeBatch) -> pa.Array:
    codes = _values(b, "qname")
    return coded(codes, _texts(*b.dictionary.names_view()), except_where(codes == NO_CODE))


def _rcode(b: NativeBatch) -> pa.Array:
    return numbered(_values(b, "rcode"), registry.rcode_name, except_where(_values(b, "response") == NO_CODE))


def _lookup(b: NativeBatch) -> pa.Array:
    values = _values(b, "lookup")
    return plain(values, pa.uint64(), except_where(values == NO_LOOKUP))


def _role(b: NativeBatch) -> pa.Array:
    roles = _values(b, "role")
    return coded(roles, _ROLES, except_where(roles == 0))


EXCHANGE_COLUMNS: dict[str, Column] = {
    "exchange": _exchange,
    "query": _with("query", "query", pa.uint32()),
    "response": _with("response", "response", pa.uint32()),
    "query_frame": _with("query", "query_frame", pa.uint64()),
    "response_frame": _with("response", "response_frame", pa.uint64()),
    "time": _number("time", ARROW_TYPES["time"]),
    "latency": _duration("latency"),
    "latency_min": _duration("latency_min"),
    "latency_max": _duration("latency_max"),
    "client": _address("client"),
    "client_port": _number("client_port", pa.uint16()),
    "server": _address("server"),
    "server_port": _number("server_port", pa.uint16()),
    "transport": lambda b: coded(_values(b, "transport"), _TRANSPORTS),
    "id": _number("id", pa.uint16()),
    "qname": _qname,
    "qtype": lambda b: numbered(_values(b, "qtype"), registry.rrtype_name, _without_question(b)),
    "qclass": lambda b: numbered(_values(b, "qclass"), registry.class_name, _without_question(b)),
    "outcome": lambda b: coded(_values(b, "outcome"), _OUTCOMES),
    "rcode": _rcode,
    "transmission": _number("transmission", pa.uint32()),
    "responses": _number("responses", pa.uint32()),
    "late": _flag(LATE),
    "ambiguous": _flag(AMBIGUOUS),
    "tcp_rtt": _duration("tcp_rtt"),
    "edns": _edns,
    "response_edns": _response_edns,
    "query_size": _with("query", "query_size", pa.uint32()),
    "response_size": _with("response", "response_size", pa.uint32()),
    "lookup": _lookup,
    "role": _role,
}


def exchange_batch(b: NativeBatch | Picked, columns: Sequence[str] | None = None) -> pa.RecordBatch:
    """The asked-for columns of a batch of exchanges, in table order."""
    names = [name for name in EXCHANGE_COLUMNS if columns is None or name in columns]
    if names:
        return pa.RecordBatch.from_arrays([EXCHANGE_COLUMNS[name](b) for name in names], names=names)
    return without_columns(b.exchanges)
