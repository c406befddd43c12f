"""Verdicts without a view of the upstream side: countdown, continuity, latency."""

from tests.resolutions.traffic import MS, OTHER, SECOND, Traffic

NAME = "www.example.com."


def asked(traffic: Traffic, at: int, ttl: int, took: int, name: str = NAME, **rest: object) -> None:
    traffic.ask(at, name, took=took, answer=(f"{name} {ttl} A 203.0.113.1",), **rest)


def test_a_ttl_that_has_been_counted_down_is_a_hit() -> None:
    traffic = Traffic()
    asked(traffic, 0, 300, 20 * MS)
    asked(traffic, 40 * SECOND, 260, MS)
    asked(traffic, 80 * SECOND, 220, MS, client=OTHER)
    rows = traffic.rows()
    assert [row["cache"] for row in rows] == ["miss", "hit", "hit"]
    assert all(row["probability"] >= 0.9 for row in rows)


def test_a_full_ttl_after_expiry_is_a_miss() -> None:
    traffic = Traffic()
    asked(traffic, 0, 30, 20 * MS)
    asked(traffic, 10 * SECOND, 20, MS)
    asked(traffic, 40 * SECOND, 30, 25 * MS)
    rows = traffic.rows()
    assert [row["cache"] for row in rows] == ["miss", "hit", "miss"]
    assert rows[2]["probability"] >= 0.9


def test_a_later_full_ttl_shows_that_an_earlier_answer_was_cached() -> None:
    traffic = Traffic()
    asked(traffic, 0, 5, MS)
    asked(traffic, 8 * SECOND, 300, 20 * MS)
    assert traffic.caches() == ["hit", "miss"]


def test_a_query_that_waits_with_another_waits_for_the_same() -> None:
    traffic = Traffic()
    asked(traffic, 0, 300, 30 * MS)
    asked(traffic, 10 * MS, 300, 20 * MS, client=OTHER)
    assert traffic.caches() == ["miss", "coalesced"]


def test_ttls_that_never_change_say_nothing() -> None:
    traffic = Traffic()
    for k in range(8):
        asked(traffic, 40 * k * SECOND, 300, MS)
    rows = traffic.rows()
    assert all("ttl-not-counted-down" in row["evidence"] for row in rows[-2:])
    assert all(row["probability"] is None or row["probability"] < 0.9 for row in rows[-2:])


def test_every_probability_is_one() -> None:
    traffic = Traffic()
    for k in range(50):
        asked(traffic, k * 7 * SECOND, 300 - 7 * k % 300, MS * (1 + k % 5), f"n{k % 7}.example.com.")
    for row in traffic.rows():
        assert row["probability"] is None or 0.5 <= row["probability"] <= 1
