"""The slowest things that resolvers did for a client, with what they asked upstream for it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dnscap.arrays import array_of, numpy_of
from dnscap.clients.kept_rows import plain_rows
from dnscap.exchanges.arrow import Picked, exchange_batch
from dnscap.resolutions.arrow import Verdicts, resolution_batch
from dnscap.resolutions.walk import Walk, walk_of
from dnscap.resolutions.words import CACHES

if TYPE_CHECKING:
    from dnscap.native.exchange_rows import ExchangeBatch
    from dnscap.native.resolution_columns import ResolutionBatch

Array = np.ndarray[Any, np.dtype[Any]]

MOST_WALKS = 5
"""Walks kept, one a resolver and name: whoever else waited for the same is no further one."""

MOST_HOPS = 40
"""Exchanges of a walk that are kept; the first ones tell where it went."""

MOST_HELD = 16
"""Batches of exchanges held for walks that are not over when their exchanges are."""

REACH = 1 << 16
"""Exchanges that resolutions are joined over: a walk has none that is further back than so many."""

_TAKEN = 4 * MOST_WALKS
_EXCHANGE = ["exchange", "response", "time", "latency", "server", "transport", "qname", "qtype", "outcome"]
_COALESCED, _UNKNOWN = CACHES.index("coalesced"), CACHES.index("unknown")


class SlowWalks:
    """Keeps the slowest walks of those seen from both sides.

    Resolutions and exchanges may come in either order, as long as neither is many batches ahead.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], dict[str, Any]] = {}
        self._sent: dict[int, dict[str, Any]] = {}
        self._wanted: set[int] = set()
        self._held: deque[ExchangeBatch | pa.RecordBatch] = deque(maxlen=MOST_HELD)
        self._told = 0  # exchange of the last resolution: those to come are of later ones
        self._places: Array = np.empty(0, np.uint32)
        self._latencies: Array = np.empty(0, np.int64)

    def feed(self, verdicts: Verdicts) -> None:
        """Look for slow ones among some resolutions."""
        if not len(verdicts):
            return
        self._told = int(verdicts.exchange[-1])
        slow = verdicts.seen & (verdicts.upstream_time > 0) & (verdicts.latency > self._least())
        slow &= (verdicts.cache != _COALESCED) & (verdicts.cache != _UNKNOWN)
        places = np.flatnonzero(slow)
        if not len(places):
            return
        order = np.argsort(-verdicts.latency[places], kind="stable")[:_TAKEN]
        self._consider_all(verdicts.rows(places[order]))

    def feed_native(self, batch: ResolutionBatch) -> None:
        """As `feed`, of a native batch."""
        if len(self._places) < batch.count:
            self._places = np.empty(batch.count, np.uint32)
            self._latencies = np.empty(batch.count, np.int64)
        self._told = batch.last_exchange
        passed_over = 1 << _COALESCED | 1 << _UNKNOWN
        found = batch.slower(self._least(), passed_over, self._places, self._latencies)
        if found:
            order = np.argsort(-self._latencies[:found], kind="stable")[:_TAKEN]
            self._consider_all(resolution_batch(batch.pick(self._places[order])))

    def _least(self) -> int:
        """Nanoseconds that a walk has to take longer than to be kept."""
        if len(self._kept) < MOST_WALKS:
            return 0
        return min((row["latency"] for row in self._kept.values()), default=0)

    def _consider_all(self, rows: pa.RecordBatch) -> None:
        for row in plain_rows(rows):
            self._consider(row)
        needed = {number for row in self._kept.values() for number in row["upstream"]}
        for number in self._sent.keys() - needed:  # of walks that others have pushed out
            del self._sent[number]
        self._wanted = needed - self._sent.keys()
        for batch in self._held:
            if self._wanted:
                self._take(batch)

    def _consider(self, row: dict[str, Any]) -> None:
        key = row["resolver"], row["qname"]
        before = self._kept.get(key)
        if before is not None and before["latency"] >= row["latency"]:
            return
        row["hops"] = len(row["upstream"])
        row["upstream"] = row["upstream"][:MOST_HOPS]
        self._kept[key] = row
        if len(self._kept) > MOST_WALKS:
            last = min(self._kept, key=lambda k: (self._kept[k]["latency"], -self._kept[k]["resolution"]))
            del self._kept[last]

    def feed_exchanges(self, batch: ExchangeBatch | pa.RecordBatch) -> None:
        """Take what the walks kept asked upstream; a native batch, or rows of the table."""
        if self._wanted:
            self._take(batch)
        self._held.append(batch)
        end = _end_of(batch)
        while self._held and _end_of(self._held[0]) <= max(self._told, end - REACH) - REACH:
            self._held.popleft()

    def _take(self, batch: ExchangeBatch | pa.RecordBatch) -> None:
        wanted = np.array(sorted(self._wanted), dtype=np.int64)
        if isinstance(batch, pa.RecordBatch):
            numbers = numpy_of(batch.column("exchange")).astype(np.int64)
            places = np.flatnonzero(np.isin(numbers, wanted))
            part = batch.select(_EXCHANGE).take(array_of(places)) if len(places) else None
        else:
            first = int(batch.first_exchange)
            places = wanted[(wanted >= first) & (wanted < first + int(batch.exchanges))] - first
            part = exchange_batch(Picked(batch, places.astype(np.uint32)), _EXCHANGE) if len(places) else None
        if part is None:
            return
        for row in plain_rows(part):
            self._sent[row["exchange"]] = row
            self._wanted.discard(row["exchange"])

    def finish(self) -> None:
        """Nothing more comes."""
        self._held.clear()

    def walks(self) -> list[Walk]:
        """The slowest first; without records, so that hops tell what came back and not what it led to."""
        ranked = sorted(self._kept.values(), key=lambda row: (-row["latency"], row["resolution"]))
        return [
            walk_of(row, [self._sent[number] for number in row["upstream"] if number in self._sent], {})
            for row in ranked
        ]


def _end_of(batch: ExchangeBatch | pa.RecordBatch) -> int:
    """Number that follows on the last exchange of a batch."""
    if isinstance(batch, pa.RecordBatch):
        return int(batch.column("exchange")[-1].as_py()) + 1 if batch.num_rows else 0
    return int(batch.first_exchange) + int(batch.exchanges)
