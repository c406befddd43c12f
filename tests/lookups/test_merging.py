"""Two captures shuffled into one have the lookups of both: what one host asks is nothing to another."""

import random
from functools import cache
from pathlib import Path

import pytest

import dnscap
from tests.exchanges.traffic import query, response
from tests.lookups.captures import whole_lab
from tests.lookups.merging import (
    ETHERNET,
    SECOND,
    Packet,
    bystander,
    capture_of,
    facts,
    moved,
    packets_of,
    shifted,
    shuffled,
    udp_frame,
)

PAIRS = 50
MOST_OCTETS = 60_000
SHIFTS = (0, 1_000, 50_000, 10**6, 5 * 10**6, 3 * 10**7, 10**8, SECOND, 5 * SECOND)
LINUX_COOKED = 113


@cache
def captures() -> tuple[Path, ...]:
    """Those of Ethernet that are small; two hosts' loopback interfaces would be one."""
    return tuple(
        path
        for path in whole_lab()
        if path.suffix == ".pcap"
        and ".lo." not in path.name
        and path.stat().st_size < MOST_OCTETS
        and packets_of(path.read_bytes())[0] == ETHERNET
    )


def lookups(*parts: list[Packet]) -> list[dict]:
    return dnscap.read(capture_of(ETHERNET, shuffled(*parts))).to_arrow("lookups").to_pylist()


@pytest.mark.parametrize("number", range(PAIRS))
def test_the_lookups_of_both(number: int) -> None:
    """The other capture is of another network, or of other clients of the same servers, begun at another time.

    With servers in common, why a lookup waited may be told from what they did for others too.
    """
    chance = random.Random(number)
    known = captures()
    one = chance.choice(known)
    same_family = [path for path in known if path.parts[-3] == one.parts[-3]]
    other = chance.choice((one, chance.choice(same_family), chance.choice(known)))
    clients_only = number % 2 == 1
    first, second = (
        sorted(packets_of(path.read_bytes())[1], key=lambda packet: packet[0]) for path in (one, other)
    )
    shift = first[0][0] - second[0][0] + chance.choice(SHIFTS) * chance.choice((1, -1))
    second = [
        (time, moved(octets, clients_only=clients_only), wire)
        for time, octets, wire in shifted(second, shift)
    ]
    begin, end = min(first[0][0], second[0][0]), max(first[-1][0], second[-1][0])
    # All is over long before the end: what is open there is judged by how the capture ends.
    edge = bystander(begin - SECOND, end + 120 * SECOND)
    left_out = ("causes",) if clients_only else ()
    apart = facts(lookups(first, edge), apart_from=left_out) + facts(
        lookups(second, edge), apart_from=left_out
    )
    assert facts(lookups(first, second, edge), apart_from=left_out) == sorted(apart), (one, other, shift)


def cooked(frame: bytes, kind: int) -> bytes:
    """An Ethernet frame as a capture of all interfaces has it: 0 came in, 4 went out."""
    return kind.to_bytes(2, "big") + b"\0\1\0\6" + bytes(8) + frame[12:]


@pytest.mark.parametrize(("kind", "clients"), [(0, {"127.0.0.1", "192.0.2.7"}), (4, {"127.0.0.1"})])
def test_who_asks_from_outside_is_no_forwarder_of_the_host(kind: int, clients: set[str]) -> None:
    """While a program waits for its local stub, another host asks the same; or the stub itself does."""
    message, packets = query(id=9), []
    loopback = bytes([127, 0, 0, 1]), bytes([127, 0, 0, 53])
    for at, answer, outer in ((0, False, False), (1, False, True), (3, True, True), (4, True, False)):
        frame = udp_frame((response(message) if answer else message).to_wire(), port=40000, answer=answer)
        if outer:
            frame = cooked(frame, 4 - kind if answer else kind)
        else:
            ends = loopback[::-1] if answer else loopback
            frame = cooked(frame[:26] + ends[0] + ends[1] + frame[34:], 0)
        packets.append((100 * SECOND + at * 10**6, frame, len(frame)))
    rows = dnscap.read(capture_of(LINUX_COOKED, packets)).to_arrow("lookups").to_pylist()
    assert {row["client"] for row in rows} == clients
