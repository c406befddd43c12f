"""Servers to which a zone is delegated and which do not serve it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dnscap.findings.delegations import NS, addresses_of, zones
from dnscap.findings.name_rule import is_under
from dnscap.names import NameRows
from dnscap.names.seen import ANSWER, AUTHORITATIVE, AUTHORITY, RECURSIVE

MOST_LAME = 200
"""Zones looked at; the rest says nothing new."""


@dataclass(frozen=True, slots=True)
class Lame:
    """A server that fails a zone.

    Attributes
    ----------
    zone, server : str
    what : str
        What it did, for a sentence that goes on with the name.
    name : str
        For which it did so.
    frames : tuple of int
        That show the delegation, and the failure.
    """

    zone: str
    server: str
    what: str
    name: str
    frames: tuple[int, ...]


def lame_servers(seen: NameRows) -> Iterator[Lame]:
    """Servers of delegated zones that refuse, fail or refer upward, and never answered with authority (AA)."""
    rows = seen.rows
    suspects: dict[int, list[int]] = {}
    failing = (rows["refused"] > 0) | (rows["servfails"] > 0)
    upward = (seen.type == NS) & (seen.section == AUTHORITY) & ~seen.has(AUTHORITATIVE) & ~seen.has(RECURSIVE)
    for row in (failing | upward).nonzero()[0].tolist():
        suspects.setdefault(int(seen.server[row]), []).append(row)
    if not suspects:
        return
    serving: dict[int, list[int]] = {}
    good = (seen.section == ANSWER) & seen.has(AUTHORITATIVE)
    for row in good.nonzero()[0].tolist():
        if int(seen.server[row]) in suspects:
            serving.setdefault(int(seen.server[row]), []).append(row)
    codes = {seen.addresses[code].as_py(): code for code in suspects}
    delegated = [zone for zone in zones(seen) if zone.parents and zone.name != "."]
    for zone in delegated[:MOST_LAME]:
        deeper = [
            other.name for other in delegated if other.name != zone.name and is_under(other.name, zone.name)
        ]
        parent = zone.parents[0]
        hosts = {host for said in zone.parents for host in said.last.rdata}
        servers = {
            address
            for host in hosts
            for _, value in addresses_of(seen, host, None, own=False).values()
            for address in value.rdata
            if address in codes
        }
        for server in sorted(servers):
            code = codes[server]
            if any(_belongs(seen.name_of(row), zone.name, deeper) for row in serving.get(code, ())):
                continue
            for row in suspects[code]:
                name = seen.name_of(row)
                if failing[row] and _belongs(name, zone.name, deeper):
                    what = "refuses to answer for" if rows["refused"][row] else "fails to answer for"
                    yield Lame(
                        zone.name,
                        server,
                        what,
                        name,
                        (parent.last.first_frame, seen.failed_frame(row)),
                    )
                    break
                if upward[row] and name != zone.name and is_under(zone.name, name):
                    frame = seen.history(row)[0].first_frame
                    yield Lame(zone.name, server, "refers upward to", name, (parent.last.first_frame, frame))
                    break


def _belongs(name: str, zone: str, deeper: list[str]) -> bool:
    """Whether a name is in a zone, and in none that is delegated from it."""
    return is_under(name, zone) and not any(is_under(name, other) for other in deeper)
