"""Who asked what of whom within the last minute, counted from messages as they come."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dnscap.live.totals import RESPONSE
from dnscap.messages.arrow import HAS_NAME, NO_CODE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnscap.live.alerts import OpenLookup
    from dnscap.messages.decoding import MessageBatch

Array = np.ndarray[Any, np.dtype[Any]]

SLICE = 10_000_000_000
"""Nanoseconds of a slice: counts leave slice by slice."""

SLICES = 6

Counts = dict[str, Counter[str]]

HOLD = 1_000_000_000
"""Nanoseconds of messages that are counted together."""

FEW = 500
"""Messages that are counted at once, being few."""

REFRESH = 1_000_000_000
"""Nanoseconds for which the most frequent ones stay as they are."""

PATIENCE = 1_000_000_000
"""Nanoseconds that a server may owe an answer before it is called silent."""

MOST_TEXTS = 10_000
"""Names, clients or servers told apart in a slice: what comes often comes early."""

MOST_LATENCIES = 256
"""Latencies remembered of a server."""

RECURSION_DESIRED = 0x0100
FAILING = np.array([code in (1, 2, 4, 5) for code in range(16)])
"""Response codes with which a server does not help: FORMERR, SERVFAIL, NOTIMP, REFUSED."""


@dataclass(slots=True)
class ServerHealth:
    """A server within the last minute.

    Attributes
    ----------
    asked, answered, failed : int
        Queries to it, responses of it, and responses that did not help.
    waiting : int
        Queries to it for whose answer a lookup waits.
    wait : int or None
        Median time of its answers, nanoseconds.
    absent : bool
        Whether an ICMP error or a reset said that nobody listens there, and no answer came since.
    silent : int or None
        Nanoseconds for which it owes an answer and has given none at all.
    """

    address: str
    asked: int = 0
    answered: int = 0
    failed: int = 0
    waiting: int = 0
    wait: int | None = None
    silent: int | None = None
    absent: bool = False

    @property
    def troubled(self) -> bool:
        """Whether it does not answer at all."""
        return self.absent or (self.silent is not None and self.silent >= PATIENCE)


class Tops:
    """Counts of names, clients and servers over the last minute of capture time."""

    def __init__(self) -> None:
        self._slices: deque[tuple[int, Counts]] = deque()
        self._total = _counts()
        self._held: MessageBatch | None = None
        self._held_from = self._held_rows = 0
        self._codes: dict[str, list[Array]] = {what: [] for what in self._total}
        self._most: dict[str, tuple[tuple[int, int], list[tuple[str, int]], int]] = {}
        self._latencies: dict[str, deque[int]] = {}
        self._heard: dict[str, int] = {}
        """When each server answered last."""
        self._owed: dict[str, int] = {}
        """When each was asked first what it has not answered, nor anything since."""
        self._absent: dict[str, int] = {}
        """When it was said last that nobody listens there."""

    def feed(self, batch: MessageBatch) -> None:
        """Count the messages of a batch; further sightings of one are not counted again."""
        if not batch.messages:
            return
        flags = batch.column("flags")
        first = batch.column("sighting_of") == NO_CODE
        responses = first & ((flags & RESPONSE) != 0)
        queries = first & ((flags & RESPONSE) == 0)
        if not first.any():
            return
        now = int(batch.column("time").max())
        held = self._held
        if held is not None and held.native.dictionary is not batch.native.dictionary:
            self._count_held()
        self._count_due(now)
        if self._held is None:
            self._held_from = now
        self._held_rows += batch.messages
        self._held = batch  # of one generation of codes, the latest knows the most texts
        asking = queries & ((flags & RECURSION_DESIRED) != 0)
        if not asking.any():
            asking = queries  # a capture at servers that are asked by resolvers
        named = asking & ((batch.column("presence") & HAS_NAME) != 0)
        sources = batch.column("src")
        failing = responses & FAILING[batch.column("rcode") & 15]
        for what, codes in (
            ("client", sources[asking]),
            ("name", batch.column("qname")[named]),
            ("asked", batch.column("dst")[queries]),
            ("answered", sources[responses]),
            ("failed", sources[failing]),
        ):
            self._codes[what].append(codes)
        codes, place = np.unique(sources[responses], return_inverse=True)
        latest = np.zeros(len(codes), dtype=np.int64)
        np.maximum.at(latest, place, batch.column("time")[responses])
        for server, at in zip(batch.addresses(codes.tolist()), latest.tolist(), strict=True):
            if server in self._heard or len(self._heard) < MOST_TEXTS:
                self._heard[server] = max(at, self._heard.get(server, 0))

    def _count_due(self, now: int) -> None:
        """Count what was held, unless that is not long ago: many small batches cost far more than a large one."""
        if now // HOLD != self._held_from // HOLD or self._held_rows < FEW:
            self._count_held()

    def _count_held(self) -> None:
        batch, self._held, self._held_rows = self._held, None, 0
        if batch is None:
            return
        counts = self._slice(self._held_from)
        for what, parts in self._codes.items():
            texts = batch.names if what == "name" else batch.addresses
            _count(counts[what], self._total[what], np.concatenate(parts), texts)
            parts.clear()

    def finish(self) -> None:
        """Nothing more comes."""
        self._count_held()
        self._most.clear()

    def feed_end(self, server: str, at: int, latency: int, outcome: str) -> None:
        """Note what became of a query: when it ended, and how long that took."""
        if outcome == "unreachable":
            if server in self._absent or len(self._absent) < MOST_TEXTS:
                self._absent[server] = max(at, self._absent.get(server, 0))
            return
        known = self._latencies.get(server)
        if known is None:
            if len(self._latencies) >= MOST_TEXTS:
                del self._latencies[next(iter(self._latencies))]
            known = self._latencies[server] = deque(maxlen=MOST_LATENCIES)
        known.append(latency)

    def _slice(self, now: int) -> Counts:
        """The counts that belong to `now`; those that are too old leave the sums."""
        start = now // SLICE
        if not self._slices or self._slices[-1][0] < start:
            self._slices.append((start, _counts()))
        self._forget(now)
        return self._slices[-1][1]

    def _forget(self, now: int) -> None:
        while self._slices and self._slices[0][0] <= now // SLICE - SLICES:
            for what, counter in self._slices.popleft()[1].items():
                total = self._total[what]
                for text, count in counter.items():
                    left = total[text] - count
                    if left > 0:
                        total[text] = left
                    else:
                        del total[text]

    def most(self, what: str, now: int, count: int) -> tuple[list[tuple[str, int]], int]:
        """The most frequent names or clients with how often each asked or was asked for, and the sum of all."""
        known = self._most.get(what)
        if known is None or known[0] != (now // REFRESH, count):
            self._count_due(now)
            self._forget(now)
            total = self._total[what]
            found = heapq.nsmallest(count, total.items(), key=lambda item: (-item[1], item[0]))
            known = self._most[what] = (now // REFRESH, count), found, sum(total.values())
        return known[1], known[2]

    def servers(self, now: int, count: int, waiting: Iterable[OpenLookup]) -> list[ServerHealth]:
        """Servers asked within the last minute: the silent first, then the busiest."""
        from dnscap.live.view.pulse import quantile
        from dnscap.messages.around import address_text

        self._count_due(now)
        self._forget(now)
        asked, answered, failed = (self._total[what] for what in ("asked", "answered", "failed"))
        owed: dict[str, int] = {}
        owing: Counter[str] = Counter()
        for lookup in waiting:
            for attempt in lookup.attempts:
                if attempt[1] < 0:
                    server = address_text(attempt[2])
                    owing[server] += 1
                    owed[server] = min(attempt[0], owed.get(server, attempt[0]))
        found = []
        for server, since in owed.items():
            # The lookup that owed the answer first may have got it elsewhere meanwhile.
            if not self._heard.get(server, 0) < self._owed.get(server, 0) < since:
                self._owed[server] = since
        for server in [
            one for one, since in self._owed.items() if self._heard.get(one, 0) >= since or one not in asked
        ]:
            del self._owed[server]
        busiest = heapq.nlargest(4 * count, asked, key=lambda server: asked[server])
        for server in {*busiest, *(server for server in self._owed if server in asked)}:
            silent = max(now - self._owed[server], 0) if server in self._owed else None
            wait = quantile(list(self._latencies.get(server, ())), 0.5)
            found.append(
                ServerHealth(
                    server,
                    asked[server],
                    answered[server],
                    failed[server],
                    owing[server],
                    wait,
                    silent,
                    self._absent.get(server, -1) > self._heard.get(server, 0),
                )
            )
        found.sort(key=lambda one: (-one.troubled, -one.asked, one.address))
        return found[:count]


def _counts() -> Counts:
    return {what: Counter() for what in ("client", "name", "asked", "answered", "failed")}


def _count(counter: Counter[str], total: Counter[str], codes: Array, texts: Any) -> None:
    found, counts = np.unique(codes[codes != NO_CODE], return_counts=True)
    full = len(counter) >= MOST_TEXTS
    for text, count in zip(texts(found.tolist()), counts.tolist(), strict=True):
        if not full or text in counter:
            counter[text] += count
            total[text] += count
