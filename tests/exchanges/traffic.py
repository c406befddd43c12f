"""Small captures of DNS traffic made packet by packet, and the exchanges found in them."""

import struct

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, UDPerror
from scapy.packet import Raw

from dnscap.capture import expand_inputs
from dnscap.exchanges.matching import Matching
from dnscap.messages.decoding import Decoding
from dnscap.native.decoder import Decoder

SECOND = 10**9
CLIENT, SERVER = "192.0.2.10", "192.0.2.53"


def query(name="www.example.com", qtype="A", *, id=7, **more):
    """A query message."""
    message = dns.message.make_query(name, qtype, id=id, **more)
    return message


def response(to, *, answer="192.0.2.1", rcode="NOERROR", aa=False, ra=True, tc=False, authority=None):
    """A response to a query message, with an address in the answer section unless told otherwise."""
    message = dns.message.make_response(to)
    message.set_rcode(dns.rcode.from_text(rcode))
    for flag, on in ((dns.flags.AA, aa), (dns.flags.RA, ra), (dns.flags.TC, tc)):
        if on:
            message.flags |= flag
    name = to.question[0].name
    if answer is not None:
        message.answer.append(dns.rrset.from_text(name, 60, "IN", "A", answer))
    if authority is not None:
        kind, _, data = authority.partition(" ")
        message.authority.append(dns.rrset.from_text("example.com.", 60, "IN", kind, data))
    return message


class Traffic:
    """Packets in the order in which they were added."""

    def __init__(self):
        self.packets = []
        self.sequence = {}

    def add(self, time, packet):
        self.packets.append((round(time * SECOND), bytes(packet)))
        return self

    def send(self, time, message, *, port=40000, client=CLIENT, server=SERVER, server_port=53):
        """A message over UDP, in the direction that its QR bit tells."""
        wire = message if isinstance(message, bytes) else message.to_wire()
        src, dst = (server, client) if wire[2] & 0x80 else (client, server)
        sport, dport = (server_port, port) if wire[2] & 0x80 else (port, server_port)
        # The IP id differs from packet to packet: the same one twice would be a sighting.
        ip = IP(src=src, dst=dst, id=len(self.packets) + 1)
        return self.add(time, ip / UDP(sport=sport, dport=dport) / Raw(wire))

    def icmp(self, time, quoted, *, src, dst, port=40000, code=3, server=SERVER, client=CLIENT):
        """An ICMP error about a message that went before."""
        wire = quoted.to_wire()
        back = bool(wire[2] & 0x80)
        inner = IPerror(src=server if back else client, dst=client if back else server)
        inner /= UDPerror(sport=53 if back else port, dport=port if back else 53)
        return self.add(time, IP(src=src, dst=dst) / ICMP(type=3, code=code) / inner / Raw(wire))

    def tcp(self, time, flags, message=b"", *, back=False, port=50000):
        """One segment of a connection, with a whole message or without."""
        data = b"" if not message else message if isinstance(message, bytes) else message.to_wire()
        if data:
            data = struct.pack(">H", len(data)) + data
        src, dst = (SERVER, CLIENT) if back else (CLIENT, SERVER)
        sport, dport = (53, port) if back else (port, 53)
        mine, other = (port, back), (port, not back)
        segment = TCP(
            sport=sport,
            dport=dport,
            flags=flags,
            seq=self.sequence.get(mine, 1000),
            ack=self.sequence.get(other, 1000),
        )
        self.sequence[mine] = self.sequence.get(mine, 1000) + len(data) + ("S" in flags) + ("F" in flags)
        return self.add(time, IP(src=src, dst=dst) / segment / Raw(data))

    def open(self, time, *, port=50000, rtt=0.01):
        """The three segments that open a connection."""
        self.tcp(time, "S", port=port)
        self.tcp(time + rtt, "SA", back=True, port=port)
        return self.tcp(time + rtt, "A", port=port)

    def octets(self, snaplen=65535):
        """The capture as a pcap file with nanosecond times."""
        parts = [struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, snaplen, 101)]
        for time, packet in self.packets:
            cut = packet[:snaplen]
            parts.append(struct.pack("<IIII", time // SECOND, time % SECOND, len(cut), len(packet)) + cut)
        return b"".join(parts)

    def exchanges(self, **options):
        """Rows of the exchanges table."""
        return rows_of(self.octets(**options))


def rows_of(octets):
    """Exchanges of a capture as a list of dicts."""
    matching = Matching()
    decoding = Decoding(expand_inputs(octets), records=True)
    rows = []
    for batch in decoding:
        for part in matching.feed(batch):
            rows += part.to_arrow().to_pylist()
    for part in matching.finish():
        rows += part.to_arrow().to_pylist()
    return rows


class _Native:
    def __init__(self, native):
        self.native = native


def rows_cut(octets, cut):
    """The same with the messages matched `cut` at a time."""
    matching = Matching()
    decoder = Decoder()
    decoder.begin_file()
    rows = []

    def match(rest):
        for native in decoder.take(rest):
            for part in matching.feed(_Native(native)):
                rows.extend(part.to_arrow().to_pylist())

    at, end = 0, 0
    ends = record_ends(octets)
    while at < len(octets):
        end = next((e for e in ends if e > end), len(octets))
        at += decoder.feed(memoryview(octets)[at:end], end == len(octets))
        match(decoder.rows >= cut)
    decoder.finish()
    match(True)
    for part in matching.finish():
        rows.extend(part.to_arrow().to_pylist())
    return rows


def record_ends(octets):
    """Offsets behind each record of a little-endian pcap file."""
    at, ends = 24, []
    while at < len(octets):
        at += 16 + struct.unpack_from("<I", octets, at + 8)[0]
        ends.append(at)
    return ends
