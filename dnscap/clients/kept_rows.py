"""Rows of lookups and exchanges that are kept: native until somebody looks at them, and then column by column."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dnscap.arrays import filled
from dnscap.exchanges.arrow import EXCHANGE_COLUMNS, ROLES
from dnscap.lookups.arrow import LOOKUP_COLUMNS, answer_details
from dnscap.lookups.arrow import Columns as LookupColumns
from dnscap.native.kept import KeptExchanges, count_aliases, join, pick

if TYPE_CHECKING:
    from dnscap.native.exchange_rows import ExchangeBatch
    from dnscap.native.lookup_columns import LookupBatch

Array = np.ndarray[Any, np.dtype[Any]]

MOST_TEXT_LIST = 64
"""Entries of a list that are kept of a lookup."""

MOST_EXCHANGES = 240
"""Exchanges kept of a lookup: as many as assembly follows one by one. A loop that asks for ever has any number,
and what looks for waits compares them with each other."""

MOST_KEPT_EXCHANGES = 1 << 18
"""Exchanges kept in all: 27 MB, some twenty of each lookup that is kept."""

ALIASES = "aliases"
"""What native rows of lookups have besides the columns of the table: how many aliases their answers lead through."""

MOST_LET_GO = 1_024
"""Lookups let go before the room of their exchanges is given back."""

KEPT_COLUMNS = (
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
"""Columns of the exchanges table that are kept."""

# The native struct field by field; `align=True` lays it out as a C compiler does.
KEPT_EXCHANGE = np.dtype(
    [
        ("exchange", "u8"),
        ("lookup", "u8"),
        ("time", "i8"),
        ("latency", "i8"),
        ("tcp_rtt", "i8"),
        ("query_frame", "u8"),
        ("response_frame", "u8"),
        ("query", "u4"),
        ("response", "u4"),
        ("server", "u4"),
        ("qname", "u4"),
        ("transmission", "u4"),
        ("client_port", "u2"),
        ("id", "u2"),
        ("qtype", "u2"),
        ("flags", "u2"),
        ("outcome", "u1"),
        ("transport", "u1"),
        ("role", "u1"),
    ],
    align=True,
)

_FAILOVER, _PARALLEL = ROLES.index("failover"), ROLES.index("parallel")


class Row(Mapping[str, Any]):
    """A row of a table whose columns become Python values when the first row of them is asked for one.

    Of the rows that are kept, most are never looked at, or only by a few columns.
    """

    __slots__ = ("columns", "place")

    def __init__(self, columns: Values, place: int) -> None:
        self.columns = columns
        self.place = place

    def __getitem__(self, name: str) -> Any:
        return self.columns[name][self.place]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns.names)

    def __len__(self) -> int:
        return len(self.columns.names)

    def __repr__(self) -> str:
        return repr(dict(self))


class Values(dict[str, Sequence[Any]]):
    """Values of the columns that were asked for, by name."""

    __slots__ = ("make", "names")

    def __init__(self, names: Sequence[str], make: Callable[[str], Sequence[Any]]) -> None:
        super().__init__()
        self.names = names
        self.make = make

    def __missing__(self, name: str) -> Sequence[Any]:
        if name not in self.names and name != ALIASES:
            raise KeyError(name)
        values = self[name] = self.make(name)
        return values


class _Answers(Sequence[list[str]]):
    """Texts of answer records, made row by row: few rows are ever asked for theirs."""

    def __init__(self, batch: LookupBatch, name: str) -> None:
        self._batch = batch
        self._name = name
        self._numbers = LookupColumns(batch).rows["lookup"]

    def __len__(self) -> int:
        return int(self._batch.count)

    def __getitem__(self, place: Any) -> Any:
        (row,) = answer_details(self._batch, [int(self._numbers[place])])
        return row[self._name][:MOST_TEXT_LIST]


class _Lists(Sequence[list[Any]]):
    """A column of lists, each cut out when it is asked for: most never are, and all are walked by the collector."""

    def __init__(self, column: pa.ListArray) -> None:
        self._values = plain_values(column.values)
        self._ends: list[int] = column.offsets.to_pylist()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, place: Any) -> Any:
        at = self._ends[place]
        return self._values[at : min(self._ends[place + 1], at + MOST_TEXT_LIST)]


class LookupStore:
    """Lookups picked out of native batches, in the order in which they come.

    Attributes
    ----------
    columns : Values
        Their columns, and `ALIASES`.
    """

    def __init__(self) -> None:
        self._parts: list[LookupBatch] = []
        self._count = 0
        self.columns = Values((*LOOKUP_COLUMNS,), self._make)

    def add(self, batch: LookupBatch, rows: Array) -> list[Row]:
        """Keep some rows of a batch."""
        first = self._count
        self._parts.append(pick(batch, rows))
        self._count += len(rows)
        self.columns.clear()
        return [Row(self.columns, place) for place in range(first, self._count)]

    def _whole(self) -> LookupBatch:
        if len(self._parts) != 1:
            self._parts = [join(self._parts)]
        return self._parts[0]

    def _make(self, name: str) -> Sequence[Any]:
        if name in ("answers", "cname_chain"):
            return _Answers(self._whole(), name)
        if name == ALIASES:
            counts = np.zeros(self._count, np.uint32)
            count_aliases(self._whole(), counts)
            aliases: list[int] = counts.tolist()
            return aliases
        column = LOOKUP_COLUMNS[name](LookupColumns(self._whole()))
        return _Lists(column) if pa.types.is_list(column.type) else plain_values(column)


class _Segment:
    """Exchanges whose names and addresses are codes of one dictionary."""

    def __init__(self, rows: Array, dictionary: Any) -> None:
        self.rows = rows
        self.dictionary = dictionary
        self._values: dict[str, list[Any]] = {}

    def column(self, name: str) -> Array:
        """A native column, as functions of the exchanges table ask for it."""
        return np.ascontiguousarray(self.rows[name])

    def values(self, name: str) -> list[Any]:
        """A column of the exchanges table."""
        if name == "exchange":
            plain: list[Any] = self.rows[name].tolist()
            return plain
        if name not in self._values:
            self._values[name] = plain_values(EXCHANGE_COLUMNS[name](self))
        return self._values[name]

    def close(self) -> None:
        """Let go of the dictionary."""
        if self.dictionary is not None:
            self.values("server")
            self.values("qname")
            self.dictionary = None

    def keep(self, mask: Array) -> None:
        """Keep some rows only."""
        self.rows = self.rows[mask]
        self._values = {
            name: list(itertools.compress(values, mask.tolist())) for name, values in self._values.items()
        }


class ExchangeStore:
    """Exchanges of the lookups that are kept.

    Attributes
    ----------
    version : int
        Changes with the rows.
    """

    def __init__(self) -> None:
        self._native = KeptExchanges(MOST_KEPT_EXCHANGES, MOST_EXCHANGES)
        if self._native.row_size != KEPT_EXCHANGE.itemsize:
            raise RuntimeError("native struct of another size than declared: rebuild the extensions")
        self._segments: list[_Segment] = []
        self._dictionary: Any = None
        self._let_go: list[int] = []
        self._places: dict[int, tuple[int, int]] = {}
        self._order: Array = np.zeros(0, np.int64)
        self._order_list: list[int] = []
        self._ordered = -1
        self.version = 0
        self.columns = Values(KEPT_COLUMNS, self._make)

    @property
    def passed_over(self) -> int:
        """Exchanges that were not kept for lack of room."""
        return self._native.passed_over

    def follow(self, lookups: Array) -> None:
        """Keep the exchanges of these lookups from now on."""
        self._native.follow(lookups)

    def let_go(self, lookups: list[int]) -> None:
        """The exchanges of these lookups are not wanted any more."""
        self._let_go += lookups
        if len(self._let_go) >= MOST_LET_GO:
            self._settle()
            gone = np.array(self._let_go, np.uint64)
            for segment in self._segments:
                kept = ~np.isin(segment.rows["lookup"], gone)
                self._native.make_room(len(kept) - int(kept.sum()))
                segment.keep(kept)
            self._let_go = []
            self._changed()

    def feed(self, batch: ExchangeBatch) -> None:
        """Take those of a batch that belong to such a lookup."""
        if batch.dictionary is not self._dictionary:
            self._settle()
            for segment in self._segments:
                segment.close()
            self._dictionary = batch.dictionary
        before = len(self._native)
        self._native.feed(batch)
        if len(self._native) != before:
            self._changed()

    def _changed(self) -> None:
        self.version += 1
        self.columns.clear()

    def _settle(self) -> None:
        """Bring what has come since the last time into the segments."""
        if not len(self._native):
            return
        rows = np.frombuffer(self._native.taken(), KEPT_EXCHANGE)
        if self._segments and self._segments[-1].dictionary is self._dictionary:
            rows = np.concatenate([self._segments.pop().rows, rows])
        self._segments.append(_Segment(rows, self._dictionary))

    def _make(self, name: str) -> list[Any]:
        self._settle()
        if len(self._segments) == 1:
            return self._segments[0].values(name)
        return [value for segment in self._segments for value in segment.values(name)]

    def _field(self, name: str) -> Array:
        return np.concatenate([segment.rows[name] for segment in self._segments])

    def _arrange(self) -> None:
        """Order rows by lookup and time."""
        if self._ordered == self.version:
            return
        self._settle()
        self._ordered = self.version
        self._places = {}
        if not self._segments:
            return
        lookups = self._field("lookup")
        self._order = np.lexsort((self._field("exchange"), self._field("time"), lookups))
        self._order_list = self._order.tolist()
        found, starts = np.unique(lookups[self._order], return_index=True)
        ends = np.append(starts[1:], len(lookups))[: len(starts)]
        self._places = dict(
            zip(found.tolist(), zip(starts.tolist(), ends.tolist(), strict=True), strict=True)
        )

    def of(self, lookup: int) -> list[Row]:
        """The exchanges of a lookup, in order of time."""
        self._arrange()
        start, end = self._places.get(lookup, (0, 0))
        return [Row(self.columns, place) for place in self._order_list[start:end]]

    def cells(self, lookup: int, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """Some columns of the exchanges of a lookup, in order of time."""
        self._arrange()
        start, end = self._places.get(lookup, (0, 0))
        columns = [self.columns[name] for name in names]
        return [tuple([c[place] for c in columns]) for place in self._order_list[start:end]]

    def distinct(self, lookups: Collection[int], names: tuple[str, ...]) -> set[tuple[Any, ...]]:
        """Distinct cells of the exchanges of these lookups."""
        self._settle()
        if not self._segments:
            return set()
        rows = zip(*[self.columns[name] for name in names], strict=True)
        return set(itertools.compress(rows, self._within(lookups).tolist()))

    def _within(self, lookups: Collection[int]) -> Array:
        """Which rows are of these lookups."""
        return np.isin(self._field("lookup"), np.fromiter(lookups, np.uint64, len(lookups)))

    def sent(self, lookup: int) -> int:
        """How many exchanges of a lookup there are."""
        self._arrange()
        start, end = self._places.get(lookup, (0, 0))
        return end - start

    def failovers(self, lookups: Collection[int]) -> Counter[str]:
        """Fail-overs of these lookups by the server that was left; what is asked in parallel is left out."""
        counts: Counter[str] = Counter()
        self._arrange()
        if not self._segments:
            return counts
        roles = self._field("role")[self._order]
        within = self._within(lookups)[self._order]
        at = self._order[(roles != _PARALLEL) & within]
        lookup, role = self._field("lookup")[at], self._field("role")[at]
        moved = np.flatnonzero((role[1:] == _FAILOVER) & (lookup[1:] == lookup[:-1]))
        servers = self.columns["server"]
        for left, to in zip(at[moved].tolist(), at[moved + 1].tolist(), strict=True):
            if servers[left] != servers[to]:
                counts[servers[left]] += 1
        return counts


def plain_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows as dictionaries, with times and durations as nanoseconds."""
    names = batch.schema.names
    arrays = [plain_values(column) for column in batch.columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*arrays, strict=True)]


def plain_values(column: pa.Array) -> list[Any]:
    """As `to_pylist`, with times and durations as nanoseconds, and equal words of a dictionary as one object."""
    if pa.types.is_list(column.type):
        values = plain_values(column.values)
        ends = itertools.pairwise(column.offsets.to_pylist())
        lists = [values[a : min(b, a + MOST_TEXT_LIST)] for a, b in ends]
        if column.null_count:
            return [
                found if there else None
                for found, there in zip(lists, column.is_valid().to_pylist(), strict=True)
            ]
        return lists
    if pa.types.is_dictionary(column.type):
        if len(column.dictionary) > len(column):
            plain: list[Any] = column.dictionary.take(column.indices).to_pylist()
            return plain
        words = [*column.dictionary.to_pylist(), None]
        return [words[code] for code in filled(column.indices, len(words) - 1).to_pylist()]
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ns", tz=column.type.tz)).cast(pa.int64())
    elif pa.types.is_duration(column.type):
        column = column.cast(pa.duration("ns")).cast(pa.int64())
    plain = column.to_pylist()
    return plain
