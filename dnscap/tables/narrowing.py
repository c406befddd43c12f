"""Early narrowing of a capture: a span of time, a client, a server, a name. Applied batch by batch."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dnscap.arrays import filled, numpy_of, scalar_of
from dnscap.errors import UsageError
from dnscap.messages.decoding import MessageBatch

Array = np.ndarray[Any, np.dtype[Any]]


def moment(text: str) -> int:
    """A point in time as nanoseconds since 1970, from RFC 3339 text (UTC if no offset is told) or seconds.

    Raises
    ------
    UsageError
        If the text is neither.

    Examples
    --------
    >>> moment("2024-05-01T12:00:00.5Z")
    1714564800500000000
    """
    if re.fullmatch(r"\d+(\.\d{1,9})?", text):
        seconds, _, part = text.partition(".")
        return int(seconds) * 10**9 + int(part.ljust(9, "0") or 0)
    parts = re.fullmatch(r"(.*?)(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?", text, re.IGNORECASE)
    try:
        assert parts is not None
        when = datetime.fromisoformat(parts[1] + (parts[3] or "").upper().replace("Z", "+00:00"))
    except (ValueError, AssertionError):
        raise UsageError(f"not a time: {text!r}; write 2024-05-01T12:00:00Z or seconds since 1970") from None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return int(when.timestamp()) * 10**9 + int((parts[2] or ".0")[1:].ljust(9, "0"))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise UsageError(f"not an address or network: {text!r}") from None


@dataclass(frozen=True)
class Narrowing:
    """What to keep of a capture; None keeps all.

    Attributes
    ----------
    since, until : str, optional
        Times, see `moment`; `until` is not included.
    client, server : str, optional
        Address or network of the side that asks, or answers.
    name : str, optional
        Domain name: it and all names under it.
    """

    since: str | None = None
    until: str | None = None
    client: str | None = None
    server: str | None = None
    name: str | None = None

    def __bool__(self) -> bool:
        return any((self.since, self.until, self.client, self.server, self.name))

    def check(self) -> None:
        """Raise UsageError now rather than in the middle of a capture."""
        for text in (self.since, self.until):
            if text:
                moment(text)
        for text in (self.client, self.server):
            if text:
                _network(text)

    def _in_span(self, rows: pa.RecordBatch) -> Array:
        """Mask of the rows whose time is kept."""
        keep = np.ones(rows.num_rows, dtype=bool)
        if self.since:
            keep &= _nanoseconds(rows.column("time")) >= moment(self.since)
        if self.until:
            keep &= _nanoseconds(rows.column("time")) < moment(self.until)
        return keep

    def keeps(self, batch: MessageBatch) -> Array:
        """Mask of the messages to keep."""
        columns = batch.to_arrow("messages", ["time", "src", "dst", "qr", "qname"])
        keep = self._in_span(columns)
        if self.client or self.server:
            response = numpy_of(filled(columns.column("qr"), False))
            for text, side, other in ((self.client, "src", "dst"), (self.server, "dst", "src")):
                if text:
                    network = _network(text)
                    asked, answered = columns.column(side), columns.column(other)
                    keep &= np.where(response, _within(answered, network), _within(asked, network))
        if self.name:
            keep &= _under(columns.column("qname"), self.name)
        return keep

    def keeps_around(self, table: str, rows: pa.RecordBatch) -> Array:
        """Mask of the connections or events to keep.

        A connection is kept if it lasted into the span of time; it has no name, so `name` does not narrow
        connections. An event is kept by the packet that it concerns; one without a question has no name and
        goes where a name is asked for.
        """
        keep = np.ones(rows.num_rows, dtype=bool)
        last = "end_time" if table == "connections" else "time"
        if self.since:
            keep &= _nanoseconds(rows.column(last)) >= moment(self.since)
        if self.until:
            keep &= _nanoseconds(rows.column("time")) < moment(self.until)
        if table == "connections":
            for text, side in ((self.client, "client"), (self.server, "server")):
                if text:
                    keep &= _within(rows.column(side), _network(text))
            return keep
        if self.client or self.server:
            response = rows.column("qr")
            sent = ~numpy_of(filled(response, True))
            answered = numpy_of(filled(response, True))
            # Of a packet whose question is not known either end may be the client.
            sent |= numpy_of(pc.is_null(response))
            for text, near, far in ((self.client, sent, answered), (self.server, answered, sent)):
                if text:
                    network = _network(text)
                    keep &= near & _concerned(rows, "src", network) | far & _concerned(rows, "dst", network)
        if self.name:
            keep &= _under(rows.column("qname").dictionary_encode(), self.name)
        return keep

    @property
    def exchange_columns(self) -> list[str]:
        """Columns of the exchanges table that `keeps_exchanges` reads."""
        needs = {
            "time": self.since or self.until,
            "client": self.client,
            "server": self.server,
            "qname": self.name,
        }
        return [column for column, needed in needs.items() if needed]

    def keeps_exchanges(self, rows: pa.RecordBatch) -> Array:
        """Mask of the exchanges to keep."""
        keep = self._in_span(rows)
        if self.client:
            keep &= _within(rows.column("client"), _network(self.client))
        if self.server:
            keep &= _within(rows.column("server"), _network(self.server))
        if self.name:
            keep &= _under(rows.column("qname"), self.name)
        return keep

    @property
    def resolution_columns(self) -> list[str]:
        """Columns of the resolutions table that `keeps_resolutions` reads."""
        return ["resolver" if column == "server" else column for column in self.exchange_columns]

    def keeps_resolutions(self, rows: pa.RecordBatch) -> Array:
        """Mask of the resolutions to keep."""
        keep = self._in_span(rows)
        if self.client:
            keep &= _within(rows.column("client"), _network(self.client))
        if self.server:
            keep &= _within(rows.column("resolver"), _network(self.server))
        if self.name:
            keep &= _under(rows.column("qname").dictionary_encode(), self.name)
        return keep

    @property
    def lookup_columns(self) -> list[str]:
        """Columns of the lookups table that `keeps_lookups` reads."""
        needs = {
            "time": self.since or self.until,
            "client": self.client,
            "servers": self.server,
            "name": self.name,
        }
        return [column for column, needed in needs.items() if needed]

    def keeps_lookups(self, rows: pa.RecordBatch) -> Array:
        """Mask of the lookups to keep."""
        keep = self._in_span(rows)
        if self.client:
            keep &= _within(rows.column("client"), _network(self.client))
        if self.server:
            lists = rows.column("servers")
            asked = _within(lists.flatten().dictionary_encode(), _network(self.server))
            keep &= np.isin(np.arange(rows.num_rows), numpy_of(pc.list_parent_indices(lists))[asked])
        if self.name:
            keep &= _under(rows.column("name").dictionary_encode(), self.name)
        return keep


def _nanoseconds(column: pa.Array) -> Array:
    values: Array = numpy_of(column.cast(pa.int64()))
    return values


def _concerned(rows: pa.RecordBatch, side: str, network: Any) -> Array:
    """Whether an end of the packet concerned (of the frame, where none is quoted) is in a network."""
    quoted = rows.column(f"quoted_{side}")
    known: Array = numpy_of(pc.is_valid(quoted))
    return np.where(known, _within(quoted, network), _within(rows.column(side), network))


def _per_code(column: pa.DictionaryArray, meets: Any) -> Array:
    codes = numpy_of(filled(column.indices, -1))
    texts = column.dictionary.to_pylist()
    known = np.array([text is not None and meets(text) for text in texts] + [False], dtype=bool)
    result: Array = known[codes]
    return result


def _within(column: pa.DictionaryArray, network: Any) -> Array:
    def meets(text: str) -> bool:
        address = ipaddress.ip_address(text)
        return address.version == network.version and address in network

    return _per_code(column, meets)


def _under(column: pa.DictionaryArray, name: str) -> Array:
    wanted = name.lower().rstrip(".") + "."
    if wanted == ".":
        return np.ones(len(column), dtype=bool)
    names = column.dictionary
    matches = pc.or_(pc.equal(names, scalar_of(wanted, names.type)), pc.ends_with(names, "." + wanted))
    known = np.append(numpy_of(matches), False)
    codes = numpy_of(filled(column.indices, -1))
    result: Array = known[codes]
    return result
