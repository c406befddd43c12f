"""Frames picked by number are the frames that the decoder counts."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from dnscap.capture import expand_inputs
from dnscap.capture.picking import pick_frames
from dnscap.native.framing import Framing


def pcap(frames: int, order: str = "<", magic: int = 0xA1B2C3D4) -> bytes:
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    for i in range(frames):
        octets = bytes([i % 256]) * (20 + i)
        out += struct.pack(order + "IIII", 1_700_000_000 + i, i, len(octets), len(octets) + 5) + octets
    return out


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    size = 12 + len(body)
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


def pcapng(frames: int, order: str = "<", resolution: int = 9) -> bytes:
    out = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    options = struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)
    out += block(1, struct.pack(order + "HHI", 1, 0, 0) + options, order)
    out += block(5, b"\0" * 12, order)
    for i in range(frames):
        octets = bytes([i % 256]) * (20 + i)
        ticks = (1_700_000_000 + i) * 10**resolution + i
        head = struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(octets), len(octets) + 5)
        out += block(6, head + octets + b"\0" * (-len(octets) % 4), order)
    return out


FILES = {
    "little": pcap(9),
    "big": pcap(9, ">"),
    "nanoseconds": pcap(9, "<", 0xA1B23C4D),
    "pcapng": pcapng(9),
    "pcapng big": pcapng(9, ">", 6),
}


@pytest.mark.parametrize("octets", FILES.values(), ids=FILES)
def test_all_frames_are_those_of_the_decoder(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(octets)
    (item,) = expand_inputs([path])
    picked = list(pick_frames(item, lambda number, octets: True, last=1 << 60))
    framing = Framing()
    framing.begin_file()
    wanted = [row[:4] for row in framing.read(octets)]
    assert [(f.number, f.time, f.octets, f.wire_size) for f in picked] == wanted
    assert len(picked) == 9 and {f.link_type for f in picked} == {1}


def test_only_what_is_wanted_comes_and_the_pass_ends_early(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(9) + b"garbage that is never reached")
    (item,) = expand_inputs([path])
    asked: list[int] = []

    def wanted(number: int, octets: bytes) -> bool:
        asked.append(number)
        return number in (2, 5)

    assert [f.number for f in pick_frames(item, wanted, last=5)] == [2, 5]
    assert asked == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("whole", FILES.values(), ids=FILES)
def test_cut_and_damaged_files_end_the_pass(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "x.pcap"
    for size in range(24, len(whole), 13):
        path.write_bytes(whole[:size])
        (item,) = expand_inputs([path])
        assert len(list(pick_frames(item, lambda number, octets: True, last=1 << 60))) <= 9
    for at in range(24, len(whole), 11):
        path.write_bytes(whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :])
        (item,) = expand_inputs([path])
        list(pick_frames(item, lambda number, octets: True, last=1 << 60))
