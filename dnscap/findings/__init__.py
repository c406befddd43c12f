"""What is wrong, what it costs, how sure that is, and what to do: one module a family."""

from __future__ import annotations

from dnscap.findings import (
    abuse,
    alias_targets,
    caches,
    challenges,
    clusters,
    delegations,
    dnssec,
    edns,
    guessing,
    lifetimes,
    loss,
    made_up,
    moves,
    name_servers,
    names,
    propagation,
    record_forms,
    repeats,
    replies,
    roles,
    search,
    server_order,
    shares,
    silence,
    subnets,
    transport,
    upstream,
    views,
    waiting,
)
from dnscap.findings.rule import SEVERITIES, Facts, Finding, Rule

RULES: tuple[Rule, ...] = (
    *silence.RULES,
    *loss.RULES,
    *transport.RULES,
    *edns.RULES,
    *replies.RULES,
    *search.RULES,
    *waiting.RULES,
    *server_order.RULES,
    *clusters.RULES,
    *names.RULES,
    *alias_targets.RULES,
    *upstream.RULES,
    *propagation.RULES,
    *challenges.RULES,
    *delegations.RULES,
    *name_servers.RULES,
    *moves.RULES,
    *dnssec.RULES,
    *lifetimes.RULES,
    *views.RULES,
    *record_forms.RULES,
    *caches.RULES,
    *repeats.RULES,
    *roles.RULES,
    *shares.RULES,
    *subnets.RULES,
    *guessing.RULES,
    *abuse.RULES,
    *made_up.RULES,
)
"""Every rule, by family."""


def find(facts: Facts) -> list[Finding]:
    """Everything that the rules find, the worst first.

    Parameters
    ----------
    facts : Facts
        What was counted and kept.
    """
    found = [finding for rule in RULES for finding in rule.find(facts)]
    found.sort(
        key=lambda f: (-SEVERITIES.index(f.severity), -f.failed, -f.cost_seconds, f.id, f.subject or "")
    )
    return found


__all__ = ["RULES", "SEVERITIES", "Facts", "Finding", "Rule", "find"]
