"""Servers that do not answer: one of several, all of them, or an address where nobody listens."""

from __future__ import annotations

from typing import ClassVar

from dnscap.findings.costs import Cost
from dnscap.findings.rule import Case, Facts, Rule, failing_server, plural, seconds, silent_server, waited

_TIMEOUT_OPTIONS = {
    "glibc": (
        "`options timeout:1 attempts:2` in resolv.conf shortens each wait from 5 s; `rotate` only spreads "
        "the pain."
    ),
    "musl": "it asks all servers at once, so one dead server costs nothing unless all are silent.",
    "go": (
        "it reads resolv.conf: `options timeout:1` shortens each wait; or give the net.Resolver a Dial with "
        "its own deadline."
    ),
    "c-ares": (
        "set ARES_OPT_TIMEOUTMS and ARES_OPT_TRIES; releases of 2024 and later remember which server failed."
    ),
    "systemd-resolved": (
        "it keeps to the server that answered; drop the dead one from DNS= or from the link (`resolvectl "
        "dns`)."
    ),
    "dnspython": "set `resolver.timeout` (2 s a try) and `resolver.lifetime`.",
    "kubernetes": (
        "check the kube-dns Service's endpoints, and that the node-local cache (169.254.20.10) runs on the "
        "node."
    ),
}


class NameserverTimeout(Rule):
    """One server stayed silent and another had to help."""

    id = "nameserver-timeout"
    causes = ("nameserver-timeout",)
    covered_by = ("no-answer",)
    rests_on = "silence"
    certainty = 0.85
    explanation = (
        "A name server did not answer. The stub waits its whole timeout before it asks the next one, and "
        "most stubs do so anew at every lookup, because they do not remember which server was silent."
    )
    remedy = "Repair that server or take it out of the list, and put one that answers first."
    remedies: ClassVar[dict[str, str]] = _TIMEOUT_OPTIONS
    disproved_by = (
        "An answer of that server in a capture taken beside it: then the answers are lost on the way."
    )

    def subject(self, case: Case, facts: Facts) -> str | None:
        return silent_server(case)

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        row = facts.server(subject) if subject else None
        how = "never answers" if row is not None and row["answered"] == 0 else "often stays silent"
        return f"Name server {subject or 'unknown'} {how}: {waited(cost)} for it"


class NoAnswer(Rule):
    """Nobody answered until the stub gave up."""

    id = "no-answer"
    causes = ("no-answer",)
    covers = ("nameserver-timeout",)
    rests_on = "silence"
    certainty = 0.85
    explanation = (
        "No server answered any transmission of the question, so the stub went through all its retries and "
        "gave up. The application sees a timeout or a temporary failure after the product of servers, "
        "attempts and timeout."
    )
    remedy = "Make sure that the server runs and that UDP and TCP port 53 are open to it in both directions."
    remedies: ClassVar[dict[str, str]] = _TIMEOUT_OPTIONS
    disproved_by = (
        "Answers that arrive at the client and are not in this capture, or a server that answers other "
        "clients in the same seconds."
    )

    def subject(self, case: Case, facts: Facts) -> str | None:
        return silent_server(case)

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        each = cost.seconds / max(cost.lookups, 1)
        row = facts.server(subject) if subject else None
        who = f"server {subject}" if subject else "any server"
        what = (
            "No answer from" if row is None or row["answered"] == 0 else "Questions without any answer from"
        )
        after = f" after {seconds(each)}{' each' if cost.lookups > 1 else ''}" if each > 0.001 else ""
        return f"{what} {who}: {plural(cost.lookups, 'lookup')} gave up{after}"


class ServerUnreachable(Rule):
    """An ICMP error or a reset says that nobody listens there."""

    id = "server-unreachable"
    causes = ("server-unreachable",)
    rests_on = "errors"
    certainty = 0.95
    explanation = (
        "The network says that nobody listens at that address (ICMP unreachable, or a reset). Stubs that "
        "keep a connected socket move on at once; others wait out their timeout all the same."
    )
    remedy = "Start the server there or remove its address from the list of name servers."
    remedies: ClassVar[dict[str, str]] = _TIMEOUT_OPTIONS
    disproved_by = "Answers from that address to other clients: then a firewall rejects this one."

    def subject(self, case: Case, facts: Facts) -> str | None:
        return failing_server(("unreachable",))(case)

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return (
            f"Nobody listens at name server {subject or 'unknown'}: {plural(cost.lookups, 'lookup')} had to "
            "go elsewhere or failed"
        )


RULES = (NameserverTimeout(), NoAnswer(), ServerUnreachable())
