"""What holds of every lookup of every capture."""

from datetime import timedelta

import pytest

import dnscap
from tests.lookups.captures import BUDGET, DATA, lookups_cut, lookups_of, merged, octets_of, whole_lab
from tests.sampling import some

KEPT = some(sorted(path.stem for path in DATA.glob("*.pcap")))


def check(rows: list[dict]) -> None:
    for row in rows:
        parts = [row[name] for name in BUDGET]
        assert sum((part for part in parts[1:]), parts[0]) == row["duration"], row
        assert all(part.value >= 0 if hasattr(part, "value") else part >= timedelta(0) for part in parts)
        assert row["duration_min"] <= row["duration"] <= row["duration_max"]
        assert row["final_name"] in row["candidates"]
        assert row["queries"] >= row["wasted_queries"] >= 0
        assert len(set(row["causes"])) == len(row["causes"])
        assert any(name.startswith(row["name"]) for name in row["candidates"])


@pytest.mark.parametrize("capture", KEPT)
def test_budget_sums_to_the_duration(capture: str) -> None:
    check(lookups_of(capture))


def test_budget_sums_over_the_lab() -> None:
    for path in some(whole_lab(every=7)):
        check(dnscap.read(path).to_arrow("lookups").to_pylist())


@pytest.mark.parametrize("piece", [150, 1000])
@pytest.mark.parametrize("capture", KEPT)
def test_batches_make_no_difference(capture: str, piece: int) -> None:
    octets = octets_of(capture)
    assert lookups_cut(octets, piece) == lookups_cut(octets, 1 << 22)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("glibc", "musl"),
        ("go", "pycares"),
        ("dnspython", "glibc"),
        ("search-k8s", "go"),
        ("pair-race-glibc", "lost-go"),
        ("all-dead-musl", "threads"),
        ("tcp-refused", "many-addresses"),
    ],
)
def test_lookups_of_two_clients_do_not_mix(one: str, other: str) -> None:
    def facts(rows: list[dict]) -> list[tuple]:
        keys = ("name", "qtypes", "outcome", "queries", "duration", "answers", "candidates", "client")
        return sorted(tuple(str(row[key]) for key in keys) for row in rows)

    client, renamed = bytes([10, 53, 1, 10]), bytes([10, 53, 1, 77])
    both = lookups_of(merged(octets_of(one), octets_of(other), replace=(client, renamed)))
    alone = lookups_of(one)
    second = [{**row, "client": "10.53.1.77"} for row in lookups_of(other)]
    assert facts(both) == facts(alone + second)


def test_numbers_are_dense_and_in_order_of_time() -> None:
    for capture in KEPT:
        rows = lookups_of(capture)
        assert [row["lookup"] for row in rows] == list(range(len(rows)))


def test_exchanges_carry_the_lookup_and_their_role() -> None:
    capture = dnscap.read(octets_of("pair-race-glibc"))
    rows = [row for row in capture.to_arrow("exchanges").to_pylist() if row["lookup"] == 0]
    assert [row["role"] for row in rows] == ["primary", "companion", "retransmission", "retransmission"]
