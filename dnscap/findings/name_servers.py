"""Where the servers of a zone stand, and whether their addresses can be had at all."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import numpy as np

from dnscap.findings.delegations import Zone, addresses_of, zones
from dnscap.findings.name_rule import NameRule, brief, is_under
from dnscap.findings.rule import Facts, Finding, plural
from dnscap.names import NameRows

A, AAAA = 1, 28

MOST_LOOPS = 200
"""Zones looked at for circles."""


def network_of(address: str) -> str | None:
    """The network that an address most likely shares its fate with: /24, or /48 of IPv6; None of private ones.

    Examples
    --------
    >>> network_of("9.9.9.9"), network_of("2620:fe::fe"), network_of("10.0.0.1")
    ('9.9.9.0/24', '2620:fe::/48', None)
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    if not found.is_global:
        return None
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))


class NsSingleNetwork(NameRule):
    """All name servers of a zone are in one network."""

    id = "ns-single-network"
    certainty = 0.7
    needs_all = True
    explanation = (
        "The addresses of all name servers of the zone lie in one network (/24, /48 of IPv6), so that one line, "
        "router or site takes all of them away. RFC 2182 section 3.1 asks for servers apart, in place and network."
    )
    remedy = "Move a server elsewhere, or have another provider serve the zone too."
    disproved_by = "Addresses of further servers, or anycast: one prefix announced from many sites."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding for all zones."""
        found: list[tuple[Zone, str, list[int]]] = []
        for zone in zones(seen):
            hosts = {host for said in zone.parents + zone.children for host in said.last.rdata}
            if len(hosts) < 2:
                continue
            networks: set[str | None] = set()
            frames: list[int] = []
            for host in sorted(hosts):
                told = [*addresses_of(seen, host, None, own=False).values()]
                told += [*addresses_of(seen, host, None, own=True).values()]
                if not told:
                    networks.add(None)
                    break
                networks |= {network_of(address) for _, value in told for address in value.rdata}
                frames += [value.last_frame for _, value in told]
            # One network of each family is one place; what is private or not known tells nothing.
            known = {network for network in networks if network is not None}
            families = [
                sum(":" in network for network in known),
                sum(":" not in network for network in known),
            ]
            if None in networks or not known or max(families) > 1:
                continue
            found.append((zone, min(known), frames))
        if found:
            zone, network, frames = found[0]
            yield self.tell(
                facts,
                zone.name,
                f"All servers of {plural(len(found), 'zone')} stand in one network: {zone.name} in {network}",
                frames=frames,
                detail=f"Zones: {brief([zone.name for zone, _, _ in found], 5)}." if len(found) > 1 else "",
            )


class CircularGlue(NameRule):
    """The servers of zones have names in each other, and no addresses are given."""

    id = "circular-glue"
    certainty = 0.75
    needs_all = True
    explanation = (
        "To find the servers of one zone a resolver has to look up their names in another, whose servers have names "
        "in the first. Without addresses along with a delegation (glue) there is no way into either; RFC 9471 "
        "section 3 wants them given where they are needed."
    )
    remedy = (
        "Give one of the zones a server whose name lies elsewhere, or register addresses with the parent."
    )
    disproved_by = "Addresses of one of these servers in a referral that was truncated here."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a circle."""
        needs: dict[str, set[str]] = {}
        frames: dict[str, list[int]] = {}
        delegated = [zone for zone in zones(seen) if zone.parents and zone.name != "."]
        names = [zone.name for zone in delegated]
        for zone in delegated[:MOST_LOOPS]:
            hosts = {host for said in zone.parents for host in said.last.rdata}
            if any(is_under(host, zone.name) or self._known(seen, host) for host in hosts):
                continue  # one way in is enough; hosts inside without an address are another finding
            inside = {max((n for n in names if is_under(host, n)), key=len, default="") for host in hosts}
            if "" not in inside:
                needs[zone.name] = inside
                frames[zone.name] = [said.last.last_frame for said in zone.parents]
        # What depends only on zones of the same kind, all the way, has no way in.
        while True:
            free = [name for name, on in needs.items() if not on <= needs.keys()]
            if not free:
                break
            for name in free:
                del needs[name]
        told: set[str] = set()
        for name, on in needs.items():
            if name in told:
                continue
            circle = sorted({name} | on)
            told |= set(circle)
            yield self.tell(
                facts,
                name,
                f"{brief(circle, 3)} have their servers in each other, and no address of these is given",
                severity="medium",
                frames=[frame for each in circle for frame in frames.get(each, ())],
            )

    def _known(self, seen: NameRows, host: str) -> bool:
        code = seen.code_of(host)
        if code is None:
            return False
        rows = np.array(seen.rows_of(code, A) + seen.rows_of(code, AAAA), np.int64)
        return bool(len(rows) and (seen.rows["answers"][rows] > 0).any())


RULES = (NsSingleNetwork(), CircularGlue())
