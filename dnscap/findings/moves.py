"""A zone that moves to other name servers: when, whether the old ones are asked still, and whether both agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dnscap.findings.delegations import Zone, addresses_of, zones
from dnscap.findings.name_rule import NameRule, brief, clock, is_under, span
from dnscap.findings.rule import Facts, Finding, plural
from dnscap.names import NameRows
from dnscap.names.rows import Value
from dnscap.names.seen import ANSWER, AUTHORITATIVE

APEX_TYPES = (2, 6, 43, 46, 47, 48, 50)
"""Types that differ between providers by nature: NS, SOA and what signs them."""


@dataclass(slots=True)
class Move:
    """A delegation that changed.

    Attributes
    ----------
    zone : Zone
    old, new : Value
        NS records of the parent, before and after.
    left, taken : set of str
        Addresses of servers that only the old ones name, and only the new ones.
    """

    zone: Zone
    old: Value
    new: Value
    left: set[str]
    taken: set[str]


def moves(seen: NameRows) -> list[Move]:
    """Zones whose parent named one set of servers, and then another."""
    found: list[Move] = seen.remembered("moves", lambda rows: list(_moves(rows)))
    return found


def _moves(seen: NameRows) -> Iterator[Move]:
    for zone in zones(seen):
        values = sorted((v for said in zone.parents for v in seen.history(said.row)), key=lambda v: v.first)
        if len(values) < 2 or values[0].value == values[-1].value:
            continue
        old, new = values[0], values[-1]
        last = max(v.last for v in values if v.value == old.value)
        begun = min(v.first for v in values if v.value == new.value)
        # Sets that come by turns are no move; servers of the parent may lag behind each other for a moment.
        if last > begun or len({v.value for v in values}) > 2 or not old.rdata or not new.rdata:
            continue
        one = {host: _addresses(seen, host) for host in old.rdata}
        two = {host: _addresses(seen, host) for host in new.rdata}
        before, after = set().union(*one.values()), set().union(*two.values())
        yield Move(zone, old, new, before - after, after - before)


def _addresses(seen: NameRows, host: str) -> set[str]:
    found = [*addresses_of(seen, host, None, own=False).values()]
    found += [*addresses_of(seen, host, None, own=True).values()]
    return {address for _, value in found for address in value.rdata}


def _answers(seen: NameRows, zone: str) -> list[int]:
    """Rows in which servers of a zone answered with authority for a name in it."""
    chosen = (seen.section == ANSWER) & seen.has(AUTHORITATIVE) & (seen.rows["answers"] > 0)
    return [row for row in chosen.nonzero()[0].tolist() if is_under(seen.name_of(row), zone)]


class DelegationChange(NameRule):
    """The parent delegates a zone to other servers than before."""

    id = "delegation-change"
    certainty = 0.9
    explanation = (
        "The NS records at the parent changed during the capture. Resolvers that have the old ones ask the old "
        "servers until these expire, so that these have to go on serving the zone until then, with the same records."
    )
    remedy = (
        "Keep the old servers until the TTL of the NS records, the parent's and the zone's own, has passed."
    )
    disproved_by = "The old records from another server of the parent afterwards."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a zone."""
        for move in moves(seen):
            until = max(move.old.expires, move.old.last)
            yield self.tell(
                facts,
                move.zone.name,
                f"{move.zone.name} moved from {brief(move.old.rdata)} to {brief(move.new.rdata)}; copies of the old "
                f"delegation end at {clock(until)}",
                frames=(move.old.last_frame, move.new.first_frame),
                detail=f"Seen first at {clock(move.new.first)}; the NS records had a TTL of {span(move.old.ttl_max)}.",
            )


class StaleDelegation(NameRule):
    """Servers that a zone was taken from are asked for it still."""

    id = "stale-delegation"
    certainty = 0.8
    explanation = (
        "The parent delegates the zone to other servers now, and the old ones are still asked for it: by a resolver "
        "that has the old delegation in its cache, or learnt the NS records from the old servers again and again."
    )
    remedy = (
        "Have the old servers name the new ones in the zone's own NS records, with a short TTL, or refuse the zone; "
        "empty the resolver's cache of it."
    )
    disproved_by = "The old servers being among the new ones by another name."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a zone."""
        for move in moves(seen):
            late = [
                row
                for row in _answers(seen, move.zone.name)
                if seen.server_of(row) in move.left and seen.rows["last"][row] > move.new.first
            ]
            if not late:
                continue
            last = max(late, key=lambda row: int(seen.rows["last"][row]))
            expired = int(seen.rows["last"][last]) > move.old.expires
            yield self.tell(
                facts,
                move.zone.name,
                f"{seen.server_of(last)} was asked for {seen.name_of(last)} at {clock(int(seen.rows['last'][last]))}, "
                f"after {move.zone.name} had gone to {brief(move.new.rdata)}"
                + (", and after the old delegation had expired" if expired else ""),
                severity="low" if expired else "info",
                frames=(move.new.first_frame, *(v.last_frame for v in seen.history(last)[-1:])),
            )


class ProviderAnswersDiffer(NameRule):
    """Old and new servers of a zone say different things."""

    id = "provider-answers-differ"
    certainty = 0.8
    explanation = (
        "A zone moved to other servers, and old and new ones give different records of the same name. Until all "
        "copies of the old delegation have expired, it depends on chance which a client gets."
    )
    remedy = "Bring the zone at both to the same state before the NS records change, and keep it so until they expired."
    disproved_by = "A change of the record at both, between the two answers."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a zone."""
        for move in moves(seen):
            rows = np.array(_answers(seen, move.zone.name), np.int64)
            values = seen.current_value
            old: dict[tuple[int, int], int] = {}
            new: dict[tuple[int, int], int] = {}
            for row in rows.tolist():
                if int(seen.type[row]) in APEX_TYPES:
                    continue
                server, key = seen.server_of(row), (int(seen.name[row]), int(seen.type[row]))
                if server in move.left:
                    old[key] = row
                elif server in move.taken:
                    new[key] = row
            apart = [key for key in old.keys() & new.keys() if values[old[key]] != values[new[key]]]
            if not apart:
                continue
            one, two = old[min(apart)], new[min(apart)]
            first, second = seen.history(one)[-1], seen.history(two)[-1]
            yield self.tell(
                facts,
                move.zone.name,
                f"Old and new servers of {move.zone.name} differ on {plural(len(apart), 'name')}: "
                f"{seen.name_of(one)} {seen.type_of(one)} is {brief(first.rdata)} at the old, {brief(second.rdata)} at "
                "the new",
                severity="low",
                frames=(first.last_frame, second.last_frame),
            )


RULES = (DelegationChange(), StaleDelegation(), ProviderAnswersDiffer())
