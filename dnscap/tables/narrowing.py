"""Early narrowing of a capture: a span of time, a client, a server, a name. Applied to each batch of messages."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dnscap.errors import UsageError
from dnscap.messages.decoding import MessageBatch

Array = np.ndarray[Any, np.dtype[Any]]


def moment(text: str) -> int:
    """A point in time as nanoseconds since the epoch, from RFC 3339 text (UTC where no offset is told) or epoch seconds.

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

    def keeps(self, batch: MessageBatch) -> Array:
        """Mask of the messages to keep."""
        columns = batch.to_arrow("messages", ["time", "src", "dst", "qr", "qname"])
        keep = np.ones(batch.messages, dtype=bool)
        if self.since or self.until:
            time = columns.column("time").cast(pa.int64()).to_numpy(zero_copy_only=False)
            if self.since:
                keep &= time >= moment(self.since)
            if self.until:
                keep &= time < moment(self.until)
        if self.client or self.server:
            response = pc.fill_null(columns.column("qr"), False).to_numpy(zero_copy_only=False)
            for text, side, other in ((self.client, "src", "dst"), (self.server, "dst", "src")):
                if text:
                    network = _network(text)
                    keep &= np.where(
                        response, _within(columns.column(other), network), _within(columns.column(side), network)
                    )
        if self.name:
            keep &= _under(columns.column("qname"), self.name)
        return keep


    @property
    def exchange_columns(self) -> list[str]:
        """Columns of the exchanges table that `keeps_exchanges` reads."""
        needs = {"time": self.since or self.until, "client": self.client, "server": self.server, "qname": self.name}
        return [column for column, needed in needs.items() if needed]

    def keeps_exchanges(self, rows: pa.RecordBatch) -> Array:
        """Mask of the exchanges to keep."""
        keep = np.ones(rows.num_rows, dtype=bool)
        if self.since or self.until:
            time = rows.column("time").cast(pa.int64()).to_numpy(zero_copy_only=False)
            if self.since:
                keep &= time >= moment(self.since)
            if self.until:
                keep &= time < moment(self.until)
        if self.client:
            keep &= _within(rows.column("client"), _network(self.client))
        if self.server:
            keep &= _within(rows.column("server"), _network(self.server))
        if self.name:
            keep &= _under(rows.column("qname"), self.name)
        return keep


def _per_code(column: pa.DictionaryArray, meets: Any) -> Array:
    codes = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False)
    known = np.array([meets(text) for text in column.dictionary.to_pylist()] + [False], dtype=bool)
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
    matches = pc.or_(pc.equal(names, wanted), pc.ends_with(names, "." + wanted))
    known = np.append(matches.to_numpy(zero_copy_only=False), False)
    codes = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False)
    result: Array = known[codes]
    return result
