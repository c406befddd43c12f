"""Columns of a record batch as numpy arrays and lists, for stages that add them up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dnscap.arrays import array_of, filled, numpy_of

Array = np.ndarray[Any, np.dtype[Any]]


class Columns:
    """A record batch, or a table, read column by column.

    Parameters
    ----------
    batch : pyarrow.RecordBatch or pyarrow.Table
        Rows of a table of the schema; columns that it lacks read as null.
    """

    def __init__(self, batch: pa.RecordBatch | pa.Table) -> None:
        self.batch = batch
        self.rows: int = batch.num_rows
        self._names = set(batch.schema.names)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def _column(self, name: str) -> pa.Array:
        column = self.batch.column(name)
        if isinstance(column, pa.ChunkedArray):
            if column.num_chunks == 1:
                return column.chunk(0)
            if pa.types.is_dictionary(column.type):
                column = column.unify_dictionaries()
            column = pa.concat_arrays(column.chunks) if column.num_chunks else array_of([], column.type)
        return column

    def codes(self, name: str) -> tuple[Array, list[str]]:
        """Codes (-1 where null) and the texts that they stand for."""
        if name not in self._names:
            return np.full(self.rows, -1, dtype=np.int32), []
        column = self._column(name)
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        indices = column.indices
        codes = numpy_of(filled(indices, -1))
        return codes.astype(np.int32, copy=False), column.dictionary.to_pylist()

    def numbers(self, name: str, null: int = -1) -> Array:
        """Integers, times or durations (in nanoseconds) as int64."""
        if name not in self._names:
            return np.full(self.rows, null, dtype=np.int64)
        column = self._column(name)
        if pa.types.is_duration(column.type):
            column = column.cast(pa.duration("ns"))
        elif pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("ns", tz=column.type.tz))
        numbers: Array = numpy_of(filled(column.cast(pa.int64()), null))
        return numbers

    def truth(self, name: str) -> Array:
        """Booleans; null reads as false."""
        if name not in self._names:
            return np.zeros(self.rows, dtype=bool)
        truth: Array = numpy_of(filled(self._column(name), False))
        return truth

    def list_lengths(self, name: str) -> Array:
        """Entries of each list."""
        if name not in self._names:
            return np.zeros(self.rows, dtype=np.int64)
        lengths: Array = numpy_of(filled(pc.list_value_length(self._column(name)), 0))
        return lengths

    def word_is(self, name: str, *words: str) -> Array:
        """Where a column of words holds one of these."""
        codes, texts = self.codes(name)
        wanted = np.zeros(len(texts) + 1, dtype=bool)
        for code, text in enumerate(texts):
            wanted[code] = text in words
        return wanted[codes]  # -1 reads the last entry, which is false


class Numbering:
    """Numbers for texts, the same from batch to batch; beyond a limit all further ones share the last number.

    Parameters
    ----------
    limit : int
        Distinct texts told apart.
    """

    def __init__(self, limit: int) -> None:
        self.texts: list[str] = []
        self.limit = limit
        self.overflowed = 0
        """Rows whose text was beyond the limit."""
        self._of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.texts)

    def text(self, number: int) -> str:
        """Text of a number below the limit."""
        return self.texts[number]

    def known(self, text: str) -> int | None:
        """Number of a text that has one."""
        return self._of.get(text)

    def number(self, text: str) -> int:
        """Number of a text; the limit itself where it is one too many."""
        known = self._of.get(text)
        if known is not None:
            return known
        if len(self.texts) >= self.limit:
            return self.limit
        self._of[text] = len(self.texts)
        self.texts.append(text)
        return len(self.texts) - 1

    def translate(self, codes: Array, texts: list[str]) -> Array:
        """Numbers for codes of one batch; -1 stays -1."""
        present = np.zeros(len(texts) + 1, dtype=bool)
        present[codes] = True
        table = np.full(len(texts) + 1, -1, dtype=np.int64)
        for code in np.flatnonzero(present[:-1]).tolist():
            table[code] = self.number(texts[code])
        numbers = table[codes]
        self.overflowed += int((numbers == self.limit).sum())
        return numbers
