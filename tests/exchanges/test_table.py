"""The exchanges table of a capture, in Python and on the command line."""

import io
import json

import pytest
from click.testing import CliRunner

from dnscap.cli import cli
from dnscap.reading import Capture
from dnscap.schema import EXCHANGES
from tests.exchanges.traffic import Traffic, query, response


@pytest.fixture
def capture():
    """Two clients, three queries, one of them unanswered."""
    a, b, c = query("a.example", id=1), query("b.example", id=2), query("c.test", "AAAA", id=3)
    traffic = Traffic().send(1, a).send(1.01, response(a)).send(2, b, client="192.0.2.11")
    traffic.send(2.5, response(b), client="192.0.2.11").send(3, c)
    return traffic.octets()


class Pipe(io.RawIOBase):
    """Octets that can be read only once."""

    def __init__(self, octets):
        self.rest = io.BytesIO(octets)

    def readable(self):
        return True

    def readinto(self, room):
        return self.rest.readinto(room)


def test_columns_are_the_declared_ones(capture):
    table = Capture(capture).to_arrow("exchanges")
    assert table.schema.names == [column.name for column in EXCHANGES]
    for column in EXCHANGES:
        assert column.nullable or table.column(column.name).null_count == 0, column.name


def test_frame(capture):
    frame = Capture(capture).exchanges
    assert list(frame["outcome"]) == ["answer", "answer", "unfinished"]
    assert frame["latency"].dt.total_seconds().tolist()[:2] == [0.01, 0.5]
    assert str(frame["client"].dtype) == "category" and str(frame["query"].dtype) == "UInt32"


def test_chosen_columns_and_rows(capture):
    frame = Capture(capture).table("exchanges", columns=["qname"], where="latency > interval '100 ms'")
    assert list(frame["qname"]) == ["b.example."]


def test_an_input_that_can_be_read_only_once(capture):
    whole = Capture(capture).to_arrow("exchanges")
    once = Capture(Pipe(capture))
    assert once.to_arrow("exchanges").to_pylist() == whole.to_pylist()
    assert len(once.messages) == 5


@pytest.mark.parametrize(
    ("narrowing", "names"),
    [
        ({"client": "192.0.2.11"}, ["b.example."]),
        ({"name": "test"}, ["c.test."]),
        ({"since": "2", "until": "3"}, ["b.example."]),
        ({"server": "192.0.2.54"}, []),
    ],
)
def test_narrowing_picks_whole_exchanges(capture, narrowing, names):
    cap = Capture(capture, **narrowing)
    assert cap.to_arrow("exchanges", ["qname"]).column("qname").to_pylist() == names
    assert list(cap.table("exchanges", columns=["outcome"])["outcome"]) == (
        [] if not names else ["unfinished"] if names == ["c.test."] else ["answer"]
    )


def test_command(capture, tmp_path):
    path = tmp_path / "c.pcap"
    path.write_bytes(capture)
    result = CliRunner().invoke(cli, ["exchanges", str(path), "--format", "jsonl"])
    rows = [json.loads(line) for line in result.output.splitlines()]
    assert [row["outcome"] for row in rows] == ["answer", "answer", "unfinished"]
    assert rows[0]["latency"] == 0.01 and rows[2]["latency"] is None
    assert rows[0]["time"] == "1970-01-01T00:00:01.000000000Z"
