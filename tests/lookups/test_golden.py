"""Traces known from public issues of real programs, made anew packet by packet."""

import pytest

from tests.exchanges.traffic import Traffic, query, response
from tests.lookups.captures import BUDGET, lookups_of

SECOND = 10**9


def ns(value) -> int:
    return value.value if hasattr(value, "value") else round(value.total_seconds() * SECOND)


def of(traffic: Traffic) -> list[dict]:
    rows = lookups_of(traffic.octets())
    for row in rows:
        assert sum(ns(row[name]) for name in BUDGET) == ns(row["duration"])
    return rows


def test_glibc_falls_back_to_one_family_after_the_other() -> None:
    """systemd issue 9785: the AAAA answer is lost; 5.005 s later A again with its id, then AAAA alone."""
    a, aaaa = query("www.example.com", "A", id=28655), query("www.example.com", "AAAA", id=23544)
    traffic = Traffic()
    traffic.send(0.472197, a).send(0.472272, aaaa).send(0.475742, response(a))
    traffic.send(5.477742, a).send(5.479000, response(a)).send(5.479100, aaaa)
    traffic.send(5.480300, response(aaaa, answer=None, authority="SOA a. b. 1 2 3 4 5"))
    (row,) = of(traffic)
    assert row["qtypes"] == ["A", "AAAA"]
    assert (row["outcome"], row["queries"], row["retransmissions"]) == ("ok", 4, 2)
    assert row["causes"] == ["pair-race"]
    assert row["stub"] == "glibc"
    assert row["end_basis"] == "packet"
    assert ns(row["duration"]) == round((5.480300 - 0.472197) * SECOND)
    assert ns(row["t_timeout"]) > 5 * SECOND


def test_one_port_three_times_five_seconds_apart() -> None:
    """kubernetes issue 56903: the same source port at .196, 5.196 and 10.196."""
    a = query("www.example.com", "A", id=4)
    traffic = Traffic()
    for time in (14.196136, 19.196210, 24.196365):
        traffic.send(time, a, port=36457)
    traffic.send(24.2, response(a), port=36457)
    (row,) = of(traffic)
    assert (row["outcome"], row["queries"], row["retransmissions"]) == ("ok", 3, 2)
    assert row["causes"] == ["packet-loss"]
    assert ns(row["t_timeout"]) == round((24.196365 - 14.196136) * SECOND)


def test_go_asks_both_families_from_ports_of_their_own() -> None:
    """golang issue 67925: AAAA and A with EDNS, 19 microseconds and one port apart."""
    aaaa = query("www.example.com", "AAAA", id=1, use_edns=0, payload=1232)
    a = query("www.example.com", "A", id=2, use_edns=0, payload=1232)
    traffic = Traffic()
    traffic.send(1.0, aaaa, port=40001).send(1.000019, a, port=40002)
    traffic.send(1.004, response(a), port=40002)
    traffic.send(1.005, response(aaaa, answer=None, authority="SOA a. b. 1 2 3 4 5"), port=40001)
    (row,) = of(traffic)
    assert row["stub"] == "go"
    assert row["causes"] == []
    assert ns(row["duration"]) == 5_000_000


@pytest.mark.parametrize("bare", [False, True])
def test_search_list_of_kubernetes(bare: bool) -> None:
    """kubernetes issue 64924: a new source port for each name of the search list."""
    names = [
        f"google.com.{suffix}"
        for suffix in ("default.svc.cluster.local", "svc.cluster.local", "cluster.local")
    ]
    names += ["google.com"] if bare else []
    traffic, time = Traffic(), 1.0
    for number, name in enumerate(names):
        pair = query(name, "A", id=10 * number), query(name, "AAAA", id=10 * number + 7777)
        port = 41000 + number
        traffic.send(time, pair[0], port=port).send(time + 0.00001, pair[1], port=port)
        last = number == len(names) - 1
        for message in pair:
            said = response(message) if last else response(message, answer=None, rcode="NXDOMAIN")
            traffic.send(time + 0.002, said, port=port)
        time += 0.0021
    (row,) = of(traffic)
    assert row["candidates"] == [name + "." for name in names]
    assert row["name"] == "google.com."
    assert row["name_certain"] is bare
    assert (row["outcome"], row["queries"], row["final_name"]) == ("ok", 2 * len(names), names[-1] + ".")


def test_glibc_gives_each_of_three_servers_its_own_time() -> None:
    """Nothing answers: sends at 0, 5, 8, 14, 19 and 22 s, and the end at 28 s."""
    a = query("www.example.com", "A", id=4)
    traffic = Traffic()
    for number, time in enumerate((0, 5, 8, 14, 19, 22)):
        server = f"192.0.2.{53 + number % 3}"
        traffic.send(100 + time, a, port=40000 + number % 3, server=server)
    (row,) = of(traffic)
    assert (row["outcome"], row["end_basis"], row["queries"]) == ("timeout", "timer", 6)
    assert round(ns(row["duration"]) / SECOND) == 28
    assert set(row["causes"]) == {"no-answer", "nameserver-timeout"}
    assert len(row["servers"]) == 3


def test_musl_asks_all_servers_at_once() -> None:
    a, aaaa = query("www.example.com", "A", id=500), query("www.example.com", "AAAA", id=680)
    traffic = Traffic()
    for server in ("192.0.2.53", "192.0.2.54"):
        traffic.send(1.0, a, server=server).send(1.0001, aaaa, server=server)
    traffic.send(1.003, response(a), server="192.0.2.54")
    traffic.send(1.004, response(aaaa, answer=None, authority="SOA a. b. 1 2 3 4 5"), server="192.0.2.54")
    (row,) = of(traffic)
    assert (row["stub"], row["outcome"], row["queries"]) == ("musl", "ok", 4)
    assert row["causes"] == []
    assert ns(row["t_timeout"]) == 0


def test_queries_of_a_forwarder_belong_to_its_client() -> None:
    a = query("www.example.com", "A", id=5)
    passed = query("www.example.com", "A", id=99, use_edns=0, payload=1232)
    traffic = Traffic()
    traffic.send(1.0, a, client="192.0.2.10", server="192.0.2.53")
    traffic.send(1.001, passed, client="192.0.2.53", server="198.51.100.1", port=50000)
    traffic.send(1.3, response(passed), client="192.0.2.53", server="198.51.100.1", port=50000)
    traffic.send(1.301, response(a), client="192.0.2.10", server="192.0.2.53")
    rows = of(traffic)
    assert [row["client"] for row in rows] == ["192.0.2.10"]


def test_iteration_transfers_and_multicast_are_no_lookups() -> None:
    traffic = Traffic()
    traffic.send(1.0, query("www.example.com", "A", id=1, flags=0))
    traffic.send(
        1.1, query("_http._tcp.local", "PTR", id=0), port=5353, server="224.0.0.251", server_port=5353
    )
    traffic.send(1.2, query("example.com", "AXFR", id=2), port=40001)
    assert of(traffic) == []


def test_two_lookups_of_one_name_at_once_stay_two() -> None:
    traffic = Traffic()
    for port in (40001, 40002):
        pair = query("www.example.com", "A", id=port), query("www.example.com", "AAAA", id=port + 2000)
        for message in pair:
            traffic.send(1.0 + (port - 40001) * 0.0005, message, port=port)
    for port in (40001, 40002):
        pair = query("www.example.com", "A", id=port), query("www.example.com", "AAAA", id=port + 2000)
        for message in pair:
            traffic.send(1.05, response(message, answer=None, authority="SOA a. b. 1 2 3 4 5"), port=port)
    rows = of(traffic)
    assert [row["queries"] for row in rows] == [2, 2]
    assert [row["outcome"] for row in rows] == ["nodata", "nodata"]


def test_edns_fallback() -> None:
    with_edns = query("www.example.com", "A", id=5, use_edns=0, payload=1232)
    without = query("www.example.com", "A", id=6)
    traffic = Traffic()
    traffic.send(1.0, with_edns).send(1.2, response(with_edns, answer=None, rcode="FORMERR"))
    traffic.send(1.2001, without).send(1.21, response(without))
    (row,) = of(traffic)
    assert row["edns_fallback"] is True
    assert row["causes"][0] == "edns-fallback"
    assert ns(row["t_edns"]) >= 200_000_000
    assert row["outcome"] == "ok"


def quiet(answered: set[int]) -> Traffic:
    """Lookups ten seconds apart, of which only some get an answer; the capture ends with the last query."""
    traffic = Traffic()
    for number in range(5):
        message = query(f"h{number}.example.com", "A", id=number)
        traffic.send(1 + number * 10, message, port=40000 + number)
        if number in answered:
            traffic.send(1 + number * 10 + 0.001, response(message), port=40000 + number)
    return traffic


def test_a_query_just_sent_when_the_capture_ends_is_not_lost() -> None:
    assert of(quiet({0, 1, 2, 3}))[-1]["outcome"] == "unfinished"


def test_nor_is_it_unfinished_where_the_server_answered_nobody() -> None:
    last = of(quiet(set()))[-1]
    assert last["outcome"] == "timeout"
    assert last["end_basis"] == "timer"
    assert ns(last["duration_max"]) - ns(last["duration_min"]) < 6 * SECOND


def pairs_with_loss(lost: list[str]) -> Traffic:
    """Lookups of a glibc client, each with one of its two first queries lost and asked for again."""
    traffic = Traffic()
    for number, which in enumerate(lost):
        start, port = 10.0 + 10 * number, 40000 + number
        pair = [query(f"h{number}.example.com", t, id=100 * number + i) for i, t in ((7, "A"), (77, "AAAA"))]
        for message, kind in zip(pair, ("first", "second"), strict=True):
            traffic.send(start, message, port=port)
            if kind != which:
                traffic.send(start + 0.001, response(message), port=port)
        for step, message in enumerate(pair if which != "none" else []):
            traffic.send(start + 5 + 0.01 * step, message, port=port)
            traffic.send(start + 5.001 + 0.01 * step, response(message), port=port)
    traffic.packets.sort()
    return traffic


def test_only_second_packets_lost_is_a_race_and_any_packets_lost_is_not() -> None:
    assert [row["causes"] for row in of(pairs_with_loss(["second"] * 3))] == [["pair-race"]] * 3
    lost = ["first", "second", "none", "first", "none", "second", "first"]
    causes = [row["causes"] for row in of(pairs_with_loss(lost))]
    assert causes[1:] == [[] if which == "none" else ["packet-loss"] for which in lost[1:]]


def test_syns_a_second_apart_are_given_up_a_second_after_the_last() -> None:
    """Linux 6.5 and later: tcp_syn_linear_timeouts."""
    a = query("www.example.com", "A", id=5, use_edns=0, payload=1232)
    traffic = Traffic().send(1.0, a).send(1.001, response(a, answer=None, tc=True))
    for time in (1.0011, 2.02, 3.05):
        traffic.sequence.clear()
        traffic.tcp(time, "S")
    traffic.send(30.0, query("mail.example.com", "A", id=6), port=40001)
    row = of(traffic)[0]
    assert row["causes"] == ["truncation", "tcp-blocked"]
    assert 2.4 < ns(row["duration_min"]) / SECOND < ns(row["duration_max"]) / SECOND < 4
