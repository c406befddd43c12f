"""Replies that do not help: SERVFAIL, REFUSED, FORMERR, half answers, forged ones, and retry storms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import ClassVar

from dnscap.clients import Kept
from dnscap.findings.costs import Cost
from dnscap.findings.rule import Case, Facts, Finding, Rule, failing_server, plural, waited

STORM = 8
"""Transmissions of one question answered with errors that make a storm: two servers, four rounds."""


class _Reply(Rule):
    certainty = 0.9
    outcomes: tuple[str, ...] = ()

    def subject(self, case: Case, facts: Facts) -> str | None:
        return failing_server(self.outcomes)(case)


class Servfail(_Reply):
    """The server could not resolve the name."""

    id = "servfail"
    rests_on = "headers"
    causes = ("servfail",)
    outcomes = ("servfail",)
    explanation = (
        "The server answered SERVFAIL: it could not get an answer itself (authoritative servers silent, "
        "lame or broken, DNSSEC validation failed). Stubs ask their other servers, each of which may fail "
        "the same slow way."
    )
    remedy = (
        "Ask the server for the name with `dig`, then with `+cd`: an answer with +cd means DNSSEC; "
        "otherwise follow the delegation with `dig +trace +nodnssec`. Extended errors (EDE) in the answer "
        "name the reason where the server gives it."
    )
    remedies: ClassVar[dict[str, str]] = {
        "musl": "SERVFAIL of one family fails the whole lookup, even where the other was answered.",
        "kubernetes": "see the errors plugin's log of CoreDNS for the upstream that failed.",
    }
    disproved_by = "The same question answered by that server in the same seconds."

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        outcomes = facts.outcomes_of(subject)
        # Codes beyond the old ones, such as BADVERS, stop a lookup in the same way.
        other = "other-rcode" in outcomes and "servfail" not in outcomes
        what = "answers with an unusual error code" if other else "says SERVFAIL"
        return (
            f"Server {subject or 'unknown'} {what}: {plural(cost.lookups, 'lookup')} affected, "
            f"{cost.failed:,} failed"
        )


class Refused(_Reply):
    """The server does not want to answer this client."""

    id = "refused"
    rests_on = "headers"
    causes = ("refused",)
    outcomes = ("refused",)
    explanation = (
        "The server answered REFUSED: it does not serve this client, or not recursively. Stubs go to the "
        "next server, or (musl) take it for no answer and wait."
    )
    remedy = (
        "Allow the client there (`allow-recursion` in BIND, `access-control` in Unbound, `acl` in CoreDNS) "
        "or take the server out of the list."
    )
    remedies: ClassVar[dict[str, str]] = {
        "musl": "it ignores REFUSED, so the lookup waits until its timeout unless another server answers."
    }
    disproved_by = "Answers of that server to the same client for other names: then only a zone is refused."

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return (
            f"Server {subject or 'unknown'} refuses: {plural(cost.lookups, 'lookup')} affected, "
            f"{cost.failed:,} failed"
        )


class Formerr(_Reply):
    """The server could not read the question."""

    id = "formerr"
    rests_on = "headers"
    causes = ("formerr",)
    outcomes = ("formerr", "notimp")
    explanation = (
        "The server answered FORMERR: it does not understand the question, most often because of EDNS or an "
        "option in it."
    )
    remedy = (
        "Ask with `dig +noedns` and `dig +nocookie` to see which part it cannot stand; update the server or "
        "the box before it."
    )
    disproved_by = "An ordinary answer of that server to a question of the same form."

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return (
            f"Server {subject or 'unknown'} says FORMERR: {plural(cost.lookups, 'lookup')} affected, "
            f"{cost.failed:,} failed"
        )


class PartialAnswer(_Reply):
    """One family was answered and the other failed."""

    id = "partial-answer"
    causes = ("partial-answer",)
    outcomes = ("servfail", "refused", "nxdomain")
    certainty = 0.8
    explanation = (
        "One of A and AAAA was answered and the other failed or was denied. Some stubs use the half they "
        "have, some fail the whole lookup."
    )
    remedy = (
        "Have the zone's servers answer both types alike: NODATA where there is no record, not an error or "
        "NXDOMAIN."
    )
    disproved_by = "Answers of the same kind to both types from that server."

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return (
            f"Only one of A and AAAA is answered by {subject or 'the server'}: "
            f"{plural(cost.lookups, 'lookup')} affected"
        )


class BogusAnswerIgnored(_Reply):
    """Replies that do not fit the question came and were ignored."""

    id = "bogus-answer-ignored"
    causes = ("bogus-answer-ignored",)
    certainty = 0.85
    explanation = (
        "A reply came that does not fit any open question (another id, another name, another source): the "
        "stub ignored it and waited on. A broken box on the way causes this, or somebody who tries to forge "
        "answers."
    )
    remedy = (
        "Find out who sends these replies (compare IP TTL and MAC address with good answers of that server)."
    )
    disproved_by = "An open question in the capture that the reply fits."

    def subject(self, case: Case, facts: Facts) -> str | None:
        servers = case.kept.row["servers"] or ()
        return servers[0] if servers else None

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"Replies from {subject or 'the server'} do not fit the question: {waited(cost)}"


class RetryStorm(Rule):
    """One question is asked again and again because it is answered with errors."""

    id = "error-retry-storm"
    certainty = 0.95
    explanation = (
        "Questions that are answered with SERVFAIL or REFUSED are asked again at once, of every server and "
        "in every round. This multiplies load on servers that already fail, and delays the failure for the "
        "application."
    )
    remedy = (
        "Mend the zone or the server behind the error; a cache that keeps SERVFAIL for some seconds (RFC "
        "9520) stops the storm."
    )
    disproved_by = "Different applications asking for the same name at the same time."

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give one finding if a question was repeated too often."""
        stormy: list[tuple[int, Kept]] = []
        for kept in facts.kept:
            if kept.sent < STORM:
                continue
            counts: defaultdict[tuple[str, str], int] = defaultdict(int)
            for outcome, qname, qtype in kept.cells("outcome", "qname", "qtype"):
                if outcome in ("servfail", "refused"):
                    counts[qname, qtype] += 1
            worst = max(counts.values(), default=0)
            if worst >= STORM:
                stormy.append((sum(counts.values()), kept))
        if not stormy:
            return
        stormy.sort(key=lambda item: -item[0])
        cost = Cost(len(stormy), sum(k.failed for _, k in stormy), 0.0, sum(count for count, _ in stormy))
        yield self.finding(
            facts,
            None,
            cost,
            [k for _, k in stormy],
            causes=[],
            confidence=self.confidence(cost, facts),
            severity="low",
        )

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return (
            f"Errors set off retries: {plural(cost.lookups, 'lookup')} sent {plural(cost.queries, 'query')} "
            "that were answered with errors"
        )


RULES = (Servfail(), Refused(), Formerr(), PartialAnswer(), BogusAnswerIgnored(), RetryStorm())
