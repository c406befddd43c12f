"""Counts per client and stub, and the configuration that explains what was seen of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa

from dnscap.clients.configuration import configuration_of
from dnscap.clients.keeping import FAILED, Keeper, Kept
from dnscap.schema import CLIENTS
from dnscap.servers.tally import table_of
from dnscap.tables.columns import Columns
from dnscap.tables.histogram import histograms

Array = np.ndarray[Any, np.dtype[Any]]


class ClientTally:
    """Adds up lookups into one row a client address and stub.

    Parameters
    ----------
    keeper : Keeper
        Numbers clients and stubs, and keeps the lookups that show their configuration.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.lookups: Array = np.zeros(0, dtype=np.int64)
        self.failed: Array = np.zeros(0, dtype=np.int64)
        self.durations = histograms()

    def feed_lookups(self, rows: Columns, pairs: Array) -> None:
        """Count the lookups of a batch; `pairs` as `Keeper.pairs_of` gives them."""
        if not rows.rows:
            return
        count = len(self._keeper.pairs) + 1
        self.grow(count)
        self.lookups += np.bincount(pairs, minlength=len(self.lookups))
        failed = rows.word_is("outcome", *FAILED)
        self.failed += np.bincount(pairs[failed], minlength=len(self.failed))
        finished = ~rows.word_is("outcome", "unfinished")
        self.durations.add(pairs[finished], rows.numbers("duration", 0)[finished], count)

    def grow(self, count: int) -> None:
        """Make room in the counters for so many clients and stubs."""
        self.lookups = _grown(self.lookups, count)
        self.failed = _grown(self.failed, count)
        self.durations.grow(count)

    def __len__(self) -> int:
        """How many rows there are."""
        return int(np.count_nonzero(self.lookups[: len(self._keeper.pairs)]))

    def rows(self, most: int | None = None) -> list[dict[str, Any]]:
        """One row a client and stub: the client with most lookups first, of each its commonest stub first.

        `most` is how many pairs of client and stub are wanted: those with most lookups.
        """
        pairs = self._keeper.pairs
        numbers = np.flatnonzero(self.lookups[: len(pairs)])
        if most is not None and len(numbers) > most:
            numbers = np.sort(numbers[np.argsort(-self.lookups[numbers], kind="stable")[:most]])
        by_pair = self._keeper.by_pair(numbers.tolist())
        rows = [self._row(number, pairs.text(number), by_pair.get(number, [])) for number in numbers.tolist()]
        total: dict[str, int] = {}
        for row in rows:
            total[row["client"]] = total.get(row["client"], 0) + row["lookups"]
        rows.sort(key=lambda row: (-total[row["client"]], row["client"], -row["lookups"], row["stub"] or "~"))
        return rows

    def _row(self, number: int, text: str, kept: list[Kept]) -> dict[str, Any]:
        client, _, stub = text.partition(" ")
        configuration = configuration_of(stub or None, kept)
        # Each lookup that shows habits makes a chance likeness less likely.
        telling = len(kept) if configuration["edns"] else sum(_shows_habits(k) for k in kept)
        return {
            "client": client,
            "stub": stub or None,
            "stub_confidence": round(1 - 0.5 * math.exp(-telling / 4), 3) if stub else None,
            "lookups": int(self.lookups[number]),
            "failed": int(self.failed[number]),
            "duration_p50": self.durations.percentile(number, 0.5),
            "duration_p99": self.durations.percentile(number, 0.99),
            **configuration,
        }

    def to_arrow(self) -> pa.Table:
        """The clients table."""
        return table_of(self.rows(), CLIENTS)


def _shows_habits(kept: Kept) -> bool:
    """Whether a lookup tells one stub from another: a single plain question looks alike from most of them."""
    return len(kept.row["qtypes"] or ()) > 1 or len(kept.row["candidates"] or ()) > 1


def _grown(counts: Array, size: int) -> Array:
    return counts if size <= len(counts) else np.r_[counts, np.zeros(size - len(counts), dtype=np.int64)]
