"""Rows of the exchanges and lookups tables written by hand, as record batches."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from dnscap.messages.arrow import ARROW_TYPES
from dnscap.schema import CONNECTIONS, EXCHANGES, LOOKUPS, Column

MS = 1_000_000
SECOND = 1_000_000_000
NOON = 1_700_049_600 * SECOND
"""2023-11-15 12:00:00 UTC."""

BUDGET = (
    "t_answer",
    "t_search",
    "t_timeout",
    "t_failed_server",
    "t_truncation",
    "t_edns",
    "t_serial",
    "t_gap",
)


def exchange(number: int, at: int, **told: Any) -> dict[str, Any]:
    """A row of the exchanges table: A of www.example.com. answered after 2 ms, unless told otherwise."""
    row: dict[str, Any] = {
        "exchange": number,
        "query": 2 * number,
        "response": 2 * number + 1,
        "query_frame": 2 * number + 1,
        "response_frame": 2 * number + 2,
        "time": NOON + at,
        "latency": 2 * MS,
        "client": "10.0.0.7",
        "client_port": 40_000 + number,
        "server": "10.0.0.53",
        "server_port": 53,
        "transport": "udp",
        "id": number + 100,
        "qname": "www.example.com.",
        "qtype": "A",
        "qclass": "IN",
        "outcome": "answer",
        "rcode": "NOERROR",
        "transmission": 1,
        "responses": 1,
        "late": False,
        "ambiguous": False,
        "query_size": 33,
        "response_size": 49,
        "role": "primary",
        "edns": False,
        "response_edns": None,
    }
    row.update(told)
    if row["outcome"] in ("unanswered", "unfinished", "unreachable") and "latency" not in told:
        row.update(latency=None, response=None, response_frame=None, rcode=None, responses=0)
    return row


def lookup(number: int, at: int = 0, **told: Any) -> dict[str, Any]:
    """A row of the lookups table: quick and fine, unless told otherwise; the rest is the useful wait."""
    row: dict[str, Any] = {
        "lookup": number,
        "time": NOON + at,
        "duration": 2 * MS,
        "end_basis": "packet",
        "client": "10.0.0.7",
        "name": "www.example.com.",
        "name_certain": True,
        "qtypes": ["A", "AAAA"],
        "outcome": "ok",
        "final_name": "www.example.com.",
        "answers": ["192.0.2.1"],
        "cname_chain": [],
        "candidates": ["www.example.com."],
        "queries": 2,
        "wasted_queries": 0,
        "retransmissions": 0,
        "failovers": 0,
        "servers": ["10.0.0.53"],
        "tcp_fallback": False,
        "edns_fallback": False,
        "stub": "glibc",
        "causes": [],
    }
    row.update(told)
    row.setdefault("duration_min", row["duration"])
    row.setdefault("duration_max", row["duration"])
    for name in BUDGET:
        row.setdefault(name, 0)
    row["t_answer"] += row["duration"] - sum(row[name] for name in BUDGET)
    return row


def batch_of(rows: list[dict[str, Any]], columns: tuple[Column, ...]) -> pa.RecordBatch:
    """Rows as a record batch with the declared types."""
    arrays, fields = [], []
    for column in columns:
        kind = ARROW_TYPES[column.kind]
        plain = pa.string() if column.kind == "category" else kind
        array = pa.array([row.get(column.name) for row in rows], plain)
        arrays.append(array.dictionary_encode().cast(kind) if column.kind == "category" else array)
        fields.append(pa.field(column.name, kind))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def lookups(*rows: dict[str, Any]) -> pa.RecordBatch:
    """A batch of the lookups table."""
    return batch_of(list(rows), LOOKUPS)


def exchanges(*rows: dict[str, Any]) -> pa.RecordBatch:
    """A batch of the exchanges table."""
    return batch_of(list(rows), EXCHANGES)


def connections(*rows: dict[str, Any]) -> pa.RecordBatch:
    """A batch of the connections table."""
    return batch_of(list(rows), CONNECTIONS)
