"""Caches and names in the report: counts that the tables confirm, drawings that can be read, honest silence."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from typing import Any

import pytest
from test_report import Page

import dnscap
from dnscap.findings.moments import MOST_MOMENTS
from dnscap.findings.slow_walks import MOST_WALKS, SlowWalks
from dnscap.report.block_forms import Block
from dnscap.report.model import Report
from dnscap.resolutions.arrow import Verdicts
from dnscap.resolutions.words import FROM_CACHE
from tests.resolutions.traffic import CLIENT, MS, OTHER, RESOLVER, SECOND, START, ZONE, Traffic

MINUTE = 60 * SECOND
WWW = "www.example.com."
SOA = "example.com. 900 SOA ns1.example.com. host.example.com. 1 7200 3600 1209600 600"


def report_of(traffic: Traffic) -> Report:
    return dnscap.read(traffic.octets()).diagnose()


def block(report: Report, name: str) -> Block:
    return next(block for block in report.blocks if block.id == name)


def cells(found: Block, table: int = 0) -> list[dict[str, Any]]:
    grid = found.tables[table]
    return [dict(zip(grid.columns, row, strict=True)) for row in grid.rows]


def busy() -> Traffic:
    """Misses, hits, and one name that two clients want at once."""
    traffic = Traffic()
    for number in range(4):
        traffic.miss(number * SECOND, f"n{number}.example.com.", took=(3 + number) * MS)
        for again in range(1, 4):
            traffic.hit(number * SECOND + again * 100 * MS, f"n{number}.example.com.")
    traffic.miss(20 * SECOND, "both.example.com.", took=50 * MS)
    record = ("both.example.com. 300 A 203.0.113.1",)
    traffic.ask(20 * SECOND + 2 * MS, "both.example.com.", client=OTHER, took=48 * MS, answer=record)
    return traffic


def change() -> Traffic:
    """The zone changes an address; the resolver gives the old one on until it expires."""
    traffic = Traffic()

    def told(at: int, value: str, ttl: int) -> None:
        traffic.ask(at, answer=(f"{WWW} {ttl} A {value}",))

    for at, value in ((0, 1), (MINUTE, 2), (2 * MINUTE, 2)):
        traffic.upstream(at, answer=(f"{WWW} 600 A 203.0.113.{value}",))
    told(2 * SECOND, "203.0.113.1", 598)
    told(5 * MINUTE, "203.0.113.1", 300)
    told(11 * MINUTE, "203.0.113.2", 540)
    return traffic


# ---------------------------------------------------------------- caches


def test_verdicts_are_those_of_the_table() -> None:
    traffic = busy()
    rows = [row for row in traffic.rows() if row["resolver"] == RESOLVER]
    verdicts = Counter(row["cache"] for row in rows)
    found = block(report_of(traffic), "caches")
    (row,) = cells(found)
    assert row["hits"] == verdicts["hit"] and row["misses"] == verdicts["miss"]
    assert row["coalesced"] == verdicts["coalesced"] == 1
    share = sum(verdicts[word] for word in FROM_CACHE) / len(rows)
    assert row["from the cache, %"] == pytest.approx(100 * share, abs=0.05)
    waited = sum(
        (row["latency"] for row in rows if row["cache"] in ("miss", "coalesced")),
        start=0 * rows[0]["latency"],
    )
    assert row["waited for upstream, ms"] == pytest.approx(1e3 * waited.total_seconds())


def test_the_time_of_a_walk_adds_up() -> None:
    walks = block(report_of(busy()), "caches").walks
    assert next(walk.resolution["qname"] for walk in walks) == "both.example.com."
    assert len(walks) == MOST_WALKS
    for walk in walks:
        assert walk.own + sum(hop.charged for hop in walk.hops) == walk.resolution["latency"]
        assert [hop.server for hop in walk.hops] == [ZONE]


def test_walks_do_not_depend_on_which_of_rows_and_exchanges_came_first() -> None:
    capture = dnscap.read(busy().octets())
    verdicts = [Verdicts.of(batch.native) for batch in capture.resolution_batches()]
    sent = [batch.native for batch in capture.exchange_batches(rows=3)]
    told = []
    for early in (True, False):
        slow = SlowWalks()
        for batch in sent if early else []:
            slow.feed_exchanges(batch)
        for some in verdicts:
            slow.feed(some)
        for batch in [] if early else sent:
            slow.feed_exchanges(batch)
        slow.finish()
        told.append([(str(walk), len(walk.hops)) for walk in slow.walks()])
    assert told[0] == told[1] and all(hops for _, hops in told[0])


def test_from_one_side_only_the_inferred_share_is_told_with_its_coverage() -> None:
    traffic = Traffic()
    for number in range(8):
        traffic.ask(number * SECOND, answer=(f"{WWW} {300 - number} A 203.0.113.1",))
    rows = traffic.rows()
    judged = [row for row in rows if row["cache"] != "unknown"]
    found = block(report_of(traffic), "caches")
    (row,) = cells(found)
    assert row["answers"] == len(rows)
    assert row["judged, %"] == round(100 * len(judged) / len(rows), 1)
    hits = sum(row["cache"] in FROM_CACHE for row in judged)
    assert row["from the cache, % of judged"] == round(100 * hits / len(judged), 1)
    assert found.tables[0].title == "Inferred from the clients' side" and not found.walks
    assert "is not in this capture" in found.text and "cannot be told from here" in found.text
    assert "needs the resolver's upstream side" in str(report_of(traffic))


def test_where_nothing_tells_of_caches_that_is_said() -> None:
    traffic = Traffic()
    traffic.ask(0, silent=True)
    report = report_of(traffic)
    assert block(report, "caches").text.startswith("Nothing tells hits from misses")
    assert block(report, "names").text.startswith("No answer in this capture")
    for said in (str(report), Page(report.html()).text):
        assert "Nothing tells hits from misses" in " ".join(said.split())


# ---------------------------------------------------------------- names


def test_a_change_and_how_it_spread() -> None:
    found = block(report_of(change()), "names")
    (row,) = cells(found)
    assert row["name"] == WWW and row["what"] == "changed"
    assert row["values"] == "203.0.113.1 → 203.0.113.2"
    assert ZONE in row["seen first"]
    assert row["old value"].endswith(f"by {RESOLVER}")
    assert row["old value kept until"] == "22:23:20 UTC"
    (course,) = found.names
    assert course.values == [["203.0.113.1"], ["203.0.113.2"]]
    zone, resolver = course.lanes
    assert (zone.server, zone.role, resolver.server) == (ZONE, "authoritative", RESOLVER)
    assert [(s.value, s.given) for s in zone.stretches] == [(0, True), (1, True)]
    old, new = resolver.stretches
    assert (old.value, new.value) == (0, 1)
    assert old.last == pytest.approx(START + 600 * SECOND, abs=SECOND)
    assert sum(mark.count for mark in resolver.marks) == 3
    assert any(row["finding"] == "stale-layer" for row in cells(found, 1))


def test_a_name_that_appeared_and_one_that_servers_differ_about() -> None:
    traffic = Traffic()
    traffic.ask(0, rcode=3, authority=(SOA,))
    traffic.ask(700 * SECOND, answer=(f"{WWW} 60 A 203.0.113.1",))
    for number, resolver in enumerate((RESOLVER, "192.0.2.54")):
        answer = (f"other.example.com. 60 A 203.0.113.{number}",)
        traffic.ask(SECOND, "other.example.com.", resolver=resolver, answer=answer)
    rows = {row["name"]: row for row in cells(block(report_of(traffic), "names"))}
    assert rows[WWW]["what"] == "appeared" and rows[WWW]["values"] == "no such record → 203.0.113.1"
    assert rows["other.example.com."]["what"] == "differs between servers"
    assert rows["other.example.com."]["values"] == "203.0.113.0 | 203.0.113.1"


def test_lifetimes_are_tried_on_what_was_asked() -> None:
    traffic = Traffic()
    for number in range(10):
        traffic.hit(number * 100 * SECOND, WWW, 30)
    (row,) = cells(block(report_of(traffic), "names"))
    assert (row["questions"], row["seconds between them"], row["TTL published, s"]) == (10, 100, 30)
    assert row["hits at 60 s, %"] == 0 and row["hits at 3,600 s, %"] == 90
    assert row["hits at 300 s, %"] == 60


def test_single_answers_are_drawn_of_small_captures_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert any(lane.marks for course in block(report_of(change()), "names").names for lane in course.lanes)
    assert MOST_MOMENTS >= 1000
    monkeypatch.setattr("dnscap.findings.moments.MOST_MOMENTS", 2)
    (course,) = block(report_of(change()), "names").names
    assert not any(lane.marks for lane in course.lanes)
    assert {stretch.value for lane in course.lanes for stretch in lane.stretches} == {0, 1}


# ---------------------------------------------------------------- renderings


@pytest.mark.parametrize("traffic", [busy(), change()], ids=["caches", "names"])
def test_text_page_and_json_say_the_same(traffic: Traffic) -> None:
    report = report_of(traffic)
    text, page = (" ".join(said.split()) for said in (str(report), Page(report.html()).text))
    data = {block["id"]: block for block in json.loads(report.json())["blocks"]}
    for found in report.blocks:
        assert found.text in text and found.text in page and data[found.id]["text"] == found.text
        for grid, told in zip(found.tables, data[found.id]["tables"], strict=True):
            assert (grid.title in text) != grid.found and grid.title in page
            assert told["rows"] == grid.rows and told["columns"] == grid.columns
            assert all(len(row) == len(grid.columns) for row in grid.rows)
        assert [walk["latency"] for walk in data[found.id]["walks"]] == [
            walk.resolution["latency"] / 1e9 for walk in found.walks
        ]
        assert [course["name"] for course in data[found.id]["names"]] == [c.name for c in found.names]


@pytest.mark.parametrize("width", [40, 78, 120])
def test_lines_keep_to_the_width(width: int) -> None:
    report = dnscap.read(change().octets()).diagnose()
    blocks = report.text(width=width).split("\nCaches\n")[1].split("\nScorecard")[0]
    assert max(map(len, blocks.splitlines())) <= width


def test_drawings_are_told_in_words_and_stay_in_their_box() -> None:
    text = report_of(change()).html()
    labels = [a["aria-label"] for tag, a in Page(text).elements if tag == "svg" and a.get("role") == "img"]
    told = next(label for label in labels if label and label.startswith(WWW))
    assert "A may be kept from" in told and "3 questions" in told
    for left, width in re.findall(r'<rect x="([\d.]+)%" y="\d+" width="([\d.]+)%"', text):
        assert float(left) >= 0 and float(left) + float(width) <= 100.01


def test_names_off_the_wire_are_shown_and_not_obeyed() -> None:
    traffic = Traffic()
    name = "<b>x</b>.example.com."
    for value, at in ((1, 0), (2, MINUTE)):
        traffic.upstream(at, name, "TXT", answer=(f'{name} 5 TXT "<script>alert({value})</script>"',))
        traffic.ask(at + SECOND, name, "TXT", answer=(f'{name} 5 TXT "<script>alert({value})</script>"',))
    report = report_of(traffic)
    text = report.html()
    assert "<b>x" not in text and "<script>alert" not in text
    assert "<script>alert(2)" in Page(text).text
    assert block(report, "names").names


def test_many_servers_and_values_leave_the_page_small() -> None:
    traffic = Traffic()
    for number, server in itertools.product(range(60), range(12)):
        answer = (f"many.example.com. 20 A 203.0.113.{number}",)
        traffic.ask(
            number * 30 * SECOND + server * MS,
            "many.example.com.",
            client=CLIENT,
            resolver=f"192.0.2.{100 + server}",
            answer=answer,
        )
    report = report_of(traffic)
    (course,) = block(report, "names").names
    assert course.more_lanes == 6 and len(course.values) == 8
    assert len(report.html()) < 500_000
