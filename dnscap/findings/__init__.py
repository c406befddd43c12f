"""What is wrong, what it costs, how sure that is, and what to do: one module a family."""

from __future__ import annotations

from dnscap.findings import caches, edns, loss, names, replies, search, silence, transport, upstream, waiting
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
    *caches.RULES,
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
