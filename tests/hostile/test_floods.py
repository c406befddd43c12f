"""Floods of connections, fragments, names, records: memory stays bounded, counts tell what was given up."""

from __future__ import annotations

import struct

import numpy as np
import pyarrow.compute as pc
import pytest

import dnscap

from . import floods
from .bounded import read_apart

MOST_MEGABYTES = 400


@pytest.mark.parametrize("count", [200_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_flood_of_connections(tmp_path, count):
    path = tmp_path / "connections.pcap"
    path.write_bytes(floods.connections(count))
    outcome = read_apart(path)
    assert outcome.counts["frames"] == outcome.counts["dns_tcp"] == 2 * count
    assert outcome.connections >= count
    assert outcome.messages == 0 and not outcome.faults
    assert outcome.megabytes < MOST_MEGABYTES


def test_a_flood_of_fragments(tmp_path):
    path = tmp_path / "fragments.pcap"
    path.write_bytes(floods.fragments(300_000))
    outcome = read_apart(path)
    assert outcome.counts["fragments"] == 300_000
    assert outcome.counts["fragments_completed"] == 0
    assert outcome.counts["fragments_evicted"] + outcome.counts["fragments_expired"] == 300_000
    assert outcome.megabytes < MOST_MEGABYTES


@pytest.mark.parametrize("answers", [False, True])
def test_more_names_than_one_dictionary_holds(answers):
    """Codes of names start anew when the dictionary is full; every row keeps its own name."""
    count = 700_000 if not answers else 350_000
    capture = dnscap.read(floods.random_names(count, answers=answers))
    batches = list(capture.batches(records=answers))
    assert len({id(batch.native.dictionary) for batch in batches}) > 1
    at = owners = 0
    for batch in batches:
        names = batch.to_arrow("messages", ["qname"])["qname"]
        want = [f"q{n:07d}.test." for n in range(at, at + batch.messages)]
        assert names.cast("string").to_pylist() == want
        if answers:
            names = batch.to_arrow("records", ["name"])["name"]
            want = [f"r{n:07d}.test." for n in range(owners, owners + batch.records)]
            assert names.cast("string").to_pylist() == want
        at += batch.messages
        owners += batch.records
    assert at == count and owners == (count if answers else 0)


def test_a_flood_of_names_in_little_memory(tmp_path):
    path = tmp_path / "names.pcap"
    path.write_bytes(floods.random_names(1_200_000, answers=False))
    outcome = read_apart(path)
    assert outcome.messages == 1_200_000
    assert outcome.megabytes < MOST_MEGABYTES


def test_a_flood_of_addresses():
    """Spoofed sources fill the table of addresses, and codes start anew."""
    count = 600_000
    packets = floods.rows(count, floods.udp(floods.query(b"\x04test\x00")))
    floods.put(packets, 12, np.arange(count) + (11 << 24), 4)
    at = 0
    for batch in dnscap.read(floods.capture(packets)).batches(records=False):
        sources = batch.to_arrow("messages", ["src"])["src"].cast("string")
        numbers = np.arange(at, at + batch.messages)
        want = [f"11.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in (numbers[0], numbers[-1])]
        assert [sources[0].as_py(), sources[-1].as_py()] == want
        assert len(pc.unique(sources)) == batch.messages
        at += batch.messages
    assert at == count


def in_stream(messages: list[bytes]) -> bytes:
    """A capture of one connection that carries these messages."""
    octets = b"".join(struct.pack("!H", len(message)) + message for message in messages)
    packets = [floods.tcp(b"", 2, 0)]
    packets += [floods.tcp(octets[at : at + 32_000], 24, 1 + at) for at in range(0, len(octets), 32_000)]
    parts = [floods.HEADER]
    for number, packet in enumerate(packets):
        parts += [struct.pack("<IIII", floods.START, number * 1000, len(packet), len(packet)), packet]
    return b"".join(parts)


def full_message(record: bytes, number: int = 1) -> tuple[bytes, int]:
    """A response of nearly 65,535 octets filled with one record, and how many of it."""
    many = (65535 - 12) // len(record)
    return struct.pack("!6H", number, 0x8180, 0, many, 0, 0) + record * many, many


def test_a_message_full_of_the_smallest_records(tmp_path):
    message, many = full_message(b"\x00" + struct.pack("!HHIH", 10, 1, 0, 0))
    path = tmp_path / "smallest.pcap"
    path.write_bytes(in_stream([message] * 200))
    outcome = read_apart(path)
    assert (outcome.messages, outcome.records) == (200, 200 * many)
    assert outcome.megabytes < MOST_MEGABYTES


def test_messages_full_of_distinct_owner_names():
    """The names of one stride of such messages alone outnumber what a dictionary holds."""
    messages = []
    for number in range(150):
        records = [b"\x03%c%c%c\x00" % (48 + number % 75, n // 64 + 160, n % 64 + 160) for n in range(4000)]
        body = b"".join(owner + struct.pack("!HHIH", 10, 1, n, 0) for n, owner in enumerate(records))
        messages.append(struct.pack("!6H", number, 0x8180, 0, 4000, 0, 0) + body)
    records = 0
    for batch in dnscap.read(in_stream(messages)).batches():
        table = batch.to_arrow("records", ["name", "ttl", "message"])
        names = table["name"].cast("string").to_pylist()
        assert None not in names
        for name, n, message in zip(
            names[::97], table["ttl"].to_pylist()[::97], table["message"].to_pylist()[::97], strict=True
        ):
            label = b"%c" % (48 + message % 75)
            assert name == f"{_shown(label)}\\{n // 64 + 160}\\{n % 64 + 160}."
        records += len(names)
    assert records == 150 * 4000


def _shown(label: bytes) -> str:
    text = label.decode().lower()
    return "\\" + text if text in '."\\;@()$' else text


def test_a_huge_zone_transfer(tmp_path):
    record = b"\xc0\x0c" + struct.pack("!HHIH", 2, 1, 3600, 2) + b"\xc0\x0c"
    many = (65535 - 12 - 13) // len(record)
    question = b"\x07example\x00" + struct.pack("!HH", 252, 1)
    message = struct.pack("!6H", 7, 0x8480, 1, many, 0, 0) + question + record * many
    path = tmp_path / "transfer.pcap"
    path.write_bytes(in_stream([message] * 300))
    outcome = read_apart(path)
    assert (outcome.messages, outcome.records) == (300, 300 * many)
    assert outcome.megabytes < MOST_MEGABYTES


def test_names_that_swell_in_rdata(tmp_path):
    """A pointer of two octets can stand for a name of 255."""
    longest = (b"\x3f" + b"x" * 63) * 3 + b"\x3d" + b"y" * 61 + b"\x00"
    record = b"\xc0\x0c" + struct.pack("!HHIH", 2, 1, 3600, 2) + b"\xc0\x0c"
    many = (65535 - 12 - len(longest) - 4) // len(record)
    message = (
        struct.pack("!6H", 7, 0x8480, 1, many, 0, 0) + longest + struct.pack("!HH", 2, 1) + record * many
    )
    path = tmp_path / "swell.pcap"
    path.write_bytes(in_stream([message] * 150))
    outcome = read_apart(path)
    assert (outcome.messages, outcome.records) == (150, 150 * many)
    assert outcome.megabytes < 3 * MOST_MEGABYTES


def test_a_chain_of_pointers_costs_little(tmp_path):
    """Thousands of pointers to pointers for each of thousands of records are not followed."""
    chain = bytes(2) + b"".join(struct.pack("!H", 0xC000 | 23 + 2 * n) for n in range(8000))
    # the chain is the RDATA of the first record, so the owners of the others may point into it
    first = b"\x00" + struct.pack("!HHIH", 10, 1, 0, len(chain)) + chain
    rest = struct.pack("!HHIH", 10, 1, 0, 0)
    legal = b"".join(struct.pack("!H", 0xC000 | 23 + 2 * (n % 127)) + rest for n in range(4000))
    steep = b"".join(struct.pack("!H", 0xC000 | 23 + 2 * (8000 - n % 2000)) + rest for n in range(4000))
    head = struct.pack("!6H", 1, 0x8180, 0, 4001, 0, 0)
    path = tmp_path / "chain.pcap"
    path.write_bytes(in_stream([head + first + legal, head + first + steep] * 60))
    outcome = read_apart(path)
    assert (outcome.messages, outcome.records) == (120, 60 * 4001 + 60)
    assert outcome.seconds < 5
