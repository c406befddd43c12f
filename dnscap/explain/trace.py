"""What happened to a name: who asked whom, what was answered and for how long, what caches kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SECOND = 1_000_000_000

CACHED = ("hit", "negative-hit", "prefetch", "stale")

SLACK = 2 * SECOND
"""TTLs are whole seconds, and a cache may round them either way: moments of expiry this close are one."""


@dataclass(slots=True)
class TraceEvent:
    """One thing that happened to the name.

    Attributes
    ----------
    time : int
        Nanoseconds since the epoch: of the query, or of what happened.
    kind : str
        ``exchange``, or ``expiry`` where a copy in a cache came to its end.
    layer : int
        How far from the application: 0 where the capture's outermost client asks, one more for each server
        that asks another in turn.
    asker, server : str
        Addresses; of an expiry the cache is the server.
    answer : list of str
        Record data of the type asked for, or what the name is an alias of; of a referral the zone.
    cache : str or None
        Where a resolver had it from (resolutions table).
    zone : str or None
        Zone of the SOA of a negative answer.
    notes : list of str
        What is worth a word: a changed value, a copy's age, an alias.
    """

    time: int
    kind: str
    layer: int
    asker: str | None
    server: str
    name: str
    type: str
    outcome: str | None = None
    answer: list[str] = field(default_factory=list)
    ttl: int | None = None
    expires: int | None = None
    age: int | None = None
    cache: str | None = None
    latency: int | None = None
    authoritative: bool = False
    zone: str | None = None
    notes: list[str] = field(default_factory=list)
    exchange: int | None = None
    frames: list[int] = field(default_factory=list)

    def as_row(self) -> dict[str, Any]:
        """Plain values in the text forms of tables: times in RFC 3339, durations in seconds."""
        return {
            "time": _moment(self.time),
            "kind": self.kind,
            "layer": self.layer,
            "asker": self.asker,
            "server": self.server,
            "name": self.name,
            "type": self.type,
            "outcome": self.outcome,
            "answer": self.answer,
            "ttl": self.ttl,
            "expires": _moment(self.expires),
            "age": self.age,
            "cache": self.cache,
            "latency": None if self.latency is None else self.latency / SECOND,
            "authoritative": self.authoritative,
            "zone": self.zone,
            "notes": self.notes,
            "exchange": self.exchange,
            "frames": self.frames,
        }


@dataclass(slots=True)
class Holder:
    """What one server held of a name and type, as far as its answers tell; times as in `TraceEvent`."""

    server: str
    role: str
    name: str
    type: str
    values: list[str]
    absent: str | None
    ttl_full: int | None
    first: int
    last: int
    expires: int | None
    answers: int
    changes: int
    zone: str | None = None

    def as_row(self) -> dict[str, Any]:
        """Plain values, as of `TraceEvent.as_row`."""
        return {
            "server": self.server,
            "role": self.role,
            "name": self.name,
            "type": self.type,
            "values": self.values,
            "absent": self.absent,
            "zone": self.zone,
            "ttl_full": self.ttl_full,
            "first_time": _moment(self.first),
            "last_time": _moment(self.last),
            "expires": _moment(self.expires),
            "answers": self.answers,
            "changes": self.changes,
        }


@dataclass(slots=True)
class Delegation:
    """What a server above said of the servers of a zone that the name lies in."""

    zone: str
    parent: str
    servers: list[str]
    addresses: dict[str, list[str]]
    ttl: int

    def as_row(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "zone": self.zone,
            "parent": self.parent,
            "servers": self.servers,
            "addresses": self.addresses,
            "ttl": self.ttl,
        }


def events_of(
    exchanges: Sequence[dict[str, Any]],
    resolutions: Iterable[dict[str, Any]],
    messages: dict[int, dict[str, Any]],
    records: dict[int, list[dict[str, Any]]],
    published: dict[tuple[str, str], int],
) -> list[TraceEvent]:
    """Put the events of a name together, in order of time.

    Parameters
    ----------
    exchanges, resolutions : sequence of dict
        Rows of these tables, times and durations in nanoseconds.
    messages : dict of int to dict
        Flags of the messages of the exchanges.
    records : dict of int to list of dict
        Records of the responses.
    published : dict of (str, str) to int
        TTL of a name and type as published.
    """
    verdicts = {row["exchange"]: row for row in resolutions}
    layers = layers_of(exchanges, verdicts, messages)
    events = [
        _exchange_event(
            row, layers[row["exchange"]], verdicts.get(row["exchange"]), messages, records, published
        )
        for row in sorted(exchanges, key=lambda row: (row["time"], row["exchange"]))
    ]
    end = max((event.time + (event.latency or 0) for event in events), default=0)
    _tell_ages(events)
    events += _expiries(events, end)
    events.sort(key=lambda event: (event.time, event.kind == "exchange", event.exchange or 0))
    _note_changes(events)
    return events


def layers_of(
    exchanges: Sequence[dict[str, Any]],
    verdicts: dict[int, dict[str, Any]],
    messages: dict[int, dict[str, Any]],
) -> dict[int, int]:
    """How far from the application each exchange is: below every one that waited for it."""
    layers: dict[int, int] = {}
    ordered = sorted(exchanges, key=lambda row: (row["time"], row["exchange"]))
    for row in ordered:
        flags = messages.get(row["query"]) or {}
        layers[row["exchange"]] = 0 if flags.get("rd", True) else 1
    asking = {row["client"]: row["server"] for row in ordered}
    for row in ordered:
        # A forwarder answers one side and asks the other, from the same address or beside it.
        if asking.get(row["server"]) and row["server"] in asking and row["server"] != row["client"]:
            for other in ordered:
                if other["client"] == row["server"]:
                    layers[other["exchange"]] = max(layers[other["exchange"]], layers[row["exchange"]] + 1)
            break
    for row in ordered:
        for number in (verdicts.get(row["exchange"]) or {}).get("upstream") or ():
            if number in layers and number != row["exchange"]:
                layers[number] = max(layers[number], layers[row["exchange"]] + 1)
    return layers


def _exchange_event(
    row: dict[str, Any],
    layer: int,
    verdict: dict[str, Any] | None,
    messages: dict[int, dict[str, Any]],
    records: dict[int, list[dict[str, Any]]],
    published: dict[tuple[str, str], int],
) -> TraceEvent:
    flags = messages.get(row["response"]) or {}
    event = TraceEvent(
        time=row["time"],
        kind="exchange",
        layer=layer,
        asker=row["client"],
        server=row["server"],
        name=row["qname"] or "?",
        type=row["qtype"] or "?",
        outcome=row["outcome"],
        latency=row["latency"],
        cache=verdict["cache"] if verdict and verdict["cache"] != "unknown" else None,
        authoritative=bool(flags.get("aa")) and not flags.get("ra"),
        exchange=row["exchange"],
        frames=[frame for frame in (row["query_frame"], row["response_frame"]) if frame],
    )
    if row["transmission"] > 1:
        event.notes.append(f"transmission {row['transmission']}")
    event.notes += [f"EDE {text}" for text in flags.get("ede") or ()]
    told = row["time"] + (row["latency"] or 0)
    said = records.get(row["response"] if row["response"] is not None else -1, [])
    if row["outcome"] == "answer":
        _take_answer(event, said, told, published)
    elif row["outcome"] in ("nodata", "nxdomain"):
        _take_absence(event, said, told)
    elif row["outcome"] == "referral":
        servers = [r for r in said if r["section"] == "authority" and r["type"] == "NS"]
        if servers:
            event.answer = [servers[0]["name"]]
            event.ttl = min(r["ttl"] for r in servers)
    return event


def _take_answer(
    event: TraceEvent, said: list[dict[str, Any]], told: int, published: dict[tuple[str, str], int]
) -> None:
    given = [r for r in said if r["section"] == "answer" and r["type"] not in ("RRSIG", "NSEC", "NSEC3")]
    own = [r for r in given if r["type"] == event.type] or given
    aliases = [r for r in given if r["type"] == "CNAME" and event.type != "CNAME"]
    if not own:
        return
    event.answer = [r["rdata"] or "" for r in own]
    event.ttl = min(r["ttl"] for r in own)
    event.expires = told + min(r["ttl"] for r in [*own, *given]) * SECOND
    full = published.get((own[0]["name"], own[0]["type"]))
    if not event.authoritative and full is not None and full > event.ttl:
        event.age = full - event.ttl
    _note_aliases(event, [alias for alias in aliases if alias not in own])


def _note_aliases(event: TraceEvent, aliases: list[dict[str, Any]]) -> None:
    if len(aliases) == 1:
        event.notes.append(f"alias of {aliases[0]['rdata']}, TTL {aliases[0]['ttl']}")
    elif aliases:
        event.notes.append(f"through {len(aliases)} aliases, TTL {min(r['ttl'] for r in aliases)}")


def _take_absence(event: TraceEvent, said: list[dict[str, Any]], told: int) -> None:
    soa = next((r for r in said if r["section"] == "authority" and r["type"] == "SOA" and r["rdata"]), None)
    _note_aliases(event, [r for r in said if r["section"] == "answer" and r["type"] == "CNAME"])
    if soa is None:
        event.notes.append("no SOA: not to be kept")
        return
    # RFC 2308 section 5
    minimum = soa["rdata"].split()[-1]
    event.ttl = min(soa["ttl"], int(minimum)) if minimum.isdecimal() else soa["ttl"]
    event.expires = told + event.ttl * SECOND
    event.zone = soa["name"]


def _tell_ages(events: list[TraceEvent]) -> None:
    """Mend ages by the TTL that a value was published with when it was fetched, where that was seen."""
    told: dict[tuple[str, str, frozenset[str]], int] = {}
    for event in sorted(events, key=lambda event: event.time + (event.latency or 0)):
        if event.outcome != "answer" or event.ttl is None:
            continue
        key = event.name, event.type, frozenset(event.answer)
        if event.authoritative:
            told[key] = event.ttl
        elif event.cache == "stale":
            event.age = None  # the TTL of a stale copy is only for whoever gets it
        elif key in told:
            event.age = told[key] - event.ttl if told[key] > event.ttl else None


def _expiries(events: list[TraceEvent], end: int) -> list[TraceEvent]:
    """When copies in caches came to their end before they were fetched anew."""
    copies: defaultdict[tuple[str, str, str], list[TraceEvent]] = defaultdict(list)
    for event in events:
        if event.cache == "stale":
            continue  # the copy has expired long ago; the TTL is only for whoever gets it
        if event.expires is not None and not event.authoritative and event.layer < _deepest(events):
            copies[event.server, event.name, event.type].append(event)
    found = []
    for (server, name, type_), given in copies.items():
        for place, event in enumerate(given):
            assert event.expires is not None
            following = given[place + 1] if place + 1 < len(given) else None
            # Stated once a copy: as long as answers count down to one moment they are of one copy.
            if following is not None and following.time < event.expires:
                continue
            if event.expires <= end or following is None:
                found.append(
                    TraceEvent(
                        time=event.expires,
                        kind="expiry",
                        layer=event.layer,
                        asker=None,
                        server=server,
                        name=name,
                        type=type_,
                        outcome=event.outcome,
                        answer=event.answer,
                        notes=["after the last frame"] if event.expires > end else [],
                    )
                )
    return found


def _deepest(events: list[TraceEvent]) -> int:
    # Where only one side was captured, what answers there is taken for a cache.
    layers = {event.layer for event in events}
    return max(layers) if len(layers) > 1 else max(layers, default=0) + 1


def _note_changes(events: list[TraceEvent]) -> None:
    """Say where a server gave something else than before."""
    before: dict[tuple[str, str, str], tuple[str, frozenset[str]]] = {}
    for event in events:
        if event.kind != "exchange" or event.outcome not in ("answer", "nodata", "nxdomain"):
            continue
        key = event.server, event.name, event.type
        now = event.outcome if event.outcome != "answer" else "answer", frozenset(event.answer)
        if key in before and before[key] != now:
            event.notes.insert(
                0, "changed" if before[key][0] == now[0] == "answer" else f"was {before[key][0]}"
            )
        before[key] = now


def _moment(time: int | None) -> str | None:
    if time is None:
        return None
    seconds, rest = divmod(time, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
