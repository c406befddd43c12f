"""Delegations: parent against zone, glue, and where the servers stand."""

from __future__ import annotations

from tests.findings.pairs import Pair
from tests.findings.pairs.names import SECOND_ZONE, SOA, WWW, ZONE_NAME, a, own
from tests.resolutions.traffic import SECOND, TLD, ZONE, Traffic

NS1, NS2 = "ns1.example.com.", "ns2.example.com."
GLUE = (f"{NS1} 3600 A {ZONE}", f"{NS2} 3600 A {SECOND_ZONE}")
SHORT_GLUE = (f"{NS1} 300 A {ZONE}", f"{NS2} 300 A {SECOND_ZONE}")


def referral(
    traffic: Traffic,
    at: int,
    hosts: tuple[str, ...],
    glue: tuple[str, ...] = (),
    ttl: int = 3600,
    zone: str = ZONE_NAME,
    name: str = WWW,
) -> None:
    """The parent refers to the servers of a zone."""
    authority = tuple(f"{zone} {ttl} NS {host}" for host in hosts)
    traffic.upstream(at, name, server=TLD, aa=False, authority=authority, additional=glue)


def apex(traffic: Traffic, at: int, hosts: tuple[str, ...], ttl: int = 3600) -> None:
    own(traffic, at, *(f"{ZONE_NAME} {ttl} NS {host}" for host in hosts), name=ZONE_NAME, qtype="NS")


def sound() -> Traffic:
    """A delegation without fault."""
    traffic = Traffic()
    referral(traffic, 0, (NS1, NS2), GLUE)
    apex(traffic, SECOND, (NS1, NS2))
    own(traffic, 2 * SECOND, f"{NS1} 3600 A {ZONE}", name=NS1)
    return traffic


def drift() -> Traffic:
    traffic = Traffic()
    referral(traffic, SECOND, (NS1, NS2), GLUE)
    apex(traffic, 0, ("ns1.example.net.", "ns2.example.net."))
    return traffic


def other_ttl() -> Traffic:
    traffic = Traffic()
    referral(traffic, SECOND, (NS1, NS2), GLUE)
    apex(traffic, 0, (NS1, NS2), 86400)
    return traffic


def other_glue() -> Traffic:
    traffic = Traffic()
    referral(traffic, SECOND, (NS1, NS2), GLUE)
    own(traffic, 0, f"{NS1} 3600 A 203.0.113.99", name=NS1)
    return traffic


def referred(hosts: tuple[str, ...], glue: tuple[str, ...] = (), ttl: int = 3600) -> Traffic:
    traffic = Traffic()
    referral(traffic, 0, hosts, glue, ttl)
    return traffic


def serials(*, lag: int) -> Traffic:
    traffic = Traffic()
    own(traffic, 0, SOA.replace(" 1 7200", f" {1 + lag} 7200"), name=ZONE_NAME, qtype="SOA")
    own(traffic, 3 * 3600 * SECOND, SOA, name=ZONE_NAME, qtype="SOA", server=SECOND_ZONE)
    return traffic


def standing(one: str, two: str) -> Traffic:
    """A zone whose servers have these addresses."""
    return referred((NS1, NS2), (f"{NS1} 3600 A {one}", f"{NS2} 3600 A {two}"))


def circle(*, way_in: bool) -> Traffic:
    """Two zones whose servers have names in each other."""
    traffic = Traffic()
    one, two = "ns.example.net.", "ns.example.com."
    referral(traffic, 0, (one,), (a("203.0.113.53", name=one),) if way_in else ())
    referral(traffic, SECOND, (two,), zone="example.net.", name="www.example.net.")
    return traffic


def lame(rcode: int) -> Traffic:
    """A server to which a zone is delegated refuses to answer for it, or answers."""
    traffic = Traffic()
    referral(traffic, 0, (NS1, NS2), GLUE)
    answer = () if rcode else (a("203.0.113.1"),)
    for turn in range(3):
        traffic.upstream(SECOND * (1 + turn), WWW, answer=answer, rcode=rcode, aa=not rcode)
        own(traffic, SECOND * (5 + turn), a("203.0.113.1"), server=SECOND_ZONE)
    return traffic


def upward() -> Traffic:
    """It refers back to the root."""
    traffic = Traffic()
    referral(traffic, 0, (NS1, NS2), GLUE)
    traffic.upstream(SECOND, WWW, aa=False, authority=(". 518400 NS a.root-servers.net.",))
    return traffic


def move(*, late: bool, same: bool = True, back: bool = False) -> Traffic:
    """The parent delegates a zone to other servers; the old ones are asked afterwards, too, or only before."""
    traffic = Traffic()
    old, new = "198.51.100.21", "198.51.100.22"
    glue = tuple(f"{ns} 3600 A {at}" for ns, at in ((OLD_NS, old), (NEW_NS, new)))
    referral(traffic, 0, (OLD_NS,), glue[:1], zone=ZONE_NAME)
    own(traffic, SECOND, a("203.0.113.1"), server=old)
    referral(traffic, 600 * SECOND, (NEW_NS,), glue[1:], zone=ZONE_NAME)
    own(traffic, 601 * SECOND, a("203.0.113.1" if same else "203.0.113.2"), server=new)
    if back:
        referral(traffic, 700 * SECOND, (OLD_NS,), glue[:1], zone=ZONE_NAME)
    if late:
        own(traffic, 4000 * SECOND, a("203.0.113.1"), server=old)
    return traffic


OLD_NS, NEW_NS = "ns.old.example.", "ns.new.example."

PAIRS: dict[str, Pair] = {
    "parent-child-ns-drift": (drift, sound),
    "parent-child-ttl-drift": (other_ttl, sound),
    "glue-mismatch": (other_glue, sound),
    "glue-missing": (lambda: referred((NS1, NS2)), sound),
    "ns-glue-ttl-mismatch": (lambda: referred((NS1, NS2), SHORT_GLUE, 86400), sound),
    "ns-too-few": (lambda: referred((NS1,), GLUE[:1]), sound),
    "soa-serial-drift": (lambda: serials(lag=1), lambda: serials(lag=0)),
    "delegation-change": (lambda: move(late=False), lambda: move(late=False, back=True)),
    "stale-delegation": (lambda: move(late=True), lambda: move(late=False)),
    "provider-answers-differ": (lambda: move(late=False, same=False), lambda: move(late=False)),
    "lame-delegation": (lambda: lame(5), lambda: lame(0)),
    "ns-single-network": (lambda: standing("9.9.9.1", "9.9.9.2"), lambda: standing("9.9.9.1", "8.8.8.8")),
    "circular-glue": (lambda: circle(way_in=False), lambda: circle(way_in=True)),
}
