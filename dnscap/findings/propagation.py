"""Changes of records and how they spread: old values in caches, absence remembered, what is yet to expire."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from dnscap.findings.name_rule import MOST_GROUPS, SECOND, Draft, NameRule, brief, clock, span
from dnscap.findings.rule import Facts, Finding
from dnscap.names import NameRows
from dnscap.names.rows import Value
from dnscap.names.seen import ANSWER, AUTHORITATIVE, RECURSIVE

Array = np.ndarray[Any, np.dtype[Any]]

SLACK = SECOND
"""Rounding of TTLs to whole seconds."""

LONG_STALE = 60
"""Seconds that an old value lives on before that is more than a remark."""

_SOA, _NS, _DS, _DNSKEY = 6, 2, 43, 48
_ACME = "_acme-challenge."


@dataclass(slots=True)
class Server:
    """What one server said of a name and type."""

    row: int
    address: str
    authoritative: bool
    values: list[Value]
    negatives: int
    first_negative: int
    last_negative: int
    negative_until: int
    negative_frame: int
    ttl_full: int


@dataclass(slots=True)
class Change:
    """A change of an RRset from one value to another at a server that tells the truth of it."""

    server: Server
    old: Value
    new: Value


def servers_of(seen: NameRows, rows: list[int]) -> list[Server]:
    """What each server said of the name and type of these rows."""
    found = []
    for row in rows:
        values = seen.rows[row]
        found.append(
            Server(
                row=row,
                address=seen.server_of(row),
                authoritative=bool(values["flags"] & AUTHORITATIVE),
                values=seen.history(row),
                negatives=int(values["negatives"]),
                first_negative=int(values["first_negative"]),
                last_negative=int(values["last_negative"]),
                negative_until=int(values["negative_until"]),
                negative_frame=seen.negative_frame(row),
                ttl_full=int(seen.ttl_full[row]),
            )
        )
    return found


def change_at(server: Server) -> Change | None:
    """The last change at a server whose values follow one another and do not come back.

    Names that rotate or depend on who asks show their values by turns; those have no change to speak of.
    A cache changes a value when the old one has expired; one that changes sooner chose between values.
    """
    values = server.values
    if len(values) < 2 or any(a.last >= b.first for a, b in itertools.pairwise(values)):
        return None
    old, new = values[-2], values[-1]
    if not server.authoritative and new.first + SLACK < old.last + old.ttl_last * SECOND:
        return None
    return Change(server, old, new)


def changed(seen: NameRows) -> Array:
    """Rows of which `change_at` gives a change, found of all at once."""
    owner, number = seen.successions
    versions = seen.versions
    first, last = versions["first"][number], versions["last"][number]
    ends = np.ones(len(owner), bool)
    ends[:-1] = owner[1:] != owner[:-1]
    steady = ends.copy()
    steady[:-1] |= last[:-1] < first[1:]
    expired = np.zeros(len(owner), bool)
    kept = last[:-1] + versions["ttl_last"][number[:-1]].astype(np.int64) * SECOND
    expired[1:] = ends[1:] & (first[1:] + SLACK >= kept)
    told = seen.over_values(steady) & (seen.has(AUTHORITATIVE) | seen.over_values(expired, least=False))
    return np.asarray(told)


def _compared(seen: NameRows) -> Iterator[list[Server]]:
    """Servers that differ about a name, by name and type."""
    chosen = (seen.section == ANSWER) & (seen.rows["answers"] > 0)
    for infrastructure in (_SOA, _DNSKEY):
        chosen &= seen.type != infrastructure
    at, starts, sizes = seen.grouped(chosen, differing=True, changing=True)
    by_turns = seen.rows["changes"] > seen.rows["version_count"]
    wanted = some(changed(seen)[at], starts) & ~some(by_turns[at], starts)
    for rows in _groups_of(at, starts, sizes, wanted):
        yield servers_of(seen, rows)


def some(test: Array, starts: Array) -> Array:
    """Whether a test holds for any row of each group."""
    return np.logical_or.reduceat(test, starts) if len(starts) else np.zeros(0, bool)


def _groups_of(at: Array, starts: Array, sizes: Array, wanted: Array) -> Iterator[list[int]]:
    """Rows of those of the first groups that are wanted."""
    for group in np.flatnonzero(wanted[:MOST_GROUPS]).tolist():
        yield at[starts[group] : starts[group] + sizes[group]].tolist()


class StaleLayer(NameRule):
    """A cache still gives what a server before it no longer does."""

    id = "stale-layer"
    certainty = 0.8
    explanation = (
        "Caches keep an answer for the TTL that it came with, so after a change each layer (public resolver, "
        "resolver of the system, application) gives the old value until its own copy expires."
    )
    remedy = (
        "Wait until the copy expires, or flush that cache: `resolvectl flush-caches`, `rndc flushname NAME`, "
        "`unbound-control flush NAME`, a SIGHUP for dnsmasq, `ipconfig /flushdns`; before a planned change "
        "lower the TTL at least one old TTL ahead."
    )
    disproved_by = (
        "The new value given by that server before the old copy expired, or values that come by turns."
    )

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding | Draft]:
        """Give one finding a name."""
        for servers in _compared(seen):
            for change in filter(None, map(change_at, servers)):
                finding = self._stale(facts, seen, change, servers)
                if finding is not None:
                    yield finding
                    break

    def _stale(self, facts: Facts, seen: NameRows, change: Change, servers: list[Server]) -> Draft | None:
        old_values = {v.value for v in change.server.values[:-1]}
        worst: tuple[int, Server, Value] | None = None
        for other in servers:
            if other is change.server or other.authoritative:
                continue
            given = {v.value for v in other.values if v.first <= change.new.last}
            for value in other.values:
                if value.value not in old_values or value.last <= change.new.first:
                    continue
                fetched = value.last - max(value.ttl_max - value.ttl_last, 0) * SECOND
                if change.new.value in given and any(
                    v.value == change.new.value and v.first < value.last for v in other.values
                ):
                    continue  # the other has both: values by turns
                if fetched > change.new.first + SLACK and not change.server.authoritative:
                    continue
                left = (value.last - change.new.first) // SECOND + value.ttl_last
                if worst is None or left > worst[0]:
                    worst = left, other, value
        if worst is None:
            return None
        certainty = 0.9 if change.server.authoritative else 0.6
        return self.draft(facts, partial(self._told, facts, seen, change, *worst, certainty), certainty)

    def _told(
        self,
        facts: Facts,
        seen: NameRows,
        change: Change,
        left: int,
        other: Server,
        value: Value,
        certainty: float,
    ) -> Finding:
        name = seen.name_of(other.row)
        grave = change.server.authoritative and left >= LONG_STALE and change.new.answers >= 2
        challenge = name.startswith(_ACME)
        return self.tell(
            facts,
            name,
            f"{other.address} still gave the old {seen.type_of(other.row)} of {name}, {brief(value.rdata)}, "
            f"after {change.server.address} had changed to {brief(change.new.rdata)}",
            severity="medium" if challenge else "low" if grave else "info",
            certainty=certainty,
            frames=(change.new.first_frame, value.last_frame),
            detail=(
                f"The change was seen at {clock(change.new.first)}; the old copy was given at "
                f"{clock(value.last)} with {span(value.ttl_last)} left, until {clock(value.expires)}."
            ),
            counterfactual=f"With a TTL of 60 s instead of {span(other.ttl_full)} before the change, the old "
            "value would have been gone within a minute.",
        )


_Waiting = tuple[int, Server, Value | None, int]
"""Until when a cache keeps what was: a value, or that there was none; and a frame that shows it."""


class PropagationPending(NameRule):
    """A change is not everywhere yet when the capture ends."""

    id = "propagation-pending"
    certainty = 0.85
    explanation = (
        "The zone's own server has a new value; caches keep the old one, or the answer that there was none, "
        "until it expires. Nothing hastens that but flushing them."
    )
    remedy = "Wait until then before relying on the new value; ask the zone's own servers to see it earlier."
    disproved_by = "The new value in answers of those caches."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding | Draft]:
        """Give one finding a name: when the change can be everywhere at the earliest."""
        rows = seen.rows
        answers, negatives = rows["answers"] > 0, rows["negatives"] > 0
        chosen = (seen.section == ANSWER) & (answers | negatives)
        at, starts, sizes = seen.grouped(chosen, differing=True, changing=True)
        own = seen.has(AUTHORITATIVE) & answers
        # Either a server of the zone changed, or what it has now it denied before and a cache still does.
        new = own & negatives & (rows["last_negative"] < seen.end)
        denied = ~seen.has(AUTHORITATIVE) & negatives & (rows["negative_until"] > seen.end)
        wanted = some(own[at], starts) & some(~own[at], starts)
        wanted &= some((own & changed(seen))[at], starts) | (some(new[at], starts) & some(denied[at], starts))
        for group in _groups_of(at, starts, sizes, wanted):
            yield from self._pending(facts, seen, servers_of(seen, group))

    def _pending(self, facts: Facts, seen: NameRows, servers: list[Server]) -> Iterator[Draft]:
        for source in servers:
            if not source.authoritative or not source.values:
                continue
            change = change_at(source)
            new = change.new if change else source.values[-1]
            waiting: list[_Waiting] = []
            for other in servers:
                if other.authoritative:
                    continue
                last = other.values[-1] if other.values else None
                if change and last and last.value == change.old.value and last.expires > seen.end:
                    if last.last > other.last_negative:
                        waiting.append((last.expires, other, last, last.last_frame))
                elif (
                    len(source.values) == 1
                    and other.negatives
                    and other.last_negative > (last.last if last else 0)
                    and other.negative_until > max(seen.end, new.first)
                    and source.negatives
                    and source.last_negative < new.first
                ):
                    waiting.append((other.negative_until, other, None, other.negative_frame))
            if not waiting:
                continue
            yield self.draft(facts, partial(self._told, facts, seen, source, new, waiting))
            return

    def _told(
        self, facts: Facts, seen: NameRows, source: Server, new: Value, waiting: list[_Waiting]
    ) -> Finding:
        waiting = sorted(waiting, key=lambda one: one[0])
        name = seen.name_of(source.row)
        caches = "; ".join(
            f"{other.address} keeps {brief(old.rdata) if old else 'no such record'} until {clock(at)}"
            for at, other, old, _ in waiting[:4]
        )
        return self.tell(
            facts,
            name,
            f"The change of {name} {seen.type_of(source.row)} to {brief(new.rdata)} can be everywhere at "
            f"{clock(waiting[-1][0])} at the earliest",
            severity="medium" if name.startswith(_ACME) else "info",
            frames=(new.first_frame, *(frame for *_, frame in waiting)),
            detail=f"{source.address} has the new value since {clock(new.first)} or before; {caches}.",
        )


class AskedTooEarly(NameRule):
    """A name was asked for before it existed, and its absence was remembered."""

    id = "asked-too-early"
    certainty = 0.75
    explanation = (
        "A negative answer is kept like any other, for the smaller of the TTL and the MINIMUM of the zone's "
        "SOA (RFC 2308 section 5). Whoever asks before the record is there has to wait for that to pass."
    )
    remedy = (
        "Ask the zone's own servers until the record is there, and only then the resolver; lower the MINIMUM "
        "of the SOA where records are created on demand."
    )
    disproved_by = "A name that exists at some times and not at others for reasons of its own."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a name and type."""
        both = (seen.section == ANSWER) & (seen.rows["answers"] > 0) & (seen.rows["negatives"] > 0)
        both &= (seen.rows["last_negative"] < seen.rows["first"]) & ((seen.rows["flags"] & RECURSIVE) != 0)
        back_and_forth = seen.has(AUTHORITATIVE) & (seen.rows["answers"] > 0) & (seen.rows["negatives"] > 0)
        back_and_forth &= seen.rows["last_negative"] > seen.rows["first"]
        flapping = set(seen.question[back_and_forth].tolist())
        for row in both.nonzero()[0][:MOST_GROUPS].tolist():
            values = seen.rows[row]
            others = [
                int(seen.rows["first"][r])
                for r in seen.rows_of(int(seen.name[row]), int(seen.type[row]))
                if seen.section[r] == ANSWER
                and seen.rows["flags"][r] & AUTHORITATIVE
                and seen.rows["answers"][r]
            ]
            there = min([int(values["first"]), *others])
            kept = max(0, int(values["last_negative"]) - there) / SECOND
            if int(seen.question[row]) in flapping:
                kept = 0.0  # the zone itself says now this, now that
            name, server = seen.name_of(row), seen.server_of(row)
            first = seen.history(row)[0]
            waited = f", {span(kept)} after its zone had it" if kept >= 1 else ""
            yield self.tell(
                facts,
                name,
                f"{server} was asked for {name} {seen.type_of(row)} before it existed and still denied it at "
                f"{clock(int(values['last_negative']))}{waited}",
                severity="low" if kept >= 1 else "info",
                certainty=0.9 if kept >= 1 else 0.6,
                frames=(seen.negative_frame(row), first.first_frame),
                detail=(
                    f"Denied from {clock(int(values['first_negative']))} on, with a negative TTL of "
                    f"{span(int(values['negative_ttl']))}; answered first at {clock(int(values['first']))}."
                ),
            )


class TtlLoweredTooLate(NameRule):
    """The TTL was lowered, and the record changed, within the old TTL."""

    id = "ttl-lowered-too-late"
    certainty = 0.8
    explanation = (
        "Caches that fetched the record before its TTL was lowered keep it for the old TTL. A change sooner "
        "than one old TTL after lowering meets caches that still hold the old value."
    )
    remedy = "Lower the TTL at least one old TTL before the change, and raise it again afterwards."
    disproved_by = "An earlier answer of the zone's own server with the low TTL."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a name."""
        chosen = (
            (seen.section == ANSWER)
            & seen.has(AUTHORITATIVE)
            & (seen.rows["version_count"] > 1)
            & (seen.rows["ttl_max"] > 2 * seen.rows["ttl_last"].astype("i8"))
        )
        for row in chosen.nonzero()[0][:MOST_GROUPS].tolist():
            (server,) = servers_of(seen, [row])
            change = change_at(server)
            if change is None or change.old.ttl_max <= 2 * change.new.ttl_last:
                continue
            # The old value was given with the high TTL once, and shortly before the change with the low one.
            lowered = change.old.ttl_last < change.old.ttl_max / 2
            took = (change.new.first - change.old.first) / SECOND
            if not lowered or took >= change.old.ttl_max:
                continue
            name = seen.name_of(row)
            yield self.tell(
                facts,
                name,
                f"{name} {seen.type_of(row)} changed within {span(took)} of an answer with a TTL of "
                f"{span(change.old.ttl_max)}: lowering it came too late",
                severity="low",
                frames=(change.old.first_frame, change.old.last_frame, change.new.first_frame),
                detail=(
                    f"Copies of the old value may live until "
                    f"{clock(change.old.first + change.old.ttl_max * SECOND)}."
                ),
            )


RULES = (StaleLayer(), PropagationPending(), AskedTooEarly(), TtlLoweredTooLate())
