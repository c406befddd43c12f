"""What each cause cost: the time budget of a lookup shared out among its causes, nothing counted twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dnscap.clients import FAILED
from dnscap.tables.columns import Columns

Array = np.ndarray[Any, np.dtype[Any]]

BUDGET = (
    "t_timeout",
    "t_failed_server",
    "t_edns",
    "t_truncation",
    "t_search",
    "t_serial",
    "t_answer",
    "t_gap",
)
"""Buckets of the time budget, in the order of precedence."""

_SILENCE = ("t_timeout", "t_gap")
_REPLIES = ("t_failed_server", "t_timeout")
_FAR_SIDE = ("t_answer", "t_timeout", "t_failed_server")

BUCKETS_OF: dict[str, tuple[str, ...]] = {
    "search-fanout": ("t_search",),
    "nameserver-timeout": _SILENCE,
    "no-answer": _SILENCE,
    "packet-loss": _SILENCE,
    "pair-race": (*_SILENCE, "t_serial"),
    "aaaa-dropped": (*_SILENCE, "t_serial"),
    "second-answer-dropped": (*_SILENCE, "t_serial"),
    "reply-swallowed": _SILENCE,
    "queue-overflow": _SILENCE,
    "bogus-answer-ignored": _SILENCE,
    "server-unreachable": ("t_failed_server", "t_timeout"),
    "serial-a-aaaa": ("t_serial",),
    "truncation": ("t_truncation",),
    "tcp-blocked": ("t_truncation", "t_timeout"),
    "tcp-retransmission": ("t_truncation", "t_timeout", "t_answer"),
    "fragments-lost": ("t_timeout", "t_truncation", "t_edns"),
    "edns-fallback": ("t_edns", "t_failed_server"),
    "edns-dropped": ("t_edns", "t_timeout"),
    "servfail": _REPLIES,
    "refused": _REPLIES,
    "formerr": ("t_failed_server", "t_edns", "t_timeout"),
    "partial-answer": ("t_failed_server", "t_serial"),
    "cname-loop": ("t_failed_server", "t_answer"),
    "dangling-cname": ("t_failed_server", "t_answer"),
}
"""Buckets in which the time of a cause is found; a cause not listed lies on the far side of one exchange."""


@dataclass(slots=True)
class Cost:
    """Lookups with a cause, and what it cost them.

    Attributes
    ----------
    lookups, failed : int
        How many, and how many of them got nothing to act on.
    seconds : float
        Time the applications waited for it.
    queries : int
        Queries that it added.
    """

    lookups: int = 0
    failed: int = 0
    seconds: float = 0.0
    queries: int = 0

    def add(self, other: Cost) -> None:
        """Add another cost to this."""
        self.lookups += other.lookups
        self.failed += other.failed
        self.seconds += other.seconds
        self.queries += other.queries


@lru_cache(maxsize=256)
def _mask(cause: str) -> Array:
    wanted = BUCKETS_OF.get(cause, _FAR_SIDE)
    return np.array([bucket in wanted for bucket in BUDGET])


def shares_of(row: Mapping[str, Any]) -> dict[str, tuple[float, int]]:
    """Seconds and queries that each cause of a lookup cost; `row` has times in nanoseconds.

    What `CauseTally` does for many lookups at once, for one.
    """
    budget = {bucket: row[bucket] or 0 for bucket in BUDGET}
    shares: dict[str, tuple[float, int]] = {}
    for place, cause in enumerate(row["causes"] or ()):
        claim = [bucket for bucket in BUCKETS_OF.get(cause, _FAR_SIDE) if bucket in budget]
        taken = sum(budget[bucket] for bucket in claim)
        if place == 0 and not taken:
            claim = ["t_answer"] if budget["t_answer"] else list(budget)
            taken = sum(budget[bucket] for bucket in claim)
        for bucket in claim:
            budget.pop(bucket, None)
        shares[cause] = (taken / 1e9, int(row["wasted_queries"] or 0) if place == 0 else 0)
    return shares


def _claimed(budget: Array, free: Array, wanted: Array, first: bool) -> Array:
    """Nanoseconds that a cause claims of each row; what it claims is no longer free."""
    claim = wanted & free
    taken: Array = (budget * claim).sum(axis=1)
    if first:
        # The most costly cause stands for the wait even where the budget names it otherwise.
        astray = taken == 0
        claim[astray] = BUDGET_ANSWER
        taken = np.where(astray, (budget * BUDGET_ANSWER).sum(axis=1), taken)
        astray &= taken == 0
        claim[astray] = True
        taken = np.where(astray, budget.sum(axis=1), taken)
    free &= ~claim
    return taken


BUDGET_ANSWER = np.array([bucket == "t_answer" for bucket in BUDGET])


class CauseTally:
    """Adds up what each cause cost over all lookups."""

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = {}
        self.lookups = 0
        self.failed = 0
        self.seconds = 0.0

    def feed_lookups(self, batch: pa.RecordBatch, rows: Columns) -> None:
        """Count the lookups of a batch."""
        if not rows.rows:
            return
        failed = rows.word_is("outcome", *FAILED)
        waited = (rows.numbers("duration", 0) - rows.numbers("t_gap", 0)).sum()
        self.add(rows.rows, int(failed.sum()), int(waited))
        lengths = rows.list_lengths("causes")
        sick = np.flatnonzero(lengths)
        if not len(sick):
            return
        lengths = lengths[sick]
        flat = pc.list_flatten(batch.column("causes").take(pa.array(sick)))
        codes_column = flat.dictionary_encode() if not pa.types.is_dictionary(flat.type) else flat
        self.share(
            codes_column.dictionary.to_pylist(),
            codes_column.indices.to_numpy(zero_copy_only=False),
            np.cumsum(lengths) - lengths,
            lengths,
            np.stack([rows.numbers(bucket, 0)[sick] for bucket in BUDGET], axis=1),
            failed[sick],
            rows.numbers("wasted_queries", 0)[sick],
        )

    def add(self, lookups: int, failed: int, nanoseconds: int) -> None:
        """Add lookups, healthy or not, and what they waited in all."""
        self.lookups += lookups
        self.failed += failed
        self.seconds += nanoseconds / 1e9

    def share(
        self,
        words: Sequence[str],
        codes: Array,
        starts: Array,
        lengths: Array,
        budget: Array,
        failed: Array,
        queries: Array,
    ) -> None:
        """Share out the time budgets of lookups with causes.

        Parameters
        ----------
        words : sequence of str
            Causes, by code.
        codes, starts, lengths : arrays
            Causes of all these lookups, most costly first; where those of each begin, and how many it has.
        budget : array
            Nanoseconds, a row a lookup, in the order of `BUDGET`.
        failed : array of bool
            Whether it got nothing to act on.
        queries : array
            Queries that its causes added.
        """
        masks = np.stack([_mask(word) for word in words])
        free = np.ones_like(budget, dtype=bool)
        size = len(words)
        for place in range(int(lengths.max())):
            here = np.flatnonzero(lengths > place)
            cause = codes[starts[here] + place]
            part = free[here]
            taken = _claimed(budget[here], part, masks[cause], place == 0)
            free[here] = part
            counts = np.bincount(cause, minlength=size)
            fails = np.bincount(cause[failed[here]], minlength=size)
            nanoseconds = np.bincount(cause, weights=taken, minlength=size)
            wasted = (
                np.bincount(cause, weights=queries[here], minlength=size) if place == 0 else np.zeros(size)
            )
            for code in np.flatnonzero(counts).tolist():
                self.costs.setdefault(words[code], Cost()).add(
                    Cost(
                        int(counts[code]), int(fails[code]), float(nanoseconds[code]) / 1e9, int(wasted[code])
                    )
                )
