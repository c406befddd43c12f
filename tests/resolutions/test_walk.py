"""Walks hop by hop."""

import pytest

import dnscap
from dnscap.errors import UsageError
from tests.resolutions.test_properties import lab
from tests.resolutions.traffic import MS, ROOT, TLD, Traffic

WWW = "www.example.com."


def walked() -> Traffic:
    """From the root down, past a server without glue and one that refuses."""
    traffic = Traffic()
    answer = (f"{WWW} 300 A 203.0.113.1",)
    traffic.ask(0, took=40 * MS, answer=answer)
    traffic.upstream(
        MS, ".", "NS", server=ROOT, answer=(". 3600 NS a.root.",), additional=(f"a.root. 60 A {ROOT}",)
    )
    traffic.upstream(3 * MS, "com.", server=ROOT, aa=False, authority=("com. 60 NS ns.com.",),
                     additional=(f"ns.com. 60 A {TLD}",))  # fmt: skip
    traffic.upstream(
        5 * MS, "example.com.", server=TLD, aa=False, authority=("example.com. 60 NS ns.dns.test.",)
    )
    traffic.upstream(8 * MS, "ns.dns.test.", server=ROOT, answer=("ns.dns.test. 60 A 198.51.100.3",))
    traffic.upstream(12 * MS, rcode=5, aa=False, took=4 * MS)
    traffic.upstream(20 * MS, server="198.51.100.4", answer=answer, took=10 * MS)
    traffic.upstream(35 * MS, "example.com.", "DNSKEY", answer=("example.com. 60 DNSKEY 257 3 13 AAAA",))
    return traffic


def test_hops_are_told_apart() -> None:
    walk = dnscap.read(walked().octets()).walk(0)
    assert [hop.kind for hop in walk.hops] == [
        "priming", "referral", "referral", "ns-address", "failure", "retry", "dnssec",
    ]  # fmt: skip
    assert [hop.zone for hop in walk.hops][1:3] == ["com.", "example.com."]
    assert [hop.glue for hop in walk.hops][1:3] == [1, 0]
    assert walk.hops[5].charged == 10 * MS
    assert walk.own + sum(hop.charged for hop in walk.hops) == 40 * MS
    assert "ns-address" in str(walk)


def test_no_such_resolution() -> None:
    with pytest.raises(UsageError, match="no resolution 9"):
        dnscap.read(walked().octets()).walk(9)


def test_a_chain_over_five_zones() -> None:
    capture = dnscap.read(lab("cname-chain/glibc-unbound"))
    walk = capture.walk(0)
    assert [hop.kind for hop in walk.hops].count("alias") == 4
    assert [hop.kind for hop in walk.hops].count("referral") == 7
    assert walk.hops[-1].kind == "answer"


def test_name_servers_that_are_looked_up() -> None:
    capture = dnscap.read(lab("lame-delegation/unbound"))
    kinds = {hop.kind for walk in capture.walks("rcode = 'SERVFAIL'") for hop in walk.hops}
    assert "failure" in kinds
