"""Lookups that are kept whole; see ext/dnscap/native/kept.pxd."""

from typing import Any, Self, final

import numpy as np

from dnscap.native.exchange_rows import ExchangeBatch
from dnscap.native.lookup_columns import LookupBatch

_Array = np.ndarray[Any, np.dtype[Any]]

def pick(batch: LookupBatch, rows: _Array) -> LookupBatch:
    """Some rows of a batch as a batch of their own."""

def join(batches: list[LookupBatch]) -> LookupBatch:
    """The rows of several batches as one."""

def count_aliases(batch: LookupBatch, out: _Array) -> None:
    """Fill `out` with how many aliases the answer records of each row hold."""

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
