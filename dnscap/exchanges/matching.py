"""Messages in, exchanges out: drives the native matcher. One engine for files and live capture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dnscap.batches import RowBatch
from dnscap.exchanges.arrow import exchange_batch
from dnscap.native.exchange_rows import ExchangeBatch as NativeBatch
from dnscap.native.exchanges import Exchanges

if TYPE_CHECKING:
    from dnscap.messages.decoding import MessageBatch


class ExchangeBatch(RowBatch):
    """Some exchanges in the order of their queries, final.

    Attributes
    ----------
    first_exchange : int
        Number in the capture of the first one.
    exchanges : int
        Rows.
    """

    make_arrow = staticmethod(exchange_batch)

    def __init__(self, native: NativeBatch) -> None:
        self.native = native
        self.first_exchange: int = native.first_exchange
        self.exchanges: int = native.exchanges

    def __repr__(self) -> str:
        return f"<ExchangeBatch {self.exchanges} exchanges from {self.first_exchange}>"


class Matching:
    """Pairs responses with queries as batches of messages come.

    Every query message becomes a row, every response belongs to one.  A query waits 30 s of capture time
    for its answer.  Left out are sightings of a message that was already seen, messages without a whole
    header, and mDNS and LLMNR (server port 5353 or 5355): they answer from other addresses, and silence
    means nothing there.

    Examples
    --------
    >>> from dnscap.reading import Capture
    >>> matching = Matching()
    >>> for messages in Capture("examples/first-look.pcap").batches():  # doctest: +SKIP
    ...     for exchanges in matching.feed(messages):
    ...         print(exchanges.to_arrow(["qname", "latency"]))
    """

    def __init__(self) -> None:
        self.native = Exchanges()

    def feed(self, batch: MessageBatch) -> Iterator[ExchangeBatch]:
        """Match a batch of messages; gives the exchanges that have become final."""
        self.native.feed(batch.native)
        return self.taken()

    def tick(self, time: int) -> Iterator[ExchangeBatch]:
        """The capture's clock has come to `time` (nanoseconds since the epoch) without a message."""
        self.native.pass_time(time)
        return self.taken()

    def finish(self, time: int | None = None) -> Iterator[ExchangeBatch]:
        """The capture has ended, at `time` where it went on after its last message."""
        if time is not None:
            self.native.pass_time(time)
        self.native.end()
        return self.taken()

    @property
    def counts(self) -> dict[str, int]:
        """What was passed over, and open queries given up because of a limit."""
        return self.native.counts()

    def taken(self) -> Iterator[ExchangeBatch]:
        """Exchanges that are final and were not given before."""
        return iter([ExchangeBatch(native) for native in self.native.take()])


def match(batches: Iterable[MessageBatch]) -> Iterator[ExchangeBatch]:
    """Exchanges of the batches of a whole capture."""
    matching = Matching()
    for batch in batches:
        yield from matching.feed(batch)
    yield from matching.finish()
