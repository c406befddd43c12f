"""Packets of a scapy session as an input: written as pcapng in memory, one interface a link type."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable
from typing import Any


def as_inputs(inputs: Any) -> Any:
    """Replace scapy packets or packet lists by the octets of a capture; anything else is left alone."""
    base = sys.modules.get("scapy.packet")
    if base is None:  # nobody can hold a scapy packet who has not imported scapy
        return inputs
    if isinstance(inputs, base.Packet):
        return to_pcapng([inputs])
    if isinstance(inputs, (str, bytes, bytearray, memoryview)) or not isinstance(inputs, Iterable):
        return inputs
    plist = sys.modules.get("scapy.plist")
    if plist is not None and isinstance(inputs, plist.PacketList):
        return to_pcapng(inputs)
    if isinstance(inputs, (list, tuple)) and inputs and all(isinstance(item, base.Packet) for item in inputs):
        return to_pcapng(inputs)
    return inputs


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def to_pcapng(packets: Iterable[Any]) -> bytes:
    """Octets of a pcapng file with nanosecond stamps that holds scapy packets."""
    from scapy.config import conf

    links: dict[int, int] = {}
    out = [_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    for packet in packets:
        link = int(conf.l2types.layer2num.get(type(packet), 101))
        if link not in links:
            links[link] = len(links)
            resolution = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
            out.append(_block(1, struct.pack("<HHI", link, 0, 0) + resolution))
        octets = bytes(packet)
        seconds = packet.time
        stamp = int(seconds) * 10**9 + int((seconds - int(seconds)) * 10**9)
        wire = max(getattr(packet, "wirelen", None) or 0, len(octets))
        head = struct.pack(
            "<IIIII", links[link], stamp >> 32 & 0xFFFFFFFF, stamp & 0xFFFFFFFF, len(octets), wire
        )
        out.append(_block(6, head + octets))
    return b"".join(out)
