"""DNSSEC: signatures that ended or soon will, keys that do not fit their DS, failures that look like validation."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from dnscap import registry
from dnscap.findings.name_rule import SECOND, NameRule, span
from dnscap.findings.rule import Facts, Finding, plural
from dnscap.names import NameRows
from dnscap.names.arrow import signed_until
from dnscap.names.rows import Frame
from dnscap.names.seen import ANSWER

DS, DNSKEY = 43, 48

SOON = 3 * 86_400
"""Seconds before the end of a signature at which it should have been made anew."""

SOON_PART = 0.1
"""The same as part of its whole life: zones that sign on the fly give short signatures."""

CLOCK_SET = 1_000_000_000
"""Seconds since 1970: captures from before have no clock to judge signatures by."""

BOGUS = frozenset({1, 2, *range(5, 13)})
"""Extended errors of a validator that does not accept what it got (RFC 8914); 22 and 23 mean reachability."""


class RrsigExpired(NameRule):
    """Signatures that have ended are given."""

    id = "rrsig-expired"
    certainty = 0.9
    explanation = (
        "The signatures of these records ended before they were given. Validating resolvers take the records "
        "for forged and answer SERVFAIL; all others notice nothing."
    )
    remedy = "Sign the zone anew, and see why that did not happen by itself; check the clock of the signer."
    disproved_by = "A capture whose clock is wrong."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding for all names."""
        until, now = signed_until(seen), seen.rows["signed_at"] // SECOND
        ended = (until > 0) & (until < now) & (now > CLOCK_SET)
        rows = ended.nonzero()[0].tolist()
        if not rows:
            return
        worst = min(rows, key=lambda row: int(until[row]))
        names = sorted({seen.name_of(row) for row in rows[:1000]})
        # Where no signature at all holds, it is rather the clock of the capture that is wrong.
        others = bool(((until > 0) & (until >= now)).any())
        yield self.tell(
            facts,
            seen.name_of(worst),
            f"Signatures of {plural(len(names), 'name')} have ended, that of {seen.name_of(worst)} "
            f"{seen.type_of(worst)} {span(int(now[worst]) - int(until[worst]))} before it was given",
            severity="medium" if others else "info",
            certainty=self.certainty if others else 0.4,
            frames=[value.last_frame for row in rows[:4] for value in seen.history(row)[-1:]],
        )


class RrsigSoon(NameRule):
    """Signatures end soon."""

    id = "rrsig-soon"
    certainty = 0.8
    explanation = (
        "The signatures of these records are near their end. If they are not made anew in time, validating "
        "resolvers will answer SERVFAIL."
    )
    remedy = "See that signing runs; caches need the new signatures at least one TTL before the old ones end."
    disproved_by = "A signer that renews as late as this by intent."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding for all names."""
        until, now = signed_until(seen), seen.rows["signed_at"] // SECOND
        left = until - now
        begun = seen.rows["signed_from"].astype("i8")
        soon = (
            (until > 0)
            & (left >= 0)
            & (left < SOON)
            & (left < (until - begun) * SOON_PART)
            & (now > CLOCK_SET)
        )
        rows = soon.nonzero()[0].tolist()
        if not rows:
            return
        worst = min(rows, key=lambda row: int(left[row]))
        yield self.tell(
            facts,
            seen.name_of(worst),
            f"Signatures of {plural(len({int(seen.name[row]) for row in rows}), 'name')} end soon, that of "
            f"{seen.name_of(worst)} {seen.type_of(worst)} within {span(int(left[worst]))}",
            severity="low" if int(left[worst]) < 86_400 else "info",
            frames=[value.last_frame for row in rows[:4] for value in seen.history(row)[-1:]],
        )


class DsDnskeyMismatch(NameRule):
    """No key of a zone fits its DS."""

    id = "ds-dnskey-mismatch"
    certainty = 0.9
    explanation = (
        "None of the zone's keys has the key tag and algorithm of a DS record in the parent (RFC 4034 section "
        "5.2), so no chain of trust leads into the zone, and validating resolvers answer SERVFAIL."
    )
    remedy = (
        "Put the DS of a key in use into the parent, or take the DS out if the zone is no longer signed; wait "
        "for the old DS to expire before a key is withdrawn."
    )
    disproved_by = "A DNSKEY with that tag in another answer: a change of keys was under way."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a zone."""
        rows: defaultdict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        given = seen.rows["answers"] > 0
        of = {kind: given & (seen.type == kind) for kind in (DS, DNSKEY)}
        signed = np.intersect1d(seen.name[of[DS]], seen.name[of[DNSKEY]])
        for kind, chosen in of.items():
            for row in (chosen & np.isin(seen.name, signed)).nonzero()[0].tolist():
                rows[int(seen.name[row])][kind].append(row)
        for code, group in sorted(rows.items()):
            wanted = self._identities(seen, group[DS])
            there = self._identities(seen, group[DNSKEY])
            if not wanted or not there or wanted.keys() & there.keys():
                continue
            name = seen.names[code].as_py()
            tags = ", ".join(str(tag) for tag, _ in sorted(wanted))
            keys = ", ".join(str(tag) for tag, _ in sorted(there))
            yield self.tell(
                facts,
                name,
                f"No key of {name} fits its DS: the parent wants key {tags}, the zone has {keys}",
                severity="medium",
                frames=(*wanted.values(), *there.values()),
            )

    def _identities(self, seen: NameRows, rows: list[int]) -> dict[tuple[int, int], int]:
        """Key tags and algorithms, each with a frame; empty where an RRset was not kept."""
        found: dict[tuple[int, int], int] = {}
        for row in rows:
            for number in seen.version_numbers(row):
                records = seen.octets_of(int(seen.versions["rrset"][number]))
                if not records:
                    return {}
                frame = Frame.of(int(seen.versions["first_frame"][number]))
                for rdata in records:
                    if len(rdata) < 5:
                        continue
                    if seen.type[row] == DS:
                        found[int.from_bytes(rdata[:2]), rdata[2]] = frame
                    else:
                        found[key_tag(rdata), rdata[3]] = frame
        return found


class DnssecBogusSuspected(NameRule):
    """A failure that looks like failed validation."""

    id = "dnssec-bogus-suspected"
    certainty = 0.85
    explanation = (
        "The resolver answers SERVFAIL where it checks signatures and the records where it does not, or says "
        "itself that they do not hold (RFC 8914)."
    )
    remedy = "Compare `dig +cd NAME` with `dig NAME`, and run `delv NAME`; mend signatures, keys or DS of the zone."
    disproved_by = "SERVFAIL also with the CD bit set."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a name and resolver."""
        known = {case.kept.row["name"] for case in facts.cases(("dnssec-bogus",))}
        rows = seen.rows
        told = rows["ede"] > 0
        chosen = (seen.section == ANSWER) & (rows["servfails"] > 0) & (told | (rows["checked_off"] > 0))
        said: set[str] = set()
        for row in chosen.nonzero()[0].tolist():
            code = int(rows["ede"][row]) - 1
            by_error = code in BOGUS
            by_flag = bool(rows["checked_off"][row]) and rows["answers"][row] == rows["checked_off"][row]
            name = seen.name_of(row)
            if not (by_error or by_flag) or name in known or name in said:
                continue
            said.add(name)
            why = [f"it says {registry.extended_error(code)}"] if by_error else []
            why += ["with CD it gives the records"] if by_flag else []
            yield self.tell(
                facts,
                name,
                f"{seen.server_of(row)} fails {name} {seen.type_of(row)} most likely for its signatures: "
                f"{' and '.join(why)}",
                severity="medium",
                certainty=0.95 if by_error and by_flag else 0.85,
                frames=(seen.failed_frame(row),),
                queries=int(rows["servfails"][row]),
            )


def key_tag(rdata: bytes) -> int:
    """Tag of a DNSKEY (RFC 4034 appendix B).

    Examples
    --------
    >>> key_tag(bytes([1, 1, 3, 8, 0]))
    1033
    """
    if rdata[3] == 1:  # RSA/MD5: the last but one 16 bits of the modulus (appendix B.1)
        return int.from_bytes(rdata[-3:-1]) if len(rdata) >= 7 else 0
    pairs = len(rdata) // 2
    total: int = sum(struct.unpack_from(f">{pairs}H", rdata)) + (rdata[-1] << 8 if len(rdata) % 2 else 0)
    return (total + (total >> 16 & 0xFFFF)) & 0xFFFF


RULES = (RrsigExpired(), RrsigSoon(), DsDnskeyMismatch(), DnssecBogusSuspected())
