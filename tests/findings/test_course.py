"""The course of a capture adds up however its rows came."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tables_by_hand import MS, SECOND, exchange, exchanges, lookup, lookups

from dnscap.findings.course import SLOW, CourseTally
from dnscap.tables.columns import Columns

LOOKUPS = st.lists(
    st.builds(
        lambda at, duration, outcome, gap: {
            "at": at,
            "duration": duration,
            "outcome": outcome,
            "t_gap": min(gap, duration),
        },
        st.integers(0, 10**6 * SECOND),
        st.integers(0, 20 * SECOND),
        st.sampled_from(["ok", "nxdomain", "timeout", "servfail", "unfinished"]),
        st.integers(0, 20 * SECOND) | st.just(0),
    ),
    max_size=20,
)


def tally(rows: list[dict], first: int = 0) -> CourseTally:
    found = CourseTally()
    for number, row in enumerate(rows, first):
        row = dict(row)
        at = row.pop("at")
        found.feed_lookups(Columns(lookups(lookup(number, at, **row))))
        found.feed_exchanges(Columns(exchanges(exchange(number, at, latency=row["duration"]))))
    return found


def shape(found: CourseTally) -> list[object]:
    return [
        value.tolist()
        if isinstance(value, np.ndarray)
        else (value.width, value.start, value.counts.tolist(), value.percentiles(0.9))
        if hasattr(value, "percentiles")
        else value
        for _, value in sorted(vars(found).items())
    ]


@given(LOOKUPS, st.integers(0, 20))
def test_merging_is_counting_together(rows: list[dict], cut: int) -> None:
    merged = tally(rows[:cut])
    merged.merge(tally(rows[cut:], cut))
    assert shape(merged) == shape(tally(rows))


@given(LOOKUPS)
def test_counts_are_those_of_the_rows(rows: list[dict]) -> None:
    found = tally(rows)
    waited = [row["duration"] - row["t_gap"] for row in rows]
    assert found.slow == sum(w >= SLOW for w in waited)
    assert found.longest == max(waited, default=0)
    assert sum(found.lookup_outcomes.values()) == len(rows) == found.lookups.counts[:, 0].sum()
    assert found.durations.sum() == sum(row["outcome"] != "unfinished" for row in rows)


def test_search_lists_are_added_up() -> None:
    found = CourseTally()
    plain = lookup(0)
    expanded = lookup(
        1, duration=9 * MS, candidates=["a.b.", "a."], queries=4, wasted_queries=2, t_search=6 * MS
    )
    found.feed_lookups(Columns(lookups(plain, expanded)))
    assert (found.expanded, found.sent, found.wasted, found.search_wait) == (1, 6, 2, 6 * MS)
