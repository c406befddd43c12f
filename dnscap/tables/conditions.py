"""Conditions over a table's columns: SQL, evaluated by DuckDB batch by batch."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from dnscap.arrays import array_of
from dnscap.errors import UsageError
from dnscap.messages.decoding import empty_table
from dnscap.schema import TABLES

_REFUSED = {
    "SUBQUERY": "it may not hold a query",
    "WINDOW": "it is about one row at a time",
    "STAR": "* is no value",
    "PARAMETER": "there are no parameters",
}
"""Classes of expression that a condition may not hold, and why."""


class Condition:
    """A SQL condition over the columns of one table, such as ``rcode = 'SERVFAIL' and qtype = 'AAAA'``.

    A condition comes from the command line: it may compute, but neither query anything nor read files or the
    network.

    Parameters
    ----------
    table : str
        Which table.
    text : str
        The condition, as it would stand after WHERE.

    Attributes
    ----------
    columns : list of str
        The table's columns that the condition reads.

    Raises
    ------
    UsageError
        If the text is no condition over these columns.
    """

    def __init__(self, table: str, text: str) -> None:
        import duckdb

        if not text.strip():
            raise UsageError("not a condition: it is empty; write one such as: rcode = 'SERVFAIL'")
        self.text = text
        self._duckdb = duckdb
        self._connection = duckdb.connect()
        for setting in ("enable_external_access = false", "TimeZone = 'UTC'", "threads = 1"):
            self._connection.execute(f"SET {setting}").fetchall()
        self._connection.execute("SET lock_configuration = true").fetchall()
        self.columns = self._parsed(table)
        # Types that do not fit show on no rows as well as on many: better before the capture is read.
        none = empty_table(table, self.columns or [TABLES[table][0].name])
        self.apply(pa.record_batch([column.chunk(0) for column in none.columns], schema=none.schema))

    def _parsed(self, table: str) -> list[str]:
        """Parse, refuse whatever is not one condition, and tell the columns."""
        try:
            self._duckdb.SQLExpression(self.text)
        except self._duckdb.Error as error:
            raise self._refusal(f"{_first_line(error)}{self._hint(table)}") from None
        question = self._connection.execute("SELECT json_serialize_sql(?)", [f"SELECT {self.text}"])
        tree = json.loads(question.fetchall()[0][0])
        if tree["error"]:
            raise self._refusal(tree.get("error_message", "not an expression"))
        nodes = list(_nodes(tree["statements"]))
        for node in nodes:
            if (why := _REFUSED.get(node.get("class", ""))) is not None:
                raise self._refusal(why)
        named = {name.lower() for node in nodes for name in node.get("column_names") or ()}
        known = [column.name for column in TABLES[table]]
        if not any(node.get("class") == "LAMBDA" for node in nodes):
            for name in sorted(named - set(known)):
                close = difflib.get_close_matches(name, known, 1)
                if close:
                    which = f"did you mean {close[0]}? (A text stands in single quotes.)"
                else:
                    which = f"a text stands in single quotes; columns are {', '.join(known)}"
                raise self._refusal(f"{table} have no column {name}; {which}")
        return [name for name in known if name in named]

    def _refusal(self, why: str) -> UsageError:
        return UsageError(f"not a condition: {self.text}: {why}")

    def _hint(self, table: str) -> str:
        words = set(re.findall(r"\w+", self.text.lower()))
        for name in (column.name for column in TABLES[table]):
            if name in words and f'"{name}"' not in self.text and name in ("end", "do", "class", "type"):
                return f'; the column {name} is written "{name}", as SQL has such a word too'
        return ""

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of the batch that meet the condition, in order."""
        rows = pa.table(batch.columns, names=batch.schema.names)
        try:
            relation = self._connection.from_arrow(rows)
            kept = relation.project(f"({self.text}\n) AS meets").to_arrow_table().column("meets")
        except self._duckdb.Error as error:
            raise self._refusal(_first_line(error)) from None
        if not pa.types.is_boolean(kept.type):
            raise self._refusal(f"its value is not true or false but {kept.type}")
        if len(kept) != batch.num_rows:
            raise self._refusal("it is about one row at a time")
        return batch.filter(pa.concat_arrays(kept.chunks) if kept.num_chunks else array_of([], pa.bool_()))


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _first_line(error: Exception) -> str:
    return re.sub(r"^\w+( \w+)? Error: ", "", str(error).strip().split("\n")[0])
