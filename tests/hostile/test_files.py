"""Files that are cut, lie about lengths, or unpack to very much: exit 0 or 3, and words that say where."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

import dnscap
from dnscap.cli import main
from tests.sampling import some

from . import floods
from .bounded import read_apart

QUERY = floods.udp(floods.query(b"\x03www\x07example\x03com\x00"))
MOST_MEGABYTES = 150


def pcap(*packets: bytes) -> bytes:
    parts = [floods.HEADER]
    for packet in packets:
        parts += [struct.pack("<IIII", floods.START, 0, len(packet), len(packet)), packet]
    return b"".join(parts)


def block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def pcapng(*packets: bytes) -> bytes:
    blocks = [
        block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(1, struct.pack("<HHI", 101, 0, 0)),
    ]
    blocks += [block(6, struct.pack("<IIIII", 0, 0, 0, len(p), len(p)) + p) for p in packets]
    return b"".join(blocks)


class Command:
    """The command line in this process."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture

    def run(self, *arguments: str) -> tuple[int, bytes, str]:
        """Give exit code, data and talk."""
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = self._capture.readouterr()
        return int(ended.value.code or 0), said.out, said.err.decode()

    def messages(self, path: Path) -> tuple[int, list[dict[str, Any]], str]:
        """Give exit code, rows of the messages table and talk."""
        code, data, talk = self.run("messages", str(path), "--format", "jsonl")
        assert code in (0, 3), talk
        return code, [json.loads(line) for line in data.splitlines()], talk


@pytest.fixture
def command(capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """Run dnscap and see what it writes."""
    return Command(capfdbinary)


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_a_file_cut_at_any_offset(tmp_path, command, make):
    whole = make(QUERY, QUERY)
    starts = [len(make(*[QUERY] * n)) for n in range(3)]
    sound = starts if make is pcap else [28, *starts]  # a section header alone is a whole file
    for size in some(range(len(whole) + 1)):
        path = tmp_path / "cut"
        path.write_bytes(whole[:size])
        code, rows, talk = command.messages(path)
        assert len(rows) == sum(size >= start for start in starts[1:]), size
        if size in sound:
            assert code == 0 and not talk
        else:
            assert str(path) in talk
            assert (code == 3) == (size < sound[0])
            assert re.search(r"offset [\d,]+", talk) or size < 4, (size, talk)


LENGTHS = [0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 300_000]


def claiming(length: int, newer: bool) -> bytes:
    """A capture with a packet, and then a record that claims to be so long."""
    if newer:
        return pcapng(QUERY) + struct.pack("<II", 6, length) + bytes(60)
    return pcap(QUERY) + struct.pack("<IIII", floods.START, 0, length, length) + bytes(60)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("newer", [False, True])
def test_a_record_that_claims_to_be_enormous(tmp_path, command, length, newer):
    path = tmp_path / "enormous.pcap"
    path.write_bytes(claiming(length, newer))
    code, rows, talk = command.messages(path)
    assert len(rows) == 1
    assert str(path) in talk and re.search(r"offset [\d,]+", talk)
    assert code == 3 or "ends inside the packet" in talk
    with path.open("rb") as stream:
        capture = dnscap.read(stream)
        assert capture.to_arrow("messages").num_rows == 1
        assert capture.quality.faults or capture.quality.notes


@pytest.mark.parametrize("newer", [False, True])
def test_no_room_is_made_for_what_a_record_claims(tmp_path, newer):
    """All are read in one process, whose greatest memory tells of each."""
    paths = []
    for length in LENGTHS:
        paths.append(tmp_path / f"{length}.pcap")
        paths[-1].write_bytes(claiming(length, newer))
    assert read_apart(*paths).megabytes < MOST_MEGABYTES


def test_a_decompression_bomb(tmp_path):
    """A gigabyte of empty packets in a megabyte of gzip, packed once more."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 24)
    once = packer.compress(pcap(QUERY)) + b"".join(packer.compress(zeros) for _ in range(16)) + packer.flush()
    path = tmp_path / "bomb.pcap.gz.gz"
    path.write_bytes(gzip.compress(once))
    assert path.stat().st_size < 1 << 17
    outcome = read_apart(path)
    assert outcome.messages == 1
    assert outcome.counts["frames"] == 1 + (16 << 24) // 16
    assert outcome.megabytes < MOST_MEGABYTES


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_file_cut_or_spoilt(tmp_path, pack):
    whole = pack(pcap(*[QUERY] * 50))
    path = tmp_path / "cut.pcap.x"
    for size in some(range(1, len(whole), 5)):
        for octets in (whole[:size], whole[: size - 1] + bytes([whole[size - 1] ^ 0x55]) + whole[size:]):
            path.write_bytes(octets)
            capture = dnscap.read(str(path))
            assert capture.to_arrow("messages").num_rows <= 50
            for fault in capture.quality.faults:
                assert str(path) in str(fault)


@pytest.mark.parametrize("form", ["table", "csv", "json", "jsonl"])
def test_names_that_would_talk_to_the_terminal(tmp_path, command, form):
    labels = [b"\x1b[31m\x07\x1b]0;own\x07\x9b2J", b"<script>x</script>\n\r"]
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\x00"
    text = b"\x1b[2J\x07<script>"
    record = b"\xc0\x0c" + struct.pack("!HHIHB", 16, 1, 60, len(text) + 1, len(text)) + text
    path = tmp_path / "talk.pcap"
    path.write_bytes(pcap(floods.udp(floods.query(name, records=record, answers=1))))
    for table in ("messages", "records"):
        columns = "qname" if table == "messages" else "name,rdata"
        code, data, talk = command.run(table, str(path), "--format", form, "--columns", columns)
        assert code == 0 and not talk
        assert b"script" in data
        assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f\x9b]", data)
    capture = dnscap.read(str(path))
    shown = r"\027[31m\007\027]0\;own\007\1552j.<script>x</script>\010\013."
    assert capture.to_arrow("messages")["qname"].to_pylist() == [shown]
    assert capture.to_arrow("records")["rdata"].to_pylist() == [r'"\027[2J\007<script>"']
