"""Captures moved to another place in the net and in time, and shuffled into one."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from tests.exchanges.traffic import query, response

Packet = tuple[int, bytes, int]
"""Nanoseconds, octets, octets on the wire."""

ETHERNET = 1
ADDRESS = {0x0800: (12, 4, 20), 0x86DD: (8, 16, 40)}
"""Where the addresses of an IP header are, how long, and where the header ends."""

PREFIXES = {4: (b"\x0a\x35", b"\x0b\x35"), 16: (b"\xfd\x53", b"\xfc\x53")}
"""How addresses of the lab begin, and how they do when they are moved."""

CLIENTS = {4: (b"\x0a\x35", range(10, 120)), 16: (b"\xfd\x53\x00\x01" + bytes(11), range(0x10, 0x11))}
"""Which of them are clients: how they begin, and the octets at the end."""

SECOND = 10**9


def packets_of(octets: bytes) -> tuple[int, list[Packet]]:
    """Link type and packets of a pcap file in the byte order of this machine."""
    unit = 1 if octets[:4] == b"\x4d\x3c\xb2\xa1" else 1000
    packets, at = [], 24
    while at + 16 <= len(octets):
        seconds, part, size, wire = struct.unpack_from("<IIII", octets, at)
        packets.append((seconds * SECOND + part * unit, octets[at + 16 : at + 16 + size], wire))
        at += 16 + size
    return int.from_bytes(octets[20:24], "little"), packets


def capture_of(link: int, packets: Iterable[Packet]) -> bytes:
    """A pcap file in nanoseconds."""
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link)]
    for time, octets, wire in packets:
        parts.append(struct.pack("<IIII", time // SECOND, time % SECOND, len(octets), wire) + octets)
    return b"".join(parts)


def moved(octets: bytes, *, clients_only: bool = False) -> bytes:
    """The Ethernet frame with the addresses of its headers in another network: all of them, or those of clients."""
    frame = bytearray(octets)
    if len(frame) < 14:
        return octets
    kind, at = int.from_bytes(frame[12:14], "big"), 14
    if kind == 0x0806 and len(frame) >= 42:
        for place in (28, 38):
            _move(frame, place, 4, clients_only)
    else:
        _move_headers(frame, at, kind, clients_only)
    return bytes(frame)


def _move(frame: bytearray, at: int, size: int, clients_only: bool) -> None:
    before, after = PREFIXES[size]
    address = bytes(frame[at : at + size])
    if len(address) == size and address.startswith(before) and (_client(address) or not clients_only):
        frame[at : at + len(before)] = after


def _client(address: bytes) -> bool:
    start, ends = CLIENTS[len(address)]
    return address.startswith(start) and address[-1] in ends


def _move_headers(frame: bytearray, at: int, kind: int, clients_only: bool, *, quoted: bool = False) -> None:
    if kind not in ADDRESS:
        return
    first, size, end = ADDRESS[kind]
    for place in (first, first + size):
        _move(frame, at + place, size, clients_only)
    if quoted or at + end + 8 > len(frame):
        return
    protocol = frame[at + (9 if kind == 0x0800 else 6)]
    inner = at + (4 * (frame[at] & 15) if kind == 0x0800 else end)
    if protocol in (1, 58) and frame[inner] in ((3, 11) if protocol == 1 else (1, 2, 3)):
        _move_headers(frame, inner + 8, kind, clients_only, quoted=True)
    elif protocol == 58 and frame[inner] in (135, 136):
        _move(frame, inner + 8, 16, clients_only)


def udp_frame(message: bytes, *, port: int, answer: bool) -> bytes:
    """A query of a host outside of the lab to a server there, or the response."""
    ends = bytes([192, 0, 2, 7]), bytes([192, 0, 2, 53])
    ports = port, 53
    if answer:
        ends, ports = ends[::-1], ports[::-1]
    udp = struct.pack("!HHHH", *ports, 8 + len(message), 0) + message
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, *ends)
    return b"\x02\0\0\0\0\7\x02\0\0\0\0\5\x08\0" + ip + udp


def bystander(begin: int, end: int) -> list[Packet]:
    """Two lookups of a host that is no part of what is compared: all captures begin and end with them alike."""
    packets = []
    for number, time in enumerate((begin, end)):
        message = query(f"edge{number}.example.net", id=4000 + number)
        for answer, wire in ((False, message.to_wire()), (True, response(message).to_wire())):
            frame = udp_frame(wire, port=50000 + number, answer=answer)
            packets.append((time + answer * 500_000, frame, len(frame)))
    return packets


def shuffled(*parts: list[Packet]) -> list[Packet]:
    """All packets in order of time; of one time, those of the first part first."""
    return sorted((packet for part in parts for packet in part), key=lambda packet: packet[0])


def shifted(packets: list[Packet], nanoseconds: int) -> list[Packet]:
    """The same packets at another time."""
    return [(time + nanoseconds, octets, wire) for time, octets, wire in packets]


def facts(
    rows: Iterable[dict[str, Any]], *, apart_from: tuple[str, ...] = ()
) -> list[tuple[tuple[str, str], ...]]:
    """What is said of lookups, the bystander's left out, in an order of its own."""
    return sorted(
        tuple((key, str(value)) for key, value in row.items() if key not in ("lookup", *apart_from))
        for row in rows
        if not str(row["client"]).startswith("192.0.2.")
    )
