"""Findings about caches: each raised by traffic that shows it, and not by traffic that nearly does."""

import numpy as np

import dnscap
from dnscap.findings.cache_course import CacheCourse
from dnscap.findings.caches import CacheTally
from dnscap.findings.moments import Moments
from dnscap.findings.rule import Facts
from dnscap.findings.slow_walks import SlowWalks
from tests.findings.pairs.caches import healthy, kept_too_long, prefetching, stale, twice_upstream
from tests.resolutions.traffic import MS, OTHER, SECOND, Traffic

WWW = "www.example.com."
A = (f"{WWW} 300 A 203.0.113.1",)


def found(traffic: Traffic) -> dict[str, str]:
    """Severities of the findings about caches, by id."""
    ours = (
        "prefetch-observed",
        "stale-answers",
        "coalescing-absent",
        "ttl-not-honoured",
        "cache-hit-rate-low",
    )
    rows = dnscap.read(traffic.octets()).to_arrow("findings").to_pylist()
    return {row["id"]: row["severity"] for row in rows if row["id"] in ours}


def test_a_healthy_cache_raises_nothing() -> None:
    assert found(healthy()) == {}


def test_prefetch_observed() -> None:
    assert found(prefetching()) == {"prefetch-observed": "info"}


def test_stale_answers() -> None:
    assert found(stale())["stale-answers"] == "info"


def test_coalescing_absent() -> None:
    assert found(twice_upstream()) == {"coalescing-absent": "low"}


def test_a_retry_upstream_is_no_missing_coalescing() -> None:
    traffic = Traffic()
    traffic.ask(0, took=500 * MS, answer=A)
    traffic.ask(300 * MS, client=OTHER, took=200 * MS, answer=A)
    traffic.upstream(MS, silent=True)
    traffic.upstream(380 * MS, took=100 * MS, answer=A)
    assert "coalescing-absent" not in found(traffic)


def test_ttl_not_honoured() -> None:
    assert found(kept_too_long()) == {"ttl-not-honoured": "low"}


def test_expiry_that_is_kept_to_is_honoured() -> None:
    traffic = Traffic()
    for k in range(5):
        traffic.miss(k * 20 * SECOND, ttl=5)
    assert "ttl-not-honoured" not in found(traffic)


def test_ttls_that_are_not_counted_down() -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=300)
    for k in range(1, 6):
        traffic.hit(k * 20 * SECOND, ttl=300)
    assert found(traffic) == {"ttl-not-honoured": "info"}


def test_a_refresh_makes_ttls_full_again() -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=300)
    for k in range(1, 6):
        traffic.upstream(k * 20 * SECOND - SECOND, answer=A)
        traffic.hit(k * 20 * SECOND, ttl=299)
    assert "ttl-not-honoured" not in found(traffic)


def test_cache_hit_rate_low() -> None:
    traffic = Traffic()
    for k in range(220):
        traffic.miss(k * 20 * MS, f"n{k}.example.com.")
    assert found(traffic) == {"cache-hit-rate-low": "info"}


def test_the_scorecard_tells_the_rate() -> None:
    figures = {f.metric: f for f in dnscap.read(healthy().octets()).diagnosis.scorecard}
    assert figures["cache hit rate"].value == "50.0 %"
    assert figures["cache hit rate"].sample == 40


def test_servers_are_called_what_they_do() -> None:
    traffic = Traffic()
    for k in range(3):
        at, name = k * SECOND, f"n{k}.example.com."
        answer = (f"{name} 300 A 203.0.113.1",)
        traffic.ask(at, name, took=9 * MS, answer=answer, resolver="192.0.2.60")
        traffic.exchange(at + MS, "192.0.2.60", "192.0.2.53", name, took=6 * MS, answer=answer)
        traffic.upstream(at + 3 * MS, name, took=MS, answer=answer)
    rows = dnscap.read(traffic.octets()).to_arrow("servers").to_pylist()
    assert {row["server"]: row["role"] for row in rows} == {
        "192.0.2.60": "forwarder",
        "192.0.2.53": "recursive",
        "198.51.100.3": "authoritative",
    }


def test_tallies_merge() -> None:
    batches = dnscap.read(healthy().octets()).resolution_batches()
    verdicts = max((batch.verdicts() for batch in batches), key=lambda v: len(v.cache))
    assert len(verdicts.cache) > 13
    first = np.arange(len(verdicts.cache)) < 13
    whole, one, two = CacheTally(), CacheTally(), CacheTally()
    whole.feed(verdicts)
    one.feed(verdicts.keep(first))
    two.feed(verdicts.keep(~first))
    one.merge(two)
    assert one.resolvers == whole.resolvers
    assert Facts().caches is None


def test_native_rows_count_as_verdicts_do() -> None:
    whole, native = CacheTally(), CacheTally()
    totals = np.zeros(16, np.int64)
    for _ in range(2):  # what was settled once is added to
        for batch in dnscap.read(healthy().octets()).resolution_batches():
            whole.feed(batch.verdicts())
            native.feed_native(batch.native, totals)
        native.settle()
        assert native.resolvers == whole.resolvers
        assert totals.sum() == sum(sum(counts.verdicts.values()) for counts in whole.resolvers.values())


def test_courses_of_native_rows_are_those_of_verdicts() -> None:
    whole, native = CacheCourse(), CacheCourse()
    slow_whole, slow_native = SlowWalks(), SlowWalks()
    moments_whole, moments_native = Moments(), Moments()
    for traffic in (healthy(), seen_from_one_side()):
        for batch in dnscap.read(traffic.octets()).resolution_batches():
            for tally in (whole, slow_whole, moments_whole):
                tally.feed(batch.verdicts())
            for tally in (native, slow_native, moments_native):
                tally.feed_native(batch.native)
        native.settle()
        assert native.resolvers.keys() == whole.resolvers.keys()
        for address, theirs in whole.resolvers.items():
            ours = native.resolvers[address]
            assert (ours.verdicts, ours.inferred) == (theirs.verdicts, theirs.inferred)
            assert (ours.answered, ours.waited) == (theirs.answered, theirs.waited)
            assert abs(ours.certainty - theirs.certainty) < 1e-3
            assert (ours.cached == theirs.cached).all() and (ours.asked == theirs.asked).all()
        assert (native.depths == whole.depths).all() and (native.depth_times == whole.depth_times).all()
    assert native.depths.sum() and sum(c.answered for c in native.resolvers.values())
    assert [repr(walk) for walk in slow_native.walks()] == [repr(walk) for walk in slow_whole.walks()]
    assert slow_native.walks()
    assert moments_native.questions() == moments_whole.questions() != {}


def seen_from_one_side() -> Traffic:
    """Answers of which nothing upstream is seen."""
    traffic = Traffic()
    for number in range(8):
        traffic.ask(number * SECOND, answer=(f"{WWW} {300 - number} A 203.0.113.1",))
    return traffic
