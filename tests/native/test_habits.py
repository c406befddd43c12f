"""Counts of clients, servers, made-up names and subnets: bounded under floods, the same however rows are cut."""

from __future__ import annotations

import random
import struct

import dns.edns
import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnscap
from dnscap.findings.habits import Habits
from tests.findings.pairs.habits import asks, carrying, flood, many, subnets
from tests.lookups.test_ways import capture, packet
from tests.resolutions.traffic import CLIENT, MS, OTHER, Traffic


def counted(octets: bytes, *, rows: int = 16_384) -> Habits:
    """What was counted of a capture, cut into batches of so many messages."""
    habits = Habits()
    opened = dnscap.read(octets)
    for messages in opened.batches(rows=rows):
        habits.feed_messages(messages)
    for exchanges in dnscap.read(octets).exchange_batches(rows=rows):
        habits.feed(exchanges.native)
    return habits


@pytest.mark.parametrize(
    "traffic", [flood(fast=True), many(), carrying(data=True), subnets(("9.1.2.3", 32, 24))]
)
def test_batches_may_be_cut_anywhere(traffic: Traffic) -> None:
    whole, cut = counted(traffic.octets()), counted(traffic.octets(), rows=7)
    assert whole.askers == cut.askers
    for kind in ("clients", "absent", "long"):
        assert whole.made_up(kind, 1) == cut.made_up(kind, 1)
    assert [row["queries"] for row in whole.told_subnets] == [row["queries"] for row in cut.told_subnets]


def test_a_flood_of_clients_fills_no_memory() -> None:
    packets = []
    for i in range(12_000):
        packets += [packet(10 * i, i, i, f"n{i % 50}.example", 1, answer) for answer in (False, True)]
    habits = counted(capture(*packets))
    assert len(habits._askers) == 4_096
    assert habits._askers.passed_over == 12_000 - 4_095  # the server has a place of its own


def test_a_flood_of_names_hides_no_tunnel() -> None:
    chance = random.Random(3)
    traffic = carrying(data=True)
    letters = "abcdefghijklmnopqrstuvwxyz"
    for k in range(2_500):
        label = "".join(chance.choice(letters) for _ in range(40))
        suffix = "".join(chance.choice(letters) for _ in range(9))
        name = f"{label}.{suffix}.net."
        asks(traffic, k * MS, name, port=1024 + k, number=k, client=OTHER, rcode=3)
    found = dnscap.read(traffic.octets()).to_arrow("findings").to_pylist()
    assert [row["subject"] for row in found if row["id"] == "tunnel-suspected"] == [CLIENT]


def test_what_is_narrowed_away_is_not_counted() -> None:
    octets = flood(fast=True).octets()
    ids = {True: "amplification", False: None}
    for client, there in ((CLIENT, True), (OTHER, False)):
        found = dnscap.read(octets, client=client).to_arrow("findings").to_pylist()
        assert ("amplification" in {row["id"] for row in found}) == (ids[there] is not None)


@given(st.lists(st.tuples(st.integers(0, 40), st.binary(max_size=24)), max_size=6), st.booleans())
def test_options_of_any_form_are_read_within_their_bounds(
    options: list[tuple[int, bytes]], back: bool
) -> None:
    traffic = Traffic()
    data = [dns.edns.GenericOption(8 if code > 9 else code, octets) for code, octets in options]
    query = dns.message.make_query("www.example.com.", "A", use_edns=0, options=data)
    reply = dns.message.make_response(query)
    reply.use_edns(0, options=data)
    traffic.send(0, CLIENT, 4000, "192.0.2.53", 53, query)
    if back:
        traffic.send(MS, "192.0.2.53", 53, CLIENT, 4000, reply)
    habits = counted(traffic.octets())
    for row in habits.told_subnets:
        assert 0 <= row["close"] <= row["queries"] <= 1 and 0 <= row["longer"] <= row["answers"] <= 1
    assert habits.by_subnet() == []


@given(st.binary(max_size=300))
def test_octets_of_any_form_are_counted_or_passed_over(octets: bytes) -> None:
    frames = []
    for time in range(3):
        udp = struct.pack(">HHHH", 4000, 53, 8 + len(octets), 0) + octets
        header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), time, 0, 64, 17, 0)
        frame = header + bytes([192, 0, 2, 10, 192, 0, 2, 53]) + udp
        frames.append(struct.pack("<IIII", time, 0, len(frame), len(frame)) + frame)
    habits = counted(capture(*frames))
    assert all(row["absent"] <= row["answered"] for row in habits.askers)
