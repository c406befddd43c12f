"""Streams that are read while they grow: the same rows as the file, whatever comes when."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import dnscap
from dnscap.cli import main
from dnscap.live.feeds import StreamFeed
from dnscap.live.opening import open_stream
from dnscap.live.session import LiveBatch, Session
from dnscap.schema import FINDINGS, LOOKUPS
from tests.live.networks import ENVIRONMENT, PROGRAM, ROOT

LOOKUP_CAPTURES = ROOT / "tests" / "data" / "lookups"
SOME = ("dead-first-glibc", "slow-search", "tcp-refused", "forwarder", "all-dead-musl", "fragments", "cold")
CAPTURES = [LOOKUP_CAPTURES / f"{name}.pcap" for name in SOME]


class InPieces(io.RawIOBase):
    """A file that gives a few octets at a time."""

    def __init__(self, octets: bytes, piece: int) -> None:
        self._octets = octets
        self._piece = piece
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, target: memoryview) -> int:  # type: ignore[override]
        some = self._octets[self._at : self._at + min(self._piece, len(target))]
        target[: len(some)] = some
        self._at += len(some)
        return len(some)


def rows_of(batches: list[LiveBatch], table: str) -> list[dict[str, object]]:
    return [row for batch in batches for part in batch.parts(table) for row in part.to_pylist()]


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
@pytest.mark.parametrize("piece", [97, 4096, 1 << 20])
def test_a_stream_gives_what_the_file_gives(path: Path, piece: int) -> None:
    session = Session(open_stream(InPieces(path.read_bytes(), piece)))
    batches = list(session)
    capture = dnscap.read(path)
    for table in ("lookups", "exchanges", "messages"):
        assert rows_of(batches, table) == capture.to_arrow(table).to_pylist()
    told = capture.to_arrow("findings").to_pylist()
    assert [finding.as_row() for finding in session.findings] == told
    assert batches[-1].last
    assert session.fault is None


def test_what_is_saved_of_a_stream_reads_the_same(tmp_path: Path) -> None:
    from dnscap.live.saving import Saver

    path = CAPTURES[0]
    saved = tmp_path / "saved.pcapng"
    batches = list(Session(open_stream(io.BytesIO(path.read_bytes())), saver=Saver(str(saved))))
    again = dnscap.read(saved)
    assert rows_of(batches, "lookups") == again.to_arrow("lookups").to_pylist()
    assert again.to_arrow("lookups") == dnscap.read(path).to_arrow("lookups")


def test_time_goes_by_while_nothing_comes() -> None:
    octets = CAPTURES[0].read_bytes()
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as stream:
        session = Session(open_stream(stream))
        os.write(writing, octets)
        clocks = []
        deadline = time.monotonic() + 1.6
        while time.monotonic() < deadline:
            batch = session.step(0.05)
            if batch is not None and batch.time is not None:
                clocks.append(batch.time)
        os.close(writing)
        rest = list(session)
    last = dnscap.read(CAPTURES[0]).messages["time"].max().value
    assert clocks == sorted(clocks)
    assert 0 < max(clocks) - last < 2_000_000_000
    assert rest[-1].last


def test_damage_ends_it_and_keeps_what_came() -> None:
    octets = CAPTURES[0].read_bytes()
    session = Session(open_stream(io.BytesIO(octets + b"\xff" * 64)))
    batches = list(session)
    assert session.fault is not None
    assert "record of" in str(session.fault)
    assert rows_of(batches, "lookups") == dnscap.read(CAPTURES[0]).to_arrow("lookups").to_pylist()


def test_no_capture_at_all_is_a_fault() -> None:
    session = Session(open_stream(io.BytesIO(b"GET / HTTP/1.1\r\n")))
    assert list(session)[-1].last
    assert "not a capture" in str(session.fault)


def test_frames_can_be_limited(tmp_path: Path) -> None:
    session = Session(open_stream(io.BytesIO(CAPTURES[0].read_bytes())), frames=5)
    list(session)
    assert session.frames == 5


def test_python_sees_frames_and_can_interrupt() -> None:
    path = CAPTURES[0]
    seen = 0
    with dnscap.live(io.BytesIO(path.read_bytes())) as batches:
        for batch in batches:
            seen += len(batch.lookups)
            assert list(batch.lookups.columns) == [column.name for column in LOOKUPS]
            assert {"qname", "outcome"} <= set(batch.exchanges.columns)
            assert {"qname", "rcode"} <= set(batch.messages.columns)
            assert all(finding.as_row().keys() == {c.name for c in FINDINGS} for finding in batch.findings)
    assert seen == len(dnscap.read(path).lookups)


def test_an_interrupt_ends_the_loop_with_what_was_open(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as stream:
        session = dnscap.live(stream)
        os.write(writing, CAPTURES[0].read_bytes())
        take = StreamFeed.take
        calls = []

        def interrupted(feed: StreamFeed, seconds: float) -> object:
            calls.append(seconds)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return take(feed, seconds)

        monkeypatch.setattr(StreamFeed, "take", interrupted)
        batches = list(session)
        os.close(writing)
    assert batches[-1].last
    assert len(rows_of(batches, "lookups")) == len(dnscap.read(CAPTURES[0]).lookups)


def live(*arguments: str, octets: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run ``dnscap live -`` as a process of its own."""
    return subprocess.run(
        [*PROGRAM, "live", "-", *arguments],
        input=octets,
        capture_output=True,
        env=ENVIRONMENT,
        timeout=60,
        cwd=ROOT,
    )


@pytest.fixture
def here(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run a command in this process, with some octets as its standard input."""

    def run(*arguments: str, octets: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(octets)))
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capfdbinary.readouterr()
        return subprocess.CompletedProcess(list(arguments), int(ended.value.code or 0), said.out, said.err)

    return run


def test_lines_are_what_the_table_commands_write(
    here: Callable[..., subprocess.CompletedProcess[bytes]],
) -> None:
    path = CAPTURES[0]
    for form in ("jsonl", "csv"):
        done = live("--format", form, octets=path.read_bytes())
        assert done.stdout == here("lookups", str(path), "--format", form).stdout
        assert done.returncode == 0
    assert b"frames, " in done.stderr
    assert b"finding: high: nameserver-timeout" in done.stderr


def test_lines_can_be_chosen(here: Callable[..., subprocess.CompletedProcess[bytes]]) -> None:
    def lines(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return here("live", "-", "-Z", "root", *arguments, octets=CAPTURES[0].read_bytes())

    rows = [json.loads(line) for line in lines("--format", "jsonl").stdout.splitlines()]
    assert len(lines("--slow", "200ms").stdout.splitlines()) == sum(row["duration"] >= 0.2 for row in rows)
    assert not lines("--failed").stdout
    assert not lines("--where", "duration < interval 1 millisecond").stdout
    assert lines("--where", "nosuch = 1").returncode == 2
    assert lines("--failed", "--messages").returncode == 2
    assert b"query" in lines("--messages").stdout
    assert b"unfinished" in lines("--exchanges").stdout
    found = lines("--findings", "--format", "jsonl", "-q")
    assert json.loads(found.stdout.splitlines()[0])["id"] == "nameserver-timeout"
    assert not found.stderr
    assert lines("--fail-on", "high").returncode == 1


def test_a_reader_that_goes_away_is_quiet() -> None:
    program = " ".join(f"'{word}'" for word in PROGRAM)
    script = f"{program} live - -q --messages < {CAPTURES[0]} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=ENVIRONMENT, timeout=60, cwd=ROOT
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up anything")
def test_a_pipe_that_only_root_may_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    process = subprocess.Popen(
        [*PROGRAM, "live", str(pipe), "--messages"], stdout=subprocess.PIPE, env=ENVIRONMENT, cwd=ROOT
    )
    pipe.write_bytes(CAPTURES[0].read_bytes())
    written, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert len(written.splitlines()) == len(dnscap.read(CAPTURES[0]).messages)


def test_a_named_pipe_is_a_stream(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    octets = CAPTURES[0].read_bytes()
    writer = threading.Thread(target=lambda: pipe.write_bytes(octets))
    writer.start()
    session = dnscap.live(str(pipe))
    assert len(rows_of(list(session), "lookups")) == len(dnscap.read(CAPTURES[0]).lookups)
    writer.join()
