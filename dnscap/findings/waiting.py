"""Waits without a failure: long exchanges, families asked in turn, slow servers, retries that multiply."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from dnscap.clients.configuration import is_reverse
from dnscap.findings.costs import Cost
from dnscap.findings.rule import Case, Facts, Finding, Rule, plural, seconds, severity_of, waited

SLOW_MEDIAN = 100_000_000
"""Nanoseconds: a resolver that needs longer for half its answers is slow (the scorecard's p99 target)."""

ENOUGH = 20
"""Answers before a median means something."""

MANY_RETRIES = 6
"""Retransmissions and fail-overs of one lookup that multiplied: three rounds of a pair."""


class SlowAnswer(Rule):
    """One long exchange; what took the server so long is not in the capture."""

    id = "slow-answer"
    rests_on = "headers"
    causes = ("slow-answer",)
    certainty = 0.8
    explanation = (
        "The server answered, but late: one long exchange without loss. It had to ask other servers (a cold "
        "cache, slow or distant authoritative servers) or was busy; this capture does not show which."
    )
    remedy = (
        "Capture on the resolver's upstream side, or look at its recursion times; prefetching and "
        "serve-stale (RFC 8767) hide cold caches, a nearer resolver shortens every answer."
    )
    disproved_by = (
        "An answer at the client's interface earlier than recorded here, or a round-trip time as long as "
        "the wait."
    )

    def subject(self, case: Case, facts: Facts) -> str | None:
        timed = [sent for sent in case.kept.cells("latency", "server") if sent[0] is not None]
        if timed:
            slowest: str = max(timed, key=lambda sent: sent[0])[1]
            return slowest
        servers = case.kept.row["servers"] or ()
        return servers[0] if servers else None

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"Server {subject or 'unknown'} answers late: {waited(cost)}"


class SerialFamilies(Rule):
    """The second family is asked only when the first is answered."""

    id = "serial-a-aaaa"
    causes = ("serial-a-aaaa",)
    certainty = 0.85
    explanation = (
        "A and AAAA are asked one after the other, so a lookup costs both answers' time instead of the "
        "longer one."
    )
    remedy = "Ask for both at once, or only for the family that is used."
    remedies: ClassVar[dict[str, str]] = {
        "glibc": (
            "drop `single-request` from resolv.conf; it also turns serial by itself after a lost answer."
        ),
        "dnspython": "use dns.asyncresolver and resolve both types concurrently.",
    }
    disproved_by = "Both questions leaving before the first answer."

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"A and AAAA are asked in turn: {waited(cost)} longer"


class SlowServer(Rule):
    """A server that needs long for half of its answers."""

    id = "slow-server"
    rests_on = "headers"
    certainty = 0.9
    explanation = "Half of this server's answers take longer than 100 ms, whatever the name."
    remedy = "Use a nearer or less loaded server, or a cache on the host."
    disproved_by = (
        "A round-trip time (ping, TCP handshake) as long as the latency: then it is distance, not the server."
    )

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give one finding a slow server that clients ask."""
        for row in facts.servers:
            if (
                row["role"] == "authoritative"
                or row["answered"] < ENOUGH
                or (row["latency_p50"] or 0) < SLOW_MEDIAN
            ):
                continue
            kept = [k for k in facts.kept if row["server"] in (k.row["servers"] or ())]
            kept.sort(key=lambda k: -(k.row["duration"] or 0))
            if not kept:
                continue
            cost = Cost(len(kept), 0, 0.0, 0)
            yield self.finding(
                facts,
                row["server"],
                cost,
                kept,
                causes=[],
                confidence=self.confidence(cost, facts),
                severity="low",
                counterfactual=(
                    f"At a median of 20 ms the server would answer {row['latency_p50'] / 20e6:.0f} times as "
                    "fast."
                ),
            )

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        row = facts.server(subject or "")
        took = seconds((row["latency_p50"] or 0) / 1e9) if row else "long"
        return f"Server {subject} is slow throughout: half of its answers take longer than {took}"


class RetryMultiplication(Rule):
    """Servers, attempts, families and names multiply into one long wait."""

    id = "retry-multiplication"
    rests_on = "silence"
    certainty = 0.85
    explanation = (
        "Retries multiply: every candidate name is asked of every server, for both families, as often as "
        "`attempts` says, each time with a whole timeout. The stub gives up long after the application or "
        "its user did."
    )
    remedy = (
        "Keep the product small: two servers that answer, `timeout:1 attempts:2`, a short search list, "
        "names with a trailing dot."
    )
    remedies: ClassVar[dict[str, str]] = {
        "glibc": "the wait is about timeout × attempts × servers for each candidate name.",
        "musl": "the wait is `timeout` for each candidate name, whatever the number of servers.",
        "go": "the wait is timeout × attempts × servers for each candidate name.",
    }
    disproved_by = "Several lookups of the same name, taken for one."

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give one finding if lookups retried many times."""
        many = [
            k
            for k in facts.kept
            if (k.row["retransmissions"] or 0) + (k.row["failovers"] or 0) >= MANY_RETRIES
            and (k.row["duration"] or 0) >= 5e9
        ]
        if not many:
            return
        many.sort(key=lambda k: -(k.row["duration"] or 0))
        queries = sum((k.row["retransmissions"] or 0) + (k.row["failovers"] or 0) for k in many)
        cost = Cost(len(many), sum(k.failed for k in many), 0.0, queries)
        yield self.finding(
            facts,
            None,
            cost,
            many,
            causes=[],
            confidence=self.confidence(cost, facts),
            severity="low",
            counterfactual=f"One try a server would have saved {plural(queries, 'query')}.",
        )

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return (
            f"Retries multiply: {plural(cost.lookups, 'lookup')} sent {plural(cost.queries, 'query')} again "
            "before the end"
        )


class PtrTimeout(Rule):
    """Reverse lookups that get no answer delay logins and logs."""

    id = "ptr-timeout"
    rests_on = "silence"
    certainty = 0.85
    explanation = (
        "Addresses are looked up in reverse (PTR) and the answer never comes or fails. Daemons that log or "
        "check host names (sshd, mail servers, databases) let their clients wait meanwhile."
    )
    remedy = (
        "Serve the reverse zones, at least as empty ones (RFC 6303, RFC 7793), or turn such lookups off "
        "(`UseDNS no` in sshd)."
    )
    disproved_by = "The client going on with its work before the reverse lookup ended."

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give one finding if reverse lookups failed slowly."""
        slow = [
            k
            for k in facts.kept
            if (k.row["duration"] or 0) >= 1e8  # first, as it is told soonest and true of few
            and (k.row["outcome"] in ("timeout", "servfail", "refused") or (k.row["duration"] or 0) >= 1e9)
            and list(k.row["qtypes"] or ()) == ["PTR"]
            and is_reverse(k.row["name"])  # other PTR questions look for services (RFC 6763)
        ]
        if not slow:
            return
        slow.sort(key=lambda k: -(k.row["duration"] or 0))
        cost = Cost(len(slow), sum(k.failed for k in slow), sum(k.row["duration"] for k in slow) / 1e9, 0)
        yield self.finding(
            facts,
            None,
            cost,
            slow,
            causes=[],
            confidence=self.confidence(cost, facts),
            severity=severity_of(cost, facts.lookups),
        )

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return (
            f"Reverse lookups wait for nothing: {plural(cost.lookups, 'lookup')} took {seconds(cost.seconds)}"
        )


RULES = (SlowAnswer(), SerialFamilies(), SlowServer(), RetryMultiplication(), PtrTimeout())
