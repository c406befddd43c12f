"""Queries that are sent again: what is certain of their answers, and what is not."""

from tests.exchanges.test_outcomes import seconds
from tests.exchanges.traffic import Traffic, query, response


def pairs(rows):
    return [(row["query"], row["response"]) for row in rows]


def test_as_many_answers_as_transmissions_pair_in_order():
    q = query()
    traffic = Traffic().send(1, q).send(6, q).send(7, response(q)).send(7.5, response(q))
    first, second = rows = traffic.exchanges()
    assert pairs(rows) == [(0, 2), (1, 3)]
    assert (seconds(first["latency"]), seconds(second["latency"])) == (6, 1.5)
    assert [row["transmission"] for row in rows] == [1, 2]
    assert first["late"] and not second["late"]
    assert not first["ambiguous"] and first["latency_min"] is None


def test_fewer_answers_leave_it_open():
    q = query()
    first, second = Traffic().send(1, q).send(6, q).send(6.5, response(q)).exchanges()
    assert (
        first["outcome"] == "answer" and first["latency"] is None and first["ambiguous"] and not first["late"]
    )
    assert (seconds(first["latency_min"]), seconds(first["latency_max"])) == (0.5, 5.5)
    assert second["ambiguous"] and second["outcome"] in ("unanswered", "unfinished")


def test_a_query_sent_after_the_answer_is_certainly_unanswered():
    q = query()
    first, second = (
        Traffic().send(1, q).send(1.2, response(q)).send(6, q).send(40, query(id=1)).exchanges()[:2]
    )
    assert seconds(first["latency"]) == 0.2 and not first["ambiguous"]
    assert second["outcome"] == "unanswered" and not second["ambiguous"] and second["transmission"] == 2


def test_only_what_is_open_is_ambiguous():
    q = query()
    traffic = (
        Traffic().send(1, q).send(1.1, response(q)).send(3, q).send(5, q).send(5.2, response(q)).send(9, q)
    )
    rows = traffic.send(60, query(id=1)).exchanges()[:4]
    assert [row["ambiguous"] for row in rows] == [False, True, True, False]
    assert [row["transmission"] for row in rows] == [1, 2, 3, 4]
    assert seconds(rows[0]["latency"]) == 0.1
    assert (seconds(rows[1]["latency_min"]), seconds(rows[1]["latency_max"])) == (0.2, 2.2)


def test_one_more_response_than_transmissions():
    q = query()
    rows = (
        Traffic()
        .send(1, q)
        .send(2, q)
        .send(3, response(q))
        .send(3.1, response(q))
        .send(3.2, response(q))
        .exchanges()
    )
    assert [row["outcome"] for row in rows] == ["answer", "answer", "duplicate"]
    assert rows[1]["responses"] == 2


def test_another_port_or_id_or_type_is_another_query():
    traffic = (
        Traffic()
        .send(1, query())
        .send(2, query(), port=40001)
        .send(3, query(id=8))
        .send(4, query(qtype="AAAA"))
    )
    assert [row["transmission"] for row in traffic.exchanges()] == [1, 1, 1, 1]


def test_a_port_and_id_used_again_later():
    q = query()
    traffic = Traffic().send(1, q).send(1.1, response(q)).send(17, q).send(17.1, response(q))
    assert [(row["transmission"], seconds(row["latency"])) for row in traffic.exchanges()] == [
        (1, 0.1),
        (1, 0.1),
    ]


def test_unreachable_then_answered():
    q = query()
    traffic = (
        Traffic()
        .send(1, q)
        .icmp(1.1, q, src="192.0.2.53", dst="192.0.2.10")
        .send(2, q)
        .send(2.1, response(q))
    )
    first, second = traffic.exchanges()
    assert (first["outcome"], second["outcome"]) == ("unreachable", "answer")
    assert seconds(second["latency"]) == 0.1 and not first["ambiguous"]


def test_many_transmissions_of_one_query():
    q = query()
    traffic = Traffic()
    for k in range(500):
        traffic.send(1 + k / 1000, q)
    for k in range(200):
        traffic.send(2 + k / 1000, response(q))
    rows = traffic.send(60, query(id=1)).exchanges()[:500]
    assert [row["response"] is not None for row in rows] == [True] * 200 + [False] * 300
    assert all(row["ambiguous"] for row in rows)
