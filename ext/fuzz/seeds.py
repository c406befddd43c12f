"""Seeds: small inputs, one for each thing a stage has to understand, built here octet by octet.

`of` gives those of one target; `from_captures` turns real captures, read where they lie, into more.
The layouts are those that the targets in this directory take apart.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
Seeds = Iterator[tuple[str, bytes]]

ETHERNET, RAW_IP, LINUX_SLL, LINUX_SLL2, NULL, IEEE802_11_RADIOTAP, PPP, PPI = (
    1,
    101,
    113,
    276,
    0,
    127,
    9,
    192,
)

# DNS messages ---------------------------------------------------------------------------------------------

EXAMPLE = b"\x07example\x03com\0"


def _header(flags: int, *counts: int, ident: int = 0x1234) -> bytes:
    return struct.pack("!6H", ident, flags, *(*counts, 0, 0, 0, 0)[:4])


def _record(owner: bytes, kind: int, rdata: bytes, *, rclass: int = 1, ttl: int = 300) -> bytes:
    return owner + struct.pack("!HHIH", kind, rclass, ttl, len(rdata)) + rdata


def _question(name: bytes = EXAMPLE, kind: int = 1) -> bytes:
    return name + struct.pack("!HH", kind, 1)


QUERY = _header(0x0100, 1) + _question()
ANSWER = _header(0x8180, 1, 1) + _question() + _record(b"\xc0\x0c", 1, bytes([192, 0, 2, 1]))


def messages() -> Seeds:
    """DNS messages, sound and not."""
    soa = b"\x02ns\xc0\x0c" + b"\x04root\xc0\x0c" + struct.pack("!5I", 1, 2, 3, 4, 5)
    options = struct.pack("!HH8s", 10, 8, b"cookie00") + struct.pack(
        "!HHHBB3s", 8, 7, 1, 24, 0, bytes([192, 0, 2])
    )
    options += (
        struct.pack("!HHH3s", 15, 5, 22, b"why") + struct.pack("!HH", 3, 0) + struct.pack("!HH4s", 12, 4, b"")
    )
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0x01008000, len(options)) + options
    various = b"".join(
        _record(b"\xc0\x0c", kind, rdata)
        for kind, rdata in [
            (28, bytes(15) + b"\1"),
            (5, b"\x03www\xc0\x0c"),
            (15, b"\0\x0a\x04mail\xc0\x0c"),
            (16, b"\x05hello\x00\x03abc"),
            (33, struct.pack("!3H", 1, 2, 53) + b"\x03srv\xc0\x0c"),
            (
                65,
                b"\0\1\0" + struct.pack("!HH", 1, 3) + b"\x02h2" + struct.pack("!HH4s", 4, 4, b"\xc0\0\2\1"),
            ),
            (46, struct.pack("!HBBIIIH", 1, 13, 2, 300, 2, 1, 7) + EXAMPLE + bytes(64)),
            (47, EXAMPLE + b"\0\6\x40\1\0\0\0\3"),
            (50, b"\1\0\0\1\2\xab\xcd\x14" + bytes(20) + b"\0\1\x40"),
            (48, b"\1\1\3\x0d" + bytes(32)),
            (35, b"\0\1\0\2\1s\3SIP\0\0"),
            (257, b"\0\5issueca.example"),
            (29, b"\0\x12\x16\x13\x80\0\0\0\x80\0\0\0\0\x98\x96\x80"),
            (65280, b"\1\2\3\4"),
        ]
    )
    yield "query", QUERY
    yield "answer", ANSWER
    yield "nxdomain", _header(0x8183, 1, 0, 1) + _question() + _record(b"\xc0\x0c", 6, soa)
    yield "various", _header(0x8180, 1, 14) + _question(kind=255) + various
    yield "edns", _header(0x8180, 1, 1, 0, 1) + ANSWER[12:] + opt
    yield (
        "update",
        _header(0x2800, 1, 0, 1) + _question(kind=6) + _record(b"\xc0\x0c", 255, b"", rclass=255, ttl=0),
    )
    yield "mdns", _header(0x8400, 0, 1) + _record(b"\4host\5local\0", 1, bytes(4), rclass=0x8001)
    yield "no-question", _header(0x8185)
    yield "two-questions", _header(0x0100, 2) + _question() + _question(b"\xc0\x0c", 28)
    yield "mixed-case", _header(0x0100, 1) + _question(b"\7eXaMPle\3CoM\0")
    yield "odd-labels", _header(0x0100, 1) + _question(b'\6a.b\\"\x80\x03\0@ \0')
    yield (
        "longest-name",
        _header(0x0100, 1) + _question((b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\0"),
    )
    yield "name-too-long", _header(0x0100, 1) + _question((b"\x3f" + b"a" * 63) * 4 + b"\0")
    yield "pointer-to-itself", _header(0x0100, 1) + _question(b"\xc0\x0c")
    yield "pointer-loop", _header(0x0100, 1) + _question(b"\xc0\x0e\xc0\x0c")
    yield "pointer-forward", _header(0x0100, 1) + _question(b"\xc0\x20") + bytes(20)
    yield "pointer-cut", _header(0x0100, 1) + b"\x03www\xc0"
    yield "reserved-label", _header(0x0100, 1) + _question(b"\x41\0")
    yield "label-overruns", _header(0x0100, 1) + b"\x3fabc"
    yield "rdlength-overruns", ANSWER[:-6] + b"\xff\xff" + ANSWER[-4:]
    yield "counts-lie", _header(0x8180, 1, 0xFFFF, 0xFFFF, 0xFFFF) + ANSWER[12:]
    yield "trailing", QUERY + b"left over"
    yield "short-header", QUERY[:7]
    yield "empty", b""
    chain = b"".join(b"\1a" + struct.pack("!H", 0xC000 | (12 + 4 * (i - 1) if i else 12)) for i in range(60))
    yield "pointer-chain", _header(0x0100, 1) + chain + struct.pack("!HH", 1, 1)


# IP and what is around it ---------------------------------------------------------------------------------

HERE4, THERE4 = bytes([192, 0, 2, 1]), bytes([198, 51, 100, 53])
HERE6, THERE6 = (
    bytes.fromhex("20010db8000000000000000000000001"),
    bytes.fromhex("20010db8000000000000000000000035"),
)


def _udp(payload: bytes, source: int = 40000, target: int = 53) -> bytes:
    return struct.pack("!4H", source, target, 8 + len(payload), 0) + payload


def _tcp(payload: bytes, *, flags: int = 0x18, seq: int = 1, source: int = 40000, target: int = 53) -> bytes:
    return struct.pack("!HHIIBBHHH", source, target, seq, 1, 0x50, flags, 1024, 0, 0) + payload


def _ip4(
    payload: bytes, protocol: int = 17, *, fragment: int = 0, options: bytes = b"", ident: int = 7
) -> bytes:
    head = 0x45 + len(options) // 4
    size = 20 + len(options) + len(payload)
    fixed = struct.pack("!BBHHHBBH", head, 0, size, ident, fragment, 64, protocol, 0)
    return fixed + HERE4 + THERE4 + options + payload


def _ip6(payload: bytes, following: int = 17) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(payload), following, 64) + HERE6 + THERE6 + payload


def _ethernet(payload: bytes, kind: int = 0x0800) -> bytes:
    return bytes.fromhex("020000000001020000000002") + struct.pack("!H", kind) + payload


def _fragments4(payload: bytes, size: int = 24) -> list[bytes]:
    cuts = range(0, len(payload), size)
    return [
        _ip4(payload[at : at + size], fragment=at // 8 | (0x2000 if at + size < len(payload) else 0))
        for at in cuts
    ]


def _fragments6(payload: bytes, size: int = 24) -> list[bytes]:
    cuts = range(0, len(payload), size)
    return [
        _ip6(struct.pack("!BBHI", 17, 0, at | (at + size < len(payload)), 99) + payload[at : at + size], 44)
        for at in cuts
    ]


def _of_frames(link: int, frames: Iterable[bytes], gap: int = 1) -> bytes:
    """Lay frames out as walk_target.pyx takes them apart."""
    return struct.pack("!H", link) + b"".join(struct.pack("!HBB", len(f), 0, gap) + f for f in frames)


def frames() -> Iterator[tuple[str, int, list[bytes]]]:
    """Frames by link type, one name for each way to wrap a message."""
    plain = _ip4(_udp(QUERY))
    answer6 = _ip6(_udp(ANSWER, 53, 40000))
    stream = struct.pack("!H", len(QUERY)) + QUERY
    yield "udp4", ETHERNET, [_ethernet(plain)]
    yield "udp6", ETHERNET, [_ethernet(answer6, 0x86DD)]
    yield "vlan", ETHERNET, [_ethernet(b"\0\5\x08\0" + plain, 0x8100)]
    yield "qinq", ETHERNET, [_ethernet(b"\0\5\x81\0\0\6\x08\0" + plain, 0x88A8)]
    yield "mpls", ETHERNET, [_ethernet(b"\0\1\1\x40" + plain, 0x8847)]
    yield (
        "pppoe",
        ETHERNET,
        [_ethernet(b"\x11\0\0\1" + struct.pack("!H", len(plain) + 2) + b"\0\x21" + plain, 0x8864)],
    )
    yield (
        "arp",
        ETHERNET,
        [_ethernet(b"\0\1\x08\0\6\4\0\1" + bytes(6) + HERE4 + bytes(6) + THERE4, 0x0806)] * 3,
    )
    yield "ip-options", ETHERNET, [_ethernet(_ip4(_udp(QUERY), options=b"\x94\4\0\0"))]
    yield "hop-by-hop", ETHERNET, [_ethernet(_ip6(b"\x11\0\5\2\0\0\1\0" + _udp(QUERY), 0), 0x86DD)]
    yield "fragments4", ETHERNET, [_ethernet(f) for f in _fragments4(_udp(ANSWER))]
    yield "fragments4-late", ETHERNET, [_ethernet(f) for f in reversed(_fragments4(_udp(ANSWER)))]
    yield "fragments4-first", ETHERNET, [_ethernet(_fragments4(_udp(ANSWER))[0]), _ethernet(plain)]
    yield "fragments6", ETHERNET, [_ethernet(f, 0x86DD) for f in _fragments6(_udp(ANSWER))]
    overlap = [_ip4(_udp(ANSWER)[:32], fragment=0x2000), _ip4(_udp(ANSWER)[24:], fragment=3)]
    yield "fragments-overlap", ETHERNET, [_ethernet(f) for f in overlap]
    yield (
        "tcp",
        ETHERNET,
        [
            _ethernet(_ip4(_tcp(b"", flags=2, seq=0), 6)),
            _ethernet(_ip4(_tcp(stream[:5], seq=1), 6)),
            _ethernet(_ip4(_tcp(stream[5:], seq=6), 6)),
            _ethernet(_ip4(_tcp(b"", flags=0x11, seq=1 + len(stream)), 6)),
        ],
    )
    unreachable = b"\3\3\0\0\0\0\0\0"
    yield "icmp4", ETHERNET, [_ethernet(_ip4(unreachable + plain, 1))]
    yield "icmp6", ETHERNET, [_ethernet(_ip6(b"\1\4\0\0\0\0\0\0" + answer6, 58), 0x86DD)]
    yield "ip-in-ip", ETHERNET, [_ethernet(_ip4(plain, 4))]
    yield "6in4", ETHERNET, [_ethernet(_ip4(answer6, 41))]
    yield "gre", ETHERNET, [_ethernet(_ip4(b"\0\0\x08\0" + plain, 47))]
    yield "gre-keyed", ETHERNET, [_ethernet(_ip4(b"\xb0\0\x65\x58" + bytes(12) + _ethernet(plain), 47))]
    yield (
        "erspan",
        ETHERNET,
        [_ethernet(_ip4(b"\x10\0\x88\xbe\0\0\0\1" + b"\x10\0\0\0\0\0\0\0" + _ethernet(plain), 47))],
    )
    yield "vxlan", ETHERNET, [_ethernet(_ip4(_udp(b"\x08\0\0\0\0\0\1\0" + _ethernet(plain), 9, 4789)))]
    yield (
        "geneve",
        ETHERNET,
        [_ethernet(_ip4(_udp(b"\1\0\x65\x58\0\0\1\0" + bytes(4) + _ethernet(plain), 9, 6081)))],
    )
    yield (
        "gtp-u",
        ETHERNET,
        [_ethernet(_ip4(_udp(b"\x30\xff" + struct.pack("!HI", len(plain), 1) + plain, 9, 2152)))],
    )
    yield "ethernet-padded", ETHERNET, [_ethernet(plain) + bytes(18)]
    yield "lying-length", ETHERNET, [_ethernet(plain[:2] + b"\xff\xff" + plain[4:])]
    yield "cut", ETHERNET, [_ethernet(plain)[:50]]
    nest = plain
    for _ in range(12):
        nest = _ip4(nest, 4)
    yield "deep", ETHERNET, [_ethernet(nest)]
    yield "raw4", RAW_IP, [plain]
    yield "raw6", RAW_IP, [answer6]
    yield "sll", LINUX_SLL, [b"\0\0\0\1\0\6" + bytes(8) + b"\x08\0" + plain]
    yield "sll2", LINUX_SLL2, [b"\x08\0\0\0\0\0\0\2\0\1\0\6" + bytes(8) + plain]
    yield "null", NULL, [b"\2\0\0\0" + plain]
    yield "ppp", PPP, [b"\xff\3\0\x21" + plain]
    wireless = b"\x08\1" + bytes(22) + b"\xaa\xaa\3\0\0\0\x08\0" + plain
    yield "radiotap", IEEE802_11_RADIOTAP, [b"\0\0\x08\0\0\0\0\0" + wireless]
    yield "ppi", PPI, [b"\0\0\x08\0\1\0\0\0" + _ethernet(plain)]


# Capture files --------------------------------------------------------------------------------------------


def _pcap(
    frames: Iterable[bytes], *, order: str = "<", magic: int = 0xA1B2C3D4, link: int = ETHERNET
) -> bytes:
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for number, frame in enumerate(frames):
        out += struct.pack(order + "IIII", 1_700_000_000 + number, 5, len(frame), len(frame))
        if magic == 0xA1B2CD34:
            out += struct.pack(order + "IHBB", 1, 0x0800, 0, 0)
        out += frame
    return out


def _block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def _option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def _pcapng(frames: list[bytes], order: str = "<", clock: bytes = b"\x8a") -> bytes:
    end = bytes(4)
    section = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(1, b"a comment", order) + end
    first = (
        struct.pack(order + "HHI", ETHERNET, 0, 0)
        + _option(2, b"eth0", order)
        + _option(9, b"\x09", order)
        + end
    )
    second = struct.pack(order + "HHI", RAW_IP, 0, 96) + _option(9, clock, order)
    second += _option(14, struct.pack(order + "q", 5), order) + _option(11, b"\0port 53", order) + end
    out = _block(0x0A0D0D0A, section, order) + _block(1, first, order) + _block(1, second, order)
    for frame in frames:
        size = len(frame)
        stamp = struct.pack(order + "IIIII", 0, 0x17979CFE, 0x3B9ACA00, size, size)
        flags = _option(2, struct.pack(order + "I", 1), order) + end
        out += _block(6, stamp + frame + bytes(-size % 4) + flags, order)
        out += _block(3, struct.pack(order + "I", size) + frame, order)
        out += _block(
            2, struct.pack(order + "HHIIII", 1, 0, 0x60000, 5, size - 14, size - 14) + frame[14:], order
        )
    out += _block(5, struct.pack(order + "III", 0, 0x17979CFE, 0) + _option(5, bytes(8), order) + end, order)
    return out + _block(0x0BAD, b"unknown", order)


def files() -> Seeds:
    """Capture files: each format and byte order, and ways in which they are broken."""
    two = [_ethernet(_ip4(_udp(QUERY))), _ethernet(_ip6(_udp(ANSWER, 53, 40000)), 0x86DD)]
    for name, order in (("le", "<"), ("be", ">")):
        yield f"pcap-micro-{name}", _pcap(two, order=order)
        yield f"pcap-nano-{name}", _pcap(two, order=order, magic=0xA1B23C4D)
        yield f"pcap-modified-{name}", _pcap(two, order=order, magic=0xA1B2CD34)
        yield f"pcapng-{name}", _pcapng(two, order)
    yield "pcapng-two-sections", _pcapng(two) + _pcapng(two, ">")
    for clock in (0, 19, 20, 0x7F, 0x80, 0x80 + 33, 0x80 + 34, 0x80 + 62, 0x80 + 63, 0x80 + 64, 0xFF):
        yield f"pcapng-clock-{clock:#x}", _pcapng(two, clock=bytes([clock]))
    yield "pcap-cut", _pcap(two)[:-9]
    yield "pcapng-cut", _pcapng(two)[:-9]
    yield "pcap-empty", _pcap([])
    yield "pcap-huge-record", _pcap([]) + struct.pack("<IIII", 1, 2, 0xFFFFFFFF, 0xFFFFFFFF) + bytes(64)
    yield "pcapng-huge-block", _pcapng([]) + struct.pack("<II", 6, 0xFFFFFFFC) + bytes(64)
    yield "pcapng-tiny-block", _pcapng([]) + struct.pack("<II", 6, 4) + bytes(64)
    yield (
        "pcapng-no-interface",
        _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + _block(6, bytes(24)),
    )
    yield "not-a-capture", b"GET / HTTP/1.1\r\n\r\n"
    for name, link, wrapped in frames():
        yield f"holding-{name}", _pcap(wrapped, link=link)


# TCP ------------------------------------------------------------------------------------------------------

FIN, SYN, RST, ACK = 1, 2, 4, 8
TO_CLIENT = 16


def _segment(payload: bytes = b"", *, flags: int = ACK, step: int = 0, cut: int = 0, gap: int = 1) -> bytes:
    """One segment as streams_target.pyx takes it apart; `step` moves it out of its place in sequence."""
    return struct.pack("!BhBBB", flags, step, len(payload), cut, gap) + payload


def streams() -> Seeds:
    """Conversations over TCP, sound and not."""
    query, answer = (struct.pack("!H", len(m)) + m for m in (QUERY, ANSWER))
    opened = _segment(flags=SYN) + _segment(flags=SYN | ACK | TO_CLIENT)
    closed = _segment(flags=FIN | ACK) + _segment(flags=FIN | ACK | TO_CLIENT)
    yield "whole", opened + _segment(query) + _segment(answer, flags=ACK | TO_CLIENT) + closed
    yield "octet-by-octet", opened + b"".join(_segment(query[i : i + 1]) for i in range(len(query)))
    yield (
        "out-of-order",
        opened + _segment(query[9:], step=9) + _segment(query[:9], step=-len(query)) + closed,
    )
    yield "sent-again", opened + _segment(query) + _segment(query, step=-len(query)) + _segment(query)
    yield "two-in-one", opened + _segment(query + query) + _segment(answer + answer, flags=ACK | TO_CLIENT)
    yield "gap", opened + _segment(query) + _segment(query, step=100) + _segment(query) + closed
    yield "mid-stream", _segment(query) + _segment(answer, flags=ACK | TO_CLIENT)
    yield "cut-by-capture", opened + _segment(query[:20], cut=len(query) - 20) + _segment(query) + closed
    yield "reset", opened + _segment(query[:7]) + _segment(flags=RST | TO_CLIENT)
    yield "refused", _segment(flags=SYN) + _segment(flags=SYN) + _segment(flags=RST | ACK | TO_CLIENT)
    yield "port-used-again", opened + _segment(query) + closed + opened + _segment(query) + closed
    yield "zero-length", opened + _segment(bytes(8)) + _segment(query)
    yield "overlap", opened + _segment(query[:12]) + _segment(b"x" * 12, step=-6) + _segment(query[18:])
    many = b"".join(_segment(query, flags=ACK | (i % 4) << 5, gap=200) for i in range(20))
    yield "four-at-once", many


# Conversations --------------------------------------------------------------------------------------------

A, AAAA, TYPE_DS = 0, 1, 7
SOON, LATER = (1, 0), (6, 4)
"""Delays of 2 microseconds and of 5 seconds, as conversations.py takes them apart."""


def _said(
    client: int,
    server: int,
    *,
    ident: int = 0x11,
    name: int = 0,
    kind: int = A,
    flags: int = 8,
    after: tuple[int, int] = SOON,
    form: int | None = None,
    rcode: int = 0,
    lifetime: int = 7,
    otherwise: int | None = None,
) -> bytes:
    """One step: a query, or where `form` says what is in it a response."""
    who = client | server << 3 | (0 if form is None else 0x40) | (0 if otherwise is None else 0x80)
    answer = (form or 0) << 4 | rcode if otherwise is None else (form or 0) << 4 | otherwise
    return bytes([who, ident, name, kind | flags, answer, *after, lifetime])


def _asked(client: int, server: int, *, form: int = 1, rcode: int = 0, **also: Any) -> bytes:
    """A query and the response to it."""
    query = {key: value for key, value in also.items() if key != "lifetime"}
    return _said(client, server, **query) + _said(client, server, form=form, rcode=rcode, **also)


def conversations() -> Seeds:
    """Stubs, resolvers and servers at what they do every day, and on bad ones."""
    pause = _said(0, 1, otherwise=2, after=LATER)
    both = _said(0, 1) + _said(0, 1, kind=AAAA, ident=0x12)
    yield "both-types", both + _said(0, 1, form=1) + _said(0, 1, form=1, kind=AAAA, ident=0x12)
    yield "serial", _asked(0, 1) + _asked(0, 1, kind=AAAA, ident=0x13)
    yield "never-answered", both + pause * 8
    yield "again-and-over-to-the-next", _said(0, 1) + _said(0, 1, after=LATER) + _asked(0, 2, after=LATER)
    yield (
        "second-answer-lost",
        both + _said(0, 1, form=1) + _said(0, 1, kind=AAAA, ident=0x12, after=LATER) + pause,
    )
    search = b"".join(_asked(0, 1, name=name, form=5, rcode=3, ident=0x20 + name) for name in (1, 2))
    yield "search-list", search + _asked(0, 1, name=0, ident=0x24)
    yield "refused-then-good", _asked(0, 1, form=0, rcode=5) + _asked(0, 2, ident=0x14)
    yield "failing", b"".join(_asked(0, 1 + i % 2, form=0, rcode=2, ident=0x30 + i) for i in range(6))
    yield "without-edns-then", _asked(0, 1, form=0, rcode=1, flags=0x48) + _asked(0, 1, ident=0x15)
    opened = b"".join(_said(0, 1, otherwise=4, form=f, ident=0x51) for f in (None, 0))
    over_tcp = _said(0, 1, otherwise=0, ident=0x51) + _said(0, 1, otherwise=0, ident=0x51, form=12)
    yield "truncated", _asked(0, 1, flags=0x18, form=0) + opened + over_tcp + pause
    yield (
        "truncated-and-shut",
        _asked(0, 1, flags=0x18, form=0) + _said(0, 1, otherwise=4, ident=0x51) + pause * 3,
    )
    yield "unreachable", _said(0, 1) + _said(0, 1, otherwise=1) + _asked(0, 2, ident=0x16)
    yield "late-and-twice", _said(0, 1) + _said(0, 1, form=1, after=LATER) * 2
    yield "nobody-asked", _said(0, 1, form=1) * 2 + _asked(0, 1)
    yield "chase", _asked(0, 1, form=4, name=3) + _asked(0, 1, name=6, ident=0x17)
    yield "without-question", _said(0, 1) + _said(0, 1, form=0, rcode=1, name=0xF0)
    walk = _asked(1, 2, form=6, name=3, flags=0, ident=0x61) + _asked(
        1, 3, form=1, name=3, flags=0x80, ident=0x62
    )
    missed = _said(0, 1, name=3) + walk + _said(0, 1, name=3, form=1)
    yield "miss-then-hit", missed + _asked(0, 1, name=3, lifetime=6, ident=0x18)
    yield "shared-miss", _said(4, 1, name=3) + missed + _said(4, 1, name=3, form=1)
    again = _asked(0, 1, name=3, lifetime=1, ident=0x19) + walk
    yield (
        "fetched-early-then-stale",
        missed + again + pause * 12 + _asked(0, 1, name=3, lifetime=4) + _said(1, 3),
    )
    yield "changed", b"".join(_asked(0, 1 + i % 3, form=1 + i % 2, name=3, ident=0x70 + i) for i in range(8))
    signed = _asked(1, 2, form=10, kind=TYPE_DS, name=7) + _asked(1, 3, form=9, name=3)
    yield "signed", signed + _asked(0, 1, form=0, rcode=2, name=3) + _asked(0, 1, form=1, flags=0x28, name=3)
    yield "one-id-for-all", b"".join(_said(i % 6, 6, name=i % 16, form=i % 3 or None) for i in range(60))
    yield "to-itself", _asked(2, 2) + _asked(6, 7) + _asked(0, 7)
    yield "backwards", _said(0, 1) + _said(0, 1, form=1, after=(0x86, 0)) + _asked(0, 1, after=(0x83, 9))
    yield "every-form", b"".join(_asked(i % 6, 7, form=i, name=i, ident=0x90 + i) for i in range(16))


# The table ------------------------------------------------------------------------------------------------


def _walk() -> Seeds:
    for name, link, wrapped in frames():
        yield name, _of_frames(link, wrapped)
    yield (
        "everything",
        _of_frames(ETHERNET, [f for _, link, wrapped in frames() if link == ETHERNET for f in wrapped]),
    )


MADE: dict[str, Callable[[], Seeds]] = {
    "framing": files,
    "walk": _walk,
    "streams": streams,
    "message": messages,
    "conversations": conversations,
    "pipeline": files,
}


def of(target: str) -> Seeds:
    """Give the seeds of one target: those made here, then inputs kept because they once failed."""
    yield from MADE[target]()
    for path in sorted((HERE / "once-failed" / target).glob("*")):
        yield f"once-failed-{path.name}", path.read_bytes()


# Real captures --------------------------------------------------------------------------------------------


def shared_captures() -> list[Path]:
    """List the shared captures of a kind that the seeds can be taken from; none where they are absent."""
    told = os.environ.get("DNSCAP_SHARED")
    shared = Path(told) if told else HERE.parent.parent.parent / "shared"
    return sorted(p for p in shared.glob("captures/**/*") if p.suffix in {".pcap", ".pcapng", ".cap"})


def from_captures(target: str, captures: list[Path], most: int = 400) -> Seeds:
    """Turn the beginnings of real captures into seeds of `target`."""
    for path in captures[:most]:
        octets = path.read_bytes()[: 1 << 16]
        name = f"capture-{path.parent.name}-{path.stem}"[:120]
        if target in ("framing", "pipeline"):
            yield name, octets
        elif target in ("walk", "message"):
            link, some = _frames_of(octets)
            if target == "walk" and some:
                yield name, _of_frames(link, some)
            elif target == "message":
                for number, payload in enumerate(filter(None, map(_udp_payload, some))):
                    yield f"{name}-{number}", payload


def _frames_of(octets: bytes, most: int = 12) -> tuple[int, list[bytes]]:
    """Read the first frames of a classic pcap file; nothing of other kinds."""
    order = {
        b"\xd4\xc3\xb2\xa1": "<",
        b"\x4d\x3c\xb2\xa1": "<",
        b"\xa1\xb2\xc3\xd4": ">",
        b"\xa1\xb2\x3c\x4d": ">",
    }
    if len(octets) < 24 or octets[:4] not in order:
        return 0, []
    link = struct.unpack_from(order[octets[:4]] + "I", octets, 20)[0] & 0xFFFF

    def walk() -> Iterator[bytes]:
        at = 24
        while at + 16 <= len(octets):
            size = struct.unpack_from(order[octets[:4]] + "I", octets, at + 8)[0]
            if size > 0xFFFF:
                return
            yield octets[at + 16 : at + 16 + size]
            at += 16 + size

    return link, list(islice(walk(), most))


def _udp_payload(frame: bytes) -> bytes | None:
    """Give what follows the UDP header of an Ethernet frame with plain IPv4."""
    if len(frame) < 42 or frame[12:15] != b"\x08\x00\x45" or frame[23] != 17:
        return None
    return frame[42:] if 53 in struct.unpack_from("!HH", frame, 34) else None
