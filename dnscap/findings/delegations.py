"""Delegations: what the parent says of a zone's servers against what the zone itself says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from dnscap.findings.name_rule import Draft, NameRule, brief, is_under, span
from dnscap.findings.rule import Facts, Finding, plural
from dnscap.names import NameRows
from dnscap.names.rows import Value
from dnscap.names.seen import ADDITIONAL, ANSWER, AUTHORITATIVE, AUTHORITY, RECURSIVE

A, NS, SOA, AAAA = 1, 2, 6, 28

SOA_NUMBERS = 20
"""Octets of the numbers that end the RDATA of an SOA: serial, refresh, retry, expire, minimum."""

MOST_ZONES = 2_000
"""Zones looked at: the rest says nothing new."""


@dataclass(slots=True)
class Said:
    """What one server said, and said last, of the servers of a zone."""

    row: int
    server: str
    code: int
    last: Value


@dataclass(slots=True)
class Zone:
    """A zone: the servers that refer to it, and its own."""

    name: str
    parents: list[Said]
    children: list[Said]


def zones(seen: NameRows) -> list[Zone]:
    """Zones whose delegation, or own NS records, were seen."""
    found: list[Zone] = seen.remembered("zones", lambda rows: list(_zones(rows)))
    return found


def _zones(seen: NameRows) -> Iterator[Zone]:
    rows: defaultdict[int, list[int]] = defaultdict(list)
    chosen = (seen.type == NS) & (seen.section != ADDITIONAL) & (seen.rows["answers"] > 0)
    for row in chosen.nonzero()[0].tolist():
        rows[int(seen.name[row])].append(row)
    codes = sorted(rows)[:MOST_ZONES]
    seen.expect([row for code in codes for row in rows[code]])
    for code in codes:
        zone = Zone(seen.name_of(rows[code][0]), [], [])
        for row in rows[code]:
            values = seen.history(row)
            if not values or not values[-1].rdata:
                continue
            said = Said(row, seen.server_of(row), int(seen.server[row]), max(values, key=lambda v: v.last))
            flags = seen.rows["flags"][row]
            if flags & AUTHORITATIVE:
                zone.children.append(said)
            elif seen.section[row] == AUTHORITY and not flags & RECURSIVE:
                zone.parents.append(said)
        if zone.parents or zone.children:
            yield zone


def addresses_of(seen: NameRows, name: str, server: int | None, *, own: bool) -> dict[int, tuple[int, Value]]:
    """Addresses of a host by type, with their row: as glue of one server, or as its zone's own servers say."""
    code = seen.code_of(name)
    found: dict[int, tuple[int, Value]] = {}
    if code is None:
        return found
    rows = np.array(sorted(seen.rows_of(code, A) + seen.rows_of(code, AAAA)), np.int64)
    chosen = seen.rows["answers"][rows] > 0
    if own:
        chosen &= (seen.section[rows] == ANSWER) & ((seen.rows["flags"][rows] & AUTHORITATIVE) != 0)
    else:
        chosen &= seen.section[rows] != ANSWER
    if server is not None:
        chosen &= seen.server[rows] == server
    for row in rows[chosen].tolist():
        values = seen.history(row)
        if values and values[-1].rdata:
            found[int(seen.type[row])] = row, values[-1]
    return found


class ParentChildNsDrift(NameRule):
    """Parent and child name different servers."""

    id = "parent-child-ns-drift"
    certainty = 0.8
    explanation = (
        "The parent delegates the zone to other servers than the zone itself names. Which ones a resolver "
        "asks depends on what it has in its cache; servers that only one side names get part of the queries, "
        "or serve an old copy."
    )
    remedy = "Make the NS records at the registry and in the zone the same."
    disproved_by = "Equal NS records in later answers: a change of servers was under way."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a zone."""
        for zone in zones(seen):
            for parent in zone.parents:
                child = next(
                    (c for c in zone.children if {*c.last.rdata} != {*parent.last.rdata}),
                    None,
                )
                if child is None or any(c.last.value == parent.last.value for c in zone.children):
                    continue
                apart = not {*child.last.rdata} & {*parent.last.rdata}
                yield self.tell(
                    facts,
                    zone.name,
                    f"{zone.name} is delegated to {brief(parent.last.rdata)} but names {brief(child.last.rdata)}",
                    severity="low" if apart else "info",
                    frames=(parent.last.last_frame, child.last.last_frame),
                    detail=f"{parent.server} says the one, {child.server} the other.",
                )
                break


class ParentChildTtlDrift(NameRule):
    """Parent and child give the NS records different lifetimes."""

    id = "parent-child-ttl-drift"
    certainty = 0.9
    explanation = (
        "The delegation and the zone's own NS records have different TTLs. Most resolvers take the zone's "
        "own where they see it (RFC 2181 section 5.4.1), so a change of servers spreads by the one TTL or "
        "the other."
    )
    remedy = "Before a change of servers reckon with the larger of the two."
    disproved_by = "Nothing: both were seen."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding for all zones."""
        apart = [
            (zone.name, parent.last, child.last)
            for zone in zones(seen)
            for parent in zone.parents[:1]
            for child in zone.children[:1]
            if parent.last.ttl_max != child.last.ttl_max
        ]
        if not apart:
            return
        apart.sort(key=lambda pair: -abs(pair[1].ttl_max - pair[2].ttl_max))
        name, parent, child = apart[0]
        yield self.tell(
            facts,
            name,
            f"NS records of {plural(len(apart), 'zone')} have another TTL in the parent: {name} "
            f"{span(parent.ttl_max)} there, {span(child.ttl_max)} in the zone",
            frames=(parent.last_frame, child.last_frame),
        )


class NsGlueTtlMismatch(NameRule):
    """NS records outlive the addresses of the servers they name."""

    id = "ns-glue-ttl-mismatch"
    certainty = 0.9
    explanation = (
        "The NS records live longer than the addresses that go with them. When only the address has expired, "
        "a resolver has to look up the server's name first, which adds a round trip or more to a lookup."
    )
    remedy = "Give name servers' addresses a TTL no smaller than that of the NS records."
    disproved_by = "Equal TTLs in answers of the zone's own servers."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding for all zones."""
        apart: list[tuple[str, str, Value, Value]] = []
        for zone in zones(seen):
            for said in zone.parents + zone.children:
                for host in said.last.rdata:
                    glue = addresses_of(seen, host, said.code, own=False)
                    apart += [
                        (zone.name, host, said.last, value)
                        for _, value in glue.values()
                        if value.ttl_max < said.last.ttl_max / 2
                    ]
        if not apart:
            return
        apart.sort(key=lambda found: found[3].ttl_max - found[2].ttl_max)
        name, host, servers, address = apart[0]
        count = len({found[0] for found in apart})
        yield self.tell(
            facts,
            name,
            f"Name servers of {plural(count, 'zone')} have addresses that expire before the NS records: "
            f"{name} NS {span(servers.ttl_max)}, {host} {span(address.ttl_max)}",
            frames=(servers.last_frame, address.last_frame),
        )


class GlueMissing(NameRule):
    """A delegation into the zone itself comes without addresses."""

    id = "glue-missing"
    certainty = 0.8
    needs_all = True
    explanation = (
        "The zone's servers have names inside the zone, so that their addresses can only come along with the "
        "delegation (glue, RFC 9471). Without them the zone cannot be reached from the parent."
    )
    remedy = "Register the addresses of these hosts with the parent."
    disproved_by = "Glue in a referral that was truncated here, or over TCP."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a zone."""
        for zone in zones(seen):
            for parent in zone.parents:
                inside = [
                    host for host in parent.last.rdata if is_under(host, zone.name) and zone.name != "."
                ]
                bare = [h for h in inside if not addresses_of(seen, h, parent.code, own=False)]
                if not bare or len(bare) < len(inside):
                    continue  # a referral that has to fit 512 octets leaves some addresses out
                every = len(bare) == len(parent.last.rdata)
                yield self.tell(
                    facts,
                    zone.name,
                    f"{parent.server} delegates {zone.name} to {brief(bare)} without "
                    f"{'an address' if len(bare) == 1 else 'addresses'}",
                    severity="medium" if every else "info",
                    frames=(parent.last.first_frame, parent.last.last_frame),
                )
                break


class GlueMismatch(NameRule):
    """Glue differs from what the zone says."""

    id = "glue-mismatch"
    certainty = 0.8
    explanation = (
        "The parent gives other addresses for a name server than its own zone does: resolvers that come by "
        "the delegation ask the wrong address, until they learn better."
    )
    remedy = "Update the host's addresses at the registry."
    disproved_by = "The parent's address in an answer of the zone's own servers."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a name server."""
        told: set[str] = set()
        for zone in zones(seen):
            for parent in zone.parents:
                for host in parent.last.rdata:
                    glue = addresses_of(seen, host, parent.code, own=False)
                    truth = addresses_of(seen, host, None, own=True)
                    for kind, (_, value) in glue.items():
                        own = truth.get(kind)
                        if own is None or host in told or {*value.rdata} & {*own[1].rdata}:
                            continue
                        told.add(host)
                        yield self.tell(
                            facts,
                            host,
                            f"The glue of {host} is {brief(value.rdata)}, its zone says {brief(own[1].rdata)}",
                            severity="low",
                            frames=(value.last_frame, own[1].last_frame),
                            detail=f"{parent.server} gives it with the delegation of {zone.name}.",
                        )


class NsTooFew(NameRule):
    """A zone has a single name server."""

    id = "ns-too-few"
    certainty = 0.9
    explanation = (
        "A zone with one name server goes away when that server does; RFC 1034 section 4.1 asks for two, in "
        "different networks."
    )
    remedy = "Add a second server in another network."
    disproved_by = "More NS records at the zone's own servers; or anycast behind the one address."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding for all zones."""
        single = []
        for zone in zones(seen):
            sizes = {len(said.last.rdata) for said in zone.parents + zone.children}
            if sizes == {1}:
                single.append((zone.name, (zone.children + zone.parents)[0].last))
        if single:
            yield self.tell(
                facts,
                single[0][0],
                f"{plural(len(single), 'zone')} with a single name server: "
                f"{brief([name for name, _ in single], 3)}",
                frames=[value.last_frame for _, value in single],
            )


class SoaSerialDrift(NameRule):
    """Servers of a zone hold different versions of it."""

    id = "soa-serial-drift"
    certainty = 0.85
    explanation = (
        "Servers of the same zone give different serial numbers: one has not fetched the latest version, so "
        "answers depend on which server was asked."
    )
    remedy = "Look at transfers to the server that lags: NOTIFY, TSIG keys, firewall, disk."
    disproved_by = "The newer serial from that server shortly afterwards."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Draft]:
        """Give one finding a zone."""
        first, last, rrset = (memoryview(seen.versions[name]) for name in ("first", "last", "rrset"))
        for rows in seen.groups((seen.type == SOA) & seen.has(AUTHORITATIVE), differing=True):
            if len(set(seen.server[rows].tolist())) < 2:
                continue
            versions = [
                (number, row, *numbers_of(seen, rrset[number]))
                for row in rows
                for number in sorted(seen.version_numbers(row), key=first.__getitem__)
            ]
            told = [version for version in versions if version[2] is not None]
            if not told:
                continue
            newest = told[0]
            for entry in told:
                if is_later(entry[2], newest[2]):
                    newest = entry
            for version in told:
                lag = (last[version[0]] - first[newest[0]]) / 1e9
                same = seen.server[version[1]] == seen.server[newest[1]] or version[2] == newest[2]
                if not same and lag > 0:
                    yield self.draft(facts, partial(self._told, facts, seen, version, newest, lag))
                    break

    def _told(
        self,
        facts: Facts,
        seen: NameRows,
        version: tuple[int, int, int, int],
        newest: tuple[int, int, int, int],
        lag: float,
    ) -> Finding:
        number, row, serial, refresh = version
        name = seen.name_of(row)
        return self.tell(
            facts,
            name,
            f"{seen.server_of(row)} still serves {name} with serial {serial}, {seen.server_of(newest[1])} has "
            f"{newest[2]}",
            severity="low" if lag > max(refresh, 60) else "info",
            frames=(Value(seen, newest[0]).first_frame, Value(seen, number).last_frame),
            detail=f"It is {span(lag)} behind; the zone's refresh interval is {span(refresh)}.",
        )


def numbers_of(seen: NameRows, soa: int) -> tuple[int, int] | tuple[None, None]:
    """Serial and refresh of an SOA, an RRset (RFC 1035 section 3.3.13); None where it was not kept."""
    records = seen.octets_of(soa)
    rdata = min(records, default=b"")
    if len(rdata) < SOA_NUMBERS + 2:
        return None, None
    return int.from_bytes(rdata[-SOA_NUMBERS:][:4]), int.from_bytes(rdata[-SOA_NUMBERS:][4:8])


def is_later(serial: int, other: int) -> bool:
    """Whether a serial comes after another (RFC 1982).

    Examples
    --------
    >>> is_later(5, 4), is_later(1, 4294967295), is_later(4, 4)
    (True, True, False)
    """
    return serial != other and (serial - other) % (1 << 32) < 1 << 31


RULES = (
    ParentChildNsDrift(),
    ParentChildTtlDrift(),
    NsGlueTtlMismatch(),
    GlueMissing(),
    GlueMismatch(),
    NsTooFew(),
    SoaSerialDrift(),
)
