"""Arrow arrays as Arrow itself makes them, which asks pandas; and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dnscap.arrays import array_of, filled, numpy_of, scalar_of, without_columns

LACKING = np.array([False, True, False])

NUMPY = [
    (np.arange(3), None, None),
    (np.arange(6, dtype=np.uint32)[::2], None, LACKING),
    (np.array([1.5, np.nan, 0.0]), None, LACKING),
    (np.array([True, False, True] * 5), None, None),
    (np.array([True, False, True]), None, LACKING),
    (np.arange(3), pa.int16(), LACKING),
    (np.arange(3), pa.timestamp("ns", tz="UTC"), None),
    (np.array([], np.uint16), None, None),
    (np.array([], bool), None, None),
]

PLAIN = [
    (["a", "\N{BULLET}", None, ""], pa.string()),
    (("udp", "tcp"), pa.large_string()),
    ([None], pa.string()),
    ([1, None, 2**64 - 1], pa.uint64()),
    (range(3), pa.uint32()),
    ([True, None, False], pa.bool_()),
    ([1.5, None], pa.float64()),
    ([1, None], pa.duration("ns")),
    ([["a", "b"], None, []], pa.list_(pa.string())),
    ([[1, 2], [], [3]], pa.list_(pa.uint32())),
    ([], pa.string()),
    ([], pa.list_(pa.string())),
    ([], pa.dictionary(pa.int32(), pa.string())),
]


def same(made: pa.Array, expected: pa.Array) -> None:
    made.validate(full=True)
    assert made.type == expected.type
    assert made.null_count == expected.null_count
    assert made.equals(expected)


@pytest.mark.parametrize(("values", "kind", "lacking"), NUMPY)
def test_numpy_becomes_arrow(values: Any, kind: pa.DataType | None, lacking: Any) -> None:
    same(array_of(values, kind, lacking), pa.array(values, kind, mask=lacking, from_pandas=False))


@pytest.mark.parametrize(("values", "kind"), PLAIN)
def test_python_values_become_arrow(values: Any, kind: pa.DataType) -> None:
    same(array_of(values, kind), pa.array(values, kind))


def test_numbers_are_not_copied() -> None:
    values = np.arange(3)
    array = array_of(values)
    values[1] = 7
    assert array.to_pylist() == [0, 7, 2]


@pytest.mark.parametrize(
    ("values", "kind"),
    [(["\ud800"], pa.string()), ([300], pa.uint8()), (np.array([300]), pa.uint8()), (["a"], None)],
)
def test_what_a_type_cannot_hold_is_refused(values: Any, kind: pa.DataType | None) -> None:
    with pytest.raises((ValueError, OverflowError, TypeError)):
        array_of(values, kind)


@pytest.mark.parametrize("values", [np.arange(20) % 3 == 0, np.arange(20, dtype=np.uint8), np.arange(20) / 2])
@pytest.mark.parametrize("part", [slice(0, 0), slice(0, 20), slice(3, 5), slice(9, 20)])
def test_back_to_numpy(values: Any, part: slice) -> None:
    found = numpy_of(array_of(values)[part])
    assert found.dtype == values.dtype
    assert (found == values[part]).all()


def test_scalars_and_what_is_lacking() -> None:
    assert scalar_of("a", pa.string()) == pa.scalar("a")
    assert not scalar_of(None, pa.large_string()).is_valid
    assert filled(array_of([1, None], pa.uint8()), 4).to_pylist() == [1, 4]
    whole = array_of([1, 2], pa.uint8())
    assert filled(whole, 4) is whole
    assert (without_columns(3).num_rows, without_columns(0).num_columns) == (3, 0)
