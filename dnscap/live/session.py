"""The engine of live capture: octets in, batches of final rows out, the same stages as for files."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dnscap.errors import CaptureError
from dnscap.live.alerts import Alerts
from dnscap.live.feeds import Counters, Feed
from dnscap.live.memory import Memory
from dnscap.live.totals import Totals
from dnscap.lookups.assembling import Assembling, LookupBatch
from dnscap.messages.decoding import DNS_PORTS, Decoding, MessageBatch, empty_table
from dnscap.native.outstanding import count_waiting, lookups_at, numbers_of, open_lookups
from dnscap.native.recording import Recorder
from dnscap.resolutions.resolving import Resolving

if TYPE_CHECKING:
    import pandas as pd

    from dnscap.exchanges.matching import ExchangeBatch
    from dnscap.findings.diagnosis import Diagnosis
    from dnscap.findings.rule import Finding
    from dnscap.live.alerts import OpenLookup
    from dnscap.live.frame_ring import FrameRing
    from dnscap.live.saving import Saver

TICK = 0.1
"""Seconds that octets gather before they are looked at."""

LATE = 500_000_000
"""Nanoseconds that a frame may be on its way to us: the clock of the capture stays so far behind ours while
nothing comes."""

MOST_LATE = 60_000_000_000
"""A stream that comes in lumps (a tcpdump without ``-U``) makes the clock stay behind by as much as it was
seen to be late, and by this at most."""

COUNTED_EVERY = 1.0
"""Seconds between two looks at the kernel's counters, and two rounds of adding up and judging at least."""

TICKED_EVERY = 500_000_000
"""Nanoseconds after which the stages are told the time although messages come, which tell it too."""

ALERTED_EVERY = (TICK / 2, 0.5)
"""Seconds between two looks at lookups that wait, at least and at most: at each turn, unless looking takes long."""

MOST_HELD_ROWS = 50_000
"""Exchanges that wait to be added up at most: they hold memory."""

SHARE = 40
"""Looking at what waits, adding up, and judging may each take one part in so many of the time: the longer they
take, the rarer they get."""

MOST_HELD = 5.0
"""Seconds that rows wait to be added up at most."""


@dataclass
class LiveBatch:
    """What became final, or was seen, within a moment.

    Attributes
    ----------
    time : int or None
        Where the clock of the capture is, nanoseconds since the epoch.
    counters : Counters or None
        What the kernel counted so far.
    findings : list of Finding
        Findings that are new, or worse than before.
    last : bool
        Whether this is the end.
    """

    time: int | None = None
    counters: Counters | None = None
    findings: list[Finding] = field(default_factory=list)
    last: bool = False
    message_batches: list[MessageBatch] = field(default_factory=list)
    exchange_batches: list[ExchangeBatch] = field(default_factory=list)
    lookup_batches: list[LookupBatch] = field(default_factory=list)

    def parts(self, table: str, columns: Sequence[str] | None = None) -> list[pa.RecordBatch]:
        """Rows of a table as Arrow record batches, those without rows left out.

        Parameters
        ----------
        table : {"lookups", "exchanges", "messages", "records", "connections", "events"}
            Which table.
        columns : sequence of str, optional
            Only these columns; others cost nothing.
        """
        parts: list[pa.RecordBatch]
        if table == "lookups":
            parts = [batch.to_arrow(columns) for batch in self.lookup_batches]
        elif table == "exchanges":
            parts = [batch.to_arrow(columns) for batch in self.exchange_batches]
        else:
            parts = [batch.to_arrow(table, columns) for batch in self.message_batches]
        return [part for part in parts if part.num_rows]

    def to_arrow(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows of a table as one Arrow table; parameters as of `parts`."""
        parts = self.parts(table, columns)
        return pa.Table.from_batches(parts) if parts else empty_table(table, columns)

    def _frame(self, table: str) -> pd.DataFrame:
        from dnscap.tables.frames import to_pandas

        return to_pandas(self.to_arrow(table), table)

    @property
    def lookups(self) -> pd.DataFrame:
        """Lookups that are over."""
        return self._frame("lookups")

    @property
    def exchanges(self) -> pd.DataFrame:
        """Exchanges that are final."""
        return self._frame("exchanges")

    @property
    def messages(self) -> pd.DataFrame:
        """Messages seen."""
        return self._frame("messages")


class Session:
    """One live capture, from its feed to findings; an iterator of batches and a context manager.

    Parameters
    ----------
    feed : Feed
        Where octets come from.
    dns_ports : sequence of int
        UDP and TCP ports taken as DNS.
    saver : Saver, optional
        Gets every frame before it is looked at.
    frames : int
        Frames after which to stop; 0 for no limit.
    duration : float, optional
        Seconds after which to stop.
    judging : bool
        Whether findings are wanted.
    ring : FrameRing, optional
        Gets every frame, too, and remembers the latest.
    """

    def __init__(
        self,
        feed: Feed,
        *,
        dns_ports: Sequence[int] = DNS_PORTS,
        saver: Saver | None = None,
        frames: int = 0,
        duration: float | None = None,
        judging: bool = True,
        ring: FrameRing | None = None,
    ) -> None:
        self.feed = feed
        self.totals = Totals()
        self.fault: CaptureError | None = None
        """Why the capture ended early, or what was lost."""
        self.started: float | None = None
        self._memory = Memory()
        self._decoding = Decoding([], dns_ports=dns_ports)
        self._resolving = Resolving(outside=False) if judging else None
        self._assembling = Assembling(self._resolving)
        self._judging = judging
        self._diagnosis: Diagnosis | None = None
        self._alerts = Alerts()
        self._findings: list[Finding] = []
        self._saver = saver
        self._ring = ring
        self._frames = frames
        self._duration = duration
        self._recorder: Recorder | None = None
        if not feed.recorded and (saver is not None or ring is not None or frames):
            self._recorder = Recorder()
            self._recorder.begin_file()
            self._recorder.section()
        self._rest = b""  # octets that the decoder, and the recorder, want again with more behind them
        self._pending = b""
        self._began = False
        self._stopping = False
        self._finished = False
        self._broken = False
        self._arrived = 0.0  # our clock when the latest frame came
        self._latest: int | None = None  # its time
        self._late = LATE
        self._clock: int | None = None  # where the stages' clock is
        self._counters: Counters | None = None
        self._next_count = 0.0
        self._next_alert = 0.0
        self._next_adding = 0.0
        self._next_judging = 0.0
        self._held = LiveBatch()  # not yet added up

    # ------------------------------------------------------------ running

    def start(self) -> None:
        """Begin to capture; iterating does so by itself."""
        if self.started is None:
            self.started = time.monotonic()
            self.feed.start(self._frames)

    def stop(self) -> None:
        """Take in what came until now and no more; may be called from a signal handler."""
        if not self._stopping:
            self._stopping = True
            self.feed.stop()

    def __iter__(self) -> Iterator[LiveBatch]:
        while not self._finished:
            try:
                batch = self.step()
            except KeyboardInterrupt:
                self.stop()
                continue
            if batch is not None:
                yield batch

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and let go of what is open; what came is saved."""
        if self.started is not None and not self._finished:
            self.stop()
            for _ in self:
                pass
        self._finished = True
        self.feed.close()
        self._close_saver()

    def step(self, seconds: float = TICK) -> LiveBatch | None:
        """Take in what came within a moment.

        Parameters
        ----------
        seconds : float
            How long to wait for it.

        Returns
        -------
        LiveBatch or None
            None where nothing came and nothing changed; the batch with `last` set is the end.
        """
        self.start()
        if self._duration is not None and time.monotonic() - (self.started or 0.0) >= self._duration:
            self.stop()
        running = self.feed.running
        octets = self.feed.take(seconds)
        if octets is None and not running:
            return self._finish()
        if octets is not None:
            self._take_in(octets, last=False)
            if self._broken:
                self.stop()
        return self._batch()

    def _take_in(self, octets: Any, *, last: bool) -> None:
        if self._recorder is not None:
            octets = self._converted(octets, last)
        if self._saver is not None and len(octets):
            self._saver.write(octets)
            if self._saver.fault is not None:
                self.fault = self.fault or self._saver.fault
                self._broken = True
        if self._ring is not None and len(octets):
            self._ring.write(octets)
        if not self._began:
            self._began = True
            self._decoding.begin(self.feed.name, "pcapng" if self._recorder is not None else self.feed.form)
        if self._rest:
            octets = self._rest + bytes(octets)
        used = self._decoding.feed(octets, last)
        self._rest = bytes(memoryview(octets)[used:]) if used < len(octets) else b""
        if self._decoding.ended and not last and (what := self._decoding.fault()) is not None:
            self.fault = self.fault or CaptureError(self.feed.name, what)
            self._broken = True

    def _converted(self, octets: Any, last: bool) -> bytes:
        """A stream's octets as blocks of our own."""
        recorder = self._recorder
        assert recorder is not None
        if self._pending:
            octets = self._pending + bytes(octets)
        used = recorder.convert(octets, last, self._frames)
        self._pending = bytes(memoryview(octets)[used:])
        if recorder.ended and not last:
            if (what := recorder.fault_text()) is not None:
                self.fault = self.fault or CaptureError(self.feed.name, what)
            self._broken = True
        return recorder.take()

    # ------------------------------------------------------------ batches

    def _watermark(self) -> int | None:
        """The clock of the capture: where frames cannot come from any more."""
        latest = self._decoding.last_time
        now = time.monotonic()
        if latest is None:
            return None
        if self._latest is None or latest > self._latest:
            if self._clock is not None and latest < self._clock:
                # Later than we thought possible: whatever passes time for us has to wait longer.
                self._late = min(max(self._late, 2 * (self._clock - latest)), MOST_LATE)
            self._latest = latest
            self._arrived = now
        idle = int((now - self._arrived) * 1e9)
        clock = max(self._latest, self._latest + idle - self._late) if idle > self._late else self._latest
        return max(clock - (0 if idle > self._late else self._late), self._clock or 0)

    def _batch(self) -> LiveBatch | None:
        batch = LiveBatch()
        for messages in self._decoding.taken():
            self._feed(messages, batch)
        clock = self._watermark()
        if (
            clock is not None
            and clock != self._clock
            and not (batch.message_batches and clock - (self._clock or 0) < TICKED_EVERY)
        ):
            batch.exchange_batches += self._assembling.tick(clock)
            self._clock = clock
        batch.lookup_batches += self._assembling.taken()
        batch.time = self._clock
        self._count(batch)
        self._judge(batch)
        if batch.message_batches or batch.exchange_batches or batch.lookup_batches or batch.findings:
            return batch
        return batch if batch.counters is not None else None

    def _feed(self, messages: MessageBatch, batch: LiveBatch) -> None:
        batch.message_batches.append(messages)
        batch.exchange_batches += self._assembling.feed(messages)
        self.totals.feed_messages(messages)
        self._alerts.feed(messages)
        if self._judging:
            self.diagnosis.seen.feed(messages)
            self.diagnosis.habits.feed_messages(messages)

    def _count(self, batch: LiveBatch) -> None:
        """Look at the kernel's counters from time to time."""
        now = time.monotonic()
        if now >= self._next_count:
            self._next_count = now + COUNTED_EVERY
            self._note_counters()
            batch.counters = self._counters or Counters()
        self.totals.feed(batch.exchange_batches, batch.lookup_batches)

    def _note_counters(self) -> None:
        counters = self.feed.counters
        if counters is not None and counters != self._counters:
            drops = (counters.dropped, counters.interface_dropped)
            told = self._counters is not None and drops == (
                self._counters.dropped,
                self._counters.interface_dropped,
            )
            self._counters = counters
            if self._began and not told:
                # The way a file tells of drops, so that the stages know of them as they would there.
                self._decoding.feed(_statistics(counters, self._decoding.last_time or 0))
        if counters is not None:
            self.totals.counters = counters
            if self._saver is not None:
                self._saver.note(counters)

    # ------------------------------------------------------------ judging

    def _judge(self, batch: LiveBatch) -> None:
        if not self._judging:
            return
        self._hold(batch)
        now = time.monotonic()
        if self._clock is not None and now >= self._next_alert:
            clock = self.now
            batch.findings += self._alerts.found(
                self.open_lookups(clock, since=clock - 500_000_000, lost=True), clock
            )
            spent = time.monotonic() - now
            self._next_alert = now + min(max(ALERTED_EVERY[0], SHARE * spent), ALERTED_EVERY[1])
        held = sum(one.exchanges for one in self._held.exchange_batches)
        if now >= self._next_adding or held > MOST_HELD_ROWS:
            self._add_up()
            spent = time.monotonic() - now
            self._next_adding = now + min(max(COUNTED_EVERY, SHARE * spent), MOST_HELD)
        if now >= self._next_judging:
            self._findings = self.diagnosis.findings_so_far()
            spent = time.monotonic() - now
            self._next_judging = now + max(COUNTED_EVERY, SHARE * spent)
            self._memory.give_back()
            batch.findings += self._alerts.news(self._findings)

    @property
    def diagnosis(self) -> Diagnosis:
        """What was added up so far."""
        if self._diagnosis is None:
            from dnscap.findings.diagnosis import Diagnosis

            self._diagnosis = Diagnosis()
        return self._diagnosis

    def _hold(self, batch: LiveBatch) -> None:
        held = self._held
        held.lookup_batches += batch.lookup_batches
        held.exchange_batches += batch.exchange_batches
        # Messages themselves are not added up, and hold memory.
        for messages in batch.message_batches:
            self.diagnosis.feed_around(messages)

    def _add_up(self) -> None:
        """Hand on what was held back: one round of many batches costs less than many rounds."""
        held, self._held = self._held, LiveBatch()
        diagnosis = self.diagnosis
        if self._resolving is not None:
            for resolved in self._resolving.taken():
                diagnosis.feed_native(resolutions=resolved.native)
        for looked in held.lookup_batches:
            diagnosis.feed_native(lookups=looked.native)
        for sent in held.exchange_batches:
            diagnosis.feed_native(exchanges=sent.native)

    @property
    def findings(self) -> list[Finding]:
        """What is wrong, the worst first: as of the latest judging, final at the end."""
        return self._findings

    def open_lookups(
        self, clock: int | None = None, *, most: int = 256, since: int = 0, lost: bool = False
    ) -> Iterator[OpenLookup]:
        """Lookups that wait for an answer.

        Parameters
        ----------
        clock : int, optional
            The time now, in the capture's clock, for how long each waits.
        most : int
            How many to give at most.
        since : int
            Only those with a query of this time or earlier that is not answered; 0 for all.
        lost : bool
            Also those that have an answer, though not to such a query.
        """
        from dnscap.live.alerts import OpenLookup

        for row in open_lookups(self._assembling.native, most, since, lost):
            yield OpenLookup.of(row, self.now if clock is None else clock)

    @property
    def now(self) -> int:
        """What time it is in the capture, nanoseconds since the epoch: that of its latest frame and what went by."""
        return 0 if self._latest is None else self._latest + int((time.monotonic() - self._arrived) * 1e9)

    @property
    def begun(self) -> int:
        """Lookups that have begun so far, which is the number of the next one."""
        return numbers_of(self._assembling.native)[2]

    @property
    def waiting(self) -> int:
        """Lookups that wait for an answer."""
        return count_waiting(self._assembling.native)

    def glimpse(self, numbers: Iterable[int]) -> tuple[list[OpenLookup], LookupBatch]:
        """Where some lookups stand before batches have them: the open ones, and those that are over.

        Batches give lookups in order, so one that waits half a minute holds up all that began after it.

        Parameters
        ----------
        numbers : iterable of int
            Their numbers; those that batches gave already, or that have not begun, are left out.
        """
        from dnscap.live.alerts import OpenLookup

        rows, over = lookups_at(self._assembling.native, numbers)
        return [OpenLookup.of(row, self.now) for row in rows], LookupBatch(over)

    # ------------------------------------------------------------ the end

    def _finish(self) -> LiveBatch:
        """Nothing more comes."""
        self._finished = True
        if self._rest or self._pending or not self._began:
            self._take_in(b"", last=True)
        self.fault = self.feed.fault or self.fault
        batch = LiveBatch(last=True)
        self._note_counters()
        batch.counters = self._counters
        for messages in self._decoding.end():
            self._feed(messages, batch)
        batch.exchange_batches += self._assembling.finish(self._end())
        batch.lookup_batches += self._assembling.taken()
        batch.time = self._end()
        self.totals.feed(batch.exchange_batches, batch.lookup_batches)
        if self._judging:
            self._add_up()
            self.diagnosis.note_sources(self._decoding.sources())
            self._hold(batch)
            self._add_up()
            self.diagnosis.note_reading(cut=self.fault is not None)
            self.diagnosis.finish()
            self._findings = self.diagnosis.findings
            batch.findings += self._alerts.news(self._findings)
        self._close_saver()
        return batch

    def _end(self) -> int | None:
        """When the capture ended: nothing came any more until where its clock has got to."""
        last = self._decoding.last_time
        return last if last is None or self._clock is None else max(last, self._clock)

    def _close_saver(self) -> None:
        if self._saver is not None:
            self._saver.close(self._counters, self._end())
            if self._saver.fault is not None:
                self.fault = self.fault or self._saver.fault

    @property
    def frames(self) -> int:
        """Frames taken in."""
        return self._decoding.frames

    @property
    def quality(self) -> dict[str, int]:
        """Counts of capture quality so far."""
        self._decoding.count()
        return {
            **self._decoding.quality.counts,
            **{
                name: self._assembling.counts[name]
                for name in ("exchanges_evicted", "lookups_closed_early", "clients_forgotten")
            },
            **({} if self._resolving is None else self._resolving.counts | self.diagnosis.seen.counts),
        }


def _statistics(counters: Counters, at: int) -> bytes:
    recorder = Recorder()
    recorder.statistics(0, at, counters.received, counters.dropped, counters.interface_dropped)
    return recorder.take()
