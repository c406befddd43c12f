"""A client that asks for one name again and again: each further query is told as if all before it were looked at."""

from __future__ import annotations

import struct

import pytest

import dnscap

CLIENT, SERVER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 53])
NAME = b"\x03www\x07example\x03com\x00"
MS = 1_000
A, AAAA, MX = 1, 28, 15
NXDOMAIN = 3


def packet(time: int, id_: int, port: int, qtype: int, rcode: int | None) -> bytes:
    """A query at that time (microseconds), or an answer to it, as a record of a capture of IP packets."""
    flags = 0x0100 if rcode is None else 0x8180 | rcode
    dns = struct.pack("!6H", id_, flags, 1, 0, 0, 0) + NAME + struct.pack("!2H", qtype, 1)
    ends, ports = ((CLIENT, SERVER), (port, 53)) if rcode is None else ((SERVER, CLIENT), (53, port))
    udp = struct.pack("!4H", *ports, 8 + len(dns), 0) + dns
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ends[0] + ends[1] + udp
    return struct.pack("<4I", time // 1_000_000, time % 1_000_000, len(ip), len(ip)) + ip


def queries_of(*packets: tuple[int, int, int, int, int | None]) -> list[int]:
    """How many queries each lookup has."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    table = dnscap.read(head + b"".join(packet(*fields) for fields in packets)).to_arrow(
        "lookups", ["queries"]
    )
    return table.column("queries").to_pylist()


@pytest.fixture(params=[3, 15, 16, 17, 100, 239])
def tries(request: pytest.FixtureRequest) -> list[tuple[int, int, int, int, int | None]]:
    """Queries for one name, each with a port and an id of its own, as far apart as retries are."""
    return [(1_000_000 + i * 250 * MS, 1000 + i, 2000 + i, A, None) for i in range(request.param)]


def after(tries: list, wait: int) -> int:
    return tries[-1][0] + wait


def test_retries_are_one_lookup(tries) -> None:
    assert queries_of(*tries) == [len(tries)]


def test_soon_after_another_only_a_known_id_is_a_retry(tries) -> None:
    soon = after(tries, 50 * MS)

    for known in (tries[0], tries[len(tries) // 2], tries[-1]):
        assert queries_of(*tries, (soon, known[1], 9000, A, None)) == [len(tries) + 1]
    assert queries_of(*tries, (soon, 9000, 9000, A, None)) == [len(tries), 1]


def test_the_other_family_comes_from_a_known_port(tries) -> None:
    later = after(tries, 300 * MS)

    for known in (tries[0], tries[len(tries) // 2], tries[-1]):
        assert queries_of(*tries, (later, 9000, known[2], AAAA, None)) == [len(tries) + 1]
    assert queries_of(*tries, (later, 9000, 9000, AAAA, None)) == [len(tries), 1]
    assert queries_of(*tries, (later, 9000, tries[0][2], MX, None)) == [len(tries), 1]


def test_an_answer_changes_what_comes_after(tries) -> None:
    _, id_, port, qtype, _ = tries[-1]
    answer = (after(tries, 10 * MS), id_, port, qtype, NXDOMAIN)
    later = after(tries, 400 * MS)

    assert queries_of(*tries, (later, 9000, 9000, A, None)) == [len(tries) + 1]
    assert queries_of(*tries, answer, (later, 9000, 9000, A, None)) == [len(tries), 1]
