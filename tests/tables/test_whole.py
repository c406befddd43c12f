"""Frames gathered batch by batch are those made of batches that are kept, in value, dtype, category and order."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import dns.edns
import dns.message
import numpy as np
import pandas as pd
import pytest

import dnscap
from dnscap.capture import expand_inputs
from dnscap.messages.decoding import Decoding
from dnscap.native.growing import Lists, Texts
from dnscap.reading.gathering import Gathers
from dnscap.tables.whole import WholeMessages, WholeRecords

EXAMPLES = Path(__file__).parents[2] / "examples"
TABLES = ("messages", "records", "connections", "events")
ORDERS = (TABLES, ("records", "events", "connections", "messages"), ("events", "messages", "records"))


def kept(source: object, monkeypatch: pytest.MonkeyPatch) -> dict[str, pd.DataFrame]:
    """The frames that are made of kept batches."""
    with monkeypatch.context() as patched:
        patched.setattr(Gathers, "_keeping", True)
        cap = dnscap.read(source)
        return {name: getattr(cap, name) for name in TABLES}


def equal(made: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(made, expected, check_exact=True, check_categorical=True)
    for column in expected.columns:
        if isinstance(expected[column].dtype, pd.CategoricalDtype):
            assert made[column].array.codes.dtype == expected[column].array.codes.dtype, column


def packet(payload: bytes, host: int, port: int) -> bytes:
    udp = struct.pack("!HHHH", port, 53, 8 + len(payload), 0) + payload
    addresses = struct.pack("!II", 0x0A000000 + host, 0x0A0B0C0D)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + addresses + udp
    return bytes(12) + b"\x08\0" + ip


def octets(packets: list[bytes], start: int = 1_700_000_000) -> bytes:
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for number, data in enumerate(packets):
        out.append(struct.pack("<IIII", start + number // 1000, number % 1000, len(data), len(data)) + data)
    return b"".join(out)


def options(number: int) -> list[dns.edns.Option]:
    chosen: list[dns.edns.Option] = []
    if number % 2:
        chosen.append(dns.edns.GenericOption(10, bytes([number % 256]) * 8))
    if number % 3 == 0:
        chosen.append(dns.edns.ECSOption(f"192.0.{number % 256}.0", 24))
    if number % 5 == 0:
        chosen.append(dns.edns.EDEOption(number % 25, "because"))
    if number % 7 == 0:
        chosen.append(dns.edns.GenericOption(12, bytes(number % 40)))
    if number % 11 == 0:
        chosen.append(dns.edns.GenericOption(3, f"server {number}".encode()))
    return chosen


def payloads() -> list[bytes]:
    """Messages of all sorts: many types and classes, EDNS with all options, answers, and what is no message."""
    made = [b"\x12\x34\x01", b"\x12"]
    for number in range(200):
        query = dns.message.make_query(f"Host{number}.example", number + 1, number % 3 + 1)
        if number % 2:
            query.use_edns(0, payload=1232, options=options(number))
            query.want_dnssec(number % 4 == 1)
        if number % 3:
            message: dns.message.Message = query
        else:
            message = dns.message.make_response(query)
            message.set_rcode(number % 7)
            if number % 2 == 0:
                name = f"host{number}.example. 300 IN "
                message.answer = [dns.rrset.from_text(f"host{number}.example.", 300, "IN", "A", "192.0.2.1")]
                message.authority = [dns.rrset.from_text("example.", number, "CH", "TXT", f'"{name}"')]
        made.append(message.to_wire()[: 40 if number % 50 == 49 else None])
    return made


def large() -> bytes:
    """Several windows of messages: rare ones come in late batches only, so that columns begin with none of them."""
    dice = random.Random(20)
    plain = dns.message.make_query("plain.example", "A", id=7).to_wire()
    rare = payloads()
    packets = [packet(plain, 1, 5000)] * 17_000
    for number in range(24_000):
        payload = dice.choice(rare) if number % 3 == 0 else plain
        packets.append(packet(payload, dice.randrange(300 if number < 15_000 else 34_000), number % 60_000))
    return octets(packets)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("count", [0, 2, 202])
def test_small_captures(count: int, order: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    capture = octets([packet(payload, n % 9, n) for n, payload in enumerate(payloads()[:count])])
    expected = kept(capture, monkeypatch)
    cap = dnscap.read(capture)
    for name in order:
        equal(getattr(cap, name), expected[name])


def test_many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = large()
    expected = kept(capture, monkeypatch)
    cap = dnscap.read(capture)
    equal(cap.records, expected["records"])
    messages = cap.messages
    equal(messages, expected["messages"])
    assert messages["src"].array.codes.dtype == np.int16
    assert messages["qtype"].array.codes.dtype == np.int16
    assert messages["edns_options"].array._pa_array.num_chunks == 1
    assert cap.quality.counts == dnscap.read(capture).quality.counts


@pytest.mark.requires("source")
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.pcap*")), ids=lambda path: path.name)
def test_examples(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = kept(str(path), monkeypatch)
    for order in ORDERS:
        cap = dnscap.read(str(path))
        for name in order:
            equal(getattr(cap, name), expected[name])


def test_some_columns_of_records(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = octets([packet(payload, 1, 1) for payload in payloads()])
    expected = kept(capture, monkeypatch)["records"]
    for columns in (["message"], ["rdata", "ttl"], ["name", "type"]):
        equal(dnscap.read(capture).table("records", columns=columns), expected[columns])


def test_generations_of_the_dictionary() -> None:
    """A batch with a dictionary of its own is taken over like one that shares that of the last."""
    rare = payloads()
    parts = [
        octets([packet(rare[k], host(k), k) for k in range(2, 150)])
        for host in (lambda k: k % 90, lambda k: 80 + k % 100, lambda k: k)
    ]
    whole, records = WholeMessages(), WholeRecords()
    for part in parts:
        for batch in Decoding(expand_inputs(part)):
            whole.add(batch, 0.5)
            records.add(batch, 0.5)
    made = whole.frame()
    single = [dnscap.read(part) for part in parts]
    expected = pd.concat([cap.messages for cap in single], ignore_index=True)
    for column in expected.columns.drop(["message", "sighting_of"]):
        ours, theirs = made[column].astype(object), expected[column].astype(object)
        assert [str(v) for v in ours] == [str(v) for v in theirs], column
    assert made["src"].cat.categories.is_unique
    assert made["src"].array.codes.dtype == np.int16
    names = [name for cap in single for name in cap.records["name"]]
    assert records.frame()["name"].tolist() == names


def test_a_frame_may_be_changed() -> None:
    capture = octets([packet(payload, 1, 1) for payload in payloads()])
    cap = dnscap.read(capture)
    messages = cap.messages
    untouched = messages.copy(deep=True)
    messages.loc[3, "stream"] = 7
    messages.loc[3, "source"] = 7
    assert messages["stream"].notna().sum() == 1
    assert messages["source"].tolist().count(7) == 1
    pd.testing.assert_frame_equal(
        messages.drop(columns=["stream", "source"]), untouched.drop(columns=["stream", "source"])
    )


@pytest.mark.parametrize("seed", range(20))
def test_texts_and_lists_hold_what_was_appended(seed: int) -> None:
    import pyarrow as pa

    dice = random.Random(seed)
    texts, lists = Texts(), Lists()
    all_texts: list[str | None] = []
    all_lists: list[list[str] | None] = []
    full = dice.random() < 0.3  # no nulls at all
    for _ in range(dice.randrange(1, 6)):
        rows = dice.randrange(1, 40)
        words = ["x" * dice.randrange(0, 50) for _ in range(rows)]
        some_texts = [w if full or dice.random() < 0.7 else None for w in words]
        some_lists = [[w] * dice.randrange(3) if full or dice.random() < 0.7 else None for w in words]
        text_part, list_part = (
            pa.array(some_texts, pa.large_string()),
            pa.array(some_lists, pa.list_(pa.string())),
        )
        if text_part.null_count == rows or (dice.random() < 0.1 and not full):
            texts.append_none(rows)
            some_texts = [None] * rows
        else:
            v, e, t = text_part.buffers()
            texts.append(rows, _bytes(v), _bytes(e), _bytes(t, b""), text_part.null_count)
        if list_part.null_count == rows or (dice.random() < 0.1 and not full):
            lists.append_none(rows)
            some_lists = [None] * rows
        else:
            v, s, _, e, t = list_part.buffers()
            lists.append(
                rows, _bytes(v), _bytes(s), _bytes(e, bytes(4)), _bytes(t, b""), list_part.null_count
            )
        all_texts += some_texts
        all_lists += some_lists
    rows, lacking, count = lists.rows, lists.lacking, lists.count
    v, e, t = (None if b is None else pa.py_buffer(b) for b in texts.finish())
    made = pa.Array.from_buffers(pa.large_string(), rows, [v, e, t], -1)
    made.validate(full=True)
    assert made.to_pylist() == all_texts
    v, s, e, t = (None if b is None else pa.py_buffer(b) for b in lists.finish())
    values = pa.Array.from_buffers(pa.string(), count, [None, e, t], 0)
    made = pa.Array.from_buffers(pa.list_(pa.string()), rows, [v, s], -1, 0, [values])
    made.validate(full=True)
    assert made.to_pylist() == all_lists
    assert lacking == sum(one is None for one in all_lists)


def _bytes(buffer: object, empty: bytes | None = None) -> np.ndarray | None:
    if buffer is None:
        return None if empty is None else np.frombuffer(empty, np.uint8)
    return np.frombuffer(buffer, np.uint8)


def test_columns_that_do_not_fit_are_refused() -> None:
    ends = np.array([0, 5, 3], np.int64).view(np.uint8)
    text = np.zeros(8, np.uint8)
    with pytest.raises(ValueError, match="do not fit"):
        Texts().append(2, None, ends, text, 0)
    with pytest.raises(ValueError, match="not so many rows"):
        Texts().append(3, None, ends, text, 0)
    with pytest.raises(ValueError, match="do not fit"):
        Texts().append(1, None, np.array([0, 9], np.int64).view(np.uint8), text, 0)
    starts = np.array([0, 9], np.int32).view(np.uint8)
    with pytest.raises(ValueError, match="do not fit"):
        Lists().append(1, None, starts, np.array([0, 1], np.int32).view(np.uint8), text, 0)
