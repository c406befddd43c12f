"""What each cause cost: the time budget of a lookup shared out among its causes, nothing counted twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from dnscap.arrays import array_of
from dnscap.clients import FAILED
from dnscap.lookups.words import CAUSES
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


def shares_of(row: Mapping[str, Any]) -> dict[str, tuple[float, int]]:
    """Seconds and queries that each cause of a lookup cost; `row` has times in nanoseconds.

    What `CauseTally` does for many lookups at once, for one.
    """
    shares: dict[str, tuple[float, int]] = {}
    spent: set[str] = set()
    for place, cause in enumerate(row["causes"] or ()):
        claim = [bucket for bucket in BUCKETS_OF.get(cause, _FAR_SIDE) if bucket not in spent]
        taken = sum([row[bucket] or 0 for bucket in claim])
        if place == 0 and not taken:
            claim = ["t_answer"] if row["t_answer"] else [*BUDGET]
            taken = sum([row[bucket] or 0 for bucket in claim])
        spent.update(claim)
        shares[cause] = (taken / 1e9, int(row["wasted_queries"] or 0) if place == 0 else 0)
    return shares


MOST_CAUSES = 64
"""Numbers that a cause may have."""

WANTED: Array = np.zeros(MOST_CAUSES, np.uint8)
"""Buckets that each cause claims, as bits in the order of `BUDGET`; by the number of the cause."""
for _number, _cause in enumerate(CAUSES):
    WANTED[_number] = sum(
        1 << place for place, bucket in enumerate(BUDGET) if bucket in BUCKETS_OF.get(_cause, _FAR_SIDE)
    )


class CauseTally:
    """Adds up what each cause cost over all lookups."""

    def __init__(self) -> None:
        self.counts: Array = np.zeros((MOST_CAUSES, 4), np.int64)
        """Lookups, failed ones, nanoseconds, queries of each cause, by its number."""
        self.lookups = 0
        self.failed = 0
        self.seconds = 0.0

    @property
    def costs(self) -> dict[str, Cost]:
        """What each cause that came up cost."""
        return {
            CAUSES[number]: Cost(lookups, failed, nanoseconds / 1e9, queries)
            for number, (lookups, failed, nanoseconds, queries) in enumerate(self.counts.tolist())
            if lookups
        }

    def feed_lookups(self, batch: pa.RecordBatch, rows: Columns) -> None:
        """Count the lookups of a batch."""
        if not rows.rows:
            return
        failed = rows.word_is("outcome", *FAILED)
        waited = (rows.numbers("duration", 0) - rows.numbers("t_gap", 0)).sum()
        self.add(rows.rows, int(failed.sum()), int(waited))
        sick = np.flatnonzero(rows.list_lengths("causes"))
        if not len(sick):
            return
        columns = ("causes", "wasted_queries", *(name for name in BUDGET if name in rows))
        ill = Columns(batch.select(columns).take(array_of(sick)))
        causes = ill.batch.column("causes").to_pylist()
        budget = np.stack([ill.numbers(bucket, 0) for bucket in BUDGET], axis=1).tolist()
        queries = ill.numbers("wasted_queries", 0).tolist()
        for row in zip(causes, budget, queries, failed[sick].tolist(), strict=True):
            self._share(*row)

    def add(self, lookups: int, failed: int, nanoseconds: int) -> None:
        """Add lookups, healthy or not, and what they waited in all."""
        self.lookups += lookups
        self.failed += failed
        self.seconds += nanoseconds / 1e9

    def _share(self, causes: list[str], budget: list[int], queries: int, failed: bool) -> None:
        row = dict(zip(BUDGET, budget, strict=True)) | {"causes": causes, "wasted_queries": queries}
        for cause, (waited, added) in shares_of(row).items():
            if cause in CAUSES:
                self.counts[CAUSES.index(cause)] += (1, failed, round(waited * 1e9), added)
