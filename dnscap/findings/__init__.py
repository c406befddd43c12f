"""What is wrong, what it costs, how sure that is, and what to do: one module a family."""

from __future__ import annotations

from dnscap.findings import (
    abuse,
    caches,
    challenges,
    delegations,
    dnssec,
    edns,
    guessing,
    lifetimes,
    loss,
    made_up,
    names,
    propagation,
    record_forms,
    replies,
    search,
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
    *names.RULES,
    *upstream.RULES,
    *propagation.RULES,
    *challenges.RULES,
    *delegations.RULES,
    *dnssec.RULES,
    *lifetimes.RULES,
    *views.RULES,
    *record_forms.RULES,
    *caches.RULES,
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
