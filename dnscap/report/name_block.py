"""Names in a report: values that changed and how that spread, lifetimes, and the course of the most telling ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from dnscap.findings.diagnosis import Diagnosis
from dnscap.findings.lifetimes import ADDRESSES
from dnscap.findings.name_rule import SECOND, brief, clock
from dnscap.findings.propagation import Change, Server, change_at, servers_of
from dnscap.names import NameRows
from dnscap.names.seen import ANSWER, AUTHORITATIVE, TRIED
from dnscap.output.cells import shortened
from dnscap.report.block_forms import Block, Cell, Grid
from dnscap.report.name_course import courses

MOST_CHANGES = 12
"""Names of the table of changes."""

MOST_LIFETIMES = 10
"""Names of the table of lifetimes."""

MOST_LOOKED_AT = 500
"""Names of which the servers are compared, the most asked first."""

LEAST_ASKED = 3
"""Questions from which a lifetime is tried on a name."""

INFRASTRUCTURE = (2, 6, 43, 46, 47, 48, 50)
"""NS, SOA, DS, RRSIG, NSEC, DNSKEY, NSEC3: what resolvers ask for on their way."""

STALE = (
    *("stale-layer", "propagation-pending", "asked-too-early", "ttl-lowered-too-late"),
    *("rrset-leftover", "rrset-partial", "acme-challenge", "split-horizon", "answer-by-client"),
)
"""Findings that tell of values that are not the same everywhere."""


def names(diagnosis: Diagnosis) -> Block | None:
    """What servers said of names over time, as far as the capture can tell."""
    seen = diagnosis.facts.seen
    if not diagnosis.facts.lookups and (seen is None or not seen.count):
        return None
    if seen is None or not seen.count:
        text = "No answer in this capture says anything of a name, so that there is nothing to compare over time."
        return Block("names", "Names", text)
    groups = [(kind, rows) for rows in _telling(seen) if (kind := _kind(servers_of(seen, rows)))]
    groups.sort(key=lambda group: _RANK.index(group[0]))
    lifetimes = _lifetimes(seen)
    tables = [t.filled() for t in (_changes(seen, groups), _told(diagnosis), lifetimes) if t.rows]
    drawn = courses(diagnosis, seen, [rows for _, rows in groups])
    return Block("names", "Names", _text(seen, groups, lifetimes), tables, names=drawn)


def _text(seen: NameRows, groups: list[tuple[str, list[int]]], lifetimes: Grid) -> str:
    count = len(np.unique(seen.question[seen.section == ANSWER]))
    said = [f"Answers told of {count:,} name{'' if count == 1 else 's'}, each type counted by itself."]
    if groups:
        kinds = Counter(kind for kind, _ in groups)
        told = ", ".join(f"{kinds[kind]:,} {_WORDS[kind]}" for kind in _RANK if kinds[kind])
        more = " of those looked at" if len(groups) >= MOST_LOOKED_AT else " of them"
        said.append(f"{len(groups):,}{more} did not have one value throughout: {told}.")
    else:
        said.append(
            "None of them was seen with two values, or with a value here and none there: in this time nothing "
            "changed that anybody asked for."
        )
    if not seen.has(AUTHORITATIVE).any():
        said.append(
            "No zone's own server answers in this capture: when a value changed there, and the TTL it was published "
            "with, are known only from what caches passed on."
        )
    if not lifetimes.rows:
        said.append(
            f"No name was asked for {LEAST_ASKED} times at a resolver, as a lifetime wants to be tried on."
        )
    return " ".join(said)


# ---------------------------------------------------------------- values that changed


def _telling(seen: NameRows) -> Iterator[list[int]]:
    """Rows of names and types that had several values, or that servers differ about; the most answered first."""
    at = np.flatnonzero((seen.section == ANSWER) & ~np.isin(seen.type, INFRASTRUCTURE))
    if not len(at):
        return
    at = at[np.argsort(seen.question[at], kind="stable")]
    questions = seen.question[at]
    starts = np.flatnonzero(np.concatenate([[True], questions[1:] != questions[:-1]]))
    rows = seen.rows.whole[at]
    answers, negatives = rows["answers"].astype(np.int64), rows["negatives"].astype(np.int64)
    values = seen.current_value[at]
    # A server that gave no value takes part by its absence alone.
    least = np.minimum.reduceat(np.where(values > 0, values, np.iinfo(np.uint64).max), starts)
    most = np.maximum.reduceat(values, starts)
    telling = np.maximum.reduceat(rows["version_count"], starts) > 1
    telling |= (most > 0) & (least != most)
    telling |= (np.add.reduceat(answers, starts) > 0) & (np.add.reduceat(negatives, starts) > 0)
    weight = np.add.reduceat(answers + negatives, starts)
    sizes = np.diff(np.append(starts, len(at)))
    chosen = np.flatnonzero(telling)
    chosen = chosen[np.argsort(-weight[chosen], kind="stable")][:MOST_LOOKED_AT]
    for place in chosen.tolist():
        yield at[starts[place] : starts[place] + sizes[place]].tolist()


def _kind(servers: list[Server]) -> str:
    """What happened to a name; empty where it is nothing to speak of."""
    if _by_turns(servers):
        return "comes by turns"
    if any(change_at(server) for server in servers):
        return "changed"
    values = {value.value for server in servers for value in server.values}
    if any(s.values and s.negatives and s.last_negative < s.values[0].first for s in servers):
        return "appeared"
    if any(s.values and s.negatives and s.first_negative > s.values[-1].last for s in servers):
        return "went away"
    denied = any(server.negatives and not server.values for server in servers)
    return "differs between servers" if len(values) > 1 or (values and denied) else ""


def _by_turns(servers: list[Server]) -> bool:
    """Whether a server gives several values in no order of time, as rotation and load balancing do."""
    return any(
        a.last >= b.first
        for server in servers
        for a, b in zip(server.values, server.values[1:], strict=False)
    )


_WORDS = {
    "changed": "changed",
    "appeared": "appeared",
    "went away": "went away",
    "differs between servers": "differ between servers",
    "comes by turns": "come by turns",
}
_RANK = tuple(_WORDS)


def _changes(seen: NameRows, groups: list[tuple[str, list[int]]]) -> Grid:
    found: list[list[Cell]] = [
        [seen.name_of(rows[0]), seen.type_of(rows[0]), kind, *_told_of(servers_of(seen, rows), kind)]
        for kind, rows in groups[:MOST_CHANGES]
    ]
    many = len(groups) > MOST_CHANGES
    note = f"The first {MOST_CHANGES} of {len(groups):,}: `dnscap rrsets CAPTURE` lists all." if many else ""
    columns = ["name", "type", "what", "values", "seen first", "old value", "old value kept until"]
    return Grid("Values that are not the same throughout", columns, found, note)


def _told_of(servers: list[Server], kind: str) -> list[Cell]:
    """Its values, where and when it was seen first, who gave the old value later, until when it is kept."""
    if kind == "changed":
        changes = [change for change in map(change_at, servers) if change is not None]
        change = max(changes, key=lambda c: (c.server.authoritative, -c.new.first))
        where = f"{clock(change.new.first)} at {change.server.address}"
        return [
            f"{brief(change.old.rdata)} → {brief(change.new.rdata)}",
            where,
            *_old_elsewhere(change, servers),
        ]
    if kind == "appeared":
        server = min(
            (s for s in servers if s.values and s.negatives and s.last_negative < s.values[0].first),
            key=lambda s: (not s.authoritative, s.values[0].first),
        )
        where = f"{clock(server.values[0].first)} at {server.address}"
        until = max(s.negative_until for s in servers if s.negatives)
        text = f"no such record → {brief(server.values[-1].rdata)}"
        return [text, where, *_kept(servers, server.values[0].first, until)]
    if kind == "went away":
        server = next(s for s in servers if s.values and s.negatives and s.first_negative > s.values[-1].last)
        where = f"{clock(server.first_negative)} at {server.address}"
        return [f"{brief(server.values[-1].rdata)} → no such record", where, None, None]
    texts = dict.fromkeys(shortened(brief(value.rdata), 48) for server in servers for value in server.values)
    if kind == "differs between servers" and any(s.negatives and not s.values for s in servers):
        texts["no such record"] = None
    shown = [*texts][:3]
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return [" | ".join(shown) + more, None, None, None]


def _kept(servers: list[Server], since: int, until: int) -> list[Cell]:
    late = [s for s in servers if s.negatives and s.last_negative > since and not s.authoritative]
    if not late:
        return [None, clock(until)]
    last = max(late, key=lambda s: s.last_negative)
    return [f"denied at {clock(last.last_negative)} by {last.address}", clock(until)]


def _old_elsewhere(change: Change, servers: list[Server]) -> list[Cell]:
    """Which cache gave the old value last, and until when one of them may keep it."""
    copies = [
        (value, server)
        for server in servers
        for value in server.values
        if value.value == change.old.value and not server.authoritative
    ]
    if not copies:
        return [None, None]
    until = clock(max(value.expires for value, _ in copies))
    late = [(value, server) for value, server in copies if value.last > change.new.first]
    if not late:
        return ["not given any more", until]
    value, server = max(late, key=lambda pair: pair[0].last)
    return [f"given at {clock(value.last)} by {server.address}", until]


def _told(diagnosis: Diagnosis) -> Grid:
    """What findings say of values that are not the same everywhere."""
    rows: list[list[Cell]] = [
        [finding.id, finding.title] for finding in diagnosis.findings if finding.id in STALE
    ]
    return Grid(
        "What caches still held, and what differs",
        ["finding", "what it says"],
        rows[:MOST_CHANGES],
        found=True,
    )


# ---------------------------------------------------------------- lifetimes


def _lifetimes(seen: NameRows) -> Grid:
    """What was asked often at resolvers, and what a cache before it would have answered at other lifetimes."""
    asked = seen.rows["asked"].astype(np.int64)
    chosen = (seen.section == ANSWER) & (asked >= LEAST_ASKED) & np.isin(seen.type, ADDRESSES)
    chosen &= ~seen.has(AUTHORITATIVE) & (seen.rows["answers"] > 0)
    at = np.flatnonzero(chosen)
    at = at[np.argsort(-asked[at], kind="stable")][:MOST_LIFETIMES]
    rows: list[list[Cell]] = []
    for row in at.tolist():
        values = seen.rows[row]
        count = int(asked[row])
        span = max(int(values["last"]), int(values["last_negative"])) - int(values["first"])
        hits = [round(100 * int(values["hits"][place]) / count, 1) for place in range(len(TRIED))]
        rows.append(
            [
                *(seen.name_of(row), seen.type_of(row), seen.server_of(row)),
                *(int(seen.ttl_full[row]), count, float(f"{span / SECOND / max(count - 1, 1):.3g}"), *hits),
            ]
        )
    columns = ["name", "type", "asked of", "TTL published, s", "questions", "seconds between them"]
    columns += [f"hits at {ttl:,} s, %" for ttl in TRIED]
    note = (
        "The last columns: what a cache before these questions would have answered, had the TTL been so long. "
        "Questions that a cache answered before they came here are not among them."
    )
    return Grid("Lifetimes of the names asked for most", columns, rows, note)
