"""What caches did, told per resolver: refreshed in time, served stale, asked twice, kept too long, hit seldom."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from dnscap.findings.gate import bounded
from dnscap.findings.rule import Facts, Finding, Rule, plural
from dnscap.messages.around import address_text
from dnscap.native.cache_tally import CacheCounts
from dnscap.resolutions.arrow import Verdicts
from dnscap.resolutions.words import CACHES, EVIDENCE, FROM_CACHE

if TYPE_CHECKING:
    from dnscap.native.resolution_columns import ResolutionBatch

Array = np.ndarray[Any, np.dtype[Any]]

MOST_RESOLVERS = 1_000
"""Resolvers told apart; a capture of one network has a few."""

MOST_EXAMPLES = 8
"""Exchanges named as evidence of one thing at one resolver."""

LEAST_JUDGED = 200
"""Queries after which a low hit rate says something: a cold cache misses at first."""

GOOD_RATE = 0.5
"""A rate of hits that a shared cache reaches on nearly any traffic."""

LEAST_CASES = 3
"""Times that something must be seen before it is more than a remark."""


SIGNS: tuple[tuple[str, str | None, str | None], ...] = (
    ("prefetch", "prefetch", None),
    ("stale", "stale", None),
    ("asked-again", None, "asked-again"),
    ("kept-longer", "hit", "earlier-answer-expired"),
    ("constant", None, "ttl-not-counted-down"),
)
"""What is noticed, and the verdict and evidence that show it."""


@dataclass(slots=True)
class ResolverCache:
    """Counts of one resolver.

    Attributes
    ----------
    verdicts : Counter
        Queries by where their answers came from.
    signs : Counter
        Queries by what was noticed of them.
    examples : dict of str to list of int
        Exchanges that show each.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    signs: Counter[str] = field(default_factory=Counter)
    examples: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def judged(self) -> int:
        """Queries of which it is known where their answers came from."""
        return sum(self.verdicts.values()) - self.verdicts["unknown"]

    @property
    def walked(self) -> int:
        """Those for which the resolver asked servers of the world itself."""
        return self.verdicts["miss"] + self.verdicts["coalesced"]

    @property
    def hits(self) -> int:
        """Those answered out of the cache."""
        return sum(self.verdicts[word] for word in FROM_CACHE)


class CacheTally:
    """Adds up resolutions by resolver; batches may be cut anywhere."""

    def __init__(self) -> None:
        self.resolvers: dict[str, ResolverCache] = {}
        self._native = _native_counts()

    def feed_native(self, batch: ResolutionBatch, totals: Array) -> None:
        """Count a native batch; `settle` gives what was counted so. Verdicts are added to `totals`, too."""
        self._native.feed(batch, totals)

    def settle(self) -> None:
        """Have native counts among those of the resolvers."""
        native, self._native = self._native, _native_counts()
        for number in range(len(native)):
            octets, caches, signs, examples = native.resolver(number)
            self._add(
                address_text(octets),
                ResolverCache(
                    Counter({word: n for word, n in zip(CACHES, caches, strict=False) if n}),
                    Counter({sign: n for (sign, _, _), n in zip(SIGNS, signs, strict=True) if n}),
                    defaultdict(
                        list, {sign: e for (sign, _, _), e in zip(SIGNS, examples, strict=True) if e}
                    ),
                ),
            )

    def feed(self, verdicts: Verdicts) -> None:
        """Count some resolutions."""
        if not len(verdicts):
            return
        width = len(CACHES)
        counted = np.bincount(
            verdicts.resolver.astype(np.int64) * width + verdicts.cache,
            minlength=width * len(verdicts.addresses),
        ).reshape(-1, width)
        for address, row in zip(verdicts.addresses, counted.tolist(), strict=True):
            if any(row) and (counts := self._of(address)) is not None:
                counts.verdicts.update({word: n for word, n in zip(CACHES, row, strict=True) if n})
        for sign, shown in _signs(verdicts):
            self._note(sign, verdicts, np.flatnonzero(shown))

    def _note(self, sign: str, verdicts: Verdicts, rows: Array) -> None:
        for place in np.unique(verdicts.resolver[rows]).tolist():
            if (counts := self._of(verdicts.addresses[place])) is None:
                continue
            own = rows[verdicts.resolver[rows] == place]
            counts.signs[sign] += len(own)
            room = MOST_EXAMPLES - len(counts.examples[sign])
            counts.examples[sign] += verdicts.exchange[own[: max(room, 0)]].tolist()

    def _of(self, address: str) -> ResolverCache | None:
        counts = self.resolvers.get(address)
        if counts is None and len(self.resolvers) < MOST_RESOLVERS:
            counts = self.resolvers[address] = ResolverCache()
        return counts

    def roles(self) -> dict[str, str]:
        """Roles of the servers that were seen to ask upstream for their clients."""
        return {
            address: "forwarder" if counts.verdicts["forwarded"] > counts.walked else "recursive"
            for address, counts in self.resolvers.items()
            if counts.verdicts["forwarded"] or counts.walked
        }

    def merge(self, other: CacheTally) -> None:
        """Add what another tally counted."""
        other.settle()
        for address, theirs in other.resolvers.items():
            self._add(address, theirs)

    def _add(self, address: str, theirs: ResolverCache) -> None:
        if (mine := self._of(address)) is None:
            return
        mine.verdicts += theirs.verdicts
        mine.signs += theirs.signs
        for sign, numbers in theirs.examples.items():
            room = MOST_EXAMPLES - len(mine.examples[sign])
            mine.examples[sign] += numbers[: max(room, 0)]


def _native_counts() -> CacheCounts:
    return CacheCounts(
        MOST_RESOLVERS,
        np.array([255 if cache is None else CACHES.index(cache) for _, cache, _ in SIGNS], np.uint8),
        np.array([0 if word is None else 1 << EVIDENCE.index(word) for _, _, word in SIGNS], np.uint32),
    )


def _signs(verdicts: Verdicts) -> Iterator[tuple[str, Array]]:
    """What is noticed, and the rows that show it."""
    for sign, cache, word in SIGNS:
        shown = np.ones(len(verdicts.cache), bool)
        if cache is not None:
            shown &= verdicts.cache == CACHES.index(cache)
        if word is not None:
            shown &= verdicts.evidence >> EVIDENCE.index(word) & 1 == 1
        yield sign, shown


class _OfACache(Rule):
    """A remark about the cache of one resolver."""

    sign: ClassVar[str]
    rests_on = "content"

    def find(self, facts: Facts) -> Iterator[Finding]:
        if facts.caches is None:
            return
        for address, counts in facts.caches.resolvers.items():
            count = counts.signs[self.sign]
            if count:
                yield self.told(facts, address, count, counts.examples[self.sign], self.grade(count, counts))

    def grade(self, count: int, counts: ResolverCache) -> str:
        """Severity for so many cases."""
        return "info"

    def sentence(self, address: str, count: int) -> str:
        """The title."""
        raise NotImplementedError

    def told(self, facts: Facts, address: str, count: int, examples: list[int], severity: str) -> Finding:
        """The finding."""
        doubt = (1 - self.certainty) / (1 + 0.25 * (count - 1))
        return Finding(
            id=self.id,
            severity=severity,
            title=self.sentence(address, count),
            causes=[],
            subject=address,
            lookups=0,
            failed=0,
            cost_seconds=0.0,
            cost_queries=0,
            confidence=bounded((1 - doubt) * facts.quality.factor(self.rests_on)),
            evidence=[f"exchange:{number}" for number in examples],
            explanation=self.explanation,
            remedy=self.remedy,
            counterfactual=None,
            disproved_by=self.disproved_by,
        )


class PrefetchObserved(_OfACache):
    """Popular names are refreshed before they run out."""

    id = "prefetch-observed"
    sign = "prefetch"
    explanation = (
        "The resolver answered out of its cache and asked upstream for the same name right after: it "
        "refreshes names that are asked for while their TTL runs out, so that clients need not wait."
    )
    remedy = "Nothing to mend. In unbound it is `prefetch: yes`, in BIND `prefetch` with its two times."
    disproved_by = "Another client's query for the same name that the refresh was really for."

    def sentence(self, address: str, count: int) -> str:
        return f"Resolver {address} refreshes names before they run out: {plural(count, 'answer')}"


class StaleServed(_OfACache):
    """Expired answers were given out."""

    id = "stale-answers"
    sign = "stale"
    explanation = (
        "Answers were given out after their TTL had run out (RFC 8767), because upstream did not answer in "
        "time or because the resolver refreshes only afterwards. The data may be outdated."
    )
    remedy = (
        "Look at the servers of the zones concerned; the limits are `serve-expired-ttl` in unbound and "
        "`max-stale-ttl` in BIND."
    )
    disproved_by = "A refresh of the name in a part of the traffic that the capture does not hold."

    def sentence(self, address: str, count: int) -> str:
        return f"Resolver {address} gave out {plural(count, 'answer')} after their TTL had run out"


class CoalescingAbsent(_OfACache):
    """The same question went upstream again while it was out already."""

    id = "coalescing-absent"
    sign = "asked-again"
    explanation = (
        "Several clients waited for the same name, and the resolver sent the question upstream once for "
        "each of them instead of once for all. Cold popular names then cause bursts, and each query out is "
        "another chance for a forged answer (RFC 5452 section 5)."
    )
    remedy = "Use a resolver or forwarder that joins identical questions; most do by default."
    disproved_by = "Retries: the earlier question upstream had been given up."

    def grade(self, count: int, counts: ResolverCache) -> str:
        return "low" if count >= LEAST_CASES else "info"

    def sentence(self, address: str, count: int) -> str:
        times = "once" if count == 1 else f"{count:,} times"
        return f"Resolver {address} asked upstream again for what it was waiting for already, {times}"


class TtlNotHonoured(_OfACache):
    """Answers were kept for longer than their TTL, or TTLs are not counted down."""

    id = "ttl-not-honoured"
    sign = "kept-longer"
    explanation = (
        "Answers out of the cache came after the TTL told before had run out, with a fresh TTL, though "
        "nothing was asked upstream in between. Changes of the zone reach clients later than its TTL says."
    )
    remedy = "Look for a minimum TTL (`cache-min-ttl` in unbound, `min-cache-ttl` in dnsmasq and BIND)."
    disproved_by = "A refresh of the name in a part of the traffic that the capture does not hold."

    def find(self, facts: Facts) -> Iterator[Finding]:
        yield from super().find(facts)
        if facts.caches is None:
            return
        for address, counts in facts.caches.resolvers.items():
            count = counts.signs["constant"]
            if count >= LEAST_CASES and not counts.signs[self.sign]:
                yield self.told(facts, address, count, counts.examples["constant"], "info")

    def grade(self, count: int, counts: ResolverCache) -> str:
        return "low" if count >= LEAST_CASES else "info"

    def sentence(self, address: str, count: int) -> str:
        return f"Resolver {address} does not keep to TTLs: {plural(count, 'answer')}"


class HitRateLow(_OfACache):
    """Few answers come out of the cache."""

    id = "cache-hit-rate-low"
    sign = "miss"
    explanation = (
        "Less than half of the queries were answered out of the cache. Short TTLs, names that are asked "
        "for once only, a cache that is too small, or one that had just been started are the usual reasons."
    )
    remedy = (
        "Compare the size of the cache with what is in it, look at the TTLs of the names asked for most, "
        "and let more clients share one cache."
    )
    disproved_by = "A rate above half over a longer capture."

    def find(self, facts: Facts) -> Iterator[Finding]:
        if facts.caches is None:
            return
        for address, counts in facts.caches.resolvers.items():
            if counts.judged >= LEAST_JUDGED and counts.hits < GOOD_RATE * counts.judged:
                missed = counts.judged - counts.hits
                finding = self.told(facts, address, missed, [], "info")
                finding.title = (
                    f"Resolver {address} answered {100 * counts.hits / counts.judged:.0f} % of "
                    f"{counts.judged:,} queries out of its cache"
                )
                yield finding

    def sentence(self, address: str, count: int) -> str:
        return f"Resolver {address} seldom answers out of its cache"


RULES: tuple[Rule, ...] = (
    PrefetchObserved(),
    StaleServed(),
    CoalescingAbsent(),
    TtlNotHonoured(),
    HitRateLow(),
)
