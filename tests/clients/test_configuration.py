"""Configuration is inferred from what packets show, and left out where they do not."""

from __future__ import annotations

from typing import Any

import pytest
from tables_by_hand import MS, SECOND, exchange, exchanges, lookup, lookups

from dnscap.clients.schedules import musl_pair
from dnscap.findings.diagnosis import Diagnosis

FIRST, SECOND_SERVER = "10.0.0.8", "10.0.0.9"


def client(looked: list[dict[str, Any]], sent: list[dict[str, Any]]) -> dict[str, Any]:
    diagnosis = Diagnosis()
    diagnosis.feed(lookups=lookups(*looked), exchanges=exchanges(*sent))
    return diagnosis.client_rows[0]


def failover(stub: str, wait: float) -> dict[str, Any]:
    """The first server silent, the second asked after a wait."""
    looked = [lookup(0, duration=int(wait * SECOND), stub=stub, failovers=1, servers=[FIRST, SECOND_SERVER])]
    sent = [
        exchange(0, 0, lookup=0, server=FIRST, outcome="unanswered"),
        exchange(1, int(wait * SECOND), lookup=0, server=SECOND_SERVER, role="failover"),
    ]
    return client(looked, sent)


@pytest.mark.parametrize("stub", ["glibc", "go", "dnspython"])
@pytest.mark.parametrize("wait", [1.003, 3.01, 5.005])
def test_the_wait_before_another_server_is_the_timeout(stub: str, wait: float) -> None:
    row = failover(stub, wait)
    assert row["timeout"] == round(wait)
    assert row["nameservers"] == [FIRST, SECOND_SERVER]
    assert any("timeout: waited" in text for text in row["evidence"])


def test_a_wait_that_no_timer_explains_tells_nothing() -> None:
    assert failover("glibc", 2.4)["timeout"] is None
    assert failover("c-ares", 5.0)["timeout"] is None  # its own default, whatever resolv.conf says
    assert failover("c-ares", 1.0)["timeout"] == 1.0


def test_glibc_waits_less_for_its_second_of_three_servers() -> None:
    servers = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    looked = [lookup(0, duration=8 * SECOND, failovers=2, servers=servers)]
    sent = [
        exchange(0, 0, lookup=0, server=servers[0], outcome="unanswered"),
        exchange(1, 5 * SECOND, lookup=0, server=servers[1], outcome="unanswered", role="failover"),
        exchange(2, 8 * SECOND, lookup=0, server=servers[2], role="failover"),
    ]
    row = client(looked, sent)
    assert (row["timeout"], row["nameservers"]) == (5.0, servers)


def test_attempts_are_counted_where_the_stub_gave_up() -> None:
    looked = [lookup(0, duration=3 * SECOND, outcome="timeout", retransmissions=2, t_timeout=3 * SECOND)]
    sent = [exchange(i, i * SECOND, lookup=0, outcome="unanswered", transmission=i + 1) for i in range(3)]
    row = client(looked, sent)
    assert (row["timeout"], row["attempts"]) == (1.0, 3)
    looked[0]["outcome"] = "ok"
    sent[-1] = exchange(2, 2 * SECOND, lookup=0, transmission=3)
    assert client(looked, sent)["attempts"] is None


@pytest.mark.parametrize(
    ("interval", "rounds", "pair"),
    [
        (2.5, 0, None),  # 5/2, 10/4
        (1.0, 0, None),
        (2.5, 2, (5, 2)),
        (0.25, 4, (1, 4)),
        (1.0, 3, (3, 3)),
    ],
)
def test_musl_divides_its_timeout_by_its_attempts(
    interval: float, rounds: int, pair: tuple[int, int] | None
) -> None:
    assert musl_pair(interval, rounds) == pair


def walk(
    number: int, name: str, suffixes: list[str], outcome: str = ("nxdomain"), **told: Any
) -> tuple[dict, list[dict]]:
    candidates = [*(f"{name}{s}." for s in suffixes), name]
    row = lookup(number, name=name, candidates=candidates, outcome=outcome, **told)
    sent = [
        exchange(10 * number + i, i * MS, lookup=number, qname=c, outcome=("nxdomain"))
        for i, c in enumerate(candidates)
    ]
    return row, sent


def test_a_walk_to_the_end_shows_the_search_list_and_ndots() -> None:
    suffixes = ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"]
    looked, sent = walk(0, "a.b.example.com.", suffixes)
    row = client([looked], sent)
    assert row["search"] == suffixes
    assert (row["ndots_min"], row["ndots_max"]) == (4, None)


def test_a_list_gone_through_twice_is_one_list() -> None:
    suffixes = ["svc.cluster.local", "cluster.local"]
    looked, sent = walk(0, "a.b.example.com.", suffixes * 2)
    assert client([looked], sent)["search"] == suffixes


def test_a_name_asked_as_it_is_first_bounds_ndots_from_above() -> None:
    name = "www.example.com."
    row = lookup(0, name=name, candidates=[name, f"{name}corp.zone."], outcome="nxdomain")
    sent = [exchange(0, 0, lookup=0, qname=name, outcome="nxdomain")]
    found = client([row], sent)
    assert (found["ndots_min"], found["ndots_max"], found["search"]) == (0, 2, ["corp.zone"])


def test_a_walk_that_succeeded_early_does_not_show_the_list() -> None:
    row = lookup(0, name="db.", candidates=["db.corp.zone."])
    found = client([row], [exchange(0, 0, lookup=0, qname="db.corp.zone.")])
    assert found["search"] is None and found["ndots_min"] == 1


def test_an_absent_name_that_was_not_expanded_shows_that_there_is_no_list() -> None:
    row = lookup(0, name="nope.example.com.", candidates=["nope.example.com."], outcome="nxdomain")
    sent = [exchange(0, 0, lookup=0, outcome="nxdomain", qname="nope.example.com.")]
    assert client([row], sent)["search"] == []
    assert client([{**row, "stub": "musl"}], sent)["search"] is None


def plain(*names: str) -> dict[str, Any]:
    looked = [lookup(i, i * SECOND, name=name, candidates=[name]) for i, name in enumerate(names)]
    sent = [exchange(i, i * SECOND, lookup=i, qname=name) for i, name in enumerate(names)]
    return client(looked, sent)


def test_a_name_that_looks_expanded_keeps_a_search_list_possible() -> None:
    assert plain("www.example.com.", "mail.example.com.")["search"] == []
    assert plain("www.example.com.wild.test.", "mail.example.com.")["search"] is None
    assert plain("www.example.com.")["search"] is None


def test_a_name_asked_as_it_is_does_not_bound_ndots_where_nothing_could_be_added() -> None:
    found = plain("www.example.com.", "mail.example.com.")
    assert (found["ndots_min"], found["ndots_max"]) == (0, None)


def test_servers_in_turn_are_rotation_and_hide_their_order() -> None:
    servers = [FIRST, SECOND_SERVER]
    looked = [lookup(i, i * SECOND, servers=[servers[i % 2]]) for i in range(6)]
    sent = [exchange(i, i * SECOND, lookup=i, server=servers[i % 2]) for i in range(6)]
    row = client(looked, sent)
    assert (row["rotate"], row["nameservers"]) == (True, None)


def test_families_in_turn_are_single_request() -> None:
    for gap, wanted in ((20_000, False), (3 * MS, True)):
        sent = [exchange(0, 0, lookup=0), exchange(1, gap, lookup=0, qtype="AAAA", role="companion")]
        assert client([lookup(0)], sent)["single_request"] is wanted


def test_tcp_from_the_start_is_use_vc() -> None:
    for transport, wanted in (("tcp", True), ("udp", False)):
        assert client([lookup(0)], [exchange(0, 0, lookup=0, transport=transport)])["use_vc"] is wanted


def test_tools_tell_nothing_of_the_configuration() -> None:
    row = client([lookup(0, stub="dig")], [exchange(0, 0, lookup=0)])
    assert (row["nameservers"], row["search"], row["ndots_min"]) == (None, None, None)


def test_several_stubs_of_a_host_are_rows_of_their_own() -> None:
    diagnosis = Diagnosis()
    stubs = ["glibc"] * 3 + ["go"] * 5 + [None]
    diagnosis.feed(lookups=lookups(*(lookup(i, i * SECOND, stub=stub) for i, stub in enumerate(stubs))))
    assert [(r["stub"], r["lookups"]) for r in diagnosis.client_rows] == [("go", 5), ("glibc", 3), (None, 1)]
    assert diagnosis.client_rows[2]["stub_confidence"] is None


def test_single_plain_questions_do_not_tell_the_stub() -> None:
    plain = client([lookup(i, i * SECOND, stub="glibc", qtypes=["A"]) for i in range(5)], [])
    pairs = client([lookup(i, i * SECOND, stub="glibc", qtypes=["A", "AAAA"]) for i in range(5)], [])
    fewer = client([lookup(i, i * SECOND, stub="glibc", qtypes=["A", "AAAA"]) for i in range(2)], [])
    assert plain["stub_confidence"] == 0.5 < fewer["stub_confidence"] < pairs["stub_confidence"]


def asked(number: int, name: str, stub: str = "glibc", **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A lookup of a name that was asked as it is, and its exchange."""
    row = lookup(
        number, time=number * SECOND, stub=stub, name=name, candidates=[name], final_name=name, **more
    )
    return row, exchange(number, number * SECOND, lookup=number, qname=name)


@pytest.mark.parametrize(
    ("stub", "search"), [("glibc", []), ("go", []), ("c-ares", None), ("dnspython", None)]
)
def test_short_names_show_an_empty_list_only_of_what_would_expand_them(
    stub: str, search: list[str] | None
) -> None:
    looked, sent = zip(
        *(asked(n, name, stub) for n, name in enumerate(("db.", "www.example.com."))), strict=True
    )
    assert client([*looked], [*sent])["search"] == search


@pytest.mark.parametrize(
    ("names", "search"),
    [
        (("www.shop.example.com.", "db.example.com."), None),
        (("www.example.com.", "db.example.com."), []),
        (("www.example.com.", "example.com."), []),
    ],
)
def test_names_of_one_address_may_have_been_expanded_into_a_wildcard(
    names: tuple[str, str], search: list[str] | None
) -> None:
    looked, sent = zip(*(asked(n, name, answers=["192.0.2.9"]) for n, name in enumerate(names)), strict=True)
    assert client([*looked], [*sent])["search"] == search


def test_asking_in_turn_after_a_loss_is_no_single_request() -> None:
    """glibc goes on so once it had to ask again; the first lookup shows that it is not told to."""
    looked = [lookup(0, stub="glibc", retransmissions=2), lookup(1, time=9 * SECOND, stub="glibc")]
    sent = [
        exchange(0, 0, lookup=0, outcome="unanswered"),
        exchange(1, 20_000, lookup=0, qtype="AAAA", outcome="unanswered", role="companion"),
        exchange(2, 5 * SECOND, lookup=0, transmission=2),
        exchange(3, 5 * SECOND + 5 * MS, lookup=0, qtype="AAAA", transmission=2),
        exchange(4, 9 * SECOND, lookup=1, latency=2 * MS),
        exchange(5, 9 * SECOND + 3 * MS, lookup=1, qtype="AAAA", role="companion"),
    ]
    assert client(looked, sent)["single_request"] is False
    looked[0]["retransmissions"] = 0
    assert client(looked[1:], sent[4:])["single_request"] is True
