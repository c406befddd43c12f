"""Which lookups are kept whole while all are counted: the slow, the failed, the telling."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dnscap.tables.columns import Columns, Numbering

Array = np.ndarray[Any, np.dtype[Any]]

MOST_CLIENTS = 20_000
"""Pairs of client and stub told apart; further ones share a last row."""

MOST_KEPT = (3_000, 3_000, 5_000)
"""Lookups kept in all, by grade: about 30 MB with their exchanges."""

SLOWEST = 32
"""Lookups kept because none took longer, whatever else is kept."""

MOST_TEXT_LIST = 64
"""Entries of a list that are kept of a lookup."""

MOST_EXCHANGES = 240
"""Exchanges kept of a lookup: as many as assembly follows one by one. A loop that asks for ever has any number,
and what looks for waits compares them with each other."""

Details = Callable[[list[int]], list[dict[str, Any]]]
"""Gives further columns of lookups by their numbers."""

PLAIN, TELLING, TROUBLED = range(3)
QUOTAS = (8, 20, 200)
"""Lookups kept of one client and stub: quick and fine, telling of its configuration, slow or failed."""

FAILED = ("servfail", "refused", "formerr", "notimp", "unreachable", "timeout")
"""Outcomes of a lookup that left the application without an answer to act on."""

MOST_PENDING = 64
"""Exchange batches held until the lookups they refer to are known."""

EXCHANGE_COLUMNS = (
    "exchange",
    "query",
    "response",
    "query_frame",
    "response_frame",
    "time",
    "latency",
    "client_port",
    "server",
    "transport",
    "id",
    "qname",
    "qtype",
    "outcome",
    "transmission",
    "late",
    "ambiguous",
    "tcp_rtt",
    "lookup",
    "role",
    "edns",
)


@dataclass(slots=True)
class Kept:
    """A lookup with the exchanges that belong to it.

    Attributes
    ----------
    pair : int
        Number of its client and stub.
    grade : int
        PLAIN, TELLING or TROUBLED.
    row : mapping
        Its row of the lookups table; times and durations are nanoseconds.
    exchanges : list of mapping
        Rows of the exchanges table in order of time; times and durations are nanoseconds.
    """

    pair: int
    grade: int
    row: Mapping[str, Any]
    exchanges: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, exchange: Mapping[str, Any]) -> None:
        """Keep an exchange that belongs to it, unless there are enough."""
        if len(self.exchanges) < MOST_EXCHANGES:
            self.exchanges.append(exchange)

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
        found = plain_rows(batch.take(pa.array(chosen)))
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
        for number in [n for n in self._slow_only if n not in still]:
            self._slow_only.discard(number)
            self.kept.pop(number, None)
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
        names = [name for name in EXCHANGE_COLUMNS if name in batch.schema.names]
        for row in plain_rows(batch.select(names).take(pa.array(chosen))):
            self.kept[row["lookup"]].add(row)

    def finish(self) -> None:
        """No more rows come."""
        for waiting in self._pending:
            self._sort_in(waiting)
        self._pending = []
        for kept in self.kept.values():
            kept.exchanges.sort(key=lambda row: (row["time"], row["exchange"]))

    # ------------------------------------------------------------ reading

    def by_pair(self) -> dict[int, list[Kept]]:
        """Kept lookups of each client and stub, in order."""
        found: defaultdict[int, list[Kept]] = defaultdict(list)
        for number in sorted(self.kept):
            found[self.kept[number].pair].append(self.kept[number])
        return found

    def troubled(self) -> Iterator[Kept]:
        """Kept lookups that were slow, failed or took a detour, in order."""
        return (self.kept[number] for number in sorted(self.kept) if self.kept[number].grade == TROUBLED)


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


class Row(Mapping[str, Any]):
    """A row of a table whose columns become Python values when the first row of them is asked for one.

    Of the rows that are kept, most are never looked at, or only by a few columns.
    """

    __slots__ = ("_columns", "_place")

    def __init__(self, columns: _Values, place: int) -> None:
        self._columns = columns
        self._place = place

    def __getitem__(self, name: str) -> Any:
        return self._columns[name][self._place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns.names)

    def __len__(self) -> int:
        return len(self._columns.names)

    def __repr__(self) -> str:
        return repr(dict(self))


class _Values(dict[str, list[Any]]):
    """Values of the columns that were asked for, by name."""

    __slots__ = ("column", "names")

    def __init__(self, names: Sequence[str], column: Callable[[str], pa.Array]) -> None:
        super().__init__()
        self.names = names
        self.column = column

    def __missing__(self, name: str) -> list[Any]:
        if name not in self.names:
            raise KeyError(name)
        values = self[name] = _plain_values(self.column(name))
        return values


def rows_when_asked(count: int, names: Sequence[str], column: Callable[[str], pa.Array]) -> list[Row]:
    """As `plain_rows`, each column when it is first needed.

    Parameters
    ----------
    count : int
        Rows.
    names : sequence of str
        Columns.
    column : callable
        Gives a column by its name.
    """
    columns = _Values(names, column)
    return [Row(columns, place) for place in range(count)]


def plain_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows as dictionaries, with times and durations as nanoseconds."""
    names = batch.schema.names
    arrays = [_plain_values(column) for column in batch.columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*arrays, strict=True)]


def _plain_values(column: pa.Array) -> list[Any]:
    """As `to_pylist`, without a scalar object for each value on the way."""
    if pa.types.is_list(column.type):
        values = _plain_values(column.values)
        ends = column.offsets.to_numpy().tolist()
        lists = [values[a : min(b, a + MOST_TEXT_LIST)] for a, b in itertools.pairwise(ends)]
        return _with_nulls(np.fromiter(lists, object, len(lists)), column) if column.null_count else lists
    if pa.types.is_dictionary(column.type):
        column = column.dictionary.take(column.indices)
    elif pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ns", tz=column.type.tz)).cast(pa.int64())
    elif pa.types.is_duration(column.type):
        column = column.cast(pa.duration("ns")).cast(pa.int64())
    if pa.types.is_integer(column.type) and column.null_count:
        return _with_nulls(pc.fill_null(column, 0).to_numpy(zero_copy_only=False).astype(object), column)
    plain: list[Any] = column.to_numpy(zero_copy_only=False).tolist()
    return plain


def _with_nulls(values: Array, column: pa.Array) -> list[Any]:
    values[pc.is_null(column).to_numpy(zero_copy_only=False)] = None
    plain: list[Any] = values.tolist()
    return plain
