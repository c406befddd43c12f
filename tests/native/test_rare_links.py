"""Link layers and tunnels that few captures have: each leads to the query, cut anywhere it leads to none."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnscap.messages.link_types import LINK_TYPES
from dnscap.native.walk import Walk

NOW = 1_700_000_000_000_000_000
QUERY = bytes.fromhex("123401000001000000000000037777770765786d61706c6503636f6d0000010001")
UDP = struct.pack("!HHHH", 40000, 53, 8 + len(QUERY), 0) + QUERY
IP4 = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(UDP), 1, 0, 61, 17, 0) + b"\xc0\0\2\1\xc6\x33\x64\x35" + UDP
IP6 = struct.pack("!IHBB", 6 << 28, len(UDP), 17, 62) + b"\x20\x01\x0d\xb8" * 8 + UDP
MACS = bytes.fromhex("020000000002020000000001")


def ethernet(ip: bytes) -> bytes:
    return MACS + kind(ip) + ip


def kind(ip: bytes) -> bytes:
    return b"\x08\0" if ip[0] >> 4 == 4 else b"\x86\xdd"


def snap(ip: bytes) -> bytes:
    return b"\xaa\xaa\3\0\0\0" + kind(ip) + ip


def wireless(ip: bytes) -> bytes:
    return b"\x08\1\0\0" + MACS + bytes(8) + snap(ip)


def over_udp(port: int, payload: bytes) -> bytes:
    udp = struct.pack("!HHHH", 33333, port, 8 + len(payload), 0) + payload
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + b"\x0a\0\0\1\x0a\0\0\2" + udp
    return MACS + b"\x08\0" + ip


def over_ip(protocol: int, payload: bytes) -> bytes:
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0)
    return MACS + b"\x08\0" + ip + b"\x0a\0\0\1\x0a\0\0\2" + payload


def ppp(ip: bytes) -> bytes:
    return (b"\0\x21" if ip[0] >> 4 == 4 else b"\0\x57") + ip


def pktap(link: int, payload: bytes, flags: int = 2) -> bytes:
    return struct.pack("<III24sI", 108, 1, link, b"en0", flags) + bytes(68) + payload


def label(bottom: bool) -> bytes:
    return bytes([0, 6, 0x40 | bottom, 64])


LINKS = {
    "token ring": (6, lambda ip: b"\x10\x40" + MACS + snap(ip)),
    "token ring with a route": (
        6,
        lambda ip: b"\x10\x40" + MACS[:6] + b"\x82" + MACS[7:] + b"\6\x10\0\x11\0\x20" + snap(ip),
    ),
    "frame relay snap": (107, lambda ip: b"\x18\x41\3\0\x80\0\0\0" + kind(ip) + ip),
    "frame relay snap, not padded": (107, lambda ip: b"\x18\x41\3\x80\0\0\0" + kind(ip) + ip),
    "frame relay bridged": (107, lambda ip: b"\x18\x41\3\0\x80\0\x80\xc2\0\7" + ethernet(ip)),
    "fibre channel": (122, lambda ip: b"\x10\0" + MACS[:6] + b"\x10\0" + MACS[6:] + snap(ip)),
    "sunatm": (123, lambda ip: b"\2\0\0\0" + snap(ip)),
    "sunatm lane": (123, lambda ip: b"\1\0\0\0\0\1" + ethernet(ip)),
    "ieee 1394": (138, lambda ip: bytes(range(16)) + kind(ip) + ip),
    "infiniband": (242, lambda ip: bytes(40) + kind(ip) + bytes(2) + ip),
    "pktap": (258, lambda ip: pktap(1, ethernet(ip))),
    "pktap raw": (258, lambda ip: pktap(12, ip)),
    "switch tag": (281, lambda ip: MACS + b"\x20\0\0\1" + kind(ip) + ip),
    "switch tag in front": (282, lambda ip: b"\x20\0\0\1" + ethernet(ip)),
    "dsa": (283, lambda ip: MACS + b"\xc0\x08\0\0" + kind(ip) + ip),
    "edsa": (284, lambda ip: MACS + b"\xda\xda\0\0\xc0\x08\0\0" + kind(ip) + ip),
    "vntag": (1, lambda ip: MACS + b"\x89\x26\0\0\0\0" + kind(ip) + ip),
    "hsr": (1, lambda ip: MACS + b"\x89\x2f\x10\x40\0\1" + kind(ip) + ip),
    "cisco metadata": (1, lambda ip: MACS + b"\x89\x09\1\1\0\1\0\7" + kind(ip) + ip),
    "macsec": (1, lambda ip: MACS + b"\x88\xe5\0\0\0\0\0\1" + kind(ip) + ip + bytes(16)),
    "macsec with sci": (1, lambda ip: MACS + b"\x88\xe5\x20\0\0\0\0\1" + bytes(8) + kind(ip) + ip),
    "trill": (1, lambda ip: MACS + b"\x22\xf3\0\x3f\0\1\0\2" + ethernet(ip)),
    "trill with options": (1, lambda ip: MACS + b"\x22\xf3\0\x7f\0\1\0\2" + bytes(4) + ethernet(ip)),
    "batman": (1, lambda ip: MACS + b"\x43\5\x40\x0f\x32\2" + MACS[:6] + ethernet(ip)),
    "batman, four addresses": (1, lambda ip: MACS + b"\x43\5\x42\x0f\x32\2" + MACS + b"\1\0" + ethernet(ip)),
    "batman to all": (1, lambda ip: MACS + b"\x43\5\1\x0f\x32\0\0\0\0\1" + MACS[:6] + ethernet(ip)),
    "service header": (
        1,
        lambda ip: MACS + b"\x89\x4f\x0f\xc2\2" + (b"\1" if ip[0] >> 4 == 4 else b"\2") + bytes(4) + ip,
    ),
    "service header, ethernet": (
        1,
        lambda ip: MACS + b"\x89\x4f\x0f\xc6\1\3" + bytes(4) + bytes(16) + ethernet(ip),
    ),
}
TUNNELS = {
    "l2tp": lambda ip: over_udp(1701, struct.pack("!HHHH", 0x4002, 10 + len(ip), 5, 6) + ppp(ip)),
    "l2tp, as few as can be": lambda ip: over_udp(1701, struct.pack("!HHH", 2, 5, 6) + b"\xff\3" + ppp(ip)),
    "l2tp, everything": lambda ip: over_udp(
        1701, struct.pack("!HHHHHHH", 0x4A02, 0, 5, 6, 1, 1, 2) + b"\0\0" + b"\xff\3" + ppp(ip)
    ),
    "tzsp": lambda ip: over_udp(37008, b"\1\0\0\1\1" + ethernet(ip)),
    "tzsp with fields": lambda ip: over_udp(37008, b"\1\0\0\1\0\x0a\1\x20\x29\4abcd\1" + ethernet(ip)),
    "tzsp wireless": lambda ip: over_udp(37008, b"\1\1\0\x12\1" + wireless(ip)),
    "mpls in udp": lambda ip: over_udp(6635, label(False) + label(True) + ip),
    "mpls in udp, pseudowire": lambda ip: over_udp(6635, label(True) + bytes(4) + ethernet(ip)),
    "mpls in ip": lambda ip: over_ip(137, label(True) + ip),
    "lisp": lambda ip: over_udp(4341, bytes(8) + ip),
    "vxlan gpe, service header": lambda ip: over_udp(
        4790, b"\x0c\0\0\4\0\0\5\0" + b"\x0f\xc2\2" + (b"\1" if ip[0] >> 4 == 4 else b"\2") + bytes(4) + ip
    ),
}
FRAMES = {name: (link, make) for name, (link, make) in LINKS.items()} | {
    name: (1, make) for name, make in TUNNELS.items()
}


def walk(*frames: tuple, **options):
    w = Walk()
    datagrams, events = w.walk_frames(list(frames), **options)
    return datagrams, events, w.counts()


@pytest.mark.parametrize("ip", [IP4, IP6], ids=["4", "6"])
@pytest.mark.parametrize("name", FRAMES)
def test_the_query_is_found(name, ip):
    link, make = FRAMES[name]
    datagrams, events, counts = walk((link, make(ip), NOW))
    assert [d["payload"] for d in datagrams] == [QUERY]
    assert datagrams[0]["src"] == ("192.0.2.1" if ip is IP4 else "2001:db8:2001:db8:2001:db8:2001:db8")
    assert events == []
    assert counts["dns_udp"] == counts["frames"] == 1
    assert counts["tunnelled"] == (name in TUNNELS)
    assert link in LINK_TYPES


@pytest.mark.parametrize("name", FRAMES)
def test_frames_cut_at_every_length(name):
    link, make = FRAMES[name]
    octets = make(IP4)
    frames = [(link, octets[:size], NOW, len(octets)) for size in range(len(octets))]
    datagrams, _, counts = walk(*frames, finish=True)
    assert counts["frames"] == len(octets)
    assert all(QUERY.startswith(d["payload"]) for d in datagrams)


@given(
    st.sampled_from(sorted(FRAMES)), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255))), st.data()
)
@settings(max_examples=300)
def test_damaged_frames(name, changes, data):
    link, make = FRAMES[name]
    octets = bytearray(make(data.draw(st.sampled_from([IP4, IP6]))))
    for at, value in changes:
        octets[at % len(octets)] = value
    size = data.draw(st.integers(0, len(octets)))
    datagrams, _, counts = walk((link, bytes(octets[:size]), NOW), finish=True)
    assert counts["frames"] == 1
    assert all(0 < len(d["payload"]) <= size for d in datagrams)


@pytest.mark.parametrize("port", [1701, 4341, 6635, 37008])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\2",
        bytes(100),
        b"GET / HTTP/1.1 something else",
        b"\xff" * 60,
        b"\1\0\0\1" * 30,
        b"\xc8\2" * 20,
    ],
)
def test_ports_of_tunnels_may_carry_other_things(port, content):
    datagrams, events, counts = walk((1, over_udp(port, content), NOW))
    assert datagrams == events == []
    assert counts["tunnelled"] == 0
    assert counts["other_ports"] == 1


@pytest.mark.parametrize(
    "shims",
    [
        (MACS + b"\x89\x26") + b"\0\0\0\0\x89\x26" * 5000,
        (MACS + b"\x89\x4f") + (b"\x0f\xc2\2\4" + bytes(4)) * 5000,
        (MACS + b"\x22\xf3") + (b"\0\x3f\0\1\0\2" + MACS + b"\x22\xf3") * 5000,
    ],
)
def test_shims_without_end_are_given_up(shims):
    datagrams, _, counts = walk((1, shims, NOW))
    assert datagrams == []
    assert counts["not_ip"] + counts["too_deep"] == 1


def test_what_macsec_encrypts_is_not_read():
    frame = MACS + b"\x88\xe5\x0c\0\0\0\0\1" + b"\x08\0" + IP4
    assert walk((1, frame, NOW))[0] == []


def test_pktap_tells_the_direction():
    rows = [walk((258, pktap(1, ethernet(IP4), flags), NOW))[0][0] for flags in (0, 1, 2)]
    assert [row["direction"] for row in rows] == [0, 1, 2]
