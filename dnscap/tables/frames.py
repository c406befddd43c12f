"""Arrow tables as pandas frames with the dtypes that users are promised.

Addresses and closed vocabularies become ``category``, names and rdata ``str``, times ``datetime64[ns, UTC]``, durations
``timedelta64[ns]``, integers that may be missing nullable ``UInt16`` and the like.  Nothing is copied that need not be.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dnscap.schema import TABLES, Column

_TEXT = pd.StringDtype("pyarrow", na_value=np.nan)

Array = np.ndarray[Any, np.dtype[Any]]


def to_pandas(table: pa.Table, name: str) -> pd.DataFrame:
    """Make a frame of an Arrow table.

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
    declared = {column.name: column for column in TABLES[name]}
    table = table.unify_dictionaries() if any(c.num_chunks > 1 for c in table.columns) else table
    masks: dict[int, Array] = {}
    columns = {
        field: _values(table.column(field), declared.get(field), masks) for field in table.column_names
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)


def _values(column: pa.ChunkedArray, declared: Column | None, masks: dict[int, Array]) -> Any:
    kind = declared.kind if declared else None
    if kind is None:
        return column.to_pandas()
    if kind == "string":
        return _text(column)
    if kind in ("texts", "numbers"):
        return column.to_pandas()
    whole = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], whole.type)
    if kind == "category":
        return _category(whole)
    if kind == "time":
        stamps = whole.cast(pa.int64()).to_numpy(zero_copy_only=False) if whole.null_count == 0 else None
        if stamps is None:
            return pd.DatetimeIndex(whole.cast(pa.timestamp("ns")).to_numpy(zero_copy_only=False)).tz_localize("UTC")
        return pd.DatetimeIndex(stamps.view("M8[ns]")).tz_localize("UTC")
    if kind == "duration":
        return whole.to_numpy(zero_copy_only=False).astype("m8[ns]", copy=False)
    if declared is not None and declared.nullable:
        return _masked(whole, kind, masks)
    return whole.to_numpy(zero_copy_only=False)


def _text(column: pa.ChunkedArray) -> Any:
    """Names come as codes of a dictionary; spelling them out costs one gather."""
    chunks = []
    for chunk in column.chunks:
        if isinstance(chunk, pa.DictionaryArray):
            chunk = pc.take(chunk.dictionary.cast(pa.large_string()), chunk.indices)
        chunks.append(chunk)
    return _TEXT.__from_arrow__(pa.chunked_array(chunks, pa.large_string()))  # type: ignore[attr-defined]


def _category(whole: pa.Array) -> pd.Categorical:
    if not isinstance(whole, pa.DictionaryArray):
        whole = whole.dictionary_encode()
    codes = whole.indices
    if codes.null_count:
        codes = pc.fill_null(codes, -1)
    categories = pd.Index(whole.dictionary.to_pylist(), dtype=_TEXT)
    dtype = pd.CategoricalDtype(categories)
    return pd.Categorical.from_codes(codes.to_numpy(zero_copy_only=False), dtype=dtype, validate=False)


_NUMPY = {"bool": "?", "u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8", "i64": "i8", "float": "f8"}


def _masked(whole: pa.Array, kind: str, masks: dict[int, Array]) -> Any:
    if kind == "float":
        return whole.to_numpy(zero_copy_only=False)
    if whole.null_count == 0:
        # One mask without a missing value serves all columns of the frame.
        mask = masks.setdefault(len(whole), np.zeros(len(whole), dtype=bool))
        values = whole.to_numpy(zero_copy_only=False)
    else:
        mask = pc.is_null(whole).to_numpy(zero_copy_only=False)
        values = pc.fill_null(whole, False if kind == "bool" else 0).to_numpy(zero_copy_only=False)
    values = values.astype(_NUMPY[kind], copy=False)
    if kind == "bool":
        return pd.arrays.BooleanArray(values, mask, copy=False)
    return pd.arrays.IntegerArray(values, mask, copy=False)
