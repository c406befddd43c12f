"""Who asks what, when, and what becomes of it: all packets of a capture as columns, without their octets."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from traffic.messages import DNSKEY, TXT, TYPES, A, Maker, option_record, query_of, question_size
from traffic.names import Kind, Names, make_names

Numbers = NDArray[np.int64]
Reals = NDArray[np.float64]

MICROSECOND, MILLISECOND, SECOND = 1e3, 1e6, 1e9  # times are floats in nanoseconds until they are sorted
CLIENTS, RESOLVERS, AUTHORITIES, OTHERS = 5000, 2, 400, 200
TCP, UDP, ICMP, ARP = 6, 17, 1, 0
FIN, SYN, PSH, ACK = 0x01, 0x02, 0x08, 0x10
RD, RESPONSE, AUTHORITATIVE, TRUNCATED = 0x0100, 0x8180, 0x8400, 0x0200
SERVFAIL = 2
TYPE_SHIFT = 70_000  # a question is coded as name * TYPE_SHIFT + type

DEFAULTS = {
    **{"src_port": 53, "dst_port": 53, "protocol": UDP, "id": -1, "flags": 0, "case": 0, "name_size": 0},
    **{"body": 0, "body_size": 0, "options": 0, "options_size": 0, "seq": 0, "ack": 0, "tcp_flags": 0},
}


class Pool:
    """Octets that packets are put together from."""

    def __init__(self) -> None:
        self.octets = bytearray()

    def add(self, octets: bytes) -> int:
        """Append octets and return where they begin."""
        start = len(self.octets)
        self.octets += octets
        return start


@dataclass(slots=True)
class Traffic:
    """A simulated capture: one entry of each column a packet, in order of time."""

    columns: dict[str, Numbers]
    pool: Pool
    addresses: NDArray[np.uint8]
    info: dict[str, int]


class Addresses:
    """All addresses, 16 octets each: clients, resolvers and authorities of both families, others."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.resolvers4 = CLIENTS
        self.resolvers6 = self.resolvers4 + RESOLVERS
        self.authorities4 = self.resolvers6 + RESOLVERS
        self.authorities6 = self.authorities4 + AUTHORITIES
        self.others = self.authorities6 + AUTHORITIES
        octets = self.octets = np.zeros((self.others + OTHERS, 16), np.uint8)
        family = self.family = np.full(len(octets), 4)

        client = np.arange(CLIENTS)
        octets[:CLIENTS, 0] = 10
        octets[:CLIENTS, 1] = 20 + client // 65536
        octets[:CLIENTS, 2] = client // 256
        octets[:CLIENTS, 3] = client % 256
        modern = slice(CLIENTS * 80 // 100, CLIENTS)
        documentation = [0x20, 0x01, 0x0D, 0xB8]
        family[modern] = 6
        octets[modern] = 0
        octets[modern, :4] = documentation
        octets[modern, 5] = 1
        octets[modern, 8:] = rng.integers(0, 256, (CLIENTS - modern.start, 8))

        for j in range(RESOLVERS):
            octets[self.resolvers4 + j, :4] = [10, 0, 0, 53 + j]
            octets[self.resolvers6 + j, :4] = documentation
            octets[self.resolvers6 + j, 15] = 0x53 + j
        family[self.resolvers6 : self.authorities4] = 6

        octets[self.authorities4 : self.authorities6, :4] = rng.integers(1, 224, (AUTHORITIES, 4))
        octets[self.authorities4 : self.authorities6, 0] = 100 + np.arange(AUTHORITIES) % 90
        octets[self.authorities6 : self.others, :4] = documentation
        octets[self.authorities6 : self.others, 4:] = rng.integers(0, 256, (AUTHORITIES, 12))
        family[self.authorities6 : self.others] = 6
        octets[self.others :, :4] = rng.integers(1, 224, (OTHERS, 4))


class Options:
    """OPT records that queries and their responses carry: none, plain, DNSSEC, cookies, client subnet."""

    def __init__(self, pool: Pool, noise: bytes) -> None:
        self.pool = pool
        self.variants: list[tuple[int, int]] = []
        self.plain = self._add(option_record(1232, False))
        self.dnssec = self._add(option_record(1232, True))
        self._add(option_record(4096, True))
        cookies = []
        for k in range(256):
            cookie = noise[k * 8 : k * 8 + 8]
            asked = option_record(1232, False, struct.pack(">HH", 10, 8) + cookie)
            answer = struct.pack(">HH", 10, 24) + cookie + noise[5000 + k : 5016 + k]
            cookies.append((self._add(asked), self._add(option_record(1232, False, answer))))
        subnets = []
        for scope in (b"\x18\0", b"\x18\x18"):
            prefix = b"\0\x08\0\7\0\1" + scope
            subnets.append(
                [self._add(option_record(1232, False, prefix + noise[k : k + 3])) for k in range(64)]
            )
        self.none = self._add(b"")
        self.cookies, self.subnets = np.array(cookies), np.array(subnets)
        self.offset = np.array([offset for offset, _ in self.variants])
        self.size = np.array([size for _, size in self.variants])

    def _add(self, octets: bytes) -> int:
        self.variants.append((self.pool.add(octets), len(octets)))
        return len(self.variants) - 1

    def choose(self, count: int, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
        """For so many transactions, the variant of the query and that of the response."""
        share = rng.random(count)
        k = rng.integers(0, 256, count)
        below = [share < limit for limit in (0.35, 0.6, 0.75, 0.94)]

        def pick(side: int) -> Numbers:
            fixed = [self.none, self.plain, self.dnssec]
            return np.select(below, [*fixed, self.cookies[k, side]], self.subnets[side, k & 63])

        return pick(0), pick(1)


class Simulation:
    """One run. Random numbers are drawn in a fixed order: the same arguments give the same capture."""

    def __init__(
        self, packets: int, seed: int, names: int, zipf: float, rate: float, noise: float, mixed_case: bool
    ) -> None:
        self.packets, self.noise_share, self.mixed_case = packets, noise, mixed_case
        rng = self.rng = np.random.default_rng(seed)
        self.pool = Pool()
        self.noise = rng.integers(0, 256, 1 << 17, dtype=np.uint8).tobytes()
        self.names: Names = make_names(names, rng)
        self.maker = Maker(self.noise)
        self.parts: list[dict[str, Numbers]] = []
        self.info: dict[str, int] = {}

        self._ask(zipf, rate)
        self._build_bodies()
        self.options = Options(self.pool, self.noise)
        self.query_options, self.response_options = self.options.choose(self.count, rng)
        self.addresses = Addresses(rng)
        self._decide_fates()

    def run(self, arp: bool) -> Traffic:
        """All packets, sorted, as many as asked for; `arp` says whether the link type can carry ARP."""
        answered = self._client_side()
        self._upstream(answered)
        self._tcp(answered)
        self._noise(arp)
        columns = {name: np.concatenate([part[name] for part in self.parts]) for name in self.parts[0]}
        order = np.argsort(columns["time"], kind="stable")[: self.packets]
        columns = {name: column[order] for name, column in columns.items()}
        family = self.addresses.family[columns["src"]]
        columns["family"] = np.where(columns["protocol"] == ARP, 0, family)
        self.info |= {"packets": len(order), "transactions": self.count, "names": len(self.names.labels)}
        return Traffic(columns, self.pool, self.addresses.octets, self.info)

    def _ask(self, zipf: float, rate: float) -> None:
        """Which client asks for which name and type, and when."""
        rng, names = self.rng, len(self.names.labels)
        kinds = np.array(self.names.kinds)
        count = int(self.packets * 0.95 / 2.28) + 2000
        weights = 1.0 / np.arange(1, names + 1) ** zipf
        popularity = np.empty(names)
        popularity[rng.permutation(names)] = weights
        popularity[kinds == Kind.SEARCH] = 0
        steps = np.cumsum(popularity)
        steps /= steps[-1]
        name = np.searchsorted(steps, rng.random(count)).clip(0, names - 1)
        self.duration = count / rate * SECOND
        time = np.sort(rng.random(count)) * self.duration
        steps = np.cumsum(1.0 / np.arange(1, CLIENTS + 1) ** 0.6)
        steps /= steps[-1]
        ranking = rng.permutation(CLIENTS)
        client = ranking[np.searchsorted(steps, rng.random(count)).clip(0, CLIENTS - 1)]

        # Some hosts are first tried with the search suffixes, one after the other.
        searched = np.zeros(names, bool)
        searched[list(self.names.variants)] = True
        chosen = np.flatnonzero(searched[name] & (rng.random(count) < 0.6))
        if len(chosen):
            variants = np.array([self.names.variants[i] for i in name[chosen]])
            name = np.concatenate([name, variants[:, 0], variants[:, 1]])
            client = np.concatenate([client, client[chosen], client[chosen]])
            first = time[chosen].copy()
            time[chosen] += 60 * MILLISECOND
            time = np.concatenate([time, first, first + 30 * MILLISECOND])
        self.info["searched"] = len(chosen)
        self.name, self.client, self.time, self.count = name, client, time, len(name)

        self.rtype = np.zeros(self.count, np.int64)
        share = rng.random(self.count)
        for kind, mix in TYPES.items():
            rows = np.flatnonzero(kinds[name] == kind)
            steps = np.cumsum([part for _, part in mix])
            steps[-1] = 1.1
            self.rtype[rows] = np.array([rtype for rtype, _ in mix])[np.searchsorted(steps, share[rows])]

    def _build_bodies(self) -> None:
        """Query and response of each distinct question."""
        codes, self.question = np.unique(self.name * TYPE_SHIFT + self.rtype, return_inverse=True)
        count = self.info["distinct_questions"] = len(codes)
        self.seeds = self.rng.integers(0, 1 << 31, count).tolist()
        self.query, self.query_size, self.response, self.response_size, self.rcode = np.zeros(
            (5, count), np.int64
        )
        for i, code in enumerate(codes.tolist()):
            number, rtype = divmod(code, TYPE_SHIFT)
            labels = self.names.labels[number]
            body, rcode = self.maker.response(labels, self.names.kinds[number], rtype, self.seeds[i])
            size = question_size(labels)
            self.query[i], self.query_size[i] = self.pool.add(query_of(body, size)), size
            self.response[i], self.response_size[i] = self.pool.add(body), len(body)
            self.rcode[i] = rcode

    def _decide_fates(self) -> None:
        """Ports, IDs, latencies; what is cached, lost, repeated, refused, too long."""
        rng, count = self.rng, self.count
        modern = self.addresses.family[self.client] == 6
        first = np.where(modern, self.addresses.resolvers6, self.addresses.resolvers4)
        self.resolver = first + rng.integers(0, RESOLVERS, count)
        self.port = rng.integers(1024, 65536, count)
        self.port[self.port == 5353] = 5354
        self.id = rng.integers(0, 65536, count)
        fate = rng.random(count)
        self.cached = rng.random(count) < 0.78
        self.unanswered = fate < 0.003
        self.repeated = (fate >= 0.003) & (fate < 0.022)
        self.failed = (fate >= 0.022) & (fate < 0.030)
        self.long = np.isin(self.rtype, (TXT, DNSKEY)) & (rng.random(count) < 0.10)
        cut = self.long | ((fate >= 0.030) & (fate < 0.0325))
        self.truncated = cut & ~self.unanswered & ~self.repeated & ~self.failed
        self.latency_near = np.exp(rng.normal(np.log(0.25 * MILLISECOND), 0.5, count))
        self.latency_far = np.exp(rng.normal(np.log(18 * MILLISECOND), 0.9, count))
        both = np.where(self.cached, self.latency_near, self.latency_near + self.latency_far)
        self.latency = both.clip(20 * MICROSECOND, 4 * SECOND)
        self.case = rng.integers(1, 1 << 62, count) if self.mixed_case else np.zeros(count, np.int64)
        self.info |= {
            "unanswered": int(self.unanswered.sum()),
            "repeated": int(self.repeated.sum()),
            "truncated": int(self.truncated.sum()),
        }

    def _add(self, count: int, **columns: object) -> None:
        """Append packets; what is not given is as in DEFAULTS."""
        self.parts.append(
            {
                name: np.broadcast_to(np.asarray(columns.get(name, DEFAULTS.get(name))), count).astype(
                    np.int64
                )
                for name in ("time", "src", "dst", *DEFAULTS)
            }
        )

    def _message(
        self, rows: Numbers, short: bool | NDArray[np.bool_], option: Numbers, **columns: object
    ) -> None:
        """Append UDP messages of these transactions; the body is the query's where `short`."""
        question = self.question[rows]
        self._add(
            len(rows),
            body=np.where(short, self.query[question], self.response[question]),
            body_size=np.where(short, self.query_size[question], self.response_size[question]),
            options=self.options.offset[option],
            options_size=self.options.size[option],
            case=self.case[rows],
            name_size=self.query_size[question] - 16,
            **columns,
        )

    def _query(self, rows: Numbers, time: Reals, port: Numbers, number: Numbers) -> None:
        """Append queries from clients to their resolvers."""
        ends = {"src": self.client[rows], "dst": self.resolver[rows], "src_port": port}
        self._message(rows, True, self.query_options[rows], time=time, id=number, flags=RD, **ends)

    def _client_side(self) -> Reals:
        """Queries and responses between clients and resolvers; when each was, or would be, answered."""
        rng = self.rng
        self._query(np.arange(self.count), self.time, self.port, self.id)

        # The first query is lost, and repeated after a timeout: by some stubs from a new port with a new ID.
        rows = np.flatnonzero(self.repeated)
        wait = np.where(rng.random(len(rows)) < 0.5, SECOND, 5 * SECOND) * (1 + 0.01 * rng.random(len(rows)))
        fresh = rng.random(len(rows)) < 0.4
        number = np.where(fresh, rng.integers(0, 65536, len(rows)), self.id[rows])
        port = np.where(fresh, rng.integers(1024, 65536, len(rows)), self.port[rows])
        self._query(rows, self.time[rows] + wait, port, number)

        lost = np.flatnonzero(self.unanswered)
        for later in (SECOND, 3 * SECOND):
            self._query(lost, self.time[lost] + later, self.port[lost], self.id[lost])

        answered: Reals = self.time + self.latency
        answered[rows] += wait
        numbers, ports = self.id.copy(), self.port.copy()
        numbers[rows], ports[rows] = number, port
        self.outcome = self.rcode[self.question].copy()
        self.outcome[self.failed] = SERVFAIL
        s = np.flatnonzero(~self.unanswered)
        self._message(
            s,
            self.truncated[s] | self.failed[s],
            self.response_options[s],
            time=answered[s],
            src=self.resolver[s],
            dst=self.client[s],
            dst_port=ports[s],
            id=numbers[s],
            flags=RESPONSE | self.outcome[s] | np.where(self.truncated[s], TRUNCATED, 0),
        )
        return answered

    def _upstream(self, answered: Reals) -> None:
        """One exchange with an authoritative server for each cache miss, inside the client's wait."""
        rng, places = self.rng, self.addresses
        rows = np.flatnonzero(~self.cached & ~self.unanswered)
        modern = rng.random(len(rows)) < 0.2
        first = np.where(modern, places.authorities6, places.authorities4)
        authority = first + (self.name[rows] * 7919) % AUTHORITIES
        first = np.where(modern, places.resolvers6, places.resolvers4)
        resolver = first + rng.integers(0, RESOLVERS, len(rows))
        port = rng.integers(1024, 65536, len(rows))
        number = rng.integers(0, 65536, len(rows))
        end = answered[rows] - self.latency_near[rows] * 0.3
        asked = answered[rows] - self.latency_far[rows].clip(0, 3.9 * SECOND) - self.latency_near[rows] * 0.3
        asked = np.maximum(asked, self.time[rows] + 2 * MICROSECOND)
        end = np.maximum(end, asked + MICROSECOND)
        option = np.full(len(rows), self.options.dnssec)
        ends = {"src": resolver, "dst": authority, "src_port": port}
        self._message(rows, True, option, time=asked, id=number, **ends)
        ends = {"src": authority, "dst": resolver, "dst_port": port}
        flags = AUTHORITATIVE | self.outcome[rows]
        self._message(rows, self.failed[rows], option, time=end, id=number, flags=flags, **ends)
        self.info["upstream"] = len(rows)

    def _tcp(self, answered: Reals) -> None:
        """A connection for each truncated response."""
        rng = self.rng
        rows = np.flatnonzero(self.truncated)
        count = self.info["connections"] = len(rows)
        ports = rng.integers(20000, 60000, count)
        numbers = rng.integers(0, 1 << 32, (count, 2))
        dice = rng.random((count, 3))
        round_trips = rng.lognormal(np.log(0.3 * MILLISECOND), 0.4, count)
        ids = rng.integers(0, 65536, (count, 2))
        segments: list[tuple[object, ...]] = []
        for j, row in enumerate(rows.tolist()):
            queries, responses = self._tcp_streams(row, ids[j].tolist(), pipelined=dice[j, 2] < 0.15)
            segments += self._connection(
                (int(self.client[row]), int(self.resolver[row]), int(ports[j])),
                (answered[row] + 100 * MICROSECOND, round_trips[j]),
                (int(numbers[j, 0]), int(numbers[j, 1])),
                (queries, responses),
                split_prefix=not dice[j, 0] > 0.2,
                segment_size=1208 if dice[j, 1] > 0.3 else 400,
            )
        if segments:
            names = (
                "time",
                "src",
                "dst",
                "src_port",
                "dst_port",
                "body",
                "body_size",
                "seq",
                "ack",
                "tcp_flags",
            )
            columns = dict(zip(names, map(np.array, zip(*segments, strict=True)), strict=True))
            self._add(len(segments), protocol=TCP, **columns)

    def _tcp_streams(self, row: int, ids: list[int], pipelined: bool) -> tuple[bytes, bytes]:
        """What client and server send on one connection, length prefixes included."""
        number, rtype = int(self.name[row]), int(self.rtype[row])
        labels, kind = self.names.labels[number], self.names.kinds[number]
        seed, size = self.seeds[self.question[row]], question_size(labels)

        def framed(body: bytes, number: int, flags: int, option: int) -> bytes:
            start, length = int(self.options.offset[option]), int(self.options.size[option])
            message = bytearray(body)
            struct.pack_into(">HH", message, 0, number, flags)
            message[11] += length > 0
            message += self.pool.octets[start : start + length]
            return struct.pack(">H", len(message)) + bytes(message)

        queries = responses = b""
        for asked, number in zip((rtype, A)[: 1 + pipelined], ids, strict=False):
            big = responses == b"" and rtype in (TXT, DNSKEY)
            body, rcode = self.maker.response(labels, kind, asked, seed, big)
            queries += framed(query_of(body, size), number, RD, self.query_options[row])
            responses += framed(body, number, RESPONSE | rcode, self.response_options[row])
        return queries, responses

    def _connection(
        self,
        ends: tuple[int, int, int],
        clock: tuple[float, float],
        numbers: tuple[int, int],
        streams: tuple[bytes, bytes],
        split_prefix: bool,
        segment_size: int,
    ) -> list[tuple[object, ...]]:
        """Segments of one connection: handshake, queries, responses, close."""
        client, server, port = ends
        start, trip = clock
        queries, responses = (self.pool.add(stream) for stream in streams)
        asked, length = map(len, streams)
        out: list[tuple[object, ...]] = []

        def segment(up: bool, time: float, body: int, size: int, seq: int, ack: int, flags: int) -> None:
            way = (client, server, port, 53) if up else (server, client, 53, port)
            out.append((time, *way, body, size, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, flags))

        up, down = True, False
        mine, theirs = numbers[0] + 1, numbers[1] + 1
        segment(up, start, 0, 0, mine - 1, 0, SYN)
        segment(down, start + trip, 0, 0, theirs - 1, mine, SYN | ACK)
        segment(up, start + trip + 20 * MICROSECOND, 0, 0, mine, theirs, ACK)
        time = start + trip + 40 * MICROSECOND
        # Some clients write the length prefix and the message with two calls, which makes two segments.
        for at, size in [(0, 2), (2, asked - 2)] if split_prefix else [(0, asked)]:
            segment(up, time, queries + at, size, mine + at, theirs, PSH | ACK)
            time += 15 * MICROSECOND
        mine += asked
        segment(down, time + trip, 0, 0, theirs, mine, ACK)
        time += 2 * trip
        for at in range(0, length, segment_size):
            size = min(segment_size, length - at)
            segment(down, time, responses + at, size, theirs + at, mine, PSH | ACK)
            time += 10 * MICROSECOND
        theirs += length
        segment(up, time + trip, 0, 0, mine, theirs, ACK)
        segment(up, time + trip + 30 * MICROSECOND, 0, 0, mine, theirs, FIN | ACK)
        segment(down, time + 2 * trip + 30 * MICROSECOND, 0, 0, theirs, mine + 1, FIN | ACK)
        segment(up, time + 3 * trip, 0, 0, mine + 1, theirs + 1, ACK)
        return out

    def _noise(self, arp: bool) -> None:
        """What else is on a network: HTTPS, QUIC, NTP, ICMP, ARP."""
        rng = self.rng
        total = sum(len(part["time"]) for part in self.parts)
        count = self.info["noise"] = int(total * self.noise_share / (1 - self.noise_share))
        random = self.pool.add(rng.integers(0, 256, 70000, dtype=np.uint8).tobytes())
        share = rng.random(count)
        client = rng.integers(0, CLIENTS * 80 // 100, count)
        other = self.addresses.others + rng.integers(0, 190, count)
        up = rng.random(count) < 0.5
        https, quic, ntp, icmp, _ = range(5)
        kind = np.select([share < limit for limit in (0.6, 0.8, 0.9, 0.96)], [https, quic, ntp, icmp], 4)
        if not arp:
            kind[kind == 4] = icmp
        empty = rng.random(count) < 0.4
        sizes = [np.where(empty, 0, rng.integers(1, 1400, count)), rng.integers(30, 1250, count)]
        size = np.choose(kind, [*sizes, np.full(count, 48), np.full(count, 64), np.full(count, 28)])
        well_known = np.choose(kind, [443, 443, 123, 0, 0])
        port = rng.integers(20000, 60000, count)
        body = random + rng.integers(0, 60000, count)
        echo = self.pool.add(b"\x08\0\0\0\0\1\0\1" + self.noise[:56])
        request = bytes.fromhex("0001080006040001 020000000001 0a000001 000000000000 0a000002")
        body[kind == icmp] = echo
        body[kind == 4] = self.pool.add(request)
        body[kind == ntp] = self.pool.add(b"\x23\x02\x06\xe8" + b"\0" * 44)
        self._add(
            count,
            time=rng.random(count) * self.duration,
            src=np.where(up, client, other),
            dst=np.where(up, other, client),
            src_port=np.where(up, port, well_known),
            dst_port=np.where(up, well_known, port),
            body=body,
            body_size=size,
            protocol=np.choose(kind, [TCP, UDP, UDP, ICMP, ARP]),
            seq=rng.integers(0, 1 << 32, count),
            ack=rng.integers(0, 1 << 32, count),
            tcp_flags=np.where(size > 0, PSH | ACK, ACK),
        )
