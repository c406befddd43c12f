"""One writer a format, all fed with record batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import BinaryIO, Literal, Self, get_args

import pyarrow as pa

from dnscap.arrays import array_of
from dnscap.errors import UsageError
from dnscap.native.lines import format_csv, format_jsonl

Format = Literal["table", "csv", "json", "jsonl", "parquet", "arrow"]

FORMATS: tuple[str, ...] = get_args(Format)
"""Names of the formats, as ``--format`` takes them."""

_CHUNK = 8192
"""Rows turned into text at a time: the text then still lies in the processor's cache when it is written."""


class Writer(ABC):
    """Takes record batches and writes them to a binary stream.

    Used as a context manager it is closed at the end of the block, and left as it is after an
    exception.  The stream belongs to the caller and stays open.

    Parameters
    ----------
    stream : binary file object
        Where to write.
    schema : pyarrow.Schema
        Columns of every batch, by name and in order.
    limit : int, optional
        Rows to write at most.
    """

    default_limit: int | None = None

    def __init__(self, stream: BinaryIO, schema: pa.Schema, limit: int | None = None) -> None:
        self._stream = stream
        self._schema = schema
        self._limit = self.default_limit if limit is None else limit
        self._asked = limit is not None
        self.complete = True
        """Set to False where no more rows are given though there are some: the end of the output says so."""
        self.rows = 0
        """Rows written."""
        self.rows_left = 0
        """Rows given beyond the limit."""

    @property
    def full(self) -> bool:
        """Whether the limit asked for is reached: further rows would only be counted."""
        return self._asked and self._limit is not None and self.rows >= self._limit

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the rows of a batch, up to the limit."""
        if batch.schema.names != self._schema.names:
            raise UsageError(f"columns {batch.schema.names} given to a writer of {self._schema.names}")
        given: int = batch.num_rows
        kept = given if self._limit is None else min(given, self._limit - self.rows)
        self.rows_left += given - kept
        if kept:
            self.rows += kept
            self._write_rows(batch if kept == given else batch.slice(0, kept))

    def close(self, *, complete: bool = True) -> None:
        """Write what ends the output.

        Parameters
        ----------
        complete : bool
            False where the caller stopped giving rows because the writer was full.
        """
        self._finish(complete)
        self._stream.flush()

    @abstractmethod
    def _write_rows(self, batch: pa.RecordBatch) -> None:
        """Write the rows of a batch, all of them, at least one."""

    def _finish(self, complete: bool) -> None:  # noqa: B027
        """Write what ends the output."""

    def _abandon(self) -> None:  # noqa: B027
        """Write no more: the output will not be finished."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close(complete=self.complete)
        else:
            self._abandon()


class CsvWriter(Writer):
    """Comma-separated values with a header; see `dnscap.native.lines.format_csv` for the cells."""

    def __init__(self, stream: BinaryIO, schema: pa.Schema, limit: int | None = None) -> None:
        super().__init__(stream, schema, limit)
        header = pa.record_batch([array_of([name], pa.string()) for name in schema.names], names=schema.names)
        self._stream.write(format_csv(header))

    def _write_rows(self, batch: pa.RecordBatch) -> None:
        batch = _with_text_forms(batch)
        for start in range(0, batch.num_rows, _CHUNK):
            self._stream.write(format_csv(batch.slice(start, _CHUNK)))
        self._stream.flush()


class JsonLinesWriter(Writer):
    """One JSON object a line."""

    def _write_rows(self, batch: pa.RecordBatch) -> None:
        batch = _with_text_forms(batch)
        for start in range(0, batch.num_rows, _CHUNK):
            self._stream.write(format_jsonl(batch.slice(start, _CHUNK)))
        self._stream.flush()


class JsonWriter(Writer):
    """One JSON array of objects, written as the rows come."""

    _begun = False

    def _write_rows(self, batch: pa.RecordBatch) -> None:
        batch = _with_text_forms(batch)
        for start in range(0, batch.num_rows, _CHUNK):
            text = memoryview(format_jsonl(batch.slice(start, _CHUNK), array=True))
            if not self._begun:
                self._stream.write(b"[\n")
                text = text[2:]  # the comma and line feed before the first object
                self._begun = True
            self._stream.write(text)
        self._stream.flush()

    def _finish(self, complete: bool) -> None:
        self._stream.write(b"\n]\n" if self._begun else b"[]\n")


def _with_text_forms(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with columns of types that no table of ours has, as text."""
    for i, field in enumerate(batch.schema):
        if not _has_text_form(field.type):
            try:
                texts = batch.column(i).cast(pa.string())
            except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
                raise UsageError(f"column {field.name} of type {field.type} has no text form") from None
            batch = batch.set_column(i, field.name, texts)
    return batch


def _has_text_form(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_dictionary(kind):
        return not types.is_dictionary(kind.value_type) and _is_scalar(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind):
        return _is_scalar(kind.value_type) or (
            types.is_dictionary(kind.value_type) and _is_scalar(kind.value_type.value_type)
        )
    return _is_scalar(kind)


def _is_scalar(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_float64(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_timestamp(kind)
        or types.is_duration(kind)
        or types.is_null(kind)
    )


def open_writer(format: str, stream: BinaryIO, schema: pa.Schema, *, limit: int | None = None) -> Writer:
    """Return the writer of a format.

    Parameters
    ----------
    format : str
        One of `FORMATS`.
    stream : binary file object
        Where to write.
    schema : pyarrow.Schema
        Columns of every batch that will be written, by name and in order.
    limit : int, optional
        Rows to write at most; without it a table shows its first 1,000 and the others have no limit.

    Raises
    ------
    UsageError
        The format is unknown, the limit negative, or a binary format would go to a terminal.
    """
    if limit is not None and limit < 0:
        raise UsageError(f"a limit of {limit} rows; it must not be negative")
    if format == "csv":
        return CsvWriter(stream, schema, limit)
    if format == "jsonl":
        return JsonLinesWriter(stream, schema, limit)
    if format == "json":
        return JsonWriter(stream, schema, limit)
    if format == "table":
        from dnscap.output.terminal import TableWriter

        return TableWriter(stream, schema, limit)
    if format in ("parquet", "arrow"):
        if stream.isatty():
            raise UsageError(f"{format} is no text for a terminal: write it to a file (-o) or a pipe")
        from dnscap.output.binary import ArrowWriter, ParquetWriter

        return (
            ParquetWriter(stream, schema, limit)
            if format == "parquet"
            else ArrowWriter(stream, schema, limit)
        )
    raise UsageError(f"unknown format {format!r}; one of {', '.join(FORMATS)}")
