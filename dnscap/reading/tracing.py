"""Everything about one name, out of a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnscap.clients.kept_rows import plain_rows
from dnscap.explain.trace import Delegation, Holder, events_of
from dnscap.explain.trace_text import Trace
from dnscap.names import NameRows
from dnscap.names.seen import (
    ADDITIONAL,
    ANSWER,
    AUTHORITATIVE,
    AUTHORITY,
    NO_CODE,
    NO_SOA,
    NXDOMAIN,
    RECURSIVE,
)

if TYPE_CHECKING:
    from dnscap.reading.capture import Capture

MOST_ALIASES = 16
"""Names in a chain that are followed: resolvers give up at about as many."""

MOST_EXCHANGES = 2_000
"""Exchanges of a trace: nobody reads more, and what they hold is kept in memory."""

_A, _NS, _CNAME, _AAAA = 1, 2, 5, 28

_COLUMNS = [
    *("exchange", "query", "response", "query_frame", "response_frame", "time", "latency"),
    *("client", "server", "qname", "qtype", "outcome", "rcode", "transmission"),
]


def trace(capture: Capture, name: str) -> Trace:
    """What happened to a name at every layer; see `Capture.trace`."""
    asked = name.lower().rstrip(".") + "."
    rows = capture.name_rows
    names = chain_of(rows, asked)
    exchanges, left_out = _exchanges(capture, names)
    resolutions = _about(capture, "resolutions", "exchange", {row["exchange"] for row in exchanges})
    known = {row["exchange"] for row in exchanges}
    upstream = {number for row in resolutions for number in row["upstream"] or ()} - known
    if upstream:
        # What was asked for the name's sake on the way down: the root, the zones above it.
        found = _about(capture, "exchanges", "exchange", set(sorted(upstream)[:MOST_EXCHANGES]), _COLUMNS)
        exchanges += found
    numbers = {row[which] for row in exchanges for which in ("query", "response") if row[which] is not None}
    flags = _about(capture, "messages", "message", numbers, ["message", "rd", "ra", "aa", "ede"])
    messages = {row["message"]: row for row in flags}
    records: dict[int, list[dict[str, Any]]] = {}
    responses = {row["response"] for row in exchanges if row["response"] is not None}
    wanted = ["message", "section", "name", "type", "ttl", "rdata"]
    for row in _about(capture, "records", "message", responses, wanted):
        records.setdefault(row["message"], []).append(row)
    published = {
        (rows.name_of(row), rows.type_of(row)): int(rows.ttl_full[row])
        for each in names
        for row in _rows_of(rows, each)
        if rows.section[row] == ANSWER and rows.rows["answers"][row]
    }
    events = events_of(exchanges, resolutions, messages, records, published)
    return Trace(asked, names, holders_of(rows, names), delegations_of(rows, names), events, left_out)


def chain_of(rows: NameRows, name: str) -> list[str]:
    """A name and those that it is an alias of, by whatever server."""
    names = [name]
    for each in names:
        for row in _rows_of(rows, each):
            if rows.type[row] == _CNAME and rows.section[row] == ANSWER:
                targets = [target for value in rows.history(row) for target in value.rdata]
                names += [target for target in dict.fromkeys(targets) if target not in names]
        del names[MOST_ALIASES:]
    return names


def holders_of(rows: NameRows, names: list[str]) -> list[Holder]:
    """What each server gave for each name and type, the zones' own servers first."""
    found = []
    for place, name in enumerate(names):
        for row in _rows_of(rows, name):
            values = rows.rows[row]
            given = int(values["answers"])
            if rows.section[row] != ANSWER or not (given or values["negatives"] or values["servfails"]):
                continue
            positive = bool(given) and values["last"] >= values["last_negative"]
            own = bool(values["flags"] & AUTHORITATIVE)
            role = "authoritative" if own else "resolver" if values["flags"] & RECURSIVE else "server"
            absent = None
            if not positive:
                failed = not values["negatives"]
                absent = "servfail" if failed else "nxdomain" if values["flags"] & NXDOMAIN else "nodata"
            keeps = positive or bool(values["negatives"] and not values["flags"] & NO_SOA)
            negative = int(values["negative_ttl"]), int(values["negative_until"])
            full, expires = (int(rows.ttl_full[row]), int(values["expires"])) if positive else negative
            zone = int(values["zone"])
            moments = [int(values[n]) for n in ("first", "first_negative", "failed") if values[n]]
            holder = Holder(
                server=rows.server_of(row),
                role=role,
                name=name,
                type=rows.type_of(row),
                values=list(max(rows.history(row), key=lambda v: v.last).rdata) if positive else [],
                absent=absent,
                ttl_full=full if keeps else None,
                first=min(moments, default=0),
                last=max(int(values[n]) for n in ("last", "last_negative", "failed")),
                expires=expires if keeps else None,
                answers=given,
                changes=int(values["changes"]),
                zone=None if positive or zone == NO_CODE else rows.names[zone].as_py(),
            )
            found.append(((place, not own, holder.type, holder.server), holder))
    return [holder for _, holder in sorted(found, key=lambda pair: pair[0])]


def delegations_of(rows: NameRows, names: list[str]) -> list[Delegation]:
    """How the zones above the names are delegated, from the top down."""
    zones = {"."}
    for name in names:
        labels = name.rstrip(".").split(".")
        zones |= {".".join(labels[place:]) + "." for place in range(len(labels))}
    found = []
    for zone in sorted(zones, key=lambda text: (0 if text == "." else text.count("."), text)):
        for row in _rows_of(rows, zone):
            values = rows.rows[row]
            if rows.type[row] != _NS or rows.section[row] != AUTHORITY or values["flags"] & AUTHORITATIVE:
                continue
            history = rows.history(row)
            if not history:
                continue
            last = max(history, key=lambda value: value.last)
            server = int(rows.server[row])
            addresses = {host: _glue(rows, host, server) for host in last.rdata}
            found.append(Delegation(zone, rows.server_of(row), list(last.rdata), addresses, last.ttl_max))
    return found


def _glue(rows: NameRows, host: str, server: int) -> list[str]:
    return [
        text
        for row in _rows_of(rows, host)
        if rows.section[row] == ADDITIONAL
        and int(rows.server[row]) == server
        and rows.type[row] in (_A, _AAAA)
        for value in rows.history(row)[-1:]
        for text in value.rdata
    ]


def _rows_of(rows: NameRows, name: str) -> list[int]:
    code = rows.code_of(name)
    found: list[int] = [] if code is None else (rows.name == code).nonzero()[0].tolist()
    return found


def _exchanges(capture: Capture, names: list[str]) -> tuple[list[dict[str, Any]], int]:
    quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    found: list[dict[str, Any]] = []
    left_out = 0
    for part in capture.select("exchanges", columns=_COLUMNS, where=f"qname in ({quoted})"):
        room = MOST_EXCHANGES - len(found)
        found += plain_rows(part.slice(0, room)) if room > 0 else []
        left_out += max(part.num_rows - max(room, 0), 0)
    return found, left_out


def _about(
    capture: Capture, table: str, key: str, numbers: set[int], columns: list[str] | None = None
) -> list[dict[str, Any]]:
    """Rows of a table whose key is one of some numbers."""
    if not numbers:
        return []
    where = f"{key} in ({', '.join(map(str, sorted(numbers)))})"
    return [row for part in capture.select(table, columns=columns, where=where) for row in plain_rows(part)]
