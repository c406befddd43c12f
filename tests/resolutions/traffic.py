"""Traffic between clients, a resolver and the world, written down as a capture of raw IP packets."""

import ipaddress
import struct

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

import dnscap
from dnscap.native.decoder import Decoder
from dnscap.native.exchanges import Exchanges
from dnscap.native.resolutions import Resolutions
from dnscap.resolutions.arrow import resolution_batch

CLIENT, OTHER, RESOLVER, OUTSIDE = "192.0.2.10", "192.0.2.11", "192.0.2.53", "198.51.100.7"
ROOT, TLD, ZONE = "198.51.100.1", "198.51.100.2", "198.51.100.3"
START = 1_700_000_000_000_000_000
MS = 1_000_000
SECOND = 1_000_000_000


class Traffic:
    """Packets in any order; `octets` sorts them by time."""

    def __init__(self):
        self.packets = []
        self.port = 20_000

    def send(self, at, src, sport, dst, dport, message):
        payload = message.to_wire(max_size=65535)
        udp = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
        one, two = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
        header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + one + two
        self.packets.append((START + at, header + udp))

    def exchange(self, at, client, server, name, qtype="A", *, took=MS, answer=(), authority=(), additional=(),
                 rcode=0, rd=True, ra=None, aa=False, ede=None, silent=False, port=None):  # fmt: skip
        """A query and, `took` later, what answers it; records are texts."""
        if port is None:
            self.port += 1
            port = self.port
        query = dns.message.make_query(name, qtype, use_edns=0)
        query.id = port ^ 0x5A5A
        query.flags = dns.flags.RD if rd else 0
        self.send(at, client, port, server, 53, query)
        if silent:
            return port
        reply = dns.message.make_response(query, recursion_available=rd if ra is None else ra)
        reply.set_rcode(rcode)
        if aa:
            reply.flags |= dns.flags.AA
        for section, records in (
            (reply.answer, answer),
            (reply.authority, authority),
            (reply.additional, additional),
        ):
            for record in records:
                owner, ttl, kind, data = record.split(" ", 3)
                section.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, data))
        if ede is not None:
            reply.use_edns(0, options=[dns.edns.EDEOption(ede)])
        self.send(at + took, server, 53, client, port, reply)
        return port

    def ask(self, at, name="www.example.com.", qtype="A", *, client=CLIENT, resolver=RESOLVER, **rest):
        """A client asks the resolver."""
        return self.exchange(at, client, resolver, name, qtype, **rest)

    def upstream(self, at, name="www.example.com.", qtype="A", *, server=ZONE, resolver=RESOLVER, **rest):
        """The resolver asks the world."""
        return self.exchange(at, resolver, server, name, qtype, rd=False, aa=rest.pop("aa", True), **rest)

    def miss(self, at, name="www.example.com.", ttl=300, *, client=CLIENT, resolver=RESOLVER, took=3 * MS):
        """A query that the resolver passes to the zone's server."""
        record = (f"{name} {ttl} A 203.0.113.1",)
        self.ask(at, name, client=client, resolver=resolver, took=took, answer=record)
        self.upstream(at + MS, name, resolver=resolver, took=MS, answer=record)

    def hit(self, at, name="www.example.com.", ttl=299, **rest):
        """A query that the resolver answers at once."""
        self.ask(at, name, took=MS // 10, answer=(f"{name} {ttl} A 203.0.113.1",), **rest)

    def octets(self):
        parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101)]
        for time, packet in sorted(self.packets, key=lambda row: row[0]):
            parts.append(
                struct.pack("<IIII", time // SECOND, time % SECOND, len(packet), len(packet)) + packet
            )
        return b"".join(parts)

    def rows(self):
        """The resolutions, as dicts."""
        return dnscap.read(self.octets()).to_arrow("resolutions").to_pylist()

    def caches(self):
        """Verdicts in order."""
        return [row["cache"] for row in self.rows()]


def resolutions_cut(octets, piece, *, outside=True):
    """Resolutions of a capture that is given to the stages `piece` octets at a time, and the stage's counts."""
    decoder, exchanges, resolutions = Decoder((53,), True), Exchanges(), Resolutions(outside)
    decoder.begin_file()
    rows, most = [], 0

    def go():
        nonlocal most
        for batch in decoder.take(True):
            resolutions.hold(exchanges)
            exchanges.feed(batch)
            resolutions.feed(exchanges, batch)
            resolutions.let_go(exchanges)
            exchanges.take()
            most = max(most, resolutions.open)
            rows.extend(resolution_batch(resolutions.take()).to_pylist())

    at, size, view = 0, piece, memoryview(octets)
    while True:
        end = min(at + size, len(view))
        used = decoder.feed(view[at:end], end == len(view))
        at += used
        go()
        if end == len(view):
            break
        size = piece if used else size + max(piece, decoder.window)
    decoder.finish()
    go()
    resolutions.hold(exchanges)
    exchanges.end()
    resolutions.feed(exchanges)
    resolutions.close()
    rows.extend(resolution_batch(resolutions.take()).to_pylist())
    return rows, most, resolutions.counts()
