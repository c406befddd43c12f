"""Counts per server address: what it was asked, how it answered, how fast."""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pyarrow as pa

from dnscap.arrays import array_of
from dnscap.exchanges.arrow import OUTCOMES as NATIVE_OUTCOMES
from dnscap.messages.around import ENDS, address_text
from dnscap.messages.arrow import ARROW_TYPES
from dnscap.registry import rrtype_name
from dnscap.schema import SERVERS
from dnscap.tables.columns import Columns, Numbering
from dnscap.tables.histogram import BUCKETS, histograms

Array = np.ndarray[Any, np.dtype[Any]]

MOST_SERVERS = 20_000
"""Servers told apart: a busy resolver meets some thousand; a flood of forged ones shares a last row."""

MOST_CLIENTS = 1_000
"""Clients of one server told apart: whether there are more is seldom a question."""

PATIENCE = 2_000_000_000
"""Nanoseconds after which a query without an answer counts as unanswered where the capture ends: few answers
take so long, and the client has asked again by then."""

MOST_TYPES = 50_000
"""Pairs of server and type told apart, for types that a server never answers."""

LEAST_ASKED = 3
"""Queries for a type before its silence means something."""

OUTCOMES = NATIVE_OUTCOMES[1:]
"""Outcomes of exchanges that are over, in the order of the counters."""

ANSWERED = OUTCOMES[:10]
_KIND = {word: place for place, word in enumerate(OUTCOMES)}
_OTHER = len(OUTCOMES)
_WIDTH = _OTHER + 1

# further counters of a server, after those of its outcomes
(
    _AMBIGUOUS,
    _ITERATED,
    _IN_LOOKUPS,
    _EDNS_ANSWERED,
    _EDNS_SILENT,
    _EDNS_FORMERR,
    _EDNS_IGNORED,
    _PLAIN_ANSWERED,
) = range(8)
_EXTRAS = 8
_TRIED, _TCP_REFUSED, _TCP_SILENT = range(3)


class ServerTally:
    """Adds up exchanges and connections into one row a server.

    Batches may be cut anywhere, and `merge` of two tallies is what one would have counted.
    """

    def __init__(self) -> None:
        self.servers = Numbering(MOST_SERVERS)
        self.outcomes: Array = np.zeros((0, _WIDTH), dtype=np.int64)
        self.extras: Array = np.zeros((0, _EXTRAS), dtype=np.int64)
        self._tcp: Array = np.zeros((0, 3), dtype=np.int64)
        self.latency = histograms()
        self._rtt = histograms()
        self.clients_of: defaultdict[int, set[str]] = defaultdict(set)
        self.full: set[int] = set()
        self.types: defaultdict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
        self._type_keys: Array = np.zeros(0, dtype=np.int64)
        self._type_counts: Array = np.zeros((0, 2), dtype=np.int64)
        self.failovers: Counter[str] = Counter()
        """Fail-overs by the server that was left; counted by whoever sees whole lookups."""
        self.told: dict[str, str] = {}
        """Roles of servers whose own queries upstream show them; set by whoever joins the two sides."""

    # ------------------------------------------------------------ feeding

    def feed_exchanges(self, rows: Columns, end: int | None = None) -> None:
        """Count the exchanges of a batch; `end` is when the capture ends, once that is known."""
        if not rows.rows:
            return
        server = self.servers.translate(*rows.codes("server"))
        self.grow()
        kind = kinds_of(rows, end)
        is_query = (kind != _KIND["unsolicited"]) & (kind != _KIND["duplicate"])
        self.outcomes += self._counted(server * _WIDTH + kind, _WIDTH)
        known = is_query & (server >= 0)
        answered = known & (kind < len(ANSWERED))
        ambiguous = rows.truth("ambiguous") & known
        silent = known & (kind == _KIND["unanswered"]) & ~ambiguous
        self._extra(_AMBIGUOUS, server, ambiguous & (kind == _KIND["unanswered"]))
        in_lookup = rows.numbers("lookup") >= 0
        self._extra(_IN_LOOKUPS, server, known & in_lookup)
        self._extra(_ITERATED, server, known & ~in_lookup)
        self._edns(rows, server, kind, answered, silent)

        latency = rows.numbers("latency")
        timed = answered & (latency >= 0)
        self.latency.add(server[timed], latency[timed], len(self.outcomes))
        self._note_clients(rows, server, known)
        self._note_types(rows, server, answered, silent)

    def feed_connections(self, batch: pa.RecordBatch) -> None:
        """Count the TCP connections of a batch."""
        rows = Columns(batch)
        if not rows.rows:
            return
        server = self.servers.translate(*rows.codes("server"))
        tried = rows.numbers("syns") > 0
        refused, silent = rows.word_is("end", "refused"), rows.word_is("end", "unanswered")
        self._count_connections(server, tried & (server >= 0), refused, silent, rows.numbers("handshake"))

    def feed_native_connections(self, rows: Array) -> None:
        """As `feed_connections`, of native rows."""
        server = np.array([self.servers.number(address_text(octets)) for octets in rows["server"].tolist()])
        self.servers.overflowed += int((server == self.servers.limit).sum())
        refused, silent = rows["end"] == ENDS.index("refused"), rows["end"] == ENDS.index("unanswered")
        self._count_connections(server, rows["syns"] > 0, refused, silent, rows["handshake"])

    def _count_connections(
        self, server: Array, tried: Array, refused: Array, silent: Array, handshake: Array
    ) -> None:
        self.grow()
        for place, chosen in (
            (_TRIED, tried),
            (_TCP_REFUSED, tried & refused),
            (_TCP_SILENT, tried & silent),
        ):
            self._tcp[:, place] += np.bincount(server[chosen], minlength=len(self._tcp))
        timed = tried & (handshake >= 0)
        self._rtt.add(server[timed], handshake[timed], len(self._tcp))

    def note_types(self, keys: Array, counts: Array) -> None:
        """Take in queries by server and type, all there are.

        Parameters
        ----------
        keys : numpy.ndarray of int64
            Number of the server in the upper half, type in the lower.
        counts : numpy.ndarray
            Of each how many were answered or met silence, and how many were answered.
        """
        self._type_keys, self._type_counts = keys, counts

    def _spell_types(self) -> None:
        """Have what `note_types` took in under the names of the types."""
        for key, (asked, answered) in zip(self._type_keys.tolist(), self._type_counts.tolist(), strict=True):
            pair = self.types[key >> 32, rrtype_name(key & 0xFFFF)]
            pair[0] += asked
            pair[1] += answered
        self.note_types(self._type_keys[:0], self._type_counts[:0])

    def merge(self, other: ServerTally) -> None:
        """Add what another tally counted."""
        self._spell_types()
        other._spell_types()
        place = np.array(
            [self.servers.number(text) for text in other.servers.texts] + [MOST_SERVERS], dtype=np.int64
        )
        self.grow()
        for mine, theirs in (
            (self.outcomes, other.outcomes),
            (self.extras, other.extras),
            (self._tcp, other._tcp),
        ):
            rows = _rows_of(len(theirs), place)
            np.add.at(mine, rows, theirs)
        for mine_of, theirs_of in ((self.latency, other.latency), (self._rtt, other._rtt)):
            mine_of.grow(len(self.outcomes))
            mine_of.merge(theirs_of, place)
        for number, clients in other.clients_of.items():
            known = self.clients_of[int(place[min(number, len(place) - 1)])]
            known.update(list(clients)[: max(0, MOST_CLIENTS - len(known))])
        for (number, qtype), (asked, answered) in other.types.items():
            pair = self.types[int(place[min(number, len(place) - 1)]), qtype]
            pair[0] += asked
            pair[1] += answered
        self.failovers += other.failovers

    def grow(self) -> None:
        """Make room in the counters for the servers that have numbers."""
        # one row more than servers: what is beyond the limit
        wanted = len(self.servers) + (1 if len(self.servers) >= MOST_SERVERS else 0)
        if wanted > len(self.outcomes):
            for name, width in (("outcomes", _WIDTH), ("extras", _EXTRAS), ("_tcp", 3)):
                old = getattr(self, name)
                grown = np.zeros((wanted, width), dtype=np.int64)
                grown[: len(old)] = old
                setattr(self, name, grown)

    def _counted(self, keys: Array, width: int) -> Array:
        size = len(self.outcomes) * width
        return np.bincount(keys[keys >= 0], minlength=size).reshape(-1, width)

    def _extra(self, place: int, server: Array, chosen: Array) -> None:
        self.extras[:, place] += np.bincount(server[chosen], minlength=len(self.extras))

    def _edns(self, rows: Columns, server: Array, kind: Array, answered: Array, silent: Array) -> None:
        if "edns" not in rows:
            return
        edns = rows.truth("edns")
        formerr = answered & np.isin(kind, [_KIND["formerr"], _KIND["notimp"]])
        self._extra(_EDNS_FORMERR, server, edns & formerr)
        self._extra(_EDNS_ANSWERED, server, edns & answered & ~formerr)
        self._extra(_EDNS_SILENT, server, edns & silent)
        self._extra(_PLAIN_ANSWERED, server, ~edns & answered)
        if "response_edns" in rows:
            self._extra(_EDNS_IGNORED, server, edns & answered & ~formerr & ~rows.truth("response_edns"))

    def _note_clients(self, rows: Columns, server: Array, known: Array) -> None:
        codes, texts = rows.codes("client")
        wanted = known & (codes >= 0)
        if self.full:
            wanted &= ~np.isin(server, np.fromiter(self.full, dtype=np.int64))
        if not wanted.any():
            return
        pairs = np.unique(server[wanted].astype(np.int64) * (len(texts) + 1) + codes[wanted])
        for pair in pairs.tolist():
            number, code = divmod(pair, len(texts) + 1)
            clients = self.clients_of[number]
            if len(clients) < MOST_CLIENTS:
                clients.add(texts[code])
            else:
                self.full.add(number)

    def _note_types(self, rows: Columns, server: Array, answered: Array, silent: Array) -> None:
        codes, texts = rows.codes("qtype")
        width = len(texts) + 1
        keys = server * width + codes
        for place, chosen in ((0, answered | silent), (1, answered)):
            chosen = chosen & (codes >= 0)
            found, counts = np.unique(keys[chosen], return_counts=True)
            for key, count in zip(found.tolist(), counts.tolist(), strict=True):
                pair = key // width, texts[key % width]
                if pair in self.types or len(self.types) < MOST_TYPES:
                    self.types[pair][place] += count

    # ------------------------------------------------------------ the table

    def rows(self) -> list[dict[str, Any]]:
        """One row a server, most asked first."""
        silent: defaultdict[int, list[str]] = defaultdict(list)
        for (number, qtype), (asked, answered) in self.types.items():
            if asked >= LEAST_ASKED and not answered:
                silent[number].append(qtype)
        unheard = (self._type_counts[:, 0] >= LEAST_ASKED) & (self._type_counts[:, 1] == 0)
        for key in self._type_keys[unheard].tolist():
            silent[key >> 32].append(rrtype_name(key & 0xFFFF))
        clients = set().union(*self.clients_of.values()) if self.clients_of else set()
        rows = []
        for number in range(len(self.outcomes)):
            name = self.servers.texts[number] if number < len(self.servers) else "others"
            row = self._row(number, name, silent.get(number, []), name in clients)
            if row["queries"] or row["tcp_connections"]:
                rows.append(row)
        rows.sort(key=lambda row: (-row["queries"], row["server"]))
        return rows

    def answers_of(self, server: str) -> tuple[Array, int]:
        """Latencies of a server's answers as a histogram, and how many queries it left without an answer."""
        counts: Array = np.zeros(BUCKETS, np.int64)
        number = self.servers.known(server)
        if number is None:
            return counts, 0
        self.latency.row(number, counts)
        silent = self.outcomes[number, _KIND["unanswered"]] + self.outcomes[number, _KIND["unreachable"]]
        return counts, int(silent - self.extras[number, _AMBIGUOUS])

    def _row(self, number: int, name: str, silent: list[str], is_client: bool) -> dict[str, Any]:
        of = dict(zip(OUTCOMES, self.outcomes[number].tolist(), strict=False))
        extras = self.extras[number].tolist()
        answered = sum(of[word] for word in ANSWERED)
        queries = int(self.outcomes[number].sum()) - of["unsolicited"] - of["duplicate"]
        tcp = self._tcp[number].tolist()
        return {
            "server": name,
            "role": self.told.get(name) or _role(name, of, extras, is_client),
            "clients": min(len(self.clients_of.get(number, ())), MOST_CLIENTS),
            "queries": queries,
            "answered": answered,
            "unanswered": of["unanswered"] - extras[_AMBIGUOUS],
            "unreachable": of["unreachable"],
            "ambiguous": extras[_AMBIGUOUS],
            "noerror": of["answer"] + of["nodata"] + of["referral"] + of["truncated"],
            "nxdomain": of["nxdomain"],
            "servfail": of["servfail"],
            "refused": of["refused"],
            "formerr": of["formerr"],
            "other_rcodes": of["notimp"] + of["other-rcode"],
            "truncated": of["truncated"],
            "latency_p50": self.latency.percentile(number, 0.5),
            "latency_p90": self.latency.percentile(number, 0.9),
            "latency_p99": self.latency.percentile(number, 0.99),
            "tcp_connections": tcp[_TRIED],
            "tcp_refused": tcp[_TCP_REFUSED],
            "tcp_unanswered": tcp[_TCP_SILENT],
            "tcp_rtt": self._rtt.percentile(number, 0.5),
            "edns": _edns_verdict(extras),
            "never_answered": sorted(silent) if answered else [],
            "failovers": self.failovers.get(name, 0),
        }

    def to_arrow(self) -> pa.Table:
        """The servers table."""
        return table_of(self.rows(), SERVERS)


def table_of(rows: list[dict[str, Any]], columns: Any) -> pa.Table:
    """An Arrow table of a table's declared columns from rows as dictionaries."""
    arrays, fields = [], []
    for column in columns:
        kind = ARROW_TYPES[column.kind]
        plain = pa.string() if column.kind == "category" else kind
        array = array_of([row.get(column.name) for row in rows], plain)
        arrays.append(array.dictionary_encode().cast(kind) if column.kind == "category" else array)
        fields.append(pa.field(column.name, kind))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def kinds_of(rows: Columns, end: int | None) -> Array:
    """Place in OUTCOMES of each exchange's outcome; what waited long at the capture's end is unanswered."""
    codes, words = rows.codes("outcome")
    table = np.array([_KIND.get(word, _OTHER) for word in words] + [_OTHER], dtype=np.int64)
    kinds = table[codes]
    if end is not None and "unfinished" in words:
        waited = (kinds == _KIND["unfinished"]) & (rows.numbers("time") < end - PATIENCE)
        kinds[waited] = _KIND["unanswered"]
    return kinds


def _rows_of(count: int, place: Array) -> Array:
    return place[np.minimum(np.arange(count), len(place) - 1)]


def _role(name: str, of: dict[str, int], extras: list[int], is_client: bool) -> str | None:
    if of["referral"] > 0 or extras[_ITERATED] > extras[_IN_LOOKUPS]:
        return "authoritative"
    if not extras[_IN_LOOKUPS]:
        return None
    return "forwarder" if is_client or _is_loopback(name) else "recursive"


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _edns_verdict(extras: list[int]) -> str | None:
    answered, silent, formerr = extras[_EDNS_ANSWERED], extras[_EDNS_SILENT], extras[_EDNS_FORMERR]
    if formerr > answered:
        return "formerr"
    if answered:
        return "ignores" if extras[_EDNS_IGNORED] > answered / 2 else "answers"
    if silent >= LEAST_ASKED and extras[_PLAIN_ANSWERED] >= LEAST_ASKED:
        return "drops"
    return None
