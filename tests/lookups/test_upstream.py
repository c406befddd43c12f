"""What a resolver's own queries, made packet by packet, tell about a lookup that waited for them."""

import pytest

from tests.exchanges.traffic import Traffic, query, response
from tests.lookups.captures import lookups_of

CLIENT, RESOLVER, ZONE, OTHER = "192.0.2.10", "192.0.2.53", "198.51.100.1", "198.51.100.2"


class Resolver(Traffic):
    """A resolver between a client and servers upstream."""

    def upstream(self, time, message, number, *, server=ZONE):
        return self.send(time, message, client=RESOLVER, server=server, port=50000 + number)

    def silent(self, time, name, *, tries=4, wait=0.8, edns=True):
        """The same question again and again, and no answer."""
        for number in range(tries):
            options = {"use_edns": 0, "payload": 1232} if edns else {}
            message = query(name, "A", id=900 + number, flags=0, **options)
            self.upstream(time + number * wait, message, number)
        return self


def causes_of(traffic: Traffic) -> list[list[str]]:
    return [row["causes"] for row in lookups_of(traffic.octets())]


def asked(traffic: Resolver, *, edns: bool = True) -> Resolver:
    """A lookup that ends in SERVFAIL because a zone's server stays silent."""
    a = query("www.example.com", "A", id=5)
    traffic.send(10.0, a)
    traffic.silent(10.001, "www.example.com", edns=edns)
    return traffic.send(14.0, response(a, answer=None, rcode="SERVFAIL"))


@pytest.mark.parametrize("before", [True, False])
def test_edns_is_dropped_upstream_where_only_plain_queries_are_answered(before: bool) -> None:
    plain = query("ns.example.com", "A", id=77, flags=0)
    traffic = Resolver()
    if before:
        traffic.upstream(1.0, plain, 99).upstream(1.01, response(plain), 99)
    asked(traffic)
    (first, *rest) = causes_of(traffic)
    assert first[0] == ("upstream-edns-dropped" if before else "dead-authoritative")
    assert not rest


def test_a_server_that_answered_one_query_with_edns_does_not_drop_them() -> None:
    plain = query("ns.example.com", "A", id=77, flags=0)
    with_edns = query("ns.example.com", "AAAA", id=78, flags=0, use_edns=0, payload=1232)
    traffic = Resolver()
    traffic.upstream(1.0, plain, 99).upstream(1.01, response(plain), 99)
    traffic.upstream(2.0, with_edns, 98).upstream(2.01, response(with_edns), 98)
    (causes,) = causes_of(asked(traffic))
    assert causes[0] == "dead-authoritative"


def test_plain_answers_of_another_server_say_nothing() -> None:
    plain = query("ns.example.com", "A", id=77, flags=0)
    traffic = Resolver()
    traffic.upstream(1.0, plain, 99, server=OTHER).upstream(1.01, response(plain), 99, server=OTHER)
    (causes,) = causes_of(asked(traffic))
    assert causes[0] == "dead-authoritative"


def test_silence_to_plain_queries_has_nothing_to_do_with_edns() -> None:
    plain = query("ns.example.com", "A", id=77, flags=0)
    traffic = Resolver()
    traffic.upstream(1.0, plain, 99).upstream(1.01, response(plain), 99)
    (causes,) = causes_of(asked(traffic, edns=False))
    assert causes[0] == "dead-authoritative"


def walk(traffic: Resolver, *, took: float, edns_refused: bool = False) -> Resolver:
    """A lookup of a walk of three steps, each of which takes `took`."""
    a = query("www.example.com", "A", id=5)
    traffic.send(10.0, a)
    steps = ("com", "example.com", "www.example.com")
    for number, name in enumerate(steps):
        step = query(name, "A", id=800 + number, flags=0)
        begun = 10.001 + number * took
        traffic.upstream(begun, step, number)
        last = name == steps[-1]
        answer = response(step, answer="192.0.2.1" if last else None, ra=False, aa=last)
        traffic.upstream(begun + took - 0.001, answer, number)
    return traffic.send(10.002 + len(steps) * took, response(a))


@pytest.mark.parametrize(("took", "causes"), [(0.06, ["cold-recursion"]), (0.02, [])])
def test_many_short_steps_are_named_where_together_they_are_slow(took: float, causes: list[str]) -> None:
    assert causes_of(walk(Resolver(), took=took)) == [causes]


def test_several_small_causes_leave_the_greatest() -> None:
    """FORMERR to EDNS costs 60 ms and the steps 70 ms, of a lookup that took 150 ms."""
    a, edns = query("www.example.com", "A", id=5), {"flags": 0, "use_edns": 0, "payload": 1232}
    traffic = Resolver().send(10.0, a)
    zone, first, plain = (
        query("example.com", "A", id=800, **edns),
        query("www.example.com", "A", id=801, **edns),
        query("www.example.com", "A", id=802, flags=0),
    )
    traffic.upstream(10.001, zone, 0).upstream(10.041, response(zone, answer=None, ra=False), 0)
    traffic.upstream(10.042, first, 1).upstream(10.082, response(first, answer=None, rcode="FORMERR"), 1)
    traffic.upstream(10.102, plain, 2).upstream(10.145, response(plain, aa=True, ra=False), 2)
    traffic.send(10.150, response(a))
    (causes,) = causes_of(traffic)
    assert len(causes) == 1
    assert causes[0] in ("cold-recursion", "upstream-edns-fallback")


@pytest.mark.parametrize(("last", "cause"), [("DNSKEY", "dnssec-bogus"), ("NS", "servfail")])
def test_keys_that_do_not_fit_are_the_cause_before_the_name_was_asked_for(last: str, cause: str) -> None:
    a = query("www.example.com", "A", id=5)
    traffic = Resolver().send(10.0, a)
    ds, keys = query("example.com", "DS", id=800, flags=0), query("example.com", last, id=801, flags=0)
    for number, (time, step) in enumerate(((10.001, ds), (10.003, keys))):
        traffic.upstream(time, step, number).upstream(time + 0.001, response(step, ra=False, aa=True), number)
    traffic.send(10.005, response(a, answer=None, rcode="SERVFAIL"))
    (causes,) = causes_of(traffic)
    assert causes[0] == cause
