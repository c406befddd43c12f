"""Arrow arrays out of numpy arrays and Python values, and back.

`pyarrow.array` and `pyarrow.scalar` import pandas, to see whether a series was handed to them, and so does `to_numpy`:
that takes longer than all else that a command does before its first packet. These do not, and know no more than tables
need.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

Array = np.ndarray[Any, np.dtype[Any]]


def array_of(
    values: Array | Sequence[Any], type_: pa.DataType | None = None, lacking: Any = None
) -> pa.Array:
    """An Arrow array of numbers, truth values, texts, or lists of them.

    Numbers are not copied unless they are of another type than asked for.

    Parameters
    ----------
    values : ndarray or sequence
        A sequence holds None where a row has no value; times and durations are nanoseconds.
    type_ : DataType, optional
        A numpy array knows its own; a sequence needs one.
    lacking : ndarray of bool, optional
        Rows of a numpy array that have no value.

    Examples
    --------
    >>> array_of(["udp", None], pa.string()).to_pylist()
    ['udp', None]
    """
    if isinstance(values, np.ndarray):
        made = _of_numpy(values, lacking)
        return made if type_ is None or made.type == type_ else made.cast(type_)
    if type_ is None:
        raise TypeError("a sequence does not tell the type of its values")
    if not len(values):
        return pa.nulls(0, type_)
    if pa.types.is_list(type_):
        return _lists(values, type_)
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return _texts(values, type_)
    if pa.types.is_temporal(type_):
        return _plain(values, np.dtype(np.int64)).cast(type_)
    return _plain(values, np.dtype(type_.to_pandas_dtype()))


def scalar_of(value: Any, type_: pa.DataType) -> pa.Scalar:
    """A single value, as compute functions take it beside an array.

    Examples
    --------
    >>> scalar_of(53, pa.uint16())
    <pyarrow.UInt16Scalar: 53>
    """
    return array_of([value], type_)[0]


def filled(column: pa.Array, value: Any) -> pa.Array:
    """A column with a value in rows that have none.

    Examples
    --------
    >>> filled(array_of([True, None], pa.bool_()), False).to_pylist()
    [True, False]
    """
    return column.fill_null(scalar_of(value, column.type)) if column.null_count else column


def numpy_of(column: pa.Array) -> Array:
    """Numbers or truth values of a column in which every row has one; numbers are not copied.

    Examples
    --------
    >>> numpy_of(array_of([False, True], pa.bool_()))
    array([False,  True])
    """
    if pa.types.is_boolean(column.type):
        bits = np.frombuffer(column.buffers()[1] or b"", np.uint8)
        end = column.offset + len(column)
        return np.unpackbits(bits, count=end, bitorder="little")[column.offset :].view(np.bool_)
    return np.from_dlpack(column)


def without_columns(rows: int) -> pa.RecordBatch:
    """Rows of which only the number is wanted.

    Examples
    --------
    >>> without_columns(3).num_rows
    3
    """
    return pa.RecordBatch.from_struct_array(pa.Array.from_buffers(pa.struct([]), rows, [None]))


def _of_numpy(values: Array, lacking: Array | None) -> pa.Array:
    valid, lacks = _valid(lacking)
    if values.dtype == np.bool_:
        return pa.Array.from_buffers(pa.bool_(), len(values), [valid, _bits(values)], lacks)
    octets = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [valid, octets], lacks)


def _bits(truths: Array) -> pa.Buffer:
    return pa.py_buffer(np.packbits(truths, bitorder="little"))


def _valid(lacking: Array | None) -> tuple[pa.Buffer | None, int]:
    if lacking is None or not lacking.any():
        return None, 0
    return _bits(~lacking), int(np.count_nonzero(lacking))


def _lacking(values: Sequence[Any]) -> Array | None:
    """Which values are None; None where none is."""
    return np.fromiter((value is None for value in values), np.bool_, len(values)) if None in values else None


def _plain(values: Sequence[Any], kind: np.dtype[Any]) -> pa.Array:
    lacking = _lacking(values)
    full = values if lacking is None else (0 if value is None else value for value in values)
    return _of_numpy(np.fromiter(full, kind, len(values)), lacking)


def _texts(values: Sequence[str | None], type_: pa.DataType) -> pa.Array:
    valid, lacks = _valid(_lacking(values))
    octets = [text.encode() if text else b"" for text in values]
    ends = _ends(octets, np.int32 if pa.types.is_string(type_) else np.int64)
    return pa.Array.from_buffers(type_, len(octets), [valid, ends, pa.py_buffer(b"".join(octets))], lacks)


def _lists(values: Sequence[Sequence[Any] | None], type_: pa.DataType) -> pa.Array:
    valid, lacks = _valid(_lacking(values))
    found = [value or () for value in values]
    within = array_of([*itertools.chain.from_iterable(found)], type_.value_type)
    return pa.Array.from_buffers(type_, len(found), [valid, _ends(found, np.int32)], lacks, 0, [within])


def _ends(values: Sequence[Sequence[Any]], kind: type) -> pa.Buffer:
    """Where each of some values that lie one after another begins, and where the last ends."""
    ends = itertools.accumulate(map(len, values), initial=0)
    return pa.py_buffer(np.fromiter(ends, kind, len(values) + 1))
