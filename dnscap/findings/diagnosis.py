"""One pass over exchanges, lookups, connections and events; then servers, clients, findings, scorecard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dnscap.arrays import scalar_of
from dnscap.clients import ClientTally, Keeper, Kept
from dnscap.clients.keeping import Details
from dnscap.clients.kept_rows import MOST_EXCHANGES, plain_rows
from dnscap.findings import find
from dnscap.findings.asked_names import NameTally
from dnscap.findings.cache_course import CacheCourse
from dnscap.findings.caches import CacheTally
from dnscap.findings.costs import CauseTally
from dnscap.findings.course import CourseTally
from dnscap.findings.gate import SHORT_SNAPLEN, CaptureQuality
from dnscap.findings.habits import Habits
from dnscap.findings.moments import Moments
from dnscap.findings.native_rows import ExchangeRows, LookupRows
from dnscap.findings.origins import Origins
from dnscap.findings.rule import Facts, Finding
from dnscap.findings.scorecard import Figure, ScoreTally
from dnscap.findings.slow_walks import SlowWalks
from dnscap.messages.around import KINDS, connection_rows, event_kinds
from dnscap.names import SeenNames
from dnscap.resolutions.arrow import Verdicts
from dnscap.schema import FINDINGS
from dnscap.servers import ServerTally
from dnscap.servers.tally import table_of
from dnscap.tables.columns import Columns

if TYPE_CHECKING:
    from dnscap.messages.decoding import MessageBatch
    from dnscap.native.exchange_rows import ExchangeBatch
    from dnscap.native.lookup_columns import LookupBatch
    from dnscap.native.resolution_columns import ResolutionBatch

Array = np.ndarray[Any, np.dtype[Any]]

MOST_EVENT_KINDS = 64

MOST_CLIENTS = 100
"""Pairs of client and stub whose configuration findings look at."""

MOST_ATTEMPTS = 2_000
"""TCP connections that carried nothing kept for showing."""


def _told_whole(kept: Kept) -> bool:
    """Whether all exchanges of a lookup are there, or it had but one server anyway."""
    row = kept.row
    return len(row["servers"] or ()) < 2 or kept.sent >= min(row["queries"] or 0, MOST_EXCHANGES)


class Diagnosis:
    """Takes batches of tables as they stream by, holds a bounded summary, and judges it.

    Examples
    --------
    >>> diagnosis = Diagnosis()
    >>> diagnosis.findings
    []
    """

    def __init__(self) -> None:
        self.keeper = Keeper()
        self.quality = CaptureQuality()
        self.course = CourseTally()
        self._servers = ServerTally()
        self._clients = ClientTally(self.keeper)
        self._causes = CauseTally()
        self._names = NameTally()
        self.seen = SeenNames()
        """What servers said of names."""
        self.origins = Origins()
        """Which file a frame is in."""
        self._score = ScoreTally()
        self._caches = CacheTally()
        self.cache_course = CacheCourse()
        self.slow_walks = SlowWalks()
        self.moments = Moments()
        self.habits = Habits()
        """What only shows in numbers; fed by `feed_native`, or beside `feed` with native rows."""
        self._events: Counter[str] = Counter()
        self._end: int | None = None
        self.attempts: list[dict[str, Any]] = []
        """Connections that carried no query, as far as kept."""
        self._finished = self._early = False
        self._exchange_rows = ExchangeRows(self._servers, self._score, self._names)
        self._lookup_rows = LookupRows(self.keeper, self._clients, self._causes, self._names)

    # ------------------------------------------------------------ feeding

    def feed(
        self,
        *,
        lookups: pa.RecordBatch | None = None,
        exchanges: pa.RecordBatch | None = None,
        connections: pa.RecordBatch | None = None,
        events: pa.RecordBatch | None = None,
        resolutions: Verdicts | None = None,
        details: Details | None = None,
    ) -> None:
        """Take what the stages before gave for a stretch of the capture.

        `details` gives columns that `lookups` lacks, of those lookups that are kept.
        """
        if lookups is not None and lookups.num_rows:
            self._feed_lookups(lookups, details)
        if exchanges is not None and exchanges.num_rows:
            self._feed_exchanges(exchanges)
        if resolutions is not None:
            self._feed_resolutions(resolutions)
        if connections is not None and connections.num_rows:
            self._servers.feed_connections(connections)
            self._note_attempts(connections)
        if events is not None and events.num_rows:
            codes, words = Columns(events).codes("kind")
            self._count_events(codes, words)

    def feed_native(
        self,
        *,
        lookups: LookupBatch | None = None,
        exchanges: ExchangeBatch | None = None,
        resolutions: ResolutionBatch | None = None,
    ) -> None:
        """As `feed`, of whole native batches: these rows as they come from the capture.

        All of a diagnosis comes in this way or as tables; the order of calls is the same.
        """
        if lookups is not None:
            self._lookup_rows.feed(lookups)
            self.course.feed_native_lookups(lookups)
        if exchanges is not None and exchanges.exchanges:
            self.course.feed_native_exchanges(exchanges)
            self._exchange_rows.feed(exchanges, self._end)
            self.slow_walks.feed_exchanges(exchanges)
            self._lookup_rows.feed_exchanges(exchanges)
            self.habits.feed(exchanges)
        if resolutions is not None and resolutions.count:
            totals = np.zeros(16, np.int64)
            self._caches.feed_native(resolutions, totals)
            self._score.add_verdicts(totals.tolist())
            self.cache_course.feed_native(resolutions)
            self.slow_walks.feed_native(resolutions)
            self.moments.feed_native(resolutions)

    def feed_around(self, batch: MessageBatch) -> None:
        """Take connections and events of a batch of messages, of which most have none."""
        ended = connection_rows(batch.native)
        if batch.kept is not None:
            self.feed(connections=batch.to_arrow("connections"))
        elif len(ended):
            self._servers.feed_native_connections(ended)
            if len(self.attempts) < MOST_ATTEMPTS and (ended["queries"] == 0).any():
                self._note_attempts(batch.to_arrow("connections"))
        if batch.native.event_rows_count:
            if batch.kept is not None:
                self.feed(events=batch.to_arrow("events", ["kind"]))
            else:
                self._count_events(event_kinds(batch.native), KINDS)

    def _count_events(self, codes: Array, words: Sequence[str]) -> None:
        counts = np.bincount(codes[codes >= 0], minlength=len(words))
        for word, count in zip(words, counts.tolist(), strict=False):
            if word in self._events or len(self._events) < MOST_EVENT_KINDS:
                self._events[word] += count

    def _note_attempts(self, connections: pa.RecordBatch) -> None:
        queries = connections.column("queries")
        vain = connections.filter(pc.equal(queries, scalar_of(0, queries.type)))
        self.attempts += plain_rows(vain.slice(0, max(MOST_ATTEMPTS - len(self.attempts), 0)))

    def _feed_resolutions(self, resolutions: Verdicts) -> None:
        self.cache_course.feed(resolutions)
        self.slow_walks.feed(resolutions)
        self.moments.feed(resolutions)
        # Findings and figures rest on what is seen; what is inferred is only told.
        seen = resolutions.keep(resolutions.seen)
        self._caches.feed(seen)
        self._score.feed_resolutions(seen)

    def _feed_lookups(self, batch: pa.RecordBatch, details: Details | None) -> None:
        rows = Columns(batch)
        pairs = self.keeper.pairs_of(rows)
        self.keeper.feed_lookups(batch, rows, pairs, details)
        self._clients.feed_lookups(rows, pairs)
        self._causes.feed_lookups(batch, rows)
        self._names.feed_lookups(rows)
        self.course.feed_lookups(rows)

    def _feed_exchanges(self, batch: pa.RecordBatch) -> None:
        rows = Columns(batch)
        self._servers.feed_exchanges(rows, self._end)
        self._names.feed_exchanges(batch, rows)
        self._score.feed_exchanges(rows, self._end)
        self.course.feed_exchanges(rows)
        self.keeper.feed_exchanges(batch)
        self.slow_walks.feed_exchanges(batch)

    def note_sources(self, sources: pa.Table) -> None:
        """Take in what the sources table says of drops, filters and the end of the capture."""
        self.origins.note_sources(sources)
        self._end = pc.max(sources.column("last_time").cast(pa.int64())).as_py()
        self.quality.drops = pc.sum(sources.column("drops")).as_py() or 0
        limits = [n for n in sources.column("snaplen").to_pylist() if n]
        self.quality.snaplen = min((n for n in limits if n < SHORT_SNAPLEN), default=None)
        filters = [text for text in sources.column("filter").to_pylist() if text]
        self.quality.filtered = any("port" in text and "icmp" not in text for text in filters)

    def note_reading(self, *, cut: bool, short: int = 0) -> None:
        """Take in whether the capture was read to its end, and how many messages are cut short."""
        self.quality.cut = cut
        self.quality.short = short

    def finish(self) -> None:
        """Nothing more comes."""
        if self._finished:
            return
        self._finished = True
        self._lookup_rows.finish()
        self.slow_walks.finish()
        self.keeper.finish()
        self._conclude()

    def findings_so_far(self) -> list[Finding]:
        """What could be said if the capture ended here; more may come.

        Examples
        --------
        >>> Diagnosis().findings_so_far()
        []
        """
        if self._finished:
            return self.findings
        self._finished = self._early = True  # for those that want all to be there
        try:
            self._conclude()
            return self.findings
        finally:
            self._finished = self._early = False
            for name in ("server_rows", "client_rows", "facts", "findings"):
                self.__dict__.pop(name, None)

    def _conclude(self) -> None:
        """Put together what is known of the whole; as often as it is wanted."""
        self._exchange_rows.settle()
        self._lookup_rows.settle()
        self._caches.settle()
        self.cache_course.settle()
        self._servers.told = self._caches.roles()
        self._servers.failovers = self.keeper.failovers()
        self.quality.queries = self.quality.responses = 0
        for row in self.server_rows:
            self.quality.queries += row["queries"]
            self.quality.responses += row["answered"]
        self.quality.unsolicited = self._score.outcomes["unsolicited"]
        self.quality.gaps = self._events["stream-gap"]
        silent = [] if self.quality.responses else self.keeper.kept.values()
        self.quality.silent = len(silent)
        self.quality.asked_again = sum(
            1 for kept in silent if kept.row["retransmissions"] or kept.row["failovers"]
        )

    # ------------------------------------------------------------ verdicts

    @cached_property
    def server_rows(self) -> list[dict[str, Any]]:
        """Rows of the servers table."""
        self.finish()
        return self._servers.rows()

    @cached_property
    def client_rows(self) -> list[dict[str, Any]]:
        """Rows of the clients table."""
        self.finish()
        return self._clients.rows()

    @property
    def client_count(self) -> int:
        """Rows of the clients table; making them all takes longer than counting them."""
        self.finish()
        return len(self._clients)

    @cached_property
    def facts(self) -> Facts:
        """What findings are made from."""
        self.finish()
        return Facts(
            kept=[
                kept
                for _, kept in sorted(self.keeper.kept.items())
                # Exchanges come later than their lookup; without them it is not known which server it was.
                if not self._early or _told_whole(kept)
            ],
            costs=self._causes.costs,
            lookups=self._causes.lookups,
            failed=self._causes.failed,
            seconds=self._causes.seconds,
            servers=self.server_rows,
            clients=self._clients.rows(MOST_CLIENTS),
            quality=self.quality,
            events=self._events,
            names=self._names,
            seen=self.seen.rows(),
            caches=self._caches,
            habits=self.habits,
            answers=self._servers.answers_of,
            origins=self.origins,
        )

    @cached_property
    def findings(self) -> list[Finding]:
        """Everything found, the worst first."""
        return find(self.facts)

    @property
    def scorecard(self) -> list[Figure]:
        """The seven figures of a healthy name service."""
        self.finish()
        return self._score.figures()

    def to_arrow(self, table: str) -> pa.Table:
        """One of the tables ``servers``, ``clients``, ``findings``."""
        self.finish()
        if table == "servers":
            return self._servers.to_arrow()
        if table == "clients":
            return self._clients.to_arrow()
        return table_of([finding.as_row() for finding in self.findings], FINDINGS)
