"""What became of one query: outcomes, flags and times."""

import dns.message
import dns.opcode
import pytest

from tests.exchanges.traffic import CLIENT, SECOND, SERVER, Traffic, query, response


def only(rows):
    assert len(rows) == 1
    return rows[0]


def seconds(value):
    return (
        None if value is None else value.value / SECOND if hasattr(value, "value") else value.total_seconds()
    )


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({}, "answer"),
        ({"answer": None}, "nodata"),
        ({"answer": None, "authority": "SOA a. b. 1 2 3 4 5"}, "nodata"),
        ({"answer": None, "authority": "SOA a. b. 1 2 3 4 5", "ra": False}, "nodata"),
        ({"answer": None, "authority": "NS ns.example.com.", "ra": False}, "referral"),
        ({"answer": None, "authority": "NS ns.example.com.", "ra": True}, "nodata"),
        ({"answer": None, "tc": True}, "truncated"),
        ({"answer": None, "rcode": "NXDOMAIN"}, "nxdomain"),
        ({"answer": None, "rcode": "SERVFAIL"}, "servfail"),
        ({"answer": None, "rcode": "REFUSED"}, "refused"),
        ({"answer": None, "rcode": "FORMERR"}, "formerr"),
        ({"answer": None, "rcode": "NOTIMP"}, "notimp"),
        ({"answer": None, "rcode": "NOTAUTH"}, "other-rcode"),
    ],
)
def test_the_response_decides(told, outcome):
    q = query()
    row = only(Traffic().send(1, q).send(1.25, response(q, **told)).exchanges())
    assert row["outcome"] == outcome
    assert seconds(row["latency"]) == 0.25
    assert (row["query"], row["response"], row["query_frame"], row["response_frame"]) == (0, 1, 1, 2)
    assert (row["client"], row["client_port"], row["server"], row["server_port"]) == (
        CLIENT,
        40000,
        SERVER,
        53,
    )
    assert (row["qname"], row["qtype"], row["qclass"]) == ("www.example.com.", "A", "IN")
    assert (row["transmission"], row["responses"]) == (1, 1)
    assert not row["late"] and not row["ambiguous"]
    assert row["rcode"] == told.get("rcode", "NOERROR")


def test_case_of_the_name_does_not_matter():
    q = query("wWw.ExAmple.com")
    row = only(Traffic().send(1, q).send(1.1, response(query("www.example.com"))).exchanges())
    assert row["outcome"] == "answer" and row["qname"] == "www.example.com."


def test_an_answer_is_waited_for_as_long_as_the_slowest_stub_waits():
    q = query()
    assert only(Traffic().send(1, q).send(30.9, response(q)).exchanges())["outcome"] == "answer"
    lost, stray = Traffic().send(1, q).send(31.1, response(q)).exchanges()
    assert (lost["outcome"], stray["outcome"]) == ("unanswered", "unsolicited")


def test_unanswered_and_unfinished():
    old, young = (
        Traffic().send(1, query(id=1)).send(20, query(id=2)).send(24, query(id=3), port=1).exchanges()[:2]
    )
    assert (old["outcome"], young["outcome"]) == ("unanswered", "unfinished")
    assert (
        old["latency"] is None and old["response"] is None and old["rcode"] is None and old["responses"] == 0
    )


def test_response_without_query():
    row = only(Traffic().send(3, response(query())).exchanges())
    assert row["outcome"] == "unsolicited"
    assert row["query"] is None and row["response"] == 0 and row["query_size"] is None
    assert (row["client"], row["server"]) == (CLIENT, SERVER)


@pytest.mark.parametrize("rcode", [1, 2, 4, 5])
def test_a_header_alone_is_an_answer(rcode):
    q = query(id=0x1234)
    header = bytes([0x12, 0x34, 0x81, 0x80 | rcode]) + bytes(8)
    row = only(Traffic().send(1, q).send(1.5, header).exchanges())
    assert row["outcome"] == {1: "formerr", 2: "servfail", 4: "notimp", 5: "refused"}[rcode]
    assert seconds(row["latency"]) == 0.5


def test_a_header_alone_with_another_id_is_not():
    header = bytes([0x12, 0x35, 0x81, 0x85]) + bytes(8)
    first, second = Traffic().send(1, query(id=0x1234)).send(1.5, header).exchanges()
    assert (first["outcome"], second["outcome"]) == ("unfinished", "unsolicited")


def test_headers_alone_answer_the_oldest_first():
    header = bytes([0, 7, 0x81, 0x85]) + bytes(8)
    traffic = (
        Traffic().send(1, query("a.example")).send(2, query("b.example")).send(3, header).send(3.5, header)
    )
    first, second = traffic.exchanges()
    assert (seconds(first["latency"]), seconds(second["latency"])) == (2, 1.5)


def test_another_question_is_not_an_answer():
    q = query()
    traffic = Traffic().send(1, q).send(1.1, response(query("other.example", id=q.id))).send(1.2, response(q))
    asked, other = traffic.exchanges()
    assert asked["outcome"] == "answer" and asked["responses"] == 1
    assert other["outcome"] == "unsolicited" and other["qname"] == "other.example."


def test_further_responses_have_rows_of_their_own():
    q = query()
    first, *others = (
        Traffic().send(1, q).send(1.1, response(q)).send(1.3, response(q)).send(1.4, response(q)).exchanges()
    )
    assert first["outcome"] == "answer" and first["responses"] == 3 and seconds(first["latency"]) == 0.1
    assert [row["outcome"] for row in others] == ["duplicate", "duplicate"]
    assert [row["query"] for row in others] == [None, None] and [row["response"] for row in others] == [2, 3]


def test_an_answer_may_come_a_little_before_its_query():
    q = query()
    row = only(Traffic().send(1.0000, response(q)).send(1.0009, q).exchanges())
    assert row["outcome"] == "answer" and seconds(row["latency"]) == 0
    assert (row["query"], row["response"]) == (1, 0)
    stray, asked = Traffic().send(1.0, response(q)).send(1.0011, q).exchanges()
    assert (stray["outcome"], asked["outcome"]) == ("unsolicited", "unfinished")


def test_times_out_of_order_in_the_file():
    q = query()
    row = only(Traffic().send(1.0005, q).send(1.0, response(q)).exchanges())
    assert row["outcome"] == "answer" and seconds(row["latency"]) == 0


@pytest.mark.parametrize("port", [5353, 5355])
def test_multicast_protocols_are_left_out(port):
    q = query()
    traffic = Traffic().send(1, q, port=port, server_port=port, server="224.0.0.251")
    assert traffic.send(1.1, response(q), port=port, server_port=port).exchanges() == []


def test_a_query_from_a_multicast_port_counts():
    q = query()
    assert (
        only(Traffic().send(1, q, port=5353).send(1.1, response(q), port=5353).exchanges())["outcome"]
        == "answer"
    )


def test_a_cut_response_is_an_answer():
    q = query()
    row = only(Traffic().send(1, q).send(1.1, response(q)).exchanges(snaplen=20 + 8 + 12 + 6))
    assert row["outcome"] == "answer" and row["qname"] is None and row["qtype"] is None


@pytest.mark.parametrize("opcode", [dns.opcode.NOTIFY, dns.opcode.UPDATE])
def test_notify_and_update_are_exchanges(opcode):
    q = query("example.com", "SOA")
    q.set_opcode(opcode)
    answer = dns.message.from_wire(q.to_wire(), question_only=True)
    answer.flags |= 0x8000
    assert only(Traffic().send(1, q).send(1.1, answer).exchanges())["outcome"] == "answer"


def test_port_unreachable_from_the_server():
    q = query()
    row = only(Traffic().send(1, q).icmp(1.2, q, src=SERVER, dst=CLIENT).exchanges())
    assert row["outcome"] == "unreachable" and row["response"] is None


def test_packet_too_big_is_not_an_end():
    q = query()
    traffic = Traffic().send(1, q).icmp(1.2, q, src="192.0.2.1", dst=CLIENT, code=4).send(2, response(q))
    assert only(traffic.exchanges())["outcome"] == "answer"


def test_an_icmp_error_is_not_the_last_word():
    q = query()
    traffic = Traffic().send(1, q).icmp(1.2, q, src=SERVER, dst=CLIENT).send(2, response(q))
    row = only(traffic.exchanges())
    assert row["outcome"] == "answer" and seconds(row["latency"]) == 1


def test_port_unreachable_from_the_client_proves_the_answer_late():
    q = query()
    traffic = Traffic().send(1, q).send(4, response(q)).icmp(4.001, response(q), src=CLIENT, dst=SERVER)
    row = only(traffic.exchanges())
    assert row["outcome"] == "answer" and row["late"] and seconds(row["latency"]) == 3


def test_port_unreachable_about_a_further_response():
    q = query()
    traffic = Traffic().send(1, q).send(1.1, response(q)).send(1.2, response(q))
    first, second = traffic.icmp(1.201, response(q), src=CLIENT, dst=SERVER).exchanges()
    assert not first["late"] and second["late"]


def test_a_clock_that_jumps_back_begins_anew():
    q = query()
    traffic = Traffic().send(1000, query(id=9)).send(100, q).send(100.5, response(q))
    old, new = traffic.exchanges()
    assert (old["outcome"], new["outcome"]) == ("unfinished", "answer")
