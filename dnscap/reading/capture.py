"""A capture as the user sees it: tables that are read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dnscap.arrays import array_of
from dnscap.errors import UsageError
from dnscap.messages.decoding import (
    BATCH_ROWS,
    DNS_PORTS,
    MessageBatch,
    Progress,
    Quality,
    empty_table,
)
from dnscap.messages.message import Message
from dnscap.reading.gathering import SURROUNDINGS, Gathers
from dnscap.reading.naming import name_rows, named_table
from dnscap.schema import LOOKUPS, TABLES

if TYPE_CHECKING:
    import pandas as pd

    from dnscap.exchanges.matching import ExchangeBatch
    from dnscap.explain import Explanation
    from dnscap.explain.trace_text import Trace
    from dnscap.findings.diagnosis import Diagnosis
    from dnscap.lookups.assembling import LookupBatch
    from dnscap.names import NameRows
    from dnscap.report.model import Report
    from dnscap.report.plot import Plot
    from dnscap.resolutions.resolving import Resolving
    from dnscap.resolutions.walk import Walk
    from dnscap.tables.conditions import Condition

_COUNTED = [column.name for column in LOOKUPS if column.name not in ("answers", "cname_chain")]
"""Columns of lookups that are added up; the texts of answers are made of the few that are kept."""

NAMED = ("names", "rrsets")
"""Tables of what servers said of names."""

JUDGED = ("servers", "clients", "findings")
"""Tables that are made at the end of a pass, from what was added up on the way."""


def read(
    inputs: Any,
    *,
    ports: Sequence[int] = DNS_PORTS,
    progress: Progress | None = None,
    since: str | None = None,
    until: str | None = None,
    client: str | None = None,
    server: str | None = None,
    name: str | None = None,
) -> Capture:
    """Open captures for analysis.

    Nothing is read before a table is asked for.

    Parameters
    ----------
    inputs : path, str, list, binary file object, bytes or scapy packets
        Capture files (pcap, pcapng, compressed or not), directories, glob patterns, ``"-"`` for standard
        input. Several are read as one capture, rotated sets in order of time.
    ports : sequence of int
        UDP and TCP ports taken as DNS.
    progress : callable, optional
        Called with octets read and octets in all (None where unknown).
    since, until : str, optional
        Only messages of this span of time: RFC 3339 or seconds since 1970, `until` not included.
    client, server : str, optional
        Only messages of this client, or server: an address or a network.
    name : str, optional
        Only messages that ask for this domain name or one under it.

    Returns
    -------
    Capture

    Raises
    ------
    CaptureError
        If an input does not exist.

    Examples
    --------
    >>> cap = read("examples/first-look.pcap")
    >>> cap.messages[["qname", "qtype", "rcode"]].head(2)  # doctest: +SKIP
    """
    return Capture(
        inputs,
        ports=ports,
        progress=progress,
        since=since,
        until=until,
        client=client,
        server=server,
        name=name,
    )


class Capture(Gathers):
    """A capture whose tables are lazy, cached attributes; made by `read`.

    Attributes
    ----------
    inputs : list of str
        Names of the inputs, in the order in which they are read.
    """

    def __repr__(self) -> str:
        return f"<Capture {', '.join(self.inputs[:3])}{', …' if len(self.inputs) > 3 else ''}>"

    def _repr_html_(self) -> str:
        from dnscap.clients.kept_rows import plain_rows
        from dnscap.report.notebook import capture_card

        parts = self._tables["sources"].to_batches() if "sources" in self._tables else None
        inputs = None if parts is None else [row for part in parts for row in plain_rows(part)]
        return capture_card(self.inputs, inputs)

    @property
    def plot(self) -> Plot:
        """Charts: ``latency()``, ``timeline()``, ``waterfall(number)``, ``servers()``, ``caches()``, ``name(name)``."""
        from dnscap.report.plot import Plot

        return Plot(self)

    def to_arrow(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A table as Arrow; Polars and DuckDB read it through the PyCapsule protocol.

        Parameters
        ----------
        name : str
            Table of the schema.
        columns : sequence of str, optional
            Only these columns; others cost nothing.

        Returns
        -------
        pyarrow.Table

        Raises
        ------
        UsageError
            If there is no such table or column.
        """
        self._check(name, columns)
        if name == "sources":
            self._read_once_through()
            table = self._tables["sources"]
            return table if columns is None else table.select(list(columns))
        if name in JUDGED:
            table = self.diagnosis.to_arrow(name)
            return table if columns is None else table.select(list(columns))
        if name in NAMED:
            return named_table(name, self.name_rows, columns)
        if name == "exchanges":
            if self._exchanges is None:
                self._exchanges = list(self.exchange_batches())
            return self._joined(name, list(self.exchange_parts(columns)), columns)
        if name == "lookups":
            if self._lookups is None:
                self._lookups = list(self.lookup_batches())
            return self._joined(name, list(self._lookup_parts(columns)), columns)
        if name == "resolutions":
            return self._joined(name, list(self._resolution_parts(columns)), columns)
        if name in SURROUNDINGS and not self._keeping:
            return self._surrounding(name, columns)
        batches = self._batches_of(name)
        return self._joined(name, [batch.to_arrow(name, columns) for batch in batches], columns)

    def _joined(self, name: str, arrays: list[pa.RecordBatch], columns: Sequence[str] | None) -> pa.Table:
        arrays = [a for a in arrays if a.num_rows] or arrays[:1]
        if not arrays:
            return empty_table(name, columns)
        table = pa.Table.from_batches(arrays)
        return table if columns is None else table.select(list(columns))

    def _batches_of(self, name: str) -> list[MessageBatch]:
        return self._whole.get("records") or self._read_whole(records=name == "records" or self._once)

    def table(
        self, name: str, *, columns: Sequence[str] | None = None, where: str | None = None
    ) -> pd.DataFrame:
        """Part of a table, streamed: for captures larger than memory.

        Parameters
        ----------
        name : str
            Table of the schema.
        columns : sequence of str, optional
            Only these columns.
        where : str, optional
            SQL condition over the table's columns (DuckDB), such as ``"rcode = 'SERVFAIL'"``.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        UsageError
            If there is no such table or column, or the condition cannot be used.

        Examples
        --------
        >>> cap = read("examples/first-look.pcap")
        >>> slow = cap.table("messages", columns=["time", "qname"], where="qtype = 'AAAA' and not qr")
        """
        from dnscap.tables.frames import to_pandas

        self._check(name, columns)
        if where is None:
            return self._frame(name, columns)
        parts = list(self.select(name, columns=columns, where=where))
        wanted = list(columns) if columns is not None else None
        whole = pa.Table.from_batches(parts) if parts else empty_table(name, wanted)
        return to_pandas(whole if wanted is None else whole.select(wanted), name)

    def select(
        self, name: str, *, columns: Sequence[str] | None = None, where: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Stream a table, or part of it, as Arrow record batches."""
        return self._selected(name, columns, where, keep=True)

    def _selected(
        self, name: str, columns: Sequence[str] | None, where: str | None, *, keep: bool
    ) -> Iterator[pa.RecordBatch]:
        from dnscap.tables.conditions import Condition

        self._check(name, columns)
        condition: Condition | None = None if where is None else Condition(name, where)
        wanted = [c.name for c in TABLES[name]] if columns is None else list(columns)
        needed = wanted + [c for c in (condition.columns if condition else []) if c not in wanted]
        for part in self._parts(name, needed, keep=keep):
            kept = condition.apply(part) if condition else part
            if kept.num_rows:
                yield kept.select(wanted)

    def stream(
        self, name: str, *, columns: Sequence[str] | None = None, where: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """As `select`, keeping nothing: rows of a pipe come as they are written, and the pipe is used up."""
        return self._selected(name, columns, where, keep=False)

    def _parts(self, name: str, columns: list[str], *, keep: bool) -> Iterator[pa.RecordBatch]:
        if name == "exchanges":
            yield from self.exchange_parts(columns, keep=keep)
            return
        if name == "lookups":
            yield from self._lookup_parts(columns, keep=keep)
            return
        if name == "resolutions":
            yield from self._resolution_parts(columns, keep=keep)
            return
        if name == "sources" and not keep and "sources" not in self._tables:
            for _ in self.batches(records=False):
                pass
        if name in ("sources", *NAMED, *JUDGED) or (keep and self._once) or "records" in self._whole:
            yield from self.to_arrow(name, columns).to_batches()
            return
        for batch in self.batches(records=name == "records", rows=1 if self._once else BATCH_ROWS):
            yield batch.to_arrow(name, columns)

    def _check(self, name: str, columns: Sequence[str] | None) -> None:
        if name not in TABLES:
            raise UsageError(f"no table {name!r}; tables are {', '.join(TABLES)}")
        known = {column.name for column in TABLES[name]}
        unknown = [column for column in columns or () if column not in known]
        if unknown:
            columns_there = ", ".join(column.name for column in TABLES[name])
            raise UsageError(f"table {name} has no column {', '.join(unknown)}; it has {columns_there}")

    def _frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        from dnscap.tables.frames import frame_of, to_pandas

        if name not in ("messages", "records"):
            return to_pandas(self.to_arrow(name, columns), name)
        if not self._keeping and (name == "records" or columns is None):
            return self._gathered(name, columns)
        batches = [b for b in self._batches_of(name) if (b.messages if name == "messages" else b.records)]
        if not batches:
            return to_pandas(empty_table(name, columns), name)

        def column_of(column: str) -> pa.ChunkedArray:
            return pa.chunked_array([b.to_arrow(name, [column], narrow=True).column(0) for b in batches])

        wanted = [c.name for c in TABLES[name]] if columns is None else list(columns)
        rows = sum(b.messages if name == "messages" else b.records for b in batches)
        frame = frame_of(name, wanted, column_of, rows)
        for batch in batches:
            batch.forget()
        return frame

    @cached_property
    def sources(self) -> pd.DataFrame:
        """One row per file section or interface."""
        return self._frame("sources")

    @cached_property
    def messages(self) -> pd.DataFrame:
        """One row per DNS message seen, malformed ones and repeated sightings included."""
        return self._frame("messages")

    @cached_property
    def records(self) -> pd.DataFrame:
        """One row per resource record, OPT excepted."""
        return self._frame("records")

    @cached_property
    def connections(self) -> pd.DataFrame:
        """One row per TCP connection on DNS ports."""
        return self._frame("connections")

    @cached_property
    def events(self) -> pd.DataFrame:
        """ICMP errors with the query they quote, gaps, fragments that never came together."""
        return self._frame("events")

    @cached_property
    def exchanges(self) -> pd.DataFrame:
        """One row per query transmission, with what answered it, and per response without a query."""
        return self._frame("exchanges")

    @cached_property
    def lookups(self) -> pd.DataFrame:
        """One row per lookup of an application: what it asked for, what that cost, and why."""
        return self._frame("lookups")

    @cached_property
    def resolutions(self) -> pd.DataFrame:
        """One row per query to a resolver or forwarder: out of its cache, or what it asked upstream."""
        return self._frame("resolutions")

    @cached_property
    def servers(self) -> pd.DataFrame:
        """One row per server address: what it was asked, how it answered, how fast."""
        return self._frame("servers")

    @cached_property
    def clients(self) -> pd.DataFrame:
        """One row per client address and stub, with the configuration that explains what was seen."""
        return self._frame("clients")

    @cached_property
    def findings(self) -> pd.DataFrame:
        """One row per thing found wrong, the worst first; nothing above ``info`` where traffic is healthy."""
        return self._frame("findings")

    @cached_property
    def names(self) -> pd.DataFrame:
        """One row per name, type and server: TTLs, the last value, changes, absence."""
        return self._frame("names")

    @cached_property
    def rrsets(self) -> pd.DataFrame:
        """One row per value that a name had at a server: the history of answers."""
        return self._frame("rrsets")

    @cached_property
    def name_rows(self) -> NameRows:
        """What servers said of names, as numbers; the tables ``names`` and ``rrsets`` are made of it."""
        return name_rows(self)

    # ------------------------------------------------------------ judging

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What a pass over the capture added up: servers, clients, findings, scorecard."""
        from dnscap.findings.diagnosis import Diagnosis
        from dnscap.resolutions.resolving import Resolving

        diagnosis = Diagnosis()
        resolving = Resolving()
        for batch, exchanges, lookups in self._assembled(BATCH_ROWS, True, None, resolving):
            self._feed_resolutions(diagnosis, resolving)
            if batch is None:  # the capture has ended, and with it queries that had no answer yet
                diagnosis.note_sources(self._tables["sources"])
            self._feed(diagnosis, batch, exchanges, lookups)
        quality = self.quality_so_far
        quality.counts.update(diagnosis.seen.counts)
        diagnosis.note_reading(cut=bool(quality.faults or quality.notes))
        diagnosis.finish()
        quality.counts["exchanges_not_kept"] = diagnosis.keeper.store.passed_over
        return diagnosis

    def _feed_resolutions(self, diagnosis: Diagnosis, resolving: Resolving) -> None:
        for resolved in resolving.taken():
            if not self._narrowing:
                diagnosis.feed_native(resolutions=resolved.native)
                continue
            rows = resolved.to_arrow(self._narrowing.resolution_columns)
            diagnosis.feed(resolutions=resolved.verdicts().keep(self._narrowing.keeps_resolutions(rows)))

    def _feed(
        self,
        diagnosis: Diagnosis,
        batch: MessageBatch | None,
        exchanges: Iterator[ExchangeBatch],
        lookups: Iterator[LookupBatch],
    ) -> None:
        for looked in lookups:
            if not self._narrowing:
                diagnosis.feed_native(lookups=looked.native)
                continue
            part = looked.to_arrow(_COUNTED)
            part = part.filter(array_of(self._narrowing.keeps_lookups(part)))
            diagnosis.feed(lookups=part, details=looked.details)
        for sent in exchanges:
            if not self._narrowing:
                diagnosis.feed_native(exchanges=sent.native)
                continue
            part = sent.to_arrow()
            kept = self._narrowing.keeps_exchanges(part)
            diagnosis.feed(exchanges=part.filter(array_of(kept)))
            diagnosis.habits.feed(sent.native, kept)
        if batch is not None:
            diagnosis.origins.feed(batch.first_message, batch.column("source"))
            narrowed = self._narrowed(batch)
            diagnosis.seen.feed(narrowed)
            diagnosis.habits.feed_messages(narrowed)
            diagnosis.feed_around(batch)

    def diagnose(self, *, slowest: int = 3) -> Report:
        """What is wrong in words, the slowest lookups, and a scorecard; shows itself in notebooks.

        Parameters
        ----------
        slowest : int
            Lookups shown whole.
        """
        from dnscap.report.model import build

        diagnosis = self.diagnosis
        return build(self.inputs, diagnosis, self._tables["sources"], self.quality_so_far, slowest=slowest)

    def explain(
        self, lookup: int | None = None, *, name: str | None = None, frame: int | None = None
    ) -> Explanation:
        """One lookup as a waterfall: in a notebook, or as text.

        Parameters
        ----------
        lookup : int, optional
            Its number in the lookups table.
        name : str, optional
            Instead: the slowest lookup of this name.
        frame : int, optional
            Instead: the lookup that this frame belongs to.

        Raises
        ------
        UsageError
            If there is no such lookup.

        Examples
        --------
        >>> print(read("examples/slow.pcap").explain(0))  # doctest: +SKIP
        """
        found = self.explanations(lookup, name=name, frame=frame, limit=1)
        if not found:
            raise UsageError(f"no such lookup in {', '.join(self.inputs[:3])}")
        return found[0]

    def explanations(
        self, lookup: int | None = None, *, name: str | None = None, frame: int | None = None, limit: int = 3
    ) -> list[Explanation]:
        """As `explain`, of all lookups that fit, the slowest first, `limit` at most; empty where none does."""
        from dnscap.reading.explaining import explanations

        return explanations(self, lookup, name=name, frame=frame, limit=limit)

    def trace(self, name: str) -> Trace:
        """What happened to a name at every layer: who asked whom, TTLs, copies in caches, changes, absence.

        Parameters
        ----------
        name : str
            A domain name; names that it is an alias of are followed.

        Examples
        --------
        >>> print(read("examples/first-look.pcap").trace("www.example.com"))  # doctest: +SKIP
        """
        from dnscap.reading.tracing import trace

        return trace(self, name)

    def walk(self, resolution: int) -> Walk:
        """What a resolver asked upstream for one query, hop by hop, with the time each hop took.

        Parameters
        ----------
        resolution : int
            Its number in the resolutions table.

        Raises
        ------
        UsageError
            If there is no such resolution.
        """
        found = self.walks(f"resolution = {int(resolution)}")
        if not found:
            raise UsageError(f"no resolution {resolution} in {', '.join(self.inputs[:3])}")
        return found[0]

    def walks(self, where: str) -> list[Walk]:
        """As `walk`, of all resolutions that meet a condition."""
        from dnscap.resolutions.walking import plain, walks

        rows = [row for part in self.select("resolutions", where=where) for row in plain(part)]
        return walks(rows, lambda: self._going_by(BATCH_ROWS, True, None))

    def write_lookup(self, explanation: Explanation, path: str) -> int:
        """Write the frames of a lookup as pcapng, each with a comment that says what it is; give how many.

        Raises
        ------
        UsageError
            If an input can be read only once, or the file cannot be written.
        """
        from dnscap.reading.explaining import write_lookup

        if self._once:
            raise UsageError(
                "frames cannot be had from an input that is read only once; save it to a file first"
            )
        return write_lookup(self, self._inputs, explanation, path)

    @property
    def quality(self) -> Quality:
        """What the capture lacked and what was passed over; reads the capture if nothing was read yet."""
        self._read_once_through()
        assert self._quality is not None
        return self._quality

    @property
    def quality_so_far(self) -> Quality:
        """As `quality`, of the pass that was made last, whether or not it came to its end."""
        return self._quality or Quality()

    def message(self, number: int) -> Message:
        """One message with its octets, by its number in the messages table.

        Reads the capture up to that message; an input that can be read only once has no octets to give.

        Raises
        ------
        UsageError
            If there is no such message.
        """
        if self._once:
            raise UsageError(
                "octets of a message cannot be had from an input that is read only once; save it to a file first"
            )
        decoding = self._decoding(records=False, rows=BATCH_ROWS)
        decoding.watch(number)
        for batch in decoding:
            if decoding.watched is not None and number < batch.first_message + batch.messages:
                row = batch.to_arrow("messages").slice(number - batch.first_message, 1).to_pylist()[0]
                return Message(number, decoding.watched, row)
        raise UsageError(
            f"no message {number}; the capture has {sum(b.messages for b in self._read_whole(records=False))}"
        )
