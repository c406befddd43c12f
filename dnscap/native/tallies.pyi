"""What diagnosis adds up over all exchanges and lookups; see ext/dnscap/native/tallies.pxd."""

from typing import Any, Self, final

import numpy as np

from dnscap.native.exchange_rows import ExchangeBatch
from dnscap.native.histograms import Histograms
from dnscap.native.key_tables import Numbers
from dnscap.native.lookup_columns import LookupBatch

_Array = np.ndarray[Any, np.dtype[Any]]

@final
class Pairs:
    """Numbers of clients with the stub seen there."""

    def __new__(cls, limit: int) -> Self: ...
    def __len__(self) -> int: ...
    def number_rows(self, batch: LookupBatch, numbers: _Array) -> None:
        """Fill `numbers` with the number of each row of a batch."""

    def pair(self, number: int) -> tuple[bytes, int]:
        """Address (16 octets) and number of the stub of a pair."""

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
