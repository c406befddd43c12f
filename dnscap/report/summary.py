"""What is in a capture, as plain data: one streaming pass, flat memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dnscap import registry
from dnscap.arrays import array_of, numpy_of
from dnscap.messages.arrow import HAS_CAPITALS, HAS_EDNS, HAS_HEADER, HAS_NAME, HAS_TYPE, NO_CODE
from dnscap.native.decoder import statuses
from dnscap.report.summary_tallies import CodeTally, Counted, Durations, Peak, TextTally

if TYPE_CHECKING:
    from dnscap.messages.decoding import MessageBatch, Quality
    from dnscap.reading import Capture

Array = np.ndarray[Any, np.dtype[Any]]

TOP = 10
"""Clients, servers and names that a summary holds."""

PERCENTILES = (50, 95, 99)
"""Shares of the exchanges whose latency a summary tells."""

QR, TC, DO = 0x8000, 0x0200, 0x8000
DNS_PORT, MDNS_PORT, LLMNR_PORT = 53, 5353, 5355
NXDOMAIN = registry.rcode_number("NXDOMAIN")
FAILURES = tuple(registry.rcode_number(name) for name in ("FORMERR", "SERVFAIL", "NOTIMP", "REFUSED"))
INCOMPLETE = ("truncated-capture", "first-fragment")
"""Statuses that tell of the capture, not of the message."""


@dataclass(slots=True)
class Input:
    """One file section or interface; times in nanoseconds since 1970."""

    name: str
    format: str
    interface: str | None
    link_type: str
    snaplen: int
    frames: int
    first_time: int | None
    last_time: int | None
    drops: int | None


@dataclass(slots=True)
class Top:
    """The most frequent of something.

    Attributes
    ----------
    rows : list of Counted
        The most frequent first; counts are queries, responses, and failures among the responses.
    distinct : int
        How many different ones there are.
    distinct_exact : bool
        False where there are so many that `distinct` is only a lower bound.
    """

    rows: list[Counted] = field(default_factory=list)
    distinct: int = 0
    distinct_exact: bool = True


@dataclass(slots=True)
class Edns:
    """EDNS as queries use it."""

    queries: int = 0
    do: int = 0
    udp_sizes: dict[str, int] = field(default_factory=dict)
    responses: int = 0


@dataclass(slots=True)
class Exchanges:
    """What became of the queries.

    Attributes
    ----------
    total : int
        Queries sent, and responses that nobody asked for.
    outcomes : dict
        Exchanges by outcome, the most frequent first.
    latencies : int
        Exchanges whose latency is known.
    latency : dict
        Nanoseconds within which a share of them was answered, by percentile; exact to 2 %.
    latency_max : int or None
        The longest, exact.
    """

    total: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    latencies: int = 0
    latency: dict[int, int] = field(default_factory=dict)
    latency_max: int | None = None


@dataclass(slots=True)
class Connections:
    """TCP connections on DNS ports."""

    total: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    queries: int = 0
    responses: int = 0
    gap_octets: int = 0
    retransmissions: int = 0


@dataclass(slots=True)
class Summary:
    """What is in a capture.

    Counts of queries and responses, and everything told of names, types, clients and servers, are of unicast
    DNS; multicast DNS and LLMNR are counted apart, and further sightings of one packet not at all.

    Attributes
    ----------
    inputs : list of Input
    messages : int
        Rows of the messages table.
    sightings : int
        Rows that are another sighting of a message.
    headless : int
        Payloads too short for a DNS header.
    multicast : dict
        Queries and responses of ``mdns`` and ``llmnr``.
    first_time, last_time : int or None
        Of the messages, in nanoseconds since 1970.
    peak : (int, int) or None
        Start of the second with most messages, and how many.
    types, type_responses, rcodes, opcodes, transports, statuses, events : dict
        Counts by mnemonic, the largest first.
    """

    inputs: list[Input] = field(default_factory=list)
    messages: int = 0
    queries: int = 0
    responses: int = 0
    sightings: int = 0
    headless: int = 0
    octets: int = 0
    multicast: dict[str, tuple[int, int]] = field(default_factory=dict)
    first_time: int | None = None
    last_time: int | None = None
    peak: tuple[int, int] | None = None
    transports: dict[str, int] = field(default_factory=dict)
    opcodes: dict[str, int] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    type_responses: dict[str, int] = field(default_factory=dict)
    rcodes: dict[str, int] = field(default_factory=dict)
    mixed_case: int = 0
    truncated: int = 0
    largest_response: int = 0
    edns: Edns = field(default_factory=Edns)
    clients: Top = field(default_factory=Top)
    servers: Top = field(default_factory=Top)
    names: Top = field(default_factory=Top)
    exchanges: Exchanges = field(default_factory=Exchanges)
    connections: Connections = field(default_factory=Connections)
    events: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    drops: int | None = None
    quality: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def duration(self) -> int | None:
        """From the first to the last message, in nanoseconds."""
        if self.first_time is None or self.last_time is None:
            return None
        return self.last_time - self.first_time

    @property
    def malformed(self) -> dict[str, int]:
        """Statuses that are faults of messages."""
        return {s: n for s, n in self.statuses.items() if s != "ok" and s not in INCOMPLETE}

    @property
    def incomplete(self) -> dict[str, int]:
        """Statuses that say that the capture holds only part of a message."""
        return {s: n for s, n in self.statuses.items() if s in INCOMPLETE}


def summarize(capture: Capture, *, top: int = TOP) -> Summary:
    """Read a capture once and count.

    Parameters
    ----------
    capture : Capture
        From `dnscap.read`, narrowed or not.
    top : int
        Clients, servers and names to hold.

    Returns
    -------
    Summary
    """
    summing = Summing()
    for part in capture.exchange_parts(["latency", "outcome"], keep=False, see=summing.add):
        summing.add_exchanges(part)
    return summing.result(capture.to_arrow("sources"), capture.quality_so_far, top=top)


class Summing:
    """Adds up batches of messages; `summarize` for one's own loop."""

    def __init__(self) -> None:
        self._summary = Summary()
        self._dictionary: Any = None
        self._clients, self._servers, self._names = TextTally(3), TextTally(3), TextTally(3)
        self._types, self._type_responses = CodeTally(1 << 16), CodeTally(1 << 16)
        self._rcodes, self._opcodes, self._statuses = CodeTally(1 << 16), CodeTally(16), CodeTally(256)
        self._transports, self._sizes = CodeTally(2), CodeTally(1 << 16)
        self._peak = Peak()
        self._outcomes: Counter[str] = Counter()
        self._latencies = Durations()
        self._ends: Counter[str] = Counter()
        self._events: Counter[str] = Counter()
        self._multicast: Counter[tuple[str, bool]] = Counter()

    def add(self, batch: MessageBatch) -> None:
        """Count a batch."""
        if batch.native.dictionary is not self._dictionary:
            self._close_dictionary()
            self._dictionary = batch.native.dictionary
        self._add_around(batch)
        if not batch.messages:
            return
        summary, column = self._summary, batch.column
        summary.messages += batch.messages
        presence, flags = column("presence"), column("flags")
        first_seen = column("sighting_of") == NO_CODE
        header = (presence & HAS_HEADER) != 0
        summary.sightings += batch.messages - int(first_seen.sum())
        summary.headless += int((first_seen & ~header).sum())
        self._statuses.add(column("status")[first_seen])
        times = column("time")
        self._add_times(times, first_seen)
        counted = first_seen & header & ~self._add_multicast(batch, first_seen & header, flags)
        summary.octets += int(column("size")[counted].sum(dtype=np.int64))
        self._transports.add(column("transport")[counted])
        response = (flags & QR) != 0
        self._add_queries(batch, np.flatnonzero(counted & ~response), presence, flags)
        self._add_responses(batch, np.flatnonzero(counted & response), presence, flags)

    def _add_times(self, times: Array, first_seen: Array) -> None:
        summary = self._summary
        first, last = int(times.min()), int(times.max())
        summary.first_time = first if summary.first_time is None else min(first, summary.first_time)
        summary.last_time = last if summary.last_time is None else max(last, summary.last_time)
        self._peak.add(times[first_seen])

    def _add_multicast(self, batch: MessageBatch, candidates: Array, flags: Array) -> Array:
        """Count mDNS and LLMNR, which have no client and server, and tell where they are."""
        src, dst = batch.column("src_port"), batch.column("dst_port")
        # A client of ordinary DNS may happen to have one of these ports.
        elsewhere = (src != DNS_PORT) & (dst != DNS_PORT)
        mdns = ((src == MDNS_PORT) | (dst == MDNS_PORT)) & (batch.column("transport") == 0) & elsewhere
        llmnr = ((src == LLMNR_PORT) | (dst == LLMNR_PORT)) & elsewhere
        for kind, where in (("mdns", mdns), ("llmnr", llmnr)):
            which = flags[candidates & where]
            if len(which):
                responses = int(((which & QR) != 0).sum())
                self._multicast[kind, True] += responses
                self._multicast[kind, False] += len(which) - responses
        both: Array = mdns | llmnr
        return both

    def _add_queries(self, batch: MessageBatch, rows: Array, presence: Array, flags: Array) -> None:
        summary, column = self._summary, batch.column
        if not len(rows):
            return
        summary.queries += len(rows)
        has = presence[rows]
        self._clients.add(0, column("src")[rows])
        self._servers.add(0, column("dst")[rows])
        self._names.add(0, column("qname")[rows[(has & HAS_NAME) != 0]])
        self._types.add(column("qtype")[rows[(has & HAS_TYPE) != 0]])
        self._opcodes.add(flags[rows] >> 11 & 15)
        summary.mixed_case += int(((has & HAS_CAPITALS) != 0).sum())
        with_edns = rows[(has & HAS_EDNS) != 0]
        summary.edns.queries += len(with_edns)
        summary.edns.do += int(((column("edns_flags")[with_edns] & DO) != 0).sum())
        self._sizes.add(column("edns_udp_size")[with_edns])

    def _add_responses(self, batch: MessageBatch, rows: Array, presence: Array, flags: Array) -> None:
        summary, column = self._summary, batch.column
        if not len(rows):
            return
        summary.responses += len(rows)
        has = presence[rows]
        rcode = column("rcode")[rows]
        failed = np.isin(rcode, FAILURES)
        client, server = column("dst")[rows], column("src")[rows]
        self._clients.add(1, client[~failed])
        self._clients.add(2, client[failed])
        self._servers.add(1, server[~failed])
        self._servers.add(2, server[failed])
        named = (has & HAS_NAME) != 0
        name = column("qname")[rows]
        nonexistent = rcode == NXDOMAIN
        self._names.add(1, name[named & ~nonexistent])
        self._names.add(2, name[named & nonexistent])
        self._type_responses.add(column("qtype")[rows[(has & HAS_TYPE) != 0]])
        self._rcodes.add(rcode)
        summary.truncated += int(((flags[rows] & TC) != 0).sum())
        summary.edns.responses += int(((has & HAS_EDNS) != 0).sum())
        summary.largest_response = max(summary.largest_response, int(column("size")[rows].max()))

    def add_exchanges(self, rows: pa.RecordBatch) -> None:
        """Count exchanges: the columns latency and outcome."""
        outcomes = rows.column("outcome")
        seen = np.bincount(numpy_of(outcomes.indices), minlength=len(outcomes.dictionary))
        words = outcomes.dictionary.to_pylist()
        self._outcomes.update({words[code]: int(seen[code]) for code in np.flatnonzero(seen)})
        latency = rows.column("latency").drop_null().cast(pa.int64())
        self._latencies.add(numpy_of(latency))

    def _add_around(self, batch: MessageBatch) -> None:
        rows = batch.to_arrow("connections", ["end", "queries", "responses", "gap_octets", "retransmissions"])
        if rows.num_rows:
            connections = self._summary.connections
            connections.total += rows.num_rows
            self._ends.update(rows.column("end").to_pylist())
            for name in ("queries", "responses", "gap_octets", "retransmissions"):
                value = int(numpy_of(rows.column(name)).sum(dtype=np.int64))
                setattr(connections, name, getattr(connections, name) + value)
        self._events.update(batch.to_arrow("events", ["kind"]).column("kind").to_pylist())

    def _close_dictionary(self) -> None:
        if self._dictionary is None:
            return
        for tallies, view in (
            ((self._names,), self._dictionary.names_view),
            ((self._clients, self._servers), self._dictionary.addresses_view),
        ):
            count, offsets, text = view()
            texts = pa.Array.from_buffers(
                pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)]
            )
            for tally in tallies:
                tally.close(partial(_texts, texts))

    def result(self, sources: pa.Table, quality: Quality, *, top: int = TOP) -> Summary:
        """The sums, with what is told of the inputs."""
        self._close_dictionary()
        self._dictionary = None
        summary = self._summary
        summary.inputs = [_input(row) for row in _rows(sources)]
        summary.multicast = {
            kind: (self._multicast[kind, False], self._multicast[kind, True])
            for kind in ("mdns", "llmnr")
            if self._multicast[kind, False] or self._multicast[kind, True]
        }
        summary.peak = self._peak.busiest
        summary.transports = self._transports.most(("udp", "tcp").__getitem__)
        summary.opcodes = self._opcodes.most(registry.opcode_name)
        summary.types = self._types.most(registry.rrtype_name)
        summary.type_responses = self._type_responses.most(registry.rrtype_name)
        summary.rcodes = self._rcodes.most(registry.rcode_name)
        summary.edns.udp_sizes = self._sizes.most(str)
        names = [name for name, _ in statuses()]
        summary.statuses = self._statuses.most(names.__getitem__)
        summary.exchanges = Exchanges(
            total=self._outcomes.total(),
            outcomes=dict(self._outcomes.most_common()),
            latencies=self._latencies.total,
            latency={percent: self._latencies.within(percent) for percent in PERCENTILES}
            if self._latencies.total
            else {},
            latency_max=self._latencies.longest,
        )
        summary.connections.ends = dict(self._ends.most_common())
        summary.events = dict(self._events.most_common())
        for tally, target in (
            (self._clients, summary.clients),
            (self._servers, summary.servers),
            (self._names, summary.names),
        ):
            target.rows = [
                Counted(row.text, (row.counts[0], row.counts[1] + row.counts[2], row.counts[2]), row.error)
                for row in tally.most(top)
            ]
            target.distinct, target.distinct_exact = tally.distinct, tally.distinct_exact
        told = [item.drops for item in summary.inputs if item.drops is not None]
        summary.drops = sum(told) if told else None
        summary.quality = dict(quality.counts)
        summary.notes = list(quality.notes)
        summary.faults = [str(fault) for fault in quality.faults]
        return summary


def _texts(texts: pa.Array, codes: Array) -> list[str]:
    taken: list[str] = texts.take(array_of(codes)).to_pylist()
    return taken


def _rows(sources: pa.Table) -> list[dict[str, Any]]:
    times = [c for c in ("first_time", "last_time") if c in sources.column_names]
    for name in times:
        place = sources.column_names.index(name)
        sources = sources.set_column(place, name, sources.column(name).cast(pa.int64()))
    rows: list[dict[str, Any]] = sources.to_pylist()
    return rows


def _input(row: dict[str, Any]) -> Input:
    return Input(**{name: row[name] for name in Input.__slots__})
