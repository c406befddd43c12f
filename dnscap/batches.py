"""Batches of rows that the native wing gives: what those of every stage offer alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

Array = np.ndarray[Any, np.dtype[Any]]


class RowBatch:
    """Some rows of a table, final; other libraries read it through the Arrow PyCapsule protocol."""

    native: Any

    @staticmethod
    def make_arrow(native: Any, columns: Sequence[str] | None, /) -> pa.RecordBatch:
        """Arrow columns of a native batch: all of them, or those named."""
        raise NotImplementedError

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.RecordBatch:
        """The rows as an Arrow record batch.

        Parameters
        ----------
        columns : sequence of str, optional
            Only these columns; others cost nothing.

        Returns
        -------
        pyarrow.RecordBatch
        """
        return self.make_arrow(self.native, columns)

    def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
        return self.to_arrow().__arrow_c_array__(requested_schema)


class RowColumns:
    """Access to native columns of which one, ``rows``, holds C structs.

    Raises
    ------
    RuntimeError
        If the struct is not the one declared here: the extensions are of another version.
    """

    row: ClassVar[np.dtype[Any]]
    """The struct field by field; ``align=True`` lays it out as a C compiler does."""

    def __init__(self, native: Any) -> None:
        self.native = native
        if native.row_size != self.row.itemsize:
            raise RuntimeError(
                f"native struct of {native.row_size} octets, {self.row.itemsize} declared: rebuild the extensions"
            )
        self.rows = np.frombuffer(native.column("rows"), dtype=self.row)

    def values(self, name: str) -> Array:
        """A field of the rows as an array of its own."""
        return self.rows[name].copy()
