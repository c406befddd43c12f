"""What a capture lacks is counted, and every count is declared."""

from __future__ import annotations

import io
import struct

import pytest

import dnscap
from dnscap.quality import COUNTS
from dnscap.report.summary import summarize
from dnscap.report.summary_text import write_text

CLIENT, SERVER = b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02"
QUESTION = b"\7example\3com\0\0\1\0\1"
QUERY = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + QUESTION
FRAMED = struct.pack("!H", len(QUERY)) + QUERY


def packet(protocol: int, body: bytes, fragment: int = 0) -> bytes:
    return (
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 9, fragment, 64, protocol, 0)
        + CLIENT
        + SERVER
        + body
    )


def segment(seq: int, payload: bytes = b"", flags: int = 0x10) -> bytes:
    return packet(6, struct.pack("!HHIIBBHHH", 40000, 53, seq, 1, 0x50, flags, 8192, 0, 0) + payload)


def read(*packets: bytes) -> dnscap.Capture:
    octets = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for number, data in enumerate(packets):
        octets += struct.pack("<IIII", 1_700_000_000 + number, 0, len(data), len(data)) + data
    return dnscap.read(octets)


def counts_of(*packets: bytes) -> dict[str, int]:
    return read(*packets).quality.counts


@pytest.mark.parametrize(
    ("packets", "expected"),
    [
        ([segment(0, flags=2), segment(1, FRAMED)], {"segments": 2, "dns_tcp": 2}),
        ([segment(0, flags=2), segment(1, FRAMED), segment(1 + 2 * len(FRAMED), FRAMED)], {"stream_gaps": 1}),
        ([segment(0, flags=2), segment(1, FRAMED), segment(1 << 30, FRAMED)], {"segments_stray": 1}),
        ([segment(5)], {"segments_orphaned": 1}),
        ([segment(9, b"\xff" * 40)], {"segments_unplaced": 1}),
        (
            [packet(17, struct.pack("!HHHH", 9, 53, 99, 0) + bytes(8), 0x2000)],
            {"fragments": 1, "fragments_expired": 1},
        ),
    ],
)
def test_what_is_missing_is_counted(packets: list[bytes], expected: dict[str, int]) -> None:
    counts = counts_of(*packets)
    assert {name: counts[name] for name in expected} == expected
    assert counts["frames"] == len(packets)


def test_every_count_is_declared_once() -> None:
    names = [count.name for count in COUNTS]
    assert len(names) == len(set(names))
    assert set(counts_of()) == set(names)


def test_the_summary_says_what_is_lost() -> None:
    stream = io.StringIO()
    write_text(summarize(read(segment(0, flags=2), segment(1, FRAMED), segment(200, FRAMED))), stream)
    assert "1 hole in TCP streams" in stream.getvalue()
