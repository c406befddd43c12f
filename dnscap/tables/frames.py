"""Arrow tables as pandas frames with the dtypes that users are promised.

Addresses and closed vocabularies become ``category``, names and rdata ``str``, times
``datetime64[ns, UTC]``, durations ``timedelta64[ns]``, integers that may be missing nullable ``UInt16`` and
the like, lists Arrow-backed lists.  Nothing is copied that need not be: numbers stay where the decoder put
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dnscap.native import columns as native
from dnscap.schema import TABLES, Column

_TEXT = pd.StringDtype("pyarrow", na_value=np.nan)
UTC = pd.DatetimeTZDtype("ns", "UTC")
_NO_TIME = np.iinfo(np.int64).min  # NaT

_NUMPY = {"bool": "?", "u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8", "i64": "i8", "float": "f8"}

_INDICES = {pa.int8(): "i1", pa.uint16(): "u2", pa.int32(): "i4"}
"""Types of codes that are taken as they are."""

Array = np.ndarray[Any, np.dtype[Any]]


def to_pandas(table: pa.Table, name: str) -> pd.DataFrame:
    """Make a frame of an Arrow table.

    The frame may be changed like any other: a column that still lies in the memory of the table is copied by
    pandas on the first write to it.

    Parameters
    ----------
    table : pyarrow.Table
        Some or all columns of a table of the schema.
    name : str
        Which table: ``messages``, ``records``, ...

    Returns
    -------
    pandas.DataFrame
        One column each, in the order of `table`, with a default index.
    """
    return frame_of(name, table.column_names, table.column, table.num_rows)


def frame_of(
    name: str, columns: Iterable[str], column_of: Callable[[str], pa.ChunkedArray], rows: int
) -> pd.DataFrame:
    """As `to_pandas`, of columns that are made one after another, so that only one is there in both forms.

    Parameters
    ----------
    name : str
        Which table.
    columns : iterable of str
        Columns of the frame, in order.
    column_of : callable
        Makes a column.
    rows : int
        How many rows there are.
    """
    declared = {column.name: column for column in TABLES[name]}
    made = _Frame()
    return framed({column: made.values(column_of(column), declared.get(column)) for column in columns}, rows)


def framed(values: dict[str, Any], rows: int) -> pd.DataFrame:
    """A frame of columns as pandas holds them, which share memory with others."""
    original = pd.DataFrame(values, index=pd.RangeIndex(rows), copy=False)
    # Columns share masks with each other and numbers with the capture.  While this second reference lives,
    # pandas copies a column before writing to it.
    frame = original.copy(deep=False)
    object.__setattr__(frame, "_original", original)
    return frame


class _Frame:
    """Makes the columns of one frame; what several have in common is made once."""

    def __init__(self) -> None:
        # Kept with what they were made of: an address means nothing once its buffer is gone.
        self._masks: dict[tuple[int, int, int], tuple[Array, pa.Buffer | None]] = {}
        self._vocabularies: dict[tuple[int, int], tuple[pd.CategoricalDtype, pa.Array]] = {}

    def values(self, column: pa.ChunkedArray, declared: Column | None) -> Any:
        """A column as pandas holds it."""
        kind = declared.kind if declared else None
        if declared is None or kind is None:
            return column.to_pandas()
        if kind == "string":
            return _text(column)
        if kind in ("texts", "numbers"):
            return pd.arrays.ArrowExtensionArray(column)
        if kind == "category":
            return self._category(_whole(_unified(column)))
        whole = _whole(column)
        if kind == "time":
            return pd.DatetimeIndex(_moments(whole), dtype=UTC, copy=False)
        if kind == "duration":
            return _moments(whole).view("m8[ns]")
        if kind == "float":
            return whole.to_numpy(zero_copy_only=False)
        values = _bools(whole) if kind == "bool" else _numbers(whole, _NUMPY[kind])
        if not declared.nullable:
            return values
        if kind == "bool":
            return pd.arrays.BooleanArray(values, self._mask(whole), copy=False)
        return pd.arrays.IntegerArray(values, self._mask(whole), copy=False)

    def _mask(self, whole: pa.Array) -> Array:
        """True where a value is missing; one for all columns that miss it in the same rows."""
        rows = len(whole)
        bits = whole.buffers()[0] if whole.null_count else None
        key = (bits.address, whole.offset, rows) if bits is not None else (0, 0, rows)
        if key not in self._masks:
            if bits is None:
                mask = np.zeros(rows, dtype=bool)
            else:
                mask = np.frombuffer(native.octets_of(_octets(bits), whole.offset, rows, True), dtype=bool)
            mask.flags.writeable = False
            self._masks[key] = mask, bits
        return self._masks[key][0]

    def _category(self, whole: pa.Array) -> pd.Categorical:
        if not isinstance(whole, pa.DictionaryArray):
            whole = whole.dictionary_encode()
        texts = whole.dictionary
        key = (texts.buffers()[-1].address if len(texts) else 0, len(texts))
        if key not in self._vocabularies:
            categories = pd.Index(strings(texts.cast(pa.large_string())), copy=False)
            # Checking that they are distinct costs more than everything else here, hence once a vocabulary.
            self._vocabularies[key] = pd.CategoricalDtype(categories), texts
        dtype, _ = self._vocabularies[key]
        indices = whole.indices
        if indices.type not in _INDICES:
            indices = indices.cast(pa.int32())
        codes = _numbers(indices, _INDICES[indices.type])
        width = code_width(len(texts))
        bits = indices.buffers()[0] if indices.null_count else None
        if bits is not None or codes.dtype != f"i{width}":
            valid = None if bits is None else _octets(bits)
            narrowed = native.narrowed(codes, valid, indices.offset, width)
            codes = np.frombuffer(narrowed, dtype=f"i{width}")
        return pd.Categorical.from_codes(codes, dtype=dtype, validate=False)


def code_width(many: int) -> int:
    """Octets of a code of a vocabulary of `many`, as pandas has it: -1 fits as well."""
    return 1 if many < 128 else 2 if many < 32768 else 4


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _unified(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """With one dictionary for all chunks."""
    if column.num_chunks < 2 or not pa.types.is_dictionary(column.type):
        return column
    return column.unify_dictionaries()


def strings(texts: pa.ChunkedArray) -> Any:
    """Large strings as pandas holds them."""
    made: Any = _TEXT  # its stubs do not know how pandas takes Arrow data
    return made.__from_arrow__(texts)


def _octets(buffer: pa.Buffer | None) -> Array:
    return np.zeros(0, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)


def _numbers(whole: pa.Array, dtype: str) -> Array:
    """Numbers in place; what stands in rows without a value is arbitrary."""
    data = whole.buffers()[1]
    width = np.dtype(dtype).itemsize
    if data is None or len(whole) == 0:
        return np.zeros(len(whole), dtype=dtype)
    return np.frombuffer(data, dtype=dtype, count=len(whole), offset=whole.offset * width)


def _bools(whole: pa.Array) -> Array:
    bits = whole.buffers()[1]
    if bits is None or len(whole) == 0:
        return np.zeros(len(whole), dtype=bool)
    return np.frombuffer(native.octets_of(_octets(bits), whole.offset, len(whole)), dtype=bool)


def _moments(whole: pa.Array) -> Array:
    """Nanoseconds, pandas' mark for none where there is none."""
    values = _numbers(whole, "i8")
    if whole.null_count:
        lacking = np.frombuffer(
            native.octets_of(_octets(whole.buffers()[0]), whole.offset, len(whole), True), dtype=bool
        )
        values = np.where(lacking, _NO_TIME, values)
    return values


def _text(column: pa.ChunkedArray) -> Any:
    chunks = [_spelled(chunk) if isinstance(chunk, pa.DictionaryArray) else chunk for chunk in column.chunks]
    chunks = [chunk.cast(pa.large_string()) for chunk in chunks]
    return strings(pa.chunked_array(chunks, pa.large_string()))


def _spelled(chunk: pa.DictionaryArray) -> pa.Array:
    """Names come as codes of a dictionary; this spells them out."""
    indices, names = chunk.indices, chunk.dictionary
    plain = pa.types.is_int32(indices.type) and pa.types.is_string(names.type) and names.offset == 0
    if not plain or not len(names) or names.null_count:
        return chunk.cast(names.type)
    valid = indices.buffers()[0] if indices.null_count else None
    offsets = np.frombuffer(names.buffers()[1], np.int32, len(names) + 1)
    text = names.buffers()[2]
    bits = None if valid is None else _octets(valid)
    ends, octets = native.spell(_numbers(indices, "i4"), bits, indices.offset, offsets, _octets(text))
    nulls = indices.null_count
    if valid is not None and indices.offset:
        valid = indices.is_valid().buffers()[1]
    buffers = [valid, pa.py_buffer(ends), pa.py_buffer(octets)]
    return pa.Array.from_buffers(pa.large_string(), len(chunk), buffers, nulls)
