"""Counts per server, by hand and cut anywhere."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables_by_hand import MS, NOON, SECOND, connections, exchange, exchanges

from dnscap.servers import ServerTally
from dnscap.servers.tally import MOST_CLIENTS, OUTCOMES
from dnscap.tables.columns import Columns, Numbering
from dnscap.tables.histogram import BUCKETS, buckets_of, percentile


def tally_of(*rows: dict[str, Any], end: int | None = None) -> ServerTally:
    tally = ServerTally()
    tally.feed_exchanges(Columns(exchanges(*rows)), end)
    return tally


def test_outcomes_are_counted_where_they_belong() -> None:
    (row,) = tally_of(*(exchange(i, i, lookup=0, outcome=word) for i, word in enumerate(OUTCOMES))).rows()
    assert row["queries"] == len(OUTCOMES) - 2
    assert row["answered"] == 10
    assert (row["unanswered"], row["unreachable"], row["truncated"]) == (1, 1, 1)
    assert (row["noerror"], row["nxdomain"], row["servfail"], row["refused"], row[("formerr")]) == (
        4,
        1,
        1,
        1,
        1,
    )
    assert row["other_rcodes"] == 2


def test_what_is_ambiguous_is_no_loss() -> None:
    (row,) = tally_of(
        exchange(0, 0, outcome=("unanswered"), ambiguous=True), exchange(1, 1, ambiguous=True)
    ).rows()
    assert (row["unanswered"], row["ambiguous"], row["answered"]) == (0, 1, 1)


def test_what_waited_long_when_the_capture_ended_is_unanswered() -> None:
    rows = [exchange(0, 0, outcome="unfinished"), exchange(1, 9 * SECOND, outcome="unfinished")]
    (row,) = tally_of(*rows, end=NOON + 10 * SECOND).rows()
    assert (row["unanswered"], row["queries"]) == (1, 2)


def test_percentiles_are_near() -> None:
    latencies = range(1, 101)
    (row,) = tally_of(*(exchange(i, i, latency=ms * MS) for i, ms in enumerate(latencies))).rows()
    for share, column in ((50, "latency_p50"), (90, "latency_p90"), (99, "latency_p99")):
        assert row[column] == pytest.approx(share * MS, rel=0.05)


@given(st.lists(st.integers(0, 200 * SECOND), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_percentile_is_right_to_a_bucket(durations: list[int], share: float) -> None:
    counts = np.bincount(buckets_of(np.array(durations)), minlength=BUCKETS)
    found = percentile(counts, share)
    assert found is not None
    exact = sorted(durations)[max(0, int(np.ceil(share * len(durations))) - 1)]
    assert found <= max(exact * 1.06, 1_100) or found <= sorted(durations)[-1] * 1.06
    assert percentile(np.zeros(BUCKETS), share) is None


def test_types_that_are_never_answered() -> None:
    rows = [exchange(i, i, qtype="AAAA", outcome="unanswered") for i in range(3)]
    rows += [exchange(9, 9, qtype="A"), exchange(10, 10, qtype="TXT", outcome="unanswered")]
    (row,) = tally_of(*rows).rows()
    assert row["never_answered"] == ["AAAA"]
    (dead,) = tally_of(*rows[:3]).rows()
    assert dead["never_answered"] == []  # a server that answers nothing is not picky


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([{"edns": True, "response_edns": True}], "answers"),
        ([{"edns": True, "response_edns": False}], "ignores"),
        ([{"edns": True, "outcome": "formerr"}, {"edns": False}], "formerr"),
        ([{"edns": True, "outcome": "unanswered"}] * 3 + [{"edns": False}] * 3, "drops"),
        ([{"edns": True, "outcome": "unanswered"}] * 3, None),
        ([{"edns": False}], None),
    ],
)
def test_edns_behaviour(rows: list[dict[str, Any]], verdict: str | None) -> None:
    (row,) = tally_of(*(exchange(i, i, **told) for i, told in enumerate(rows))).rows()
    assert row["edns"] == verdict


def test_roles() -> None:
    def role(**told: Any) -> str | None:
        return tally_of(exchange(0, 0, **told)).rows()[0]["role"]

    assert role(lookup=0) == "recursive"
    assert role(lookup=0, server="127.0.0.53") == "forwarder"
    assert role(lookup=None, outcome="referral") == "authoritative"
    assert role(lookup=None) == "authoritative"


def test_connections_are_counted() -> None:
    def connection(**told: Any) -> dict[str, Any]:
        return {"client": "10.0.0.7", "server": "10.0.0.53", "syns": 1, "queries": 0, "end": "fin", **told}

    tally = ServerTally()
    tally.feed_connections(
        connections(
            connection(handshake=3 * MS),
            connection(end="refused"),
            connection(end="unanswered", syns=4),
            connection(syns=0),
        )
    )
    (row,) = tally.rows()
    assert (row["tcp_connections"], row["tcp_refused"], row["tcp_unanswered"]) == (3, 1, 1)
    assert row["tcp_rtt"] == pytest.approx(3 * MS, rel=0.05)


def _many(count: int) -> list[dict[str, Any]]:
    chance = random.Random(3)
    return [
        exchange(
            i,
            i,
            lookup=0,
            client=f"10.0.1.{chance.randrange(40)}",
            server=f"10.0.0.{chance.randrange(7)}",
            outcome=chance.choice(OUTCOMES),
            qtype=chance.choice(["A", "AAAA", "TXT"]),
            edns=chance.choice([True, False]),
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("cut", [1, 7, 300])
def test_batches_may_be_cut_anywhere_and_tallies_merged(cut: int) -> None:
    rows = _many(300)
    whole = tally_of(*rows)
    parts = ServerTally()
    merged = ServerTally()
    for i in range(0, len(rows), cut):
        parts.feed_exchanges(Columns(exchanges(*rows[i : i + cut])))
        merged.merge(tally_of(*rows[i : i + cut]))
    assert parts.rows() == whole.rows()
    assert merged.rows() == whole.rows()


def test_numbers_are_bounded() -> None:
    numbering = Numbering(3)
    found = numbering.translate(np.array([0, 1, 2, 3, 4, -1, 0]), list("abcde"))
    assert found.tolist() == [0, 1, 2, 3, 3, -1, 0]
    assert numbering.overflowed == 2
    tally = tally_of(*(exchange(i, i, client=f"10.{i >> 8}.{i & 255}.1") for i in range(MOST_CLIENTS + 10)))
    assert tally.rows()[0]["clients"] == MOST_CLIENTS
