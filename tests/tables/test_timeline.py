"""Spans of time widen so that there are never many, and add up however the rows came."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dnscap.tables.timeline import MOST_SPANS, WIDTHS, Timeline

TIMES = st.lists(
    st.tuples(st.integers(-(10**18), 4 * 10**18) | st.integers(0, 10**12), st.integers(-1, 10**11)),
    max_size=40,
)


def timeline(rows: list[tuple[int, int]], cuts: int = 1) -> Timeline:
    line = Timeline(2)
    for part in range(cuts):
        times = np.array([t for t, _ in rows[part::cuts]], dtype=np.int64)
        durations = np.array([d for _, d in rows[part::cuts]], dtype=np.int64)
        line.add(times, (None, durations > 10**9), durations, durations >= 0)
    return line


def shape(line: Timeline) -> object:
    return line.width, line.start, line.counts.tolist(), line.percentiles(0.5)


def test_widths_are_multiples_of_one_another() -> None:
    assert all(after % before == 0 for before, after in itertools.pairwise(WIDTHS))


@given(TIMES, st.integers(1, 5))
def test_every_row_is_in_its_span_and_there_are_few(rows: list[tuple[int, int]], cuts: int) -> None:
    line = timeline(rows, cuts)
    assert len(line) <= MOST_SPANS
    assert line.counts[:, 0].sum() == len(rows)
    for number, (count, slow) in enumerate(line.counts.tolist()):
        begin = line.start + number * line.width
        inside = [d for t, d in rows if begin <= t < begin + line.width]
        assert (count, slow) == (len(inside), sum(d > 10**9 for d in inside))


@given(TIMES, st.integers(2, 5))
def test_cuts_and_merging_change_nothing(rows: list[tuple[int, int]], cuts: int) -> None:
    whole = timeline(rows)
    assert shape(timeline(rows, cuts)) == shape(whole)
    merged = Timeline(2)
    for part in range(cuts):
        merged.merge(timeline(rows[part::cuts]))
    assert shape(merged) == shape(whole)
