"""What is asked again although it is known: within its TTL, within that of its absence, after a restart."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from dnscap.findings.name_rule import SECOND, NameRule, brief, clock, span
from dnscap.findings.rule import Facts, Finding, plural
from dnscap.names import NameRows
from dnscap.names.seen import ANSWER, ASKED, AUTHORITATIVE
from dnscap.servers.root import LETTERS

NS = 2

OFTEN = 20
"""Answers to one client for one name before it is said to ask again and again."""

TIMES = 5
"""As often as a cache would ask: below that it may be that several programs do."""

LEAST_TTL = 60
"""Seconds that an answer holds; what is asked within a shorter time is seldom known still."""

LEAST_NEGATIVE = 3
"""Times that absence was asked for while it was known."""

ROUND = 30 * SECOND
"""Time apart of questions for the root's servers from which on they are two occasions."""

MANY_AT_ROOT = 100
ROOT_SHARE = 0.2
"""Queries to the root, and their share of all to zones' servers, before they are many: caches keep what it says for
two days."""


class AppCacheAbsent(NameRule):
    """A client asks for the same name again and again within its TTL."""

    id = "app-cache-absent"
    certainty = 0.8
    explanation = (
        "The client asks for the same name many times within the TTL of the answer, which cannot change before: "
        "there is no cache on its host or in its programs. Each connection then waits for a lookup, and the resolver "
        "carries the load."
    )
    remedy = (
        "Run a cache on the host (systemd-resolved, unbound, dnsmasq; NodeLocal DNSCache in Kubernetes), keep "
        "connections open, or poll no more often than the TTL."
    )
    disproved_by = "Many hosts behind that address, each with a cache of its own."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a client."""
        rows, versions = seen.rows, seen.versions
        chosen = (seen.section == ANSWER) & seen.has(ASKED) & ~seen.has(AUTHORITATIVE)
        chosen &= (rows["answers"] >= OFTEN) & (rows["version_count"] == 1) & (rows["ttl_max"] >= LEAST_TTL)
        if not chosen.any():
            return
        needed = (rows["last"] - rows["first"]) / (rows["ttl_max"].astype(np.float64) + 1e-9) / SECOND + 1
        chosen &= rows["answers"] > TIMES * needed
        servers = {row["server"] for row in facts.servers}
        by_client: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for row in chosen.nonzero()[0].tolist():
            version = int(rows["versions"][row])
            if versions["client_count"][version] != 1:
                continue
            client = str(seen.addresses[int(versions["clients"][version][0])].as_py())
            if client not in servers:
                by_client[client].append((int(rows["answers"][row]) - round(float(needed[row])), row))
        for client, found in sorted(by_client.items(), key=lambda item: -sum(more for more, _ in item[1])):
            found.sort(reverse=True)
            names = list(dict.fromkeys(seen.name_of(row) for _, row in found))
            worst = found[0][1]
            more = sum(more for more, _ in found)
            yield self.tell(
                facts,
                client,
                f"{client} asks again within the TTL for {plural(len(names), 'name')}: {names[0]} "
                f"{int(rows['answers'][worst]):,} times in "
                f"{span(float(rows['last'][worst] - rows['first'][worst]) / SECOND)}, TTL "
                f"{span(int(rows['ttl_max'][worst]))}",
                frames=[v.first_frame for _, row in found[:3] for v in seen.history(row)],
                queries=more,
                counterfactual=f"A cache would have saved {plural(more, 'query')}.",
                detail=f"Names: {brief(names, 4)}." if len(names) > 1 else "",
            )


class NegativeCacheViolated(NameRule):
    """Absence is asked for again while it should be remembered."""

    id = "neg-cache-violated"
    certainty = 0.6
    explanation = (
        "A resolver asked a zone's server again for what it had said not to exist, before the time was over for "
        "which that holds (the smaller of the SOA's TTL and its MINIMUM, RFC 2308 section 5)."
    )
    remedy = (
        "Look at limits for negative answers in the resolver (`neg-cache-size`, `max-ncache-ttl`) and "
        "at its memory."
    )
    disproved_by = "Several resolvers, or processes with caches of their own, behind that one address."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a server."""
        rows = seen.rows
        apart = rows["last_negative"] - rows["first_negative"]
        chosen = seen.has(AUTHORITATIVE) & ~seen.has(ASKED) & (rows["negatives"] >= LEAST_NEGATIVE)
        chosen &= (rows["negative_ttl"] >= LEAST_TTL) & (apart > SECOND) & (rows["answers"] == 0)
        chosen &= apart < rows["negative_ttl"].astype(np.int64) * SECOND
        single = {row["server"] for row in facts.servers if row["clients"] == 1}
        by_server: defaultdict[str, list[int]] = defaultdict(list)
        for row in chosen.nonzero()[0].tolist():
            if seen.server_of(row) in single:
                by_server[seen.server_of(row)].append(row)
        for server, found in sorted(by_server.items(), key=lambda item: -len(item[1])):
            names = list(dict.fromkeys(seen.name_of(row) for row in found))
            count = sum(int(rows["negatives"][row]) - 1 for row in found)
            yield self.tell(
                facts,
                server,
                f"{server} was asked {count:,} times more for {plural(len(names), 'name')} that it had said not to "
                f"exist, such as {names[0]}",
                frames=[seen.negative_frame(row) for row in found[:6]],
                queries=count,
            )


class RootQueriesHigh(NameRule):
    """Many of a resolver's queries go to the root."""

    id = "root-queries-high"
    certainty = 0.7
    explanation = (
        "What the root says holds for two days, so that a warm cache seldom asks there. Many questions to it mean "
        "names without a top-level domain that exists (search lists, browsers that probe for hijacked answers), a "
        "cache that is emptied again and again, or one that is too small."
    )
    remedy = (
        "Serve the root locally (RFC 8806), use NSEC answers (RFC 8198), and look for what asks such names."
    )
    disproved_by = "The capture having begun with an empty cache."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding for the whole capture."""
        upstream = sum(row["queries"] for row in facts.servers if row["role"] == "authoritative")
        at_root = [row for row in facts.servers if row["server"] in LETTERS and row["role"] != "recursive"]
        count = sum(row["queries"] for row in at_root)
        if count < MANY_AT_ROOT or count < ROOT_SHARE * upstream:
            return
        rows = seen.rows
        asked = {row["server"] for row in at_root}
        frames = [
            seen.negative_frame(row)
            for row in (rows["negatives"] > 0).nonzero()[0].tolist()
            if seen.server_of(row) in asked
        ]
        denied = sum(row["nxdomain"] for row in at_root)
        yield self.tell(
            facts,
            at_root[0]["server"],
            f"{plural(count, 'query')} went to the root, {100 * count / max(upstream, 1):.0f} % of those to zones' "
            f"servers; {denied:,} were for names that do not exist",
            frames=frames[:6],
            queries=count,
        )


class ResolverRestart(NameRule):
    """A resolver asks anew for the root's servers."""

    id = "resolver-restart-suspected"
    certainty = 0.6
    explanation = (
        "A resolver asked for the NS records of the root, as one does that has just been started (priming, RFC "
        "8109), and did so again long before these had expired: it was started anew, or its cache emptied. What its "
        "clients asked next was cold."
    )
    remedy = "Look at its log at these times: crashes, memory limits, reloads that empty the cache."
    disproved_by = "Several resolvers, or processes with caches of their own, behind that one address."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a resolver."""
        code = seen.code_of(".")
        rows = [] if code is None else seen.rows_of(code, NS)
        moments: defaultdict[str, dict[int, int]] = defaultdict(dict)
        ttl = 0
        for row in rows:
            if seen.section[row] != ANSWER or seen.rows["flags"][row] & ASKED:
                continue
            if not seen.rows["flags"][row] & AUTHORITATIVE:
                continue
            for value in seen.history(row):
                if len(value.clients) == 1 and not value.more_clients:
                    ttl = max(ttl, value.ttl_max)
                    moments[value.clients[0]] |= {
                        value.first: value.first_frame,
                        value.last: value.last_frame,
                    }
        for client, at in moments.items():
            times = sorted(at)
            anew = [two for one, two in itertools.pairwise(times) if ROUND < two - one < ttl * SECOND // 2]
            if anew:
                yield self.tell(
                    facts,
                    client,
                    f"{client} asked anew for the root's servers, at {', '.join(clock(time) for time in anew[:3])}",
                    frames=[at[times[0]], *(at[time] for time in anew[:4])],
                )


RULES = (AppCacheAbsent(), NegativeCacheViolated(), RootQueriesHigh(), ResolverRestart())
