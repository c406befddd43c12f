"""From columns to a capture file: headers, lengths and checksums of many packets at once."""

from __future__ import annotations

import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from traffic.events import ICMP, TCP, UDP, Numbers, Pool, Traffic

CHUNK = 60_000  # packets in hand at a time
SNAPLEN = 262_144
LINK_TYPES = {"ethernet": 1, "raw": 101, "sll": 113, "sll2": 276}
ETHERTYPES = {4: 0x0800, 6: 0x86DD, 0: 0x0806}
IP4 = bytes.fromhex("4500000000004000400000000000000000000000")
IP6 = bytes.fromhex("6000000000000040") + b"\0" * 32
TRANSPORTS = {UDP: b"\0" * 8, TCP: b"\0" * 12 + b"\x50\0\xff\xff\0\0\0\0", ICMP: b""}
# Each packet is six slices of the pool, in this order.
RECORD, LINK, NETWORK, BODY, OPTIONS, TRAILER = range(6)


def link_header(link_type: str, ethertype: int) -> bytes:
    """Link-layer header in front of a packet of this type."""
    address = bytes.fromhex("020000000001")
    if link_type == "ethernet":
        return address + bytes.fromhex("02000000000a") + struct.pack(">H", ethertype)
    if link_type == "sll":
        return struct.pack(">HHH8sH", 0, 1, 6, address, ethertype)
    if link_type == "sll2":
        return struct.pack(">HHIHBB8s", ethertype, 0, 2, 1, 0, 6, address)
    return b""


def folded(total: Numbers) -> Numbers:
    """The Internet checksum (RFC 1071) of a sum of 16-bit words."""
    for _ in range(3):
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


class Chunk:
    """Octets of some packets, one after another, with ways to write into all of them at once."""

    def __init__(self, pool: NDArray[np.uint8], starts: Numbers, sizes: Numbers) -> None:
        flat = sizes.ravel()
        places = np.cumsum(flat) - flat
        self.octets = pool[np.arange(int(flat.sum())) + np.repeat(starts.ravel() - places, flat)]
        self.places = places.reshape(sizes.shape)

    def put(
        self, at: Numbers, value: Numbers | int, octets: int, where: NDArray[np.bool_] | None = None
    ) -> None:
        """Write an integer a packet, most significant octet first."""
        values = np.broadcast_to(np.asarray(value), at.shape)
        if where is not None:
            at, values = at[where], values[where]
        for k in range(octets):
            self.octets[at + k] = (values >> 8 * (octets - 1 - k)) & 0xFF

    def put_little(self, at: Numbers, value: Numbers) -> None:
        """Write four octets a packet, least significant octet first."""
        for k in range(4):
            self.octets[at + k] = (value >> 8 * k) & 0xFF

    def sums(self, start: Numbers, end: Numbers) -> Numbers:
        """Sum of the 16-bit words of a range a packet, whether it begins at an even or an odd place."""
        odd = np.arange(len(self.octets)) & 1
        halves = []
        for parity in (0, 1):
            running = np.zeros(len(self.octets) + 1, np.int64)
            np.cumsum(np.where(odd == parity, self.octets, 0), out=running[1:])
            halves.append(
                running[np.minimum(end, len(self.octets))] - running[np.minimum(start, len(self.octets))]
            )
        even_sum, odd_sum = halves
        return np.where(start & 1, odd_sum * 256 + even_sum, even_sum * 256 + odd_sum)


class Writer:
    """Writes simulated traffic as pcap or pcapng."""

    def __init__(
        self, traffic: Traffic, seed: int, start: int, pcapng: bool, nanoseconds: bool, link_type: str
    ) -> None:
        self.traffic, self.start = traffic, start
        self.pcapng, self.nanoseconds, self.link_type = pcapng, nanoseconds, link_type
        self.rng = np.random.default_rng(seed + 1)
        pool: Pool = traffic.pool
        self.links = {family: pool.add(link_header(link_type, kind)) for family, kind in ETHERTYPES.items()}
        self.link_size = len(link_header(link_type, 0))
        self.headers = {
            family * 100 + protocol: (pool.add(header + transport), len(header + transport))
            for family, header in ((4, IP4), (6, IP6))
            for protocol, transport in TRANSPORTS.items()
        }
        self.record_size = 28 if pcapng else 16
        self.record = pool.add(b"\6\0\0\0" + b"\0" * 24 if pcapng else b"\0" * 16)
        self.trailer = pool.add(b"\0" * 8)
        self.pool = np.frombuffer(bytes(pool.octets), np.uint8)
        words = traffic.addresses.reshape(-1, 8, 2).astype(np.int64)
        self.address_sums = (words[:, :, 0] * 256 + words[:, :, 1]).sum(1)

    def write(self, file: BinaryIO) -> None:
        """Write the whole file."""
        file.write(self._file_header())
        columns = self.traffic.columns
        for first in range(0, len(columns["time"]), CHUNK):
            file.write(self._chunk({name: c[first : first + CHUNK] for name, c in columns.items()}))

    def _file_header(self) -> bytes:
        link = LINK_TYPES[self.link_type]
        if not self.pcapng:
            magic = 0xA1B23C4D if self.nanoseconds else 0xA1B2C3D4
            return struct.pack("<IHHiIII", magic, 2, 4, 0, 0, SNAPLEN, link)
        section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        resolution = struct.pack("<HHB3xHH", 9, 1, 9 if self.nanoseconds else 6, 0, 0)
        size = 20 + len(resolution)
        interface = struct.pack("<IIHHI", 1, size, link, 0, SNAPLEN)
        return section + interface + resolution + struct.pack("<I", size)

    def _chunk(self, packets: dict[str, Numbers]) -> bytes:
        family, protocol = packets["family"], packets["protocol"]
        header, header_size = np.zeros((2, len(family)), np.int64)
        for key, (offset, length) in self.headers.items():
            rows = family * 100 + protocol == key
            header[rows], header_size[rows] = offset, length
        captured = self.link_size + header_size + packets["body_size"] + packets["options_size"]
        padding = -captured % 4 if self.pcapng else np.zeros(len(family), np.int64)

        starts = np.empty((len(family), 6), np.int64)
        sizes = np.empty((len(family), 6), np.int64)
        starts[:, RECORD], sizes[:, RECORD] = self.record, self.record_size
        starts[:, LINK] = np.select([family == 4, family == 6], [self.links[4], self.links[6]], self.links[0])
        sizes[:, LINK] = self.link_size
        starts[:, NETWORK], sizes[:, NETWORK] = header, header_size
        starts[:, BODY], sizes[:, BODY] = packets["body"], packets["body_size"]
        starts[:, OPTIONS], sizes[:, OPTIONS] = packets["options"], packets["options_size"]
        starts[:, TRAILER], sizes[:, TRAILER] = self.trailer, padding + 4 if self.pcapng else 0

        chunk = Chunk(self.pool, starts, sizes)
        self._records(chunk, packets, captured, padding)
        size = header_size - np.where(family == 4, 20, 40) + packets["body_size"] + packets["options_size"]
        self._network(chunk, packets, size)
        self._transport(chunk, packets, size)
        self._dns(chunk, packets)
        self._checksums(chunk, packets, size)
        octets: bytes = chunk.octets.tobytes()
        return octets

    def _records(
        self, chunk: Chunk, packets: dict[str, Numbers], captured: Numbers, padding: Numbers
    ) -> None:
        """Record headers of the file format."""
        time = self.start * 10**9 + packets["time"]
        at = chunk.places[:, RECORD]
        if self.pcapng:
            ticks = time if self.nanoseconds else time // 1000
            chunk.put_little(at + 4, 32 + captured + padding)
            chunk.put_little(at + 12, ticks >> 32)
            chunk.put_little(at + 16, ticks & 0xFFFFFFFF)
            chunk.put_little(at + 20, captured)
            chunk.put_little(at + 24, captured)
            chunk.put_little(chunk.places[:, TRAILER] + padding, 32 + captured + padding)
        else:
            fraction = time % 10**9
            chunk.put_little(at, time // 10**9)
            chunk.put_little(at + 4, fraction if self.nanoseconds else fraction // 1000)
            chunk.put_little(at + 8, captured)
            chunk.put_little(at + 12, captured)

    def _network(self, chunk: Chunk, packets: dict[str, Numbers], size: Numbers) -> None:
        """IP headers."""
        at, family, protocol = chunk.places[:, NETWORK], packets["family"], packets["protocol"]
        four, six = family == 4, family == 6
        src, dst = packets["src"], packets["dst"]
        number = self.rng.integers(0, 65536, len(family))
        chunk.put(at + 2, 20 + size, 2, four)
        chunk.put(at + 4, number, 2, four)
        chunk.put(at + 9, protocol, 1, four)
        addresses = self.traffic.addresses
        for rows, place, octets in ((four, 12, 4), (six, 8, 16)):
            for column, shift in ((src, 0), (dst, octets)):
                where = at[rows][:, None] + place + shift + np.arange(octets)
                chunk.octets[where] = addresses[column[rows], :octets]
        fixed = 0x4500 + 0x4000 + 0x4000
        total = fixed + 20 + size + number + protocol + self.address_sums[src] + self.address_sums[dst]
        chunk.put(at + 10, folded(total), 2, four)
        chunk.put(at + 4, size, 2, six)
        chunk.put(at + 6, protocol, 1, six)
        chunk.put(at + 7, 64, 1, six)

    def _transport(self, chunk: Chunk, packets: dict[str, Numbers], size: Numbers) -> None:
        """UDP and TCP headers, but for the checksum."""
        at = chunk.places[:, NETWORK] + np.where(packets["family"] == 4, 20, 40)
        udp, tcp = packets["protocol"] == UDP, packets["protocol"] == TCP
        chunk.put(at, packets["src_port"], 2, udp | tcp)
        chunk.put(at + 2, packets["dst_port"], 2, udp | tcp)
        chunk.put(at + 4, size, 2, udp)
        chunk.put(at + 4, packets["seq"], 4, tcp)
        chunk.put(at + 8, packets["ack"], 4, tcp)
        chunk.put(at + 13, packets["tcp_flags"], 1, tcp)

    def _dns(self, chunk: Chunk, packets: dict[str, Numbers]) -> None:
        """ID and flags of messages over UDP, one more additional record for OPT, mixed case."""
        rows = np.flatnonzero(packets["id"] >= 0)
        at = chunk.places[rows, BODY]
        chunk.put(at, packets["id"][rows], 2)
        chunk.put(at + 2, packets["flags"][rows], 2)
        chunk.octets[(at + 11)[packets["options_size"][rows] > 0]] += 1

        rows = rows[packets["case"][rows] != 0]
        if not len(rows):
            return
        size = packets["name_size"][rows]
        inside = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
        at = np.repeat(chunk.places[rows, BODY] + 12, size) + inside
        mixed = np.repeat(packets["case"][rows].astype(np.uint64), size) * np.uint64(0x9E3779B97F4A7C15)
        upper = (mixed >> (inside % 61).astype(np.uint64) & np.uint64(1)) == 1
        octets = chunk.octets[at]
        letter = ((octets | 32) >= 97) & ((octets | 32) <= 122)
        chunk.octets[at] = np.where(letter & upper, octets ^ 32, octets)

    def _checksums(self, chunk: Chunk, packets: dict[str, Numbers], size: Numbers) -> None:
        """Checksums of UDP, TCP and ICMP."""
        at = chunk.places[:, NETWORK] + np.where(packets["family"] == 4, 20, 40)
        protocol = packets["protocol"]
        sums = chunk.sums(at, at + size)
        pseudo = self.address_sums[packets["src"]] + self.address_sums[packets["dst"]] + protocol + size
        checksum = folded(sums + pseudo)
        checksum[(checksum == 0) & (protocol == UDP)] = 0xFFFF
        chunk.put(at + 6, checksum, 2, protocol == UDP)
        chunk.put(at + 16, checksum, 2, protocol == TCP)
        # ICMP for IPv4 is summed without a pseudo header.
        chunk.put(at + 2, folded(sums), 2, protocol == ICMP)
