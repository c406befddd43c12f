from typing import Any, Self, final

from dnscap.native.exchange_rows import ExchangeBatch

@final
class Exchanges:
    """Matcher of responses to queries, for the messages of one capture in order."""

    def __new__(cls, most_rows: int = ..., most_octets: int = ...) -> Self: ...
    def feed(self, batch: Any) -> None:
        """Match the messages of a batch."""
    def pass_time(self, now: int) -> None:
        """Capture time has come to `now` (nanoseconds since the epoch) without a message."""
    def end(self) -> None:
        """The capture ends: queries that wait become unfinished, or unanswered."""
    def take(self) -> list[ExchangeBatch]:
        """Rows that are final and not yet taken."""
    @property
    def live(self) -> int:
        """Rows that may still change."""
    def counts(self) -> dict[str, int]:
        """What was passed over or given up, by name."""
