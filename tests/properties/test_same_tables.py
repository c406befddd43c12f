"""The tables do not depend on how the octets came, nor on what else was asked for."""

from __future__ import annotations

import gzip
import io
import random
from functools import cache

import dns.message
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dnscap
from dnscap.capture import MemoryWindows
from dnscap.messages.decoding import Decoding
from dnscap.schema import TABLES
from tests.sampling import examples

from .built import RDATA, messages, spoilt
from .packets import fragments4, pcap, pcapng, stream4, udp4, udp6

QUICK = settings(max_examples=examples(25), suppress_health_check=[HealthCheck.too_slow])
PASSES = ("messages", "records", "connections", "events")


class OddWindows(MemoryWindows):
    """Windows of another size each time."""

    def __init__(self, octets: bytes, chance: random.Random, most: int) -> None:
        super().__init__("odd", memoryview(octets))
        self._chance, self._most = chance, most

    def view(self) -> tuple[memoryview, bool]:
        self._window = self._chance.randint(1, self._most)
        return super().view()


class OddInput:
    """An input that gives its octets in such windows."""

    name, kind = "odd", "pcap"

    def __init__(self, octets: bytes, chance: random.Random, most: int) -> None:
        self._made = octets, chance, most

    def open(self) -> OddWindows:
        return OddWindows(*self._made)


@cache
def mixed_capture() -> bytes:
    """UDP, TCP, fragments, faults and interleaved connections in one file."""
    chance = random.Random(3)
    wires = [
        dns.message.from_text(
            f"id {n}\nopcode QUERY\nflags QR\n;QUESTION\nwww{n % 7}.example.com. IN A\n;ANSWER\n"
            f"www{n % 7}.example.com. {n} IN {RDATA[n % 28][0]} {RDATA[n % 28][1]}\n"
        ).to_wire()
        for n in range(120)
    ]
    parts = [
        [frame]
        for n, wire in enumerate(wires)
        for frame in (udp4(wire, 30000 + n), udp6(spoilt(wire, chance), 31000 + n))
    ]
    parts += [fragments4(wire, 24, number, 33000 + number) for number, wire in enumerate(wires[:20])]
    parts += [stream4(wires[n : n + 6], [5, 70, 71, 300], 34000 + n) for n in range(0, 60, 6)]
    frames = []
    while parts:
        part = chance.choice(parts)
        frames.append(part.pop(0))
        parts = [part for part in parts if part]
    return pcap(frames)


def whole_tables(octets: bytes, chance: random.Random, most: int, rows: int | None) -> dict[str, list]:
    decoding = Decoding([OddInput(octets, chance, most)], rows=rows)  # type: ignore[list-item]
    batches = list(decoding)
    found = {name: [row for batch in batches for row in batch.to_arrow(name).to_pylist()] for name in PASSES}
    found["counts"] = [decoding.quality.counts]
    found["sources"] = decoding.sources().drop_columns(["name", "format"]).to_pylist()
    return found


@cache
def expected() -> dict[str, list]:
    return whole_tables(mixed_capture(), random.Random(0), 1 << 24, None)


def test_the_mixed_capture_has_something_of_everything():
    found = expected()
    assert len(found["messages"]) == 120 * 2 + 20 + 60
    assert len(found["connections"]) == 10
    assert {row["status"] for row in found["messages"]} > {"ok", "short-header", "bad-pointer"}
    assert {row["frames"] for row in found["messages"]} > {1, 2, 3}


@QUICK
@given(
    st.randoms(use_true_random=False), st.sampled_from([1, 7, 64, 3000]), st.sampled_from([1, 7, 65536, None])
)
def test_any_windows_and_batches_give_the_same_tables(chance, most, rows):
    found = whole_tables(mixed_capture(), chance, most, rows)
    for name, table in expected().items():
        assert found[name] == table, name


@pytest.mark.parametrize(
    "wrap", [io.BytesIO, lambda octets: io.BufferedReader(io.BytesIO(octets)), gzip.compress]
)
def test_any_way_in_gives_the_same_tables(wrap):
    given = dnscap.read(wrap(mixed_capture()))
    for name in ("records", "messages", "connections"):
        assert given.to_arrow(name).to_pylist() == expected()[name]
    assert not given.quality.faults


@QUICK
@given(st.lists(messages(), min_size=1, max_size=6), st.integers(0, 2**32))
def test_without_records_the_same_of_every_message_is_known(built, seed):
    """Two ways through a message must find the same faults, offsets and EDNS."""
    chance = random.Random(seed)
    wires = [message.to_wire(max_size=65535)[:1400] for message in built]
    frames = [
        udp4(spoilt(chance.choice(wires), chance)[:1400], chance.choice((1024, 5353))) for _ in range(150)
    ]
    octets = pcap(frames)
    columns = [column.name for column in TABLES["messages"]]
    with_records = dnscap.read(octets)
    assert with_records.to_arrow("records").num_rows >= 0
    known = with_records.to_arrow("messages", columns)
    alone = pa.Table.from_batches(
        [batch.to_arrow("messages") for batch in dnscap.read(octets).batches(records=False)]
    )
    assert alone.select(columns).to_pylist() == known.to_pylist()


@QUICK
@given(
    st.binary(max_size=600),
    st.sampled_from([b"", b"\xd4\xc3\xb2\xa1\2\0\4\0" + bytes(8) + b"\xff\xff\0\0\1\0\0\0"]),
)
def test_any_octets_are_a_capture_that_ends_somewhere(octets, start):
    capture = dnscap.read(start + octets)
    for name in ("messages", "records", "connections", "events", "sources"):
        capture.to_arrow(name)
    for fault in capture.quality.faults:
        assert fault.offset is None or 0 <= fault.offset <= len(start + octets)


@QUICK
@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=40), st.booleans())
def test_any_octets_are_a_message_of_some_status(payloads, newer):
    make = pcapng if newer else pcap
    capture = dnscap.read(make(udp4(payload) for payload in payloads))
    capture.to_arrow("records")
    rows = capture.to_arrow("messages").to_pylist()
    assert len(rows) == len(payloads)
    for row, payload in zip(rows, payloads, strict=True):
        assert row["size"] == len(payload)
        assert row["status_at"] is None or row["status_at"] <= len(payload)
        assert (row["status_at"] is None) == (row["status"] == "ok")
