"""Search lists: questions for names that nobody meant, and what they cost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from dnscap.clients import Kept
from dnscap.findings.costs import Cost
from dnscap.findings.rule import Facts, Finding, Rule, plural, seconds, severity_of

WASTED_SHARE = 0.5
"""Share of queries that added nothing before it is worth a word."""

ENOUGH = 10
"""Wasted queries before it is worth a word."""

LEFT_ALONE = 5
"""Absent names without a walk, for each walk of a client whose suffixes never come again: it has no list then."""


def ndots_text(clients: list[dict[str, Any]]) -> str:
    """What is known of the search list and ndots of the clients."""
    told = []
    for row in clients:
        if row["ndots_min"] is not None and row["ndots_min"] > 1:
            suffixes = (
                f", {plural(len(row['search']), 'suffix').replace('suffixs', 'suffixes')}"
                if row["search"]
                else ""
            )
            told.append(f"{row['client']} behaves like ndots:{row['ndots_min']} or more{suffixes}")
    return "; ".join(told[:3])


class SearchFanout(Rule):
    """Names are tried with every suffix of the search list before they are asked as they are."""

    id = "search-fanout"
    causes = ("search-fanout",)
    certainty = 0.9
    explanation = (
        "Names with fewer dots than `ndots` are first asked with each suffix of the search list, for both "
        "families. Every candidate that does not exist costs a round trip, or a whole recursion where the "
        "resolver has not cached its absence."
    )
    remedy = "Write names with a trailing dot, lower `ndots`, or shorten the search list."
    remedies: ClassVar[dict[str, str]] = {
        "glibc": "`options ndots:1` is the default; a name with a dot is then asked as it is first.",
        "musl": (
            "it never tries the search list for names with ndots dots or more: lowering ndots may hide "
            "short names."
        ),
        "kubernetes": (
            "set ndots in the pod's `dnsConfig.options`, 2 for instance, or use autopath in CoreDNS."
        ),
    }
    disproved_by = "An application that asks for these long names itself."

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give the lookups that it made slow; otherwise the waste, if it is large."""
        facts = _with_lists(facts)
        found = list(super().find(facts))
        if found:
            yield from found
            return
        yield from self._waste(facts)

    def _waste(self, facts: Facts) -> Iterator[Finding]:
        # A candidate that fails for another reason than absence is another finding's.
        walks = [k for k in facts.kept if len(k.row["candidates"] or ()) > 1 and not k.row["causes"]]
        wasted = sum(k.row["wasted_queries"] or 0 for k in walks)
        queries = sum(k.row["queries"] or 0 for k in walks)
        if not walks or wasted < ENOUGH or wasted < WASTED_SHARE * queries:
            return
        walks.sort(key=lambda k: -(k.row["t_search"] or 0))
        cost = Cost(len(walks), 0, sum(k.row["t_search"] or 0 for k in walks) / 1e9, wasted)
        # Half of all lookups through the list: load on the resolver that somebody should know of.
        yield self.finding(
            facts,
            None,
            cost,
            walks,
            causes=["search-fanout"],
            confidence=self.confidence(cost, facts),
            severity="low",
        )

    def severity(self, cost: Cost, facts: Facts) -> str:
        return severity_of(Cost(cost.lookups, 0, cost.seconds, cost.queries), facts.lookups)

    def counterfactual(self, cost: Cost, kept: list[Kept], facts: Facts) -> str | None:
        said = (
            f"Asked as they are, these names would have cost {plural(cost.queries, 'query')} and "
            f"{seconds(cost.seconds)} less."
        )
        ndots = ndots_text(facts.clients)
        return f"{said} ({ndots}.)" if ndots else said

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        wasted = f"wastes {plural(cost.queries, 'query')} and " if cost.queries else "costs "
        return (
            f"The search list {wasted}{seconds(cost.seconds)} of waiting in {plural(cost.lookups, 'lookup')}"
        )


def _with_lists(facts: Facts) -> Facts:
    """Without what looks like walks of clients that have no list, such as a crawler's that asks for many a www in turn.

    Their suffixes never come again, and most names that do not exist are left at that.
    """
    walks: defaultdict[str, list[Kept]] = defaultdict(list)
    absent: Counter[str] = Counter()
    for k in facts.kept:
        if len(k.row["candidates"] or ()) > 1:
            walks[k.row["client"]].append(k)
        elif k.row["outcome"] == "nxdomain":
            absent[k.row["client"]] += 1
    listless = {
        client
        for client, found in walks.items()
        if absent[client] >= LEFT_ALONE * len(found) and not _recurs(found)
    }
    if not listless:
        return facts
    return replace(
        facts,
        kept=[k for k in facts.kept if k.row["client"] not in listless or len(k.row["candidates"] or ()) < 2],
    )


def _recurs(walks: list[Kept]) -> bool:
    """Whether a suffix is tried in two walks."""
    suffixes = Counter(
        suffix
        for k in walks
        for suffix in {c[len(k.row["name"].rstrip(".")) :] for c in k.row["candidates"] if c != k.row["name"]}
    )
    return any(count > 1 for count in suffixes.values())


RULES = (SearchFanout(),)
