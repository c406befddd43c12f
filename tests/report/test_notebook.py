"""Displays in a notebook: cards, charts, and a clear word where Altair is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import dnscap
from dnscap.report.html import settings

ROOT = Path(__file__).resolve().parents[2]
FIRST_LOOK = ROOT / "examples" / "first-look.pcap"


def test_a_capture_says_whether_it_has_been_read() -> None:
    capture = dnscap.read(FIRST_LOOK)
    assert "not read yet" in capture._repr_html_()
    assert capture.messages is not None
    card = capture._repr_html_()
    assert "not read yet" not in card and "139" in card and "1 min 25 s" in card


def test_a_report_has_findings_waterfalls_and_servers() -> None:
    shown = dnscap.read(FIRST_LOOK).diagnose()._repr_html_()
    assert "nameserver-timeout" in shown and "<svg" in shown
    assert shown.count("10.53.1.2") >= 2


@pytest.mark.requires("altair")
def test_charts_hold_aggregates_of_the_report() -> None:
    capture = dnscap.read(FIRST_LOOK)
    report = capture.diagnose()
    latency = capture.plot.latency().to_dict()
    assert sum(row["count"] for row in latency["data"]["values"]) == (
        report.lookup_times.timed + report.query_times.timed
    )
    timeline = capture.plot.timeline().to_dict()["data"]["values"]
    assert sum(row["count"] for row in timeline if row["kind"] == "queries") == report.queries
    waterfall = capture.plot.waterfall(13).to_dict()
    (rows,) = waterfall["datasets"].values() if "datasets" in waterfall else [waterfall["data"]["values"]]
    assert [row["kind"] for row in rows] == ["no answer", "no answer", "answered", "answered"]
    assert "10.53.1.9" in str(capture.plot.servers().to_dict())
    for chart in (capture.plot.latency(), capture.plot.servers()):
        assert chart.to_dict()["config"]["background"] == "transparent"


@pytest.mark.requires("altair")
def test_charts_of_caches_and_of_names() -> None:
    capture = dnscap.read(ROOT / "examples" / "is-it-the-cache.pcap")
    counts = capture.resolutions["cache"].value_counts()
    rows = capture.plot.caches().to_dict()["data"]["values"]
    told = {row["from"]: 0 for row in rows}
    for row in rows:
        told[row["from"]] += row["count"]
    assert told["hits"] == counts["hit"] and told["stale"] == counts["stale"]
    chart = str(capture.plot.name("WWW.shop.lab").to_dict())
    assert "A 10.53.9.1" in chart and "B 10.53.9.2" in chart and "10.53.2.11 authoritative" in chart
    with pytest.raises(dnscap.UsageError, match="nothing of"):
        capture.plot.name("other.shop.lab")


def test_charts_without_altair_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(dnscap.UsageError, match=r"dnscap\[notebook\]"):
        dnscap.read(FIRST_LOOK).plot.latency()


def test_a_configuration_reads_as_in_resolv_conf() -> None:
    row = dict.fromkeys(
        ("ndots_min", "ndots_max", "timeout", "attempts", "rotate", "single_request", "use_vc", "edns")
    )
    assert settings(row) == ""
    row.update(ndots_min=5, ndots_max=5, timeout=2.0, attempts=3, rotate=True)
    assert settings(row) == "ndots:5 timeout:2 attempts:3 rotate"
    row.update(ndots_max=None)
    assert settings(row).startswith("ndots at least 5")
