"""What the view knows, without a terminal: rows while lookups are open, counts, servers, frames saved."""

from __future__ import annotations

import io
import os
from collections import Counter
from pathlib import Path

import pytest

import dnscap
from dnscap.live.view.choosing import KEYS, Choice
from dnscap.live.view.following import FINAL, MOST_ROWS, SETTLED, WAITING
from dnscap.live.view.pulse import Pulse, sparkline
from tests.live.view.watching import (
    BEGINNING,
    CLIENT,
    LOOKUPS,
    OTHER,
    SERVER,
    Growing,
    Made,
    answer,
    name,
    question,
    watch_of,
)

WWW = name(b"www", b"example")


@pytest.mark.parametrize(
    "capture", ["dead-first-glibc", "slow-search", "tcp-refused", "all-dead-musl", "cold"]
)
def test_rows_are_those_of_the_lookups_table(capture: str) -> None:
    path = LOOKUPS / f"{capture}.pcap"
    watch = watch_of(path.read_bytes())
    table = dnscap.read(path).to_arrow("lookups").to_pylist()
    rows = sorted(watch.following, key=lambda row: row.number)
    assert [row.number for row in rows] == [row["lookup"] for row in table]
    for row, told in zip(rows, table, strict=True):
        assert row.state == FINAL
        assert (row.name, row.outcome, list(row.causes)) == (told["name"], told["outcome"], told["causes"])
        assert row.lookup is not None
        assert row.lookup["answers"] == told["answers"]
    totals, rest = watch.outcomes()
    assert totals == Counter(row["outcome"] for row in table)
    assert rest == 0
    assert {(f.id, f.subject) for f in watch.worst_findings()} >= {
        (f.id, f.subject) for f in watch.session.findings if f.severity != "info"
    }


def test_the_waterfall_is_that_of_the_file() -> None:
    path = LOOKUPS / "dead-first-glibc.pcap"
    watch = watch_of(path.read_bytes())
    (told,) = dnscap.read(path).explanations(1)
    explanation = watch.explanation(1)
    assert explanation is not None
    mine, theirs = str(explanation).splitlines(), str(told).splitlines()
    assert mine[:12] == theirs[:12]
    assert watch.explanation(999) is None


def test_a_lookup_is_shown_while_it_waits_and_once_it_is_answered() -> None:
    growing = Growing()
    made = Made().add([question(0, WWW, 1), question(400_000, WWW, 1), question(450_000, name(b"b"), 2)])
    growing.write(made.take())
    rows = {row.name: row for row in growing.watch.following}
    assert {row.state for row in rows.values()} == {WAITING}
    assert rows["www.example."].queries == 2
    assert rows["www.example."].slow
    assert [item["outcome"] for item in rows["www.example."].sent] == ["unanswered", "waiting"]
    assert growing.watch.waiting == 2
    assert growing.watch.outcomes() == (Counter(), 0)
    growing.write(made.add([answer(500_000, name(b"b"), 2), answer(501_000, WWW, 1, 3)]).take())
    rows = {row.name: row for row in growing.watch.following}
    assert rows["b."].state == SETTLED
    assert rows["b."].outcome == "nodata"
    assert rows["b."].took == 50_000_000
    assert rows["www.example."].outcome == "nxdomain"
    assert growing.watch.waiting == 0
    assert growing.watch.outcomes() == (Counter(nodata=1, nxdomain=1), 0)
    explanation = growing.watch.explanation(rows["b."].number)
    assert explanation is not None
    assert "nodata 50.0 ms" in str(explanation)
    growing.end()
    rows = {row.name: row for row in growing.watch.following}
    assert {row.state for row in rows.values()} == {FINAL}
    assert growing.watch.outcomes()[0] == Counter(nodata=1, nxdomain=1)


def test_one_that_waits_does_not_hold_up_those_after_it() -> None:
    """Batches give lookups in order; the view knows of later ones meanwhile, and judged as they will be."""
    growing = Growing()
    made = Made().add([question(0, name(b"never"), 1)])
    for number in range(2, 12):
        made.add([question(number * 1000, WWW, number), answer(number * 1000 + 300, WWW, number, 2)])
    made.add([question(20_000_000, name(b"later"), 50), answer(20_000_100, name(b"later"), 50)])
    growing.write(made.take())
    growing.watch.look()
    rows = [row for row in growing.watch.following if row.name == "www.example."]
    assert {row.outcome for row in rows} == {"servfail"}
    assert any(row.state == FINAL and row.causes == ("servfail",) for row in rows)
    assert not growing.session.totals.lookups  # none was given yet
    assert growing.watch.outcomes()[0]["servfail"] >= len(rows)
    growing.end()


def test_all_are_counted_where_some_are_shown() -> None:
    made = Made()
    count = 5000
    for number in range(count):
        bad = number % 50 == 7
        qname = name(b"bad%d" % number if bad else b"n%d" % (number % 700))
        at = number * 200
        made.add([question(at, qname, number), answer(at + 80, qname, number, 2 if bad else 0)])
    growing = Growing()
    octets = made.take()
    for start in range(0, len(octets), 32_768):
        growing.write(octets[start : start + 32_768], 1)
    growing.end()
    watch = growing.watch
    assert watch.outcomes() == (Counter(nodata=4900, servfail=100), 0)
    assert len(watch.following) <= 2 * MOST_ROWS
    assert sum(row.failed for row in watch.following) == 100
    watch.now = BEGINNING + 2_000_000_000
    found, total = watch.most("name", 3)
    assert (found, total) == ([("n0.", 8), ("n1.", 8), ("n10.", 8)], count)
    (server,) = watch.servers(5)
    assert (server.asked, server.answered, server.failed) == (count, count, 100)


def test_servers_that_do_not_answer_come_first() -> None:
    growing = Growing()
    made = Made().add([question(0, WWW, 1), answer(100, WWW, 1)])
    made.add([question(1_000_000 + n * 900_000, name(b"x"), 2, OTHER) for n in range(3)])
    growing.write(made.take())
    silent, healthy = growing.watch.servers(5)
    assert (silent.address, silent.answered, silent.waiting) == ("10.0.0.54", 0, 3)
    assert silent.silent is not None
    assert 1_800_000_000 <= silent.silent < 10_000_000_000
    assert silent.troubled
    assert (healthy.address, healthy.silent, healthy.troubled) == ("10.0.0.53", None, False)
    assert healthy.wait == 100_000
    growing.end()


def test_marked_rows_stay() -> None:
    growing = Growing()
    made = Made().add([question(0, WWW, 1), answer(100, WWW, 1)])
    growing.write(made.take())
    growing.watch.following.mark(0, True)
    for number in range(2, 2 * MOST_ROWS):
        made.add([question(number * 1000, WWW, number), answer(number * 1000 + 100, WWW, number)])
        if number % 40 == 0:
            growing.write(made.take(), 1)
    growing.end()
    assert growing.watch.following.get(0) is not None
    assert [row.number for row in growing.watch.marked()] == [0]
    assert growing.watch.following.get(2) is None


def test_pulse_counts_by_second() -> None:
    import numpy as np

    pulse = Pulse()
    pulse.feed_queries(BEGINNING + np.array([0, 1, 2_000_000_001, 2_000_000_002, 2_999_999_999]))
    for wait in (1, 2, 3, 100):
        pulse.feed_wait(BEGINNING + 2_000_000_000, wait)
    now = BEGINNING + 3_500_000_000
    assert pulse.queries(now, 4) == [0, 2, 0, 3]
    assert pulse.waits(now, 4, 0.5) == [None, None, None, 2]
    assert pulse.recent_wait(now, 10, 0.95) == 100
    assert pulse.recent_wait(now + 60_000_000_000, 10, 0.95) is None
    pulse.feed_queries(BEGINNING + np.arange(1000) * 1_000_000_000)
    assert len(pulse._queries) <= 320
    assert sparkline([None, 0, 1, 8]) == [" ▁▁█"]


def test_choices() -> None:
    watch = watch_of((LOOKUPS / "tcp-refused.pcap").read_bytes())
    rows = list(watch.following)
    assert Choice().rows(rows) == sorted(rows, key=lambda row: -row.number)
    took = [row.took for row in Choice(key="took").rows(rows)]
    assert took == sorted(took, reverse=True)
    assert [row.took for row in Choice(key="took", reverse=True).rows(rows)] == sorted(took)
    assert all(row.troubled for row in Choice(troubled=True).rows(rows))
    word = rows[0].name.split(".")[0]
    found = Choice(text=word.upper()).rows(rows)
    assert found == [row for row in Choice().rows(rows) if word in row.name]
    assert len(found) + len(Choice(text=f"!{word}").rows(rows)) == len(rows)
    assert Choice(text="slow !slow").rows(rows) == []
    choice = Choice()
    for _ in KEYS:
        choice = Choice(key=choice.next_key)
    assert choice == Choice()


@pytest.mark.parametrize("capture", ["dead-first-glibc", "tcp-refused", "fragments"])
def test_saved_frames_explain_the_same_lookup(capture: str, tmp_path: Path) -> None:
    path = LOOKUPS / f"{capture}.pcap"
    watch = watch_of(path.read_bytes())
    whole = dnscap.read(path)
    for number in range(len(whole.lookups)):
        saved = tmp_path / f"{number}.pcapng"
        with saved.open("wb") as stream:
            frames = watch.save([number], stream)
        again = dnscap.read(saved)
        assert again.sources["frames"].sum() == frames
        told = whole.lookups.iloc[number]
        match = again.lookups[again.lookups["name"] == told["name"]].iloc[0]
        for column in ("client", "outcome", "queries", "duration"):
            assert match[column] == told[column], (number, column)
    with io.BytesIO() as stream:
        every = watch.save(range(len(whole.lookups)), stream)
    assert every >= whole.messages["frame"].nunique()


def test_frames_of_troubled_lookups_outlive_the_ring() -> None:
    from dnscap.live.frame_ring import FrameRing
    from dnscap.live.opening import open_stream
    from dnscap.live.session import Session
    from dnscap.live.view.watch import Watch

    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as stream:
        ring = FrameRing(most=300_000)
        session = Session(open_stream(stream), ring=ring)
        watch = Watch(session, ring)
        made = Made().add([question(0, name(b"bad"), 1), answer(900, name(b"bad"), 1, 2)])
        made.add([question(1000, name(b"good"), 2), answer(1900, name(b"good"), 2)])
        numbers = range(10, 8000)
        for number in numbers:
            made.add([question(number * 500, WWW, number), answer(number * 500 + 80, WWW, number)])
            if number % 100 == 10:
                os.write(writing, made.take())
                batch = session.step(0.05)
                if batch is not None:
                    watch.take(batch)
                watch.look()
        with io.BytesIO() as saved:
            assert watch.save([0], saved) == 2
            first = saved.getvalue()
        os.close(writing)
        while watch.step():
            pass
    assert b"SERVFAIL" not in first  # frames, not words
    assert first.count(CLIENT + SERVER) == 1
    assert first.count(SERVER + CLIENT) == 1
    assert watch.following.get(1) is None
