"""The way of a question in a report: how long each hop takes, beside what is usual, and whom resolvers ask."""

from __future__ import annotations

from typing import Any

import numpy as np

from dnscap.findings.delegations import NS
from dnscap.findings.diagnosis import Diagnosis
from dnscap.findings.rule import plural
from dnscap.findings.server_order import orders
from dnscap.names import NameRows
from dnscap.names.seen import AUTHORITY, RECURSIVE
from dnscap.report.block_forms import Block, Cell, Grid
from dnscap.servers.root import LETTERS
from dnscap.tables.histogram import BUCKETS, percentile

Array = np.ndarray[Any, np.dtype[Any]]

USUAL = {
    "client to resolver": (5, 20),
    "answers out of its cache": (0, 1),
    "resolver to the root": (10, 30),
    "resolver to a top-level domain": (20, 50),
    "resolver to a zone's servers": (20, 80),
    "walk from the root down": (55, 180),
}
"""Milliseconds that each hop usually takes on the Internet, from and up to; on a local network it is less."""

MOST_SERVERS = 13
"""Servers of the table of those near the root."""

MOST_LISTS = 5
"""Lists of servers whose orders are shown."""


def path(diagnosis: Diagnosis) -> Block | None:
    """How long each hop takes, and which servers near the root are asked."""
    kinds = _kinds(diagnosis)
    hops: dict[str, Array] = {name: np.zeros(BUCKETS, np.int64) for name in USUAL}
    counts: dict[str, int] = dict.fromkeys(USUAL, 0)
    near: list[tuple[str, str, int, Array]] = []
    answers = diagnosis.facts.answers
    assert answers is not None
    for row in diagnosis.server_rows:
        kind = kinds.get(row["server"])
        if kind is None:
            continue
        latencies, _ = answers(row["server"])
        hops[kind] += latencies
        counts[kind] += 1
        if kind in ("resolver to the root", "resolver to a top-level domain"):
            near.append((kind, row["server"], row["queries"], latencies))
    course = diagnosis.cache_course
    for counted in course.resolvers.values():
        hops["answers out of its cache"] += counted.cached
        counts["answers out of its cache"] += bool(counted.cached.any())
    hops["walk from the root down"] = course.depth_times[0]
    counts["walk from the root down"] = sum(1 for c in course.resolvers.values() if c.judged)
    # Without a resolver's upstream side there is but one hop, which the scorecard tells.
    if not any(hops[name].any() for name in USUAL if name.startswith("resolver")):
        return None
    rows = [_hop(name, counts[name], hops[name]) for name in USUAL if hops[name].any()]
    columns = [
        "hop",
        "servers",
        "answers",
        "median, ms",
        "90 % within, ms",
        "99 % within, ms",
        "usual, ms",
        "the median is",
    ]
    tables = [
        Grid(
            "Time of each hop",
            columns,
            rows,
            "Usual on the Internet; within one network every hop is shorter, and shorter is no fault.",
        )
    ]
    if near:
        tables.append(_near(near).filled())
    slow = [str(row[0]) for row in rows if row[-1] == "longer"]
    text = "What a cold question goes through, hop by hop. " + (
        f"Longer than usual: {', '.join(slow)}." if slow else "No hop takes longer than is usual."
    )
    return Block("path", "The way of a question", text, tables)


def _hop(name: str, servers: int, latencies: Array) -> list[Cell]:
    low, high = USUAL[name]
    half = percentile(latencies, 0.5)
    told = (
        None
        if half is None
        else "longer"
        if half > high * 1e6
        else "shorter"
        if half < low * 1e6
        else "as usual"
    )
    return [
        name,
        servers,
        int(latencies.sum()),
        *(_ms(percentile(latencies, share)) for share in (0.5, 0.9, 0.99)),
        f"{low} to {high}" if low else f"below {high}",
        told,
    ]


def _ms(value: int | None) -> float | None:
    return None if value is None else float(f"{value / 1e6:.3g}")


def _near(near: list[tuple[str, str, int, Array]]) -> Grid:
    """Servers of the root and of top-level domains, and how queries are shared out among them."""
    asked = {kind: sum(queries for other, _, queries, _ in near if other == kind) for kind, *_ in near}
    shown = sorted(near, key=lambda row: (row[0] != "resolver to the root", -row[2], row[1]))[:MOST_SERVERS]
    rows: list[list[Cell]] = [
        [
            server,
            LETTERS.get(server, "root") if kind == "resolver to the root" else "top-level domain",
            queries,
            round(100 * queries / max(asked[kind], 1), 1),
            _ms(percentile(latencies, 0.5)),
        ]
        for kind, server, queries, latencies in shown
    ]
    note = f"The {MOST_SERVERS} most asked of {len(near):,}." if len(near) > MOST_SERVERS else ""
    columns = ["server", "of", "queries", "share of these, %", "median, ms"]
    return Grid("Servers of the root and of top-level domains", columns, rows, note)


def _kinds(diagnosis: Diagnosis) -> dict[str, str]:
    """What hop a question to each server is."""
    seen = diagnosis.facts.seen
    depths = _depths(seen) if seen is not None and seen.count else {}
    kinds: dict[str, str] = {}
    for row in diagnosis.server_rows:
        server = row["server"]
        if server in LETTERS:
            kinds[server] = "resolver to the root"
        elif row["role"] == "authoritative":
            depth = depths.get(server)
            kinds[server] = (
                "resolver to the root"
                if depth == 1
                else "resolver to a top-level domain"
                if depth == 2
                else "resolver to a zone's servers"
            )
        elif row["role"] in ("recursive", "forwarder"):
            kinds[server] = "client to resolver"
    return kinds


def _depths(seen: NameRows) -> dict[str, int]:
    """Labels of the zones that each server referred to, those it referred to most often."""
    chosen = (
        (seen.type == NS) & (seen.section == AUTHORITY) & (seen.rows["answers"] > 0) & ~seen.has(RECURSIVE)
    )
    counts: dict[str, dict[int, int]] = {}
    for row in chosen.nonzero()[0].tolist():
        name = seen.name_of(row)
        depth = 0 if name == "." else name.count(".")
        if depth:
            of = counts.setdefault(seen.server_of(row), {})
            of[depth] = of.get(depth, 0) + int(seen.rows["answers"][row])
    return {server: max(of, key=lambda depth: (of[depth], -depth)) for server, of in counts.items()}


def server_orders(diagnosis: Diagnosis) -> Block | None:
    """What each order of a client's servers would cost."""
    found = sorted(orders(diagnosis.facts), key=lambda item: -sum(row["lookups"] for row in item[0]))[
        :MOST_LISTS
    ]
    if not found:
        return None
    rows: list[list[Cell]] = []
    for clients, expected in found:
        for place, order in enumerate(expected):
            rows.append(
                [
                    ", ".join(order.order),
                    "as configured" if place == 0 else None,
                    len({row["client"] for row in clients}),
                    float(f"{1e3 * order.median:.3g}"),
                    float(f"{1e3 * order.most:.3g}"),
                    round(100 * order.failing, 2),
                ]
            )
    columns = ["order", "is", "clients", "half within, ms", "99 in 100 within, ms", "without an answer, %"]
    text = (
        f"{plural(len(found), 'list')} of servers, and what lookups would take if they were asked in another order: "
        "worked out from how each server answered in this capture, as if each query met with its own luck, and with "
        "the timeout and attempts that were seen, or else those of resolv.conf."
    )
    return Block("server-order", "Order of the servers", text, [Grid("Orders", columns, rows)])
