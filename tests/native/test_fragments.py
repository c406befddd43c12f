"""Reassembly of IP fragments, through the walk."""

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("scapy.all")

from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import GRE, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from dnscap.native.walk import Walk
from tests.sampling import examples

NOW = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
MILLI = 1_000_000
WHOLE, CUT, FIRST_FRAGMENT = 0, 1, 2
EXPIRED, OVERLAP, EVICTED = 2, 3, 6

PAYLOAD = bytes(random.Random(5).randbytes(1200))
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
MACS = bytes(ETHER)[:12]
ENDS4 = {"src": "198.51.100.53", "dst": "192.0.2.1", "ttl": 61}
ENDS6 = {"src": "2001:db8::53", "dst": "2001:db8::1", "hlim": 61}
PORTS = {"sport": 53, "dport": 40000}


def pieces4(payload=PAYLOAD, size=400, ports=PORTS, number=7):
    return [bytes(ETHER / p) for p in fragment(IP(**ENDS4, id=number) / UDP(**ports) / Raw(payload), size)]


def pieces6(payload=PAYLOAD, size=400, ports=PORTS, number=7):
    packet = IPv6(**ENDS6) / IPv6ExtHdrFragment(id=number) / UDP(**ports) / Raw(payload)
    return [bytes(ETHER / p) for p in fragment6(packet, size)]


MAKERS = {4: pieces4, 6: pieces6}


def raw4(octets, offset, more, number=7, protocol=17, source=1):
    """An IPv4 fragment by hand; `offset` in octets."""
    ends = bytes([10, source >> 16 & 255, source >> 8 & 255, source & 255, 192, 0, 2, 1])
    header = struct.pack(
        "!BBHHHBBH", 0x45, 0, 20 + len(octets), number, more << 13 | offset // 8, 61, protocol, 0
    )
    return MACS + b"\x08\0" + header + ends + octets


def raw6(octets, offset, more, number=7, protocol=17):
    ends = b"\x20\x01" + bytes(13) + b"\x05" + b"\x20\x01" + bytes(13) + b"\x06"
    header = struct.pack("!IHBB", 6 << 28, 8 + len(octets), 44, 61) + ends
    return MACS + b"\x86\xdd" + header + struct.pack("!BBHI", protocol, 0, offset | more, number) + octets


RAW = {4: raw4, 6: raw6}
UDP_PAYLOAD = struct.pack("!HHHH", 53, 40000, 8 + 92, 0) + bytes(range(92))  # 100 octets


def walk(*frames, finish=True):
    w = Walk()
    rows = [f if isinstance(f, tuple) else (1, f, NOW + i * MILLI) for i, f in enumerate(frames)]
    datagrams, events = w.walk_frames(rows, finish=finish)
    counts = w.counts()
    if finish:
        assert counts["fragments_waiting"] == counts["fragments_octets"] == 0
    return datagrams, events, counts


@pytest.mark.parametrize("version", [4, 6])
def test_fragments_in_order(version):
    frames = MAKERS[version]()
    assert len(frames) > 3
    datagrams, events, counts = walk(*frames, finish=False)
    (row,) = datagrams
    assert row["payload"] == PAYLOAD
    assert row["wire_size"] == len(PAYLOAD)
    assert row["wholeness"] == WHOLE
    assert row["frames"] == row["frame"] == len(frames)
    assert row["time"] == NOW + (len(frames) - 1) * MILLI
    assert row["src"] == {4: "198.51.100.53", 6: "2001:db8::53"}[version]
    assert (row["src_port"], row["dst_port"], row["ip_ttl"]) == (53, 40000, 61)
    assert row["ip_version"] == version
    assert events == []
    assert counts["fragments"] == len(frames)
    assert counts["dns_udp"] == counts["fragments_completed"] == 1
    assert counts["fragments_waiting"] == counts["fragments_octets"] == 0


@given(st.sampled_from([4, 6]), st.permutations(range(4)), st.lists(st.integers(0, 3), max_size=4))
@settings(max_examples=examples(80))
def test_any_order_and_duplicates(version, order, again):
    frames = MAKERS[version](size=400)[:4]
    assert len(frames) == 4
    # duplicates in front of the last one: behind it they would begin a datagram of their own
    sequence = [*order[:-1], *(i for i in again if i != order[-1]), order[-1]]
    datagrams, events, _ = walk(*(frames[i] for i in sequence))
    (row,) = datagrams
    assert row["payload"] == PAYLOAD
    assert row["frames"] == 4
    assert events == []


@given(
    st.sampled_from([4, 6]),
    st.lists(st.tuples(st.integers(0, 11), st.integers(1, 6)), max_size=12),
    st.randoms(use_true_random=False),
)
@settings(max_examples=examples(150))
def test_overlaps_that_agree(version, extra, chance):
    spans = [(i, i + 1) for i in range(12)] + [(a, min(a + n, 12)) for a, n in extra]
    chance.shuffle(spans)
    make = RAW[version]
    frames = [make(UDP_PAYLOAD[a * 8 : b * 8], a * 8, 1) for a, b in spans]
    frames.append(make(UDP_PAYLOAD[96:], 96, 0))
    datagrams, events, counts = walk(*frames)
    assert [d["payload"] for d in datagrams] == [UDP_PAYLOAD[8:]]
    assert events == []
    assert counts["fragments_overlapping"] == 0


@pytest.mark.parametrize("version", [4, 6])
def test_overlaps_that_differ_void_the_datagram(version):
    make = RAW[version]
    frames = [
        make(UDP_PAYLOAD[:48], 0, 1),
        make(UDP_PAYLOAD[48:80], 48, 1),
        make(b"spoofed!" + UDP_PAYLOAD[72:80], 64, 1),
        make(UDP_PAYLOAD[80:], 80, 0),
        make(UDP_PAYLOAD[:48], 0, 1),
    ]
    datagrams, events, counts = walk(*frames)
    assert datagrams == []
    (event,) = events
    assert event["kind"] == OVERLAP
    assert (event["quoted_src_port"], event["quoted_dst_port"]) == (53, 40000)
    assert counts["fragments_overlapping"] == 1


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    "ends",
    [
        [(96, 0, 4), (88, 0, 8)],  # two different ends
        [(88, 1, 8), (48, 0, 8)],  # something behind the end
        [(48, 0, 8), (88, 1, 8)],
    ],
)
def test_the_end_may_be_said_once(version, ends):
    make = RAW[version]
    frames = [make(UDP_PAYLOAD[at : at + size], at, more) for at, more, size in ends]
    datagrams, events, _ = walk(make(UDP_PAYLOAD[:40], 0, 1), *frames)
    assert datagrams == []
    assert [e["kind"] for e in events] == [OVERLAP]


@pytest.mark.parametrize("version", [4, 6])
def test_an_identification_used_again(version):
    other = UDP_PAYLOAD[:40] + bytes(60)
    make = RAW[version]
    datagrams, events, _ = walk(make(UDP_PAYLOAD[:48], 0, 1), make(other[:48], 0, 1), make(other[48:], 48, 0))
    assert [d["wholeness"] for d in datagrams] == [FIRST_FRAGMENT, WHOLE]
    assert [d["payload"] for d in datagrams] == [UDP_PAYLOAD[8:48], other[8:]]
    assert [e["kind"] for e in events] == [EXPIRED]


@pytest.mark.parametrize("version", [4, 6])
def test_a_first_fragment_alone_is_given_out_when_it_expires(version):
    first = MAKERS[version]()[0]
    tick = bytes(ETHER / IP(**ENDS4) / UDP(sport=53, dport=9) / Raw(b"later"))
    datagrams, events, counts = walk(
        (1, first, NOW), (1, tick, NOW + 10 * SECOND), (1, tick, NOW + 10 * SECOND + 1), finish=False
    )
    assert [d["wholeness"] for d in datagrams] == [WHOLE, FIRST_FRAGMENT, WHOLE]
    row = datagrams[1]
    assert PAYLOAD.startswith(row["payload"])
    assert len(row["payload"]) > 300
    assert row["wire_size"] == len(PAYLOAD)
    assert (row["frame"], row["frames"], row["time"]) == (1, 1, NOW)
    assert (row["src_port"], row["dst_port"], row["ip_ttl"], row["ip_version"]) == (53, 40000, 61, version)
    (event,) = events
    assert event["kind"] == EXPIRED
    assert event["frame"] == 1
    assert event["octets"] == len(row["payload"]) + 8
    assert (event["quoted_src_port"], event["quoted_dst_port"]) == (53, 40000)
    assert counts["fragments_expired"] == 1


def test_the_beginning_is_all_that_came_in_one_piece():
    frames = pieces4()
    datagrams, events, _ = walk(frames[1], frames[0], frames[3])
    (row,) = datagrams
    assert row["frames"] == 2
    assert row["frame"] == 2
    assert PAYLOAD.startswith(row["payload"])
    assert len(row["payload"]) > 700
    assert [e["kind"] for e in events] == [EXPIRED]


def test_later_fragments_alone_are_an_event():
    frames = pieces4()
    datagrams, events, _ = walk(*frames[1:])
    assert datagrams == []
    (event,) = events
    assert (event["kind"], event["src"], event["quoted_src_port"]) == (EXPIRED, "198.51.100.53", 0)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("order", [1, -1])
def test_what_is_not_dns_is_not_kept(version, order):
    frames = MAKERS[version](ports={"sport": 2049, "dport": 700})
    datagrams, events, counts = walk(*frames[::order], finish=False)
    assert datagrams == events == []
    assert counts["fragments"] == len(frames)
    assert counts["fragments_waiting"] == counts["fragments_octets"] == 0


def test_protocols_that_never_matter_are_not_kept():
    _, events, counts = walk(
        raw4(bytes(64), 0, 1, protocol=1), raw4(bytes(64), 64, 0, protocol=89), finish=False
    )
    assert events == []
    assert counts["fragments_waiting"] == 0
    assert counts["other_transport"] == 2


def test_atomic_fragments_are_whole():
    packet = IPv6(**ENDS6) / IPv6ExtHdrFragment(id=7) / UDP(**PORTS) / Raw(PAYLOAD)
    datagrams, _, counts = walk(bytes(ETHER / packet), pieces6()[0], bytes(ETHER / packet), finish=False)
    assert [d["payload"] for d in datagrams] == [PAYLOAD, PAYLOAD]
    assert counts["fragments"] == counts["fragments_waiting"] == 1


@pytest.mark.parametrize("version", [4, 6])
def test_fragments_cut_by_the_capture(version):
    frames = MAKERS[version]()
    rows = [(1, f[:200] if i == 2 else f, NOW + i, len(f)) for i, f in enumerate(frames)]
    (row,) = walk(*rows)[0]
    assert row["wholeness"] == CUT
    assert row["wire_size"] == len(PAYLOAD)
    assert PAYLOAD.startswith(row["payload"])
    assert 700 < len(row["payload"]) < len(PAYLOAD)
    # the first one cut, the others never there
    (row,) = walk((1, frames[0][:200], NOW, len(frames[0])))[0]
    assert row["wholeness"] == CUT


def test_ethernet_padding_is_not_payload():
    packets = fragment(IP(**ENDS4, id=7) / UDP(**PORTS) / Raw(PAYLOAD[:30]), 24)
    frames = [bytes(ETHER / p).ljust(60, b"\xee") for p in packets]
    assert [d["payload"] for d in walk(*frames)[0]] == [PAYLOAD[:30]]


def test_lengths_that_cannot_be():
    big = bytes(1480)
    frames = [
        raw4(big, 65528, 0),  # past the largest datagram
        raw4(b"", 0, 1),  # nothing
        raw6(bytes(17), 0, 1),  # RFC 8200 section 4.5: not a multiple of eight
    ]
    datagrams, events, counts = walk(*frames, finish=False)
    assert datagrams == events == []
    assert counts["fragments_malformed"] == 3
    assert counts["fragments_waiting"] == 0
    # IPv4: cut down to one
    frames = [raw4(UDP_PAYLOAD[:53], 0, 1), raw4(UDP_PAYLOAD[48:], 48, 0)]
    assert [d["payload"] for d in walk(*frames)[0]] == [UDP_PAYLOAD[8:]]


def test_identifications_addresses_and_protocols_keep_datagrams_apart():
    frames = [
        frame
        for pair in zip(
            *(
                (
                    raw4(UDP_PAYLOAD[:48], 0, 1, number=n, source=s),
                    raw4(UDP_PAYLOAD[48:], 48, 0, number=n, source=s),
                )
                for n, s in ((1, 1), (2, 1), (1, 2))
            ),
            strict=True,
        )
        for frame in pair
    ]
    frames.insert(2, raw4(b"x" * 48, 0, 1, number=1, protocol=6))
    assert [d["payload"] for d in walk(*frames)[0]] == [UDP_PAYLOAD[8:]] * 3


def test_sightings_at_different_places_do_not_mix():
    packets = fragment(IP(**ENDS4, id=7) / UDP(**PORTS) / Raw(PAYLOAD), 600)
    frames = [bytes(e / p) for p in packets for e in (ETHER, ETHER / Dot1Q(vlan=4))]
    datagrams, events, _ = walk(*frames)
    assert [d["payload"] for d in datagrams] == [PAYLOAD, PAYLOAD]
    assert len({d["place"] for d in datagrams}) == 2
    assert events == []


@pytest.mark.parametrize("version", [4, 6])
def test_fragments_inside_and_outside_of_tunnels(version):
    outer = IP(src="10.1.1.1", dst="10.2.2.2", id=3)
    inside = [Ether(f)[IP if version == 4 else IPv6] for f in MAKERS[version]()]
    proto = {4: 0x0800, 6: 0x86DD}[version]
    frames = [bytes(ETHER / outer / GRE(proto=proto) / p) for p in inside]
    assert [d["payload"] for d in walk(*frames)[0]] == [PAYLOAD]
    inner = {4: IP(**ENDS4), 6: IPv6(**ENDS6)}[version] / UDP(**PORTS) / Raw(PAYLOAD)
    tunnelled = outer / UDP(sport=50000, dport=4789) / VXLAN(vni=7) / ETHER / inner
    frames = [bytes(ETHER / p) for p in fragment(tunnelled, 400)]
    datagrams, _, counts = walk(*frames)
    assert [d["payload"] for d in datagrams] == [PAYLOAD]
    assert datagrams[0]["frames"] == len(frames)
    assert counts["tunnelled"] == 1


def test_headers_in_the_fragmentable_part():
    whole = bytes(IPv6ExtHdrDestOpt(nh=17)) + UDP_PAYLOAD
    frames = [raw6(whole[:56], 0, 1, protocol=60), raw6(whole[56:], 56, 0, protocol=60)]
    assert [d["payload"] for d in walk(*frames)[0]] == [UDP_PAYLOAD[8:]]


def test_tcp_in_fragments_reaches_the_streams():
    message = struct.pack("!H", len(PAYLOAD)) + PAYLOAD
    frames = [
        bytes(ETHER / p) for p in fragment(IP(**ENDS4, id=7) / TCP(**PORTS, flags="PA") / Raw(message), 400)
    ]
    counts = walk(*frames)[2]
    assert counts["dns_tcp"] == counts["fragments_completed"] == 1


def test_a_flood_of_datagrams_is_bounded():
    limit = 1 << 14
    frames = [raw4(UDP_PAYLOAD[:48], 0, 1, number=n & 0xFFFF, source=n >> 16) for n in range(limit + 1000)]
    datagrams, events, counts = walk(*((1, f, NOW + i) for i, f in enumerate(frames)), finish=False)
    assert counts["fragments_waiting"] == limit
    assert counts["fragments_evicted"] == len(events) == 1000
    assert {e["kind"] for e in events} == {EVICTED}
    # what was known of an evicted answer is not lost
    assert len(datagrams) == 1000
    assert {d["wholeness"] for d in datagrams} == {FIRST_FRAGMENT}
    assert datagrams[0]["frame"] == 1


def test_a_flood_of_octets_is_bounded():
    octets = bytes(65000)
    frames = [(1, raw4(octets[:8] + octets[8:], 0, 1, number=n, protocol=47), NOW + n) for n in range(1200)]
    _, events, counts = walk(*frames, finish=False)
    assert counts["fragments_octets"] <= 1 << 26
    assert counts["fragments_evicted"] == len(events) == 1200 - counts["fragments_waiting"] > 0


def test_a_flood_of_what_is_not_wanted_pushes_nothing_out():
    other = struct.pack("!HHHH", 2049, 700, 1000, 0) + bytes(40)
    flood = [raw4(other, 0, 1, number=n & 0xFFFF, source=2 + (n >> 16)) for n in range(1 << 15)]
    datagrams, events, counts = walk(
        *(
            (1, f, NOW + i)
            for i, f in enumerate([raw4(UDP_PAYLOAD[:48], 0, 1), *flood, raw4(UDP_PAYLOAD[48:], 48, 0)])
        ),
        finish=False,
    )
    assert events == []
    assert counts["fragments_waiting"] <= 1 << 14
    assert [d["payload"] for d in datagrams] == [UDP_PAYLOAD[8:]]


def test_many_tiny_pieces_are_given_up():
    frames = [raw4(bytes(8), 16 * i, 1) for i in range(1, 400)]
    _, events, counts = walk(*frames, finish=False)
    assert [e["kind"] for e in events] == [EVICTED]
    assert counts["fragments_octets"] == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from([4, 6]),
            st.integers(0, 20),
            st.integers(0, 9),
            st.integers(0, 1),
            st.sampled_from([17, 17, 6, 47, 60]),
            st.sampled_from([UDP_PAYLOAD, bytes(100), b"\0\x35" * 50]),
        ),
        max_size=40,
    )
)
@settings(max_examples=examples(200))
def test_any_fragments(pieces):
    frames = []
    for version, at, size, more, protocol, octets in pieces:
        frames.append(RAW[version](octets[at * 8 : (at + size) * 8], at * 8, more, 1, protocol))
    datagrams, _, _ = walk(*frames)
    for d in datagrams:
        assert 1 <= d["frames"] <= len(frames)
        assert len(d["payload"]) <= 65535
