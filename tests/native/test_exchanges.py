"""Limits of the native matcher: what is given up is counted, and nothing else changes."""

import numpy as np
import pytest

from dnscap.exchanges.arrow import OUTCOMES
from dnscap.exchanges.matching import Matching
from dnscap.native.exchanges import Exchanges
from dnscap.reading import Capture
from tests.exchanges.traffic import Traffic, query, response


def exchanges(traffic, **limits):
    """Rows of all batches, the largest number of rows held, and the counts."""
    matching = Matching()
    matching.native = Exchanges(**limits)
    rows, most = [], 0
    for batch in Capture(traffic.octets()).batches():
        for part in matching.feed(batch):
            rows += part.to_arrow().to_pylist()
        most = max(most, matching.native.live)
    for part in matching.finish():
        rows += part.to_arrow().to_pylist()
    return rows, most, matching.counts


@pytest.fixture(scope="module")
def many():
    """A thousand queries of different names within a second, answered in reverse order."""
    traffic = Traffic()
    queries = [query(f"n{k}.example", id=k, use_edns=None) for k in range(1000)]
    for k, q in enumerate(queries):
        traffic.send(1 + k / 1000, q, client=f"10.0.{k // 250}.{k % 250}")
    for k, q in reversed(list(enumerate(queries))):
        traffic.send(3 - k / 1000, response(q, answer=None), client=f"10.0.{k // 250}.{k % 250}")
    return traffic


def test_a_small_ring_gives_up_the_oldest(many):
    rows, most, counts = exchanges(many, most_rows=100)
    assert most <= 128
    assert counts["exchanges_evicted"] == 872
    outcomes = [row["outcome"] for row in rows]
    assert outcomes[:872] == ["unanswered"] * 872
    assert outcomes[872:1000] == ["nodata"] * 128
    assert outcomes[1000:] == ["unsolicited"] * 872
    assert [row["exchange"] for row in rows] == list(range(len(rows)))


def test_names_survive_a_new_dictionary(many):
    whole, _, _ = exchanges(many)
    rows, _, counts = exchanges(many, most_names=2100)
    assert rows == whole
    assert {row["outcome"] for row in rows} == {"nodata"}
    rows, _, counts = exchanges(many, most_names=400)
    assert counts["dictionaries"] > 2 and counts["exchanges_evicted"] > 0
    answered = [row for row in rows if row["outcome"] == "nodata"]
    assert len(answered) >= 200
    for row in rows:
        assert row["qname"] == f"n{row['id']}.example."
        assert row["client"] == f"10.0.{row['id'] // 250}.{row['id'] % 250}"


def test_columns_are_views(many):
    matching = Matching()
    parts = [p for b in Capture(many.octets()).batches() for p in matching.feed(b)]
    parts += list(matching.finish())
    column = np.asarray(memoryview(parts[0].native.column("outcome")))
    assert not column.flags.writeable
    assert sum(part.exchanges for part in parts) == 1000
    del parts
    assert {OUTCOMES[code] for code in column} == {"nodata"}


def test_nothing_in_nothing_out():
    assert list(Matching().finish()) == []


def test_too_many_rows_are_refused():
    with pytest.raises(ValueError, match="most_rows"):
        Exchanges(most_rows=1 << 40)
