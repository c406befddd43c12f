"""Ways through the inputs of a capture: each pass reads them once, from octets to the stage asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dnscap.arrays import array_of
from dnscap.capture import expand_inputs
from dnscap.messages.decoding import (
    BATCH_ROWS,
    DNS_PORTS,
    Decoding,
    MessageBatch,
    Progress,
    Quality,
)

if TYPE_CHECKING:
    from dnscap.exchanges.matching import ExchangeBatch
    from dnscap.lookups.assembling import LookupBatch
    from dnscap.resolutions.resolving import ResolutionBatch, Resolving


class Passes:
    """The inputs, how they are narrowed, and what earlier passes over them left.

    Attributes
    ----------
    names : list of str
        The inputs, in the order in which they are read.
    """

    def __init__(
        self,
        inputs: Any,
        *,
        ports: Sequence[int] = DNS_PORTS,
        progress: Progress | None = None,
        **narrowing: str | None,
    ) -> None:
        from dnscap.capture.scapy_packets import as_inputs
        from dnscap.tables.narrowing import Narrowing

        self._narrowing = Narrowing(**narrowing)
        self._narrowing.check()
        self._inputs = expand_inputs(as_inputs(inputs))
        self._ports = tuple(ports)
        self._progress = progress
        self._tables: dict[str, pa.Table] = {}
        self._whole: dict[str, list[MessageBatch]] = {}
        self._exchanges: list[ExchangeBatch] | None = None
        self._lookups: list[LookupBatch] | None = None
        self._quality: Quality | None = None
        self._ended: int | None = None
        self.inputs = [item.name for item in self._inputs]

    def _decoding(self, *, records: bool, rows: int | None) -> Decoding:
        return Decoding(
            self._inputs, dns_ports=self._ports, records=records, rows=rows, progress=self._progress
        )

    def batches(self, *, records: bool = True, rows: int = BATCH_ROWS) -> Iterator[MessageBatch]:
        """Stream the capture; memory stays flat at any size.

        Parameters
        ----------
        records : bool
            Whether batches hold records.
        rows : int
            Messages in a batch at least.

        Yields
        ------
        MessageBatch
        """
        decoding = self._decoding(records=records, rows=rows)
        self._quality = decoding.quality
        for batch in decoding:
            yield self._narrowed(batch)
        self._remember(decoding)

    def whole_batches(self) -> Iterator[MessageBatch]:
        """As `batches`, with records; an input that can be read only once is kept for other tables."""
        if self._once or "records" in self._whole:
            yield from self._read_whole(records=True)
        else:
            yield from self.batches()

    def _narrowed(self, batch: MessageBatch) -> MessageBatch:
        if not self._narrowing:
            return batch
        return batch.keep(self._narrowing.keeps(batch), self._narrowing.keeps_around)

    def _remember(self, decoding: Decoding) -> None:
        self._quality = decoding.quality
        self._tables.setdefault("sources", decoding.sources())
        self._ended = decoding.end_time

    def _read_whole(self, *, records: bool) -> list[MessageBatch]:
        key = "records" if records else "messages"
        if key not in self._whole:
            decoding = self._decoding(records=records, rows=None)
            self._whole[key] = [self._narrowed(batch) for batch in decoding]
            self._remember(decoding)
        return self._whole[key]

    def exchange_batches(
        self,
        *,
        rows: int = BATCH_ROWS,
        keep: bool = True,
        see: Callable[[MessageBatch], None] | None = None,
        lookups: bool = True,
    ) -> Iterator[ExchangeBatch]:
        """Stream the capture's exchanges; memory stays flat at any size.

        Matching sees all messages, so that narrowing (`since`, `client`, ...) picks whole exchanges.

        Parameters
        ----------
        rows : int
            Messages matched at a time at least.
        keep : bool
            Whether messages of an input that can be read only once are kept for other tables.
        see : callable, optional
            Called with each batch of messages, narrowed, that goes by on the way.
        lookups : bool
            Whether to tell the lookup and role of each exchange, which takes longer than all the rest.

        Yields
        ------
        ExchangeBatch
        """
        if lookups:
            for _, exchanges, _ in self._assembled(rows, keep, see, lookups=False):
                yield from exchanges
            return
        from dnscap.exchanges.matching import Matching

        matching = Matching()
        for batch in self._going_by(rows, keep, see, records=see is not None):
            yield from matching.feed(batch)
        yield from matching.finish(self._end())
        if self._quality is not None:
            self._quality.counts["exchanges_evicted"] = matching.counts["exchanges_evicted"]

    def lookup_batches(self, *, rows: int = BATCH_ROWS, keep: bool = True) -> Iterator[LookupBatch]:
        """Stream the capture's lookups; memory stays flat at any size.

        Parameters
        ----------
        rows : int
            Messages taken in at a time at least.
        keep : bool
            Whether messages of an input that can be read only once are kept for other tables.

        Yields
        ------
        LookupBatch
        """
        for _, _, lookups in self._assembled(rows, keep, None):
            yield from lookups

    def resolution_batches(self, *, rows: int = BATCH_ROWS, keep: bool = True) -> Iterator[ResolutionBatch]:
        """Stream what resolvers and forwarders did for their clients; parameters as of `lookup_batches`."""
        from dnscap.resolutions.resolving import Resolving, resolve

        resolving = Resolving()
        yield from resolve(self._going_by(rows, keep, None), self._end, resolving)
        if self._quality is not None:
            self._quality.counts.update(resolving.counts)

    def _assembled(
        self,
        rows: int,
        keep: bool,
        see: Callable[[MessageBatch], None] | None,
        resolving: Resolving | None = None,
        *,
        lookups: bool = True,
    ) -> Iterator[tuple[MessageBatch | None, Iterator[ExchangeBatch], Iterator[LookupBatch]]]:
        from dnscap.lookups.assembling import Assembling

        assembling = Assembling(resolving, lookups=lookups)
        for batch in self._going_by(rows, keep, see):
            over = assembling.taken()
            yield batch, assembling.feed(batch), over
            for _ in over:  # what nobody took must not pile up
                pass
        yield None, assembling.finish(self._end()), assembling.taken()
        if self._quality is not None:
            for name in ("exchanges_evicted", "lookups_closed_early", "clients_forgotten"):
                self._quality.counts[name] = assembling.counts[name]
            if resolving is not None:
                self._quality.counts.update(resolving.counts)

    def _going_by(
        self, rows: int, keep: bool, see: Callable[[MessageBatch], None] | None, *, records: bool = True
    ) -> Iterator[MessageBatch]:
        """All messages, with their records unless nobody needs them, not narrowed; `see` gets them narrowed."""
        kept = self._whole.get("records")
        if kept is None and self._once and keep:
            kept = self._read_whole(records=True)
        if kept is not None:
            for batch in kept:
                if see is not None:
                    see(batch)
                yield batch
            return
        # A pipe whose messages are not kept is one that somebody watches.
        decoding = self._decoding(records=records, rows=1 if self._once else rows)
        self._quality = decoding.quality
        for batch in decoding:
            if see is not None:
                see(self._narrowed(batch))
            yield batch
        self._remember(decoding)

    def _end(self) -> int | None:
        """When the capture ended: it may go on after its last message."""
        return self._ended

    def exchange_parts(
        self,
        columns: Sequence[str] | None,
        *,
        keep: bool = True,
        see: Callable[[MessageBatch], None] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Stream columns of the exchanges, narrowed; parameters as of `exchange_batches`."""
        wanted = columns
        if self._narrowing and columns is not None:
            wanted = [*columns, *self._narrowing.exchange_columns]
        assembled = wanted is None or not {"lookup", "role"}.isdisjoint(wanted)
        for batch in (
            self.exchange_batches(keep=keep, see=see, lookups=assembled)
            if self._exchanges is None or see is not None
            else self._exchanges
        ):
            part = batch.to_arrow(wanted)
            if self._narrowing:
                part = part.filter(array_of(self._narrowing.keeps_exchanges(part)))
            yield part if columns is None else part.select([n for n in part.schema.names if n in columns])

    def _read_once_through(self) -> None:
        """Read to the end if that has not been done, keeping only what could not be had again."""
        if "sources" in self._tables:
            return
        if self._once:
            self._read_whole(records=True)
        else:
            for _ in self.batches(records=False):
                pass

    def _lookup_parts(self, columns: Sequence[str] | None, *, keep: bool = True) -> Iterator[pa.RecordBatch]:
        wanted = columns
        if self._narrowing and columns is not None:
            wanted = [*columns, *self._narrowing.lookup_columns]
        for batch in self.lookup_batches(keep=keep) if self._lookups is None else self._lookups:
            part = batch.to_arrow(wanted)
            if self._narrowing:
                part = part.filter(array_of(self._narrowing.keeps_lookups(part)))
            yield part if columns is None else part.select([n for n in part.schema.names if n in columns])

    def _resolution_parts(
        self, columns: Sequence[str] | None, *, keep: bool = True
    ) -> Iterator[pa.RecordBatch]:
        wanted = None if columns is None else [*columns, *self._narrowing.resolution_columns]
        for batch in self.resolution_batches(keep=keep):
            part = batch.to_arrow(wanted)
            if self._narrowing:
                part = part.filter(array_of(self._narrowing.keeps_resolutions(part)))
            yield part if columns is None else part.select([n for n in part.schema.names if n in columns])

    @property
    def _once(self) -> bool:
        """Whether an input can be read only once, so that everything must be kept in one pass."""
        return not all(item.repeatable for item in self._inputs)
