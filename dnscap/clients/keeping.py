"""Which lookups are kept whole while all are counted: the slow, the failed, the telling."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dnscap.arrays import array_of
from dnscap.clients.kept_rows import ALIASES, KEPT_COLUMNS, MOST_EXCHANGES, ExchangeStore, plain_rows
from dnscap.tables.columns import Columns, Numbering

Array = np.ndarray[Any, np.dtype[Any]]

MOST_CLIENTS = 20_000
"""Pairs of client and stub told apart; further ones share a last row."""

MOST_KEPT = (3_000, 3_000, 5_000)
"""Lookups kept in all, by grade: about 30 MB with their exchanges."""

SLOWEST = 32
"""Lookups kept because none took longer, whatever else is kept."""

Details = Callable[[list[int]], list[dict[str, Any]]]
"""Gives further columns of lookups by their numbers."""

PLAIN, TELLING, TROUBLED = range(3)
QUOTAS = (8, 20, 200)
"""Lookups kept of one client and stub: quick and fine, telling of its configuration, slow or failed."""

FAILED = ("servfail", "refused", "formerr", "notimp", "unreachable", "timeout")
"""Outcomes of a lookup that left the application without an answer to act on."""

MOST_PENDING = 64
"""Exchange batches held until the lookups they refer to are known."""


class Kept:
    """A lookup with the exchanges that belong to it.

    Parameters
    ----------
    pair : int
        Number of its client and stub.
    grade : int
        PLAIN, TELLING or TROUBLED.
    row : mapping
        Its row of the lookups table; times and durations are nanoseconds.
    store : ExchangeStore, optional
        What keeps its exchanges, where they are not added here.
    """

    __slots__ = ("_exchanges", "_version", "grade", "pair", "row", "store")

    def __init__(
        self, pair: int, grade: int, row: Mapping[str, Any], store: ExchangeStore | None = None
    ) -> None:
        self.pair = pair
        self.grade = grade
        self.row = row
        self.store = store
        self._version = -1
        self._exchanges: list[Mapping[str, Any]] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kept) and all(
            getattr(self, name) == getattr(other, name) for name in ("pair", "grade", "row", "exchanges")
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def exchanges(self) -> list[Mapping[str, Any]]:
        """Rows of the exchanges table in order of time; times and durations are nanoseconds."""
        if self.store is not None and self._version != self.store.version:
            self._exchanges = [*self.store.of(self.number)]
            self._version = self.store.version
        return self._exchanges or []

    def cells(self, *names: str) -> list[tuple[Any, ...]]:
        """Some columns of its exchanges, in order of time: cheaper than whole rows where they are not wanted again."""
        if self.store is not None:
            return self.store.cells(self.number, names)
        return [tuple([row.get(name) for name in names]) for row in self.exchanges]

    @property
    def sent(self) -> int:
        """How many exchanges there are."""
        return self.store.sent(self.number) if self.store is not None else len(self.exchanges)

    def add(self, exchange: Mapping[str, Any]) -> None:
        """Keep an exchange that belongs to it, unless there are enough."""
        if self._exchanges is None:
            self._exchanges = []
        if len(self._exchanges) < MOST_EXCHANGES:
            self._exchanges.append(exchange)

    def arrange(self) -> None:
        """Bring the exchanges that were added into order."""
        if self._exchanges is not None:
            self._exchanges.sort(key=lambda row: (row["time"], row["exchange"]))

    @property
    def aliases(self) -> int:
        """Aliases that its answers lead through."""
        if self.store is not None:
            aliases: int = self.row[ALIASES]
            return aliases
        return len(self.row["cname_chain"] or ())

    @property
    def failed(self) -> bool:
        """Whether the application got nothing to act on."""
        return self.row["outcome"] in FAILED

    @property
    def waited(self) -> int:
        """Nanoseconds that the application waited; what the client idled within the lookup is left out."""
        waited: int = (self.row["duration"] or 0) - (self.row["t_gap"] or 0)
        return waited

    @property
    def number(self) -> int:
        """Number of the lookup."""
        number: int = self.row["lookup"]
        return number


class Keeper:
    """Keeps some lookups of each client with their exchanges, within limits.

    Which ones depends on the order of the rows only, not on how they are cut into batches.
    """

    def __init__(self) -> None:
        self.pairs = Numbering(MOST_CLIENTS)
        """Client and stub, joined by a space."""
        self.kept: dict[int, Kept] = {}
        self.passed_over = 0
        """Troubled lookups that were counted and not kept."""
        self.left: Array = np.zeros((0, 3), dtype=np.int64)
        self.room: Array = np.array(MOST_KEPT, dtype=np.int64)
        self._slowest: Array = np.zeros((0, 2), dtype=np.int64)
        self._slow_only: set[int] = set()
        self._last_lookup = -1
        self._pending: list[pa.RecordBatch] = []
        self._sorted_in = False
        self.store = ExchangeStore()
        """Exchanges of lookups that came as native rows."""

    # ------------------------------------------------------------ feeding

    def pairs_of(self, rows: Columns) -> Array:
        """Number of client and stub of each lookup."""
        clients, client_texts = rows.codes("client")
        stubs, stub_texts = rows.codes("stub")
        width = len(stub_texts) + 1
        keys = clients.astype(np.int64) * width + (stubs + 1)
        distinct, inverse = np.unique(keys, return_inverse=True)
        texts = [
            f"{client_texts[key // width]} {stub_texts[key % width - 1] if key % width else ''}"
            for key in distinct.tolist()
        ]
        return self.pairs.translate(inverse.astype(np.int64), texts)

    def feed_lookups(
        self, batch: pa.RecordBatch, rows: Columns, pairs: Array, details: Details | None = None
    ) -> None:
        """Choose from the lookups of a batch; `details` gives further columns of the chosen."""
        if not rows.rows:
            return
        numbers = rows.numbers("lookup")
        self._last_lookup = max(self._last_lookup, int(numbers.max()))
        grades = _grades(rows)
        self.grow(len(self.pairs) + 1)
        keys = pairs * 3 + grades
        chosen = self._within_quotas(keys, grades)
        self.passed_over += int((grades == TROUBLED).sum() - (grades[chosen] == TROUBLED).sum())
        waited = rows.numbers("duration", 0) - rows.numbers("t_gap", 0)
        slow = np.flatnonzero(np.isin(numbers, self._among_slowest(numbers, waited)))
        self.keep_slow_only(numbers[np.setdiff1d(slow, chosen)].tolist(), self._slowest[:, 1].tolist())
        chosen = np.union1d(chosen, slow)
        if not len(chosen):
            return
        found = plain_rows(batch.take(array_of(chosen)))
        if details is not None:
            for row, more in zip(found, details([row["lookup"] for row in found]), strict=True):
                row.update(more)
        for place, row in zip(chosen.tolist(), found, strict=True):
            self.kept[row["lookup"]] = Kept(int(pairs[place]), int(grades[place]), row)

    def grow(self, count: int) -> None:
        """Make room for the quotas of so many clients and stubs."""
        if count > len(self.left):
            left = np.empty((max(count, 2 * len(self.left)), 3), dtype=np.int64)
            left[:] = QUOTAS
            left[: len(self.left)] = self.left
            self.left = left

    def _within_quotas(self, keys: Array, grades: Array) -> Array:
        """Rows that the quotas of their clients and the room for all leave, in order."""
        left = self.left.reshape(-1)
        chosen = np.flatnonzero((left[keys] > 0) & (self.room[grades] > 0))
        if not len(chosen):
            return chosen
        chosen = chosen[_rank(keys[chosen]) < left[keys[chosen]]]
        chosen = chosen[_rank(grades[chosen]) < self.room[grades[chosen]]]
        np.subtract.at(left, keys[chosen], 1)
        self.room -= np.bincount(grades[chosen], minlength=3)
        return chosen

    def _among_slowest(self, numbers: Array, waited: Array) -> Array:
        """Numbers of the few that took longest up to now; of equals the first."""
        known = np.concatenate([self._slowest, np.stack([waited, numbers], axis=1)])
        self._slowest = known[np.lexsort((known[:, 1], -known[:, 0]))[:SLOWEST]]
        return self._slowest[:, 1]

    def keep_slow_only(self, more: list[int], slowest: list[int]) -> None:
        """Let go of lookups that were kept as the slowest alone and are so no more; `more` are kept so from now on."""
        still = set(slowest)
        gone = [n for n in self._slow_only if n not in still]
        for number in gone:
            self._slow_only.discard(number)
            self.kept.pop(number, None)
        self.store.let_go(gone)
        self._slow_only.update(more)

    def feed_exchanges(self, batch: pa.RecordBatch) -> None:
        """Keep the exchanges of kept lookups; called after the lookups that came with them."""
        if batch.num_rows:
            self._pending.append(batch)
        held, self._pending = self._pending, []
        for waiting in held:
            highest = pc.max(waiting.column("lookup")).as_py()
            if highest is None:
                continue
            if highest > self._last_lookup and len(held) <= MOST_PENDING:
                self._pending.append(waiting)
            else:
                self._sort_in(waiting)

    def _sort_in(self, batch: pa.RecordBatch) -> None:
        lookups = Columns(batch).numbers("lookup")
        if not self.kept:
            return
        known = np.fromiter(self.kept, dtype=np.int64, count=len(self.kept))
        chosen = np.flatnonzero(np.isin(lookups, known))
        if not len(chosen):
            return
        self._sorted_in = True
        names = [name for name in KEPT_COLUMNS if name in batch.schema.names]
        for row in plain_rows(batch.select(names).take(array_of(chosen))):
            self.kept[row["lookup"]].add(row)

    def finish(self) -> None:
        """No more rows come."""
        for waiting in self._pending:
            self._sort_in(waiting)
        self._pending = []
        if self._sorted_in:
            for kept in self.kept.values():
                kept.arrange()

    # ------------------------------------------------------------ reading

    def by_pair(self, pairs: Collection[int]) -> dict[int, list[Kept]]:
        """Kept lookups of some clients and stubs, in order."""
        wanted = set(pairs)
        found: defaultdict[int, list[Kept]] = defaultdict(list)
        for number in sorted(number for number, kept in self.kept.items() if kept.pair in wanted):
            found[self.kept[number].pair].append(self.kept[number])
        return found

    def failovers(self) -> Counter[str]:
        """Fail-overs of troubled lookups by the server that was left."""
        troubled = [number for number, kept in self.kept.items() if kept.grade == TROUBLED]
        if not self._sorted_in:
            return self.store.failovers(troubled)
        counts: Counter[str] = Counter()
        for number in troubled:
            left = None
            for row in self.kept[number].exchanges:
                if row["role"] == "failover" and left is not None and left != row["server"]:
                    counts[left] += 1
                if row["role"] != "parallel":
                    left = row["server"]
        return counts


def distinct_cells(kept: Sequence[Kept], *names: str) -> set[tuple[Any, ...]]:
    """Distinct cells of the exchanges of some lookups."""
    stores = {id(k.store): k.store for k in kept}
    if len(stores) == 1 and (store := kept[0].store) is not None:
        return store.distinct([k.number for k in kept], names)
    return {cells for k in kept for cells in k.cells(*names)}


def _rank(keys: Array) -> Array:
    """How many equal keys come before each."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.empty(len(keys), dtype=np.int64)
    rank[order] = np.arange(len(keys)) - np.repeat(starts, np.diff(np.r_[starts, len(keys)]))
    return rank


def _grades(rows: Columns) -> Array:
    troubled = rows.list_lengths("causes") > 0
    troubled |= rows.word_is("outcome", *FAILED)
    for name in ("retransmissions", "failovers"):
        troubled |= rows.numbers(name, 0) > 0
    troubled |= rows.truth("edns_fallback") | rows.truth("tcp_fallback")
    telling = (rows.list_lengths("candidates") > 1) | rows.word_is("outcome", "nxdomain", "nodata")
    return np.where(troubled, TROUBLED, np.where(telling, TELLING, PLAIN))
