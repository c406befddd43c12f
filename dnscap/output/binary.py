"""Parquet and Arrow IPC: the formats that keep every type."""

from __future__ import annotations

from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dnscap.arrays import array_of
from dnscap.output.writers import Writer

_GROUP_ROWS = 1 << 20
_GROUP_OCTETS = 256 << 20
"""A row group is written when it has so many rows, or takes so much memory while it is gathered."""


def _storable(schema: pa.Schema) -> pa.Schema:
    """Return the schema with one type for a column in all batches, one that every reader gets right."""
    return pa.schema([field.with_type(_storable_type(field.type)) for field in schema], schema.metadata)


def _storable_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        # the width of the codes differs from batch to batch
        return pa.dictionary(pa.int32(), kind.value_type)
    # Arrow files can not replace a dictionary, and those inside lists come back wrong when they grow
    if pa.types.is_list(kind) and pa.types.is_dictionary(kind.value_type):
        return pa.list_(kind.value_type.value_type)
    if pa.types.is_large_list(kind) and pa.types.is_dictionary(kind.value_type):
        return pa.large_list(kind.value_type.value_type)
    return kind


def _conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch with the types of the schema."""
    if batch.schema.equals(schema):
        return batch
    columns = [
        column if column.type.equals(field.type) else column.cast(field.type)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


class _Tap:
    """Passes octets on until it is shut; what comes later is dropped."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream: BinaryIO | None = stream

    def write(self, octets: bytes) -> int:
        return len(octets) if self._stream is None else self._stream.write(octets)

    def flush(self) -> None:
        if self._stream is not None:
            self._stream.flush()

    def shut(self) -> None:
        self._stream = None


class ParquetWriter(Writer):
    """Parquet with Zstandard compression, in row groups of about a million rows.

    The Arrow schema is stored along, so that categories, durations and lists come back as they were.
    """

    def __init__(self, stream: BinaryIO, schema: pa.Schema, limit: int | None = None) -> None:
        super().__init__(stream, _storable(schema), limit)
        self._tap = _Tap(stream)
        sink = pa.PythonFile(self._tap, mode="w")
        self._writer = pq.ParquetWriter(
            sink, self._schema, compression="zstd", version="2.6", store_schema=True
        )
        self._held: list[pa.RecordBatch] = []
        self._held_rows = 0
        self._held_octets = 0

    def _write_rows(self, batch: pa.RecordBatch) -> None:
        batch = _conform(batch, self._schema)
        self._held.append(batch)
        self._held_rows += batch.num_rows
        self._held_octets += batch.nbytes
        if self._held_rows >= _GROUP_ROWS or self._held_octets >= _GROUP_OCTETS:
            self._write_group()

    def _write_group(self) -> None:
        if self._held:
            # a dictionary that changes within a group would end dictionary encoding there
            table = pa.Table.from_batches(self._held, self._schema).unify_dictionaries()
            self._held.clear()
            self._held_rows = self._held_octets = 0
            self._writer.write_table(table, row_group_size=_GROUP_ROWS)

    def _finish(self, complete: bool) -> None:
        try:
            self._write_group()
            self._writer.close()
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        # pyarrow's writer writes its footer when it is collected, by then perhaps to a closed stream
        self._tap.shut()
        self._held.clear()


class ArrowWriter(Writer):
    """Arrow IPC: the file format where the stream can seek, the streaming format in a pipe.

    The file format knows one dictionary for each column, which may only grow: the batches' own
    dictionaries are brought together as they come.
    """

    def __init__(self, stream: BinaryIO, schema: pa.Schema, limit: int | None = None) -> None:
        super().__init__(stream, _storable(schema), limit)
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
        open_ipc = pa.ipc.new_file if stream.seekable() else pa.ipc.new_stream
        self._writer: Any = open_ipc(stream, self._schema, options=options)
        self._vocabularies: dict[int, pa.Array] = {
            i: array_of([], field.type.value_type)
            for i, field in enumerate(self._schema)
            if pa.types.is_dictionary(field.type)
        }

    def _write_rows(self, batch: pa.RecordBatch) -> None:
        columns = _conform(batch, self._schema).columns
        for i in self._vocabularies:
            columns[i] = self._recoded(i, columns[i])
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def _recoded(self, i: int, column: pa.DictionaryArray) -> pa.DictionaryArray:
        """Return a column whose dictionary begins with all that was written before."""
        known = self._vocabularies[i]
        words = column.dictionary
        codes = column.indices
        if not words.slice(0, len(known)).equals(known):
            places = pc.index_in(words, value_set=known)
            new = words.filter(pc.is_null(places))
            words = pa.concat_arrays([known, new])
            codes = pc.index_in(column.dictionary, value_set=words).take(codes)
        self._vocabularies[i] = words
        return pa.DictionaryArray.from_arrays(codes, words)

    def _finish(self, complete: bool) -> None:
        self._writer.close()
