"""Conditions over a table's columns: SQL, evaluated by DuckDB batch by batch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from dnscap.errors import UsageError
from dnscap.schema import TABLES


class Condition:
    """A SQL condition over the columns of one table, such as ``rcode = 'SERVFAIL' and qtype = 'AAAA'``.

    Parameters
    ----------
    table : str
        Which table.
    text : str
        The condition, as it would stand after WHERE.

    Attributes
    ----------
    columns : list of str
        The table's columns that the condition may read.

    Raises
    ------
    UsageError
        If the text is no condition over these columns.
    """

    def __init__(self, table: str, text: str) -> None:
        import duckdb

        names = [column.name for column in TABLES[table]]
        self.text = text
        # Word by word: too many columns cost time, too few would be an error of DuckDB's.
        words = set(re.findall(r"\w+", text.lower()))
        self.columns = [name for name in names if name in words]
        self._connection = duckdb.connect()
        # A condition comes from the command line: it may compute, not read files or the network.
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET threads = 1")
        self._parse(duckdb, names)

    def _parse(self, duckdb: Any, names: Sequence[str]) -> None:
        # Parsed as an expression first, so that nothing but one condition can stand here.
        try:
            duckdb.SQLExpression(self.text)
        except duckdb.Error as error:
            raise UsageError(f"not a condition: {self.text!r}: {_first_line(error)}") from None
        self._names = names

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of the batch that meet the condition, in order."""
        import duckdb

        rows = pa.table(batch.columns, names=batch.schema.names)
        try:
            relation = self._connection.from_arrow(rows)
            kept = relation.project(f"({self.text}) AS meets").to_arrow_table().column("meets")
        except duckdb.Error as error:
            raise UsageError(
                f"cannot use the condition {self.text!r}: {_first_line(error)}; columns are {', '.join(self._names)}"
            ) from None
        if not pa.types.is_boolean(kept.type):
            raise UsageError(f"not a condition, its value is {kept.type}: {self.text!r}")
        mask = kept.combine_chunks()
        if isinstance(mask, pa.ChunkedArray):
            mask = pa.concat_arrays(mask.chunks) if mask.num_chunks else pa.array([], pa.bool_())
        return batch.filter(mask)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
