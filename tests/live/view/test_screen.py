"""The view on a screen, headless: what keys do, what it looks like, what hostile names cannot do."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

import dnscap
from dnscap.live.feeds import Counters
from dnscap.live.view.app import View
from dnscap.live.view.table import LookupTable
from tests.live.networks import ENVIRONMENT, ROOT
from tests.live.view.watching import (
    DATA,
    LOOKUPS,
    Growing,
    Made,
    answer,
    name,
    question,
    text_of,
    watch_of,
)

Script = Callable[[View, Pilot[None]], Awaitable[None]]


def play(view: View, script: Script, size: tuple[int, int] = (80, 24)) -> None:
    """Run a view and do something with it."""

    async def run() -> None:
        async with view.run_test(size=size) as pilot:
            view.tick()
            await pilot.pause()
            await script(view, pilot)

    asyncio.run(run())


def some() -> View:
    """A view of a capture with slow lookups."""
    return View(watch_of((LOOKUPS / "dead-first-glibc.pcap").read_bytes()))


async def press(view: View, pilot: Pilot[None], *keys: str) -> str:
    """Press keys; what is on the screen then."""
    await pilot.press(*keys)
    await pilot.pause()
    if len(view.screen_stack) == 1:
        view.tick()
    else:
        view.screen.update()  # type: ignore[attr-defined]
    await pilot.pause()
    return text_of(view)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("screen", ["lookups", "waterfall"])
def test_it_looks_as_it_should(size: tuple[int, int], screen: str) -> None:
    """DNSCAP_WRITE_SNAPSHOTS=1 writes the pictures anew, to be looked at."""
    picture = DATA / "live" / f"{screen}-{size[0]}x{size[1]}.txt"

    async def look(view: View, pilot: Pilot[None]) -> None:
        text = await press(view, pilot, *(["enter"] if screen == "waterfall" else []))
        if os.environ.get("DNSCAP_WRITE_SNAPSHOTS"):
            picture.write_text(text)
        assert text == picture.read_text()

    view = View(watch_of((DATA / "live" / "mixed.pcapng").read_bytes()))
    view._told_end = True  # so that keys stand where that is said
    play(view, look, size)


def test_keys_choose_what_is_shown() -> None:
    async def script(view: View, pilot: Pilot[None]) -> None:
        table = view.query_one(LookupTable)
        assert [row.number for row in table.rows] == [2, 1, 0]
        assert "showing" not in text_of(view)
        assert "showing 3: by took" in await press(view, pilot, "s")
        assert [row.number for row in table.rows] == [0, 2, 1]
        assert "showing 3: by took, reversed" in await press(view, pilot, "S")
        assert [row.number for row in table.rows] == [1, 2, 0]
        assert "showing 3: slow, failed, waiting; by took" in await press(view, pilot, "o")
        assert "showing" not in await press(view, pilot, "escape")
        assert "filter by these words" in await press(view, pilot, "slash")
        text = await press(view, pilot, *"NOPE")
        assert [row.number for row in table.rows] == [2]
        assert "showing 1: with NOPE" in text
        assert view.focused is not table
        await press(view, pilot, "enter")
        assert view.focused is table
        assert [row.number for row in table.rows] == [2]
        assert "no lookup is like that" in await press(view, pilot, "slash", *" !slow", "enter")
        await press(view, pilot, "slash", "escape")
        assert len(table.rows) == 3

    play(some(), script)


def test_the_cursor_stays_on_its_lookup() -> None:
    growing = Growing()
    made = Made()
    for number in range(30):
        made.add(
            [
                question(number * 1000, name(b"n%d" % number), number),
                answer(number * 1000 + 100, name(b"n%d" % number), number),
            ]
        )
    growing.write(made.take())

    async def script(view: View, pilot: Pilot[None]) -> None:
        table = view.query_one(LookupTable)
        assert table.current is not None
        assert table.current.number == 29  # the latest, and so it stays
        growing.write(
            made.add([question(60_000, name(b"more"), 60), answer(60_100, name(b"more"), 60)]).take()
        )
        view.tick()
        assert table.current.number == 30
        await press(view, pilot, "down", "down")
        assert table.current.number == 28
        text = text_of(view)
        growing.write(
            made.add([question(61_000, name(b"most"), 61), answer(61_100, name(b"most"), 61)]).take()
        )
        view.tick()
        assert table.current.number == 28
        await press(view, pilot, "end")
        assert table.current.number == 0
        await press(view, pilot, "home", "pagedown")
        assert table.current.number == 31 - (table.room - 1)
        await press(view, pilot, "g")
        assert "more." in text

    play(View(growing.watch), script)
    growing.end()


def test_pausing_holds_the_table_and_nothing_else() -> None:
    growing = Growing()
    made = Made().add([question(0, name(b"first"), 1), answer(100, name(b"first"), 1)])
    growing.write(made.take())

    async def script(view: View, pilot: Pilot[None]) -> None:
        text = await press(view, pilot, "p")
        assert "PAUSED" in text
        growing.write(made.add([question(9000, name(b"second"), 2), answer(9100, name(b"second"), 2)]).take())
        text = await press(view, pilot)
        assert "paused, 1 newer" in text
        assert "4 frames" in text
        assert "2 lookups" in text
        assert [row.name for row in view.query_one(LookupTable).rows] == ["first."]
        text = await press(view, pilot, "p")
        assert "PAUSED" not in text
        assert [row.name for row in view.query_one(LookupTable).rows] == ["second.", "first."]

    play(View(growing.watch), script)
    growing.end()


def test_a_lookup_is_explained() -> None:
    async def script(view: View, pilot: Pilot[None]) -> None:
        text = await press(view, pilot, "enter")
        assert "lookup 2  nope.example.lab.  A AAAA" in text
        assert "nxdomain after 1.00 s" in text
        assert "╌╌╌╌" in text
        assert "where the time went" in text
        assert "lookup 1  mail.example.lab." in await press(view, pilot, "right")
        assert "lookup 2  nope" in await press(view, pilot, "left")
        assert "lookup 2  nope" in await press(view, pilot, "left")  # there is none above it
        assert "servers" in await press(view, pilot, "escape")

    play(some(), script)


def test_findings_and_help_can_be_read() -> None:
    async def script(view: View, pilot: Pilot[None]) -> None:
        text = await press(view, pilot, "f")
        assert "What to do: Repair that server" in text
        assert "o troubled" not in text
        await press(view, pilot, "o")  # belongs to the table, which is not in front
        assert "servers" in await press(view, pilot, "q")
        assert not view.choice.troubled
        text = await press(view, pilot, "question_mark")
        assert "save the frames of the marked lookups" in text
        assert all(len(line) <= 80 for line in text.splitlines())
        text = await press(view, pilot, "G")
        assert "Times are UTC." in text

    play(some(), script)


def test_a_selection_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def script(view: View, pilot: Pilot[None]) -> None:
        text = await press(view, pilot, "w")
        assert "save the frames of 1 lookup" in text
        assert "nope.example.lab-2.pcapng" in text
        assert "Wrote 6 frames of 1 lookup to nope.example.lab-2.pcapng" in await press(view, pilot, "enter")
        text = await press(view, pilot, "w", "enter")
        assert "nope.example.lab-2.pcapng exists: enter again replaces it" in text
        assert "Wrote 6 frames" in await press(view, pilot, "enter")
        text = await press(view, pilot, "space", "space", "w")
        assert text.count("✓") == 2
        assert "2-lookups-1.pcapng" in text
        text = await press(view, pilot, *["backspace"] * 18, *"none/x", "enter")
        assert "none/x: No such file or directory" in text
        text = await press(view, pilot, *["backspace"] * 6, *"two.pcapng", "enter")
        assert "Wrote 12 frames of 2 lookups to two.pcapng" in text
        assert "✓" not in await press(view, pilot, "u")
        await press(view, pilot, "enter", "w")
        assert "save the frames" in text_of(view)
        await press(view, pilot, "escape")
        assert "save the frames" not in text_of(view)

    play(some(), script)
    assert {path.name for path in tmp_path.iterdir()} == {"nope.example.lab-2.pcapng", "two.pcapng"}
    assert dnscap.read(tmp_path / "two.pcapng").lookups["name"].tolist() == [
        "mail.example.lab.",
        "nope.example.lab.",
    ]


@pytest.mark.parametrize("size", [(200, 50), (80, 24), (60, 15), (30, 8), (20, 4), (8, 2), (300, 20)])
def test_it_fits_any_terminal(size: tuple[int, int]) -> None:
    async def script(view: View, pilot: Pilot[None]) -> None:
        await pilot.resize_terminal(*size)
        for keys in (
            ["o"],
            ["enter"],
            ["escape"],
            ["question_mark"],
            ["escape"],
            ["slash", "x", "escape"],
            ["f"],
        ):
            text = await press(view, pilot, *keys)
            assert all(len(line) <= size[0] for line in text.splitlines())
        await press(view, pilot, "escape")
        await pilot.resize_terminal(100, 30)
        assert "servers" in await press(view, pilot)

    play(some(), script)


def test_drops_are_in_sight_everywhere() -> None:
    async def script(view: View, pilot: Pilot[None]) -> None:
        assert "drops unknown" in await press(view, pilot)
        view.watched.session.totals.counters = Counters(1000, 0, 0)
        assert "none dropped" in await press(view, pilot)
        view.watched.session.totals.counters = Counters(1000, 20, 3)
        for keys in ([], ["enter"], ["escape", "f"], ["escape", "question_mark"]):
            assert "23 DROPPED (50 %)" in await press(view, pilot, *keys)

    play(some(), script)


def test_nothing_came_yet() -> None:
    growing = Growing()

    async def script(view: View, pilot: Pilot[None]) -> None:
        text = await press(view, pilot)
        assert "nothing came yet" in text
        assert "0 lookups" in text
        assert "nothing found wrong so far" in text
        assert "There is no lookup to save" in await press(view, pilot, "w")
        await press(view, pilot, "enter", "space", "down", "s", "f")
        assert "Nothing was found wrong so far." in text_of(view)

    play(View(growing.watch), script)
    growing.end()


HOSTILE = (
    name(b"[bold red]x[/]", b"[link=http://x]y[/link]"),
    name(b"\x1b]0;title\x07\x1b[2J", b"esc"),
    name(b"\xe2\x80\xaemoc", b"\xff\xfe\x00"),
    name(b"new\nline\r", b"tab\t", b"$(id)`{x!r}"),
    name(*[b"w" * 63] * 3),
)


def test_hostile_names_are_only_text() -> None:
    """Neither controls nor markup of a name reach the terminal, on any screen."""
    made = Made()
    for number, qname in enumerate(HOSTILE, 1):
        at = number * 5_000_000
        made.add([question(at, qname, number), answer(at + 900_000, qname, number, 2)])
    watch = watch_of(made.take())
    watch.source = "\x1b[2Jeth[red]0\u202e"

    async def script(view: View, pilot: Pilot[None]) -> None:
        for size in ((80, 24), (200, 50)):
            await pilot.resize_terminal(*size)
            for keys in (
                ["home"],
                ["enter"],
                ["right"],
                ["right"],
                ["escape"],
                ["f"],
                ["escape"],
                ["w"],
                ["escape"],
            ):
                text = await press(view, pilot, *keys)
                controls = re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
                assert not controls, (keys, text)
                assert all(len(line) <= size[0] for line in text.splitlines())
        text = await press(view, pilot)
        assert "[bold\\032red]x[/" in text
        assert "\\027]0\\;title\\007\\027[2j.esc." in text
        assert "\\027[2Jeth[red]0\\u{202e}" in text

    play(View(watch), script)


def test_a_stream_that_ends_leaves_the_view(tmp_path: Path) -> None:
    async def stays(view: View, pilot: Pilot[None]) -> None:
        text = await press(view, pilot)
        assert "ENDED" in text
        assert "The capture has ended; q quits" in text
        assert not view._exit

    async def leaves(view: View, pilot: Pilot[None]) -> None:
        view.tick()
        assert view._exit

    play(some(), stays)
    play(View(watch_of((LOOKUPS / "cold.pcap").read_bytes()), leave=True), leaves)


LATER = """
import asyncio, sys
from dnscap.cli.live import _view
from dnscap.live.frame_ring import FrameRing
from dnscap.live.opening import open_stream
from dnscap.live.rehearsal import rehearse
from dnscap.live.session import Session

ring = FrameRing()
session = Session(open_stream(open(sys.argv[1], "rb")), ring=ring)
view = _view(session, ring, leave=False, troubled=False)
rehearse()
from textual.drivers.headless_driver import HeadlessDriver
import textual.pilot

view.driver_class = HeadlessDriver
before = set(sys.modules)

async def play():
    async with view.run_test(size=(80, 24)) as pilot:
        view.capture()
        await pilot.press("enter", "right", "escape", "f", "escape", "question_mark", "escape", "slash", "a", "enter")
        await pilot.press("escape", "s", "o", "o", "space", "p", "p", "w")
        await pilot.pause(0.1)
        view.screen.query_one("#save").value = sys.argv[2]
        await pilot.press("enter")
        await pilot.resize_terminal(200, 50)
        await pilot.pause(0.3)

asyncio.run(play())
sys.stdout.write(" ".join(sorted(set(sys.modules) - before)))
"""


def test_all_is_loaded_before_privileges_are_given_up(tmp_path: Path) -> None:
    """Afterwards the files of Python may not be readable any more."""
    done = subprocess.run(
        [sys.executable, "-c", LATER, LOOKUPS / "dead-first-glibc.pcap", tmp_path / "x.pcapng"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert (tmp_path / "x.pcapng").exists()
