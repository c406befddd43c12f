"""Names: changes, challenges, lifetimes, views, forms of records, signatures."""

from __future__ import annotations

import itertools
from typing import Any

import dns.dnssec
import dns.rdata

from tests.findings.pairs import Pair
from tests.resolutions.traffic import CLIENT, OTHER, RESOLVER, SECOND, START, TLD, ZONE, Traffic

PUBLIC, SECOND_ZONE = "192.0.2.88", "198.51.100.4"
WWW = "www.example.com."
ZONE_NAME = "example.com."
ACME = "_acme-challenge.example.com."
SOA = f"{ZONE_NAME} 900 SOA ns1.example.com. host.example.com. 1 7200 3600 1209600 600"
MINUTE = 60 * SECOND
DAY = 86_400
KEY = "257 3 13 kXKkvWU3vGYfTJGl3qBd4qhiWp5aRs7YtkCJxD2d+t7KXqwahww5IgJtxJT2yFItlggazyfXqJEVOmMJ3qT0tQ=="


def own(traffic: Traffic, at: int, *records: str, name: str = WWW, qtype: str = "A", **rest: Any) -> None:
    """The zone's own server answers."""
    traffic.upstream(at, name, qtype, server=rest.pop("server", ZONE), answer=records, **rest)


def cached(traffic: Traffic, at: int, *records: str, name: str = WWW, qtype: str = "A", **rest: Any) -> None:
    """A resolver answers."""
    traffic.ask(at, name, qtype, answer=records, **rest)


def a(value: str, ttl: int = 600, name: str = WWW) -> str:
    return f"{name} {ttl} A {value}"


def txt(value: str, ttl: int = 300) -> str:
    return f'{ACME} {ttl} TXT "{value}"'


def migration(*, follows: bool) -> Traffic:
    """The zone changes an address; a resolver gives the old one later, or the new."""
    traffic = Traffic()
    own(traffic, 0, a("203.0.113.1"))
    cached(traffic, SECOND, a("203.0.113.1", 599))
    own(traffic, MINUTE, a("203.0.113.2"))
    own(traffic, 2 * MINUTE, a("203.0.113.2"))
    if follows:
        cached(traffic, 11 * MINUTE, a("203.0.113.2"))
    else:
        cached(traffic, 5 * MINUTE, a("203.0.113.1", 300))
    return traffic


def pending(later: int) -> Traffic:
    traffic = Traffic()
    own(traffic, 0, a("203.0.113.1"))
    cached(traffic, SECOND, a("203.0.113.1", 599))
    own(traffic, later, a("203.0.113.2"))
    return traffic


def early(*, first: bool) -> Traffic:
    """A name is denied before it is there, or after."""
    traffic = Traffic()
    traffic.ask(0 if first else 12 * MINUTE, WWW, authority=(SOA,), rcode=3)
    cached(traffic, 11 * MINUTE, a("203.0.113.1", 30))
    return traffic


def lowered(changed_after: int) -> Traffic:
    traffic = Traffic()
    own(traffic, 0, a("203.0.113.1", 3600))
    own(traffic, changed_after - SECOND, a("203.0.113.1", 60))
    own(traffic, changed_after, a("203.0.113.2", 60))
    return traffic


def challenge(ttl: int = 300) -> Traffic:
    traffic = Traffic()
    own(traffic, 0, txt("one", ttl), name=ACME, qtype="TXT")
    return traffic


def no_challenge() -> Traffic:
    traffic = Traffic()
    own(traffic, 0, f'{ZONE_NAME} 300 TXT "v=spf1 -all"', name=ZONE_NAME, qtype="TXT")
    return traffic


def parts(*later: str) -> Traffic:
    traffic = Traffic()
    own(traffic, 0, txt("one"), name=ACME, qtype="TXT")
    cached(traffic, SECOND, txt("one"), name=ACME, qtype="TXT")
    own(traffic, MINUTE, txt("one"), txt("two"), name=ACME, qtype="TXT")
    cached(traffic, 2 * MINUTE, *(txt(value, 180) for value in later), name=ACME, qtype="TXT")
    return traffic


def leftover(apart: int) -> Traffic:
    traffic = Traffic()
    own(traffic, 0, txt("one"), name=ACME, qtype="TXT")
    own(traffic, apart, txt("one"), txt("two"), name=ACME, qtype="TXT")
    return traffic


def signed(*ends: int) -> Traffic:
    """Names whose signatures end so many seconds from the start."""
    traffic = Traffic()
    start = START // SECOND
    for place, end in enumerate(ends):
        name = f"n{place}.example.com."
        inception = start - 20 * DAY
        signature = f"{name} 600 RRSIG A 13 3 600 {start + end} {inception} 1 example.com. {'A' * 86}=="
        own(traffic, place * SECOND, a("203.0.113.1", name=name), signature, name=name)
    return traffic


def keys(*, fit: bool) -> Traffic:
    tag = dns.dnssec.key_id(dns.rdata.from_text("IN", "DNSKEY", KEY))
    traffic = Traffic()
    ds = f"{ZONE_NAME} 3600 DS {tag if fit else tag ^ 1} 13 2 {'aa' * 32}"
    own(traffic, 0, ds, name=ZONE_NAME, qtype="DS", server=TLD)
    own(traffic, SECOND, f"{ZONE_NAME} 3600 DNSKEY {KEY}", name=ZONE_NAME, qtype="DNSKEY")
    return traffic


def failing(ede: int | None) -> Traffic:
    traffic = Traffic()
    traffic.ask(0, WWW, rcode=2, ede=ede)
    return traffic


def popular(queries: int) -> Traffic:
    traffic = Traffic()
    for place in range(queries):
        cached(traffic, place * 30 * SECOND, a("203.0.113.1", 20))
    return traffic


def lasting(ttl: int) -> Traffic:
    traffic = Traffic()
    own(traffic, 0, a("203.0.113.1", ttl))
    return traffic


def denied(minimum: int) -> Traffic:
    traffic = Traffic()
    soa = SOA.replace(" 900 SOA", " 90000 SOA").replace(" 600", f" {minimum}")
    traffic.upstream(0, WWW, authority=(soa,), rcode=3)
    return traffic


def two_views(*, same: bool) -> Traffic:
    traffic = Traffic()
    cached(traffic, 0, a("8.8.8.8" if same else "10.0.0.5"))
    cached(traffic, SECOND, a("8.8.4.4"), resolver=PUBLIC)
    return traffic


def by_client(*, mixed: bool) -> Traffic:
    traffic = Traffic()
    for turn in range(4):
        one, two = ("203.0.113.1", "203.0.113.2") if not mixed or turn % 2 else ("203.0.113.2", "203.0.113.1")
        cached(traffic, turn * MINUTE, a(one), client=CLIENT)
        cached(traffic, turn * MINUTE + SECOND, a(two), client=OTHER)
    return traffic


def alias_at(name: str) -> Traffic:
    traffic = Traffic()
    own(traffic, 0, f"{ZONE_NAME} 3600 NS ns1.example.com.", name=ZONE_NAME, qtype="NS")
    own(traffic, SECOND, f"{name} 300 CNAME lb.example.net.", name=name)
    return traffic


def mail_to(target: str) -> Traffic:
    traffic = Traffic()
    own(traffic, 0, f"{ZONE_NAME} 3600 MX 10 {target}", name=ZONE_NAME, qtype="MX")
    own(traffic, SECOND, a("203.0.113.1", name="mail.example.com."), name="mail.example.com.")
    return traffic


def services(*names: str) -> Traffic:
    traffic = Traffic()
    for name in names:
        traffic.ask(0, name, "SRV", authority=(SOA,), rcode=3)
    return traffic


def mistyped(absent: str) -> Traffic:
    traffic = Traffic()
    for turn in range(5):
        cached(traffic, turn * SECOND, a("203.0.113.1"))
    traffic.ask(6 * SECOND, absent, authority=(SOA,), rcode=3)
    return traffic


def aliases(links: int) -> Traffic:
    """A name that leads through so many aliases."""
    hops = [WWW, *(f"c{k}.example.com." for k in range(links))]
    records = [f"{one} 300 CNAME {two}" for one, two in itertools.pairwise(hops)]
    traffic = Traffic()
    traffic.ask(0, answer=(*records, a("203.0.113.1", name=hops[-1])))
    return traffic


def dangling(*, there: bool) -> Traffic:
    traffic = Traffic()
    alias = f"{WWW} 300 CNAME gone.example.net."
    if there:
        traffic.ask(0, answer=(alias, a("203.0.113.1", name="gone.example.net.")))
    else:
        traffic.ask(0, answer=(alias,), authority=(SOA.replace(ZONE_NAME, "example.net.", 1),), rcode=3)
    return traffic


def told_outside(resolver: str) -> Traffic:
    traffic = Traffic()
    for k in range(6):
        traffic.ask(k * SECOND, f"db{k}.corp.", resolver=resolver, rcode=3)
    return traffic


def target_zone(*, fails: bool) -> Traffic:
    """An alias into another zone, whose server is silent or answers."""
    traffic = Traffic()
    target = "edge.provider.net."
    alias = f"{WWW} 300 CNAME {target}"
    end = a("203.0.113.1", name=target)
    own(traffic, 1_000_000, alias)
    if fails:
        traffic.upstream(3_000_000, target, server=SECOND_ZONE, rcode=2)
        traffic.ask(0, WWW, took=8_000_000, rcode=2)
    else:
        own(traffic, 3_000_000, end, name=target, server=SECOND_ZONE)
        traffic.ask(0, WWW, took=8_000_000, answer=(alias, end))
    return traffic


def again(count: int, apart: int, *, absent: bool = False) -> Traffic:
    """One client asks so often for one name; or a resolver for one that does not exist."""
    traffic = Traffic()
    for turn in range(count):
        if absent:
            traffic.upstream(turn * apart, "no.example.com.", authority=(SOA,), rcode=3)
        else:
            cached(traffic, turn * apart, a("203.0.113.1", 300))
    return traffic


def at_root(count: int, *, letter: bool) -> Traffic:
    """Questions to a server of the root, or of a zone."""
    traffic = Traffic()
    server = "198.41.0.4" if letter else ZONE
    soa = ". 86400 SOA a.root-servers.net. nstld.verisign-grs.com. 1 1800 900 604800 86400"
    for turn in range(count):
        traffic.upstream(turn * SECOND, f"h{turn}.invalid{turn}.", server=server, authority=(soa,), rcode=3)
    return traffic


def primed(*times: int) -> Traffic:
    """A resolver asks for the servers of the root."""
    traffic = Traffic()
    records = tuple(f". 518400 NS {letter}.root-servers.net." for letter in "ab")
    for time in times:
        own(traffic, time, *records, name=".", qtype="NS", server="198.41.0.4")
    return traffic


def service_at(*, alias: bool) -> Traffic:
    traffic = Traffic()
    name, target = "_sip._tcp.example.com.", "sip.example.com."
    own(traffic, 0, f"{name} 300 SRV 0 0 5060 {target}", name=name, qtype="SRV")
    record = f"{target} 300 CNAME host.example.net." if alias else a("203.0.113.1", name=target)
    own(traffic, SECOND, record, name=target)
    return traffic


def authorities(rcode: int) -> Traffic:
    traffic = Traffic()
    traffic.ask(0, ZONE_NAME, "CAA", rcode=rcode, authority=() if rcode else (SOA,))
    return traffic


def families(*, empty: bool) -> Traffic:
    """Questions for AAAA, answered with nothing or with addresses."""
    traffic = Traffic()
    for turn in range(220):
        name = f"h{turn}.example.com."
        if empty:
            traffic.ask(turn * SECOND, name, "AAAA", authority=(SOA,))
        else:
            traffic.ask(turn * SECOND, name, "AAAA", answer=(f"{name} 300 AAAA 2001:db8::1",))
    return traffic


def below_suffix(*, some_work: bool) -> Traffic:
    """Names below one suffix fail, others are answered."""
    traffic = Traffic()
    cached(traffic, 0, a("203.0.113.1"))
    for turn in range(4):
        traffic.ask((1 + turn) * SECOND, f"h{turn}.corp.example.net.", rcode=2)
    if some_work:
        name = "h9.corp.example.net."
        cached(traffic, 9 * SECOND, a("203.0.113.1", name=name), name=name)
    return traffic


def fetched(qtype: str, data: str) -> Traffic:
    traffic = Traffic()
    own(traffic, 0, f"{ZONE_NAME} 3600 {qtype} {data}", name=ZONE_NAME, qtype=qtype)
    return traffic


PAIRS: dict[str, Pair] = {
    "stale-layer": (lambda: migration(follows=False), lambda: migration(follows=True)),
    "propagation-pending": (lambda: pending(MINUTE), lambda: pending(11 * MINUTE)),
    "asked-too-early": (lambda: early(first=True), lambda: early(first=False)),
    "ttl-lowered-too-late": (lambda: lowered(2 * MINUTE), lambda: lowered(90 * MINUTE)),
    "acme-challenge": (challenge, no_challenge),
    "acme-ttl-high": (lambda: challenge(3600), lambda: challenge(300)),
    "rrset-partial": (lambda: parts("one"), lambda: parts("one", "two")),
    "rrset-leftover": (lambda: leftover(60 * MINUTE), lambda: leftover(5 * SECOND)),
    "rrsig-expired": (lambda: signed(-DAY, 10 * DAY), lambda: signed(10 * DAY)),
    "rrsig-soon": (lambda: signed(DAY // 2), lambda: signed(10 * DAY)),
    "ds-dnskey-mismatch": (lambda: keys(fit=False), lambda: keys(fit=True)),
    "dnssec-bogus-suspected": (lambda: failing(6), lambda: failing(22)),
    "ttl-advice": (lambda: popular(40), lambda: popular(5)),
    "ttl-very-long": (lambda: lasting(172_800), lambda: lasting(300)),
    "ttl-very-short": (lambda: lasting(5), lambda: lasting(300)),
    "neg-ttl-out-of-band": (lambda: denied(5), lambda: denied(600)),
    "split-horizon": (lambda: two_views(same=False), lambda: two_views(same=True)),
    "answer-by-client": (lambda: by_client(mixed=False), lambda: by_client(mixed=True)),
    "apex-cname": (lambda: alias_at(ZONE_NAME), lambda: alias_at(WWW)),
    "mx-to-ip-or-cname": (lambda: mail_to("192.0.2.25."), lambda: mail_to("mail.example.com.")),
    "ad-locator": (
        lambda: services("_ldap._tcp.dc._msdcs.corp.example.com.", "_kerberos._tcp.corp.example.com."),
        lambda: services("_xmpp-client._tcp.example.com."),
    ),
    "nxdomain-typo": (lambda: mistyped("wwww.example.com."), lambda: mistyped("imap.example.com.")),
    "long-cname-chain": (lambda: aliases(5), lambda: aliases(2)),
    "dangling-cname": (lambda: dangling(there=False), lambda: dangling(there=True)),
    "internal-name-leak": (lambda: told_outside("8.8.8.8"), lambda: told_outside(RESOLVER)),
    "app-cache-absent": (lambda: again(30, SECOND), lambda: again(30, 100 * SECOND)),
    "neg-cache-violated": (
        lambda: again(4, 20 * SECOND, absent=True),
        lambda: again(4, 700 * SECOND, absent=True),
    ),
    "root-queries-high": (lambda: at_root(120, letter=True), lambda: at_root(120, letter=False)),
    "resolver-restart-suspected": (lambda: primed(0, 3600 * SECOND), lambda: primed(0, SECOND)),
    "srv-target-cname": (lambda: service_at(alias=True), lambda: service_at(alias=False)),
    "caa-servfail": (lambda: authorities(2), lambda: authorities(0)),
    "aaaa-waste": (lambda: families(empty=True), lambda: families(empty=False)),
    "suffix-fails": (lambda: below_suffix(some_work=False), lambda: below_suffix(some_work=True)),
    "validating-resolver": (lambda: fetched("DNSKEY", KEY), lambda: fetched("TXT", '"x"')),
    "cname-target-fails": (lambda: target_zone(fails=True), lambda: target_zone(fails=False)),
}
