"""Aliases into other zones, truncation, distance and validation on the far side of a resolver, packet by packet."""

import struct

import dns.rrset
import pytest
from scapy.layers.inet import IP, TCP
from scapy.packet import Raw

from tests.exchanges.traffic import query, response
from tests.lookups.captures import lookups_of
from tests.lookups.test_upstream import OTHER, ZONE, Resolver

ROOT = "198.51.100.9"


def alias(to, target: str):
    """An answer that holds an alias and nothing else."""
    message = response(to, answer=None, aa=True, ra=False)
    message.answer.append(dns.rrset.from_text(to.question[0].name, 60, "IN", "CNAME", target))
    return message


def led_elsewhere(outcome: str, *, target: str = "edge.example.net.") -> list[str]:
    """Causes of a lookup whose name is an alias into a zone that refuses, fails or says nothing."""
    a, first = query("www.example.com", "A", id=5), query("www.example.com", "A", id=800, flags=0)
    traffic = Resolver().send(10.0, a)
    traffic.upstream(10.001, first, 0).upstream(10.002, alias(first, target), 0)
    for number in range(1, 4):
        begun = 10.003 + (number - 1) * 0.8
        onward = query("edge.example.net", "A", id=800 + number, flags=0)
        traffic.upstream(begun, onward, number, server=OTHER)
        if outcome != "silent":
            traffic.upstream(
                begun + 0.001, response(onward, answer=None, rcode=outcome), number, server=OTHER
            )
    traffic.send(12.5, response(a, answer=None, rcode="SERVFAIL"))
    (row,) = lookups_of(traffic.octets())
    return row["causes"]


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [
        ("REFUSED", "upstream-refused"),
        ("SERVFAIL", "upstream-servfail"),
        ("silent", "dead-authoritative"),
    ],
)
def test_the_zone_that_an_alias_leads_to_is_the_cause(outcome: str, cause: str) -> None:
    assert led_elsewhere(outcome)[0] == cause


def test_a_zone_that_no_alias_leads_to_is_not() -> None:
    causes = led_elsewhere("REFUSED", target="edge.example.org.")
    assert "servfail" in causes
    assert "upstream-refused" not in causes


def over_tcp(took: float) -> list[str]:
    """Causes of a lookup for which the resolver had to ask again over TCP, without the connection's own segments."""
    a, first = query("www.example.com", "A", id=5), query("www.example.com", "A", id=800, flags=0)
    traffic = Resolver().send(10.0, a)
    traffic.upstream(10.001, first, 0).upstream(10.002, response(first, answer=None, tc=True), 0)
    for packet in tcp(10.002 + took / 2, 10.002 + took, query("www.example.com", "A", id=801, flags=0)):
        traffic.add(*packet)
    traffic.send(10.003 + took, response(a))
    (row,) = lookups_of(traffic.octets())
    return row["causes"]


def tcp(asked: float, answered: float, message) -> list:
    """A question and its answer over a connection that was open before."""
    packets = []
    for time, src, dst, sport, dport, what in (
        (asked, "192.0.2.53", ZONE, 51000, 53, message),
        (answered, ZONE, "192.0.2.53", 53, 51000, response(message, aa=True, ra=False)),
    ):
        wire = what.to_wire()
        segment = TCP(sport=sport, dport=dport, flags="PA", seq=1, ack=1)
        packets.append((time, IP(src=src, dst=dst) / segment / Raw(struct.pack(">H", len(wire)) + wire)))
    return packets


@pytest.mark.parametrize(("took", "causes"), [(0.18, ["upstream-truncation"]), (0.04, [])])
def test_what_tcp_costs_after_a_truncated_answer(took: float, causes: list[str]) -> None:
    assert over_tcp(took) == causes


def answered_by(latencies: list[tuple[str, str, float]]) -> list[str]:
    """Causes of a lookup whose resolver asks one server after another: address, name and time to the answer of each."""
    a = query("www.example.com", "A", id=5)
    traffic, now = Resolver().send(10.0, a), 10.001
    for number, (server, name, took) in enumerate(latencies):
        step = query(name, "A", id=800 + number, flags=0)
        traffic.upstream(now, step, number, server=server)
        last = name == "www.example.com"
        answer = response(step, answer="192.0.2.1" if last else None, ra=False, aa=last)
        traffic.upstream(now + took, answer, number, server=server)
        now += took + 0.001
    (row,) = lookups_of(traffic.send(now, response(a)).octets())
    return row["causes"]


def test_where_every_server_is_far_away_none_of_them_is_slow() -> None:
    far = [(ROOT, "com", 0.11), (OTHER, "example.com", 0.12), (ZONE, "www.example.com", 0.13)]
    assert answered_by(far) == ["cold-recursion"]
    far[-1] = (ZONE, "www.example.com", 0.5)
    assert answered_by(far)[0] == "slow-authoritative"
    near = [(ROOT, "com", 0.01), (OTHER, "example.com", 0.01), (ZONE, "www.example.com", 0.13)]
    assert answered_by(near) == ["slow-authoritative"]
    assert answered_by([(ZONE, "www.example.com", 0.13)]) == ["slow-authoritative"]


@pytest.mark.parametrize("keys", [True, False])
def test_a_resolver_that_has_the_data_and_says_failure_has_validated(keys: bool) -> None:
    """The keys of the zone were fetched for an earlier lookup, or there is nothing that tells."""
    a, step = query("www.example.com", "A", id=5), query("www.example.com", "A", id=800, flags=0)
    dnskey = query("example.org", "DNSKEY", id=700, flags=0)
    traffic = Resolver()
    if keys:
        traffic.upstream(1.0, dnskey, 9).upstream(1.001, response(dnskey, aa=True, ra=False), 9)
    traffic.send(10.0, a).upstream(10.001, step, 0).upstream(10.061, response(step, aa=True, ra=False), 0)
    traffic.send(10.13, response(a, answer=None, rcode="SERVFAIL"))
    (row,) = lookups_of(traffic.octets())
    assert ("dnssec-bogus" in row["causes"]) == keys
    assert "servfail" in row["causes"]
    assert "cold-recursion" not in row["causes"]
