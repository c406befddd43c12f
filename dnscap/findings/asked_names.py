"""What the names themselves tell, counted while lookups and exchanges stream by."""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dnscap.arrays import array_of, numpy_of
from dnscap.tables.columns import Columns

Array = np.ndarray[Any, np.dtype[Any]]

MOST_NAMES = 20_000
"""Names counted: a flood of random ones must not fill memory; what comes often comes early."""

ALL_UP_TO = 200_000
ONE_IN = 16
"""Lookups whose names are counted: the first ones, then one in so many; popular names stay popular."""

MOST_LEAKS = 1_000
"""Pairs of outside server and internal name that are remembered."""

INTERNAL = (
    r"\.(?:local|internal|intranet|lan|corp|home|private|localdomain|home\.arpa)\.$"
    r"|\.svc\.cluster\."
    r"|(?:^|\.)(?:10|127|168\.192|1[6-9]\.172|2[0-9]\.172|3[01]\.172|254\.169)\.in-addr\.arpa\.$"
    r"|\.[cd]\.f\.ip6\.arpa\.$"
)
"""Names that mean something only inside: private suffixes (RFC 6762 appendix G, RFC 8375), cluster names,
reverse zones of private addresses."""


class NameTally:
    """Counts resolved and absent names, and internal names asked of servers outside."""

    def __init__(self) -> None:
        self.resolved: Counter[str] = Counter()
        self.absent: Counter[str] = Counter()
        self.leaks: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        """Exchange and frame numbers of the first few, by outside server and internal name."""
        self.leaked = 0
        self.overflowed = False

    def feed_lookups(self, rows: Columns) -> None:
        """Count the names of a batch of lookups."""
        if not rows.rows:
            return
        numbers = rows.numbers("lookup")
        if int(numbers[-1]) >= ALL_UP_TO:
            chosen = (numbers < ALL_UP_TO) | (numbers % ONE_IN == 0)
            rows = Columns(rows.batch.select(["name", "outcome"]).filter(array_of(chosen)))
        codes, texts = rows.codes("name")
        for counter, outcomes in ((self.resolved, ("ok",)), (self.absent, ("nxdomain",))):
            chosen = codes[rows.word_is("outcome", *outcomes) & (codes >= 0)]
            found, counts = np.unique(chosen, return_counts=True)
            for code, count in zip(found.tolist(), counts.tolist(), strict=True):
                name = texts[code]
                if name in counter or len(counter) < MOST_NAMES:
                    counter[name] += count
                else:
                    self.overflowed = True

    def feed_exchanges(self, batch: pa.RecordBatch, rows: Columns) -> None:
        """Look for internal names among queries of lookups to public addresses."""
        if not rows.rows:
            return
        servers, addresses = rows.codes("server")
        outside = np.zeros(len(addresses) + 1, dtype=bool)
        for code in np.unique(servers[servers >= 0]).tolist():
            outside[code] = is_public(addresses[code])
        sent = outside[servers] & (rows.numbers("lookup") >= 0)
        if not sent.any():
            return
        codes, names = rows.codes("qname")
        wanted = np.unique(codes[sent & (codes >= 0)])
        asked = array_of([names[code] for code in wanted.tolist()], pa.string())
        inside = numpy_of(pc.match_substring_regex(asked, INTERNAL))
        internal = np.zeros(len(names) + 1, dtype=bool)
        internal[wanted[inside]] = True
        leaking = np.flatnonzero(sent & internal[codes])
        if len(leaking):
            self.note_leaks(batch.take(array_of(leaking)))

    def note_leaks(self, told: pa.RecordBatch) -> None:
        """Remember the first exchange of each outside server and internal name; all rows are such."""
        rows = Columns(told)
        self.leaked += rows.rows
        servers, addresses = rows.codes("server")
        codes, names = rows.codes("qname")
        exchanges, frames = rows.numbers("exchange"), rows.numbers("query_frame")
        for place in range(min(rows.rows, MOST_LEAKS)):
            key = addresses[servers[place]], names[codes[place]]
            if key in self.leaks:
                continue
            if len(self.leaks) >= MOST_LEAKS:
                break
            self.leaks[key] = [int(exchanges[place]), int(frames[place])]


def is_public(address: str) -> bool:
    """Whether an address lies outside: routed on the public Internet."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_global
    except ValueError:
        return False
