"""Kubernetes: whether pods ask the cache on their node."""

from __future__ import annotations

from collections.abc import Iterator

from dnscap.findings.costs import Cost
from dnscap.findings.gate import bounded
from dnscap.findings.rule import Facts, Finding, Rule, plural

NODE_CACHE = "169.254.20.10"
"""Address of NodeLocal DNSCache as its documentation has it."""

LEAST = 3
"""Lookups past the node's cache before it is more than a test."""


class NodelocalBypassed(Rule):
    """Pods ask the cluster's DNS service although their node has a cache."""

    id = "nodelocal-bypassed"
    rests_on = "content"
    certainty = 0.6
    explanation = (
        "Some clients of the cluster ask the cache on their node (169.254.20.10), others the cluster's DNS service "
        "directly: these cross the network for every lookup, through connection tracking, where questions sent at "
        "once can get lost, and add to the load of CoreDNS."
    )
    remedy = (
        "Look at `dnsPolicy` and `dnsConfig` of these pods and at `--cluster-dns` of the kubelet; pods that were "
        "started before the cache was set up keep the old address until they are started anew."
    )
    disproved_by = "These clients being caches of nodes themselves, which ask the service for what they lack."

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give one finding a server that is asked instead."""
        asked = facts.server(NODE_CACHE)
        if asked is None or not asked["answered"]:
            return
        servers = {row["server"] for row in facts.servers}
        past: dict[str, list[dict[str, object]]] = {}
        for row in facts.clients:
            others = [s for s in row["nameservers"] or () if s != NODE_CACHE]
            if (
                row["client"] in servers
                or row["client"] == NODE_CACHE
                or NODE_CACHE in (row["nameservers"] or ())
            ):
                continue
            if others and any(
                s.endswith(("svc.cluster.local", "cluster.local")) for s in row["search"] or ()
            ):
                past.setdefault(others[0], []).append(row)
        for server, rows in past.items():
            clients = {row["client"] for row in rows}
            kept = [
                k for k in facts.kept if k.row["client"] in clients and server in (k.row["servers"] or ())
            ]
            lookups = sum(int(str(row["lookups"])) for row in rows)
            if lookups < LEAST:
                continue
            cost = Cost(lookups, 0, 0.0, 0)
            finding = self.finding(
                facts,
                server,
                cost,
                kept,
                causes=[],
                confidence=bounded(self.confidence(cost, facts)),
                severity="info",
            )
            finding.title = (
                f"{plural(len(clients), 'client')} ask {server} past the cache of their node: "
                f"{plural(lookups, 'lookup')}"
            )
            yield finding

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"{subject} is asked past the cache of the node"


RULES = (NodelocalBypassed(),)
