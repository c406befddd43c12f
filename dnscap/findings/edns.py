"""Servers, or boxes before them, that cannot stand EDNS."""

from __future__ import annotations

from typing import ClassVar

from dnscap.findings.costs import Cost
from dnscap.findings.rule import Case, Facts, Rule, failing_server, plural, seconds, silent_server, waited


class EdnsFallback(Rule):
    """EDNS is answered with an error, and the question is asked again without."""

    id = "edns-fallback"
    causes = ("edns-fallback",)
    certainty = 0.9
    explanation = (
        "The server rejects queries with EDNS (FORMERR, NOTIMP or BADVERS) and answers them without it, so "
        "a question costs a round trip more, or fails with stubs that do not fall back."
    )
    remedy = "Update the server or the box before it; EDNS has been standard since 1999 (RFC 6891)."
    remedies: ClassVar[dict[str, str]] = {
        "glibc": "it does not fall back: leave `edns0` and `trust-ad` out of resolv.conf for this server.",
        "go": (
            "set GODEBUG=netedns0=0 (1.22 and later) or `options no-edns0`-like settings of a cache between."
        ),
        "c-ares": "clear ARES_FLAG_EDNS.",
    }
    disproved_by = "An answer other than an error to a query with EDNS from that server."

    def subject(self, case: Case, facts: Facts) -> str | None:
        return failing_server(("formerr", "notimp", "other-rcode"))(case)

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return (
            f"Server {subject or 'unknown'} rejects EDNS: {plural(cost.lookups, 'lookup')} spent "
            f"{seconds(cost.seconds)} on it"
        )


class EdnsDropped(Rule):
    """Queries with EDNS are not answered, those without are."""

    id = "edns-dropped"
    causes = ("edns-dropped",)
    rests_on = "silence"
    certainty = 0.75
    explanation = (
        "Queries with EDNS vanish while the same question without EDNS is answered: a firewall or an old "
        "server discards what it does not know."
    )
    remedy = (
        "Have the firewall let EDNS pass (look for DNS inspection and size limits of 512 octets) or replace "
        "the server."
    )
    remedies: ClassVar[dict[str, str]] = {
        "systemd-resolved": "it finds out by itself, some seconds later each time its memory of it ends.",
        "glibc": "leave `edns0` and `trust-ad` out of resolv.conf for this server.",
    }
    disproved_by = "An answer to a query with EDNS from that server."

    def subject(self, case: Case, facts: Facts) -> str | None:
        return silent_server(case)

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"Queries with EDNS to {subject or 'the server'} vanish: {waited(cost)}"


RULES = (EdnsFallback(), EdnsDropped())
