"""What only shows in numbers: IDs and ports, amplification, made-up names, client subnets, clusters."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rrset

from tests.findings.pairs import Pair
from tests.resolutions.traffic import CLIENT, MS, OTHER, RESOLVER, ZONE, Traffic

SECOND = 1000 * MS
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_WORDS = """
mail web shop login cloud api static image video news store blog forum data live support account
secure portal office team project market travel music health school garden kitchen
"""
WORDS = _WORDS.split()


def asks(
    traffic: Traffic,
    at: int,
    name: str,
    qtype: str = "A",
    *,
    port: int,
    number: int,
    client: str = CLIENT,
    server: str = RESOLVER,
    rd: bool = True,
    took: int = MS,
    answer: tuple[str, ...] = (),
    rcode: int = 0,
    tc: bool = False,
    aa: bool = False,
    ra: bool = True,
    silent: bool = False,
    unasked: bool = False,
    subnet: tuple[str, int, int] | None = None,
) -> None:
    """One exchange, with the port and ID that are wanted."""
    query = dns.message.make_query(name, qtype, use_edns=0)
    query.id = number
    query.flags = dns.flags.RD if rd else 0
    if subnet is not None:
        query.use_edns(0, options=[dns.edns.ECSOption(subnet[0], subnet[1], 0)])
    if not unasked:
        traffic.send(at, client, port, server, 53, query)
    if silent:
        return
    reply = dns.message.make_response(query, recursion_available=ra and rd)
    reply.set_rcode(rcode)
    if tc:
        reply.flags |= dns.flags.TC
    if aa or not rd:
        reply.flags |= dns.flags.AA
    if subnet is not None:
        reply.use_edns(0, options=[dns.edns.ECSOption(*subnet)])
    for record in answer:
        owner, ttl, kind, data = record.split(" ", 3)
        reply.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, data))
    traffic.send(at + took, server, 53, client, port, reply)


def many(
    count: int = 150,
    *,
    port: Callable[[int, random.Random], int] = lambda k, chance: chance.randrange(1024, 65536),
    number: Callable[[int, random.Random], int] = lambda k, chance: chance.randrange(65536),
) -> Traffic:
    """A resolver that asks two servers of zones, with ports and IDs as given."""
    chance = random.Random(5)
    traffic = Traffic()
    for k in range(count):
        name = f"h{k}.example.com."
        asks(
            traffic,
            k * 10 * MS,
            name,
            port=port(k, chance),
            number=number(k, chance),
            client=RESOLVER,
            server=(ZONE, "198.51.100.4")[k % 2],
            rd=False,
            answer=(f"{name} 300 A 203.0.113.1",),
        )
    return traffic


def flood(*, fast: bool, unasked: bool = False) -> Traffic:
    """ANY of one name, again and again, with a large answer."""
    chance = random.Random(6)
    traffic = Traffic()
    text = tuple(f'example.com. 300 TXT "{k}{"x" * 200}"' for k in range(9))
    for k in range(150):
        at = k * (10 * MS if fast else SECOND)
        number, port = chance.randrange(65536), chance.randrange(1024, 65536)
        asks(
            traffic,
            at,
            "example.com.",
            "ANY",
            port=port,
            number=number,
            answer=text,
            unasked=unasked,
            ra=False,
        )
    return traffic


def recursed(clients: list[str], server: str = "203.0.113.53") -> Traffic:
    """A server that resolves names for these clients."""
    chance = random.Random(7)
    traffic = Traffic()
    for k, client in enumerate(clients):
        asks(
            traffic,
            k * SECOND,
            "www.example.com.",
            port=chance.randrange(1024, 65536),
            number=chance.randrange(65536),
            client=client,
            server=server,
            answer=("www.example.com. 300 A 203.0.113.1",),
        )
    return traffic


def any_type(*, tc: bool) -> Traffic:
    traffic = Traffic()
    answer = () if tc else ("example.com. 300 A 203.0.113.1",)
    for k in range(3):
        asks(
            traffic, k * SECOND, "example.com.", "ANY", port=3000 + 7 * k, number=99 * k, tc=tc, answer=answer
        )
    return traffic


def limited(*, slips: bool) -> Traffic:
    """One question again and again: a whole answer, an empty one with TC, none at all."""
    chance = random.Random(8)
    traffic = Traffic()
    for k in range(120):
        asks(
            traffic,
            k * 5 * MS,
            "www.example.com.",
            port=chance.randrange(1024, 65536),
            number=chance.randrange(65536),
            answer=("www.example.com. 300 A 203.0.113.1",) if not slips or k % 4 == 0 else (),
            tc=slips and k % 2 == 1,
            silent=slips and k % 4 == 2,
        )
    # Silence at the end of a capture is not silence yet.
    asks(traffic, 60 * SECOND, "end.example.com.", port=4000, number=4)
    return traffic


def drawn(chance: random.Random, length: int) -> str:
    return "".join(chance.choice(LETTERS) for _ in range(length))


def domains(*, by_lot: bool) -> Traffic:
    """Domains that do not exist: drawn by lot, or made of words."""
    chance = random.Random(9)
    traffic = Traffic()
    for k in range(150):
        label = drawn(chance, 12) if by_lot else f"{chance.choice(WORDS)}-{chance.choice(WORDS)}{k}"
        number, port = chance.randrange(65536), chance.randrange(1024, 65536)
        asks(traffic, k * 100 * MS, f"{label}.com.", port=port, number=number, rcode=3)
    return traffic


def relayed() -> Traffic:
    """Domains drawn by lot that a client asks its resolver for, and the resolver another one."""
    traffic = domains(by_lot=True)
    chance = random.Random(9)
    for k in range(150):
        label = drawn(chance, 12)
        number, port = chance.randrange(65536), chance.randrange(1024, 65536)
        asks(
            traffic,
            k * 100 * MS,
            f"{label}.com.",
            port=port,
            number=number,
            rcode=3,
            client=RESOLVER,
            server=ZONE,
        )
    return traffic


def below(*, by_lot: bool) -> Traffic:
    """Names below one domain that do not exist: drawn by lot, or of hosts."""
    chance = random.Random(10)
    traffic = Traffic()
    for k in range(200):
        label = drawn(chance, 10) if by_lot else f"{chance.choice(WORDS)}{k}"
        number, port = chance.randrange(65536), chance.randrange(1024, 65536)
        asks(traffic, k * 100 * MS, f"{label}.example.com.", port=port, number=number, rcode=3)
    return traffic


def carrying(*, data: bool) -> Traffic:
    """Long names below one domain: ever new ones of type TXT, or the same few of a content network."""
    chance = random.Random(11)
    traffic = Traffic()
    fixed = [f"{drawn(chance, 40)}.{drawn(chance, 40)}" for _ in range(3)]
    for k in range(200):
        label = f"{drawn(chance, 60)}.{drawn(chance, 30)}" if data else fixed[k % 3]
        name = f"{label}.example.com."
        answer = f'{name} 0 TXT "{drawn(chance, 80)}"' if data else f"{name} 300 A 203.0.113.1"
        number, port = chance.randrange(65536), chance.randrange(1024, 65536)
        kind = "TXT" if data else "A"
        asks(traffic, k * 100 * MS, name, kind, port=port, number=number, answer=(answer,))
    return traffic


def subnets(*told: tuple[str, int, int], value: Callable[[int], str] = lambda k: "203.0.113.1") -> Traffic:
    """A resolver that tells client subnets, by turns, to a server."""
    traffic = Traffic()
    for k in range(2 * len(told)):
        answer = f"www.example.com. 300 A {value(k % len(told))}"
        asks(
            traffic,
            k * SECOND,
            "www.example.com.",
            port=3000 + 71 * k,
            number=977 * k,
            client=RESOLVER,
            server="9.9.9.1",
            rd=False,
            answer=(answer,),
            subnet=told[k % len(told)],
        )
    return traffic


def pods(*, past: bool) -> Traffic:
    """Two pods with the search list of a cluster: one asks the cache of its node, the other does or does not."""
    traffic = Traffic()
    suffixes = ("default.svc.cluster.local.", "svc.cluster.local.", "cluster.local.")
    for k in range(5):
        for client, server in ((CLIENT, "169.254.20.10"), (OTHER, "10.96.0.10" if past else "169.254.20.10")):
            at = k * SECOND + (500 * MS if client == OTHER else 0)
            base = f"api{k}.example.com."
            for step, name in enumerate((*(f"{base}{suffix}" for suffix in suffixes), base)):
                for family, kind in enumerate(("A", "AAAA")):
                    last = name == base
                    answer = (f"{name} 30 A 203.0.113.1",) if last and kind == "A" else ()
                    asks(
                        traffic,
                        at + step * 5 * MS + family * 10_000,
                        name,
                        kind,
                        port=20000 + 97 * k + step,
                        number=(7919 * k + 31 * step + 3000 * family) % 65536,
                        client=client,
                        server=server,
                        answer=answer,
                        rcode=0 if last else 3,
                    )
    return traffic


def roles(*ras: bool, aa: tuple[bool, ...] = ()) -> Traffic:
    """A server that is asked with RD; what bits its answers have."""
    traffic = Traffic()
    for k, ra in enumerate(ras):
        own = bool(aa) and aa[k]
        name = f"h{k}.example.com."
        answer = (f"{name} 300 A 203.0.113.1",) if ra else ()
        at, port, number = k * SECOND, 3000 + 71 * k, 977 * k
        asks(traffic, at, name, port=port, number=number, ra=ra, answer=answer, rcode=0 if ra else 5, aa=own)
    return traffic


def rush(apart: int) -> Traffic:
    """Queries of one client, so far apart."""
    chance = random.Random(12)
    traffic = Traffic()
    for k in range(1100):
        number, port = chance.randrange(65536), chance.randrange(1024, 65536)
        asks(traffic, k * apart, f"h{k}.example.com.", port=port, number=number, silent=True)
    return traffic


FAR = [f"{first}.20.30.40" for first in (8, 23, 45, 66, 81, 93, 104, 151, 178, 195)]
NEAR = ["203.0.113.7", "203.0.99.1", "10.1.2.3", "192.168.7.7"]

PAIRS: dict[str, Pair] = {
    "ra-missing": (lambda: roles(*[False] * 6), lambda: roles(*[False] * 6, True)),
    "aa-from-recursive": (
        lambda: roles(True, True, aa=(True, False)),
        lambda: roles(True, True, aa=(False, False)),
    ),
    "client-over-rate": (lambda: rush(MS // 2), lambda: rush(2 * MS)),
    "id-entropy-low": (lambda: many(number=lambda k, chance: 500 + k), many),
    "port-entropy-low": (lambda: many(port=lambda k, chance: 20000 + k), many),
    "fixed-source-port": (
        lambda: many(port=lambda k, chance: 53),
        lambda: many(port=lambda k, chance: 53 + k),
    ),
    "amplification": (lambda: flood(fast=True), lambda: flood(fast=False)),
    "open-resolver": (lambda: recursed(FAR), lambda: recursed(NEAR)),
    "any-tc": (lambda: any_type(tc=True), lambda: any_type(tc=False)),
    "rrl-suspected": (lambda: limited(slips=True), lambda: limited(slips=False)),
    "dga-suspected": (lambda: domains(by_lot=True), lambda: domains(by_lot=False)),
    "random-subdomains": (lambda: below(by_lot=True), lambda: below(by_lot=False)),
    "tunnel-suspected": (lambda: carrying(data=True), lambda: carrying(data=False)),
    "ecs-leak": (lambda: subnets(("9.1.2.3", 32, 24)), lambda: subnets(("9.1.2.0", 24, 24))),
    "ecs-scope-longer": (lambda: subnets(("9.1.2.0", 24, 28)), lambda: subnets(("9.1.2.0", 24, 24))),
    "nodelocal-bypassed": (lambda: pods(past=True), lambda: pods(past=False)),
}


def flooded() -> Traffic:
    """Large answers that nobody asked for."""
    return flood(fast=True, unasked=True)


def by_subnet(*, mixed: bool) -> Traffic:
    """Two subnets that get an address each, or the same by turns."""
    told: list[Any] = [("9.1.2.0", 24, 24), ("9.7.7.0", 24, 24)]
    if not mixed:
        return subnets(*told, value=lambda k: f"203.0.113.{1 + k}")
    return subnets(*told, *told, value=lambda k: f"203.0.113.{1 + (k in (1, 2))}")
