"""Lookup assembly; see ext/dnscap/native/lookups.pxd."""

from typing import Self, final

from dnscap.native.decoder import Batch
from dnscap.native.exchanges import Exchanges
from dnscap.native.lookup_columns import LookupBatch

@final
class Lookups:
    """Puts exchanges together into lookups, batch by batch."""

    def __new__(cls, judged: bool = True, short_cuts: bool = True) -> Self: ...
    @property
    def open(self) -> int:
        """Lookups that are not over, or wait for an older one that is not."""

    @property
    def steps(self) -> int:
        """Lookups that were looked at so far, to find the one that an event belongs to."""

    def hold(self, exchanges: Exchanges) -> None:
        """Keep exchanges where they can be read until `feed` has seen them; call it before they are fed a batch."""

    def feed(self, exchanges: Exchanges, batch: Batch | None = None) -> None:
        """Take in what the batch that `exchanges` was fed last did; without one, what the passing of time did."""

    def feed_both(self, exchanges: Exchanges, batch: Batch) -> None:
        """Feed a batch to `exchanges`, and take in what it does there: less work than one after the other."""

    def pass_time(self, now: int) -> None:
        """Capture time has come to `now` (nanoseconds since the epoch) without a message."""

    def close(self) -> None:
        """The capture ends."""

    def take(self) -> LookupBatch:
        """Some of the lookups that are over and were not taken yet, in order; none when all were."""

    def counts(self) -> dict[str, int]:
        """What limits made it give up, and queries left to their client's lookup."""
