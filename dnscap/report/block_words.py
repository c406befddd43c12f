"""The parts of a block in words: what a drawing shows can be read as well."""

from __future__ import annotations

from collections import Counter
from typing import Any

from dnscap.explain.waterfall import LOST, WORDS
from dnscap.output.cells import duration, number
from dnscap.report.block_forms import Cell, Lane, NameCourse
from dnscap.resolutions.walk import Hop, Walk

KINDS = {
    "hit": "out of the cache",
    "negative-hit": "absence out of the cache",
    "miss": "asked upstream",
    "coalesced": "waited for what was asked already",
    "forwarded": "passed on",
    "prefetch": "out of the cache, then refreshed",
    "stale": "stale",
    "unknown": "not known",
    "failure": "SERVFAIL",
}
"""Marks in words."""

LETTERS = "ABCDEFGH"


def letter(value: int | None) -> str:
    """The letter that stands for a value in a drawing."""
    return "none" if value is None else LETTERS[value] if value < len(LETTERS) else "other"


def value_words(values: list[str]) -> str:
    """Records of an answer, the first few."""
    if not values:
        return "(not kept)"
    return ", ".join(values[:3]) + (f" and {len(values) - 3} more" if len(values) > 3 else "")


def lane_words(course: NameCourse, lane: Lane) -> str:
    """What one server gave, when, and where its answers came from."""
    said = []
    for stretch in sorted(lane.stretches, key=lambda stretch: stretch.first):
        what = "no such record" if stretch.value is None else letter(stretch.value)
        first, last = _since(course, stretch.first), _since(course, stretch.last)
        if not stretch.given:
            said.append(f"{what} may be kept from {first} to {last}")
        else:
            said.append(f"{what} at {first}" if first == last else f"{what} from {first} to {last}")
    counts: Counter[str] = Counter()
    for mark in lane.marks:
        counts[mark.kind] += mark.count
    if counts:
        asked = ", ".join(f"{count:,} {KINDS[kind]}" for kind, count in counts.most_common())
        total = sum(counts.values())
        guess = ", as far as can be inferred" if lane.inferred else ""
        said.append(f"{total:,} question{'' if total == 1 else 's'}: {asked}{guess}")
    return "; ".join(said)


def _since(course: NameCourse, time: int) -> str:
    return "+" + duration(max(time - course.start, 0))


def cell_text(cell: Cell) -> str:
    """A cell of a table as people read it."""
    if cell is None:
        return "–"
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if cell >= 1000 else number(cell)
    return cell


def walk_words(walk: Walk) -> str:
    """What a client waited for, and how much of that was the resolver itself."""
    row = walk.resolution
    more = row.get("hops", len(walk.hops)) - len(walk.hops)
    asked = f"{len(walk.hops)} asked upstream" if walk.hops else "what it asked upstream was not kept"
    asked += f" and {more} more" if more > 0 and walk.hops else ""
    idle = f"nothing was out upstream for {duration(walk.own)} of the wait"
    return f"{row['cache']} at {row['resolver']}, {asked}; {idle}"


def hop_place(hop: Hop) -> str:
    """When a hop was sent."""
    return "before" if hop.offset < 0 else "0 s" if hop.offset == 0 else f"+{duration(hop.offset)}"


def hop_outcome(hop: Hop) -> str:
    """How a hop ended; what the capture did not see answered was not answered while the client waited."""
    return "no answer" if hop.outcome in LOST else WORDS.get(hop.outcome, hop.outcome)


def walk_json(walk: Walk) -> dict[str, Any]:
    """A walk as plain data, durations in seconds."""
    row = walk.resolution
    return {
        "resolution": row["resolution"],
        "resolver": row["resolver"],
        "client": row["client"],
        "qname": row["qname"],
        "qtype": row["qtype"],
        "cache": row["cache"],
        "latency": row["latency"] / 1e9,
        "own": walk.own / 1e9,
        "asked_upstream": row.get("hops", len(walk.hops)),
        "hops": [
            {
                "exchange": hop.exchange,
                "offset": hop.offset / 1e9,
                "latency": None if hop.latency is None else hop.latency / 1e9,
                "charged": hop.charged / 1e9,
                "server": hop.server,
                "qname": hop.qname,
                "qtype": hop.qtype,
                "outcome": hop.outcome,
            }
            for hop in walk.hops
        ],
    }
