"""Findings about names: each raised by traffic that shows it, and not by traffic that nearly does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dns.dnssec
import dns.flags
import dns.message
import dns.rdata
import dns.rrset
import pytest

import dnscap
from dnscap.findings import challenges, delegations, dnssec, lifetimes, propagation, record_forms, views
from dnscap.findings.dnssec import key_tag
from tests.findings.pairs.names import (
    ACME,
    MINUTE,
    PUBLIC,
    SECOND_ZONE,
    SOA,
    WWW,
    ZONE_NAME,
    a,
    cached,
    own,
    txt,
)
from tests.resolutions.traffic import CLIENT, OTHER, RESOLVER, ROOT, SECOND, START, TLD, ZONE, Traffic

FAMILIES = (propagation, challenges, delegations, dnssec, lifetimes, views, record_forms)
IDS = {rule.id for family in FAMILIES for rule in family.RULES}


def all_of(traffic: Traffic) -> list[dict[str, Any]]:
    """Findings about names."""
    rows = dnscap.read(traffic.octets()).to_arrow("findings").to_pylist()
    return [row for row in rows if row["id"] in IDS]


def found(traffic: Traffic) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in all_of(traffic)}


def migration(*, seen_old: bool = True) -> Traffic:
    """The zone changes an address; a resolver gives the old one five minutes later."""
    traffic = Traffic()
    own(traffic, 0, a("203.0.113.1"))
    cached(traffic, SECOND, a("203.0.113.1", 599))
    own(traffic, MINUTE, a("203.0.113.2"))
    own(traffic, 2 * MINUTE, a("203.0.113.2"))
    if seen_old:
        cached(traffic, 5 * MINUTE, a("203.0.113.1", 300))
    return traffic


# ---------------------------------------------------------------- changes


def test_stale_layer() -> None:
    row = found(migration())["stale-layer"]
    assert row["severity"] == "low"
    assert row["subject"] == WWW
    assert RESOLVER in row["title"]
    assert len([e for e in row["evidence"] if e.startswith("frame:")]) == 2


def test_no_stale_layer_where_the_resolver_follows() -> None:
    traffic = migration(seen_old=False)
    cached(traffic, 11 * MINUTE, a("203.0.113.2"))
    assert "stale-layer" not in found(traffic)


def test_no_stale_layer_where_answers_come_by_turns() -> None:
    traffic = Traffic()
    for turn in range(6):
        own(traffic, turn * MINUTE, a(f"203.0.113.{1 + turn % 2}", 30))
        cached(traffic, turn * MINUTE + SECOND, a(f"203.0.113.{2 - turn % 2}", 30))
    assert not {"stale-layer", "propagation-pending"} & found(traffic).keys()


def test_no_stale_layer_between_caches_that_chose_among_addresses() -> None:
    # A content network: each resolver gets what is near it, and another value before the old one expired.
    traffic = Traffic()
    cached(traffic, 0, a("203.0.113.1", 300))
    cached(traffic, SECOND, a("203.0.113.2", 299))
    cached(traffic, 2 * SECOND, a("203.0.113.1", 298), resolver=PUBLIC)
    assert "stale-layer" not in found(traffic)


def test_propagation_pending() -> None:
    traffic = Traffic()
    own(traffic, 0, a("203.0.113.1"))
    cached(traffic, SECOND, a("203.0.113.1", 599))
    own(traffic, MINUTE, a("203.0.113.2"))
    row = found(traffic)["propagation-pending"]
    assert row["severity"] == "info"
    assert "22:23:20 UTC" in row["title"]  # 600 s after the first answer


def test_nothing_is_pending_once_copies_have_expired() -> None:
    traffic = Traffic()
    own(traffic, 0, a("203.0.113.1"))
    cached(traffic, SECOND, a("203.0.113.1", 599))
    own(traffic, 11 * MINUTE, a("203.0.113.2"))
    assert "propagation-pending" not in found(traffic)


def test_propagation_pending_of_a_name_that_was_absent() -> None:
    traffic = Traffic()
    traffic.upstream(0, ACME, "TXT", authority=(SOA,), rcode=3)
    traffic.ask(1, ACME, "TXT", authority=(SOA,), rcode=3)
    own(traffic, MINUTE, txt("one"), name=ACME, qtype="TXT")
    row = found(traffic)["propagation-pending"]
    assert row["severity"] == "medium"
    assert "22:23:20 UTC" in row["title"]  # 600 s: the MINIMUM, not the TTL of the SOA


def test_asked_too_early() -> None:
    traffic = Traffic()
    traffic.ask(0, WWW, authority=(SOA,), rcode=3)
    own(traffic, MINUTE, a("203.0.113.1"))
    traffic.ask(2 * MINUTE, WWW, authority=(SOA,), rcode=3)
    cached(traffic, 11 * MINUTE, a("203.0.113.1"))
    row = found(traffic)["asked-too-early"]
    assert row["severity"] == "low"
    assert "1 min after its zone had it" in row["title"]


def test_asked_too_early_costs_nothing_where_the_zone_was_as_late() -> None:
    traffic = Traffic()
    traffic.ask(0, WWW, authority=(SOA,), rcode=3)
    cached(traffic, 11 * MINUTE, a("203.0.113.1"))
    assert found(traffic)["asked-too-early"]["severity"] == "info"


def test_not_asked_too_early_where_the_name_went() -> None:
    traffic = Traffic()
    cached(traffic, 0, a("203.0.113.1"))
    traffic.ask(11 * MINUTE, WWW, authority=(SOA,), rcode=3)
    assert "asked-too-early" not in found(traffic)


@pytest.mark.parametrize(("changed_after", "late"), [(2 * MINUTE, True), (90 * MINUTE, False)])
def test_ttl_lowered_too_late(changed_after: int, late: bool) -> None:
    traffic = Traffic()
    own(traffic, 0, a("203.0.113.1", 3600))
    own(traffic, changed_after - SECOND, a("203.0.113.1", 60))
    own(traffic, changed_after, a("203.0.113.2", 60))
    assert ("ttl-lowered-too-late" in found(traffic)) == late


# ---------------------------------------------------------------- challenges


def test_acme_challenge_lists_what_each_server_gives() -> None:
    traffic = Traffic()
    own(traffic, 0, txt("one"), name=ACME, qtype="TXT")
    traffic.ask(SECOND, ACME, "TXT", authority=(SOA,), rcode=3)
    row = found(traffic)["acme-challenge"]
    assert row["severity"] == "info"
    assert ZONE in row["explanation"]
    assert RESOLVER in row["explanation"]


def test_no_challenge_no_finding_about_one() -> None:
    traffic = Traffic()
    own(traffic, 0, f'{ZONE_NAME} 3600 TXT "v=spf1 -all"', name=ZONE_NAME, qtype="TXT")
    assert not {rule.id for rule in challenges.RULES} & found(traffic).keys()


@pytest.mark.parametrize(("ttl", "high"), [(3600, True), (300, False), (60, False)])
def test_acme_ttl_high(ttl: int, high: bool) -> None:
    traffic = Traffic()
    own(traffic, 0, txt("one", ttl), name=ACME, qtype="TXT")
    assert ("acme-ttl-high" in found(traffic)) == high


@pytest.mark.parametrize(("later", "partial"), [(("one",), True), (("one", "two"), False)])
def test_rrset_partial(later: tuple[str, ...], partial: bool) -> None:
    traffic = Traffic()
    own(traffic, 0, txt("one"), name=ACME, qtype="TXT")
    cached(traffic, SECOND, txt("one"), name=ACME, qtype="TXT")
    own(traffic, MINUTE, txt("one"), txt("two"), name=ACME, qtype="TXT")
    cached(traffic, 2 * MINUTE, *(txt(value, 180) for value in later), name=ACME, qtype="TXT")
    assert ("rrset-partial" in found(traffic)) == partial


@pytest.mark.parametrize(("apart", "left"), [(60 * MINUTE, True), (5 * SECOND, False)])
def test_rrset_leftover(apart: int, left: bool) -> None:
    traffic = Traffic()
    own(traffic, 0, txt("one"), name=ACME, qtype="TXT")
    own(traffic, apart, txt("one"), txt("two"), name=ACME, qtype="TXT")
    assert ("rrset-leftover" in found(traffic)) == left


# ---------------------------------------------------------------- delegations


def referral(traffic: Traffic, at: int, hosts: list[str], glue: list[str], ttl: int = 3600) -> None:
    traffic.upstream(
        at,
        WWW,
        server=TLD,
        aa=False,
        authority=tuple(f"{ZONE_NAME} {ttl} NS {host}" for host in hosts),
        additional=tuple(glue),
    )


def apex(traffic: Traffic, at: int, hosts: list[str], ttl: int = 3600, **rest: Any) -> None:
    records = [f"{ZONE_NAME} {ttl} NS {host}" for host in hosts]
    own(traffic, at, *records, name=ZONE_NAME, qtype="NS", **rest)


NS1, NS2 = "ns1.example.com.", "ns2.example.com."
GLUE = [f"{NS1} 3600 A {ZONE}", f"{NS2} 3600 A {SECOND_ZONE}"]


def sound() -> Traffic:
    """A delegation without fault."""
    traffic = Traffic()
    referral(traffic, 0, [NS1, NS2], GLUE)
    apex(traffic, SECOND, [NS1, NS2])
    own(traffic, 2 * SECOND, f"{NS1} 3600 A {ZONE}", name=NS1)
    return traffic


def test_a_sound_delegation_raises_nothing() -> None:
    assert not {rule.id for rule in delegations.RULES} & found(sound()).keys()


DELEGATED: list[tuple[str, str, Callable[[Traffic], None]]] = [
    ("parent-child-ns-drift", "low", lambda t: apex(t, 0, ["ns1.example.net.", "ns2.example.net."])),
    ("parent-child-ns-drift", "info", lambda t: apex(t, 0, [NS1, "ns3.example.com."])),
    ("parent-child-ttl-drift", "info", lambda t: apex(t, 0, [NS1, NS2], 86400)),
    ("glue-mismatch", "low", lambda t: own(t, 0, f"{NS1} 3600 A 203.0.113.99", name=NS1)),
]


@pytest.mark.parametrize(("id_", "severity", "said"), DELEGATED)
def test_parent_against_child(id_: str, severity: str, said: Callable[[Traffic], None]) -> None:
    traffic = Traffic()
    referral(traffic, SECOND, [NS1, NS2], GLUE)
    said(traffic)
    assert found(traffic)[id_]["severity"] == severity


def test_glue_missing() -> None:
    traffic = Traffic()
    referral(traffic, 0, [NS1, NS2], [])
    assert found(traffic)["glue-missing"]["severity"] == "medium"


@pytest.mark.parametrize(
    ("hosts", "glue"),
    [(["ns1.example.net.", "ns2.example.net."], []), ([NS1, NS2], GLUE[:1]), ([NS1, NS2], GLUE)],
    ids=["servers outside", "room for one only", "all"],
)
def test_glue_not_missing(hosts: list[str], glue: list[str]) -> None:
    traffic = Traffic()
    referral(traffic, 0, hosts, glue)
    assert "glue-missing" not in found(traffic)


def test_ns_glue_ttl_mismatch() -> None:
    traffic = Traffic()
    referral(traffic, 0, [NS1, NS2], [f"{NS1} 300 A {ZONE}", f"{NS2} 300 A {SECOND_ZONE}"], ttl=86400)
    assert "ns-glue-ttl-mismatch" in found(traffic)


def test_ns_too_few() -> None:
    traffic = Traffic()
    referral(traffic, 0, [NS1], GLUE[:1])
    assert found(traffic)["ns-too-few"]["severity"] == "info"


@pytest.mark.parametrize(
    ("serial", "after", "severity"), [(2, 3 * 3600, "low"), (2, 60, "info"), (1, 60, None)]
)
def test_soa_serial_drift(serial: int, after: int, severity: str | None) -> None:
    traffic = Traffic()
    own(traffic, 0, SOA.replace(" 1 7200", f" {serial} 7200"), name=ZONE_NAME, qtype="SOA")
    own(traffic, after * SECOND, SOA, name=ZONE_NAME, qtype="SOA", server=SECOND_ZONE)
    assert found(traffic).get("soa-serial-drift", {}).get("severity") == severity


# ---------------------------------------------------------------- DNSSEC

KEY = "257 3 13 kXKkvWU3vGYfTJGl3qBd4qhiWp5aRs7YtkCJxD2d+t7KXqwahww5IgJtxJT2yFItlggazyfXqJEVOmMJ3qT0tQ=="
DIGEST = "aa" * 32


def signature(until: int, begun: int, name: str = WWW) -> str:
    return f"{name} 600 RRSIG A 13 3 600 {until} {begun} 1 example.com. {'A' * 86}=="


def signed(*ends: int, begun: int = -20 * 86_400) -> Traffic:
    """Names whose signatures end so many seconds from the start."""
    traffic = Traffic()
    start = START // SECOND
    for place, end in enumerate(ends):
        name = f"n{place}.example.com."
        own(
            traffic,
            place * SECOND,
            a("203.0.113.1", name=name),
            signature(start + end, start + begun, name),
            name=name,
        )
    return traffic


DAY = 86_400


@pytest.mark.parametrize(
    ("traffic", "severity"),
    [(signed(-DAY, 10 * DAY), "medium"), (signed(-DAY), "info"), (signed(10 * DAY), None)],
    ids=["beside one that holds", "the only one: the clock may be wrong", "holds"],
)
def test_rrsig_expired(traffic: Traffic, severity: str | None) -> None:
    assert found(traffic).get("rrsig-expired", {}).get("severity") == severity


def test_rrsig_soon() -> None:
    assert found(signed(DAY // 2))["rrsig-soon"]["severity"] == "low"
    assert found(signed(2 * DAY))["rrsig-soon"]["severity"] == "info"
    assert "rrsig-soon" not in found(signed(10 * DAY))
    assert "rrsig-soon" not in found(signed(DAY, begun=-DAY))  # signed on the fly, for two days


@pytest.mark.parametrize("fits", [True, False])
def test_ds_dnskey_mismatch(fits: bool) -> None:
    rdata = dns.rdata.from_text("IN", "DNSKEY", KEY)
    tag = dns.dnssec.key_id(rdata)
    assert key_tag(rdata.to_digestable()) == tag
    traffic = Traffic()
    ds = f"{ZONE_NAME} 3600 DS {tag if fits else tag ^ 1} 13 2 {DIGEST}"
    own(traffic, 0, ds, name=ZONE_NAME, qtype="DS", server=TLD)
    own(traffic, SECOND, f"{ZONE_NAME} 3600 DNSKEY {KEY}", name=ZONE_NAME, qtype="DNSKEY")
    assert ("ds-dnskey-mismatch" in found(traffic)) == (not fits)


def unchecked(traffic: Traffic, at: int, port: int) -> None:
    """The same question with CD, which is answered."""
    query = dns.message.make_query(WWW, "A")
    query.flags |= dns.flags.CD
    traffic.send(at, CLIENT, port, RESOLVER, 53, query)
    reply = dns.message.make_response(query, recursion_available=True)
    reply.flags |= dns.flags.CD
    reply.answer.append(dns.rrset.from_text(WWW, 300, "IN", "A", "203.0.113.1"))
    traffic.send(at + 1000, RESOLVER, 53, CLIENT, port, reply)


def test_dnssec_bogus_suspected_where_it_works_unchecked() -> None:
    traffic = Traffic()
    traffic.ask(0, WWW, rcode=2)
    unchecked(traffic, SECOND, 4000)
    row = found(traffic)["dnssec-bogus-suspected"]
    assert row["severity"] == "medium"
    assert "with CD" in row["title"]


@pytest.mark.parametrize(("ede", "bogus"), [(6, True), (9, True), (22, False), (None, False)])
def test_dnssec_bogus_suspected_where_the_resolver_says_so(ede: int | None, bogus: bool) -> None:
    traffic = Traffic()
    traffic.ask(0, WWW, rcode=2, ede=ede)
    assert ("dnssec-bogus-suspected" in found(traffic)) == bogus


# ---------------------------------------------------------------- lifetimes


def test_ttl_advice() -> None:
    traffic = Traffic()
    for place in range(40):
        cached(traffic, place * 30 * SECOND, a("203.0.113.1", 20))
    row = found(traffic)["ttl-advice"]
    assert "50% at 1 min" in row["title"]
    assert "90% at 5 min" in row["title"]
    assert row["severity"] == "info"


def test_no_ttl_advice_from_a_few_queries() -> None:
    traffic = Traffic()
    for place in range(5):
        cached(traffic, place * 30 * SECOND, a("203.0.113.1", 20))
    assert "ttl-advice" not in found(traffic)


@pytest.mark.parametrize(("ttl", "id_"), [(172_800, "ttl-very-long"), (300, None), (5, "ttl-very-short")])
def test_ttl_very_long_or_short(ttl: int, id_: str | None) -> None:
    traffic = Traffic()
    own(traffic, 0, a("203.0.113.1", ttl))
    assert {"ttl-very-long", "ttl-very-short"} & found(traffic).keys() == ({id_} if id_ else set())


def test_what_is_left_of_a_ttl_is_not_a_short_one() -> None:
    traffic = Traffic()
    cached(traffic, 0, a("203.0.113.1", 5))
    assert "ttl-very-short" not in found(traffic)


@pytest.mark.parametrize(("minimum", "odd"), [(5, True), (600, False), (86_400, True)])
def test_negative_ttl_out_of_band(minimum: int, odd: bool) -> None:
    traffic = Traffic()
    soa = SOA.replace(" 900 SOA", " 90000 SOA").replace(" 600", f" {minimum}")
    traffic.upstream(0, WWW, authority=(soa,), rcode=3)
    assert ("neg-ttl-out-of-band" in found(traffic)) == odd


# ---------------------------------------------------------------- views


def test_split_horizon_by_absence() -> None:
    traffic = Traffic()
    cached(traffic, 0, a("10.0.0.5"))
    traffic.ask(SECOND, WWW, resolver=PUBLIC, authority=(SOA,), rcode=3)
    row = found(traffic)["split-horizon"]
    assert row["severity"] == "info"
    assert RESOLVER in row["title"]
    assert PUBLIC in row["title"]


def test_split_horizon_by_reach_of_the_address() -> None:
    traffic = Traffic()
    cached(traffic, 0, a("10.0.0.5"))
    cached(traffic, SECOND, a("8.8.4.4"), resolver=PUBLIC)
    assert "split-horizon" in found(traffic)


def test_no_split_horizon_between_public_addresses() -> None:
    traffic = Traffic()
    cached(traffic, 0, a("8.8.8.8"))
    cached(traffic, SECOND, a("8.8.4.4"), resolver=PUBLIC)
    assert "split-horizon" not in found(traffic)


@pytest.mark.parametrize("mixed", [False, True])
def test_answer_by_client(mixed: bool) -> None:
    traffic = Traffic()
    for turn in range(4):
        one, two = ("203.0.113.1", "203.0.113.2") if not mixed or turn % 2 else ("203.0.113.2", "203.0.113.1")
        cached(traffic, turn * MINUTE, a(one), client=CLIENT)
        cached(traffic, turn * MINUTE + SECOND, a(two), client=OTHER)
    assert ("answer-by-client" in found(traffic)) == (not mixed)


# ---------------------------------------------------------------- forms of records


@pytest.mark.parametrize("name", [ZONE_NAME, WWW])
def test_apex_cname(name: str) -> None:
    traffic = Traffic()
    apex(traffic, 0, [NS1, NS2])
    own(traffic, SECOND, f"{name} 300 CNAME lb.example.net.", name=name)
    assert ("apex-cname" in found(traffic)) == (name == ZONE_NAME)


@pytest.mark.parametrize(
    ("target", "severity"),
    [("192.0.2.25.", "low"), ("mail.example.com.", None), ("alias.example.com.", "info")],
)
def test_mx_to_ip_or_cname(target: str, severity: str | None) -> None:
    traffic = Traffic()
    own(traffic, 0, f"{ZONE_NAME} 3600 MX 10 {target}", name=ZONE_NAME, qtype="MX")
    own(traffic, SECOND, "alias.example.com. 300 CNAME lb.example.net.", name="alias.example.com.")
    own(traffic, SECOND, a("203.0.113.1", name="mail.example.com."), name="mail.example.com.")
    assert found(traffic).get("mx-to-ip-or-cname", {}).get("severity") == severity


def test_ad_locator() -> None:
    traffic = Traffic()
    for name in ("_ldap._tcp.dc._msdcs.corp.example.com.", "_kerberos._tcp.corp.example.com."):
        traffic.ask(0, name, "SRV", authority=(SOA,), rcode=3)
    assert found(traffic)["ad-locator"]["severity"] == "low"
    other = Traffic()
    other.ask(0, "_xmpp-client._tcp.example.com.", "SRV", authority=(SOA,), rcode=3)
    assert "ad-locator" not in found(other)


# ---------------------------------------------------------------- all of them


def test_a_healthy_day_raises_nothing_above_info() -> None:
    traffic = sound()
    traffic.upstream(3 * SECOND, server=ROOT, aa=False, authority=("com. 172800 NS a.gtld.example.",))
    for turn in range(10):
        traffic.miss((10 + turn * 400) * SECOND)
        traffic.hit((11 + turn * 400) * SECOND)
        traffic.ask((12 + turn * 400) * SECOND, "no.example.com.", authority=(SOA,), rcode=3)
    assert not [row["id"] for row in all_of(traffic) if row["severity"] != "info"]
