"""Finding the walk of a resolution in a capture: its exchanges, then the records of their answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dnscap.arrays import array_of
from dnscap.exchanges.matching import match
from dnscap.resolutions.walk import Walk, walk_of

if TYPE_CHECKING:
    from dnscap.messages.decoding import MessageBatch

Messages = Callable[[], Iterable["MessageBatch"]]

_EXCHANGE = ["exchange", "response", "time", "latency", "server", "transport", "qname", "qtype", "outcome"]
_RECORD = ["message", "section", "name", "type", "rdata"]


def plain(part: pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows as dicts, times and durations as nanoseconds."""
    columns = [
        column.cast(pa.int64()) if pa.types.is_temporal(column.type) else column for column in part.columns
    ]
    rows: list[dict[str, Any]] = pa.RecordBatch.from_arrays(columns, names=part.schema.names).to_pylist()
    return rows


def walks(rows: Sequence[dict[str, Any]], messages: Messages) -> list[Walk]:
    """Walks of some resolutions.

    Parameters
    ----------
    rows : sequence of dict
        Rows of the resolutions table, times and durations in nanoseconds.
    messages : callable
        Gives the messages of the capture with their records, from the beginning, each time it is called.
    """
    wanted = {number for row in rows for number in row["upstream"]}
    exchanges = {row["exchange"]: row for row in _exchanges(wanted, messages)} if wanted else {}
    answers = {row["response"] for row in exchanges.values() if row["response"] is not None}
    records: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in _records(answers, messages) if answers else ():
        records[row["message"]].append(row)
    return [walk_of(row, [exchanges[n] for n in row["upstream"] if n in exchanges], records) for row in rows]


def _exchanges(wanted: set[int], messages: Messages) -> Iterator[dict[str, Any]]:
    numbers = array_of(sorted(wanted), pa.uint64())
    left = len(numbers)
    for batch in match(messages()):
        part = batch.to_arrow(_EXCHANGE)
        found = part.filter(pc.is_in(part.column("exchange"), numbers))
        left -= found.num_rows
        yield from plain(found)
        if not left:
            return


def _records(wanted: set[int], messages: Messages) -> Iterator[dict[str, Any]]:
    numbers = np.array(sorted(wanted), dtype=np.int64)
    for batch in messages():
        first = batch.first_message
        here = numbers[(numbers >= first) & (numbers < first + batch.messages)]
        if not len(here):
            continue
        part = batch.to_arrow("records", _RECORD)
        yield from plain(part.filter(pc.is_in(part.column("message"), array_of(here.astype(np.uint32)))))
