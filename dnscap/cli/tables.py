"""The commands that print a table: messages, records, exchanges, lookups, resolutions, connections, events, sources."""

from __future__ import annotations

import itertools
import sys
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

from dnscap.cli.options import capture_arguments, open_capture, output_arguments, report_quality
from dnscap.errors import UsageError
from dnscap.schema import TABLES

if TYPE_CHECKING:
    from dnscap.reading import Capture

ENDINGS = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
"""Format by ending of the output file."""

BINARY = ("parquet", "arrow")

SHOWN = {
    table: columns.split()
    for table, columns in {
        "messages": "time src dst qr qname qtype rcode id src_port dst_port transport ancount size status",
        "records": "message section name type ttl rdata class",
        "exchanges": "time latency client server qname qtype outcome transport id transmission late",
        "lookups": "lookup time duration name qtypes outcome causes client queries stub",
        "resolutions": "time latency client resolver qname qtype cache rcode probability upstream_time start_depth",
        "connections": "time client server end queries responses syns handshake client_port gap_octets",
        "events": "time kind icmp quoted_src quoted_dst qname qtype octets frame",
        "findings": "severity id lookups cost_seconds title",
        "servers": "server queries answered unanswered latency_p50 latency_p99 failovers role",
        "clients": "client stub lookups failed duration_p50 timeout nameservers search",
        "names": "name type server ttl_full values answers changes absent expires section negatives",
        "rrsets": "name type server first_time last_time values ttl answers clients section",
        "sources": "name link_type frames first_time last_time format interface snaplen drops",
    }.items()
}
"""Columns of the table form, the ones to leave out first where there is no room last; the other forms have
every column."""


def _command(table: str, doc: str, example: str, narrowed: str = "") -> click.Command:
    def run(
        form: str | None,
        output: str | None,
        where: str | None,
        columns: str | None,
        limit: int | None,
        captures: tuple[str, ...],
        **narrowing: Any,
    ) -> None:
        print_table(
            table, captures, form=form, output=output, where=where, columns=columns, limit=limit, **narrowing
        )

    names = ", ".join(column.name for column in TABLES[table])
    parts = [doc, narrowed, f"Columns: {names}.", f"\b\nExample:\n  {example}"]
    run.__doc__ = "\n\n".join(part for part in parts if part)
    return click.command(table)(capture_arguments(output_arguments(run)))


def _form_of(output: str) -> str:
    """The format that the ending of a file asks for; CSV where it has none."""
    ending = PurePath(output).suffix.lower()
    if ending and ending not in ENDINGS:
        raise UsageError(f"{output}: no format has this ending; use {', '.join(ENDINGS)}, or --format")
    return ENDINGS.get(ending, "csv")


def print_table(
    table: str,
    captures: tuple[str, ...],
    *,
    form: str | None = None,
    output: str | None = None,
    where: str | None = None,
    columns: str | None = None,
    limit: int | None = None,
    **narrowing: Any,
) -> Capture:
    """Stream a table to standard output or a file; gives the capture, for what is done with it afterwards."""
    from dnscap.messages.decoding import empty_table
    from dnscap.output import open_writer, output_stream

    to_terminal = output in (None, "-") and sys.stdout.isatty()
    if form is None:
        form = "table" if output in (None, "-") else _form_of(str(output))
    if form in BINARY and to_terminal:
        raise UsageError(f"{form} is not for a terminal; name a file with -o, or pipe it")
    wanted = [c.strip() for c in columns.split(",") if c.strip()] if columns is not None else None
    if wanted == []:
        raise UsageError("--columns names no column")
    if wanted is None and form == "table":
        wanted = SHOWN[table]
    # Rows that run over the terminal show by themselves how it goes on.
    capture = open_capture(captures, bar=not to_terminal, output=output, **narrowing)
    batches = capture.stream(table, columns=wanted, where=where)
    first = next(batches, None)
    if first is not None:
        schema = first.schema
    elif form == "table" and capture.quality_so_far.faults:
        report_quality(capture.quality_so_far)
        return capture
    else:
        schema = empty_table(table, wanted).select(wanted or range(len(TABLES[table]))).schema
    with output_stream(output) as stream, open_writer(form, stream, schema, limit=limit) as writer:
        for batch in itertools.chain([first] if first is not None else [], batches):
            writer.write(batch)
            if writer.full:
                writer.complete = not writer.rows_left  # how many follow would cost reading all of them
                break
    report_quality(capture.quality_so_far)
    return capture


messages = _command(
    "messages",
    "One row per DNS message seen, malformed ones and repeated sightings included.",
    "dnscap messages slow.pcap --where \"qtype = 'AAAA' and rcode <> 'NOERROR'\"",
)
records = _command(
    "records",
    "One row per resource record, OPT excepted.",
    "dnscap records slow.pcap --name example.com --columns name,type,ttl,rdata",
    "Narrowing options keep the records of the messages that they keep.",
)
exchanges = _command(
    "exchanges",
    "One row per query sent, retransmissions included, with the response that answered it; and one per "
    "response without a query. mDNS and LLMNR are left out: silence means nothing there.",
    "dnscap exchanges slow.pcap --where \"latency > interval '1 second' or outcome = 'unanswered'\"",
)
lookups = _command(
    "lookups",
    "One row per lookup of an application (one getaddrinfo call, say), gathered from all the queries it "
    "caused. The t_ columns sum to the duration.",
    "dnscap lookups slow.pcap --where \"duration > interval '1 second'\" --columns time,name,duration,causes",
)
names = _command(
    "names",
    "One row per name, type and server: TTL as published and as given, the last value, how often it changed, "
    "when it expires; negative answers and how long they may be kept; the hit rate of a cache at three TTLs.",
    'dnscap names slow.pcap --where "changes > 0 or absent is not null"',
    "Narrowing options look at the messages.",
)
rrsets = _command(
    "rrsets",
    "One row per value that a name had at a server, with the first and the last time it was given: the history "
    "of its answers. `dnscap trace` tells it in words.",
    "dnscap rrsets slow.pcap --where \"name = 'www.example.com.'\"",
    "Narrowing options look at the messages.",
)
resolutions = _command(
    "resolutions",
    "One row per query to a recursive resolver or forwarder: out of its cache, or what it asked upstream. "
    "Where the upstream side is not in the capture, the verdict comes from TTLs and latency, with a "
    "probability.",
    "dnscap resolutions resolver.pcap --where \"cache = 'miss' and latency > interval '100 ms'\"",
)
connections = _command(
    "connections",
    "One row per TCP connection on DNS ports.",
    'dnscap connections slow.pcap --where "\\"end\\" = \'refused\'"',
    "--since and --until keep connections that lasted into that time; --name has no effect here.",
)
events = _command(
    "events",
    "ICMP errors with the query they quote, gaps in streams, fragments that never came together.",
    "dnscap events slow.pcap --format jsonl",
    "Narrowing options look at the packet concerned; --name keeps only events that quote a question.",
)
sources = _command(
    "sources",
    "One row per file section or interface: format, link type, frames, times, drops.",
    "dnscap sources traces/",
    "Narrowing options have no effect here.",
)
