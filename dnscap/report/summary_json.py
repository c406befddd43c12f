"""A summary as JSON: times in RFC 3339 UTC, durations in seconds, what is not known null."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, TextIO

from dnscap.native.decoder import statuses
from dnscap.report.summary import Input, Summary, Top


def write_json(summary: Summary, stream: TextIO) -> None:
    """Write a summary as one JSON object."""
    json.dump(as_json(summary), stream, indent=2, ensure_ascii=False)
    stream.write("\n")


def as_json(summary: Summary) -> dict[str, Any]:
    """A summary as the object that is written: plain dicts, lists, numbers and texts."""
    meanings = dict(statuses())
    duration = summary.duration
    return {
        "inputs": [_input(item) for item in summary.inputs],
        "first_time": rfc3339(summary.first_time),
        "last_time": rfc3339(summary.last_time),
        "duration": in_seconds(duration),
        "messages": {
            "total": summary.messages,
            "queries": summary.queries,
            "responses": summary.responses,
            "sightings": summary.sightings,
            "without_header": summary.headless,
            "octets": summary.octets,
            "per_second": summary.messages * 1e9 / duration if duration else None,
            "peak_per_second": summary.peak[1] if summary.peak else None,
            "peak_time": rfc3339(summary.peak[0]) if summary.peak else None,
            "transports": summary.transports,
            "opcodes": summary.opcodes,
            "mixed_case": summary.mixed_case,
            "multicast": {
                kind: {"queries": queries, "responses": responses}
                for kind, (queries, responses) in summary.multicast.items()
            },
        },
        "clients": _top(summary.clients, "client", "failures"),
        "servers": _top(summary.servers, "server", "failures"),
        "names": _top(summary.names, "name", "nxdomain"),
        "types": {"queries": summary.types, "responses": summary.type_responses},
        "rcodes": summary.rcodes,
        "edns": {
            "queries": summary.edns.queries,
            "responses": summary.edns.responses,
            "do": summary.edns.do,
            "udp_sizes": summary.edns.udp_sizes,
        },
        "truncated": summary.truncated,
        "largest_response": summary.largest_response or None,
        "exchanges": {
            "total": summary.exchanges.total,
            "outcomes": summary.exchanges.outcomes,
            "with_latency": summary.exchanges.latencies,
            "latency": {f"p{percent}": value / 1e9 for percent, value in summary.exchanges.latency.items()},
            "latency_max": in_seconds(summary.exchanges.latency_max),
        },
        "connections": {
            "total": summary.connections.total,
            "ends": summary.connections.ends,
            "queries": summary.connections.queries,
            "responses": summary.connections.responses,
            "gap_octets": summary.connections.gap_octets,
            "retransmissions": summary.connections.retransmissions,
        },
        "events": summary.events,
        "statuses": [
            {"status": status, "count": count, "meaning": meanings[status]}
            for status, count in summary.statuses.items()
        ],
        "quality": {
            "drops": summary.drops,
            "counts": summary.quality,
            "notes": summary.notes,
            "faults": summary.faults,
        },
    }


def _input(item: Input) -> dict[str, Any]:
    return {
        "name": item.name,
        "format": item.format,
        "interface": item.interface,
        "link_type": item.link_type,
        "snaplen": item.snaplen,
        "frames": item.frames,
        "first_time": rfc3339(item.first_time),
        "last_time": rfc3339(item.last_time),
        "drops": item.drops,
    }


def _top(top: Top, what: str, third: str) -> dict[str, Any]:
    return {
        "distinct": top.distinct,
        "distinct_exact": top.distinct_exact,
        "top": [
            {
                what: row.text,
                "queries": row.counts[0],
                "responses": row.counts[1],
                third: row.counts[2],
                "may_be_more_by": row.error,
            }
            for row in top.rows
        ],
    }


def in_seconds(nanoseconds: int | None) -> float | None:
    """A duration in seconds."""
    return None if nanoseconds is None else nanoseconds / 1e9


def rfc3339(nanoseconds: int | None) -> str | None:
    """A time in UTC with nine decimals; None where no calendar has it."""
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, 10**9)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
