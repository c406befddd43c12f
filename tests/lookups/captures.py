"""Captures of real stubs, and the lookups found in captures whole, cut into small batches, or merged."""

import os
import struct
from pathlib import Path

import pytest

import dnscap
from dnscap.lookups.arrow import lookup_batch
from dnscap.native.decoder import Decoder
from dnscap.native.exchanges import Exchanges
from dnscap.native.lookups import Lookups

DATA = Path(__file__).parent.parent / "data" / "lookups"
SHARED = Path(os.environ.get("DNSCAP_SHARED", Path(__file__).parents[3] / "shared"))
PORTS = (53, 5353, 5355)

BUDGET = (
    "t_answer",
    "t_search",
    "t_timeout",
    "t_failed_server",
    "t_truncation",
    "t_edns",
    "t_serial",
    "t_gap",
)


def octets_of(name):
    """The octets of one of the captures kept with the tests."""
    return (DATA / f"{name}.pcap").read_bytes()


def lookups_of(name):
    """Lookups of one of the captures kept with the tests, or of octets, as dicts."""
    source = octets_of(name) if isinstance(name, str) else name
    return dnscap.read(source).to_arrow("lookups").to_pylist()


def whole_lab(every=1):
    """Captures of the lab, where it is at hand."""
    if not (SHARED / "lab").is_dir():
        pytest.skip("the lab captures are not here")
    paths = sorted(p for p in (SHARED / "lab").glob("*/*/*.pcap*") if "/load/" not in str(p))
    return paths[::every]


def lookups_cut(octets, piece, short_cuts=True):
    """Lookups of a capture that is given to the stages `piece` octets at a time."""
    decoder, exchanges, lookups = Decoder(PORTS, True), Exchanges(), Lookups(True, short_cuts)
    decoder.begin_file()
    rows = []

    def go():
        for batch in decoder.take(True):
            lookups.hold(exchanges)
            exchanges.feed(batch)
            lookups.feed(exchanges, batch)
            exchanges.take()
            rows.extend(lookup_batch(lookups.take()).to_pylist())

    at, size, view = 0, piece, memoryview(octets)
    while True:
        end = min(at + size, len(view))
        used = decoder.feed(view[at:end], end == len(view))
        at += used
        go()
        if end == len(view):
            break
        size = piece if used else size + max(piece, decoder.window)
    decoder.finish()
    go()
    lookups.hold(exchanges)
    exchanges.end()
    lookups.feed(exchanges)
    lookups.close()
    rows.extend(lookup_batch(lookups.take()).to_pylist())
    return rows


def records_of(octets):
    """Time and octets of each packet of a pcap file, and its header."""
    magic = octets[:4]
    unit = 1 if magic == b"\x4d\x3c\xb2\xa1" else 1000
    packets, at = [], 24
    while at < len(octets):
        seconds, part, size, wire = struct.unpack_from("<IIII", octets, at)
        packets.append((seconds * 10**9 + part * unit, octets[at + 16 : at + 16 + size], wire))
        at += 16 + size
    return octets[:24], packets


def merged(one, other, *, replace):
    """Two captures shuffled into one as if they had begun together; `replace` renames the other's client."""
    header, first = records_of(one)
    _, second = records_of(other)
    shift = first[0][0] - second[0][0]
    second = [(time + shift, packet.replace(*replace), wire) for time, packet, wire in second]
    unit = 1 if header[:4] == b"\x4d\x3c\xb2\xa1" else 1000
    parts = [header]
    for time, packet, wire in sorted(first + second, key=lambda row: row[0]):
        parts.append(struct.pack("<IIII", time // 10**9, time % 10**9 // unit, len(packet), wire) + packet)
    return b"".join(parts)
