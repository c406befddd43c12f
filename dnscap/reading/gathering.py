"""A pass that makes frames of a whole capture, and keeps what else ended on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from dnscap.messages import around
from dnscap.messages.decoding import BATCH_ROWS, empty_table
from dnscap.reading.passes import Passes

if TYPE_CHECKING:
    import pandas as pd

SURROUNDINGS = ("connections", "events")
"""Tables of what goes on around the messages."""


class Gathers(Passes):
    """A capture that can be read again, so that no batch of it need be kept."""

    _around: around.Surroundings | None = None
    _messages: pd.DataFrame | None = None

    @property
    def _keeping(self) -> bool:
        """Whether batches are kept, or must be, or are narrowed one by one."""
        return self._once or bool(self._whole) or bool(self._narrowing)

    def _gathered(self, name: str, columns: Sequence[str] | None) -> pd.DataFrame:
        """The frame of the messages, or of the records; with these come the messages, as both are wanted as a rule."""
        from dnscap.tables.frames import to_pandas
        from dnscap.tables.whole import WholeMessages, WholeRecords

        if name == "messages" and self._messages is not None:
            frame, self._messages = self._messages, None
            return frame
        records = WholeRecords(columns) if name == "records" else None
        messages = None if self._messages is not None or "messages" in self.__dict__ else WholeMessages()
        surroundings = around.Surroundings()
        decoding = self._decoding(records=records is not None, rows=BATCH_ROWS)
        self._quality = decoding.quality
        for batch in decoding:
            surroundings.add(batch.native)
            if messages is not None and batch.messages:
                messages.add(batch, decoding.share)
            if records is not None and batch.records:
                records.add(batch, decoding.share)
            batch.forget()
        self._remember(decoding)
        self._around = surroundings
        made = None
        if messages is not None:
            made = messages.frame() if messages.rows else to_pandas(empty_table("messages"), "messages")
        if records is None:
            assert made is not None
            return made
        if made is not None:
            self._messages = made
        return records.frame() if records.rows else to_pandas(empty_table("records", columns), "records")

    def _surrounding(self, name: str, columns: Sequence[str] | None) -> pa.Table:
        if self._around is None:
            surroundings = around.Surroundings()
            for batch in self.batches(records=False):
                surroundings.add(batch.native)
            self._around = surroundings
        if not self._around:
            return empty_table(name, columns)
        if name == "connections":
            made = around.connections(self._around, columns)
        else:
            made = around.events(self._around, 0, columns)
        table = pa.Table.from_batches([made])
        return table if columns is None else table.select(list(columns))
