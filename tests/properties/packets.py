"""Packets and captures made with nothing but struct."""

from __future__ import annotations

import ipaddress
import itertools
import struct
from collections.abc import Iterable, Sequence

SECOND = 10**9
START = 1_700_000_000 * SECOND
CLIENT4, SERVER4 = "192.0.2.1", "198.51.100.53"
CLIENT6, SERVER6 = "2001:db8::1", "2001:db8::53"
MACS = bytes.fromhex("020000000002020000000001")
SYN, ACK, PSH, FIN = 2, 16, 8, 1


def ethernet(packet: bytes) -> bytes:
    return MACS + (b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet


def ip4(body: bytes, protocol: int, more: int = 0, number: int = 0) -> bytes:
    addresses = ipaddress.IPv4Address(CLIENT4).packed + ipaddress.IPv4Address(SERVER4).packed
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), number, more, 64, protocol, 0) + addresses + body


def ip6(body: bytes, protocol: int) -> bytes:
    addresses = ipaddress.IPv6Address(CLIENT6).packed + ipaddress.IPv6Address(SERVER6).packed
    return struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + addresses + body


def udp(payload: bytes, sport: int = 40000, dport: int = 53) -> bytes:
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def udp4(payload: bytes, sport: int = 40000, dport: int = 53) -> bytes:
    return ethernet(ip4(udp(payload, sport, dport), 17))


def udp6(payload: bytes, sport: int = 40000, dport: int = 53) -> bytes:
    return ethernet(ip6(udp(payload, sport, dport), 17))


def fragments4(payload: bytes, size: int, number: int = 7, sport: int = 40000) -> list[bytes]:
    """A UDP datagram in IPv4 fragments of `size` octets, a multiple of eight."""
    whole = udp(payload, sport)
    frames = []
    for at in range(0, len(whole), size):
        more = at // 8 | (0x2000 if at + size < len(whole) else 0)
        frames.append(ethernet(ip4(whole[at : at + size], 17, more, number)))
    return frames


def tcp4(payload: bytes, sequence: int, flags: int, sport: int = 40000, dport: int = 53) -> bytes:
    head = struct.pack("!HHIIBBHHH", sport, dport, sequence & 0xFFFFFFFF, 1, 5 << 4, flags, 65535, 0, 0)
    return ethernet(ip4(head + payload, 6))


def stream4(messages: Iterable[bytes], cuts: Sequence[int] = (), sport: int = 40000) -> list[bytes]:
    """A connection that carries messages in segments cut at the given offsets of the stream."""
    start = 1000
    octets = b"".join(struct.pack("!H", len(message)) + message for message in messages)
    edges = sorted({0, len(octets), *(cut % (len(octets) + 1) for cut in cuts)})
    frames = [tcp4(b"", start - 1, SYN, sport)]
    for begin, end in itertools.pairwise(edges):
        for at in range(begin, end, 1400):
            frames.append(tcp4(octets[at : min(at + 1400, end)], start + at, ACK | PSH, sport))
    return [*frames, tcp4(b"", start + len(octets), ACK | FIN, sport)]


def pcap(frames: Iterable[bytes], link: int = 1, order: str = "<", step: int = 1_000_000) -> bytes:
    """A pcap file with nanoseconds, frames `step` nanoseconds apart."""
    parts = [struct.pack(order + "IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, link)]
    for number, frame in enumerate(frames):
        seconds, rest = divmod(START + number * step, SECOND)
        parts += [struct.pack(order + "IIII", seconds, rest, len(frame), len(frame)), frame]
    return b"".join(parts)


def pcapng(frames: Iterable[bytes], link: int = 1, order: str = "<", step: int = 1_000_000) -> bytes:
    """A pcapng file of one section and interface, with nanoseconds."""
    resolution = struct.pack(order + "HHB3xHH", 9, 1, 9, 0, 0)
    parts = [
        _block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order),
        _block(1, struct.pack(order + "HHI", link, 0, 262_144) + resolution, order),
    ]
    for number, frame in enumerate(frames):
        time = START + number * step
        head = struct.pack(order + "IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame))
        parts.append(_block(6, head + frame, order))
    return b"".join(parts)


def _block(kind: int, body: bytes, order: str) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length
