"""Conversations of DNS hosts as scripts of eight octets a step, and the captures they come to.

Few hosts, names and ids, so that steps meet: what one sends is answered, repeated, overtaken or left alone
by another.  A host may be client and server at once, as resolvers are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

STEP = 8
"""Octets of a step: who, id and port, name, flags, answer, delay (two), lifetime."""

RESPONSE, OTHERWISE = 0x40, 0x80
TCP, UNREACHABLE, PAUSE, FRAGMENT = range(4)
"""What a step with OTHERWISE is, by the lowest two bits of its answer octet."""

RECURSE, TRUNCATED, CHECKING_OFF, EDNS, AUTHORITY = 0x08, 0x10, 0x20, 0x40, 0x80
"""Bits of the flags octet, above three bits for the type."""

TYPES = (1, 28, 65, 12, 33, 2, 16, 48)
LIFETIMES = (0, 1, 2, 5, 30, 59, 60, 300, 600, 3600, 7200, 86400, 604800, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
DELAYS = (0, 1_000, 100_000, 1_000_000, 20_000_000, 300_000_000, 1_000_000_000, 5_000_000_000)
"""Units of a delay in nanoseconds; its other octet counts them."""

BEGAN = 1_700_000_000 * 10**9
LONGEST = 10 * 24 * 3600 * 10**9
"""Nanoseconds from the first step to the last, at most."""


def _wire(name: str) -> bytes:
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


NAMES = tuple(
    _wire(name)
    for name in (
        "db",
        "db.corp.example",
        "db.example",
        "www.example",
        "www.example.corp.example",
        "a.www.example",
        "cdn.test",
        "example",
        "corp.example",
        "test",
        "",
        "ns.example",
        "ns.cdn.test",
        "1.2.0.192.in-addr.arpa",
        "_dns._tcp.example",
        "WwW.eXample",
    )
)


@dataclass(slots=True)
class _Talk:
    """What has been said so far, as far as later steps depend on it."""

    now: int
    sent: dict[tuple[int, int], bytes] = field(default_factory=dict)
    at: dict[tuple[bytes, bytes], int] = field(default_factory=dict)


def _address(host: int) -> bytes:
    return bytes([10, 0, 0, 1 + host]) if host < 6 else bytes.fromhex("fd00") + bytes(13) + bytes([host])


def _packet(source: int, target: int, protocol: int, payload: bytes, fragment: int = 0) -> bytes:
    ours, theirs = _address(source), _address(target)
    if len(ours) != len(theirs):  # one address of each kind: both as IPv6
        ours, theirs = (a if len(a) == 16 else bytes(10) + b"\xff\xff" + a for a in (ours, theirs))
    if len(ours) == 16:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + ours + theirs + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 9, fragment, 64, protocol, 0)
    return head + ours + theirs + payload


def _record(owner: bytes, kind: int, ttl: int, rdata: bytes) -> bytes:
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(rdata)) + rdata


def _sections(form: int, kind: int, name: int, ttl: int) -> tuple[tuple[int, int, int], bytes]:
    """Records of an answer by its form, 0 to 15, with how many each section has."""
    other, asked = NAMES[(name + 3) % len(NAMES)], b"\xc0\x0c"
    address = {1: bytes([192, 0, 2, form]), 28: bytes(15) + bytes([form])}.get(kind, b"\x03abc")
    alias = _record(asked, 5, ttl, other)
    soa = other + other + struct.pack("!5I", 1, 7200, 900, 1209600, ttl & 0xFFFF)
    signature = struct.pack("!HBBIIIH", kind, 13, 2, 300, 1_700_100_000, 1_699_900_000, 7) + other + bytes(8)
    match form:
        case 0:
            return (0, 0, 0), b""
        case 1 | 2:
            return (1, 0, 0), _record(asked, kind, ttl, address)
        case 3:
            return (2, 0, 0), alias + _record(other, kind, ttl, address)
        case 4:
            return (1, 0, 0), alias
        case 5:
            return (0, 1, 0), _record(other, 6, ttl, soa)
        case 6:
            glue = _record(NAMES[11], 1, ttl, bytes([10, 0, 0, 1 + name % 6]))
            return (0, 1, 1), _record(other, 2, ttl, NAMES[11]) + glue
        case 7:
            return (0, 2, 0), _record(other, 2, ttl, NAMES[11]) + _record(other, 2, ttl, NAMES[12])
        case 8:
            return (3, 0, 0), b"".join(
                _record(asked, kind, ttl ^ i, address[:-1] + bytes([i])) for i in range(3)
            )
        case 9:
            return (2, 0, 0), _record(asked, kind, ttl, address) + _record(asked, 46, ttl, signature)
        case 10:
            return (1, 1, 0), _record(asked, 43, ttl, b"\0\7\x0d\2" + bytes(32)) + _record(
                other, 2, ttl, other
            )
        case 11:
            return (2, 0, 0), alias + _record(other, 5, ttl, NAMES[name])
        case 12:
            return (40, 0, 0), b"".join(_record(asked, 1, ttl, bytes([192, 0, 2, i])) for i in range(40))
        case 13:
            return (1, 0, 0), _record(asked, kind, ttl, address)[:-2]
        case 14:
            return (0, 1, 0), _record(other, 47, ttl, other + b"\0\6\x40\1\0\0\0\3")
    return (1, 1, 1), _record(asked, kind, ttl, address) * 3


def _message(step: bytes) -> bytes:
    _, ident, name, flags, answer, _, _, lifetime = step
    response = bool(step[0] & RESPONSE)
    bits = (0x0100 if flags & RECURSE else 0) | (0x0010 if flags & CHECKING_OFF else 0)
    counts, records = (0, 0, 0), b""
    if response:
        bits |= 0x8000 | (0x0080 if flags & RECURSE else 0) | (0x0400 if flags & AUTHORITY else 0)
        bits |= (0x0200 if flags & TRUNCATED else 0) | answer & 0x0F
        kind = TYPES[flags & 7]
        counts, records = _sections(answer >> 4, kind, name & 0x0F, LIFETIMES[lifetime & 0x0F])
    options = _record(b"\0", 41, 0, b"") if flags & EDNS else b""
    questions = 0 if name & 0xF0 == 0xF0 else 1
    head = struct.pack("!6H", ident & 0x0F, bits, questions, *counts[:2], counts[2] + bool(options))
    question = NAMES[name & 0x0F] + struct.pack("!HH", TYPES[flags & 7], 1) if questions else b""
    return head + question + records + options


def frames(script: bytes, began: int = BEGAN) -> Iterator[tuple[int, bytes | None]]:
    """Time in nanoseconds and octets of each frame, raw IP; None in their place where time only passes."""
    talk = _Talk(began)
    for start in range(0, len(script) - STEP + 1, STEP):
        step = script[start : start + STEP]
        who, ident, _, _, answer, unit, count, _ = step
        delay = DELAYS[unit & 7] * (count + 1)
        talk.now = min(talk.now + (-(delay % 10**9) if unit & 0x80 else delay), began + LONGEST)
        one, other = who & 7, who >> 3 & 7
        source, target = (other, one) if who & RESPONSE else (one, other)
        port = 40_000 + (ident >> 4)
        ports = (53, port) if who & RESPONSE else (port, 53)
        if who & OTHERWISE and answer & 3 == PAUSE:
            yield talk.now, None
        elif who & OTHERWISE and answer & 3 == UNREACHABLE:
            quoted = talk.sent.get((one, other), b"")
            kind = b"\3\3\0\0" if quoted[:1] == b"\x45" else b"\1\4\0\0"
            protocol = 1 if quoted[:1] == b"\x45" else 58
            yield talk.now, _packet(other, one, protocol, kind + bytes(4) + quoted)
        elif who & OTHERWISE and answer & 3 == TCP:
            yield talk.now, _segment(talk, source, target, ports, step)
        else:
            message = _message(step)
            cut = who & OTHERWISE and answer & 3 == FRAGMENT
            datagram = struct.pack("!4H", *ports, 8 + len(message), 0) + message
            payload = datagram[: max(8, len(datagram) // 16 * 8)] if cut else datagram
            packet = _packet(source, target, 17, payload, 0x2000 if cut else 0)
            if not who & RESPONSE:
                talk.sent[one, other] = packet
            yield talk.now, packet


def _segment(talk: _Talk, source: int, target: int, ports: tuple[int, int], step: bytes) -> bytes:
    """A segment of a conversation over TCP: its beginning, a message, or its end, as the answer octet says."""
    message = _message(step)
    flags, payload = (
        (0x18, struct.pack("!H", len(message)) + message),
        (0x02, b""),
        (0x11, b""),
        (0x14, b""),
    )[step[4] >> 2 & 3]
    if flags == 0x02 and step[0] & RESPONSE:
        flags = 0x12
    way = struct.pack("!BH", source, ports[0]), struct.pack("!BH", target, ports[1])
    sequence = talk.at.get(way, 1)
    talk.at[way] = (sequence + len(payload) + (flags & 3 != 0)) & 0xFFFFFFFF
    acknowledged = talk.at.get((way[1], way[0]), 1)
    head = struct.pack("!HHIIBBHHH", *ports, sequence, acknowledged, 0x50, flags, 1024, 0, 0)
    return _packet(source, target, 6, head + payload)


def captures(script: bytes, began: int = BEGAN) -> Iterator[tuple[bytes, int | None]]:
    """Capture files, one for each stretch between two pauses, and when the pause after it ends."""
    header = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101)
    packets: list[bytes] = []
    for time, octets in frames(script, began):
        if octets is None:
            yield header + b"".join(packets), time
            packets = []
        else:
            seconds, part = divmod(time, 10**9)
            packets.append(struct.pack("<IIII", seconds, part, len(octets), len(octets)) + octets)
    yield header + b"".join(packets), None
