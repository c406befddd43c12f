"""What holds of all traffic: batches make no difference, state is bounded, walks add up."""

import os
import random
from pathlib import Path

import pytest

import dnscap
from dnscap.lookups.assembling import Assembling
from dnscap.resolutions.resolving import Resolving
from tests.resolutions.traffic import MS, OTHER, SECOND, START, ZONE, Traffic, resolutions_cut
from tests.sampling import some

SHARED = Path(os.environ.get("DNSCAP_SHARED", Path(__file__).parents[3] / "shared"))
LAB = ("prefetch/unbound", "serve-stale/unbound", "cname-chain/go-pdns", "forwarder/dnsmasq-unbound")


def lab(variant: str) -> Path:
    path = SHARED / "lab" / variant / "resolver.any.pcap"
    if not path.exists():
        pytest.skip("the lab captures are not here")
    return path


def noise(seed: int, count: int) -> Traffic:
    """Clients, a resolver and the world at random, with names that have to do with each other."""
    chance = random.Random(seed)
    labels = ["www", "mail", "a", "b", "ns1"]
    zones = ["example.com.", "example.net.", "b.example.com."]
    traffic = Traffic()
    at = 0
    for _ in range(count):
        at += chance.randrange(4 * MS)
        name = f"{chance.choice(labels)}.{chance.choice(zones)}"
        took = chance.randrange(1, 60) * MS // 2
        ttl = chance.choice([0, 1, 5, 300])
        answer = chance.choice(
            [(f"{name} {ttl} A 203.0.113.1",), (f"{name} {ttl} CNAME mail.example.net.",), ()]
        )
        kind = chance.random()
        rest = {"took": took, "answer": answer, "rcode": chance.choice([0, 0, 0, 2, 3])}
        if chance.random() < 0.1:
            rest = {"silent": True}
        if kind < 0.5:
            traffic.ask(
                at, name, chance.choice(["A", "AAAA"]), client=f"192.0.2.{chance.randrange(10, 14)}", **rest
            )
        elif kind < 0.9:
            traffic.upstream(at, name, server=chance.choice([ZONE, "198.51.100.9"]), **rest)
        else:
            traffic.exchange(at, OTHER, "192.0.2.99", name, **rest)
    return traffic


@pytest.mark.parametrize("seed", some(range(4), 2))
@pytest.mark.parametrize("piece", [200, 5000])
def test_batches_make_no_difference(seed: int, piece: int) -> None:
    octets = noise(seed, 250).octets()
    assert resolutions_cut(octets, piece)[0] == resolutions_cut(octets, 1 << 22)[0]


@pytest.mark.parametrize("variant", LAB)
def test_batches_make_no_difference_to_the_lab(variant: str) -> None:
    octets = lab(variant).read_bytes()
    assert resolutions_cut(octets, 300)[0] == resolutions_cut(octets, 1 << 22)[0]


@pytest.mark.parametrize("seed", some(range(4), 2))
def test_rows_are_in_order_and_whole(seed: int) -> None:
    rows = noise(seed, 250).rows()
    assert [row["resolution"] for row in rows] == list(range(len(rows)))
    assert [row["exchange"] for row in rows] == sorted(row["exchange"] for row in rows)
    for row in rows:
        assert (row["rcode"] is None) == (row["latency"] is None)
        assert row["exchange"] not in row["upstream"]
        assert row["upstream"] == sorted(set(row["upstream"]))
        if row["latency"] is not None:
            assert row["upstream_time"] <= row["latency"]
        if row["cache"] in ("hit", "negative-hit", "prefetch"):
            assert row["upstream"] == []


@pytest.mark.parametrize("seed", some(range(4), 2))
def test_the_time_of_a_walk_adds_up(seed: int) -> None:
    capture = dnscap.read(noise(seed, 200).octets())
    for walk in capture.walks("len(upstream) > 0"):
        if walk.resolution["latency"] is not None:
            assert sum(hop.charged for hop in walk.hops) + walk.own == walk.resolution["latency"]
        assert len(walk.hops) == len(walk.resolution["upstream"])
        assert str(walk)


def test_a_flood_of_names_that_nobody_answers_is_bounded() -> None:
    traffic = Traffic()
    count = 70_000
    for k in range(count):
        if k % 5000 == 0:
            traffic.miss(k * 1000, f"live{k}.example.com.")
        query = Traffic()
        query.port = k % 40_000 + 1024
        if k < 100:
            query.ask(k * 1000, f"r{k}.example.com.", silent=True)
            traffic.packets += query.packets
    # One packet stands for many: its question and port are written over.
    model = traffic.packets[5][1]
    start = traffic.packets[0][0]
    for k in range(count):
        packet = bytearray(model)
        packet[20:22] = (k % 60_000 + 1024).to_bytes(2, "big")
        packet[28:30] = (k % 65_536).to_bytes(2, "big")
        traffic.packets.append((start + 3_000_000 + k * 1000, bytes(packet)))
    rows, most, counts = resolutions_cut(traffic.octets(), 1 << 16)
    assert most <= 1 << 16
    assert counts["resolutions_cut_short"] > 0
    assert len(rows) >= count


def test_forged_servers_are_told_apart_up_to_a_limit() -> None:
    traffic = Traffic()
    traffic.ask(0, silent=True)
    start, model = traffic.packets[0]
    for k in range(20_000):
        packet = bytearray(model)
        packet[16:20] = (0x0A000000 + k).to_bytes(4, "big")
        traffic.packets.append((start + k * 1000, bytes(packet)))
    rows, _, counts = resolutions_cut(traffic.octets(), 1 << 16)
    assert counts["resolvers_not_told_apart"] > 0
    assert len(rows) == 20_001


@pytest.mark.parametrize("seed", range(3))
def test_damage_never_stops_it(seed: int) -> None:
    chance = random.Random(seed)
    octets = bytearray(noise(seed, 200).octets())
    for _ in range(300):
        octets[chance.randrange(24, len(octets))] = chance.randrange(256)
    resolutions_cut(bytes(octets), 1 << 16)


def test_time_that_jumps() -> None:
    traffic = Traffic()
    traffic.miss(0)
    traffic.hit(-5 * SECOND)
    traffic.hit(10**9 * SECOND)
    traffic.miss(10**9 * SECOND + SECOND, client=OTHER)
    assert len(traffic.rows()) == 4


def test_time_without_messages_lets_rows_go() -> None:
    """A watcher need not wait for the next query to see the last ones."""
    traffic = Traffic()
    traffic.miss(0)
    resolving = Resolving()
    assembling = Assembling(resolving)
    last = 0
    for batch in dnscap.read(traffic.octets()).batches():
        list(assembling.feed(batch))
        last = START
    list(assembling.tick(last + 5 * SECOND))
    assert [batch.resolutions for batch in resolving.taken()] == [1]
