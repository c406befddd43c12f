"""One packet seen before and behind a NAT is one packet, and the application's addresses are kept."""

from __future__ import annotations

import struct

import pytest

from tests.exchanges.node import IN, INSIDE, NODE, OUT, OUTSIDE, POD, RESOLVER, SERVICE, Node, back
from tests.exchanges.traffic import query, response, rows_of
from tests.lookups.captures import lookups_of


def told(row: dict) -> tuple[str, str, str]:
    return row["client"], row["server"], row["outcome"]


def test_the_application_side_is_kept() -> None:
    q = query()
    node = Node().query(1.0, q).response(1.004, response(q))
    (row,) = rows_of(node.octets())
    assert told(row) == (POD, SERVICE, "answer")
    assert (row["client_port"], row["responses"], row["transmission"]) == (40000, 1, 1)
    # From the first sighting of the query to the first of the response with the same addresses.
    assert (row["query_frame"], row["response_frame"]) == (1, 5)
    assert row["latency"].value == 4_020_000


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "SERVFAIL"])
def test_failures_come_back_the_same_way(rcode: str) -> None:
    q = query()
    node = Node().query(1.0, q).response(1.004, response(q, answer=None, rcode=rcode))
    (row,) = rows_of(node.octets())
    assert told(row) == (POD, SERVICE, rcode.lower())


def test_a_response_without_a_question() -> None:
    q = query(id=77)
    node = Node().query(1.0, q).response(1.004, struct.pack(">HHHHHH", 77, 0x8185, 0, 0, 0, 0))
    (row,) = rows_of(node.octets())
    assert told(row) == (POD, SERVICE, "refused")


def test_a_query_that_was_not_passed_on() -> None:
    """The shape of a lost race for an entry of the connection table: it comes in and does not go out."""
    a, aaaa = query(id=1), query(qtype="AAAA", id=2)
    node = Node().query(1.0, a).query(1.00001, aaaa, passed=False).response(1.004, response(a))
    node.query(6.004, a).response(6.006, response(a)).query(6.007, aaaa)
    node.response(6.009, response(aaaa, answer=None, authority="SOA a. b. 1 2 3 4 5"))
    rows = rows_of(node.octets())
    assert [told(row)[:2] for row in rows] == [(POD, SERVICE)] * 4
    # Which of two transmissions one response answers is not known from their order alone.
    assert [row["outcome"] for row in rows] == ["answer", "nodata", "answer", "unfinished"]
    assert [row["transmission"] for row in rows] == [1, 1, 2, 2]
    assert [row["ambiguous"] for row in rows] == [False, True, False, True]
    (lookup,) = lookups_of(node.octets())
    assert (lookup["client"], lookup["queries"], lookup["causes"]) == (POD, 4, ["pair-race"])


def test_a_response_that_was_not_passed_on_answered_nobody() -> None:
    q = query()
    node = Node().query(1.0, q).response(1.004, response(q), passed=False)
    node.query(6.0, q).response(6.004, response(q))
    rows = rows_of(node.octets())
    assert sorted(row["outcome"] for row in rows) == ["answer", "unfinished"]
    (lookup,) = lookups_of(node.octets())
    assert (lookup["outcome"], lookup["causes"], lookup["queries"]) == ("ok", ["packet-loss"], 2)
    assert lookup["duration"].value == 5_004_020_000


def test_two_responses_to_two_transmissions() -> None:
    q = query()
    node = Node().query(1.0, q).query(6.0, q).response(6.1, response(q)).response(6.2, response(q))
    rows = rows_of(node.octets())
    assert [row["outcome"] for row in rows] == ["answer", "answer"]
    assert [row["late"] for row in rows] == [True, False]


def test_pods_that_ask_at_once() -> None:
    nodes = [Node(pod=f"10.244.1.{n}", port=40000 + n) for n in range(20)]
    for n, node in enumerate(nodes):
        q = query(id=500 + n)
        node.query(1.0 + n * 3e-6, q).response(1.004 + n * 2e-6, response(q))
    rows = rows_of(nodes[0].octets(*nodes[1:]))
    assert sorted(told(row) for row in rows) == sorted(
        (f"10.244.1.{n}", SERVICE, "answer") for n in range(20)
    )


def test_connections() -> None:
    q = query(id=9)
    node = Node().query(1.0, q).response(1.001, response(q, answer=None, tc=True))
    node.segment(1.002, "S").segment(1.003, "SA", answer=True).segment(1.0035, "A")
    node.segment(1.004, "PA", q).segment(1.006, "PA", response(q), answer=True)
    node.segment(1.007, "FA").segment(1.008, "FA", answer=True)
    rows = rows_of(node.octets())
    assert [told(row) for row in rows] == [(POD, SERVICE, "truncated"), (POD, SERVICE, "answer")]
    (lookup,) = lookups_of(node.octets())
    assert (lookup["client"], lookup["outcome"], lookup["tcp_fallback"]) == (POD, "ok", True)


def test_only_the_far_side_in_the_capture() -> None:
    q = query()
    node = Node().query(1.0, q).response(1.004, response(q))
    node.packets = [packet for packet in node.packets if packet[1][7] == OUTSIDE]
    (row,) = rows_of(node.octets())
    assert told(row) == (NODE, RESOLVER, "answer")


def test_a_forwarder_that_keeps_the_id_is_no_translation() -> None:
    """Its own packets have a source of their own and leave with a fresh TTL."""
    q = query()
    ends = (NODE, 51000, "198.51.100.1", 53)
    node = Node()
    node.see(1.0, INSIDE, IN, node.inner, 64, q.to_wire())
    node.see(1.0003, OUTSIDE, OUT, ends, 64, q.to_wire())
    node.see(1.02, OUTSIDE, IN, back(ends), 57, response(q).to_wire())
    node.see(1.0203, INSIDE, OUT, back(node.inner), 64, response(q).to_wire())
    rows = rows_of(node.octets())
    assert [told(row) for row in rows] == [(POD, SERVICE, "answer"), (NODE, "198.51.100.1", "answer")]


def test_the_same_with_every_order_of_interfaces() -> None:
    """Nothing hangs on how often each side is seen."""
    q = query()
    node = Node().query(1.0, q).response(1.004, response(q))
    for without in range(1, 8):
        some = Node()
        some.packets = [p for p in node.packets if not without >> {INSIDE: 0, OUTSIDE: 1}.get(p[1][7], 2) & 1]
        kept = {p[1][7] for p in some.packets}
        rows = rows_of(some.octets())
        if kept - {OUTSIDE}:
            assert [told(row) for row in rows] == [(POD, SERVICE, "answer")]
        else:
            assert [told(row) for row in rows] == ([(NODE, RESOLVER, "answer")] if kept else [])
