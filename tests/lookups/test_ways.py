"""Short ways through assembly lead where the long ones do."""

import struct

import pytest

import dnscap
from dnscap.lookups.assembling import Assembling
from tests.lookups.captures import DATA, lookups_cut, octets_of, whole_lab
from tests.sampling import some

KEPT = some(sorted(path.stem for path in DATA.glob("*.pcap")))
WHOLE = 1 << 22


def packet(microseconds: int, client: int, number: int, name: str, qtype: int, answer: bool) -> bytes:
    """A query over UDP, or its answer with one address, as a record of a raw IP capture."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    body = struct.pack(">HHHHHH", number & 0xFFFF, 0x8180 if answer else 0x0100, 1, int(answer), 0, 0)
    body += labels + struct.pack(">HH", qtype, 1)
    if answer:
        body += struct.pack(">HHHIH4s", 0xC00C, 1, 1, 60, 4, bytes([192, 0, 2, 1]))
    host, server = struct.pack(">I", 0x0A000000 + client), bytes([192, 0, 2, 53])
    port = 1024 + number % 60_000
    ends = (server, host) if answer else (host, server)
    ports = (53, port) if answer else (port, 53)
    udp = struct.pack(">HHHH", *ports, 8 + len(body), 0) + body
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ends[0] + ends[1] + udp
    return struct.pack("<IIII", microseconds // 1_000_000, microseconds % 1_000_000, len(ip), len(ip)) + ip


def capture(*packets: bytes) -> bytes:
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) + b"".join(packets)


@pytest.mark.parametrize("name", KEPT)
def test_lookups_answered_at_once_are_judged_as_all_are(name: str) -> None:
    octets = octets_of(name)
    assert lookups_cut(octets, WHOLE) == lookups_cut(octets, WHOLE, short_cuts=False)


def test_so_they_are_over_the_lab() -> None:
    for path in some(whole_lab(every=6)):
        if path.suffix == ".pcap":
            octets = path.read_bytes()
            assert lookups_cut(octets, WHOLE) == lookups_cut(octets, WHOLE, short_cuts=False), path


def test_thousands_wait_for_one_and_leave_in_order() -> None:
    packets = [packet(0, 1, 1, "slow.example", 1, False)]
    for i in range(6_000):
        at = 1_000 + i * 1_000
        packets.append(packet(at, 2 + i % 50, 2 + i, f"n{i}.example", 1, False))
        packets.append(packet(at + 300, 2 + i % 50, 2 + i, f"n{i}.example", 1, True))
    rows = dnscap.read(capture(*packets)).to_arrow("lookups").to_pylist()
    assert [row["lookup"] for row in rows] == list(range(6_001))
    assert rows[0]["name"] == "slow.example." and rows[0]["outcome"] in ("timeout", "unfinished")
    assert {row["outcome"] for row in rows[1:]} == {"ok"}
    assert [row["name"] for row in rows[1:]] == [f"n{i}.example." for i in range(6_000)]
    assert {tuple(row["answers"]) for row in rows[1:]} == {("192.0.2.1",)}
    assert {row["duration"].value for row in rows[1:]} == {300_000}


def test_exchanges_know_their_lookup_where_lookups_are_not_wanted() -> None:
    for name in KEPT:
        taken = {}
        for wanted in (True, False):
            source = dnscap.read(octets_of(name))
            assembling = Assembling(lookups=wanted)
            batches = [b for messages in source.batches() for b in assembling.feed(messages)]
            batches += assembling.finish()
            taken[wanted] = [
                row for b in batches for row in b.to_arrow(["exchange", "lookup", "role"]).to_pylist()
            ]
            assert wanted or not list(assembling.taken())
        assert taken[True] == taken[False]
