"""ACME challenges (RFC 8555 section 8.4): who sees which value, and what keeps others from seeing it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from dnscap.findings.name_rule import SECOND, NameRule, brief, clock, span
from dnscap.findings.propagation import Server, servers_of
from dnscap.findings.rule import Facts, Finding
from dnscap.names import NameRows
from dnscap.names.seen import ANSWER, AUTHORITATIVE

TXT = 16
HIGHEST_TTL = 300
"""Seconds that a challenge's TTL should not exceed: it lives for minutes, and a retry must not wait longer."""

LEFT_OVER = 300
"""Seconds a value stood alone before another joined it, from which on it is not of the same order: two values
of one order (a name and its wildcard) are published together."""

PREFIX = "_acme-challenge."


def challenges(seen: NameRows) -> Iterator[tuple[str, list[Server]]]:
    """Names of challenges, with what each server said of their TXT records."""
    rows: defaultdict[int, list[int]] = defaultdict(list)
    for row in ((seen.type == TXT) & (seen.section == ANSWER)).nonzero()[0].tolist():
        rows[int(seen.name[row])].append(row)
    for code in sorted(rows):
        name = seen.name_of(rows[code][0])
        if name.startswith(PREFIX):
            yield name, servers_of(seen, rows[code])


class AcmeChallenge(NameRule):
    """What each server says of a challenge."""

    id = "acme-challenge"
    certainty = 0.99
    explanation = (
        "The certificate authority asks for this record from several places, each with caches of its own; "
        "all of them have to see the value of the current order."
    )
    remedy = "Publish the value, wait until all servers of the zone give it, then answer the challenge."
    disproved_by = "Nothing: this lists what was seen."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a challenge."""
        for name, servers in challenges(seen):
            said = []
            frames: list[int] = []
            for server in servers:
                if server.values and server.values[-1].last >= server.last_negative:
                    last = server.values[-1]
                    said.append(f"{server.address}: {brief(last.rdata, 4)}, TTL {last.ttl_last}")
                    frames.append(last.last_frame)
                elif server.negatives:
                    said.append(f"{server.address}: none, denied until {clock(server.negative_until)}")
                    frames.append(server.negative_frame)
            if said:
                yield self.tell(
                    facts,
                    name,
                    f"Challenge {name} as seen at {len(said)} {'server' if len(said) == 1 else 'servers'}",
                    frames=frames,
                    detail="; ".join(said) + ".",
                )


class AcmeTtlHigh(NameRule):
    """A challenge has a long TTL."""

    id = "acme-ttl-high"
    certainty = 0.95
    explanation = (
        "A challenge is there for minutes. With a long TTL a resolver that saw the value of the last order "
        "keeps it into the next one, and validation fails until it expires."
    )
    remedy = f"Publish challenges with a TTL of {HIGHEST_TTL} s or less."
    disproved_by = "A smaller TTL in answers of the zone's own servers."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a challenge."""
        for name, servers in challenges(seen):
            ttl = max((server.ttl_full for server in servers if server.values), default=0)
            if ttl > HIGHEST_TTL:
                yield self.tell(
                    facts,
                    name,
                    f"{name} has a TTL of {span(ttl)}, more than {span(HIGHEST_TTL)}",
                    severity="low",
                    frames=[server.values[-1].first_frame for server in servers if server.values],
                )


class RrsetPartial(NameRule):
    """A cache gives only some of the records that the zone has."""

    id = "rrset-partial"
    certainty = 0.8
    explanation = (
        "The zone's own server gives more records than this cache: it fetched them before the rest was "
        "added, and keeps the smaller set until it expires."
    )
    remedy = "Publish all values before anybody asks, and wait one TTL after adding another."
    disproved_by = "A server of the zone that gives the smaller set."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a challenge and cache."""
        for name, servers in challenges(seen):
            own = [server for server in servers if server.authoritative and server.values]
            sets = {value.rdata for server in own for value in server.values[-1:]}
            if not own or len(sets) != 1:
                continue
            (whole,) = sets
            since = min(server.values[-1].first for server in own)
            for server in servers:
                if server.authoritative or not server.values:
                    continue
                last = server.values[-1]
                if last.rdata and set(last.rdata) < set(whole) and last.last > since:
                    yield self.tell(
                        facts,
                        name,
                        f"{server.address} gives {len(last.rdata)} of the {len(whole)} values of {name}",
                        severity="medium",
                        frames=(last.last_frame, own[0].values[-1].first_frame),
                        detail=f"Its copy expires at {clock(last.expires)}.",
                    )


class RrsetLeftover(NameRule):
    """Old and new values of a challenge stand side by side."""

    id = "rrset-leftover"
    certainty = 0.7
    explanation = (
        "A value that was there alone for a while stands beside a new one: most likely left over from an "
        "earlier order. It does no harm by itself, but the set grows, and answers with it."
    )
    remedy = "Remove the record of an order when the order is over."
    disproved_by = "Both values belonging to one order, as for a name and its wildcard."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a challenge."""
        for name, servers in challenges(seen):
            for server in servers:
                joined = next(
                    (
                        (old, new)
                        for old, new in zip(server.values, server.values[1:], strict=False)
                        if old.rdata
                        and set(old.rdata) < set(new.rdata)
                        and new.first - old.first >= LEFT_OVER * SECOND
                    ),
                    None,
                )
                if joined is None:
                    continue
                old, new = joined
                yield self.tell(
                    facts,
                    name,
                    f"{name} has the values of two orders: {brief(new.rdata, 3)}",
                    severity="low" if seen.rows["flags"][server.row] & AUTHORITATIVE else "info",
                    frames=(old.first_frame, new.first_frame),
                    detail=f"{brief(old.rdata)} was there {span((new.first - old.first) / SECOND)} earlier.",
                )
                break


RULES = (AcmeChallenge(), AcmeTtlHigh(), RrsetPartial(), RrsetLeftover())
