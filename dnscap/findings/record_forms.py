"""Records that should not be as they are: aliases at an apex, mail or services at aliases, CAA, Active Directory."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from dnscap.findings.name_rule import NameRule, brief
from dnscap.findings.rule import Facts, Finding, plural
from dnscap.names import NameRows
from dnscap.names.seen import ANSWER, AUTHORITATIVE, RECURSIVE

NS, CNAME, SOA, MX, SRV, CAA = 2, 5, 6, 15, 33, 257
MOST_ROWS = 5_000

_ADDRESS = re.compile(r"^(?:\d{1,3}\.){3}\d{1,3}\.$")
_LOCATOR = re.compile(r"^_(?:ldap|kerberos|kpasswd|gc)\._(?:tcp|udp)\.|\._msdcs\.")


class ApexCname(NameRule):
    """An alias stands where a zone begins."""

    id = "apex-cname"
    certainty = 0.85
    explanation = (
        "The name has a CNAME record and is the apex of a zone, with SOA and NS records. A CNAME allows no "
        "other data beside it (RFC 1034 section 3.6.2): resolvers that cache it lose the zone's mail and "
        "delegation from sight."
    )
    remedy = "Use the provider's ALIAS or ANAME form, or an address, at the apex; or an HTTPS record."
    disproved_by = "Answers of the zone's own servers without the CNAME."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a name."""
        own = seen.has(AUTHORITATIVE) & (seen.rows["answers"] > 0)
        apexes = np.unique(seen.name[own & np.isin(seen.type, (SOA, NS))])
        chosen = own & (seen.type == CNAME) & (seen.section == ANSWER) & np.isin(seen.name, apexes)
        for row in chosen.nonzero()[0][:MOST_ROWS].tolist():
            value = seen.history(row)[-1]
            name = seen.name_of(row)
            yield self.tell(
                facts,
                name,
                f"The apex {name} is an alias of {brief(value.rdata)}",
                severity="low",
                frames=(value.first_frame,),
            )


class MxTarget(NameRule):
    """Mail is sent to what is no host name, or an alias."""

    id = "mx-to-ip-or-cname"
    certainty = 0.85
    explanation = (
        "The target of an MX record must be a name with addresses of its own, neither an address nor an "
        "alias (RFC 2181 section 10.3, RFC 5321 section 5.1); some mail servers refuse to deliver."
    )
    remedy = "Point the MX record to a host name that has A and AAAA records."
    disproved_by = "An address record at the target name."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a domain."""
        chosen = (seen.type == MX) & (seen.section == ANSWER) & (seen.rows["answers"] > 0)
        aliases = set(seen.name[(seen.type == CNAME) & (seen.section == ANSWER)].tolist())
        told: set[str] = set()
        rows = chosen.nonzero()[0][:MOST_ROWS].tolist()
        seen.expect(rows)
        for row in rows:
            name = seen.name_of(row)
            value = seen.history(row)[-1]
            targets = [text.split()[-1] for text in value.rdata]
            addresses = [target for target in targets if _ADDRESS.match(target)]
            named = [target for target in targets if target != "." and seen.code_of(target) in aliases]
            if name in told or not (addresses or named):
                continue
            told.add(name)
            what = f"an address, {addresses[0]}" if addresses else f"an alias, {named[0]}"
            yield self.tell(
                facts,
                name,
                f"The MX record of {name} points to {what}",
                severity="low" if addresses else "info",
                frames=(value.first_frame,),
            )


class AdLocator(NameRule):
    """Domain controllers are looked for."""

    id = "ad-locator"
    certainty = 0.9
    explanation = (
        "Clients look for Active Directory domain controllers by SRV records under _msdcs and _tcp. Where "
        "those do not exist, logon falls back and takes long; often the client asks a resolver that does not "
        "know the inner zone."
    )
    remedy = "Have clients ask the domain controllers' DNS servers, or forward the domain and _msdcs to them."
    disproved_by = "SRV answers for the same names from another server that the client asks."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding for the whole capture."""
        rows = seen.rows
        asked = (seen.type == SRV) & (seen.section == ANSWER)
        at = [row for row in asked.nonzero()[0][:MOST_ROWS].tolist() if _LOCATOR.search(seen.name_of(row))]
        if not at:
            return
        missing = [row for row in at if rows["negatives"][row] and not rows["answers"][row]]
        names = sorted({seen.name_of(row) for row in (missing or at)})
        none = len(missing) == len(at)
        # What leaks to the root, or is seen at a zone's server, says nothing about the resolver of the client.
        inner = (rows["flags"][at] & RECURSIVE) != 0
        yield self.tell(
            facts,
            names[0],
            f"Active Directory is looked for by {plural(len({int(seen.name[r]) for r in at}), 'name')}"
            + (f", {len({int(seen.name[r]) for r in missing})} of which do not exist" if missing else ""),
            severity="low" if none and len(at) >= 2 and inner.all() else "info",
            frames=[seen.negative_frame(row) for row in missing[:6]],
            detail=f"Names: {brief(names, 4)}.",
        )


class SrvTarget(NameRule):
    """A service is said to be at an alias."""

    id = "srv-target-cname"
    certainty = 0.9
    explanation = (
        "The target of an SRV record must be a name with addresses of its own, not an alias (RFC 2782); some programs "
        "do not follow it, others take a lookup more."
    )
    remedy = "Point the SRV record to the name at the end of the alias."
    disproved_by = "An address record at the target name."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a service."""
        chosen = (seen.type == SRV) & (seen.section == ANSWER) & (seen.rows["answers"] > 0)
        if not chosen.any():
            return
        aliases = set(seen.name[(seen.type == CNAME) & (seen.section == ANSWER)].tolist())
        told: set[str] = set()
        rows = chosen.nonzero()[0][:MOST_ROWS].tolist()
        seen.expect(rows)
        for row in rows:
            name, value = seen.name_of(row), seen.history(row)[-1]
            targets = [text.split()[-1] for text in value.rdata]
            named = [target for target in targets if target != "." and seen.code_of(target) in aliases]
            if named and name not in told:
                told.add(name)
                yield self.tell(
                    facts,
                    name,
                    f"The SRV record of {name} points to an alias, {named[0]}",
                    frames=(value.first_frame,),
                )


class CaaServfail(NameRule):
    """Questions for CAA records fail."""

    id = "caa-servfail"
    certainty = 0.8
    explanation = (
        "A certification authority has to ask for CAA records, and must not issue a certificate where that fails "
        "(RFC 8659): old or badly configured servers answer types they do not know with an error or not at all."
    )
    remedy = "Have the zone's servers answer CAA, at least with NODATA; update them."
    disproved_by = "An answer to CAA for that name, even an empty one, from its zone's servers."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a name."""
        rows = seen.rows
        chosen = (
            (seen.type == CAA) & (rows["servfails"] > 0) & (rows["answers"] == 0) & (rows["negatives"] == 0)
        )
        for row in chosen.nonzero()[0][:MOST_ROWS].tolist():
            name = seen.name_of(row)
            yield self.tell(
                facts,
                name,
                f"{seen.server_of(row)} fails {plural(int(rows['servfails'][row]), 'question')} for CAA of {name}",
                severity="low",
                frames=(seen.failed_frame(row),),
            )


RULES = (ApexCname(), MxTarget(), AdLocator(), SrvTarget(), CaaServfail())
