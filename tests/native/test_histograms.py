"""Histograms that keep only the octaves in use count as whole ones do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnscap.native.histograms import Histograms, Scale
from dnscap.tables.histogram import BUCKETS, LEAST, SCALE, buckets_of, histograms, percentile

DURATIONS = st.lists(st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(0, 10_000_000_000), max_size=60)


def whole(rows, durations, count):
    counts = np.zeros((count, BUCKETS), np.int64)
    for row, duration in zip(rows, durations, strict=True):
        counts[row, np.searchsorted(LEAST[1:], duration, side="right")] += 1
    return counts


def counts_of(made: Histograms) -> np.ndarray:
    counts = np.zeros((len(made), BUCKETS), np.int64)
    for row in range(len(made)):
        made.row(row, counts[row])
    return counts


@given(DURATIONS)
def test_buckets_are_those_of_the_least_durations(durations: list[int]) -> None:
    given_ = np.array([*durations, *LEAST.tolist(), *(LEAST[1:] - 1).tolist()], np.int64)
    found = np.zeros(len(given_), np.int64)
    SCALE.buckets(given_, found)
    assert (found == np.searchsorted(LEAST[1:], given_, side="right")).all()
    ordinary = (given_ >= 0) & (given_ < 1 << 50)
    assert (found[ordinary] == buckets_of(given_[ordinary])).all()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1 << 40)), max_size=80), st.floats(0.01, 1.0))
def test_rows_and_percentiles(rows: list[tuple[int, int]], share: float) -> None:
    made = histograms()
    for part in (rows[:20], rows[20:]):
        at = np.array([row for row, _ in part], np.int64)
        made.add(at, np.array([duration for _, duration in part], np.int64), 5)
    expected = whole([r for r, _ in rows], [d for _, d in rows], 5)
    assert (counts_of(made) == expected).all()
    assert [made.percentile(row, share) for row in range(5)] == [percentile(row, share) for row in expected]
    assert made.percentile(5, share) is None


def test_merging_adds_each_row_to_the_one_it_is_told() -> None:
    one, other = histograms(), histograms()
    one.add(np.array([0, 1]), np.array([5_000, 6_000]), 3)
    other.add(np.array([0, 0, 1, 2]), np.array([5_000, 7_000, 1 << 30, 9_000]), 3)
    one.merge(other, np.array([2, 0]))
    expected = whole([0, 1, 2, 2, 0, 0], [5_000, 6_000, 5_000, 7_000, 1 << 30, 9_000], 3)
    assert (counts_of(one) == expected).all()


def test_what_is_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="length"):
        Scale(LEAST[1:])
    with pytest.raises(ValueError, match="rise"):
        Scale(LEAST[::-1].copy())
    made = histograms()
    made.add(np.array([-1, 7]), np.array([1, 1]), 2)  # rows that are not there count nowhere
    assert not counts_of(made).any()
    with pytest.raises(ValueError, match="without a duration"):
        made.add(np.array([0]), np.zeros(0, np.int64), 2)
    with pytest.raises(ValueError, match="no such row"):
        made.row(2, np.zeros(BUCKETS, np.int64))
