"""Exchanges over TCP."""

import dns.message
import dns.rrset

from tests.exchanges.test_outcomes import only, seconds
from tests.exchanges.traffic import Traffic, query, response


def test_answers_in_any_order_and_the_handshake():
    a, b, c = query("a.example", id=1), query("b.example", id=2), query("c.example", id=3)
    traffic = Traffic().open(1, rtt=0.02)
    for at, message in ((1.1, a), (1.2, b), (1.3, c)):
        traffic.tcp(at, "PA", message)
    for at, message in ((1.4, c), (1.5, a), (1.6, b)):
        traffic.tcp(at, "PA", response(message), back=True)
    rows = traffic.exchanges()
    assert [row["qname"] for row in rows] == ["a.example.", "b.example.", "c.example."]
    assert [round(seconds(row["latency"]), 3) for row in rows] == [0.4, 0.4, 0.1]
    assert {row["outcome"] for row in rows} == {"answer"} and {row["transport"] for row in rows} == {"tcp"}
    assert {seconds(row["tcp_rtt"]) for row in rows} == {0.02}


def test_udp_and_tcp_are_not_mixed_up():
    q = query()
    traffic = (
        Traffic().send(1, q, port=50000).open(1).tcp(1.1, "PA", q).tcp(1.2, "PA", response(q), back=True)
    )
    udp, tcp = traffic.exchanges()
    assert (udp["transport"], udp["outcome"]) == ("udp", "unfinished")
    assert (tcp["transport"], tcp["outcome"]) == ("tcp", "answer")


def test_a_reset_ends_the_wait():
    traffic = (
        Traffic().open(1).tcp(1.1, "PA", query(id=1)).tcp(1.2, "PA", query(id=2)).tcp(1.5, "R", back=True)
    )
    assert [row["outcome"] for row in traffic.exchanges()] == ["unreachable", "unreachable"]


def test_a_close_without_answer():
    traffic = Traffic().open(1).tcp(1.1, "PA", query()).tcp(1.5, "FA", back=True).tcp(1.6, "FA")
    assert only(traffic.exchanges())["outcome"] == "unanswered"


def test_the_capture_ends_before_the_answer():
    assert only(Traffic().open(1).tcp(1.1, "PA", query()).exchanges())["outcome"] == "unfinished"


def test_a_zone_transfer_is_one_exchange():
    q = query("example.com", "AXFR", id=5)
    part = dns.message.make_response(q)
    part.answer.append(dns.rrset.from_text("example.com.", 60, "IN", "SOA", "a. b. 1 2 3 4 5"))
    later = dns.message.make_response(q)
    later.question.clear()  # RFC 5936 section 2.2.2 allows it in further messages
    later.answer.append(dns.rrset.from_text("www.example.com.", 60, "IN", "A", "192.0.2.1"))
    traffic = Traffic().open(1).tcp(1.1, "PA", q).tcp(1.3, "PA", part, back=True)
    traffic.tcp(4.0, "PA", later, back=True).tcp(8.0, "PA", part, back=True)
    row = only(traffic.exchanges())
    assert (row["responses"], row["outcome"], seconds(row["latency"]), row["response"]) == (
        3,
        "answer",
        0.2,
        1,
    )


def test_one_id_on_two_connections():
    q = query()
    traffic = (
        Traffic()
        .open(1, port=50000)
        .open(1, port=50001)
        .tcp(1.1, "PA", q, port=50000)
        .tcp(1.2, "PA", q, port=50001)
    )
    traffic.tcp(1.4, "PA", response(q), back=True, port=50001)
    first, second = traffic.exchanges()
    assert (first["outcome"], second["outcome"]) == ("unfinished", "answer")
    assert [first["transmission"], second["transmission"]] == [1, 1]
