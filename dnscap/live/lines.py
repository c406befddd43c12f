"""One line a row, as rows become final: text for people, JSON Lines and CSV for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from dnscap.arrays import array_of, filled, scalar_of
from dnscap.clients.keeping import FAILED
from dnscap.errors import UsageError
from dnscap.live.session import LiveBatch
from dnscap.messages.decoding import empty_table
from dnscap.output import open_writer
from dnscap.output.cells import clock, duration, safe
from dnscap.schema import TABLES
from dnscap.tables.conditions import Condition

if TYPE_CHECKING:
    from dnscap.findings.rule import Finding

FORMS = ("text", "jsonl", "csv")

BAD_OUTCOMES = ("servfail", "refused", "formerr", "notimp", "other-rcode", "unreachable", "unanswered")
"""Outcomes of an exchange for which ``--failed`` shows it."""

TEXT_COLUMNS = {
    "lookups": ("time", "client", "name", "qtypes", "outcome", "duration", "causes", "servers", "queries"),
    "exchanges": (
        "time",
        "client",
        "server",
        "qname",
        "qtype",
        "outcome",
        "latency",
        "transport",
        "transmission",
    ),
    "messages": (
        "time",
        "src",
        "dst",
        "qr",
        "qname",
        "qtype",
        "rcode",
        "ancount",
        "size",
        "interface",
        "direction",
    ),
}
"""Columns that lines of text are made of."""


class Lines:
    """Writes the rows of one table.

    Parameters
    ----------
    stream : binary file object
        Where to write; flushed after each batch.
    table : {"lookups", "exchanges", "messages", "findings"}
        Which table.
    form : {"text", "jsonl", "csv"}
        How.
    slow : int, optional
        Only rows that took so many nanoseconds or more.
    failed : bool
        Only rows that failed; with `slow`, rows that are one or the other.
    where : str, optional
        Only rows that meet a SQL condition.

    Raises
    ------
    UsageError
        If the condition makes no sense, or the table has nothing to be slow or to fail.
    """

    def __init__(
        self,
        stream: BinaryIO,
        table: str = "lookups",
        form: str = "text",
        *,
        slow: int | None = None,
        failed: bool = False,
        where: str | None = None,
    ) -> None:
        if (slow is not None or failed) and table not in ("lookups", "exchanges"):
            raise UsageError(
                f"{table} are neither slow nor failed: choose lookups or exchanges, or use --where"
            )
        self.table = table
        self.rows = 0
        self._stream = stream
        self._slow = slow
        self._failed = failed
        self._condition = None if where is None else Condition(table, where)
        self._columns: list[str] | None = None
        if form == "text":
            self._columns = list(dict.fromkeys((*TEXT_COLUMNS.get(table, ()), *self._needed())))
            if table not in TEXT_COLUMNS:
                self._columns = [column.name for column in TABLES[table]]
        self._form = form
        self._writer = None
        if form != "text":
            self._writer = open_writer(form, stream, empty_table(table).schema)
            stream.flush()

    def _needed(self) -> list[str]:
        return self._condition.columns if self._condition is not None else []

    def write(self, batch: LiveBatch) -> None:
        """Write the rows of a batch."""
        if self.table == "findings":
            parts = [_findings(batch.findings)] if batch.findings else []
        else:
            parts = batch.parts(self.table, self._columns)
        for part in parts:
            kept = self._kept(part)
            if not kept.num_rows:
                continue
            self.rows += kept.num_rows
            if self._writer is not None:
                self._writer.write(kept)
            else:
                lines = (_TEXT[self.table](row) for row in _rows(kept))
                self._stream.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
        if parts:
            self._stream.flush()

    def _kept(self, part: pa.RecordBatch) -> pa.RecordBatch:
        mask = None
        if self._slow is not None:
            took = part.column("duration" if self.table == "lookups" else "latency").cast(pa.int64())
            mask = filled(pc.greater_equal(took, scalar_of(self._slow, took.type)), False)
        if self._failed:
            words = array_of(FAILED if self.table == "lookups" else BAD_OUTCOMES, pa.string())
            bad = filled(pc.is_in(part.column("outcome").cast(pa.string()), words), False)
            mask = bad if mask is None else pc.or_(mask, bad)
        if mask is not None:
            part = part.filter(mask)
        return self._condition.apply(part) if self._condition is not None and part.num_rows else part


def _rows(part: pa.RecordBatch) -> Iterable[dict[str, Any]]:
    """Rows as dictionaries, times and durations in nanoseconds."""
    from dnscap.clients.kept_rows import plain_rows

    return plain_rows(part)


def _findings(findings: list[Finding]) -> pa.RecordBatch:
    from dnscap.schema import FINDINGS
    from dnscap.servers.tally import table_of

    table = table_of([finding.as_row() for finding in findings], FINDINGS)
    return table.combine_chunks().to_batches()[0]


def _lookup(row: dict[str, Any]) -> str:
    words = [
        clock(row["time"]),
        row["client"],
        safe(row["name"] or "?"),
        "+".join(row["qtypes"] or ["?"]),
        row["outcome"],
        _took(row["duration"]),
    ]
    if row["causes"]:
        words.append(",".join(row["causes"]))
    if row["queries"] > 2:
        words.append(f"({row['queries']} queries to {', '.join(row['servers'] or [])})")
    return "  ".join(words)


def _exchange(row: dict[str, Any]) -> str:
    words = [
        clock(row["time"]),
        f"{row['client']} > {row['server']}",
        safe(row["qname"] or "?"),
        row["qtype"] or "?",
        row["outcome"],
        _took(row["latency"]),
    ]
    if row["transport"] != "udp":
        words.append(row["transport"])
    if (row["transmission"] or 1) > 1:
        words.append(f"transmission {row['transmission']}")
    return "  ".join(words)


def _message(row: dict[str, Any]) -> str:
    words = [
        clock(row["time"]),
        f"{row['src']} > {row['dst']}",
        safe(row["qname"] or "?"),
        row["qtype"] or "?",
        f"{row['rcode']} {row['ancount']} answers" if row["qr"] else "query",
    ]
    if row["interface"]:
        words.append(f"{safe(row['interface'])} {row['direction'] or ''}".rstrip())
    return "  ".join(words)


def _finding(row: dict[str, Any]) -> str:
    return f"{row['severity']}  {row['id']}  {safe(row['title'])}"


def _took(nanoseconds: int | None) -> str:
    return "-" if nanoseconds is None else duration(nanoseconds)


_TEXT: dict[str, Callable[[dict[str, Any]], str]] = {
    "lookups": _lookup,
    "exchanges": _exchange,
    "messages": _message,
    "findings": _finding,
}
