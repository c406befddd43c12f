"""Inputs in, batches of messages out: drives the native decoder over windows of each capture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from dnscap.arrays import array_of
from dnscap.capture import CaptureInput, Windows
from dnscap.errors import CaptureError
from dnscap.messages import around
from dnscap.messages.arrow import ARROW_TYPES, BatchColumns, column_names, record_batch
from dnscap.messages.link_types import link_type_name
from dnscap.native.decoder import Batch, Decoder
from dnscap.schema import SOURCES

Array = np.ndarray[Any, np.dtype[Any]]

DNS_PORTS = (53, 5353, 5355)
"""UDP and TCP ports taken as DNS by default: DNS, mDNS, LLMNR."""

BATCH_ROWS = 16_384
"""Messages in a batch at least, unless the capture ends; a batch ends where a window of octets does.

Larger batches leave the processor's cache before they are looked at, which costs a tenth of the time."""

MOST_SILENCE = 86_400_000_000_000
"""Nanoseconds after its latest frame that a capture is believed to have gone on."""

Progress = Callable[[int, int | None], None]

KeepsRows = Callable[[str, pa.RecordBatch], Array]
"""Given a table's name and rows of it, the mask of the rows to keep."""


@dataclass(slots=True)
class Quality:
    """What the capture lacked and what was passed over.

    Attributes
    ----------
    counts : dict of str to int
        Frames and payloads by what became of them; see the documentation of capture quality.
    faults : list of CaptureError
        Inputs that could not be read, or not to their end.
    notes : list of str
        Things worth knowing that lose nothing, such as a capture cut inside its last packet.
    """

    counts: dict[str, int] = field(default_factory=dict)
    faults: list[CaptureError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class MessageBatch:
    """Some messages in capture order, their records, and the connections and events that ended meanwhile.

    Attributes
    ----------
    first_message : int
        Number in the capture of the first message.
    messages, records : int
        Rows of the two tables.
    """

    def __init__(self, native: Batch, columns: BatchColumns, first_event: int) -> None:
        self.native = native
        self.first_message: int = native.first_message
        self.messages: int = native.messages
        self.records: int = native.records
        self._columns = columns
        self._first_event = first_event
        self._kept: Array | None = None
        self._keeps_around: KeepsRows | None = None

    def keep(self, mask: Array, around: KeepsRows | None = None) -> MessageBatch:
        """The same batch with only the messages that `mask` keeps, and their records.

        Parameters
        ----------
        mask : array of bool
            One value a message.
        around : callable, optional
            Says which connections and events to keep; without it they all stay.
        """
        batch = MessageBatch(self.native, self._columns, self._first_event)
        batch._kept = mask
        batch._keeps_around = around
        batch.messages = int(mask.sum())
        batch.records = int(mask[self._columns.record("message")].sum())
        return batch

    @property
    def native_columns(self) -> BatchColumns:
        """All native columns, of messages that are not kept as well."""
        return self._columns

    @property
    def kept(self) -> Array | None:
        """One value a message: whether it is kept; None where all are."""
        return self._kept

    def __repr__(self) -> str:
        return f"<MessageBatch {self.messages} messages from {self.first_message}, {self.records} records>"

    def column(self, name: str) -> Array:
        """A native column of the messages that are kept, as numbers; names and addresses are codes."""
        values = self._columns.message(name)
        if self._kept is None:
            return values
        kept: Array = values[self._kept]
        return kept

    def addresses(self, codes: Sequence[int]) -> list[str]:
        """Addresses that codes of a native column stand for."""
        texts = self._columns.addresses()
        return [texts[code].as_py() for code in codes]

    def names(self, codes: Sequence[int]) -> list[str]:
        """Domain names that codes of a native column stand for."""
        texts: list[str] = self._columns.names().take(array_of(codes, pa.int64())).to_pylist()
        return texts

    def to_arrow(
        self, table: str = "messages", columns: Sequence[str] | None = None, *, narrow: bool = False
    ) -> pa.RecordBatch:
        """One of the batch's tables as an Arrow record batch.

        Parameters
        ----------
        table : {"messages", "records", "connections", "events"}
            Which table.
        columns : sequence of str, optional
            Only these columns; others cost nothing.
        narrow : bool
            Codes of small vocabularies in one or two octets: less memory, on the way to pandas.

        Returns
        -------
        pyarrow.RecordBatch
        """
        if table in ("messages", "records"):
            whole = record_batch(self._columns, table, columns, narrow)
            if self._kept is None:
                return whole
            mask = self._kept if table == "messages" else self._kept[self._columns.record("message")]
            return whole.filter(array_of(mask))
        wanted = columns if self._keeps_around is None else None
        if table == "connections":
            batch = around.connections(self.native, wanted)
        else:
            batch = around.events(self.native, self._first_event, wanted)
        if self._keeps_around is not None:
            batch = batch.filter(array_of(self._keeps_around(table, batch)))
        return batch if columns is None else batch.select([c for c in batch.schema.names if c in columns])

    def forget(self) -> None:
        """Let go of what several columns share; it is made again when needed."""
        self._columns.forget()

    def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
        return self.to_arrow().__arrow_c_array__(requested_schema)


class Decoding:
    """One pass over inputs, as an iterator of batches.

    Parameters
    ----------
    inputs : sequence of CaptureInput
        Read one after another as one capture: fragments and connections go on over the seam.
    dns_ports : sequence of int
        Ports taken as DNS.
    records : bool
        Whether batches hold records.
    rows : int or None
        Messages in a batch at least; None for as few batches as possible.
    progress : callable, optional
        Called with octets read and octets in all (None where unknown) after each window.
    """

    def __init__(
        self,
        inputs: Sequence[CaptureInput],
        *,
        dns_ports: Sequence[int] = DNS_PORTS,
        records: bool = True,
        rows: int | None = BATCH_ROWS,
        progress: Progress | None = None,
    ) -> None:
        self.inputs = list(inputs)
        self.quality = Quality()
        self.finished = False
        self._decoder = Decoder(tuple(dns_ports), records)
        self._rows = rows
        self._progress = progress
        self._names: list[tuple[str, str]] = []  # name and format of each input begun
        self._events = 0
        self._windows: Windows | None = None  # of the latest input
        self._interfaces: dict[tuple[int, int], str | None] = {}

    @property
    def share(self) -> float:
        """About how much of the inputs has been read, from 0 to 1; 0 where it cannot be told."""
        if self._windows is None or not self._windows.size:
            return 0.0
        return (len(self._names) - 1 + self._windows.position / self._windows.size) / len(self.inputs)

    def watch(self, message: int) -> None:
        """Keep the octets of one message, to be had from `watched` when the pass has gone by it."""
        self._decoder.watch(message)

    @property
    def watched(self) -> bytes | None:
        """Octets of the message that `watch` named, as far as captured."""
        octets: bytes | None = self._decoder.watched
        return octets

    def __iter__(self) -> Iterator[MessageBatch]:
        for item in self.inputs:
            try:
                windows = item.open()
            except CaptureError as error:
                self.quality.faults.append(error)
                continue
            with windows:
                yield from self._read(item, windows)
        self._decoder.finish()
        yield from self._taken(rest=True)
        self.finished = True
        self.count()

    def _read(self, item: CaptureInput, windows: Windows) -> Iterator[MessageBatch]:
        decoder = self._decoder
        decoder.begin_file()
        if self._rows is None and windows.size is not None and not decoder.rows:
            decoder.reserve(windows.size)
        self._names.append((item.name, "/".join((*windows.compression, item.kind or ""))))
        self._windows = windows
        while True:
            view, last = windows.view()
            used = decoder.feed(view, last)
            view.release()
            windows.used(used)
            if self._progress is not None:
                self._progress(windows.position, windows.size)
            if decoder.ended or last:
                break
            if used == 0:
                windows.want(decoder.window)
            yield from self._taken(rest=self._rows is not None and decoder.rows >= self._rows)
        self._note_end(item.name, windows)

    def _note_end(self, name: str, windows: Windows) -> None:
        framing = self._decoder.framing
        if (error := windows.error()) is not None:
            self.quality.faults.append(error)
        elif (text := framing.fault_text()) is not None:
            what = text.rpartition(", at offset ")[0]
            hint = "what came before it was read" if framing.frames else ""
            self.quality.faults.append(CaptureError(name, what, offset=framing.position, hint=hint))
        elif framing.cut_at == 0:
            self.quality.faults.append(CaptureError(name, "ends inside its header", offset=0))
        elif framing.cut_at is not None:
            self.quality.notes.append(
                f"{name}: ends inside the packet at offset {framing.cut_at}; everything before it was read"
            )

    # ------------------------------------------------------------ for those who have the octets themselves

    def begin(self, name: str, form: str) -> None:
        """Begin a capture whose octets are going to be given to `feed`."""
        self._decoder.begin_file()
        self._names.append((name, form))

    def feed(self, octets: Any, last: bool = False) -> int:
        """Decode the whole frames in octets; gives how many octets those were."""
        return self._decoder.feed(octets, last)

    @property
    def ended(self) -> bool:
        """Whether nothing further can be read of this capture."""
        return self._decoder.ended

    def taken(self) -> Iterator[MessageBatch]:
        """All that was decoded up to now."""
        return self._taken(rest=True)

    def end(self) -> Iterator[MessageBatch]:
        """The capture is over: give up what waits for its other parts."""
        self._decoder.finish()
        yield from self._taken(rest=True)
        self.finished = True
        self.count()

    @property
    def last_time(self) -> int | None:
        """Time of the latest frame, nanoseconds since the epoch."""
        return self._decoder.framing.last_time

    @property
    def end_time(self) -> int | None:
        """When the capture ended: with its latest frame, or after it where the capture tells so."""
        framing = self._decoder.framing
        last, told = framing.last_time, framing.end_time
        if last is None or told is None or told - last > MOST_SILENCE:
            return last
        return max(last, told)

    @property
    def frames(self) -> int:
        """Frames of this capture read."""
        return self._decoder.framing.frames

    def fault(self) -> str | None:
        """What is wrong with the octets of this capture, if anything."""
        return self._decoder.framing.fault_text()

    def _taken(self, *, rest: bool) -> Iterator[MessageBatch]:
        for native in self._decoder.take(rest):
            first_event = self._events
            self._events += native.event_rows_count
            yield MessageBatch(native, BatchColumns(native, self._interface), first_event)

    def _interface(self, source: int, index: int) -> str | None:
        """Name of an interface: from the file's own interface list, or the number that a cooked frame tells."""
        key = (source, index)
        if key not in self._interfaces:
            rows = self._decoder.framing.source_rows()
            name = rows[source]["interface"] if source < len(rows) else None
            self._interfaces[key] = str(name) if name else (f"if{index}" if index else None)
        return self._interfaces[key]

    def count(self) -> None:
        """Bring the counts of `quality` up to date."""
        self.quality.counts = {
            **self._decoder.walk.counts(),
            **self._decoder.framing.losses,
            "events_lost": self._decoder.events_lost,
        }

    def sources(self) -> pa.Table:
        """The sources table of what has been read so far."""
        rows = []
        for number, row in enumerate(self._decoder.framing.source_rows()):
            name, form = self._names[row["file"]]
            layers = form.split("/")[:-1]
            rows.append(
                {
                    **row,
                    "source": number,
                    "name": name,
                    "format": "/".join([*layers, row["format"]]),
                    "link_type": link_type_name(row["link"]),
                }
            )
        fields = [(column.name, ARROW_TYPES[column.kind]) for column in SOURCES]
        return pa.table(
            {name: array_of([row.get(name) for row in rows], _plain(type_)) for name, type_ in fields}
        )


def _plain(type_: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_dictionary(type_) else type_


def empty_table(name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A table of the schema without rows."""
    from dnscap.schema import TABLES

    wanted = [c for c in TABLES[name] if columns is None or c.name in columns]
    return pa.table({c.name: array_of([], ARROW_TYPES[c.kind]) for c in wanted})


__all__ = [
    "BATCH_ROWS",
    "DNS_PORTS",
    "Decoding",
    "MessageBatch",
    "Progress",
    "Quality",
    "column_names",
    "empty_table",
]
