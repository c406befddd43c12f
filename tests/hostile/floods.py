"""Captures of very many frames, made with numpy as fast as they are read."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

Octets = npt.NDArray[np.uint8]

START = 1_700_000_000
HEADER = struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 101)  # nanoseconds, raw IP


def capture(packets: Octets, per_second: int = 1_000_000) -> bytes:
    """A pcap file of packets of one size, a row each."""
    count, size = packets.shape
    records = np.zeros((count, 16 + size), np.uint8)
    numbers = np.arange(count, dtype=np.uint64)
    head = np.empty((count, 4), "<u4")
    head[:, 0] = START + numbers // np.uint64(per_second)
    head[:, 1] = numbers % np.uint64(per_second) * np.uint64(1_000_000_000 // per_second)
    head[:, 2:] = size
    records[:, :16] = head.view(np.uint8)
    records[:, 16:] = packets
    return HEADER + records.tobytes()


def rows(count: int, packet: bytes) -> Octets:
    """The same packet again and again, to be changed by column."""
    return np.tile(np.frombuffer(packet, np.uint8), (count, 1))


def put(packets: Octets, at: int, numbers: npt.NDArray[np.generic], width: int) -> None:
    """Write a number of `width` octets into each packet, most significant octet first."""
    packets[:, at : at + width] = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - width :]


def ip4(protocol: int, body: bytes, number: int = 0, fragment: int = 0) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), number, fragment, 64, protocol, 0)
    return head + bytes((10, 0, 0, 1, 10, 0, 0, 2)) + body


def udp(payload: bytes) -> bytes:
    return ip4(17, struct.pack("!HHHH", 40000, 53, 8 + len(payload), 0) + payload)


def tcp(payload: bytes, flags: int, sequence: int = 1) -> bytes:
    return ip4(6, struct.pack("!HHIIBBHHH", 40000, 53, sequence, 1, 0x50, flags, 65535, 0, 0) + payload)


def query(name: bytes, number: int = 1, records: bytes = b"", answers: int = 0) -> bytes:
    """A message whose question has the wire name `name`."""
    flags = 0x8180 if answers else 0x0100
    return struct.pack("!6H", number, flags, 1, answers, 0, 0) + name + struct.pack("!HH", 1, 1) + records


def connections(count: int) -> bytes:
    """Connections that each open, send the beginning of a message, and fall silent."""
    opened = rows(count, tcp(b"", 2, 0))
    started = rows(count, tcp(b"\x00\x40" + bytes(14), 24))
    numbers = np.arange(count)
    for packets in (opened, started):
        put(packets, 12, (10 << 24) + 256 + numbers // 60000, 4)
        put(packets, 20, 1024 + numbers % 60000, 2)
    return capture(opened) + capture(started)[len(HEADER) :]


def fragments(count: int) -> bytes:
    """First fragments of datagrams on port 53 that never end."""
    packets = rows(count, ip4(17, struct.pack("!HHHH", 53, 40000, 4000, 0) + bytes(120), fragment=0x2000))
    numbers = np.arange(count)
    put(packets, 4, numbers & 0xFFFF, 2)
    put(packets, 12, (10 << 24) + numbers // 65536, 4)
    return capture(packets)


def random_names(count: int, *, answers: bool) -> bytes:
    """Messages that ask for, and perhaps answer with, names of which none comes twice."""
    record = b"\x0cr000000000000\xc0\x19"[:0]
    if answers:
        record = b"\x08r0000000\xc0\x15" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes((192, 0, 2, 1))
    packets = rows(count, udp(query(b"\x08q0000000\x04test\x00", records=record, answers=int(answers))))
    digits = np.frombuffer(b"".join(b"%07d" % n for n in range(count)), np.uint8).reshape(count, 7)
    question = 20 + 8 + 12 + 2
    packets[:, question : question + 7] = digits
    if answers:
        owner = question + 7 + 6 + 4 + 2
        packets[:, owner : owner + 7] = digits
    put(packets, 28, np.arange(count) & 0xFFFF, 2)
    return capture(packets)
