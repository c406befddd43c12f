"""Native rows of exchanges and lookups into the tallies of a diagnosis, without tables on the way.

What is counted is what the tallies count of tables; one pass of native code over each batch adds it to their arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dnscap.arrays import array_of, numpy_of
from dnscap.clients.keeping import SLOWEST, TROUBLED, Keeper, Kept
from dnscap.clients.kept_rows import LookupStore
from dnscap.exchanges.arrow import NO_LOOKUP, Picked, exchange_batch
from dnscap.findings.asked_names import ALL_UP_TO, INTERNAL, MOST_NAMES, ONE_IN, NameTally, is_public
from dnscap.findings.costs import WANTED, CauseTally
from dnscap.findings.scorecard import ScoreTally
from dnscap.messages.around import address_text
from dnscap.native.key_tables import Numbers
from dnscap.native.name_counts import Names
from dnscap.native.stubs import names as stub_names
from dnscap.native.tallies import Pairs, count_exchanges, count_lookups
from dnscap.servers.tally import MOST_CLIENTS, MOST_SERVERS, MOST_TYPES, OUTCOMES, PATIENCE, ServerTally
from dnscap.tables.columns import Numbering

if TYPE_CHECKING:
    from dnscap.clients import ClientTally
    from dnscap.native.exchange_rows import ExchangeBatch
    from dnscap.native.lookup_columns import LookupBatch

Array = np.ndarray[Any, np.dtype[Any]]

MOST_PENDING_ROWS = 1 << 20
"""Exchanges held until the lookups they belong to are over."""

MOST_TOLD = 1_000
"""Names whose counts are told in the end, those with the highest: findings look at some hundred."""

_UNKNOWN, _YES, _NO = 0, 1, 2
_LONG_AGO = int(np.iinfo(np.int64).min)


class ExchangeRows:
    """Exchanges by server, for the scorecard, and internal names told outside."""

    def __init__(self, servers: ServerTally, score: ScoreTally, names: NameTally) -> None:
        self._servers = servers
        self._score = score
        self._names = names
        self._dictionary: Any = None
        self._numbers: Array = np.zeros(0, np.int32)  # server of each address code; -1 unknown
        self._public: Array = np.zeros(0, np.uint8)  # by address code
        self._internal: Array = np.zeros(0, np.uint8)  # by name code
        self._types: Array = np.zeros((0, 2), np.int64)
        self._type_keys = Numbers()
        self._type_of: list[int] = []
        self._client_keys = Numbers()

    def feed(self, batch: ExchangeBatch, end: int | None) -> None:
        """Count a batch; `end` is when the capture ends, once that is known."""
        tally = self._servers
        if batch.dictionary is not self._dictionary:
            self._dictionary = batch.dictionary
            self._client_keys.clear()
            self._numbers = np.zeros(0, np.int32)
            self._internal = np.zeros(0, np.uint8)
        codes = np.asarray(memoryview(batch.column("server")))
        self._know_servers(codes)
        if not len(self._types):
            self._types = np.zeros((MOST_TYPES, 2), np.int64)
        full = np.zeros(len(tally.outcomes), np.uint8)
        full[list(tally.full)] = 1
        ours = np.zeros(len(OUTCOMES) + 1, np.int64)
        clients, types, minutes = count_exchanges(
            batch,
            self._numbers,
            _LONG_AGO if end is None else end - PATIENCE,
            tally.outcomes,
            tally.extras,
            tally.latency,
            self._types,
            self._type_keys,
            full,
            self._client_keys,
            ours,
            self._score.latencies,
        )
        self._type_of += types
        self._note_clients(clients)
        self._score.add(ours, minutes)
        self._note_leaks(batch, codes)

    def _know_servers(self, codes: Array) -> None:
        """Numbers for the servers of a batch that are new."""
        count, offsets, text = self._dictionary.addresses_view()
        if count > len(self._numbers):
            more = np.full(max(count, 2 * len(self._numbers)), -1, np.int32)
            more[: len(self._numbers)] = self._numbers
            public = np.zeros(len(more), np.uint8)
            public[: len(self._numbers)] = self._public[: len(self._numbers)]
            self._numbers, self._public = more, public
        numbers = self._numbers[codes]
        unknown = numbers < 0
        if unknown.any():
            new = np.unique(codes[unknown])
            texts = _texts(count, offsets, text).take(array_of(new)).to_pylist()
            for code, address in zip(new.tolist(), texts, strict=True):
                self._numbers[code] = self._servers.servers.number(address)
                self._public[code] = is_public(address)
            self._servers.grow()
            numbers = self._numbers[codes]
        if len(self._servers.servers) >= MOST_SERVERS:
            self._servers.servers.overflowed += int((numbers == MOST_SERVERS).sum())
        self._servers.latency.grow(len(self._servers.outcomes))

    def _note_clients(self, keys: list[int]) -> None:
        if not keys:
            return
        known = self._servers.clients_of
        texts = (
            _texts(*self._dictionary.addresses_view())
            .take(array_of([key & 0xFFFFFFFF for key in keys], pa.uint32()))
            .to_pylist()
        )
        for key, address in zip(keys, texts, strict=True):
            clients = known[key >> 32]
            if len(clients) < MOST_CLIENTS:
                clients.add(address)
            else:
                self._servers.full.add(key >> 32)

    def _note_leaks(self, batch: ExchangeBatch, servers: Array) -> None:
        sent = self._public[servers] != 0
        if not sent.any():
            return
        sent &= np.asarray(memoryview(batch.column("lookup"))) != NO_LOOKUP
        names = np.asarray(memoryview(batch.column("qname")))
        count, offsets, text = self._dictionary.names_view()
        sent &= names < count
        if not sent.any():
            return
        if count > len(self._internal):
            more = np.zeros(max(count, 2 * len(self._internal)), np.uint8)
            more[: len(self._internal)] = self._internal
            self._internal = more
        places = np.flatnonzero(sent)
        asked = names[places]
        new = np.unique(asked[self._internal[asked] == _UNKNOWN])
        if len(new):
            inside = pc.match_substring_regex(_texts(count, offsets, text).take(array_of(new)), INTERNAL)
            self._internal[new] = np.where(numpy_of(inside), _YES, _NO)
        leaking = places[self._internal[asked] == _YES]
        if len(leaking):
            told = exchange_batch(
                Picked(batch, leaking.astype(np.uint32)), ["server", "qname", "exchange", "query_frame"]
            )
            self._names.note_leaks(told)

    def settle(self) -> None:
        """Give the tallies what was counted here; as often as it is wanted."""
        keys = np.array(self._type_of, np.int64)
        self._servers.note_types(keys, self._types[: len(keys)])


class PairNames(Numbering):
    """Clients and stubs by number; those that native rows brought are spelt when they are asked for.

    Parameters
    ----------
    native : Pairs
        Numbers them.
    limit : int
        Pairs told apart. A capture's lookups come as native rows or in tables, not both.
    """

    def __init__(self, native: Pairs, limit: int) -> None:
        super().__init__(limit)
        self._native = native
        self._stubs = stub_names()

    def __len__(self) -> int:
        return len(self._native) or super().__len__()

    def text(self, number: int) -> str:
        if not len(self._native):
            return super().text(number)
        octets, stub = self._native.pair(number)
        return f"{address_text(octets)} {self._stubs[stub]}"


class LookupRows:
    """Lookups by client and stub and by name, what their causes cost, and those that are kept whole."""

    def __init__(self, keeper: Keeper, clients: ClientTally, causes: CauseTally, names: NameTally) -> None:
        self._keeper = keeper
        self._clients = clients
        self._causes = causes
        self._names = names
        self._pairs = Pairs(keeper.pairs.limit)
        keeper.pairs = PairNames(self._pairs, keeper.pairs.limit)
        self._counted = Names(MOST_NAMES)
        self._slowest = np.full((SLOWEST, 2), -1, np.int64)
        self._store = LookupStore()
        self._pending: list[tuple[int, ExchangeBatch]] = []
        self._last = -1

    def feed(self, batch: LookupBatch) -> None:
        """Count a batch."""
        if not batch.count:
            return
        pairs = np.empty(batch.count, np.int64)
        self._pairs.number_rows(batch, pairs)
        count = len(self._keeper.pairs) + 1
        self._clients.grow(count)
        self._keeper.grow(count)
        first = int(batch.first_lookup)
        self._last = first + batch.count - 1
        chosen = np.empty(batch.count, np.uint32)
        grades = np.empty(batch.count, np.uint8)
        taken, failed, troubled, waited = count_lookups(
            batch,
            pairs,
            self._clients.lookups,
            self._clients.failed,
            self._clients.durations,
            self._keeper.left,
            self._keeper.room,
            self._slowest,
            chosen,
            grades,
            WANTED,
            self._causes.counts,
        )
        chosen = chosen[:taken]
        self._keeper.passed_over += troubled - int((grades[chosen] == TROUBLED).sum())
        self._causes.add(batch.count, failed, waited)
        self._counted.count(batch, ALL_UP_TO, ONE_IN)
        self._keep(batch, first, chosen, pairs, grades)

    def _keep(self, batch: LookupBatch, first: int, chosen: Array, pairs: Array, grades: Array) -> None:
        """Keep what the quotas chose, and those that none took longer than."""
        slow = self._slowest[self._slowest[:, 0] >= 0, 1]
        slow_here = (slow[slow >= first] - first).astype(np.uint32)
        rows = np.union1d(chosen, slow_here).astype(np.uint32)
        slow_only = np.setdiff1d(slow_here, chosen).astype(np.uint32)
        self._keeper.keep_slow_only((slow_only.astype(np.int64) + first).tolist(), slow.tolist())
        if not len(rows):
            return
        store = self._keeper.store
        store.follow(rows.astype(np.uint64) + np.uint64(first))
        for places, lookups in ((chosen, self._store), (slow_only, LookupStore())):
            if len(places):
                of = zip(pairs[places].tolist(), grades[places].tolist(), strict=True)
                found = zip(places.tolist(), of, lookups.add(batch, places), strict=True)
                for place, (pair, grade), row in found:
                    self._keeper.kept[first + place] = Kept(pair, grade, row, store)

    def feed_exchanges(self, batch: ExchangeBatch) -> None:
        """Keep the exchanges of kept lookups; called after the lookups that came with them."""
        lookups = np.asarray(memoryview(batch.column("lookup")))
        own = lookups[lookups != NO_LOOKUP]
        if len(own):
            self._pending.append((int(own.max()), batch))
        held, self._pending = self._pending, []
        rows = sum(int(waiting.exchanges) for _, waiting in held)
        for highest, waiting in held:
            if highest > self._last and rows <= MOST_PENDING_ROWS:
                self._pending.append((highest, waiting))
            else:
                rows -= int(waiting.exchanges)
                self._keeper.store.feed(waiting)

    def finish(self) -> None:
        """Nothing more comes."""
        for _, batch in self._pending:
            self._keeper.store.feed(batch)
        self._pending = []

    def settle(self) -> None:
        """Give the tallies what was counted here; as often as it is wanted."""
        for counter, absent in ((self._names.resolved, False), (self._names.absent, True)):
            counts = np.array(self._counted.counts_of(absent), np.int64)
            often = np.argsort(-counts, kind="stable")[:MOST_TOLD]
            told = often[counts[often] > 0].tolist()
            if told:
                counter.clear()
            for place in told:
                counter[self._counted.name(place)] = int(counts[place])
        self._names.overflowed |= self._counted.overflowed > 0


def _texts(count: int, offsets: Any, text: Any) -> pa.Array:
    return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])
