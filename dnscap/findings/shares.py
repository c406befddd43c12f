"""Shares that tell of a place: of AAAA without an answer, of suffixes that fail at a server, of who validates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dnscap.arrays import array_of, scalar_of
from dnscap.findings.alias_targets import domain_of
from dnscap.findings.name_rule import NameRule, brief
from dnscap.findings.rule import Facts, Finding, plural
from dnscap.names import NameRows
from dnscap.names.seen import ANSWER, ASKED, AUTHORITATIVE, RECURSIVE

AAAA, DNSKEY = 28, 48

MANY = 200
"""Answers to questions for AAAA before their share means something."""

MOST_EMPTY = 0.9
"""Share of them without an address from which on they are for nothing."""

MOST_SUFFIXES = 50
"""Pairs of server and suffix looked at, those with most failures."""

FAILURES = 3
"""Failures below one suffix before that is more than one bad name."""

ROOM = 50_000
"""Rows looked at."""


class AaaaWaste(NameRule):
    """Questions for AAAA that are nearly all for nothing."""

    id = "aaaa-waste"
    certainty = 0.9
    explanation = (
        "Nearly all questions for IPv6 addresses got none: half of the queries, and part of the wait where families "
        "are asked in turn, are for nothing."
    )
    remedy = (
        "Where hosts have no IPv6, keep stubs from asking: `options no-aaaa` in resolv.conf (glibc 2.36), or "
        "AI_ADDRCONFIG in programs. Otherwise nothing: the names will have addresses some day."
    )
    disproved_by = "Addresses of that family in answers at other times."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding for the whole capture."""
        rows = seen.rows
        chosen = (seen.type == AAAA) & (seen.section == ANSWER) & seen.has(ASKED)
        empty, found = int(rows["negatives"][chosen].sum()), int(rows["answers"][chosen].sum())
        if empty + found < MANY or empty < MOST_EMPTY * (empty + found):
            return
        worst = sorted(chosen.nonzero()[0].tolist(), key=lambda row: -int(rows["negatives"][row]))[:6]
        yield self.tell(
            facts,
            seen.name_of(worst[0]),
            f"{100 * empty / (empty + found):.0f} % of {empty + found:,} answers to questions for AAAA had no address, "
            f"most often for {seen.name_of(worst[0])}",
            frames=[seen.negative_frame(row) for row in worst],
            queries=empty,
        )


class SuffixFails(NameRule):
    """Names below one suffix fail at a server that answers others."""

    id = "suffix-fails"
    certainty = 0.6
    explanation = (
        "The server fails (SERVFAIL, REFUSED) for all names below one suffix that it was asked, and answers others: "
        "it cannot reach that zone's servers, the zone is broken, or the server is not the one for it, as where a "
        "VPN or split DNS should send the suffix elsewhere."
    )
    remedy = (
        "Forward the suffix to the servers that know it (conditional forwarding, `resolvectl domain`), or repair the "
        "zone."
    )
    disproved_by = "An answer of that server for a name below the suffix."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a server and suffix."""
        rows = seen.rows
        chosen = (seen.section == ANSWER) & (seen.has(RECURSIVE) | seen.has(ASKED))
        bad = chosen & ((rows["servfails"] > 0) | (rows["refused"] > 0))
        places = bad.nonzero()[0][:ROOM]
        if not len(places):
            return
        failed: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        names = seen.names.take(array_of(seen.name[places].astype(np.int64))).to_pylist()
        for server, name, row in zip(seen.server[places].tolist(), names, places.tolist(), strict=True):
            failed[server, domain_of(name)].append(row)
        worst = [
            (server, suffix, found)
            for (server, suffix), found in sorted(failed.items(), key=lambda item: -len(item[1]))[
                :MOST_SUFFIXES
            ]
            if sum(int(rows["servfails"][r]) + int(rows["refused"][r]) for r in found) >= FAILURES
            and len({int(seen.name[r]) for r in found}) > 1
        ]
        well = ((rows["answers"] > 0) | (rows["negatives"] > 0)) & chosen
        answered: dict[int, pa.Array] = {}
        for server in {server for server, _, _ in worst}:
            codes = np.unique(seen.name[well & (seen.server == server)])
            answered[server] = seen.names.take(array_of(codes.astype(np.int64)))
        for server, suffix, found in worst:
            names = answered[server]
            ends = pc.ends_with(names, f".{suffix}.")
            if (
                not len(names)
                or pc.any(pc.or_(ends, pc.equal(names, scalar_of(f"{suffix}.", names.type)))).as_py()
            ):
                continue
            names = list(dict.fromkeys(seen.name_of(row) for row in found))
            count = sum(int(rows["servfails"][row]) + int(rows["refused"][row]) for row in found)
            address = seen.server_of(found[0])
            yield self.tell(
                facts,
                address,
                f"{address} fails {plural(count, 'question')} for all names below {suffix}., and answers others",
                frames=[seen.failed_frame(row) for row in found[:6]],
                queries=count,
                detail=f"Names: {brief(names, 4)}.",
            )


class ValidatingResolver(NameRule):
    """A resolver fetches keys: it validates."""

    id = "validating-resolver"
    certainty = 0.9
    explanation = (
        "A resolver asked zones for their keys (DNSKEY), as only who validates needs them. Zones with broken "
        "signatures fail for its clients, and a cold walk takes some questions more."
    )
    remedy = "Nothing."
    disproved_by = "A tool that asked for the keys on somebody's behalf."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding for all resolvers."""
        rows, versions = seen.rows, seen.versions
        chosen = (seen.type == DNSKEY) & (seen.section == ANSWER) & (rows["answers"] > 0)
        chosen &= seen.has(AUTHORITATIVE) & ~seen.has(ASKED)
        resolvers: dict[str, list[int]] = {}
        for row in chosen.nonzero()[0][:200].tolist():
            version = versions[int(rows["versions"][row])]
            for code in version["clients"][: min(int(version["client_count"]), len(version["clients"]))]:
                resolvers.setdefault(str(seen.addresses[int(code)].as_py()), []).append(row)
        if resolvers:
            first = max(resolvers, key=lambda address: len(resolvers[address]))
            yield self.tell(
                facts,
                first,
                f"{brief(sorted(resolvers), 3)} {'validates' if len(resolvers) == 1 else 'validate'}: keys of "
                f"{plural(len({int(seen.name[row]) for row in resolvers[first]}), 'zone')} were fetched",
                frames=[v.first_frame for row in resolvers[first][:6] for v in seen.history(row)[:1]],
            )


RULES = (AaaaWaste(), SuffixFails(), ValidatingResolver())
