"""Lookups that the view shows: each from its first query to its final row, the troubled ones for longer.

Final rows come late: when the stub can send nothing more, and after all lookups that began before. So lookups are
looked at while they are open, some of them where there are too many, and are replaced by their final row later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dnscap import registry
from dnscap.arrays import array_of
from dnscap.clients.keeping import FAILED
from dnscap.clients.kept_rows import plain_rows
from dnscap.exchanges.arrow import OUTCOMES as EXCHANGE_OUTCOMES
from dnscap.exchanges.arrow import ROLES
from dnscap.lookups.arrow import Columns as LookupColumns
from dnscap.lookups.words import BUCKETS, OUTCOMES
from dnscap.messages.around import address_text
from dnscap.schema import LOOKUPS

if TYPE_CHECKING:
    from dnscap.live.alerts import OpenLookup
    from dnscap.live.session import LiveBatch, Session
    from dnscap.lookups.assembling import LookupBatch

MOST_ROWS = 500
"""Lookups shown of the ordinary ones, and as many of the slow, failed, waiting and marked ones."""

NEWEST = 48
"""Lookups that begin between two looks of which each is followed; of more, the latest so many."""

MOST_FOLLOWED = 600
"""Lookups looked at again until they are over."""

SELDOM = 8
"""Looks between two at a lookup that has its answer: it hardly ever goes on."""

MOST_WAITING = 100
"""Lookups that wait looked at, the longest first; where there are so many, at every other look."""

MOST_CHOSEN = (100, 8)
"""Final rows that are shown of one batch though they were not followed: of troubled lookups, and of others."""

READ_AT_ONCE = [column.name for column in LOOKUPS if column.name not in ("answers", "cname_chain")]
"""Columns of final rows; the texts of answers are made of those rows that are shown."""

WAITING, SETTLED, FINAL = "waiting", "settled", "final"

_FAILED = np.array([word in FAILED for word in OUTCOMES])
_UNREACHABLE = EXCHANGE_OUTCOMES.index("unreachable")
_TRANSPORTS = ("udp", "tcp")


@dataclass(slots=True)
class Row:
    """A lookup as the view shows it.

    Attributes
    ----------
    state : {"waiting", "settled", "final"}
        Whether an answer is awaited, what was asked for has come, or its row of the lookups table has.
    took : int
        Nanoseconds that it took, or has waited so far.
    slow : bool
        Whether that is long.
    sent : list of dict
        Its queries, as rows of the exchanges table as far as they are known.
    lookup : dict or None
        Its row of the lookups table, once it is final.
    marked : bool
        Whether it is to be saved.
    """

    number: int
    time: int
    client: str
    name: str
    qtypes: tuple[str, ...]
    state: str
    outcome: str
    took: int
    queries: int
    servers: tuple[str, ...]
    causes: tuple[str, ...] = ()
    slow: bool = False
    sent: list[dict[str, Any]] = field(default_factory=list)
    lookup: dict[str, Any] | None = None
    marked: bool = False

    @property
    def failed(self) -> bool:
        """Whether the application got nothing to act on."""
        return self.outcome in FAILED

    @property
    def troubled(self) -> bool:
        """Whether it is slow or failed."""
        return self.slow or self.failed

    def as_lookup(self) -> dict[str, Any]:
        """Its row of the lookups table; before it is final, what is known of that."""
        if self.lookup is not None:
            return self.lookup
        names = list(dict.fromkeys(row["qname"] for row in self.sent))
        return {
            "lookup": self.number,
            "time": self.time,
            "duration": self.took,
            "duration_min": self.took,
            "duration_max": self.took,
            "end_basis": None,
            "client": self.client,
            "name": self.name,
            "name_certain": True,
            "qtypes": list(self.qtypes),
            "outcome": self.outcome,
            "candidates": names,
            "servers": list(self.servers),
            "causes": [],
            "stub": None,
            "answers": [],
            "cname_chain": [],
            "tcp_fallback": False,
            **dict.fromkeys(BUCKETS, 0),
        }


class Following:
    """Keeps the rows that the view shows, within limits.

    Parameters
    ----------
    threshold : int
        Nanoseconds from which on a lookup is slow.
    over : callable
        Told the end of a lookup and how long it took, once for each that is followed.
    ended : callable
        Told a server, when it answered or was said to be absent, after how long, and the outcome, likewise.
    gone : callable
        Told the number of a troubled row that is shown no more.
    """

    def __init__(
        self,
        threshold: int,
        over: Callable[[int, int], None],
        ended: Callable[[str, int, int, str], None],
        gone: Callable[[int], None],
    ) -> None:
        self.threshold = threshold
        self.waiting: list[OpenLookup] = []
        """Lookups that wait, the longest first, as of the latest look."""
        self._over = over
        self._ended = ended
        self._gone = gone
        self._plain: dict[int, Row] = {}
        self._troubled: dict[int, Row] = {}
        self._followed: dict[int, str] = {}  # state of each
        self._next = 0
        self._looks = 0
        self._taken = 0  # lookups of which batches had the final row

    def __iter__(self) -> Iterator[Row]:
        yield from self._plain.values()
        yield from self._troubled.values()

    def __len__(self) -> int:
        return len(self._plain) + len(self._troubled)

    def get(self, number: int) -> Row | None:
        """The row of a lookup; None where it is not shown."""
        return self._troubled.get(number) or self._plain.get(number)

    # ------------------------------------------------------------ open lookups

    def look(self, session: Session) -> None:
        """See where open lookups stand."""
        begun = session.begun
        newest = range(max(self._next, begun - NEWEST), begun)
        self._next = begun
        if len(self.waiting) < MOST_WAITING or self._looks % 2:
            self.waiting = list(session.open_lookups(most=MOST_WAITING))
        self._looks += 1
        wanted = [
            number
            for number, state in self._followed.items()
            if state == WAITING or (state == SETTLED and (number + self._looks) % SELDOM == 0)
        ]
        wanted += newest
        slow = [one for one in self.waiting if one.waited >= self.threshold]
        known = set(wanted)
        wanted += [one.lookup for one in slow if one.lookup not in known]
        still_open, over = session.glimpse(wanted)
        for one in still_open:
            self._take_open(one)
        if over.lookups:
            self._take_rows(plain_rows(over.to_arrow(READ_AT_ONCE)))

    def _take_open(self, one: OpenLookup) -> None:
        known = self.get(one.lookup)
        sent = sent_of(one, known.sent if known is not None else [])
        state, outcome, took = _standing(one)
        row = Row(
            one.lookup,
            one.time,
            one.client,
            one.name,
            tuple(one.qtypes),
            state,
            outcome,
            took,
            one.queries,
            tuple(one.servers),
            slow=took >= self.threshold,
            sent=sent,
            marked=known is not None and known.marked,
        )
        self._tell_ends(sent, known.sent if known is not None else [])
        if state == SETTLED and (known is None or known.state == WAITING):
            self._over(one.time + took, took)
        if one.lookup in self._followed or len(self._followed) < MOST_FOLLOWED:
            self._followed[one.lookup] = state
        self._put(row)

    def _tell_ends(self, sent: list[dict[str, Any]], before: list[dict[str, Any]]) -> None:
        told = {row["exchange"] for row in before if row["latency"] is not None}
        for row in sent:
            if row["latency"] is not None and row["exchange"] not in told:
                self._ended(row["server"], row["time"] + row["latency"], row["latency"], row["outcome"])

    # ------------------------------------------------------------ final rows

    def feed(self, batch: LiveBatch) -> None:
        """Take final rows."""
        for lookups in batch.lookup_batches:
            rows = LookupColumns(lookups.native).rows
            numbers = rows["lookup"].astype(np.int64)
            self._taken = int(numbers[-1]) + 1
            chosen = np.isin(numbers, np.fromiter(self._followed, np.int64, len(self._followed)))
            troubled = (rows["duration"] >= self.threshold) | _FAILED[rows["outcome"]]
            for mask, room in zip(
                (troubled, ~troubled), (MOST_ROWS,) * 2 if batch.last else MOST_CHOSEN, strict=True
            ):
                chosen[np.flatnonzero(mask & ~chosen)[-room:]] = True
            self._take_final(lookups, np.flatnonzero(chosen))

    def _take_final(self, lookups: LookupBatch, places: Any) -> None:
        if not len(places):
            return
        found = plain_rows(lookups.to_arrow(READ_AT_ONCE).take(array_of(places)))
        details = lookups.details([row["lookup"] for row in found])
        for row, more in zip(found, details, strict=True):
            row.update(more)
        self._take_rows(found)

    def _take_rows(self, found: list[dict[str, Any]]) -> None:
        for row in found:
            number = row["lookup"]
            row = {"answers": [], "cname_chain": []} | row
            if number < self._taken:
                self._followed.pop(number, None)
            elif number in self._followed:
                self._followed[number] = FINAL  # its answers come with the batch
            known = self.get(number)
            if known is not None and known.lookup is not None:
                known.lookup.update(row)  # with answers, perhaps
                continue
            took = row["duration"] or 0
            waited = took - (row["t_gap"] or 0)
            if known is None or known.state == WAITING:
                self._over(row["time"] + took, took)
            self._put(
                Row(
                    number,
                    row["time"],
                    row["client"],
                    row["name"] or "?",
                    tuple(row["qtypes"] or ()),
                    FINAL,
                    row["outcome"],
                    took,
                    row["queries"],
                    tuple(row["servers"] or ()),
                    tuple(row["causes"] or ()),
                    slow=waited >= self.threshold,
                    sent=known.sent if known is not None else [],
                    lookup=row,
                    marked=known is not None and known.marked,
                )
            )

    # ------------------------------------------------------------ rows

    def _put(self, row: Row) -> None:
        number = row.number
        if row.troubled or row.marked:
            self._plain.pop(number, None)
            rows = self._troubled
        else:
            if self._troubled.pop(number, None) is not None:
                self._gone(number)
            rows = self._plain
        rows[number] = row
        if len(rows) > MOST_ROWS:
            oldest = next((n for n, one in rows.items() if not one.marked), None)
            if oldest is not None:
                del rows[oldest]
                self._followed.pop(oldest, None)
                if rows is self._troubled:
                    self._gone(oldest)

    def mark(self, number: int, marked: bool) -> None:
        """Mark a lookup, or not: marked ones stay."""
        row = self.get(number)
        if row is not None:
            row.marked = marked
            self._put(row)

    def troubled(self) -> Iterable[Row]:
        """Rows of slow, failed and marked lookups."""
        return self._troubled.values()


def _standing(one: OpenLookup) -> tuple[str, str, int]:
    """State, outcome and duration so far of a lookup that is open."""
    attempts = one.attempts
    ended = [a for a in attempts if a[1] >= 0]
    latest = max((a[1] for a in ended), default=one.time)
    words = [EXCHANGE_OUTCOMES[a[5]] for a in ended]
    if one.complete and ended:
        if "answer" in words:
            outcome = "ok"
        else:
            outcome = "nxdomain" if "nxdomain" in words else "nodata"
        return SETTLED, outcome, latest - one.time
    if len(ended) == len(attempts) and words and words[-1] in OUTCOMES:
        return SETTLED, words[-1], latest - one.time
    return WAITING, "waiting", one.waited


def sent_of(one: OpenLookup, known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Queries of an open lookup as rows of the exchanges table; those that are `known` and answered are taken over."""
    done = {row["exchange"]: row for row in known if row["latency"] is not None}
    sent = []
    attempts = one.attempts
    for place, attempt in enumerate(attempts):
        time, answered, server, qtype, role, outcome, transport, exchange, port, server_port, candidate = (
            attempt
        )
        row = done.get(exchange)
        if row is None:
            again = any(other[3] == qtype and other[10] == candidate for other in attempts[place + 1 :])
            word = EXCHANGE_OUTCOMES[outcome] if answered >= 0 else "unanswered" if again else "waiting"
            row = {
                "exchange": exchange,
                "time": time,
                "latency": answered - time if answered >= 0 else None,
                "qname": one.names[candidate] if candidate < len(one.names) else one.name,
                "qtype": registry.rrtype_name(qtype),
                "role": ROLES[role] or None,
                "server": address_text(server),
                "server_port": server_port,
                "client_port": port,
                "transport": _TRANSPORTS[transport] if transport < 2 else "udp",
                "outcome": word,
            }
        sent.append(row)
    return sent
