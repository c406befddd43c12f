"""Lookups that waited or failed: silence, loss, errors, search lists, and what resolvers met with upstream."""

from __future__ import annotations

import socket
import struct

from tests.exchanges.traffic import Traffic, query, response
from tests.findings.pairs import Pair, Source, kept

RESOLVER, ZONE = "192.0.2.53", "198.51.100.1"
NO_RECORD = "SOA a. b. 1 2 3 4 5"
SECOND_SERVER = "192.0.2.54"


def bytes_of(traffic: Traffic) -> bytes:
    """The capture, its packets put in order."""
    traffic.packets.sort(key=lambda packet: packet[0])
    return traffic.octets()


def quick() -> bytes:
    """A few lookups that are answered at once."""
    traffic = Traffic()
    for number in range(5):
        message = query(f"q{number}.example.com", id=977 * number)
        traffic.send(1 + number, message, port=50000 + 13 * number)
        traffic.send(1.002 + number, response(message), port=50000 + 13 * number)
    return bytes_of(traffic)


def unreachable() -> bytes:
    """Nobody listens on any of two servers."""
    traffic = Traffic()
    for number in range(3):
        message = query(f"q{number}.example.com", id=977 * number)
        for step, server in enumerate((RESOLVER, SECOND_SERVER)):
            at, port = 1 + number + 0.002 * step, 50000 + number + 1000 * step
            traffic.send(at, message, port=port, server=server)
            traffic.icmp(at + 0.001, message, src=server, dst="192.0.2.10", port=port, server=server)
    return bytes_of(traffic)


def pairs_with(missing: list[str]) -> bytes:
    """Lookups of both families, each with one of the two answers missing, or none; then both are asked once more."""
    traffic = Traffic()
    for number, lost in enumerate(missing):
        start, port = 10.0 + 10 * number, 40000 + number
        pair = [
            query(f"h{number}.example.com", kind, id=(977 * number + i) % 65536)
            for i, kind in ((7, "A"), (77, "AAAA"))
        ]
        for step, (message, place) in enumerate(zip(pair, ("first", "second"), strict=True)):
            traffic.send(start + step * 0.00001, message, port=port)
            if lost != place:
                traffic.send(start + 0.001 + step * 0.0001, response(message), port=port)
        for step, message in enumerate(pair if lost != "none" else []):
            traffic.send(start + 5.001 + 0.01 * step, message, port=port)
            traffic.send(start + 5.002 + 0.01 * step, response(message), port=port)
    return bytes_of(traffic)


def load(lost: set[int], *, quiet_lost: set[int]) -> bytes:
    """A hundred quiet seconds, then a peak; what is lost is sent again five seconds later."""
    traffic = Traffic()
    for number in range(100):
        send_again(traffic, 1 + number, f"q{number}", number, 50000 + number, number in quiet_lost)
    for number in range(400):
        send_again(traffic, 200 + number * 0.0001, f"p{number}", number, 20000 + number, number in lost)
    return bytes_of(traffic)


def send_again(traffic: Traffic, at: float, name: str, number: int, port: int, again: bool) -> None:
    message = query(f"{name}.example.com", id=number)
    traffic.send(at, message, port=port)
    if again:
        at += 5
        traffic.send(at, message, port=port)
    traffic.send(at + 0.002, response(message), port=port)


def truncated(*, blocked: bool) -> bytes:
    """A truncated answer, and the same over TCP."""
    message = query("www.example.com", id=5, use_edns=0, payload=1232)
    traffic = Traffic().send(1.0, message).send(1.001, response(message, answer=None, tc=True))
    if blocked:
        for time in (1.0011, 2.02, 4.05):
            traffic.sequence.clear()
            traffic.tcp(time, "S")
    else:
        traffic.open(1.002, rtt=0.15)
        traffic.tcp(1.153, "PA", message).tcp(1.3, "PA", response(message), back=True)
        traffic.tcp(1.31, "FA").tcp(1.32, "FA", back=True)
    other = query("mail.example.com", id=6)
    return bytes_of(traffic.send(30.0, other, port=40001).send(30.001, response(other), port=40001))


def without_edns(*, silent: bool) -> bytes:
    """A query with EDNS gets an error, or nothing; the same without is answered."""
    traffic = Traffic()
    for number in range(4):
        at = 1 + 10 * number
        with_edns = query(f"n{number}.example.com", id=500 + 77 * number, use_edns=0, payload=1232)
        plain = query(f"n{number}.example.com", id=(500 if silent else 600) + 77 * number)
        traffic.send(at, with_edns, port=40000 + number)
        if not silent:
            traffic.send(at + 0.2, response(with_edns, answer=None, rcode="FORMERR"), port=40000 + number)
        again = at + (2 if silent else 0.2001)
        traffic.send(again, plain, port=40000 + number).send(
            again + 0.01, response(plain), port=40000 + number
        )
    return bytes_of(traffic)


def one_family(rcode: str) -> bytes:
    a, aaaa = query(id=1000), query(qtype="AAAA", id=31000)
    traffic = Traffic().send(1.0, a).send(1.00001, aaaa).send(1.002, response(a))
    return bytes_of(traffic.send(1.003, response(aaaa, answer=None, rcode=rcode, authority=NO_RECORD)))


def families(*, in_turn: bool) -> bytes:
    """A and AAAA, each answered after 150 ms: one after the other, or at once."""
    traffic = Traffic()
    for number in range(4):
        at = 1 + 10 * number
        for step, kind in enumerate(("A", "AAAA")):
            message = query(f"n{number}.example.com", kind, id=500 + 77 * number + 3000 * step)
            begin = at + (0.1501 * step if in_turn else 0.00001 * step)
            traffic.send(begin, message, port=40000 + number)
            answer = response(message) if kind == "A" else response(message, answer=None, authority=NO_RECORD)
            traffic.send(begin + 0.15, answer, port=40000 + number)
    return bytes_of(traffic)


def reverse(*, silent: bool) -> bytes:
    traffic = Traffic()
    message = query("9.0.0.10.in-addr.arpa", "PTR", id=4)
    for time in (1.0, 6.0):
        traffic.send(time, message)
    if not silent:
        traffic.packets.pop()
        traffic.send(1.002, response(message, answer=None, rcode="NXDOMAIN", authority=NO_RECORD))
    other = query("mail.example.com", id=6)
    return bytes_of(traffic.send(30.0, other, port=40001).send(30.001, response(other), port=40001))


def resolved(how: str) -> bytes:
    """A lookup whose resolver asks upstream: what it meets with there."""
    asked = query("www.example.com", id=5)
    traffic = Traffic()

    def upstream(time: float, message: object, port: int) -> None:
        traffic.send(time, message, client=RESOLVER, server=ZONE, port=port)

    plain = query("ns.example.com", id=77, flags=0)
    upstream(1.0, plain, 50099)
    upstream(1.01, response(plain, ra=False, aa=True), 50099)
    traffic.send(10.0, asked)
    end = 10.5
    with_edns = query("www.example.com", id=900, flags=0, use_edns=0, payload=1232)
    bare = query("www.example.com", id=901, flags=0)
    if how == "edns-dropped":
        for number in range(4):
            again = query("www.example.com", id=902 + number, flags=0, use_edns=0, payload=1232)
            upstream(10.001 + 0.8 * number, again, 50000 + number)
        end = 14.0
        traffic.send(end, response(asked, answer=None, rcode="SERVFAIL"))
        return bytes_of(traffic)
    if how == "formerr":
        upstream(10.001, with_edns, 50000)
        upstream(10.3, response(with_edns, answer=None, rcode="FORMERR", ra=False), 50000)
        upstream(10.301, bare, 50001)
        upstream(10.4, response(bare, aa=True, ra=False), 50001)
    else:
        upstream(10.001, with_edns, 50000)
        upstream(10.002, response(with_edns, aa=True, ra=False), 50000)
        end = 10.003
    traffic.send(end, response(asked))
    return bytes_of(traffic)


def forwarded(*, formerr: bool) -> bytes:
    """A forwarder whose upstream answers EDNS with an error, or does not."""
    traffic = Traffic()
    for number in range(3):
        at = 10.0 + 10 * number
        name = f"n{number}.example.com"
        asked = query(name, id=5 + number)
        with_edns = query(name, id=900 + number, use_edns=0, payload=1232)
        bare = query(name, id=950 + number)
        upper = {"client": RESOLVER, "server": "203.0.113.53"}
        traffic.send(at, asked, port=40000 + number)
        traffic.send(at + 0.001, with_edns, port=50000 + number, **upper)
        if formerr:
            traffic.send(
                at + 0.3, response(with_edns, answer=None, rcode="FORMERR"), port=50000 + number, **upper
            )
            traffic.send(at + 0.301, bare, port=51000 + number, **upper)
            traffic.send(at + 0.4, response(bare), port=51000 + number, **upper)
        else:
            traffic.send(at + 0.002, response(with_edns), port=50000 + number, **upper)
        traffic.send(at + (0.401 if formerr else 0.003), response(asked), port=40000 + number)
    return bytes_of(traffic)


def swallowed(*, again: bool) -> bytes:
    """Seen by the client's own kernel: answers come in, and the stub asks again all the same, or it does not."""
    traffic = Traffic()
    for number in range(3):
        at = 10.0 + 20 * number
        message = query(f"n{number}.example.com", id=5 + number)
        for turn in (0, 5) if again else (0,):
            traffic.send(at + turn, message, port=40000 + number)
            traffic.send(at + turn + 0.002, response(message), port=40000 + number)
    return with_directions(bytes_of(traffic))


def with_directions(octets: bytes) -> bytes:
    """The same capture as one taken on all interfaces of the client: each packet says which way it went (SLL)."""
    parts = [octets[:20], struct.pack("<I", 113)]
    at = 24
    while at < len(octets):
        seconds, fraction, size, _ = struct.unpack_from("<IIII", octets, at)
        packet = octets[at + 16 : at + 16 + size]
        way = 4 if packet[12:16] == socket.inet_aton("192.0.2.10") else 0
        header = struct.pack(">HHH8sH", way, 1, 6, bytes(8), 0x0800)
        parts.append(struct.pack("<IIII", seconds, fraction, size + 16, size + 16) + header + packet)
        at += 16 + size
    return b"".join(parts)


HEALTHY = kept("glibc")
KEPT = {
    "nameserver-timeout": "dead-first-glibc",
    "no-answer": "all-dead-glibc",
    "packet-loss": "lost-go",
    "pair-race": "pair-race-glibc",
    "aaaa-dropped": "aaaa-dropped",
    "tcp-blocked": "tcp-dropped",
    "tcp-retransmission": "tcp-lost",
    "fragments-lost": "fragments",
    "servfail": "aaaa-servfail-musl",
    "refused": "refused-first",
    "formerr": "formerr-go",
    "bogus-answer-ignored": "wrong-id",
    "error-retry-storm": "aaaa-servfail-musl",
    "search-fanout": "search-k8s",
    "slow-answer": "late-answer",
    "slow-server": "slow-search",
    "retry-multiplication": "cname-loop",
    "cname-loop": "cname-loop",
    "cold-recursion": "cold",
    "slow-authoritative": "slow-resolver-side",
    "dead-authoritative": "dead-authoritative",
    "dnssec-bogus": "bogus",
    "serve-stale": "stale",
    "upstream-refused": "upstream-errors",
    "upstream-servfail": "upstream-errors",
    "upstream-truncation": "upstream-tcp",
    "upstream-tcp-blocked": "upstream-tcp",
    "forwarder-upstream-timeout": "forwarder-dead",
    "server-order": "dead-first-dnspython",
}
"""Captures of real stubs kept with the tests, by what they raise."""

NEARLY: dict[str, Source] = {
    "dead-authoritative": kept("lame"),
    "forwarder-upstream-timeout": kept("forwarder"),
    "search-fanout": kept("musl"),
    "cold-recursion": kept("dig"),
    "aaaa-dropped": kept("lossy-glibc"),
    "pair-race": lambda: pairs_with(["first", "none", "first", "none"]),
    "packet-loss": lambda: pairs_with(["none"] * 4),
    "tcp-blocked": lambda: truncated(blocked=False),
    "fragments-lost": kept("tcp-lost"),
    "bogus-answer-ignored": kept("late-answer"),
    "no-answer": kept("dead-first-glibc"),
    "nameserver-timeout": kept("refused-first"),
    "server-order": kept("glibc"),
}
"""What nearly raises them; where nothing is said, a healthy capture."""

OVERFLOW = set(range(300, 400, 2)) | set(range(301, 400, 4))
BY_TURNS = ["second", "first", "first", "second", "first", "second", "first", "second"]

PAIRS: dict[str, Pair] = {
    **{id_: (kept(name), NEARLY.get(id_, HEALTHY)) for id_, name in KEPT.items()},
    "server-unreachable": (unreachable, quick),
    "second-answer-dropped": (lambda: pairs_with(BY_TURNS), lambda: pairs_with(["none"] * 8)),
    "queue-overflow": (
        lambda: load(OVERFLOW, quiet_lost=set()),
        lambda: load(set(range(0, 400, 7)), quiet_lost=set(range(0, 100, 7))),
    ),
    "truncation": (lambda: truncated(blocked=False), quick),
    "edns-fallback": (lambda: without_edns(silent=False), quick),
    "edns-dropped": (lambda: without_edns(silent=True), lambda: without_edns(silent=False)),
    "partial-answer": (lambda: one_family("SERVFAIL"), lambda: one_family("NOERROR")),
    "serial-a-aaaa": (lambda: families(in_turn=True), lambda: families(in_turn=False)),
    "ptr-timeout": (lambda: reverse(silent=True), lambda: reverse(silent=False)),
    "upstream-edns-fallback": (lambda: resolved("formerr"), lambda: resolved("well")),
    "upstream-edns-dropped": (lambda: resolved("edns-dropped"), lambda: resolved("well")),
    "forwarder-edns-fallback": (lambda: forwarded(formerr=True), lambda: forwarded(formerr=False)),
    "reply-swallowed": (lambda: swallowed(again=True), lambda: swallowed(again=False)),
}
