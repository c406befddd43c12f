from typing import final

from dnscap.native.decoder import Batch
from dnscap.native.exchanges import Exchanges

@final
class LookupBatch:
    """Lookups that are over, in native columns."""

    @property
    def count(self) -> int: ...
    @property
    def row_size(self) -> int:
        """Octets of a LookupRow."""
    def column(self, name: str) -> bytes:
        """A native column as octets."""

@final
class Lookups:
    """Puts exchanges together into lookups, batch by batch."""

    @property
    def open(self) -> int: ...
    def counts(self) -> dict[str, int]:
        """What limits made it give up, and queries left to their client's lookup."""
    def hold(self, exchanges: Exchanges) -> None:
        """Keep exchanges where they can be read until `feed` has seen them."""
    def feed(self, exchanges: Exchanges, batch: Batch | None = None) -> None:
        """Take in what the batch that `exchanges` was fed last did."""
    def pass_time(self, now: int) -> None:
        """Capture time has come to `now` without a message."""
    def close(self) -> None:
        """The capture ends."""
    def take(self) -> LookupBatch:
        """The lookups that are over and were not taken yet."""
