"""Causes on the far side, where the capture holds it: forwarders, recursion, authoritative servers."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from dnscap.findings.costs import Cost
from dnscap.findings.gate import bounded
from dnscap.findings.lame import lame_servers
from dnscap.findings.name_rule import MOST_FINDINGS
from dnscap.findings.rule import MOST_EVIDENCE, Case, Facts, Finding, Rule, first_server, waited


class _FarSide(Rule):
    """A cause behind the server that the client asked."""

    certainty = 0.8
    what: ClassVar[str]
    """The title, up to what it cost."""

    def subject(self, case: Case, facts: Facts) -> str | None:
        servers: Counter[str] = Counter(server for (server,) in case.kept.cells("server"))
        if servers:
            return servers.most_common(1)[0][0]
        return first_server(case)

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        what = self.what.format(server=subject or "the server")
        tail = f", {cost.failed:,} failed" if cost.failed else ""
        return f"{what}: {waited(cost)}{tail}"


class ColdRecursion(_FarSide):
    """The resolver had to walk down from the root or a TLD."""

    id = "cold-recursion"
    causes = ("cold-recursion",)
    what = "Resolver {server} resolves from scratch"
    explanation = (
        "The answer was not in the resolver's cache, so it walked the delegations, one round trip or more "
        "at each step."
    )
    remedy = "Longer TTLs, prefetching and a cache shared by more clients make cold walks rarer."
    disproved_by = "An upstream walk that took a small part of the wait."

    def severity(self, cost: Cost, facts: Facts) -> str:
        return "low" if not cost.failed else super().severity(cost, facts)


class SlowAuthoritative(_FarSide):
    """A zone's server takes long to answer."""

    id = "slow-authoritative"
    causes = ("slow-authoritative",)
    what = "Authoritative servers behind {server} answer late"
    explanation = (
        "The resolver's own question to the zone's server took most of the time: that server is slow or far."
    )
    remedy = "Serve the zone from nearer or faster servers, raise its TTLs, or prefetch."
    disproved_by = "Quick answers of that server to other resolvers."


class LameDelegation(_FarSide):
    """A zone is delegated to a server that does not serve it."""

    id = "lame-delegation"
    causes = ("lame-delegation",)
    certainty = 0.85
    what = "Zones resolved by {server} are delegated to servers that do not serve them"
    explanation = (
        "A server to which the zone is delegated refuses or refers elsewhere. The resolver loses a round "
        "trip or a timeout at each such server, and fails where all are lame."
    )
    remedy = "Serve the zone there, or take that server out of the NS records in parent and child."
    disproved_by = "An authoritative answer (AA) for the zone from that server."

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give lookups that waited for lame servers, then those servers that nobody had to wait for."""
        told = [*super().find(facts)]
        yield from told
        if facts.seen is None or told:
            return
        for lame in itertools.islice(lame_servers(facts.seen), MOST_FINDINGS):
            confidence = bounded(self.certainty * facts.quality.factor("content"))
            finding = self.finding(
                facts, lame.server, Cost(), [], causes=[], confidence=confidence, severity="info"
            )
            finding.title = f"{lame.server}, a server of {lame.zone}, {lame.what} {lame.name}"
            finding.evidence = facts.origins.all_told(lame.frames, MOST_EVIDENCE[2])
            yield finding


class DeadAuthoritative(_FarSide):
    """A zone's server is silent."""

    id = "dead-authoritative"
    causes = ("dead-authoritative",)
    rests_on = "silence"
    what = "Authoritative servers asked by {server} stay silent"
    explanation = (
        "A server of the zone never answers the resolver, which waits for its timeout before it tries the "
        "next one, if there is one."
    )
    remedy = "Revive the server or take it out of the NS records in parent and child."
    disproved_by = "An answer of that server to any resolver in the same minutes."


class DnssecBogus(_FarSide):
    """Validation failed."""

    id = "dnssec-bogus"
    causes = ("dnssec-bogus",)
    what = "Resolver {server} finds signatures bogus"
    explanation = (
        "The resolver fetched DNSKEY and DS records and then answered SERVFAIL: signatures are missing, "
        "expired or do not fit the keys."
    )
    remedy = (
        "Sign the zone anew and compare its DS record in the parent with its keys; check with `delv` or "
        "`dig +cd`."
    )
    disproved_by = "SERVFAIL also with the CD bit set."


class ServeStale(_FarSide):
    """An expired answer was given after upstream failed."""

    id = "serve-stale"
    causes = ("serve-stale",)
    what = "Resolver {server} serves stale answers"
    explanation = (
        "The resolver could not refresh the record in time and gave the expired one after its client "
        "timeout (RFC 8767). The application was served; the zone's servers need attention."
    )
    remedy = (
        "Mend the zone's servers; `serve-expired-client-timeout: 0` answers at once and refreshes afterwards."
    )
    disproved_by = "A fresh answer from upstream before the client was answered."

    def severity(self, cost: Cost, facts: Facts) -> str:
        return "medium" if cost.seconds / max(cost.lookups, 1) >= 1 else "low"


class UpstreamRefused(_FarSide):
    """The upstream server refused."""

    id = "upstream-refused"
    causes = ("upstream-refused",)
    certainty = 0.9
    what = "Servers behind {server} refuse"
    explanation = (
        "The server that was asked in turn answered REFUSED, and the client was told of a failure or waited "
        "for another."
    )
    remedy = "Allow the resolver there, or correct where it forwards to."
    disproved_by = "Ordinary upstream answers to the same question."


class UpstreamServfail(_FarSide):
    """The upstream server failed."""

    id = "upstream-servfail"
    causes = ("upstream-servfail",)
    certainty = 0.9
    what = "Servers behind {server} fail"
    explanation = (
        "The server that was asked in turn answered SERVFAIL; nothing is wrong between client and resolver."
    )
    remedy = "Look for the reason at that server: its zone did not load, or its own upstream failed."
    disproved_by = "Ordinary upstream answers to the same question."


class UpstreamTruncation(_FarSide):
    """The resolver had to fetch the answer over TCP."""

    id = "upstream-truncation"
    causes = ("upstream-truncation",)
    certainty = 0.9
    what = "Answers to {server} come truncated and are fetched over TCP"
    explanation = (
        "The zone's server truncated its answer, so the resolver asked again over TCP while the client "
        "waited."
    )
    remedy = "Smaller record sets, or a UDP size of 1232 octets at both ends."
    disproved_by = "UDP answers without TC."


class UpstreamTcpBlocked(_FarSide):
    """The resolver cannot reach the zone's server over TCP."""

    id = "upstream-tcp-blocked"
    causes = ("upstream-tcp-blocked",)
    certainty = 0.9
    rests_on = "silence"
    what = "TCP from {server} to authoritative servers is blocked"
    explanation = (
        "After a truncated answer the resolver found no TCP connection to the zone's server, so large "
        "answers cannot be had."
    )
    remedy = "Open TCP port 53 outwards from the resolver, and inwards at the zone's servers."
    disproved_by = "A completed handshake between the two."


class UpstreamEdnsFallback(_FarSide):
    """A zone's server rejects EDNS."""

    id = "upstream-edns-fallback"
    causes = ("upstream-edns-fallback",)
    certainty = 0.9
    what = "Servers asked by {server} reject EDNS"
    explanation = "The zone's server answers EDNS with an error, and the resolver asks again without it."
    remedy = "Update that server; resolvers have given up such workarounds since DNS flag day 2019."
    disproved_by = "An answer of that server to a query with EDNS."


class UpstreamEdnsDropped(_FarSide):
    """A zone's server, or a box before it, discards EDNS."""

    id = "upstream-edns-dropped"
    causes = ("upstream-edns-dropped",)
    rests_on = "silence"
    what = "Queries of {server} with EDNS vanish"
    explanation = (
        "The resolver's queries with EDNS are not answered; it finds out by timeouts that it must leave "
        "EDNS away, or fails."
    )
    remedy = "Have firewalls before that server pass EDNS, or replace the server."
    disproved_by = "An answer of that server to a query with EDNS."


class ForwarderUpstreamTimeout(_FarSide):
    """A forwarder waited for an upstream that did not answer, or gave up before it did."""

    id = "forwarder-upstream-timeout"
    causes = ("forwarder-upstream-timeout",)
    rests_on = "silence"
    what = "Forwarder {server} waits for its upstream"
    explanation = (
        "The forwarder's own question upstream was not answered in time: it tried another upstream after "
        "its timeout, or gave up before the answer came. The client sees only the wait, or SERVFAIL."
    )
    remedy = (
        "Replace the silent upstream; where it is only slow, raise the forwarder's timeout above the "
        "upstream's own."
    )
    remedies: ClassVar[dict[str, str]] = {
        "kubernetes": (
            "CoreDNS waits 2 s for an upstream and 5 s in all: see `forward ... { max_fails, health_check }`."
        ),
    }
    disproved_by = "Prompt upstream answers for the same names."


class ForwarderEdnsFallback(_FarSide):
    """A forwarder had to learn that its upstream cannot stand EDNS."""

    id = "forwarder-edns-fallback"
    causes = ("forwarder-edns-fallback",)
    certainty = 0.9
    what = "Forwarder {server} has to leave EDNS away upstream"
    explanation = (
        "The forwarder's upstream rejects or drops EDNS; it asks again at a lower feature level, from time "
        "to time anew."
    )
    remedy = "Update the upstream server, or pin the forwarder to the level that works."
    disproved_by = "An upstream answer to a query with EDNS."


RULES = (
    ColdRecursion(),
    SlowAuthoritative(),
    LameDelegation(),
    DeadAuthoritative(),
    DnssecBogus(),
    ServeStale(),
    UpstreamRefused(),
    UpstreamServfail(),
    UpstreamTruncation(),
    UpstreamTcpBlocked(),
    UpstreamEdnsFallback(),
    UpstreamEdnsDropped(),
    ForwarderUpstreamTimeout(),
    ForwarderEdnsFallback(),
)
