import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dnscap.capture import MemoryWindows, expand_inputs
from dnscap.errors import CaptureError, UsageError

from .captures import COMPRESS, SECOND, drain, interface, packet, pcap, section


def read(one):
    with one.open() as windows:
        return drain(windows)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.pcap").write_bytes(pcap(1 * SECOND))
    Path("b.pcapng").write_bytes(section() + interface() + packet(2_000_000))
    Path("c.data").write_bytes(COMPRESS["gz"](pcap(3 * SECOND)))
    Path("notes.pcap").write_text("not a capture at all")
    Path("packed.gz").write_bytes(COMPRESS["gz"](b"not one either"))
    Path("empty.pcap").touch()
    Path(".hidden.pcap").write_bytes(pcap(4 * SECOND))
    Path("sub").mkdir()
    Path("sub/d.pcap").write_bytes(pcap(0))
    os.mkfifo("fifo")
    return tmp_path


def names(found):
    return [one.name for one in found]


def test_a_path_in_each_of_its_forms(folder):
    for named in ("a.pcap", Path("a.pcap"), ["a.pcap"], ("a.pcap",), iter([Path("a.pcap")])):
        (one,) = expand_inputs(named)
        assert (one.name, one.compression, one.kind) == ("a.pcap", (), "pcap")
        assert read(one) == read(one) == pcap(1 * SECOND)


def test_a_folder_gives_its_captures_by_content(folder):
    assert names(expand_inputs(".")) == ["a.pcap", "b.pcapng", "c.data"]
    assert names(expand_inputs(folder)) == [str(folder / n) for n in ("a.pcap", "b.pcapng", "c.data")]
    assert names(expand_inputs("sub")) == ["sub/d.pcap"]


def test_patterns(folder):
    assert names(expand_inputs("[ab].*")) == ["a.pcap", "b.pcapng"]
    assert names(expand_inputs("**/[ad].pcap")) == ["sub/d.pcap", "a.pcap"]
    assert names(expand_inputs(str(folder / "b*"))) == [str(folder / "b.pcapng")]
    Path("odd[1].pcap").write_bytes(pcap(9))
    assert names(expand_inputs("odd[1].pcap")) == ["odd[1].pcap"]


def test_a_file_named_twice_is_taken_once(folder):
    Path("z.pcap").symlink_to("a.pcap")
    assert names(expand_inputs(["z.pcap", "a.pcap", "a*", "b.pcapng"])) == ["a.pcap", "b.pcapng"]


def test_home_is_understood(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert names(expand_inputs("~/a.pcap")) == [str(folder / "a.pcap")]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("a.pcp", r"^a\.pcp: no such file; did you mean a\.pcap\?"),
        ("zzzzzz", "^zzzzzz: no such file; check the path"),
        ("nowhere/a.pcap", "the folder nowhere does not exist"),
        (
            "*.cap",
            r"^\*\.cap: no file matches this pattern; check the pattern; the folder \. has \d+ entries",
        ),
        ("nowhere/*/x*.cap", "the folder nowhere does not exist"),
        ("", "is no path"),
        ("a\0b", "is no path"),
    ],
)
def test_what_is_not_there(folder, named, message):
    with pytest.raises(CaptureError, match=message):
        expand_inputs(named)
    with pytest.raises(CaptureError, match=message):
        expand_inputs(["a.pcap", named])


def test_a_folder_without_captures(folder):
    Path("bare").mkdir()
    told = ("there is no file", "the only file in this folder is no capture", "none of the 2 files")
    for count, text in enumerate(told):
        for number in range(count):
            Path(f"bare/readme-{number}.txt").write_text("text")
        with pytest.raises(CaptureError, match=rf"bare: {text}.*; .*\*\*"):
            expand_inputs("bare")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty.pcap", r"^empty\.pcap: empty; nothing was captured"),
        ("notes.pcap", r"^notes\.pcap: not a capture; this is text; give a pcap or pcapng file"),
        ("packed.gz", r"^packed\.gz: inside gz: not a capture; this is text"),
    ],
)
def test_what_is_no_capture_says_so_when_opened(folder, name, message):
    (one,) = expand_inputs(name)
    assert one.kind is None
    with pytest.raises(CaptureError, match=message) as caught:
        one.open()
    assert caught.value.name == name


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(folder):
    Path("a.pcap").chmod(0)
    (one,) = expand_inputs("a.pcap")
    with pytest.raises(CaptureError, match="cannot be opened: Permission denied"):
        one.open()
    assert "a.pcap" in names(expand_inputs("."))


def test_a_file_that_is_gone_by_now(folder):
    (one,) = expand_inputs("a.pcap")
    Path("a.pcap").unlink()
    with pytest.raises(CaptureError, match="cannot be opened: No such file"):
        one.open()
    Path("dangling").symlink_to("nothing")
    with pytest.raises(CaptureError, match="cannot be opened"):
        expand_inputs("dangling")[0].open()


def test_names_are_always_text_that_can_be_encoded(folder):
    path = os.fsdecode(b"caf\xe9.pcap")
    Path(path).write_bytes(pcap(7))
    (one,) = expand_inputs(path)
    assert one.name == "caf\\udce9.pcap"
    assert read(one) == pcap(7)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_octets_are_the_capture_itself(kind):
    (one,) = expand_inputs(kind(pcap(5)))
    assert one.name == "bytes" and one.first_time == 5 // 1000 * 1000
    with one.open() as windows:
        assert isinstance(windows, MemoryWindows)
        assert drain(windows) == pcap(5)
    assert len(expand_inputs([pcap(1), pcap(2)])) == 2


def test_octets_that_are_not_contiguous():
    with pytest.raises(UsageError, match="contiguous"):
        expand_inputs(memoryview(pcap())[::2])


def test_file_objects(folder):
    with Path("a.pcap").open("rb") as file:
        (one,) = expand_inputs(file)
        assert one.name == "a.pcap" and one.repeatable
        assert read(one) == read(one) == pcap(1 * SECOND)
        assert not file.closed
    buffer = io.BytesIO(b"before" + COMPRESS["bz2"](pcap(8)))
    buffer.seek(6)
    (one,) = expand_inputs(buffer)
    assert one.compression == ("bz2",)
    assert read(one) == read(one) == pcap(8)
    with Path("a.pcap").open() as text, pytest.raises(UsageError, match="binary mode"):
        expand_inputs(text)
    with pytest.raises(UsageError, match="binary mode"):
        expand_inputs(io.StringIO("text"))


def test_a_file_object_whose_read_gives_text():
    class Odd:
        def read(self, count):
            return "text"

    with pytest.raises(UsageError, match="gave str"):
        expand_inputs(Odd())[0].open()


def test_a_closed_file_object(folder):
    file = Path("a.pcap").open("rb")  # noqa: SIM115
    file.close()
    with pytest.raises(CaptureError, match="closed"):
        expand_inputs(file)[0].open()


@pytest.mark.parametrize("named", [5, None, [5], [None], object()])
def test_what_cannot_be_a_capture(named):
    with pytest.raises(UsageError, match="cannot read a capture from a"):
        expand_inputs(named)


def test_nothing():
    with pytest.raises(UsageError, match="no capture given"):
        expand_inputs([])


def test_mixed_inputs_are_ordered_by_time(folder):
    found = expand_inputs(
        [io.BytesIO(pcap(2_500 * SECOND // 1000)), "c.data", pcap(5 * SECOND), "a.pcap", "-"]
    )
    assert names(found) == ["a.pcap", "a BytesIO", "c.data", "bytes", "standard input"]


def test_standard_input(folder):
    program = """
import sys
from dnscap.capture import expand_inputs
one, = expand_inputs("-")
assert one.name == "standard input" and one.compression is None
with one.open() as windows:
    last = False
    while not last:
        view, last = windows.view()
        sys.stdout.buffer.write(view)
        windows.used(len(view))
assert windows.compression == ("gz",)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=COMPRESS["gz"](pcap(6)),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=True,
    )
    assert done.stdout == pcap(6)


def test_standard_input_replaced_or_missing(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pcap(3))))
    assert read(expand_inputs("-")[0]) == pcap(3)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CaptureError, match="standard input: is closed"):
        expand_inputs("-")[0].open()


def test_an_empty_pipe():
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as file, pytest.raises(CaptureError, match="empty"):
        expand_inputs(file)[0].open()


def test_real_captures_open(shared):
    for path in sorted(shared.glob("captures/*/*.pcap*"))[::12]:
        (one,) = expand_inputs(path)
        octets = read(one)
        assert one.kind in ("pcap", "pcapng")
        assert one.compression or octets == path.read_bytes()
