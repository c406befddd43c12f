"""Questions sent again whose first answer was given up, forwarders with two addresses, and data that ran out."""

import ipaddress
import struct

import dnscap
from tests.resolutions.traffic import CLIENT, MS, OTHER, OUTSIDE, RESOLVER, SECOND, ZONE, Traffic

WWW = "www.example.com."
A = (f"{WWW} 300 A 203.0.113.1",)
UPSTREAM = "203.0.113.53"


class Gateway(Traffic):
    """Captured on all interfaces of a host that serves at RESOLVER and asks from OUTSIDE (LINUX_SLL)."""

    def octets(self, *, lo: bool = False):
        parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 113)]
        for time, packet in sorted(self.packets, key=lambda row: row[0]):
            ends = [str(ipaddress.ip_address(packet[at : at + 4])) for at in (12, 16)]
            inside = lo and CLIENT not in ends
            kind, hardware = (0, 772) if inside else (4 if ends[0] in (RESOLVER, OUTSIDE) else 0, 1)
            frame = struct.pack(">HHH8sH", kind, hardware, 6, bytes(8), 0x0800) + packet
            parts.append(struct.pack("<IIII", time // SECOND, time % SECOND, len(frame), len(frame)) + frame)
        return b"".join(parts)

    def forward(self, at, name=WWW, qtype="A", **rest):
        return self.exchange(at, OUTSIDE, UPSTREAM, name, qtype, **rest)


def test_what_came_while_nobody_waited_any_more_is_a_hit() -> None:
    traffic = Traffic()
    port = traffic.ask(0, silent=True)
    traffic.upstream(MS, took=2 * SECOND, answer=A)
    traffic.ask(5 * SECOND, port=port, took=MS // 5, answer=(f"{WWW} 297 A 203.0.113.1",))
    assert traffic.rows()[-1]["cache"] == "hit"


def test_what_has_only_just_come_was_waited_for() -> None:
    traffic = Traffic()
    traffic.ask(0, silent=True)
    traffic.upstream(MS, took=50 * MS, answer=A)
    traffic.ask(51 * MS + MS // 10, client=OTHER, took=MS // 5, answer=A)
    assert traffic.rows()[-1]["cache"] == "coalesced"


def test_what_others_still_wait_for_is_not_there_yet() -> None:
    traffic = Traffic()
    traffic.ask(0, client=OTHER, took=60 * MS, answer=A)
    traffic.upstream(MS, took=MS, answer=A)
    traffic.ask(50 * MS, took=MS // 5, answer=A)
    assert [row["cache"] for row in traffic.rows()] == ["miss", "coalesced"]


def test_queries_that_nobody_answered_do_not_matter_where_the_data_is_there() -> None:
    traffic = Traffic()
    traffic.upstream(0, silent=True, server="198.51.100.44")
    traffic.miss(MS)
    traffic.upstream(2 * SECOND, silent=True)
    traffic.ask(3 * SECOND, client=OTHER, took=MS // 5, answer=(f"{WWW} 297 A 203.0.113.1",))
    assert traffic.rows()[-1]["cache"] in ("hit", "prefetch")


def aliased(*, lo: bool) -> list[dict]:
    """A forwarder follows an alias by itself, and knows the alias when it is asked for the other family."""
    alias, target = f"{WWW} 300 CNAME edge.example.net.", "edge.example.net."
    four, six = f"{target} 300 A 203.0.113.1", f"{target} 300 AAAA 2001:db8::1"
    traffic = Gateway()
    traffic.ask(0, took=6 * MS, answer=(alias, four))
    traffic.forward(MS, took=MS, answer=(alias,))
    traffic.forward(3 * MS, target, took=MS, answer=(four,))
    traffic.ask(20 * MS, qtype="AAAA", took=3 * MS, answer=(alias, six))
    traffic.forward(21 * MS, target, "AAAA", took=MS, answer=(six,))
    rows = dnscap.read(traffic.octets(lo=lo)).to_arrow("resolutions").to_pylist()
    return [row for row in rows if row["client"] == CLIENT]


def test_a_forwarder_that_follows_aliases_from_another_address_asks_for_its_clients() -> None:
    assert [row["cache"] for row in aliased(lo=False)] == ["forwarded", "forwarded"]


def test_so_does_one_that_asks_another_program_of_its_host() -> None:
    assert [row["cache"] for row in aliased(lo=True)] == ["forwarded", "forwarded"]


def test_what_is_given_out_without_time_left_and_refreshed_afterwards_was_stale() -> None:
    """dnsmasq answers with TTL 0 what ran out, and asks then."""
    traffic, old = Traffic(), (f"{WWW} 2 A 203.0.113.1",)
    traffic.miss(0, ttl=2)
    for at in (2_700 * MS, 3_600 * MS):
        traffic.ask(at, took=MS // 5, answer=(f"{WWW} 0 A 203.0.113.1",))
    traffic.exchange(3_601 * MS, RESOLVER, ZONE, WWW, rd=False, aa=True, answer=old)
    assert traffic.rows()[-1]["cache"] == "stale"
