"""Packets that vanish: at random, or by a pattern that tells where."""

from __future__ import annotations

from typing import ClassVar

from dnscap.findings.costs import Cost
from dnscap.findings.rule import Case, Facts, Rule, silent_server, waited

_PAIR_REMEDIES = {
    "glibc": (
        "`options single-request-reopen` (a port of its own for each question) or `single-request` avoids it."
    ),
    "musl": "it has no option for this; run a cache on the node or let the pod use TCP through one.",
    "c-ares": "ask for one family (ARES_AI with AF_INET), or give each its own channel.",
    "kubernetes": (
        "run NodeLocal DNSCache, which takes DNS out of connection tracking; for glibc pods set "
        "dnsConfig.options single-request-reopen."
    ),
}


class _Lost(Rule):
    rests_on = "silence"

    def subject(self, case: Case, facts: Facts) -> str | None:
        return silent_server(case)


class PacketLoss(_Lost):
    """A question or its answer was lost and a resend was answered."""

    id = "packet-loss"
    causes = ("packet-loss",)
    certainty = 0.75
    explanation = (
        "A question got no answer, and the same question sent again to the same server did. Either the "
        "question or the answer was lost on the way, or the server dropped it; the stub pays one whole "
        "timeout for it."
    )
    remedy = (
        "Look for loss on the path (interface drops, full conntrack tables, Wi-Fi, rate limits) and for "
        "receive buffer errors at the server (`nstat -az UdpRcvbufErrors`)."
    )
    remedies: ClassVar[dict[str, str]] = {
        "glibc": "`options timeout:1` makes each loss cost 1 s instead of 5 s.",
        "musl": "`options attempts:5` makes it ask again each second.",
        "go": "`options timeout:1` in resolv.conf makes each loss cost 1 s instead of 5 s.",
    }
    disproved_by = (
        "A capture at the server that shows both the question and its answer leave, or the server's own log "
        "of a drop."
    )

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        row = facts.server(subject) if subject else None
        share = (
            f" ({100 * row['unanswered'] / row['queries']:.1f} % unanswered)"
            if row and row["unanswered"]
            else ""
        )
        return (
            f"Packets between clients and {subject or 'the server'} are lost{share}: {waited(cost)} for "
            "resends"
        )


class PairRace(_Lost):
    """Of two questions sent at once from one port, one vanishes."""

    id = "pair-race"
    causes = ("pair-race",)
    certainty = 0.7
    explanation = (
        "A and AAAA leave one socket within microseconds, and one of the two never gets an answer, while "
        "the resend does. This is the race of connection tracking: two packets of a new flow meet in "
        "address translation and the second is dropped."
    )
    remedy = (
        "Keep DNS out of connection tracking (a cache on the node, NOTRACK rules) or avoid sending both at "
        "once."
    )
    remedies: ClassVar[dict[str, str]] = _PAIR_REMEDIES
    disproved_by = (
        "Both packets of such a pair seen behind the translation, or `conntrack -S` without insert_failed "
        "increasing meanwhile."
    )

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"One of the A/AAAA pair vanishes on the way to {subject or 'the server'}: {waited(cost)}"


class AaaaDropped(_Lost):
    """AAAA is never answered, A always is."""

    id = "aaaa-dropped"
    causes = ("aaaa-dropped",)
    certainty = 0.75
    explanation = (
        "Questions for AAAA get no answer at all while A is answered at once. A server or a box before it "
        "discards them instead of saying that there is no such record, so every lookup of both families "
        "waits for the timeout."
    )
    remedy = (
        "Have the server answer AAAA with an empty answer (RFC 4074); look for firewalls that filter by type."
    )
    remedies: ClassVar[dict[str, str]] = {
        "glibc": "`options no-aaaa` (2.36 and later) asks for A only.",
        "go": 'resolve with network "ip4" where IPv6 is not used.',
        "c-ares": "ask with AF_INET where IPv6 is not used.",
    }
    disproved_by = "An answer to any AAAA question for those names from that server."

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"AAAA questions to {subject or 'the server'} are never answered: {waited(cost)}"


class SecondAnswerDropped(_Lost):
    """The second answer to one port is missing, at any server."""

    id = "second-answer-dropped"
    causes = ("second-answer-dropped",)
    certainty = 0.65
    explanation = (
        "Of two questions from one port only the first answered one comes back. A firewall or translator "
        "closes its mapping after the first answer, so the second is discarded."
    )
    remedy = (
        "Let the firewall keep UDP mappings for some seconds instead of closing them at the first answer."
    )
    remedies: ClassVar[dict[str, str]] = _PAIR_REMEDIES
    disproved_by = "The loss persisting when A and AAAA are asked from different ports."

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"The second answer to a port is dropped: {waited(cost)}"


class ReplySwallowed(_Lost):
    """A forwarder got the answer and did not pass it on."""

    id = "reply-swallowed"
    causes = ("reply-swallowed",)
    certainty = 0.8
    explanation = (
        "The forwarder received the answer from its upstream and never passed it on to the client, which "
        "timed out."
    )
    remedy = "Update the forwarder; read its log for the transactions named here."
    remedies: ClassVar[dict[str, str]] = {
        "systemd-resolved": "versions before 251 are known for it; point the stub at the upstream meanwhile."
    }
    disproved_by = "The answer on the client's interface in a capture that sees it."

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"Forwarder {subject or ''} keeps answers to itself: {waited(cost)}"


class QueueOverflow(_Lost):
    """Losses that come with peaks of load."""

    id = "queue-overflow"
    causes = ("queue-overflow",)
    certainty = 0.65
    explanation = (
        "Unanswered questions cluster at peaks of queries a second, whatever their type: a receive buffer, "
        "a conntrack table or a query limit overflows."
    )
    remedy = (
        "Raise the socket buffer (net.core.rmem_max and the server's own setting) or nf_conntrack_max, or "
        "put a cache between, and compare `nstat UdpRcvbufErrors` before and after."
    )
    disproved_by = "The same share of losses at quiet times."

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"Questions to {subject or 'the server'} are dropped at peaks of load: {waited(cost)}"


RULES = (PacketLoss(), PairRace(), AaaaDropped(), SecondAnswerDropped(), ReplySwallowed(), QueueOverflow())
