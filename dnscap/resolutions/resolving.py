"""Exchanges in, resolutions out: drives the native stage beside the matcher."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from dnscap.batches import RowBatch
from dnscap.exchanges.matching import Matching
from dnscap.native.resolution_columns import ResolutionBatch as NativeBatch
from dnscap.native.resolutions import Resolutions
from dnscap.resolutions.arrow import Verdicts, resolution_batch

if TYPE_CHECKING:
    from dnscap.messages.decoding import MessageBatch
    from dnscap.native.exchanges import Exchanges


class ResolutionBatch(RowBatch):
    """Some resolutions in the order of their queries, final.

    Attributes
    ----------
    resolutions : int
        Rows.
    """

    make_arrow = staticmethod(resolution_batch)

    def __init__(self, native: NativeBatch) -> None:
        self.native = native
        self.resolutions: int = native.count

    def __repr__(self) -> str:
        return f"<ResolutionBatch {self.resolutions} resolutions>"

    def verdicts(self) -> Verdicts:
        """What is added up of the rows, without their texts."""
        return Verdicts.of(self.native)


class Resolving:
    """Judges the exchanges of resolvers' clients as the matcher is fed.

    Parameters
    ----------
    outside : bool
        Whether answers of servers whose upstream side is not in the capture are judged too; they are left
        out otherwise.

    Examples
    --------
    >>> from dnscap.exchanges.matching import Matching
    >>> from dnscap.reading import Capture
    >>> matching, resolving = Matching(), Resolving()
    >>> for messages in Capture("examples/first-look.pcap").batches():  # doctest: +SKIP
    ...     resolving.hold(matching.native)
    ...     list(matching.feed(messages))
    ...     resolving.feed(matching.native, messages)
    """

    def __init__(self, *, outside: bool = True) -> None:
        self.native = Resolutions(outside)

    def feed(self, exchanges: Exchanges, batch: MessageBatch | None = None) -> None:
        """Take in what a batch of messages, or the passing of time, did to the exchanges.

        They must still be held as the lookup stage holds them, and not have been given to it.
        """
        self.native.feed(exchanges, None if batch is None else batch.native)

    def tick(self, time: int) -> None:
        """The capture's clock has come to `time` (nanoseconds since the epoch)."""
        self.native.pass_time(time)

    def finish(self) -> None:
        """The capture has ended."""
        self.native.close()

    def taken(self) -> Iterator[ResolutionBatch]:
        """Resolutions that are judged and were not given before."""
        while (native := self.native.take()).count:
            yield ResolutionBatch(native)

    @property
    def counts(self) -> dict[str, int]:
        """What limits made it give up."""
        return self.native.counts()


def resolve(
    batches: Iterable[MessageBatch], end: Callable[[], int | None], resolving: Resolving | None = None
) -> Iterator[ResolutionBatch]:
    """Resolutions of the batches of a whole capture, without putting lookups together.

    Parameters
    ----------
    batches : iterable of MessageBatch
        Messages with their records.
    end : callable
        Gives the time of the last frame, once the batches are used up; None where there is none.
    resolving : Resolving, optional
        What to drive, where its counts are wanted afterwards.
    """
    exchanges = Matching()
    resolving = resolving or Resolving()
    native = resolving.native

    def taken_in(batch: MessageBatch | None) -> Iterator[ResolutionBatch]:
        resolving.feed(exchanges.native, batch)
        native.let_go(exchanges.native)
        exchanges.native.take()
        return resolving.taken()

    for batch in batches:
        native.hold(exchanges.native)
        exchanges.native.feed(batch.native)
        yield from taken_in(batch)
    native.hold(exchanges.native)
    last = end()
    if last is not None:
        exchanges.native.pass_time(last)
    exchanges.native.end()
    yield from taken_in(None)
    resolving.finish()
    yield from resolving.taken()
