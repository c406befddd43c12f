"""Resolutions; see ext/dnscap/native/resolutions.pxd."""

from typing import Self, final

from dnscap.native.decoder import Batch
from dnscap.native.exchanges import Exchanges
from dnscap.native.resolution_columns import ResolutionBatch

@final
class Resolutions:
    """Joins what clients asked of resolvers to what these asked upstream; tells what came out of caches."""

    def __new__(cls, outside: bool = True) -> Self: ...
    @property
    def open(self) -> int:
        """Exchanges remembered: those that wait for an answer, or for what may still help to judge them."""

    def hold(self, exchanges: Exchanges) -> None:
        """Keep exchanges where they can be read until `feed` has seen them; call it before they are fed a batch."""

    def let_go(self, exchanges: Exchanges) -> None:
        """Keep exchanges no more; what happened to them is used up.  Where no lookups are put together."""

    def feed(self, exchanges: Exchanges, batch: Batch | None = None) -> None:
        """Take in what the batch that `exchanges` was fed last did, before lookups use it up."""

    def pass_time(self, now: int) -> None:
        """Capture time has come to `now` (nanoseconds since the epoch) without a message."""

    def close(self) -> None:
        """The capture ends."""

    def take(self) -> ResolutionBatch:
        """The resolutions that are judged and were not taken yet; call it until it gives none."""

    def counts(self) -> dict[str, int]:
        """What limits made it give up."""
