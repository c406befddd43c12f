"""What other orders of the servers would cost: each client's lookups, worked out from how its servers answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dnscap.findings.costs import Cost
from dnscap.findings.gate import bounded
from dnscap.findings.rule import Facts, Finding, Rule, plural, seconds
from dnscap.tables.histogram import BUCKETS, bound_of

Array = np.ndarray[Any, np.dtype[Any]]

Answers = Callable[[str], "tuple[Array, int]"]
"""Gives, for a server, its latencies as a histogram and how many queries it left without an answer."""

MOST_SERVERS = 3
"""Servers of a list whose orders are worked out: stubs use no more."""

MOST_LISTS = 8
"""Lists of servers looked at, those of most clients."""

MOST_LOOKED_AT = 1_000
"""Lookups among which those for evidence are looked for."""

ENOUGH = 5
"""Queries to a server before it is known how it answers."""

TIMEOUT, ATTEMPTS = 5.0, 2
"""What stubs do where packets do not show it (resolv.conf of glibc)."""

WORSE = 1.5
"""Times as long as with the best order, from which on an order is worth a word."""

LEAST_GAIN = 0.01
"""Seconds saved, below which it is not."""

_AT = np.array([bound_of(bucket) / 1e9 for bucket in range(BUCKETS)])


@dataclass(frozen=True, slots=True)
class Expected:
    """What lookups would cost with an order of servers.

    Attributes
    ----------
    order : tuple of str
    median, most : float
        Seconds that half of the lookups, and 99 in 100, would not exceed.
    failing : float
        Share that would get no answer.
    """

    order: tuple[str, ...]
    median: float
    most: float
    failing: float


def expected(order: Sequence[str], answers: Answers, timeout: float, attempts: int) -> Expected:
    """Ask one server after the other, each for `timeout` seconds, `attempts` times over, as glibc does.

    That an answer comes late counts as none, and each query as independent of the others.
    """
    left, waited = 1.0, 0.0
    times: list[Array] = []
    shares: list[Array] = []
    for _ in range(attempts):
        for server in order:
            latencies, silent = answers(server)
            total = int(latencies.sum()) + silent
            soon = np.where(timeout > _AT, latencies, 0) / max(total, 1)
            times.append(_AT + waited)
            shares.append(soon * left)
            left *= 1 - float(soon.sum())
            waited += timeout
    times.append(np.array([waited]))
    shares.append(np.array([left]))
    at, share = np.concatenate(times), np.concatenate(shares)
    places = np.argsort(at, kind="stable")
    reached = np.cumsum(share[places])
    median, most = (
        float(at[places[min(int(np.searchsorted(reached, part - 1e-9)), len(places) - 1)]])
        for part in (0.5, 0.99)
    )
    return Expected(tuple(order), median, most, left)


def orders(facts: Facts) -> Iterator[tuple[list[dict[str, Any]], list[Expected]]]:
    """Clients with the same list of servers, and what each order of it would cost, their own first."""
    from dnscap.clients.configuration import PARALLEL, family_of

    answers: Answers | None = facts.answers
    if answers is None:
        return
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in facts.clients:
        servers = tuple(row["nameservers"] or ())
        if 2 <= len(servers) <= MOST_SERVERS and not row["rotate"] and family_of(row["stub"]) not in PARALLEL:
            groups.setdefault(servers, []).append(row)
    found: dict[str, tuple[Array, int]] = {}
    for servers, clients in sorted(groups.items(), key=lambda item: -len(item[1]))[:MOST_LISTS]:
        for server in servers:
            if server not in found:
                found[server] = answers(server)
        if any(int(found[server][0].sum()) + found[server][1] < ENOUGH for server in servers):
            continue
        timeout = next((row["timeout"] for row in clients if row["timeout"]), TIMEOUT)
        attempts = next((row["attempts"] for row in clients if row["attempts"]), ATTEMPTS)
        yield (
            clients,
            [
                expected(order, found.__getitem__, timeout, attempts)
                for order in itertools.permutations(servers)
            ],
        )


class ServerOrder(Rule):
    """Another order of the servers would make lookups quicker."""

    id = "server-order"
    certainty = 0.7
    explanation = (
        "The server that is asked first answers later, or less often, than another of the list, so that every "
        "lookup pays for it. What each order would cost is worked out from the answers of each server in this "
        "capture, as if each query met with its own luck."
    )
    remedy = "Put the servers into the better order in resolv.conf, or in what DHCP hands out."
    disproved_by = "The slower server having been asked for other names, or while its cache was cold."

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give one finding a list of servers."""
        for clients, found in orders(facts):
            own, best = found[0], min(found, key=lambda order: (order.most + order.median, order.failing))
            gain = max(own.median - best.median, own.most - best.most)
            if gain < LEAST_GAIN or (own.median < WORSE * best.median and own.most < WORSE * best.most):
                continue
            told = "; ".join(
                f"{', '.join(order.order)}: half within {seconds(order.median)}, 99 in 100 within "
                f"{seconds(order.most)}"
                for order in sorted(found, key=lambda order: (order.most + order.median, order.failing))[:6]
            )
            names = {row["client"] for row in clients}
            kept = [
                k
                for k in facts.kept[:MOST_LOOKED_AT]
                if k.row["client"] in names and own.order[0] in (k.row["servers"] or ())
            ]
            kept.sort(key=lambda k: -(k.row["duration"] or 0))
            cost = Cost(sum(row["lookups"] for row in clients), 0, 0.0, 0)
            finding = self.finding(
                facts,
                own.order[0],
                cost,
                kept,
                causes=[],
                confidence=bounded(self.certainty * facts.quality.factor("silence")),
                severity="info",
                counterfactual=(
                    f"With {', '.join(best.order)} half of the lookups would take {seconds(best.median)} instead of "
                    f"{seconds(own.median)}, and 99 in 100 {seconds(best.most)} instead of {seconds(own.most)}."
                ),
            )
            finding.title = (
                f"{plural(len(names), 'client')} would do better to ask {best.order[0]} before "
                f"{own.order[0] if best.order[0] != own.order[0] else best.order[1]}"
            )
            finding.explanation += f" {told[:1].upper()}{told[1:]}."
            yield finding

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"{subject} is asked first"


RULES = (ServerOrder(),)
