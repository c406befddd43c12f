"""Limits of the native matcher: what is given up is counted, and nothing else changes."""

import struct
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from dnscap.exchanges.arrow import OUTCOMES
from dnscap.exchanges.matching import Matching
from dnscap.native.decoder import Decoder
from dnscap.native.exchanges import Exchanges
from dnscap.reading import Capture
from tests.exchanges.traffic import Traffic, query, record_ends, response


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


@cache
def reversed_answers(count):
    """So many queries of different names within a second, answered in reverse order."""
    traffic = Traffic()
    queries = [query(f"n{k}.example", id=k, use_edns=None) for k in range(count)]
    for k, q in enumerate(queries):
        traffic.send(1 + k / 1000, q, client=f"10.0.{k // 250}.{k % 250}")
    for k, q in reversed(list(enumerate(queries))):
        traffic.send(3 - k / 1000, response(q, answer=None), client=f"10.0.{k // 250}.{k % 250}")
    return traffic


@pytest.fixture(scope="module")
def many():
    """A thousand queries and their answers."""
    return reversed_answers(1000)


def test_beyond_the_limit_the_oldest_is_given_up(many):
    rows, most, counts = exchanges(many, most_rows=100)
    assert most <= 100
    assert counts["exchanges_evicted"] == 900
    outcomes = [row["outcome"] for row in rows]
    assert outcomes[:900] == ["unanswered"] * 900
    assert outcomes[900:1000] == ["nodata"] * 100
    assert outcomes[1000:] == ["unsolicited"] * 900
    assert [row["exchange"] for row in rows] == list(range(len(rows)))


def cut_up(octets, frames, **limits):
    """Rows of all batches, each of which a decoder with a dictionary of its own made of so many frames; the counts."""
    matching = Matching()
    matching.native = Exchanges(**limits)
    rows = []
    ends = record_ends(octets)
    at = 24
    for end in [*ends[frames - 1 :: frames], len(octets)]:
        decoder = Decoder()
        decoder.begin_file()
        decoder.feed(octets[:24] + octets[at:end], True)
        decoder.finish()
        at = end
        for native in decoder.take():
            matching.native.feed(native)
            rows += [row for part in matching.taken() for row in part.to_arrow().to_pylist()]
    rows += [row for part in matching.finish() for row in part.to_arrow().to_pylist()]
    return rows, matching.counts


def without_numbers(rows):
    numbers = ("query", "response", "query_frame", "response_frame")
    return [{name: value for name, value in row.items() if name not in numbers} for row in rows]


@pytest.mark.parametrize(("count", "frames"), [(30, 1), (100, 7), (1000, 600)])
def test_a_new_dictionary_changes_nothing(count, frames):
    """Dictionaries are few: each one in use touches pages all over its tables, which take the time."""
    traffic = reversed_answers(count)
    whole, _, _ = exchanges(traffic)
    rows, counts = cut_up(traffic.octets(), frames)
    assert without_numbers(rows) == without_numbers(whole)
    assert counts["dictionaries"] == -(-2 * count // frames)
    assert counts["exchanges_evicted"] == 0


def test_dictionaries_no_longer_in_use_are_bounded(many):
    rows, counts = cut_up(many.octets(), 50, most_octets=20_000)
    assert counts["exchanges_evicted"] > 500
    answered = [row for row in rows if row["outcome"] == "nodata"]
    assert len(answered) == 1000 - counts["exchanges_evicted"] > 50
    for row in rows:
        assert row["qname"] == f"n{row['id']}.example."
        assert row["client"] == f"10.0.{row['id'] // 250}.{row['id'] % 250}"


def test_limits_do_not_depend_on_batches(many):
    octets = many.octets()
    whole, _, _ = exchanges(many, most_rows=100)
    rows, counts = cut_up(octets, 90, most_rows=100)
    assert counts["exchanges_evicted"] == 900
    assert without_numbers(rows) == without_numbers(whole)


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
    for most in (0, 1 << 40):
        with pytest.raises(ValueError, match="most_rows"):
            Exchanges(most_rows=most)


def datagrams(count, *, every=1, answered=lambda k: True):
    """A capture of so many queries of the same kind from ports that differ, and what answers them."""
    parts = [struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101)]
    question = b"\x03www\x07example\x00" + struct.pack(">HH", 1, 1)
    for k in range(count):
        client, server, port = (
            struct.pack(">I", 0x0A000000 + k // 60000),
            b"\xc0\x00\x02\x35",
            1024 + k % 60000,
        )
        for back in (False, True)[: 2 if answered(k) else 1]:
            dns = struct.pack(">HHHHHH", k & 0xFFFF, 0x8180 if back else 0x0100, 1, 0, 0, 0) + question
            src, dst, ports = (server, client, (53, port)) if back else (client, server, (port, 53))
            udp = struct.pack(">HHHH", *ports, 8 + len(dns), 0) + dns
            ip = (
                struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), k * 2 + back & 0xFFFF, 0, 64, 17, 0)
                + src
                + dst
            )
            parts.append(
                struct.pack("<IIII", 1 + k * every // 10**9, k * every % 10**9, len(ip + udp), len(ip + udp))
            )
            parts.append(ip + udp)
    return b"".join(parts)


def test_rows_of_many_pages_keep_their_order():
    # The first query waits while 70,000 after it are over: none may leave before it.
    octets = datagrams(70_000, every=1000, answered=lambda k: k != 0)
    matching = Matching()
    parts = [part for batch in Capture(octets).batches(rows=5000) for part in matching.feed(batch)]
    assert parts == []
    parts += matching.finish()
    assert len(parts) > 2
    assert [part.first_exchange for part in parts] == list(
        np.cumsum([0] + [part.exchanges for part in parts])[:-1]
    )
    rows = pa.Table.from_batches([part.to_arrow() for part in parts]).to_pandas()
    assert len(rows) == 70_000
    assert rows["exchange"].is_monotonic_increasing
    assert rows["outcome"].iloc[0] == "unfinished"
    assert (rows["outcome"].iloc[1:] == "nodata").all()
    assert (rows["client_port"] == 1024 + np.arange(70_000) % 60000).all()
    assert rows["latency_min"].isna().all() and rows["tcp_rtt"].isna().all()


def test_rows_leave_as_soon_as_they_can():
    # An answered query leaves 6 s after its answer: at 1,000 a second, 6,000 wait, and those of the batch at hand.
    octets = datagrams(40_000, every=1_000_000)
    matching = Matching()
    most = 0
    decoder = Decoder()
    decoder.begin_file()
    at = 0
    while at < len(octets):
        at += decoder.feed(memoryview(octets)[at : at + 100_000], at + 100_000 >= len(octets))
        for native in decoder.take():
            matching.native.feed(native)
            assert all(part.exchanges for part in matching.taken())
            most = max(most, matching.native.live)
    assert 6000 <= most <= 7000
