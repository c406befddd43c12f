"""What is told of one name: the timeline, what servers gave, delegations; as text, JSON and HTML."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import dnscap
from dnscap.cli import cli
from dnscap.explain.trace_text import Trace
from tests.resolutions.traffic import OTHER, RESOLVER, SECOND, TLD, ZONE, Traffic

WWW = "www.example.com."
SOA = "example.com. 900 SOA ns1.example.com. host.example.com. 1 7200 3600 1209600 60"


def trace_of(traffic: Traffic, name: str = "WWW.example.com") -> Trace:
    return dnscap.read(traffic.octets()).trace(name)


def story() -> Traffic:
    """Absent, then there, fetched once, given from the cache, changed."""
    traffic = Traffic()
    traffic.ask(0, authority=(SOA,), rcode=3, took=4_000_000)
    traffic.upstream(
        1_000_000,
        server=TLD,
        aa=False,
        authority=("example.com. 3600 NS ns1.example.com.",),
        additional=(f"ns1.example.com. 3600 A {ZONE}",),
    )
    traffic.upstream(2_500_000, authority=(SOA,), rcode=3)
    traffic.miss(100 * SECOND, ttl=300)
    for place in range(1, 6):
        traffic.hit((100 + 20 * place) * SECOND, ttl=300 - 20 * place)
    record = (f"{WWW} 300 A 203.0.113.2",)
    traffic.ask(500 * SECOND, answer=record, took=3_000_000)
    traffic.upstream(500 * SECOND + 1_000_000, answer=record)
    return traffic


def test_the_story_of_a_name() -> None:
    trace = trace_of(story())
    told = [(e.kind, e.layer, e.server, e.outcome, e.ttl) for e in trace.events]
    assert told[:3] == [
        ("exchange", 0, RESOLVER, "nxdomain", 60),
        ("exchange", 1, TLD, "referral", 3600),
        ("exchange", 1, ZONE, "nxdomain", 60),
    ]
    expiries = [e for e in trace.events if e.kind == "expiry"]
    assert [round((e.time - trace.events[0].time) / SECOND) for e in expiries] == [60, 400, 800]
    assert [e.age for e in trace.events if e.cache == "hit"] == [20, 40, 60, 80, 100]
    changes = [e for e in trace.events if "changed" in e.notes]
    assert {e.server for e in changes} == {RESOLVER, ZONE}


def test_what_servers_gave_and_how_the_zone_is_delegated() -> None:
    trace = trace_of(story())
    assert [(h.role, h.server, h.values, h.changes) for h in trace.holders] == [
        ("authoritative", ZONE, ["203.0.113.2"], 1),
        ("resolver", RESOLVER, ["203.0.113.2"], 1),
    ]
    (delegation,) = trace.delegations
    assert (delegation.zone, delegation.parent) == ("example.com.", TLD)
    assert delegation.addresses == {"ns1.example.com.": [ZONE]}


def test_text_says_repetitions_once_and_fits_the_terminal() -> None:
    text = str(trace_of(story()))
    assert "the same 4 times more, TTL down to 200" in text
    assert "changed" in text
    assert "absence of A expires" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_aliases_are_followed() -> None:
    traffic = Traffic()
    traffic.ask(0, answer=(f"{WWW} 60 CNAME lb.example.net.", "lb.example.net. 30 A 203.0.113.1"))
    traffic.upstream(500, "lb.example.net.", answer=("lb.example.net. 30 A 203.0.113.1",))
    trace = trace_of(traffic)
    assert trace.names == [WWW, "lb.example.net."]
    assert {e.name for e in trace.events} >= {WWW, "lb.example.net."}
    assert any("alias of lb.example.net., TTL 60" in note for e in trace.events for note in e.notes)


def test_circles_of_aliases_end() -> None:
    traffic = Traffic()
    traffic.ask(0, "a.example.", answer=("a.example. 60 CNAME b.example.", "b.example. 60 CNAME a.example."))
    assert trace_of(traffic, "a.example").names == ["a.example.", "b.example."]


def test_a_name_that_is_not_there() -> None:
    trace = trace_of(story(), "nothing.example")
    assert not trace.events
    assert "never asked for" in str(trace)


def test_many_askers_are_counted() -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=300)
    for place in range(1, 400):
        traffic.hit(place * SECOND // 2, ttl=300 - place // 2, client=OTHER if place % 2 else "192.0.2.12")
    text = str(trace_of(traffic))
    assert len(text.splitlines()) < 40
    assert "by 2 askers" in text


def test_what_the_wire_says_does_not_steer_the_terminal() -> None:
    traffic = Traffic()
    name = "x\\027[2J.example.com."
    traffic.ask(0, name, "TXT", answer=(f'{name} 60 TXT "\\027[31mred"',))
    trace = trace_of(traffic, name)
    assert trace.events
    assert "\x1b" not in str(trace)
    assert "\x1b[31mred" not in trace.text(colour=True)
    assert "<script" not in trace._repr_html_()


def test_json_and_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "story.pcap"
    path.write_bytes(story().octets())
    runner = CliRunner()
    whole = runner.invoke(cli, ["trace", "www.example.com", str(path), "--format", "json"])
    lines = runner.invoke(cli, ["trace", "www.example.com", str(path), "--format", "jsonl"])
    told = json.loads(whole.stdout)
    assert [json.loads(line) for line in lines.stdout.splitlines()] == told["events"]
    assert told["events"][0]["time"] == "2023-11-14T22:13:20.000000000Z"
    assert told["events"][0]["latency"] == pytest.approx(0.004)
    assert told["servers"][0]["role"] == "authoritative"


def test_the_command_refuses_a_second_name(tmp_path: Path) -> None:
    path = tmp_path / "story.pcap"
    path.write_bytes(story().octets())
    result = CliRunner().invoke(cli, ["trace", "www.example.com", str(path), "--name", "example.com"])
    assert result.exit_code != 0


LAB = {
    "prefetch/unbound": ("t10.short.lab", ["miss", "hit", "prefetch", "hit"]),
    "negative-cache/unbound": ("nx.neg.lab", ["miss", "negative-hit", "miss", "miss"]),
    "serve-stale/unbound": ("t2.short.lab", ["miss", "stale", "stale"]),
}


@pytest.mark.parametrize("variant", LAB)
def test_verdicts_of_caches_stand_in_the_timeline(shared: Path, variant: str) -> None:
    name, wanted = LAB[variant]
    trace = dnscap.read(str(shared / "lab" / variant / "resolver.any.pcap")).trace(name)
    assert [e.cache for e in trace.events if e.kind == "exchange" and e.layer == 0] == wanted
    assert any(e.layer == 1 and e.authoritative for e in trace.events)


def test_the_age_of_a_copy_goes_by_the_lifetime_it_was_fetched_with() -> None:
    traffic = Traffic()
    for at, value, ttl in ((0, 1, 600), (100, 2, 60)):
        answer = (f"{WWW} {ttl} A 203.0.113.{value}",)
        traffic.ask(at * SECOND, took=4_000_000, answer=answer)
        traffic.upstream(at * SECOND + 1_000_000, took=1_000_000, answer=answer)
        traffic.ask((at + 10) * SECOND, answer=(f"{WWW} {ttl - 10} A 203.0.113.{value}",))
    asked = [e for e in trace_of(traffic).events if e.kind == "exchange" and e.layer == 0]
    assert [event.age for event in asked] == [None, 10, None, 10]
