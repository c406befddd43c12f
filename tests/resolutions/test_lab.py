"""Real resolvers: what their own logs and counters say."""

import json

import dnscap
from tests.resolutions.test_properties import lab


def caches(variant: str) -> list[str]:
    return [row["cache"] for row in dnscap.read(lab(variant)).to_arrow("resolutions").to_pylist()]


def test_prefetch() -> None:
    assert caches("prefetch/unbound") == ["miss", "hit", "prefetch", "hit"]


def test_stale_after_the_client_timeout() -> None:
    assert caches("serve-stale/unbound") == ["miss", "stale", "stale"]


def test_stale_at_once() -> None:
    assert caches("serve-stale/unbound-immediate") == ["miss", "stale", "hit"]


def test_expiry_and_ttl_zero() -> None:
    assert caches("positive-cache/unbound") == ["miss", "hit", "hit", "hit", "miss", "miss", "miss"]


def test_a_hundred_clients_wait_for_one_question() -> None:
    for variant in ("coalescing/unbound-100", "coalescing/pdns-100"):
        found = caches(variant)
        assert found.count("coalesced") == 99
        assert "coalesced" not in found[:1]


def test_a_forwarder_and_the_resolver_behind_it() -> None:
    rows = dnscap.read(lab("forwarder/dnsmasq-unbound")).to_arrow("resolutions").to_pylist()
    at = {row["resolver"]: set() for row in rows}
    for row in rows:
        at[row["resolver"]].add(row["cache"])
    assert at["10.53.1.6"] >= {"forwarded", "hit"}
    assert "miss" in at["10.53.1.2"]


def test_a_forwarder_on_the_loopback() -> None:
    path = lab("plain/glibc-unbound").parents[1].parent / "forwarder" / "dnsmasq-loopback" / "client.any.pcap"
    rows = [
        row for row in dnscap.read(path).to_arrow("resolutions").to_pylist() if row["resolver"] == "127.0.0.1"
    ]
    assert {row["cache"] for row in rows} & {"hit", "negative-hit"}
    assert "forwarded" in {row["cache"] for row in rows}


def test_as_many_hits_as_unbound_counted() -> None:
    path = lab("mixed-clients/healthy")
    (resolver,) = json.loads((path.parent / "truth.json").read_text())["resolvers"]
    counted = resolver["stats_after"]["total.num.cachehits"] - resolver["stats_before"].get(
        "total.num.cachehits", 0
    )
    found = caches("mixed-clients/healthy")
    assert abs(sum(c in ("hit", "negative-hit", "prefetch", "stale") for c in found) - counted) <= 1
