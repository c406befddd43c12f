"""DNS messages in wire format, with name compression: the response to each distinct question."""

from __future__ import annotations

import struct
from collections.abc import Callable

from traffic.names import Kind, Labels

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV = 1, 2, 5, 6, 12, 15, 16, 28, 33
OPT, DS, RRSIG, DNSKEY, HTTPS = 41, 43, 46, 48, 65
NOERROR, NXDOMAIN = 0, 3

HEADER = 12
TYPES: dict[Kind, list[tuple[int, float]]] = {
    Kind.HOST: [(A, 0.55), (AAAA, 0.27), (HTTPS, 0.18)],
    Kind.APEX: [
        *((A, 0.38), (AAAA, 0.15), (HTTPS, 0.10), (MX, 0.08), (TXT, 0.08)),
        *((NS, 0.07), (SOA, 0.04), (DS, 0.06), (DNSKEY, 0.04)),
    ],
    Kind.REVERSE4: [(PTR, 1.0)],
    Kind.REVERSE6: [(PTR, 1.0)],
    Kind.SERVICE: [(SRV, 1.0)],
    Kind.MISSING: [(A, 0.6), (AAAA, 0.4)],
    Kind.SEARCH: [(A, 0.6), (AAAA, 0.4)],
}
"""Which types are asked for a name of each kind, and how often."""


def uncompressed(name: Labels) -> bytes:
    """A name in wire format."""
    return b"".join(bytes([len(label)]) + label for label in name) + b"\0"


class Message:
    """One message under construction; names are compressed against all names before them."""

    __slots__ = ("counts", "octets", "offsets")

    def __init__(self, question: Labels, rtype: int) -> None:
        self.octets = bytearray(b"\0\0\0\0\0\1\0\0\0\0\0\0")
        self.offsets: dict[Labels, int] = {}
        self.counts = [0, 0, 0]
        self.name(question)
        self.octets += struct.pack(">HH", rtype, 1)

    def name(self, labels: Labels) -> None:
        """Append a name."""
        octets, offsets = self.octets, self.offsets
        for i in range(len(labels)):
            suffix = labels[i:]
            offset = offsets.get(suffix)
            if offset is not None:
                octets += struct.pack(">H", 0xC000 | offset)
                return
            if len(octets) < 0x3FFF:
                offsets[suffix] = len(octets)
            octets.append(len(labels[i]))
            octets += labels[i]
        octets.append(0)

    def record(
        self,
        owner: Labels,
        rtype: int,
        ttl: int,
        before: bytes,
        *names: Labels,
        after: bytes = b"",
        section: int = 0,
    ) -> None:
        """Append a record: octets, compressible names, octets."""
        self.name(owner)
        self.octets += struct.pack(">HHIH", rtype, 1, ttl, 0)
        start = len(self.octets)
        self.octets += before
        for name in names:
            self.name(name)
        self.octets += after
        struct.pack_into(">H", self.octets, start - 2, len(self.octets) - start)
        self.counts[section] += 1

    def soa(self, owner: Labels, serial: int, section: int = 1) -> None:
        """Append a start of authority, as negative answers carry it."""
        timers = struct.pack(">IIIII", serial, 7200, 900, 1209600, 900)
        self.record(
            owner, SOA, 900, b"", (b"ns1", *owner), (b"hostmaster", *owner), after=timers, section=section
        )

    def finish(self) -> bytes:
        """The message."""
        struct.pack_into(">HHH", self.octets, 6, *self.counts)
        return bytes(self.octets)


def option_record(udp_size: int, dnssec_ok: bool, options: bytes = b"") -> bytes:
    """An OPT record (RFC 6891)."""
    flags = 0x8000 if dnssec_ok else 0
    return b"\0" + struct.pack(">HHIH", OPT, udp_size, flags, len(options)) + options


def query_of(message: bytes, size: int) -> bytes:
    """The query that a response of this question answers: header and question, counts of the rest cleared."""
    return message[:6] + b"\0\0\0\0\0\0" + message[HEADER:size]


def question_size(labels: Labels) -> int:
    """Octets of a message with this question and nothing else."""
    return HEADER + sum(map(len, labels)) + len(labels) + 1 + 4


class Maker:
    """Makes the response to a question. All choices follow from `seed`, a number of the question's own."""

    def __init__(self, noise: bytes) -> None:
        self.noise = noise
        self.types: dict[int, Callable[[Message, Labels, Kind, int, int, bool], None]] = {
            **{PTR: self._ptr, TXT: self._txt, MX: self._mx, NS: self._ns, SOA: self._soa},
            **{DS: self._ds, DNSKEY: self._dnskey, SRV: self._srv},
        }

    def response(
        self, labels: Labels, kind: Kind, rtype: int, seed: int, big: bool = False
    ) -> tuple[bytes, int]:
        """The response and its rcode; `big` makes one that does not fit in a datagram."""
        message = Message(labels, rtype)
        serial = 2024010100 + seed % 99
        if kind in (Kind.MISSING, Kind.SEARCH):
            message.soa(labels[-3:] if kind == Kind.SEARCH else labels[-1:], serial)
            return message.finish(), NXDOMAIN
        if kind in (Kind.REVERSE4, Kind.REVERSE6) and seed % 4 == 0:
            message.soa(labels[-5:] if kind == Kind.REVERSE4 else labels[-12:], serial)
            return message.finish(), NXDOMAIN
        ttl = (30, 60, 300, 300, 3600, 86400)[seed % 6]
        if rtype in (A, AAAA, HTTPS):
            self._address(message, labels, kind, rtype, seed, ttl)
        else:
            self.types[rtype](message, labels, kind, seed, ttl, big)
        return message.finish(), NOERROR

    def _some(self, seed: int, skip: int, count: int) -> bytes:
        start = (seed >> 3) % 65536 + skip
        return self.noise[start : start + count]

    def _address(self, message: Message, owner: Labels, kind: Kind, rtype: int, seed: int, ttl: int) -> None:
        if kind == Kind.HOST and seed % 100 < 38:
            target: Labels
            first = owner[0]
            for k in range(1 + (seed >> 8) % 3):
                if k == 0:
                    target = (first, b"edge", b"cdn%d" % (seed % 40), b"example-cdn", b"net")
                elif k == 1:
                    target = (b"e%d" % (seed % 9999), b"g", b"akcdn", b"net")
                else:
                    target = (b"x%d" % (seed % 999), *owner[1:])
                message.record(owner, CNAME, ttl, b"", target)
                owner = target
        if rtype == A:
            for k in range((1, 1, 1, 2, 2, 3, 4, 8)[(seed >> 5) % 8]):
                message.record(owner, A, ttl, self._some(seed, 4 * k, 4))
        elif rtype == AAAA and (seed >> 7) % 10 < 6:
            for k in range((1, 1, 2, 4)[(seed >> 5) % 4]):
                message.record(owner, AAAA, ttl, b"\x20\x01\x0d\xb8" + self._some(seed, 12 * k, 12))
        elif rtype == HTTPS and (seed >> 7) % 10 < 3:
            parameters = b"\0\1\0\6\2h3\2h2\0\4\0\x08" + self._some(seed, 0, 8)
            message.record(owner, HTTPS, ttl, b"\0\1\0" + parameters)
        else:
            message.soa(owner[-2:], 2024010100 + seed % 99)

    def _ptr(self, message: Message, owner: Labels, kind: Kind, seed: int, ttl: int, big: bool) -> None:
        host = b"host-" + b"-".join(owner[: 4 if kind == Kind.REVERSE4 else 2])
        message.record(owner, PTR, ttl, b"", (host, b"isp%d" % (seed % 77), b"net"))

    def _txt(self, message: Message, owner: Labels, kind: Kind, seed: int, ttl: int, big: bool) -> None:
        mail = b"v=spf1 include:_spf.google.com include:spf.protection.outlook.com ip4:%d.%d.0.0/16 -all"
        texts = (
            mail % (seed % 223 + 1, seed % 256),
            b"google-site-verification=" + self._some(seed, 0, 32).hex().encode()[:43],
            b"MS=ms%d" % seed,
        )
        for k in range(14 if big else 1 + seed % 3):
            text = texts[k % 3] + (b".%d" % k if big else b"")
            message.record(owner, TXT, ttl, bytes([len(text)]) + text)

    def _mx(self, message: Message, owner: Labels, kind: Kind, seed: int, ttl: int, big: bool) -> None:
        for k in range(1 + seed % 5):
            own = (b"mx%d" % k, *owner)
            foreign = (b"aspmx%d" % k, b"l", b"google", b"com")
            message.record(owner, MX, ttl, struct.pack(">H", 10 * k), own if seed & 64 else foreign)

    def _ns(self, message: Message, owner: Labels, kind: Kind, seed: int, ttl: int, big: bool) -> None:
        servers = range(2 + seed % 3)
        for k in servers:
            message.record(owner, NS, 86400, b"", (b"ns%d" % k, *owner))
        for k in servers:
            message.record((b"ns%d" % k, *owner), A, 86400, self._some(seed, k, 4), section=2)
            message.record((b"ns%d" % k, *owner), AAAA, 86400, self._some(seed, k, 16), section=2)

    def _soa(self, message: Message, owner: Labels, kind: Kind, seed: int, ttl: int, big: bool) -> None:
        message.soa(owner, 2024010100 + seed % 99, section=0)

    def _ds(self, message: Message, owner: Labels, kind: Kind, seed: int, ttl: int, big: bool) -> None:
        message.record(owner, DS, 3600, struct.pack(">HBB", seed % 65536, 8, 2) + self._some(seed, 0, 32))

    def _dnskey(self, message: Message, owner: Labels, kind: Kind, seed: int, ttl: int, big: bool) -> None:
        for k in range(4 if big else 2):
            key = struct.pack(">HBB", 256 + (k & 1), 3, 8) + b"\3\1\0\1" + self._some(seed, k, 256)
            message.record(owner, DNSKEY, 3600, key)
        for k in range(2 if big else 1):
            fixed = struct.pack(">HBBIIIH", DNSKEY, 8, len(owner), 3600, 1735689600, 1733000000, seed % 65536)
            signature = self._some(seed, 7 + k, 256)
            # The signer's name must not be compressed (RFC 4034, section 3.1.7).
            message.record(owner, RRSIG, 3600, fixed + uncompressed(owner) + signature)

    def _srv(self, message: Message, owner: Labels, kind: Kind, seed: int, ttl: int, big: bool) -> None:
        for k in range(1 + seed % 2):
            # Nor may an SRV target (RFC 2782).
            target = uncompressed((b"sip%d" % k, *owner[-2:]))
            message.record(owner, SRV, ttl, struct.pack(">HHH", 10, 60, 5060) + target)
