"""What diagnosis adds up over all exchanges and lookups; see ext/dnscap/native/tallies.pxd."""

from typing import Any, Self, final

import numpy as np

from dnscap.native.exchange_rows import ExchangeBatch
from dnscap.native.histograms import Histograms
from dnscap.native.lookup_columns import LookupBatch

_Array = np.ndarray[Any, np.dtype[Any]]

@final
class Numbers:
    """Numbers told apart: whether one has come before, and which of many are among them."""

    def __len__(self) -> int: ...
    def add(self, keys: _Array) -> None:
        """Enter keys."""

    def clear(self) -> None:
        """Forget all."""

@final
class KeptExchanges:
    """Exchanges of the lookups that are kept, each copied out of its page."""

    def __new__(cls, most: int, most_each: int) -> Self: ...
    def __len__(self) -> int: ...
    @property
    def passed_over(self) -> int: ...
    @property
    def row_size(self) -> int:
        """Octets of a KeptExchange."""

    def follow(self, lookups: _Array) -> None:
        """Keep the exchanges of these lookups from now on."""

    def feed(self, batch: ExchangeBatch) -> None:
        """Take those of a batch that belong to a lookup that is kept."""

    def taken(self) -> bytes:
        """What was kept since this was called last, as octets of KeptExchange structs."""

    def make_room(self, rows: int) -> None:
        """So many of the rows that were taken are no longer kept."""

@final
class Pairs:
    """Numbers of clients with the stub seen there."""

    def __new__(cls, limit: int) -> Self: ...
    def __len__(self) -> int: ...
    def number_rows(self, batch: LookupBatch, numbers: _Array) -> None:
        """Fill `numbers` with the number of each row of a batch."""

    def pair(self, number: int) -> tuple[bytes, int]:
        """Address (16 octets) and number of the stub of a pair."""

@final
class Names:
    """How often each name was resolved, and how often it did not exist."""

    def __new__(cls, limit: int) -> Self: ...
    @property
    def overflowed(self) -> int: ...
    def count(self, batch: LookupBatch, all_up_to: int, one_in: int) -> None:
        """Count the names of a batch: of the first `all_up_to` lookups, then of one in `one_in`."""

    def counts_of(self, absent: bool) -> list[int]:
        """How often each name was resolved, or did not exist, in the order in which they first came."""

    def name(self, number: int) -> str:
        """A name by its place in that order."""

def count_exchanges(
    batch: ExchangeBatch,
    servers: _Array,
    end: int,
    outcomes: _Array,
    extras: _Array,
    latencies: Histograms,
    types: _Array,
    type_keys: Numbers,
    full: _Array,
    client_keys: Numbers,
    ours: _Array,
    our_latencies: _Array,
) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    """Count a batch of exchanges by server, and those of lookups for the scorecard."""

def count_lookups(
    batch: LookupBatch,
    pairs: _Array,
    lookups: _Array,
    failed: _Array,
    durations: Histograms,
    left: _Array,
    room: _Array,
    slowest: _Array,
    chosen: _Array,
    grades: _Array,
    wanted: _Array,
    costs: _Array,
) -> tuple[int, int, int, int]:
    """Count a batch of lookups by client and stub and by cause, and choose those to be kept."""
