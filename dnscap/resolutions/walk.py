"""The walk behind an answer: what a resolver asked upstream for it, hop by hop, and the time each hop took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

ROOT = "."
_SECURITY = ("DS", "DNSKEY")
_ADDRESSES = ("A", "AAAA")

HOPS = (
    "priming",
    "referral",
    "minimised",
    "answer",
    "alias",
    "denial",
    "nodata",
    "dnssec",
    "ns-address",
    "retry",
    "tcp",
    "truncated",
    "forwarded",
    "failure",
    "silence",
)
"""What a hop was: the root's servers asked for, a delegation followed, a step of QNAME minimisation
(RFC 9156), the data, an alias on the way to it, the name's or the data's absence, keys for validation, the
address of a name server, the same question again, over TCP, cut short, passed on by a forwarder, an error,
or no answer at all."""


@dataclass(slots=True)
class Hop:
    """One exchange of a walk.

    Attributes
    ----------
    exchange : int
        Its row of the exchanges table.
    offset : int
        Nanoseconds from the client's query to this one; negative where it was under way already.
    latency : int or None
        Nanoseconds to its answer.
    charged : int
        Nanoseconds of the client's wait that are put down to it: each instant belongs to the query sent
        last among those that were out.
    server, qname, qtype, outcome : str
        Whom it was sent to, for what, and how it ended.
    kind : str
        One of `HOPS`.
    zone : str or None
        Zone that a referral leads to.
    servers : list of str
        Name servers that the answer named for it.
    glue : int
        Addresses of these that came with it.
    targets : list of str
        Names that aliases of the answer lead to.
    """

    exchange: int
    offset: int
    latency: int | None
    charged: int
    server: str
    qname: str
    qtype: str
    outcome: str
    kind: str
    zone: str | None = None
    servers: list[str] = field(default_factory=list)
    glue: int = 0
    targets: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Walk:
    """What a resolver did for one query; ``str()`` of it is a table.

    Attributes
    ----------
    resolution : dict
        Its row of the resolutions table; times and durations are nanoseconds.
    hops : list of Hop
        In order of time.
    own : int
        Nanoseconds in which nothing was out upstream: the resolver itself, its queue included. With what is
        charged to the hops this adds up to the latency.
    """

    resolution: Mapping[str, Any]
    hops: list[Hop]
    own: int

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """The walk as lines of plain text."""
        row = self.resolution
        latency = "no answer" if row["latency"] is None else f"answered after {took(row['latency'])}"
        lines = [
            f"resolution {row['resolution']}  {row['qname']}  {row['qtype'] or '?'}  at {row['resolver']}",
            f"{row['cache']}, {latency}; resolver itself {took(self.own)}",
        ]
        for hop in self.hops:
            lasted = "-" if hop.latency is None else took(hop.latency)
            notes = []
            if hop.zone is not None:
                glued = f"glue {hop.glue}" if hop.glue else "no glue"
                notes.append(f"to {hop.zone} (servers {len(hop.servers)}, {glued})")
            notes += [f"to {target}" for target in hop.targets]
            lines.append(
                f"  +{took(max(hop.offset, 0)):>9} {lasted:>9} {took(hop.charged):>9}  {hop.kind:<10} "
                f"{hop.server:<15} {hop.qname} {hop.qtype}  {hop.outcome}"
                + (f"  {'; '.join(notes)}" if notes else "")
            )
        return lines


def walk_of(
    resolution: Mapping[str, Any],
    exchanges: Iterable[Mapping[str, Any]],
    records: Mapping[int, Sequence[Mapping[str, Any]]],
) -> Walk:
    """Put a walk together.

    Parameters
    ----------
    resolution : mapping
        Row of the resolutions table, times and durations in nanoseconds.
    exchanges : iterable of mapping
        Rows of the exchanges that it waited for, likewise.
    records : mapping of int to list of mapping
        Rows of the records table by the message that held them, for the responses of these exchanges.
    """
    sent = sorted(exchanges, key=lambda row: (row["time"], row["exchange"]))
    begin = resolution["time"]
    latency = resolution["latency"]
    end = begin + latency if latency is not None else max([begin, *map(_over, sent)])
    charged, own = _charges(sent, begin, end)
    hops: list[Hop] = []
    asked: set[tuple[str, str]] = set()
    hosts: set[str] = set()
    wanted = {resolution["qname"]}
    for row, share in zip(sent, charged, strict=True):
        held = records.get(row["response"], []) if row["response"] is not None else []
        hop = Hop(
            exchange=row["exchange"],
            offset=row["time"] - begin,
            latency=row["latency"],
            charged=share,
            server=row["server"],
            qname=row["qname"] or "?",
            qtype=row["qtype"] or "?",
            outcome=row["outcome"],
            kind="",
        )
        _read(hop, held)
        hop.kind = _kind(hop, row, resolution, wanted, hosts, asked)
        asked.add((hop.qname, hop.qtype))
        hosts.update(hop.servers)
        if hop.qname in wanted:
            wanted.update(hop.targets)
        hops.append(hop)
    return Walk(resolution, hops, own)


def took(nanoseconds: int) -> str:
    """A duration in three digits and its unit."""
    value, unit = float(nanoseconds), "ns"
    for larger in ("µs", "ms", "s"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"


def _over(row: Mapping[str, Any]) -> int:
    return int(row["time"] + (row["latency"] or 0))


def _charges(sent: list[Mapping[str, Any]], begin: int, end: int) -> tuple[list[int], int]:
    """Nanoseconds of the wait for each exchange, and those that are the resolver's own."""
    spans = [
        (
            max(row["time"], begin),
            min(row["time"] + row["latency"] if row["latency"] is not None else end, end),
        )
        for row in sent
    ]
    instants = sorted({begin, end, *(at for span in spans for at in span if begin <= at <= end)})
    charged = [0] * len(sent)
    own = 0
    for low, high in pairwise(instants):
        out = [place for place, (first, last) in enumerate(spans) if first <= low and last >= high]
        if out:
            charged[max(out, key=lambda place: (spans[place][0], place))] += high - low
        else:
            own += high - low
    return charged, own


def _read(hop: Hop, held: Sequence[Mapping[str, Any]]) -> None:
    for record in held:
        if record["type"] == "NS" and record["rdata"] and record["section"] != "additional":
            hop.servers.append(record["rdata"])
            if record["section"] == "authority" and hop.outcome == "referral":
                hop.zone = record["name"]
        elif record["type"] == "CNAME" and record["section"] == "answer" and record["rdata"]:
            hop.targets.append(record["rdata"])
    known = set(hop.servers)
    hop.glue = sum(
        record["section"] == "additional" and record["type"] in _ADDRESSES and record["name"] in known
        for record in held
    )


def _kind(
    hop: Hop,
    row: Mapping[str, Any],
    resolution: Mapping[str, Any],
    wanted: set[str],
    hosts: set[str],
    asked: set[tuple[str, str]],
) -> str:
    if hop.outcome in ("unanswered", "unfinished", "unreachable"):
        return "silence"
    if row["transport"] == "tcp":
        return "tcp"
    if hop.outcome == "truncated":
        return "truncated"
    if hop.outcome in ("servfail", "refused", "formerr", "notimp", "other-rcode"):
        return "failure"
    if hop.qname == ROOT and hop.qtype == "NS" and resolution["qname"] != ROOT:
        return "priming"
    if resolution["cache"] == "forwarded":
        return "forwarded"
    if (hop.qname, hop.qtype) in asked:
        return "retry"
    if hop.qtype in _SECURITY and hop.qtype != resolution["qtype"]:
        return "dnssec"
    if hop.outcome == "referral":
        return "referral"
    if hop.qname in hosts and hop.qtype in _ADDRESSES and hop.qname not in wanted:
        return "ns-address"
    if hop.outcome == "nxdomain":
        return "denial"
    if hop.targets and hop.qname in wanted:
        return "alias"
    above = hop.qname == ROOT or resolution["qname"].endswith("." + hop.qname)
    if hop.qtype != resolution["qtype"] or (hop.qname not in wanted and (above or hop.outcome != "answer")):
        return "minimised"
    return "nodata" if hop.outcome == "nodata" else "answer"
