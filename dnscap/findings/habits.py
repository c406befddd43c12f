"""What only shows in numbers: how clients ask, whom servers answer, names made up, subnets told."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dnscap.native.askers import Askers
from dnscap.native.invented import Invented
from dnscap.native.subnets import Subnets

if TYPE_CHECKING:
    from dnscap.messages.decoding import MessageBatch
    from dnscap.native.exchange_rows import ExchangeBatch

Array = np.ndarray[Any, np.dtype[Any]]


class Habits:
    """Counts natively while exchanges and messages stream by; memory does not grow with the capture."""

    def __init__(self) -> None:
        self._askers = Askers()
        self._invented = Invented()
        self._subnets = Subnets()

    def feed(self, exchanges: ExchangeBatch, kept: Array | None = None) -> None:
        """Take in native rows, those of them that are kept."""
        mask = None if kept is None else np.ascontiguousarray(kept, np.uint8)
        self._askers.feed(exchanges, mask)
        self._invented.feed(exchanges, mask)
        self._forget()

    def feed_messages(self, batch: MessageBatch) -> None:
        """Take in a batch of messages, narrowed or not."""
        self._subnets.feed(batch.native, None if batch.kept is None else batch.kept.view(np.uint8))
        self._forget()

    def _forget(self) -> None:
        for name in ("askers", "told_subnets"):
            self.__dict__.pop(name, None)

    @cached_property
    def askers(self) -> list[dict[str, Any]]:
        """Addresses of which there is something to tell, by what they did as client and as server."""
        return self._askers.rows()

    @cached_property
    def told_subnets(self) -> list[dict[str, Any]]:
        """Servers that were told client subnets."""
        return self._subnets.servers_told()

    def made_up(self, kind: str, least: int) -> list[dict[str, Any]]:
        """Groups of names that came so often at least: absent ones by client or suffix, and long ones."""
        return self._invented.rows(kind, least)

    def by_subnet(self) -> list[tuple[bytes, str, int, list[tuple[bytes, int]]]]:
        """Questions whose answer depends on the client subnet."""
        return self._subnets.differing()
