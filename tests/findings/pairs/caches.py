"""Caches: prefetching, stale answers, coalescing, TTLs, hit rates."""

from __future__ import annotations

from tests.findings.pairs import Pair
from tests.resolutions.traffic import MS, OTHER, SECOND, Traffic

WWW = "www.example.com."
A = (f"{WWW} 300 A 203.0.113.1",)


def healthy() -> Traffic:
    """A cache that does what it should."""
    traffic = Traffic()
    for k in range(20):
        traffic.miss(k * 10 * SECOND, ttl=5)
        traffic.hit(k * 10 * SECOND + SECOND, ttl=4)
    return traffic


def prefetching() -> Traffic:
    traffic = Traffic()
    traffic.miss(0, ttl=10)
    traffic.hit(9 * SECOND, ttl=1)
    traffic.upstream(9 * SECOND + 200_000, answer=A)
    return traffic


def stale() -> Traffic:
    traffic = Traffic()
    traffic.miss(0, ttl=2)
    traffic.ask(5 * SECOND, took=1800 * MS, answer=(f"{WWW} 30 A 203.0.113.1",))
    traffic.upstream(5 * SECOND + MS, silent=True)
    return traffic


def twice_upstream() -> Traffic:
    traffic = Traffic()
    for k in range(4):
        at = k * 10 * SECOND
        name = f"n{k}.example.com."
        answer = (f"{name} 5 A 203.0.113.1",)
        traffic.ask(at, name, took=20 * MS, answer=answer)
        traffic.ask(at + 5 * MS, name, client=OTHER, took=15 * MS, answer=answer)
        traffic.upstream(at + MS, name, took=17 * MS, answer=answer)
        traffic.upstream(at + 6 * MS, name, took=12 * MS, answer=answer)
    return traffic


def kept_too_long() -> Traffic:
    traffic = Traffic()
    traffic.miss(0, ttl=5)
    for k in range(1, 5):
        traffic.hit(k * 20 * SECOND, ttl=5)
    return traffic


def only_misses() -> Traffic:
    traffic = Traffic()
    for k in range(220):
        traffic.miss(k * 20 * MS, f"n{k}.example.com.")
    return traffic


PAIRS: dict[str, Pair] = {
    "prefetch-observed": (prefetching, healthy),
    "stale-answers": (stale, healthy),
    "coalescing-absent": (twice_upstream, healthy),
    "ttl-not-honoured": (kept_too_long, healthy),
    "cache-hit-rate-low": (only_misses, healthy),
}
