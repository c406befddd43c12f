import io
import os
import resource
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnscap.capture import MemoryWindows, StreamWindows, expand_inputs, windows
from dnscap.capture.sources import FileSource, MemorySource
from dnscap.errors import CaptureError, UsageError

from .captures import drain, pcap

OCTETS = bytes(range(256)) * 10


class Dribble:
    """A file object that gives a few octets at a time, by `read` alone."""

    def __init__(self, octets, sizes):
        self._file = io.BytesIO(octets)
        self._sizes = sizes
        self._turn = 0

    def read(self, count):
        size = self._sizes[self._turn % len(self._sizes)]
        self._turn += 1
        return self._file.read(size)  # now and then more than was asked for


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    path = tmp_path_factory.mktemp("windows") / "octets"
    path.write_bytes(OCTETS)
    return {
        "memory": lambda window, _: MemoryWindows("x", memoryview(OCTETS), window=window),
        "file": lambda window, _: StreamWindows(
            "x", FileSource(path.open("rb", buffering=0), owned=True), window=window
        ),
        "stream": lambda window, _: StreamWindows("x", MemorySource(memoryview(OCTETS)), window=window),
        "dribble": lambda window, sizes: StreamWindows(
            "x", FileSource(Dribble(OCTETS, sizes), owned=False), window=window
        ),
    }


@settings(max_examples=80)
@given(st.data())
def test_any_consumption_sees_the_same_octets(make, data):
    kind = data.draw(st.sampled_from(sorted(make)))
    window = data.draw(st.integers(1, 1_000))
    sizes = data.draw(st.lists(st.integers(1, 700), min_size=1, max_size=4))
    shares = data.draw(st.lists(st.floats(0, 1), min_size=1, max_size=12))
    wants = data.draw(st.lists(st.integers(0, 1_500), min_size=1, max_size=5))
    seen = bytearray()
    idle = 0
    with make[kind](window, sizes) as source:
        for turn in range(10 * len(OCTETS)):
            want = wants[turn % len(wants)]
            source.want(want)
            view, last = source.view()
            assert len(view) >= want or last
            assert view.readonly and view.contiguous
            assert view == OCTETS[len(seen) : len(seen) + len(view)]
            if last and not view:
                break
            use = int(len(view) * shares[turn % len(shares)])
            idle = 0 if use else idle + 1
            if idle > 3:
                use = 1
            seen += view[:use]
            source.used(use)
        assert source.fault is None
    assert bytes(seen) == OCTETS


@pytest.mark.parametrize("kind", ["memory", "file", "stream", "dribble"])
def test_a_view_of_which_nothing_was_used_grows(make, kind):
    with make[kind](16, [5]) as source:
        lengths = []
        last = False
        while not last:
            view, last = source.view()
            lengths.append(len(view))
        assert all(a < b for a, b in pairwise(lengths[:-1]))
        assert bytes(view) == OCTETS
        assert source.view()[1] and len(source.view()[0]) == len(OCTETS)


def test_more_than_the_view_cannot_be_used(make):
    with make["memory"](16, []) as source:
        source.view()
        with pytest.raises(UsageError):
            source.used(17)
        source.used(10)
        source.used(6)
        with pytest.raises(UsageError):
            source.used(1)


def test_a_stream_never_holds_more_than_the_limit(monkeypatch):
    monkeypatch.setattr(windows, "WINDOW_LIMIT", 2_000)
    source = StreamWindows("x", MemorySource(memoryview(OCTETS)), window=1_024)
    with pytest.raises(CaptureError, match="x, offset 0: a record of more than 2,000 octets"):
        for _ in range(20):
            source.view()
    source = StreamWindows("x", MemorySource(memoryview(OCTETS)), window=1_024)
    source.want(2_100)
    with pytest.raises(CaptureError, match="damaged"):
        source.view()


def test_a_file_tells_its_size(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(1, 2, 3))
    (one,) = expand_inputs(path)
    with one.open() as source:
        assert source.size == path.stat().st_size
        assert drain(source) == pcap(1, 2, 3)
        assert source.position == source.size and source.fault is None


def test_views_outlive_the_window(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(1))
    (one,) = expand_inputs(path)
    with one.open() as source:
        view, last = source.view()
    assert last and bytes(view) == pcap(1)
    assert source.view() == (b"", True)
    source.close()


def test_a_file_cut_while_reading_ends_in_a_fault(tmp_path):
    octets = pcap(1, payload=bytes(3 << 20)) * 3
    path = tmp_path / "a.pcap"
    path.write_bytes(octets)
    (one,) = expand_inputs(path)
    with one.open() as source:
        view, last = source.view()
        seen = bytes(view)
        source.used(len(view))
        os.truncate(path, (1 << 20) + 500)
        while not last:
            view, last = source.view()
            seen += view
            source.used(len(view))
        assert seen == octets[: (1 << 20) + 500]
        assert "cut while it was read" in source.fault and source.fault_offset == (1 << 20) + 500


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_resident_memory_of_a_file_stays_flat(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap() + os.urandom(1 << 20) * 64)
    (one,) = expand_inputs(path)
    with one.open() as source:
        start, most, last = resident(), 0, False
        while not last:
            view, last = source.view()
            sum(view[::4096])
            most = max(most, resident())
            source.used(max(len(view) - 100, 1) if not last else len(view))
    assert most - start < 20 << 20


def test_a_slow_pipe_is_read_as_it_comes():
    reading, writing = os.pipe()
    go = threading.Semaphore(0)
    pieces = [pcap(), *(bytes([n]) * 50 for n in range(20))]

    def write():
        with os.fdopen(writing, "wb", buffering=0) as sink:
            for piece in pieces:
                go.acquire()
                sink.write(piece)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb", buffering=0) as source_file:
        (one,) = expand_inputs(source_file)
        assert one.compression is None and not one.repeatable
        go.release()
        with one.open() as source:
            assert source.size is None
            for piece in pieces:
                view, last = source.view()  # would hang here if it waited for a full window
                assert bytes(view) == piece
                assert not last or piece is pieces[-1]
                source.used(len(view))
                go.release()
            assert source.view() == (b"", True)
            assert source.position == sum(map(len, pieces))
    writer.join()
    with pytest.raises(CaptureError, match="only once"):
        one.open()


def test_leftovers_of_a_pipe_are_given_again_without_waiting():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as source_file, os.fdopen(writing, "wb", buffering=0) as sink:
        sink.write(pcap() + b"abcdef")
        (one,) = expand_inputs(source_file)
        with one.open() as source:
            view, _ = source.view()
            source.used(24)
            view, last = source.view()
            assert bytes(view) == b"abcdef" and not last
            sink.write(b"ghi")
            view, last = source.view()
            assert bytes(view) == b"abcdefghi" and not last
            sink.write(b"jkl")
            source.want(12)
            source.used(1)
            sink.write(b"m")
            assert len(source.view()[0]) == 12


def test_a_full_pipe_is_taken_in_large_pieces():
    reading, writing = os.pipe()
    octets = pcap() + os.urandom(3 << 20)

    def write():
        with os.fdopen(writing, "wb") as sink:
            sink.write(octets)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb") as source_file:
        (one,) = expand_inputs(source_file)
        with one.open() as source:
            assert drain(source) == octets
    writer.join()


def test_a_non_blocking_pipe_is_waited_for():
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    timer = threading.Timer(0.05, lambda: (os.write(writing, pcap(5)), os.close(writing)))
    timer.start()
    with os.fdopen(reading, "rb", buffering=0) as source_file:
        (one,) = expand_inputs(source_file)
        with one.open() as source:
            assert drain(source) == pcap(5)
    timer.join()


def test_a_named_pipe(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(pcap(1, 2),))
    (one,) = expand_inputs(path)
    assert one.compression is None
    writer.start()
    with one.open() as source:
        assert drain(source) == pcap(1, 2)
    writer.join()
    assert one.compression == () and one.kind == "pcap"


class Broken(io.RawIOBase):
    """Gives one capture header, then fails as a network disk does."""

    turn = 0

    def readable(self):
        return True

    def readinto(self, target):
        self.turn += 1
        if self.turn > 3:
            raise OSError(5, "Input/output error")
        head = pcap()[:24][(self.turn - 1) * 8 : self.turn * 8]
        target[: len(head)] = head
        return len(head)


def test_a_failing_read_is_a_fault_behind_what_was_read():
    (one,) = expand_inputs(Broken())
    with one.open() as source:
        assert drain(source) == pcap()
        assert "Input/output error" in source.fault and source.fault_offset == 24
