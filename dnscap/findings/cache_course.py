"""What caches saved and what their misses cost, by resolver: as seen from both sides, or as inferred from one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dnscap.messages.around import address_text
from dnscap.native.cache_course import CacheCourses
from dnscap.resolutions.arrow import Verdicts
from dnscap.resolutions.words import ASKED_ON, CACHES, FROM_CACHE
from dnscap.tables.histogram import BUCKETS, SCALE, buckets_of, percentile

if TYPE_CHECKING:
    from dnscap.native.resolution_columns import ResolutionBatch

Array = np.ndarray[Any, np.dtype[Any]]

MOST_RESOLVERS = 256
"""Resolvers whose times are kept; a report lists the busiest of them."""

MOST_DEPTHS = 8
"""Labels from the root down to where walks began that are told apart."""

_CACHED = np.array([word in FROM_CACHE for word in CACHES])
_ASKED = np.array([word in ASKED_ON for word in CACHES])
_MISS = np.array([word == "miss" for word in CACHES])
_KINDS = (_CACHED * 1 + _ASKED * 2 + _MISS * 4).astype(np.uint8)
"""As native code has them."""


def _histogram() -> Array:
    return np.zeros(BUCKETS, dtype=np.int64)


@dataclass(slots=True)
class ResolverCourse:
    """Counts of one resolver.

    Attributes
    ----------
    verdicts : Counter
        Queries by where their answers came from, seen from both sides.
    answered : int
        Queries with an answer, seen from the clients' side alone.
    inferred : Counter
        Those of them by where the answer most likely came from.
    certainty : float
        Sum of the probabilities of these.
    cached, asked : ndarray
        Times of answers out of the cache, and of those that waited for what was asked upstream.
    waited : int
        Nanoseconds that clients waited for the latter.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    inferred: Counter[str] = field(default_factory=Counter)
    certainty: float = 0.0
    cached: Array = field(default_factory=_histogram)
    asked: Array = field(default_factory=_histogram)
    waited: int = 0

    @property
    def judged(self) -> int:
        """Queries seen from both sides of which it is known where their answers came from."""
        return sum(self.verdicts.values()) - self.verdicts["unknown"]

    @property
    def hits(self) -> int:
        """Those of them answered out of the cache."""
        return sum(self.verdicts[word] for word in FROM_CACHE)

    @property
    def misses(self) -> int:
        """Those of them that waited for what was asked upstream."""
        return sum(self.verdicts[word] for word in ASKED_ON)

    @property
    def guessed(self) -> int:
        """Queries seen from one side alone of which it is inferred where their answers came from."""
        return sum(self.inferred.values()) - self.inferred["unknown"]

    @property
    def guessed_hits(self) -> int:
        """Those of them that most likely came out of the cache."""
        return sum(self.inferred[word] for word in FROM_CACHE)

    @property
    def cached_median(self) -> int | None:
        """Nanoseconds that half of the answers out of the cache do not exceed."""
        return percentile(self.cached, 0.5)

    @property
    def asked_median(self) -> int | None:
        """The same of those that waited for what was asked upstream."""
        return percentile(self.asked, 0.5)


class CacheCourse:
    """Adds up what resolvers did for their clients, and what it cost; batches may be cut anywhere.

    Attributes
    ----------
    resolvers : dict of str to ResolverCourse
        By address.
    depths : ndarray
        Misses seen from both sides, by the labels of the zone where the walk began; the last of them is for
        those of which nothing shows it.
    depth_times : ndarray
        The times of their answers, likewise.
    """

    def __init__(self) -> None:
        self.resolvers: dict[str, ResolverCourse] = {}
        self.depths: Array = np.zeros(MOST_DEPTHS + 1, dtype=np.int64)
        self.depth_times: Array = np.zeros((MOST_DEPTHS + 1, BUCKETS), dtype=np.int64)
        self._native = _native_counts()

    def feed_native(self, batch: ResolutionBatch) -> None:
        """As `feed`, of a native batch; `settle` gives what was counted so."""
        self._native.feed(batch, self.depths, self.depth_times)

    def settle(self) -> None:
        """Have native counts among those of the resolvers."""
        native, self._native = self._native, _native_counts()
        for number in range(len(native)):
            theirs = ResolverCourse()
            octets, verdicts, inferred, theirs.answered, theirs.certainty, theirs.waited = native.resolver(
                number, theirs.cached, theirs.asked
            )
            theirs.verdicts.update(_by_word(verdicts))
            theirs.inferred.update(_by_word(inferred))
            self._add(address_text(octets), theirs)

    def feed(self, verdicts: Verdicts) -> None:
        """Count some resolutions."""
        if not len(verdicts):
            return
        answered = verdicts.latency >= 0
        buckets = buckets_of(np.maximum(verdicts.latency, 0))
        for place in np.unique(verdicts.resolver).tolist():
            counts = self._of(verdicts.addresses[place])
            if counts is None:
                continue
            own = verdicts.resolver == place
            seen = own & verdicts.seen
            _count(counts.verdicts, verdicts.cache[seen])
            told = seen & answered
            counts.cached += np.bincount(buckets[told & _CACHED[verdicts.cache]], minlength=BUCKETS)
            waiting = told & _ASKED[verdicts.cache]
            counts.asked += np.bincount(buckets[waiting], minlength=BUCKETS)
            counts.waited += int(verdicts.latency[waiting].sum())
            alone = own & ~verdicts.seen & answered
            counts.answered += int(alone.sum())
            _count(counts.inferred, verdicts.cache[alone])
            counts.certainty += float(verdicts.probability[alone].sum())
        walked = verdicts.seen & answered & _MISS[verdicts.cache]
        depth = verdicts.start_depth[walked].astype(np.int64)
        depth = np.where((depth < 0) | (depth >= MOST_DEPTHS), MOST_DEPTHS, depth)
        self.depths += np.bincount(depth, minlength=MOST_DEPTHS + 1)
        np.add.at(self.depth_times, (depth, buckets[walked]), 1)

    def _of(self, address: str) -> ResolverCourse | None:
        counts = self.resolvers.get(address)
        if counts is None and len(self.resolvers) < MOST_RESOLVERS:
            counts = self.resolvers[address] = ResolverCourse()
        return counts

    def depth_median(self, depth: int) -> int | None:
        """Nanoseconds that half of the walks that began so far down do not exceed."""
        return percentile(self.depth_times[depth], 0.5)

    def merge(self, other: CacheCourse) -> None:
        """Add what another counted."""
        other.settle()
        self.depths += other.depths
        self.depth_times += other.depth_times
        for address, theirs in other.resolvers.items():
            self._add(address, theirs)

    def _add(self, address: str, theirs: ResolverCourse) -> None:
        if (mine := self._of(address)) is None:
            return
        mine.verdicts += theirs.verdicts
        mine.inferred += theirs.inferred
        mine.cached += theirs.cached
        mine.asked += theirs.asked
        mine.answered += theirs.answered
        mine.certainty += theirs.certainty
        mine.waited += theirs.waited


def _count(counter: Counter[str], cache: Array) -> None:
    counter.update(_by_word(np.bincount(cache, minlength=len(CACHES)).tolist()))


def _by_word(counts: list[int]) -> dict[str, int]:
    return {word: count for word, count in zip(CACHES, counts, strict=False) if count}


def _native_counts() -> CacheCourses:
    return CacheCourses(SCALE, MOST_RESOLVERS, _KINDS)
