"""What is wrong right now: servers that went silent, seen in lookups that still wait, and news among findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dnscap import registry
from dnscap.exchanges.arrow import OUTCOMES
from dnscap.findings import RULES, SEVERITIES
from dnscap.findings.rule import Finding, plural, seconds
from dnscap.messages.around import address_text

if TYPE_CHECKING:
    from dnscap.messages.decoding import MessageBatch

Attempt = tuple[int, int, bytes, int, int, int, int, int, int, int, int]
"""A query of an open lookup; see `dnscap.native.outstanding.open_lookups`."""

RESPONSE = 0x8000
"""The QR bit of a message's flags."""

ROUND = 200_000_000
"""Nanoseconds after which a stub that asks again has given up waiting; sooner, it asks several at once."""

PATIENCE = 300_000_000
"""Nanoseconds that the latest query of a lookup gets for its answer before its server is called silent: a stub
that asked again is helped in no more than that, as a rule."""

UNREACHABLE = OUTCOMES.index("unreachable")
"""Outcome of an attempt that an ICMP error or a reset ended, as the native wing counts outcomes."""

MOST_SERVERS = 4096
"""Servers whose latest answer is remembered; under a flood of forged ones the oldest are forgotten."""

MOST_TOLD = 1000
"""Findings remembered as told."""


@dataclass(frozen=True, slots=True)
class OpenLookup:
    """A lookup that waits for an answer.

    Attributes
    ----------
    lookup : int
        Its number in the lookups table.
    time : int
        When its first query was sent, nanoseconds since the epoch.
    waited : int
        Nanoseconds since then.
    client : str
        Who asks.
    name : str
        What was asked for first.
    candidate : str
        What is asked for now: another name of the search list, perhaps.
    qtypes : list of str
        Types asked for.
    servers : list of str
        Who was asked, in order.
    queries : int
        Queries sent.
    attempts : list of tuple
        See `dnscap.native.outstanding.open_lookups`.
    names : list of str
        Names asked for, in order.
    complete : bool
        Whether every type asked for has its answer: it is over unless its stub asks again.
    """

    lookup: int
    time: int
    waited: int
    client: str
    name: str
    candidate: str
    qtypes: list[str]
    servers: list[str]
    queries: int
    attempts: list[Attempt]
    names: list[str]
    complete: bool

    @classmethod
    def of(cls, row: tuple[int, int, int, bytes, list[bytes], int, list[Attempt], bool], now: int) -> Self:
        """Make one of what the native side tells."""
        number, began, _, client, texts, queries, attempts, complete = row
        names = [text.decode("ascii", "replace") for text in texts]
        return cls(
            lookup=number,
            time=began,
            waited=max(now - began, 0),
            client=address_text(client),
            name=names[0] if names else "",
            candidate=names[-1] if names else "",
            qtypes=list(dict.fromkeys(registry.rrtype_name(a[3]) for a in attempts)),
            servers=list(dict.fromkeys(address_text(a[2]) for a in attempts)),
            queries=queries,
            attempts=attempts,
            names=names,
            complete=complete,
        )


class Alerts:
    """Tells each finding once, and again when it gets worse."""

    def __init__(self) -> None:
        self._answered: dict[str, int] = {}
        self._told: dict[tuple[str, str | None], int] = {}

    def feed(self, messages: MessageBatch) -> None:
        """Remember which servers answered, and when last."""
        if not messages.messages:
            return
        responses = (messages.column("flags") & RESPONSE) != 0
        if not responses.any():
            return
        codes = messages.column("src")[responses]
        times = messages.column("time")[responses]
        distinct, place = np.unique(codes, return_inverse=True)
        latest = np.zeros(len(distinct), dtype=np.int64)
        np.maximum.at(latest, place, times)
        if len(distinct) > MOST_SERVERS:
            distinct, latest = distinct[-MOST_SERVERS:], latest[-MOST_SERVERS:]
        for server, at in zip(messages.addresses(distinct.tolist()), latest.tolist(), strict=True):
            self._answered.pop(server, None)  # so that the order is that of the latest answers
            self._answered[server] = at
        while len(self._answered) > MOST_SERVERS:
            del self._answered[next(iter(self._answered))]

    def found(self, waiting: Iterable[OpenLookup], now: int) -> list[Finding]:
        """Servers that let timeouts of open lookups run out, or do not exist, and answered nobody since.

        Parameters
        ----------
        waiting : iterable of OpenLookup
            Lookups that wait.
        now : int
            The time, nanoseconds since the epoch.
        """
        silent: defaultdict[str, list[OpenLookup]] = defaultdict(list)
        absent: defaultdict[str, list[OpenLookup]] = defaultdict(list)
        for lookup in waiting:
            for server in _given_up(lookup, now, self._answered):
                silent[server].append(lookup)
            for server in _unreachable(lookup, self._answered):
                absent[server].append(lookup)
        found = [
            self._silence(server, lookups, now)
            for server, lookups in silent.items()
            if _certain(server, lookups)
        ]
        found += [_absence(server, lookups) for server, lookups in absent.items()]
        return self.news(found)

    def news(self, findings: Iterable[Finding]) -> list[Finding]:
        """Those of these findings that were not told yet, or are more severe than when they were."""
        new = []
        for finding in findings:
            severity = SEVERITIES.index(finding.severity)
            key = (finding.id, finding.subject)
            if severity > 0 and severity > self._told.get(key, 0):
                if key not in self._told and len(self._told) >= MOST_TOLD:
                    del self._told[next(iter(self._told))]
                self._told[key] = severity
                new.append(finding)
        return new

    def _silence(self, server: str, lookups: list[OpenLookup], now: int) -> Finding:
        several = any(len(lookup.servers) > 1 for lookup in lookups)
        rule: Any = _RULES["nameserver-timeout" if several else "no-answer"]
        first = min(a[0] for lookup in lookups for a in lookup.attempts if address_text(a[2]) == server)
        waits = [_waited(lookup, server) for lookup in lookups]
        since = self._answered.get(server)
        heard = (
            "was not heard at all" if since is None else f"last answered {seconds((now - since) / 1e9)} ago"
        )
        return Finding(
            id=rule.id,
            severity="high" if len(lookups) > 1 or since is None else "medium",
            title=(
                f"Name server {server} does not answer: {plural(len(lookups), 'lookup')} waited for it, the longest "
                f"{seconds(max(waits) / 1e9)}; it {heard}"
            ),
            causes=list(rule.causes),
            subject=server,
            lookups=len(lookups),
            failed=0,
            cost_seconds=round(sum(waits) / 1e9, 6),
            cost_queries=sum(lookup.queries for lookup in lookups),
            confidence=round(rule.certainty if now - first > PATIENCE else rule.certainty / 2, 2),
            evidence=[f"lookup:{lookup.lookup}" for lookup in lookups[:8]],
            explanation=rule.explanation,
            remedy=rule.remedy,
            counterfactual=None,
            disproved_by=rule.disproved_by,
        )


_RULES = {rule.id: rule for rule in RULES}


def _absence(server: str, lookups: list[OpenLookup]) -> Finding:
    rule: Any = _RULES["server-unreachable"]
    return Finding(
        id=rule.id,
        severity="high" if len(lookups) > 1 else "medium",
        title=f"Nobody listens at name server {server}: {plural(len(lookups), 'lookup')} had to go elsewhere or failed",
        causes=list(rule.causes),
        subject=server,
        lookups=len(lookups),
        failed=0,
        cost_seconds=0.0,
        cost_queries=sum(lookup.queries for lookup in lookups),
        confidence=rule.certainty,
        evidence=[f"lookup:{lookup.lookup}" for lookup in lookups[:8]],
        explanation=rule.explanation,
        remedy=rule.remedy,
        counterfactual=None,
        disproved_by=rule.disproved_by,
    )


def _unreachable(lookup: OpenLookup, answered: dict[str, int]) -> set[str]:
    """Servers at which nobody listened, and that answered nobody since."""
    found = set()
    for _, at, address, _, _, outcome, *_ in lookup.attempts:
        if outcome == UNREACHABLE and answered.get(server := address_text(address), 0) < at:
            found.add(server)
    return found


def _certain(server: str, lookups: list[OpenLookup]) -> bool:
    """Whether it is not just one packet that was lost: a lookup waits still, or several queries had no answer."""
    lost = sum(a[1] < 0 and address_text(a[2]) == server for lookup in lookups for a in lookup.attempts)
    return lost > 1 or not all(lookup.complete for lookup in lookups)


def _waited(lookup: OpenLookup, server: str) -> int:
    """Nanoseconds that a lookup waited for a server, until it asked again or now."""
    asked = min(a[0] for a in lookup.attempts if address_text(a[2]) == server and a[1] < 0)
    later = [a[0] for a in lookup.attempts if a[0] - asked > ROUND]
    return (min(later) if lookup.complete and later else lookup.time + lookup.waited) - asked


def _given_up(lookup: OpenLookup, now: int, answered: dict[str, int]) -> set[str]:
    """Servers that a lookup has stopped waiting for, though they answered nobody since they were asked."""
    attempts = lookup.attempts
    latest = attempts[-1]
    # One that has its answer from another server needs no patience any more.
    if not lookup.complete and (latest[1] >= 0 or now - latest[0] < PATIENCE):
        return set()
    found = set()
    for time, answer, address, qtype, *_ in attempts:
        if answer >= 0:
            continue
        if not any(other[3] == qtype and other[0] - time > ROUND for other in attempts):
            continue
        server = address_text(address)
        if answered.get(server, 0) < time:
            found.add(server)
    return found
