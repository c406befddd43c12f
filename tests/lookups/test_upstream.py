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
