"""What servers said of names, out of a capture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from dnscap.names import NameRows, SeenNames
from dnscap.names.arrow import names_table, rrsets_table
from dnscap.names.seen import MOST_ROWS_ALONE

if TYPE_CHECKING:
    from dnscap.reading.capture import Capture


def name_rows(capture: Capture) -> NameRows:
    """Read a capture for what servers said of names, and for nothing else."""
    seen = SeenNames(MOST_ROWS_ALONE)
    for batch in capture.whole_batches():
        seen.feed(batch)
    capture.quality_so_far.counts.update(seen.counts)
    return seen.rows()


def named_table(name: str, rows: NameRows, columns: Sequence[str] | None) -> pa.Table:
    """One of the tables ``names`` and ``rrsets``."""
    made = (names_table if name == "names" else rrsets_table)(rows, columns)
    return made if columns is None else made.select(list(columns))
