"""Messages in, exchanges and lookups out: drives the native matcher and assembler together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from dnscap.batches import RowBatch
from dnscap.exchanges.matching import ExchangeBatch, Matching
from dnscap.lookups.arrow import answer_details, lookup_batch
from dnscap.native.lookup_columns import LookupBatch as NativeBatch
from dnscap.native.lookups import Lookups

if TYPE_CHECKING:
    from dnscap.messages.decoding import MessageBatch
    from dnscap.native.exchanges import Exchanges


class LookupBatch(RowBatch):
    """Some lookups in the order of their numbers, final.

    Attributes
    ----------
    lookups : int
        Rows.
    """

    make_arrow = staticmethod(lookup_batch)

    def __init__(self, native: NativeBatch) -> None:
        self.native = native
        self.lookups: int = native.count

    def __repr__(self) -> str:
        return f"<LookupBatch {self.lookups} lookups>"

    def details(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Answers and aliases of some lookups by their numbers: cheaper than these columns of all."""
        return answer_details(self.native, numbers)


class Beside(Protocol):
    """A stage that sees what happens to exchanges before lookups use it up."""

    def feed(self, exchanges: Exchanges, batch: MessageBatch | None = None) -> None:
        """Take in what a batch of messages, or the passing of time, did to the exchanges."""

    def tick(self, time: int) -> None:
        """The capture's clock has come to `time` (nanoseconds since the epoch)."""

    def finish(self) -> None:
        """The capture has ended."""


class Assembling:
    """Matches messages and assembles lookups as batches come.

    A lookup is given when its stub can send nothing more, and never changes afterwards.

    Parameters
    ----------
    resolving : Beside, optional
        A stage that joins in.

    Attributes
    ----------
    lookups : bool
        Whether lookups are wanted, or only which one each exchange belongs to.

    Examples
    --------
    >>> from dnscap.reading import Capture
    >>> assembling = Assembling()
    >>> for messages in Capture("examples/first-look.pcap").batches():  # doctest: +SKIP
    ...     for exchanges in assembling.feed(messages):
    ...         pass  # rows of the exchanges table, with their lookup and role
    ...     for lookups in assembling.taken():
    ...         print(lookups.to_arrow(["name", "duration"]))
    """

    def __init__(self, resolving: Beside | None = None, *, lookups: bool = True) -> None:
        self.matching = Matching()
        self.native = Lookups(lookups)
        self._resolving = resolving

    def feed(self, batch: MessageBatch) -> Iterator[ExchangeBatch]:
        """Take in a batch of messages; gives the exchanges that have become final."""
        exchanges = self.matching.native
        if self._resolving is None:
            self.native.feed_both(exchanges, batch.native)
        else:
            self.native.hold(exchanges)
            exchanges.feed(batch.native)
            self._resolving.feed(exchanges, batch)
            self.native.feed(exchanges, batch.native)
        return self.matching.taken()

    def tick(self, time: int) -> Iterator[ExchangeBatch]:
        """The capture's clock has come to `time` (nanoseconds since the epoch) without a message."""
        exchanges = self.matching.native
        self.native.hold(exchanges)
        exchanges.pass_time(time)
        if self._resolving is not None:
            self._resolving.feed(exchanges)
            self._resolving.tick(time)
        self.native.feed(exchanges)
        self.native.pass_time(time)
        return self.matching.taken()

    def finish(self, time: int | None = None) -> Iterator[ExchangeBatch]:
        """The capture has ended, at `time` where it went on after its last message."""
        exchanges = self.matching.native
        self.native.hold(exchanges)
        if time is not None:
            exchanges.pass_time(time)
        exchanges.end()
        if self._resolving is not None:
            self._resolving.feed(exchanges)
            self._resolving.finish()
        self.native.feed(exchanges)
        if time is not None:
            self.native.pass_time(time)
        self.native.close()
        return self.matching.taken()

    def taken(self) -> Iterator[LookupBatch]:
        """Lookups that are over and were not given before."""
        while (native := self.native.take()).count:
            yield LookupBatch(native)

    @property
    def counts(self) -> dict[str, int]:
        """What was passed over or given up, because of a limit."""
        return {**self.matching.counts, **self.native.counts()}
