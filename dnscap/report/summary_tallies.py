"""Counts that stay small however much goes by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

MOST_TEXTS = 10_000
"""Texts a tally remembers of one generation of codes, and in all: a flood of random names stays bounded."""

MOST_SECONDS = 500_000
"""Seconds with traffic remembered: six days without a pause. Beyond, the quiet ones are forgotten."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One text and how often it was seen, by measure; `error` is how many more it may have been in all."""

    text: str
    counts: tuple[int, ...]
    error: int = 0


class CodeTally:
    """Counts of small numbers: record types, rcodes, statuses.

    Parameters
    ----------
    room : int
        Numbers are below this.
    """

    def __init__(self, room: int) -> None:
        self.counts: Array = np.zeros(room, dtype=np.int64)

    def add(self, values: Array) -> None:
        """Count each of `values` once."""
        if len(values):
            seen = np.bincount(values)
            self.counts[: len(seen)] += seen

    @property
    def total(self) -> int:
        """How many values were counted."""
        return int(self.counts.sum())

    def most(self, name_of: Callable[[int], str]) -> dict[str, int]:
        """Counts by name, the largest first."""
        seen = np.flatnonzero(self.counts)
        order = seen[np.argsort(-self.counts[seen], kind="stable")]
        return {name_of(int(number)): int(self.counts[number]) for number in order}


class TextTally:
    """Counts by text, where texts come as codes of a dictionary that is replaced when it is full.

    While one dictionary lasts its codes are counted exactly. When it is replaced only its most frequent
    texts are remembered, so a text that was seldom in one dictionary and frequent in another may have been
    seen more often than its counts say; by how much at most is known.

    Parameters
    ----------
    measures : int
        Counts kept for each text; the texts with the largest sums of them are remembered.
    """

    def __init__(self, measures: int) -> None:
        self.distinct = 0
        self.distinct_exact = True
        self._measures = measures
        self._open: Array = np.zeros((measures, 1024), dtype=np.int64)
        self._table: dict[
            str, list[int]
        ] = {}  # counts, and last the part of `_forgotten` that is not of this text
        self._forgotten = 0

    def add(self, measure: int, codes: Array) -> None:
        """Count codes of the current dictionary under a measure."""
        if not len(codes):
            return
        seen = np.bincount(codes)
        room = self._open.shape[1]
        if len(seen) > room:
            wider = np.zeros((self._measures, max(len(seen), 2 * room)), dtype=np.int64)
            wider[:, :room] = self._open
            self._open = wider
        self._open[measure, : len(seen)] += seen

    def close(self, texts_of: Callable[[Array], list[str]]) -> None:
        """End the current dictionary.

        Parameters
        ----------
        texts_of : callable
            Gives the texts of codes.
        """
        totals = self._open.sum(axis=0)
        seen = np.flatnonzero(totals)
        if not len(seen):
            return
        generation = len(seen)
        forgotten = 0
        if generation > MOST_TEXTS:
            order = np.argpartition(-totals[seen], MOST_TEXTS)
            dropped = seen[order[MOST_TEXTS:]]
            seen = seen[order[:MOST_TEXTS]]
            forgotten = int(totals[dropped].max())
        first = not self._table
        counts = np.vstack([self._open[:, seen], np.full(len(seen), forgotten)]).T.tolist()
        for text, row in zip(texts_of(seen), counts, strict=True):
            known = self._table.get(text)
            self._table[text] = row if known is None else [a + b for a, b in zip(known, row, strict=True)]
        self._forgotten += forgotten
        self._open[:] = 0
        if first:
            self.distinct = generation
        elif self._forgotten:
            # Which of the forgotten texts came again cannot be told.
            self.distinct_exact = False
            self.distinct = max(self.distinct, generation, len(self._table))
        else:
            self.distinct = len(self._table)
        self._prune()

    def _prune(self) -> None:
        if len(self._table) <= MOST_TEXTS:
            return
        kept = sorted(self._table.items(), key=lambda item: -sum(item[1][:-1]))
        dropped = max(sum(row[:-1]) + self._forgotten - row[-1] for _, row in kept[MOST_TEXTS:])
        self._table = dict(kept[:MOST_TEXTS])
        self._forgotten += dropped
        for row in self._table.values():
            row[-1] += dropped

    def most(self, limit: int) -> list[Counted]:
        """The most frequent texts of the dictionaries that were closed."""
        rows = sorted(self._table.items(), key=lambda item: (-sum(item[1][:-1]), item[0]))
        return [Counted(text, tuple(row[:-1]), self._forgotten - row[-1]) for text, row in rows[:limit]]


class Peak:
    """The busiest second of a capture whose seconds need not come in order."""

    def __init__(self) -> None:
        self._seconds: dict[int, int] = {}

    def add(self, times: Array) -> None:
        """Count times, in nanoseconds since 1970."""
        if not len(times):
            return
        seconds = times // 1_000_000_000
        first = int(seconds.min())
        if int(seconds.max()) - first < 4 * len(times) + 1024:
            counts = np.bincount(seconds - first)
            seen = np.flatnonzero(counts)
            pairs = zip((seen + first).tolist(), counts[seen].tolist(), strict=True)
        else:
            distinct, counts = np.unique(seconds, return_counts=True)
            pairs = zip(distinct.tolist(), counts.tolist(), strict=True)
        table = self._seconds
        for second, count in pairs:
            table[second] = table.get(second, 0) + count
        if len(table) > MOST_SECONDS:
            kept = sorted(table.items(), key=lambda item: -item[1])[: MOST_SECONDS // 5]
            self._seconds = dict(kept)

    @property
    def busiest(self) -> tuple[int, int] | None:
        """Start of the busiest second in nanoseconds since 1970, and its count; None without any."""
        if not self._seconds:
            return None
        second, count = max(self._seconds.items(), key=lambda item: (item[1], -item[0]))
        return second * 1_000_000_000, count


class Durations:
    """Durations in bins so narrow that a percentile is right to 2 %, and the longest exactly."""

    _BINS_AN_OCTAVE = 40

    def __init__(self) -> None:
        self._bins = CodeTally(64 * self._BINS_AN_OCTAVE)
        self.longest: int | None = None

    def add(self, nanoseconds: Array) -> None:
        """Count durations; a clock set back can make them negative, which counts as none."""
        if len(nanoseconds):
            longest = int(nanoseconds.max())
            self.longest = longest if self.longest is None else max(longest, self.longest)
            octaves = np.log2(np.maximum(nanoseconds, 1)) * self._BINS_AN_OCTAVE
            self._bins.add(octaves.astype(np.int64))

    @property
    def total(self) -> int:
        """How many durations were counted."""
        return self._bins.total

    def within(self, percent: int) -> int:
        """Nanoseconds that this share of the durations does not exceed."""
        reached = np.cumsum(self._bins.counts) >= self.total * percent / 100
        middle = (int(np.argmax(reached)) + 0.5) / self._BINS_AN_OCTAVE
        return min(round(2**middle), self.longest or 0)
