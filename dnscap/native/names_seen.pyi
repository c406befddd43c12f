from typing import Any, Self, final

from typing_extensions import Buffer

@final
class NamesSeen:
    """Adds up what servers say of names, from batches of messages with their records."""

    def __new__(cls, most_rows: int = ...) -> Self: ...
    def feed(self, batch: Any, kept: Buffer | None = None) -> None:
        """Take in the responses of a batch; `kept` has one octet a message, 0 for those to pass over."""
    def merge(self, other: NamesSeen) -> None:
        """Add what another saw."""
    def rows(self) -> tuple[bytes, int]:
        """The rows as octets of the native struct, and its size."""
    def versions(self) -> tuple[bytes, int]:
        """The values as octets of the native struct, from number 0, which is none, and its size."""
    def rrsets(self) -> tuple[bytes, bytes]:
        """Where each RRset starts (one more at the end), and the octets of all."""
    @property
    def count(self) -> int: ...
    @property
    def names(self) -> Any: ...
    def counts(self) -> dict[str, int]:
        """What was taken in, and what was given up because of a limit."""
