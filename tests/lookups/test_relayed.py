"""Queries that a host passes on for its clients, and lookups of one name that run beside each other."""

import struct

import pytest

from tests.exchanges.traffic import SECOND, Traffic, query, response
from tests.lookups.captures import lookups_of

CLIENT, RELAY, OUTSIDE, UPSTREAM = "192.0.2.10", "192.0.2.1", "198.51.100.9", "203.0.113.53"
CAME, LEFT = 0, 4


class Relay(Traffic):
    """Captured on all interfaces of the host that passes on (LINUX_SLL)."""

    def __init__(self):
        super().__init__()
        self.ways = []

    def to_relay(self, time, message, **more):
        self.ways.append(LEFT if message.flags & 0x8000 else CAME)
        return self.send(time, message, client=CLIENT, server=RELAY, **more)

    def onward(self, time, message, *, way=LEFT, **more):
        self.ways.append(4 - way if message.flags & 0x8000 else way)
        return self.send(time, message, client=OUTSIDE, server=UPSTREAM, **more)

    def octets(self, snaplen=65535):
        parts = [struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, snaplen, 113)]
        for (time, packet), way in zip(self.packets, self.ways, strict=True):
            frame = struct.pack(">HHH8sH", way, 1, 6, bytes(8), 0x0800) + packet
            parts.append(struct.pack("<IIII", time // SECOND, time % SECOND, len(frame), len(frame)) + frame)
        return b"".join(parts)


def relayed(*, way: int, gap: float = 0.0002) -> list[dict]:
    a, b = query(id=5), query(id=77)
    traffic = Relay().to_relay(1.0, a).onward(1.0 + gap, b, way=way, port=50001)
    traffic.onward(1.02 + gap, response(b), way=way, port=50001).to_relay(1.021 + gap, response(a))
    return lookups_of(traffic.octets())


def test_what_comes_in_and_goes_out_from_another_address_is_one_lookup() -> None:
    """A router has an address towards its clients and another one towards the world."""
    (row,) = relayed(way=LEFT)
    assert row["client"] == CLIENT


def test_what_comes_in_twice_is_two_lookups() -> None:
    assert {row["client"] for row in relayed(way=CAME)} == {CLIENT, OUTSIDE}


def test_the_host_asks_for_itself_what_no_client_waits_for() -> None:
    a, b = query(id=5), query(id=77)
    traffic = Relay().to_relay(1.0, a).to_relay(1.01, response(a))
    traffic.onward(2.0, b, port=50001).onward(2.02, response(b), port=50001)
    assert {row["client"] for row in lookups_of(traffic.octets())} == {CLIENT, OUTSIDE}


@pytest.mark.parametrize("count", [2, 5, 30])
def test_what_is_sent_again_belongs_to_the_lookup_that_sent_it(count: int) -> None:
    """Threads ask for one name at the same time, and all of them again when their timer is up."""
    traffic = Traffic()
    queries = [query(id=100 + n) for n in range(count)]
    for n, message in enumerate(queries):
        traffic.send(1.0 + n / 1000, message, port=30000 + 7 * n)
    for n, message in enumerate(queries):
        traffic.send(6.0 + n / 1000, message, port=30000 + 7 * n)
        traffic.send(6.0002 + n / 1000, response(message), port=30000 + 7 * n)
    rows = lookups_of(traffic.octets())
    assert len(rows) == count
    assert {row["queries"] for row in rows} == {2}
