"""Everything behind the decoder under fuzzing, with what must hold of the rows it gives."""

from __future__ import annotations

import struct
from itertools import accumulate

from dnscap.native.askers import Askers
from dnscap.native.decoder import Batch
from dnscap.native.exchanges import Exchanges
from dnscap.native.invented import Invented
from dnscap.native.lookups import Lookups
from dnscap.native.names_seen import NamesSeen
from dnscap.native.outstanding import open_lookups
from dnscap.native.resolutions import Resolutions
from dnscap.native.subnets import Subnets

LOOKUP = struct.Struct("Qqq16s4I8B2q8q")
RESOLUTION_FIRST = struct.Struct("QQ")
LOOKUP_COLUMNS = ("name", "final_name", "candidates", "servers", "types", "causes", "records")
"""Those that come to the same however lookups are spread over batches."""
NO_LOOKUP = 0xFFFFFFFFFFFFFFFF


class Habits:
    """What is counted of clients, servers, made-up names and subnets."""

    def __init__(self) -> None:
        self.askers, self.invented, self.subnets = Askers(), Invented(), Subnets()

    def check(self) -> None:
        """Look at what was counted."""
        for row in self.askers.rows():
            assert row["absent"] <= row["answered"]
            assert 0 <= row["id_spread"] <= 1.000001 and 0 <= row["port_spread"] <= 1.000001
        for kind in ("clients", "absent", "long"):
            for row in self.invented.rows(kind, 1):
                assert 0 < row["sieved"] <= row["count"] and 0 <= row["evenness"] <= 1.000001
        for row in self.subnets.servers_told():
            assert row["close"] <= row["queries"] and row["longer"] <= row["answers"]
        assert all(len(values) > 1 for *_, values in self.subnets.differing())


class Stages:
    """Everything behind the decoder, and the rows it has given.

    Parameters
    ----------
    short_cuts : bool
        Whether ordinary lookups may take their short ways.
    names : NamesSeen, optional
        Where names are tallied, which is not done without.
    habits : Habits, optional
        Likewise where clients and servers are.
    """

    def __init__(
        self, *, short_cuts: bool, names: NamesSeen | None = None, habits: Habits | None = None
    ) -> None:
        self.exchanges = Exchanges()
        self.lookups = Lookups(True, short_cuts)
        self.resolutions = Resolutions(True)
        self.names = names
        self.habits = habits
        self.exchange_rows = 0
        self.of_lookups: list[int] = []
        self.lookup_rows: list[bytes] = []
        self.lookup_octets = {name: bytearray() for name in LOOKUP_COLUMNS}
        self.judged: list[int] = []

    def feed(self, batch: Batch) -> None:
        """Take in a batch of messages."""
        self.lookups.hold(self.exchanges)
        self.exchanges.feed(batch)
        self.resolutions.feed(self.exchanges, batch)
        self.lookups.feed(self.exchanges, batch)
        if self.names is not None:
            self.names.feed(batch)
        if self.habits is not None:
            self.habits.subnets.feed(batch)

    def pass_time(self, now: int) -> None:
        """Let time pass without a message."""
        self.lookups.hold(self.exchanges)
        self.exchanges.pass_time(now)
        self.resolutions.feed(self.exchanges)
        self.resolutions.pass_time(now)
        self.lookups.feed(self.exchanges)
        self.lookups.pass_time(now)

    def close(self) -> None:
        """End the capture."""
        self.lookups.hold(self.exchanges)
        self.exchanges.end()
        self.resolutions.feed(self.exchanges)
        self.resolutions.close()
        self.lookups.feed(self.exchanges)
        self.lookups.close()

    def take(self) -> None:
        """Take rows that are final, and look at each."""
        for batch in self.exchanges.take():
            assert batch.first_exchange == self.exchange_rows, "exchanges come once each, in order"
            self.exchange_rows += batch.exchanges
            if self.habits is not None:
                self.habits.askers.feed(batch)
                self.habits.invented.feed(batch)
            self.of_lookups += memoryview(batch.column("lookup")).tolist()
        while (lookups := self.lookups.take()).count:
            assert lookups.row_size == LOOKUP.size
            rows = bytes(lookups.column("rows"))
            for start in range(0, len(rows), LOOKUP.size):
                self._look_at(rows[start : start + LOOKUP.size])
            for name in LOOKUP_COLUMNS:
                self.lookup_octets[name] += lookups.column(name)
        while (resolutions := self.resolutions.take()).count:
            rows = resolutions.column("rows")
            for start in range(0, len(rows), resolutions.row_size):
                self.judged.append(RESOLUTION_FIRST.unpack_from(rows, start)[1])

    def _look_at(self, row: bytes) -> None:
        values = LOOKUP.unpack(row)
        number, duration, budget = values[0], values[2], values[-8:]
        assert number == len(self.lookup_rows), "lookups come once each, in order"
        assert min(budget) >= 0, "no part of a budget is negative"
        assert duration < 0 or sum(budget) == duration, "a budget sums to the duration"
        self.lookup_rows.append(row)

    def look_at_open(self) -> None:
        """Look at lookups that still wait."""
        assert len(open_lookups(self.lookups)) <= self.lookups.open

    def check(self) -> None:
        """Look at what only the end can show."""
        assert self.exchanges.live == 0 and self.lookups.open == 0, "nothing is left over"
        lookups = range(len(self.lookup_rows))
        assert all(n in lookups or n == NO_LOOKUP for n in self.of_lookups), "of a lookup that there is not"
        assert all(e < self.exchange_rows for e in self.judged), "of an exchange that there is not"


def check_names(names: NamesSeen) -> None:
    """Look at what was seen of names."""
    rows, size = names.rows()
    assert len(rows) % size == 0, "rows of structs"
    starts, octets = names.rrsets()
    offsets = memoryview(starts).cast("Q").tolist()
    assert offsets == list(accumulate(offsets, max)) and offsets[-1] == len(octets), (
        "RRsets follow each other"
    )
