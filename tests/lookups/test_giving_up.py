"""What an application got and when, where answers came late, in halves, or from one server of several."""

import pytest

import dnscap
from tests.exchanges.traffic import CLIENT, SERVER, Traffic, query, response
from tests.lookups.captures import lookups_of

SECOND_SERVER = "192.0.2.54"
MUSL = (5, 5 + 200)
"""Ids of one pair: musl reads them off a clock, a few hundred apart."""


def pair(first=4000, second=31000):
    return query("www.example.com", "A", id=first), query("www.example.com", "AAAA", id=second)


def only(traffic: Traffic) -> dict:
    (row,) = lookups_of(traffic.octets())
    return row


def half_answered(lost: str) -> Traffic:
    """Pairs over one socket, and then the lost family alone, as glibc does; never an answer to it."""
    a, aaaa = pair()
    missing, other = (a, aaaa) if lost == "A" else (aaaa, a)
    traffic = Traffic()
    for time in (10.0, 11.0):
        traffic.send(time, a).send(time + 0.00001, aaaa)
    traffic.send(11.01, response(other, answer="192.0.2.1" if other is a else None))
    traffic.send(12.001, missing)
    # Something that is not this client's keeps the capture going.
    late = query("other.example.com", "A", id=9)
    return traffic.send(20.0, late, client="192.0.2.99").send(20.01, response(late), client="192.0.2.99")


@pytest.mark.parametrize(("lost", "outcome"), [("A", "timeout"), ("AAAA", "ok")])
def test_glibc_fails_where_the_family_asked_first_has_no_answer(lost: str, outcome: str) -> None:
    row = lookups_of(half_answered(lost).octets())[0]
    assert (row["stub"], row["outcome"]) == ("glibc", outcome)


def test_half_answered_lookups_do_not_tell_the_attempts() -> None:
    clients = dnscap.read(half_answered("A").octets()).to_arrow("clients").to_pylist()
    assert next(row for row in clients if row["client"] == CLIENT)["attempts"] is None


def test_glibc_takes_no_data_of_one_family_for_all_where_the_other_fails() -> None:
    a, aaaa = pair()
    traffic = Traffic().send(10.0, a).send(10.00001, aaaa)
    traffic.send(10.01, response(a, answer=None, rcode="SERVFAIL"))
    traffic.send(10.01, response(aaaa, answer=None, authority="SOA ns.example.com. h.example.com. 1 2 3 4 5"))
    row = only(traffic)
    assert row["outcome"] == "nodata"
    assert row["causes"] == ["servfail"]


def test_failures_that_come_after_the_stub_gave_up_are_too_late() -> None:
    a, aaaa = pair()
    traffic = Traffic()
    for time in (10.0, 12.0):
        traffic.send(time, a).send(time + 0.00001, aaaa)
    for message in (a, aaaa):
        traffic.send(18.0, response(message, answer=None, rcode="SERVFAIL"))
    row = only(traffic)
    assert row["outcome"] == "timeout"
    assert row["duration"].total_seconds() == pytest.approx(4.0, abs=0.1)
    assert row["causes"][0] == "no-answer"


def test_an_answer_that_the_client_rejects_was_too_late() -> None:
    a, aaaa = pair(*MUSL)
    reply = response(a)
    traffic = Traffic().send(10.0, a).send(10.00001, aaaa)
    traffic.send(10.01, response(aaaa, answer=None))
    traffic.send(12.5, a).send(15.1, reply)
    taken = only(traffic)
    assert taken["outcome"] == "ok"
    rejected = only(traffic.icmp(15.10001, reply, src=CLIENT, dst=SERVER))
    assert rejected["outcome"] == "timeout"
    assert rejected["duration"].total_seconds() == pytest.approx(5.0, abs=0.15)


def test_an_answer_that_the_client_rejects_since_it_has_another_is_not_late() -> None:
    """At a failure of one family glibc closes the socket, so that the other's answer finds nobody."""
    a, aaaa = pair()
    traffic = Traffic()
    for time in (10.0, 15.0):
        traffic.send(time, a).send(time + 0.00001, aaaa)
    failed = [response(message, answer=None, rcode="SERVFAIL") for message in (a, aaaa)]
    traffic.send(19.9, failed[0]).send(19.901, failed[1])
    row = only(traffic.icmp(19.90101, failed[1], src=CLIENT, dst=SERVER))
    assert (row["outcome"], row["end_basis"]) == ("servfail", "packet")


def test_a_walk_goes_on_where_one_family_of_a_name_was_never_answered() -> None:
    traffic = Traffic()
    soa = "SOA ns.example.com. h.example.com. 1 2 3 4 5"
    names = [f"intra.{suffix}" for suffix in ("default.svc.example.com", "svc.example.com", "example.com")]
    a, aaaa = query(names[0], "A", id=1), query(names[0], "AAAA", id=2)
    traffic.send(10.0, a, port=40001).send(
        10.001, response(a, answer=None, rcode="NXDOMAIN", authority=soa), port=40001
    )
    traffic.send(10.0012, aaaa, port=40001)
    for number, name in enumerate(names[1:]):
        for offset, (kind, id) in enumerate((("A", 10 + number), ("AAAA", 20 + number))):
            time = 11.0 + number * 0.002 + offset * 0.001
            ask = query(name, kind, id=id)
            found = name == names[2]
            reply = response(
                ask,
                answer="192.0.2.9" if found and kind == "A" else None,
                rcode="NOERROR" if found else "NXDOMAIN",
                authority=None if found and kind == "A" else soa,
            )
            traffic.send(time, ask, port=40002 + number).send(time + 0.0005, reply, port=40002 + number)
    row = only(traffic)
    assert list(row["candidates"]) == [f"{name}." for name in names]
    assert row["outcome"] == "ok"
    assert "packet-loss" in row["causes"] or "pair-race" in row["causes"]
    assert row["t_timeout"].total_seconds() == pytest.approx(1.0, abs=0.01)


def test_a_copy_that_the_client_rejects_says_nothing_of_the_answer() -> None:
    a = query("www.example.com", "A", id=5)
    reply = response(a)
    traffic = Traffic().send(10.0, a).send(10.01, reply).send(10.02, reply)
    row = only(traffic.icmp(10.02001, reply, src=CLIENT, dst=SERVER))
    assert (row["outcome"], row["end_basis"]) == ("ok", "packet")


def test_a_copy_made_behind_the_capture_says_nothing_either() -> None:
    """Beside the resolver only one answer is seen; the client took it, and rejected the copy."""
    a = query("www.example.com", "A", id=5)
    reply = response(a)
    traffic = Traffic().send(10.0, a).send(10.2, reply)
    row = only(traffic.icmp(10.203, reply, src=CLIENT, dst=SERVER))
    assert (row["outcome"], row["end_basis"]) == ("ok", "packet")


def test_musl_goes_on_with_the_first_answer_though_it_came_before_all_were_asked() -> None:
    a, aaaa = pair(*MUSL)
    traffic = Traffic()
    for time, message in ((10.0, a), (10.001, aaaa)):
        traffic.send(time, message).send(time + 0.0003, response(message))
        traffic.send(time + 0.0004, message, server=SECOND_SERVER)
    for message in (a, aaaa):
        traffic.send(10.2, response(message), server=SECOND_SERVER)
    row = only(traffic)
    assert row["stub"] == "musl"
    assert row["duration"].total_seconds() == pytest.approx(0.0013)
    assert row["causes"] == []


def test_a_lookup_beside_another_does_not_end_it() -> None:
    traffic = Traffic().send(10.0, query("one.example.com", "A", id=5))
    other = query("two.example.com", "A", id=6)
    traffic.send(10.001, other, port=40001).send(10.002, response(other), port=40001)
    late = query("three.example.com", "A", id=9)
    traffic.send(30.0, late, client="192.0.2.99").send(30.01, response(late), client="192.0.2.99")
    row = lookups_of(traffic.octets())[0]
    assert row["outcome"] == "timeout"
    assert row["duration"].total_seconds() >= 1.0


def test_both_families_at_once_of_two_servers_are_asked_by_c_ares_with_rotate() -> None:
    a, aaaa = pair()
    traffic = Traffic().send(10.0, a).send(10.00003, aaaa, port=40001, server=SECOND_SERVER)
    traffic.send(10.01, response(a))
    traffic.send(10.01, response(aaaa, answer=None), port=40001, server=SECOND_SERVER)
    assert only(traffic)["stub"] == "c-ares"


def test_a_resolver_that_a_forwarder_waits_for_is_no_authoritative_server() -> None:
    """The forwarder is seen to serve before, so what it passes on is known for what it is."""
    traffic = Traffic()
    for number, (time, took) in enumerate(((10.0, 0.01), (20.0, 0.4))):
        client = query(f"www{number}.example.com", "A", id=5 + number)
        passed = query(f"www{number}.example.com", "A", id=900 + number)
        traffic.send(time, client)
        traffic.send(time + 0.001, passed, client=SERVER, server=SECOND_SERVER, port=50000 + number)
        traffic.send(time + took, response(passed), client=SERVER, server=SECOND_SERVER, port=50000 + number)
        traffic.send(time + took + 0.001, response(client))
    assert [row["causes"] for row in lookups_of(traffic.octets())] == [[], ["slow-answer"]]


def test_a_resolver_that_discards_what_took_it_long_is_told_from_loss() -> None:
    """The client asks again and is answered at once: the first answer was thrown away, not lost."""
    ask = query("www.example.com", "A", id=5)
    up = query("www.example.com", "A", id=77, flags=0)
    traffic = Traffic().send(10.0, ask)
    traffic.send(10.001, up, client=SERVER, server="198.51.100.1", port=50000)
    traffic.send(12.2, response(up, aa=True, ra=False), client=SERVER, server="198.51.100.1", port=50000)
    traffic.send(15.0, ask).send(15.0005, response(ask))
    assert only(traffic)["causes"][0] == "slow-authoritative"


def test_codes_beyond_the_old_ones_are_not_called_servfail() -> None:
    ask = query("www.example.com", "A", id=5, use_edns=0)
    answer = response(ask, answer=None, rcode="BADVERS")
    findings = dnscap.read(Traffic().send(10.0, ask).send(10.01, answer).octets()).findings
    (title,) = findings[findings.severity != "info"].title
    assert "unusual error code" in title
    assert "SERVFAIL" not in title
