"""The slowest things that resolvers did for a client, with what they asked upstream for it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dnscap.clients.kept_rows import plain_rows
from dnscap.exchanges.arrow import Picked, exchange_batch
from dnscap.resolutions.arrow import Verdicts
from dnscap.resolutions.walk import Walk, walk_of
from dnscap.resolutions.words import CACHES

if TYPE_CHECKING:
    from dnscap.native.exchange_rows import ExchangeBatch

Array = np.ndarray[Any, np.dtype[Any]]

MOST_WALKS = 5
"""Walks kept, one a resolver and name: whoever else waited for the same is no further one."""

MOST_HOPS = 40
"""Exchanges of a walk that are kept; the first ones tell where it went."""

MOST_HELD = 16
"""Batches of exchanges held for walks that are not over when their exchanges are."""

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

    def feed(self, verdicts: Verdicts) -> None:
        """Look for slow ones among some resolutions."""
        if not len(verdicts):
            return
        floor = min((row["latency"] for row in self._kept.values()), default=0)
        least = floor if len(self._kept) >= MOST_WALKS else 0
        slow = verdicts.seen & (verdicts.upstream_time > 0) & (verdicts.latency > least)
        slow &= (verdicts.cache != _COALESCED) & (verdicts.cache != _UNKNOWN)
        places = np.flatnonzero(slow)
        if not len(places):
            return
        order = np.argsort(-verdicts.latency[places], kind="stable")[:_TAKEN]
        for row in plain_rows(verdicts.rows(places[order])):
            self._consider(row)
        self._let_go()

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
            if last == key:
                return
        self._want({number for number in row["upstream"] if number not in self._sent})

    def _want(self, numbers: set[int]) -> None:
        self._wanted |= numbers
        for batch in self._held:
            if not self._wanted:
                return
            self._take(batch)

    def _let_go(self) -> None:
        """Forget exchanges of walks that others have pushed out."""
        needed = {number for row in self._kept.values() for number in row["upstream"]}
        self._wanted &= needed
        for number in self._sent.keys() - needed:
            del self._sent[number]

    def feed_exchanges(self, batch: ExchangeBatch | pa.RecordBatch) -> None:
        """Take what the walks kept asked upstream; a native batch, or rows of the table."""
        if self._wanted:
            self._take(batch)
        self._held.append(batch)

    def _take(self, batch: ExchangeBatch | pa.RecordBatch) -> None:
        wanted = np.array(sorted(self._wanted), dtype=np.int64)
        if isinstance(batch, pa.RecordBatch):
            numbers = batch.column("exchange").to_numpy(zero_copy_only=False).astype(np.int64)
            places = np.flatnonzero(np.isin(numbers, wanted))
            part = batch.select(_EXCHANGE).take(pa.array(places)) if len(places) else None
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
