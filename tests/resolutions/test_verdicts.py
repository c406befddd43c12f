"""Each verdict with traffic that calls for it and traffic that nearly does."""

import pytest

from tests.resolutions.traffic import (
    CLIENT,
    MS,
    OTHER,
    OUTSIDE,
    RESOLVER,
    ROOT,
    SECOND,
    TLD,
    ZONE,
    Traffic,
)  # fmt: skip

WWW = "www.example.com."
A = (f"{WWW} 300 A 203.0.113.1",)
SOA = ("example.com. 60 SOA ns1.example.com. hostmaster.example.com. 1 3600 600 86400 60",)


def test_a_miss_waits_for_the_same_question_upstream() -> None:
    traffic = Traffic()
    traffic.miss(0)
    (row,) = traffic.rows()
    assert row["cache"] == "miss"
    assert row["upstream"] == [1]
    assert row["upstream_time"].value if hasattr(row["upstream_time"], "value") else True
    assert row["client"] == CLIENT
    assert row["resolver"] == RESOLVER


def test_a_hit_asks_nothing() -> None:
    traffic = Traffic()
    traffic.miss(0)
    traffic.hit(SECOND)
    miss, hit = traffic.rows()
    assert (miss["cache"], hit["cache"]) == ("miss", "hit")
    assert "earlier-answer-valid" in hit["evidence"]
    assert hit["upstream"] == []


def test_what_another_client_caused_is_not_waited_for() -> None:
    traffic = Traffic()
    traffic.miss(0)
    traffic.miss(SECOND, "mail.example.com.", client=OTHER)
    traffic.hit(SECOND + 500_000)
    assert traffic.caches() == ["miss", "miss", "hit"]


def test_expiry_makes_a_miss_of_the_next_query() -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=3)
    traffic.hit(SECOND, ttl=2)
    traffic.miss(4 * SECOND, ttl=3)
    assert traffic.caches() == ["miss", "hit", "miss"]


def test_ttl_zero_is_never_a_hit() -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=0)
    traffic.miss(100 * MS, ttl=0)
    assert traffic.caches() == ["miss", "miss"]


def test_two_clients_share_one_question_upstream() -> None:
    traffic = Traffic()
    traffic.ask(0, took=20 * MS, answer=A)
    traffic.ask(5 * MS, client=OTHER, took=15 * MS, answer=A)
    traffic.upstream(MS, took=18 * MS, answer=A)
    first, second = traffic.rows()
    assert (first["cache"], second["cache"]) == ("miss", "coalesced")
    assert first["upstream"] == second["upstream"]


def test_asking_again_is_not_sharing() -> None:
    traffic = Traffic()
    traffic.ask(0, took=20 * MS, answer=A)
    traffic.ask(5 * MS, client=OTHER, took=15 * MS, answer=A)
    traffic.upstream(MS, took=18 * MS, answer=A)
    traffic.upstream(6 * MS, took=13 * MS, answer=A)
    second = traffic.rows()[1]
    assert "asked-again" in second["evidence"]
    traffic = Traffic()
    traffic.ask(0, took=20 * MS, answer=A)
    traffic.ask(5 * MS, client=OTHER, took=15 * MS, answer=A)
    traffic.upstream(MS, took=18 * MS, answer=A)
    assert "asked-again" not in traffic.rows()[1]["evidence"]


def test_prefetch_asks_right_after_the_answer() -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=10)
    traffic.hit(9 * SECOND, ttl=1)
    traffic.upstream(9 * SECOND + 200_000, took=MS, answer=A)
    assert traffic.caches() == ["miss", "prefetch"]


def test_a_later_miss_of_another_is_no_prefetch() -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=10)
    traffic.hit(9 * SECOND, ttl=1)
    traffic.miss(12 * SECOND, ttl=10, client=OTHER)
    assert traffic.caches() == ["miss", "hit", "miss"]


def test_the_last_step_of_minimisation_is_no_prefetch() -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=300)
    traffic.ask(SECOND, qtype="AAAA", took=4 * MS, answer=(f"{WWW} 300 AAAA 2001:db8::1",))
    traffic.hit(SECOND + 400_000)
    traffic.upstream(SECOND + 600_000, took=MS, answer=A)
    traffic.upstream(SECOND + 2 * MS, qtype="AAAA", took=MS, answer=(f"{WWW} 300 AAAA 2001:db8::1",))
    assert traffic.caches() == ["miss", "miss", "hit"]


def test_stale_after_upstream_stays_silent() -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=2)
    traffic.ask(5 * SECOND, took=1800 * MS, answer=(f"{WWW} 30 A 203.0.113.1",))
    traffic.upstream(5 * SECOND + MS, silent=True)
    traffic.upstream(5 * SECOND + 380 * MS, silent=True)
    stale = traffic.rows()[1]
    assert stale["cache"] == "stale"
    assert "upstream-silent" in stale["evidence"]
    assert len(stale["upstream"]) == 2


def test_late_upstream_that_answers_is_a_miss_and_not_stale() -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=2)
    traffic.ask(5 * SECOND, took=900 * MS, answer=(f"{WWW} 2 A 203.0.113.1",))
    traffic.upstream(5 * SECOND + MS, silent=True)
    traffic.upstream(5 * SECOND + 380 * MS, took=500 * MS, answer=(f"{WWW} 2 A 203.0.113.1",))
    assert traffic.caches() == ["miss", "miss"]


@pytest.mark.parametrize("ede", [3, 19])
def test_the_extended_error_says_stale(ede: int) -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=5)
    traffic.ask(60 * SECOND, took=MS // 10, answer=(f"{WWW} 1 A 203.0.113.1",), ede=ede)
    assert traffic.caches()[1] == "stale"


def test_stale_at_once_and_refreshed_afterwards() -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=2)
    traffic.ask(9 * SECOND, took=MS // 10, answer=(f"{WWW} 30 A 203.0.113.1",))
    traffic.upstream(9 * SECOND + 200_000, took=MS, answer=(f"{WWW} 2 A 203.0.113.1",))
    traffic.hit(9 * SECOND + 500 * MS, ttl=2)
    assert traffic.caches() == ["miss", "stale", "hit"]


def test_negative_hits_and_misses() -> None:
    traffic = Traffic()
    for at, upstream in ((0, True), (SECOND, False)):
        traffic.ask(at, "nope.example.com.", took=3 * MS if upstream else MS // 10, rcode=3, authority=SOA)
        if upstream:
            traffic.upstream(at + MS, "nope.example.com.", rcode=3, authority=SOA)
    rows = traffic.rows()
    assert [row["cache"] for row in rows] == ["miss", "negative-hit"]
    assert [row["ttl"] for row in rows] == [60, 60]


def test_a_denied_ancestor_is_waited_for() -> None:
    traffic = Traffic()
    traffic.miss(0)
    traffic.ask(SECOND, "a.b.nope.example.com.", took=3 * MS, rcode=3, authority=SOA)
    traffic.upstream(SECOND + MS, "nope.example.com.", rcode=3, authority=SOA)
    traffic.ask(2 * SECOND, "c.nope.example.com.", took=MS // 10, rcode=3, authority=SOA)
    assert traffic.caches() == ["miss", "miss", "negative-hit"]


def test_an_alias_is_shared_and_its_target_asked_for() -> None:
    traffic = Traffic()
    alias = ("shop.example.com. 300 CNAME cdn.example.net.", "cdn.example.net. 5 A 203.0.113.9")
    traffic.ask(0, "shop.example.com.", took=6 * MS, answer=alias)
    traffic.upstream(MS, "shop.example.com.", answer=alias[:1])
    traffic.upstream(3 * MS, "cdn.example.net.", answer=alias[1:])
    # The alias lives on, its target does not.
    traffic.ask(10 * SECOND, "shop.example.com.", took=3 * MS, answer=alias)
    traffic.upstream(10 * SECOND + MS, "cdn.example.net.", answer=alias[1:])
    traffic.ask(11 * SECOND, "shop.example.com.", took=MS // 10, answer=alias)
    rows = traffic.rows()
    assert [row["cache"] for row in rows] == ["miss", "miss", "hit"]
    assert [len(row["upstream"]) for row in rows] == [2, 1, 0]


def test_failure_waits_for_what_failed() -> None:
    traffic = Traffic()
    traffic.ask(0, took=30 * MS, rcode=2)
    traffic.upstream(MS, took=2 * MS, rcode=5, aa=False)
    traffic.upstream(5 * MS, took=2 * MS, rcode=5, aa=False, server=TLD)
    traffic.ask(SECOND, took=MS // 10, rcode=2)
    rows = traffic.rows()
    assert [row["cache"] for row in rows] == ["miss", "hit"]
    assert len(rows[0]["upstream"]) == 2


def test_what_the_server_says_for_itself_is_no_verdict() -> None:
    traffic = Traffic()
    traffic.miss(0)
    traffic.ask(SECOND, "www.example.org.", took=MS // 10, rcode=5)
    assert traffic.caches() == ["miss", "unknown"]


def test_a_forwarder_passes_on() -> None:
    far = "192.0.2.99"
    traffic = Traffic()
    traffic.hit(0, "warm.example.com.", ttl=100)
    traffic.ask(SECOND, took=4 * MS, answer=A)
    traffic.exchange(SECOND + MS, RESOLVER, far, WWW, took=2 * MS, answer=A)
    traffic.hit(2 * SECOND)
    rows = [row for row in traffic.rows() if row["resolver"] == RESOLVER]
    assert [row["cache"] for row in rows][1:] == ["forwarded", "hit"]


def test_a_client_that_asks_two_servers_forwards_nothing() -> None:
    traffic = Traffic()
    traffic.ask(0, took=4 * MS, answer=A)
    traffic.ask(MS, resolver="192.0.2.54", took=MS, answer=A)
    assert "forwarded" not in traffic.caches()


def test_a_resolver_with_another_address_towards_the_world() -> None:
    traffic = Traffic()
    traffic.ask(0, took=4 * MS, answer=A)
    traffic.exchange(MS, OUTSIDE, ZONE, WWW, rd=False, aa=True, answer=A)
    traffic.hit(SECOND)
    assert traffic.caches() == ["miss", "hit"]


def test_queries_to_authoritative_servers_are_no_resolutions() -> None:
    traffic = Traffic()
    traffic.exchange(0, CLIENT, ZONE, WWW, ra=False, aa=True, answer=A)
    traffic.exchange(SECOND, RESOLVER, ZONE, WWW, rd=False, aa=True, answer=A)
    assert traffic.rows() == []


def test_unanswered_is_unknown() -> None:
    traffic = Traffic()
    traffic.miss(0)
    traffic.ask(SECOND, "lost.example.com.", silent=True)
    row = traffic.rows()[1]
    assert row["cache"] == "unknown"
    assert row["rcode"] is None
    assert row["latency"] is None
    assert row["probability"] is None


def test_the_depth_at_which_a_walk_begins() -> None:
    traffic = Traffic()
    root_ns = (". 3600 NS a.root-servers.net.",)
    glue = (f"a.root-servers.net. 3600 A {ROOT}",)
    traffic.ask(0, took=20 * MS, answer=A)
    traffic.upstream(MS, ".", "NS", server=ROOT, answer=root_ns, additional=glue)
    traffic.upstream(3 * MS, WWW, server=ROOT, aa=False, authority=("com. 3600 NS ns.com.",),
                     additional=(f"ns.com. 3600 A {TLD}",))  # fmt: skip
    traffic.upstream(5 * MS, WWW, server=TLD, aa=False, authority=("example.com. 3600 NS ns.example.com.",),
                     additional=(f"ns.example.com. 3600 A {ZONE}",))  # fmt: skip
    traffic.upstream(7 * MS, WWW, answer=A)
    traffic.miss(SECOND, "mail.example.com.")
    rows = traffic.rows()
    assert [row["start_depth"] for row in rows] == [0, 2]
    assert len(rows[0]["upstream"]) == 4


def test_an_answer_whose_source_is_not_seen() -> None:
    traffic = Traffic()
    traffic.miss(0)
    traffic.hit(SECOND, "old.example.com.", ttl=77)
    traffic.hit(2 * SECOND)
    rows = traffic.rows()
    assert [row["cache"] for row in rows] == ["miss", "hit", "hit"]
    assert ["source-not-seen" in row["evidence"] for row in rows] == [False, True, False]
    assert rows[1]["probability"] < rows[2]["probability"]


def test_stale_within_a_second_of_expiry() -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=2)
    traffic.hit(2500 * MS, ttl=30)
    assert traffic.caches() == ["miss", "stale"]
    traffic = Traffic()
    traffic.miss(0, ttl=30)
    traffic.hit(30_400 * MS, ttl=30)
    assert traffic.caches() == ["miss", "hit"]
