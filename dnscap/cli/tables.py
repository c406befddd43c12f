"""The commands that print a table: messages, records, exchanges, lookups, connections, events, sources."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import click

from dnscap.cli.options import capture_arguments, open_capture, output_arguments, report_quality
from dnscap.schema import TABLES

if TYPE_CHECKING:
    from dnscap.reading import Capture

ENDINGS = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
           ".arrow": "arrow", ".feather": "arrow"}

SHOWN = {
    "messages": ["time", "src", "src_port", "dst", "dst_port", "id", "qr", "rcode", "qname", "qtype", "ancount", "size", "status"],
    "exchanges": ["time", "latency", "client", "server", "qname", "qtype", "outcome", "transport", "client_port", "id",
                  "transmission", "late", "ambiguous"],
    "lookups": ["lookup", "time", "duration", "client", "name", "qtypes", "outcome", "queries", "stub", "causes"],
    "connections": ["time", "client", "client_port", "server", "syns", "handshake", "queries", "responses", "end"],
    "events": ["time", "frame", "kind", "src", "quoted_src", "quoted_dst", "icmp", "qname", "octets"],
    "sources": ["name", "format", "interface", "link_type", "frames", "first_time", "last_time", "drops"],
}
"""Columns of the table form, where all would not fit a terminal; the other forms have every column."""


def _command(table: str, doc: str, example: str) -> click.Command:
    def run(form: str | None, output: str | None, where: str | None, columns: str | None, limit: int | None,
            **narrowing: Any) -> None:
        print_table(table, form, output, where, columns, limit, **narrowing)

    names = ", ".join(column.name for column in TABLES[table])
    run.__doc__ = f"{doc}\n\nColumns: {names}.\n\n\b\nExample:\n  {example}"
    return click.command(table)(capture_arguments(output_arguments(run)))


def print_table(
    table: str, form: str | None, output: str | None, where: str | None, columns: str | None, limit: int | None,
    **narrowing: Any,
) -> Capture:
    """Stream a table to standard output or a file; gives the capture for what is to be done with it afterwards."""
    from dnscap.messages.decoding import empty_table
    from dnscap.output import open_writer, output_stream

    captures = narrowing.pop("captures")
    if form is None:
        ending = "." + output.rpartition(".")[2].lower() if output and "." in output else ""
        form = ENDINGS.get(ending, "table" if output is None else "csv")
    wanted = [c.strip() for c in columns.split(",") if c.strip()] if columns else None
    if wanted is None and form == "table":
        wanted = SHOWN.get(table)
    capture = open_capture(captures, **narrowing)
    batches = capture.select(table, columns=wanted, where=where)
    first = next(batches, None)
    schema = first.schema if first is not None else empty_table(table, wanted).select(wanted or range(len(TABLES[table]))).schema
    with output_stream(output) as stream, open_writer(form, stream, schema, limit=limit) as writer:
        for batch in itertools.chain([first] if first is not None else [], batches):
            writer.write(batch)
            if writer.full:
                break
    report_quality(capture.quality_so_far)
    return capture


messages = _command(
    "messages", "One row per DNS message seen, malformed ones and repeated sightings included.",
    "dnscap messages slow.pcap --where \"qtype = 'AAAA' and rcode <> 'NOERROR'\" --format csv",
)
records = _command(
    "records", "One row per resource record, OPT excepted.",
    "dnscap records slow.pcap --name example.com --columns name,type,ttl,rdata",
)
exchanges = _command(
    "exchanges", "One row per query sent, retransmissions included, with the response that answered it; and one per response "
    "without a query. mDNS and LLMNR are left out: silence means nothing there.",
    "dnscap exchanges slow.pcap --where \"latency > interval '1 second' or outcome = 'unanswered'\"",
)
lookups = _command(
    "lookups", "One row per lookup of an application (one getaddrinfo call, say), gathered from all the queries it caused. "
    "The t_ columns sum to the duration.",
    "dnscap lookups slow.pcap --where \"duration > interval '1 second'\" --columns time,name,duration,causes",
)
connections = _command(
    "connections", "One row per TCP connection on DNS ports.",
    "dnscap connections slow.pcap --where \"\\\"end\\\" = 'refused'\"",
)
events = _command(
    "events", "ICMP errors with the query they quote, gaps in streams, fragments that never came together.",
    "dnscap events slow.pcap --format jsonl",
)
sources = _command(
    "sources", "One row per file section or interface: format, link type, frames, times, drops.",
    "dnscap sources traces/",
)
