"""Answers too large for UDP: truncation, TCP that does not get through, fragments that get lost."""

from __future__ import annotations

from typing import ClassVar

from dnscap.findings.costs import Cost
from dnscap.findings.rule import Case, Facts, Rule, failing_server, plural, seconds, waited


class _Large(Rule):
    def subject(self, case: Case, facts: Facts) -> str | None:
        return failing_server(("truncated",))(case)


class Truncation(_Large):
    """Answers come truncated and are fetched again over TCP."""

    id = "truncation"
    causes = ("truncation",)
    covered_by = ("tcp-blocked",)
    certainty = 0.95
    explanation = (
        "The answer did not fit into the UDP size that the client offered, so it came truncated (TC) and "
        "the question was asked again over TCP: two more round trips at least."
    )
    remedy = "Make the record set smaller, or let clients offer 1232 octets by EDNS."
    remedies: ClassVar[dict[str, str]] = {
        "glibc": "`options edns0` offers 1200 octets instead of 512.",
        "musl": "before 1.2.4 it does not ask over TCP at all and takes the truncated answer as it is.",
        "go": "it offers 1232 octets since 1.18; older ones 512.",
    }
    disproved_by = "UDP answers without TC to the same question and size offered."

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return (
            f"Answers do not fit into UDP: {plural(cost.lookups, 'lookup')} spent {seconds(cost.seconds)} on "
            "TCP"
        )


class TcpBlocked(_Large):
    """TCP after truncation gets no connection."""

    id = "tcp-blocked"
    causes = ("tcp-blocked",)
    covers = ("truncation",)
    certainty = 0.9
    explanation = (
        "After a truncated answer the client turned to TCP port 53 and got no connection: its SYNs stayed "
        "unanswered or were refused. DNS needs TCP (RFC 7766, RFC 9210); names with large answers cannot be "
        "resolved here."
    )
    remedy = "Open TCP port 53 from the clients to that server, and have the server listen there."
    remedies: ClassVar[dict[str, str]] = {
        "glibc": "`options edns0` avoids truncation of answers up to 1200 octets.",
        "kubernetes": "NetworkPolicies must allow TCP port 53 beside UDP.",
    }
    disproved_by = "A completed handshake to port 53 of that server from the same client."

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return (
            f"TCP to {subject or 'the server'} is blocked: {plural(cost.lookups, 'lookup')} with truncated "
            f"answers waited {seconds(cost.seconds)}"
        )


class TcpRetransmission(Rule):
    """Segments of a TCP connection had to be sent again."""

    id = "tcp-retransmission"
    causes = ("tcp-retransmission",)
    rests_on = "silence"
    certainty = 0.8
    explanation = (
        "A SYN or a segment with DNS in it was lost and sent again by the kernel, 1 s later for a SYN, some "
        "hundred milliseconds for data. The stub cannot shorten this wait."
    )
    remedy = (
        "Look for packet loss between client and server; keep connections open (RFC 7766) to save handshakes."
    )
    disproved_by = "Both copies of the segment arriving at the server."

    def subject(self, case: Case, facts: Facts) -> str | None:
        over_tcp = [
            server for server, transport in case.kept.cells("server", "transport") if transport == "tcp"
        ]
        servers = case.kept.row["servers"] or ()
        return over_tcp[0] if over_tcp else servers[0] if servers else None

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"TCP segments to {subject or 'the server'} are lost: {waited(cost)}"


class FragmentsLost(Rule):
    """Large answers come in fragments, of which some are missing."""

    id = "fragments-lost"
    causes = ("fragments-lost",)
    rests_on = "fragments"
    certainty = 0.75
    explanation = (
        "Large UDP answers were sent in IP fragments and the later fragments never came, so the answer as a "
        "whole is lost while small ones arrive."
    )
    remedy = (
        "Let servers and clients keep to 1232 octets (RFC 9715): `max-udp-size 1232` (BIND), `max-udp-size: "
        "1232` (Unbound), `+bufsize=1232` (dig); or let fragments pass the firewall."
    )
    disproved_by = "The later fragments in a capture without a `port 53` filter."

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"Fragments of large answers are lost: {waited(cost)}"


RULES = (Truncation(), TcpBlocked(), TcpRetransmission(), FragmentsLost())
