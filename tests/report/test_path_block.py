"""Hops and orders of servers: times that were measured, beside what is usual, and what other orders would cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dnscap
from dnscap.findings.server_order import Expected, expected
from dnscap.report.block_forms import Block
from dnscap.report.path_block import USUAL
from dnscap.tables.histogram import BUCKETS, buckets_of
from tests.lookups.captures import octets_of
from tests.resolutions.traffic import MS, SECOND, TLD, ZONE, Traffic

LETTER = "198.41.0.4"
WWW = "www.example.com."


def block(octets: bytes, name: str) -> Block | None:
    report = dnscap.read(octets).diagnose()
    return next((block for block in report.blocks if block.id == name), None)


def cells(found: Block, table: int = 0) -> list[dict[str, Any]]:
    grid = found.tables[table]
    return [dict(zip(grid.columns, row, strict=True)) for row in grid.rows]


def walked(turns: int = 5) -> Traffic:
    """Cold questions: the root after 15 ms, the top-level domain after 60, the zone after 25."""
    traffic = Traffic()
    for turn in range(turns):
        at, name = turn * SECOND, f"h{turn}.example.com."
        traffic.ask(at, name, took=105 * MS, answer=(f"{name} 60 A 203.0.113.1",))
        traffic.upstream(
            at + MS, name, server=LETTER, took=15 * MS, aa=False, authority=("com. 60 NS a.gtld.example.",)
        )
        records = ("example.com. 60 NS ns1.example.com.",)
        traffic.upstream(at + 17 * MS, name, server=TLD, took=60 * MS, aa=False, authority=records)
        traffic.upstream(at + 78 * MS, name, took=25 * MS, answer=(f"{name} 60 A 203.0.113.1",))
    return traffic


def test_each_hop_has_its_time_beside_what_is_usual() -> None:
    found = block(walked().octets(), "path")
    assert found is not None
    hops = {row["hop"]: row for row in cells(found)}
    wanted = {
        "client to resolver": (105, "longer"),
        "resolver to the root": (15, "as usual"),
        "resolver to a top-level domain": (60, "longer"),
        "resolver to a zone's servers": (25, "as usual"),
        "walk from the root down": (105, "as usual"),
    }
    for hop, (median, against) in wanted.items():
        assert hops[hop]["median, ms"] == pytest.approx(median, rel=0.03)
        assert hops[hop]["the median is"] == against
        assert hops[hop]["usual, ms"] == "{} to {}".format(*USUAL[hop])
    near = {row["server"]: row for row in cells(found, 1)}
    assert near[LETTER]["of"] == "a.root-servers.net"
    assert near[TLD]["of"] == "top-level domain"
    assert ZONE not in near
    assert "client to resolver, resolver to a top-level domain" in found.text


def test_answers_out_of_the_cache_are_a_hop_of_their_own() -> None:
    traffic = walked()
    traffic.hit(2 * SECOND + 300 * MS, "h1.example.com.")
    found = block(traffic.octets(), "path")
    assert found is not None
    row = next(row for row in cells(found) if row["hop"] == "answers out of its cache")
    assert (row["answers"], row["usual, ms"], row["the median is"]) == (1, "below 1", "as usual")


def test_there_is_no_way_where_only_clients_are_seen() -> None:
    assert block(octets_of("glibc"), "path") is None


def test_orders_of_servers_are_shown_where_a_client_has_several() -> None:
    found = block(octets_of("dead-first-dnspython"), "server-order")
    assert found is not None
    own, other = cells(found)
    assert own["is"] == "as configured" and other["is"] is None
    assert own["order"].split(", ") == other["order"].split(", ")[::-1]
    assert own["half within, ms"] > 100 * other["half within, ms"]
    assert block(octets_of("glibc"), "server-order") is None


# ---------------------------------------------------------------- working it out


def answering(milliseconds: float, *, silent: int = 0, answered: int = 100) -> tuple[Any, int]:
    counts = np.zeros(BUCKETS, np.int64)
    counts[buckets_of(np.array([milliseconds * 1e6]))[0]] = answered
    return counts, silent


def of(servers: dict[str, tuple[Any, int]], *, timeout: float = 5.0, attempts: int = 2) -> Expected:
    return expected(tuple(servers), servers.__getitem__, timeout, attempts)


def test_a_dead_first_server_costs_one_timeout_and_not_all_of_them() -> None:
    """As glibc asks: each server once, then each again; with `timeout:2 attempts:3` it goes on after 2 s."""
    found = of({"dead": answering(1, silent=100, answered=0), "live": answering(15)}, timeout=2, attempts=3)
    assert found.median == pytest.approx(2.015, abs=0.002)
    assert found.most == pytest.approx(2.015, abs=0.002)
    assert found.failing == 0


def test_the_quicker_server_first() -> None:
    slow, quick = answering(120), answering(15)
    assert of({"a": slow, "b": quick}).median == pytest.approx(0.12, rel=0.05)
    assert of({"b": quick, "a": slow}).median == pytest.approx(0.015, rel=0.05)


def test_loss_shows_in_the_slowest_lookups() -> None:
    found = of({"a": answering(10, silent=5, answered=95), "b": answering(20)}, timeout=1)
    assert found.median == pytest.approx(0.01, rel=0.05)
    assert found.most == pytest.approx(1.02, rel=0.05)
    assert found.failing == 0


def test_where_nobody_answers_all_fail_when_all_is_tried() -> None:
    dead = answering(1, silent=10, answered=0)
    found = of({"a": dead, "b": dead}, timeout=1, attempts=2)
    assert (found.median, found.most, found.failing) == (4.0, 4.0, 1.0)
