"""Captures of every interface of a node that translates addresses, made packet by packet."""

from __future__ import annotations

import struct

import dns.message
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Raw

SECOND = 10**9
POD, SERVICE = "10.244.1.7", "10.96.0.10"
NODE, RESOLVER = "192.0.2.20", "192.0.2.53"
INSIDE, BRIDGE, OUTSIDE = 5, 3, 2
"""Interfaces: the pod's, the bridge it is plugged into, the network card."""
IN, OUT = 0, 4


class Node:
    """What `tcpdump -i any` sees on a node between pods and a resolver."""

    def __init__(
        self, *, pod: str = POD, service: str = SERVICE, node: str = NODE, port: int = 40000
    ) -> None:
        self.inner = (pod, port, service, 53)
        self.outer = (node, port + 1000, RESOLVER, 53)
        self.packets: list[tuple[int, bytes]] = []
        self.sequence: dict[object, int] = {}

    def see(
        self, time: float, interface: int, kind: int, ends: tuple[str, int, str, int], ttl: int, body: bytes
    ) -> Node:
        """A datagram, or a segment where `body` begins with its flags and sequence number."""
        src, sport, dst, dport = ends
        packet = IP(src=src, dst=dst, ttl=ttl, id=0) / UDP(sport=sport, dport=dport) / Raw(body)
        return self.frame(time, interface, kind, bytes(packet))

    def frame(self, time: float, interface: int, kind: int, packet: bytes) -> Node:
        head = struct.pack(">HHIHBB8s", 0x0800, 0, interface, 1, kind, 6, bytes([2, 0, 0, 0, 0, interface]))
        self.packets.append((round(time * SECOND), head + packet))
        return self

    def query(self, time: float, message: dns.message.Message, *, passed: bool = True) -> Node:
        """A query of the pod; it goes out with other addresses if it is `passed` on."""
        wire = message.to_wire()
        self.see(time, INSIDE, IN, self.inner, 64, wire)
        self.see(time + 2e-6, BRIDGE, IN, self.inner, 64, wire)
        if passed:
            self.see(time + 20e-6, OUTSIDE, OUT, self.outer, 63, wire)
        return self

    def response(self, time: float, message: dns.message.Message | bytes, *, passed: bool = True) -> Node:
        """What the resolver says; it comes to the pod if it is `passed` on."""
        wire = message if isinstance(message, bytes) else message.to_wire()
        self.see(time, OUTSIDE, IN, back(self.outer), 61, wire)
        if passed:
            self.see(time + 20e-6, BRIDGE, OUT, back(self.inner), 60, wire)
            self.see(time + 22e-6, INSIDE, OUT, back(self.inner), 60, wire)
        return self

    def segment(
        self, time: float, flags: str, message: dns.message.Message | None = None, *, answer: bool = False
    ) -> Node:
        """A segment of a connection of the pod, or the resolver's `answer`, on both sides of the translation."""
        data = b"" if message is None else message.to_wire()
        data = struct.pack(">H", len(data)) + data if data else b""
        number, other = self.sequence.get(answer, 1000), self.sequence.get(not answer, 1000)
        self.sequence[answer] = number + len(data) + ("S" in flags) + ("F" in flags)
        sides = [(INSIDE, IN, self.inner, 64), (OUTSIDE, OUT, self.outer, 63)]
        if answer:
            sides = [(OUTSIDE, IN, back(self.outer), 61), (INSIDE, OUT, back(self.inner), 60)]
        for step, (interface, kind, (src, sport, dst, dport), ttl) in enumerate(sides):
            tcp = TCP(sport=sport, dport=dport, flags=flags, seq=number, ack=other)
            packet = IP(src=src, dst=dst, ttl=ttl, id=0) / tcp / Raw(data)
            self.frame(time + step * 20e-6, interface, kind, bytes(packet))
        return self

    def octets(self, *others: Node) -> bytes:
        """The capture as a pcap file with nanosecond times, with what `others` saw there too."""
        parts = [struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 276)]
        packets = [*self.packets, *(packet for other in others for packet in other.packets)]
        for time, packet in sorted(packets, key=lambda row: row[0]):
            parts.append(
                struct.pack("<IIII", time // SECOND, time % SECOND, len(packet), len(packet)) + packet
            )
        return b"".join(parts)


def back(ends: tuple[str, int, str, int]) -> tuple[str, int, str, int]:
    """The same end points in the other direction."""
    return ends[2:] + ends[:2]
