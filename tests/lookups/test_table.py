"""The lookups table of a capture, in Python and on the command line."""

import json

import pytest
from click.testing import CliRunner

import dnscap
from dnscap.cli import cli
from dnscap.schema import LOOKUPS
from tests.lookups.captures import DATA, octets_of

NAMES = [column.name for column in LOOKUPS]


def test_frame_has_the_columns_of_the_schema() -> None:
    frame = dnscap.read(DATA / "search-k8s.pcap").lookups
    assert list(frame.columns) == NAMES
    assert len(frame) == 7
    assert frame.loc[0, "name"] == "www.example.lab."
    assert str(frame["outcome"].dtype) == "category"


def test_columns_alone() -> None:
    capture = dnscap.read(octets_of("glibc"))
    table = capture.to_arrow("lookups", ["name", "answers"])
    assert table.column_names == ["name", "answers"]
    assert table.to_pylist()[0]["answers"] == ["10.53.9.246", "fd53:9::dcf6"]


@pytest.mark.parametrize(
    ("narrowing", "count"),
    [
        ({"name": "shop.lab"}, 1),
        ({"client": "10.53.1.0/24"}, 6),
        ({"server": "10.53.9.9"}, 0),
        ({"server": "10.53.1.2"}, 6),
    ],
)
def test_narrowing_picks_whole_lookups(narrowing: dict, count: int) -> None:
    assert len(dnscap.read(octets_of("glibc"), **narrowing).lookups) == count


def test_where() -> None:
    frame = dnscap.read(DATA / "slow-client-side.pcap").table(
        "lookups", columns=["name"], where="duration > interval '1 second'"
    )
    assert list(frame["name"]) == ["api.slow2.lab."]


def test_command_writes_json_lines() -> None:
    result = CliRunner().invoke(cli, ["lookups", str(DATA / "pair-race-glibc.pcap"), "--format", "jsonl"])
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["causes"] for row in rows] == [["pair-race"], ["pair-race"]]
    assert list(rows[0]) == NAMES


def test_capture_without_lookups() -> None:
    assert len(dnscap.read(octets_of("glibc")[:24]).lookups) == 0
