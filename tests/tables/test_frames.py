"""Frames of pandas: promised dtypes, missing values, several batches, and that they may be changed."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import dns.message
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dnscap
from dnscap.messages.decoding import empty_table
from dnscap.schema import TABLES
from dnscap.tables.frames import to_pandas

INTEGERS = {"u8": "UInt8", "u16": "UInt16", "u32": "UInt32", "u64": "UInt64", "i64": "Int64"}


def frame(payload: bytes, host: int) -> bytes:
    udp = struct.pack("!HHHH", 4000 + host, 53, 8 + len(payload), 0) + payload
    addresses = bytes([10, 0, 0, host]) + b"\x0a\0\1\1"
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + addresses + udp
    return bytes(12) + b"\x08\0" + ip


def octets(payloads: Sequence[bytes]) -> bytes:
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for number, payload in enumerate(payloads):
        packet = frame(payload, number % 5)
        out.append(struct.pack("<IIII", 1_700_000_000 + number, 123456, len(packet), len(packet)) + packet)
    return b"".join(out)


def payloads(count: int = 12) -> list[bytes]:
    """Queries and answers, with EDNS and without, and one that is no message."""
    made: list[bytes] = [b"\x12\x34\x01"]
    for number in range(count):
        query = dns.message.make_query(f"name{number}.example", "AAAA" if number % 2 else "A")
        if number % 3 == 0:
            query.use_edns(0, payload=1232)
        message: dns.message.Message = query
        if number % 4 == 1:
            message = dns.message.make_response(query)
            message.set_rcode(3)
        made.append(message.to_wire())
    return made


def capture(count: int = 12) -> dnscap.Capture:
    return dnscap.read(octets(payloads(count)))


def promised(kind: str, nullable: bool) -> str:
    if nullable and kind in INTEGERS:
        return INTEGERS[kind]
    plain = {"bool": "boolean" if nullable else "bool", "category": "category", "string": "str"}
    plain |= {"time": "datetime64[ns, UTC]", "duration": "timedelta64[ns]", "float": "float64"}
    plain |= {"texts": "list<item: string>[pyarrow]", "numbers": "list<item: uint32>[pyarrow]"}
    plain |= {short: name.lower() for short, name in INTEGERS.items()}
    return plain[kind]


@pytest.mark.parametrize("name", ["messages", "records", "exchanges", "lookups"])
def test_dtypes_of_empty_tables(name: str) -> None:
    made = to_pandas(empty_table(name), name)
    assert len(made) == 0
    assert {c: str(t) for c, t in made.dtypes.items()} == {
        c.name: promised(c.kind, c.nullable) for c in TABLES[name]
    }


@pytest.mark.parametrize("name", ["messages", "records", "connections", "events"])
@pytest.mark.parametrize("count", [0, 12])
def test_dtypes_of_captures(name: str, count: int) -> None:
    made = getattr(capture(count), name)
    assert {c: str(t) for c, t in made.dtypes.items()} == {
        c.name: promised(c.kind, c.nullable) for c in TABLES[name]
    }


def plainly(value: object) -> object:
    if isinstance(value, pd.Timestamp):
        return value.value
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, str)):
        return value
    return None if pd.isna(value) else value


def same(frame: pd.DataFrame, table: pa.Table) -> None:
    for column in table.column_names:
        expected = table[column]
        if pa.types.is_timestamp(expected.type):
            expected = expected.cast(pa.int64())
        assert [plainly(v) for v in frame[column].astype(object)] == expected.to_pylist(), column


@pytest.mark.parametrize("name", ["messages", "records"])
def test_frames_hold_what_arrow_holds(name: str) -> None:
    cap = capture()
    table = cap.to_arrow(name)
    same(getattr(cap, name), table)
    same(to_pandas(table, name), table)
    same(to_pandas(table.slice(3), name), table.slice(3))
    assert cap.table(name, columns=["message"]).columns.tolist() == ["message"]


def test_nulls() -> None:
    messages = capture().messages
    first = messages.iloc[0]
    for column in ("qr", "rd", "rcode", "opcode", "qname", "qtype", "edns_version", "do", "edns_options"):
        assert pd.isna(first[column]), column
    assert messages["edns_udp_size"].notna().sum() >= 4
    assert messages["qname"].tolist()[1:] == [f"name{n}.example." for n in range(12)]
    assert messages["rcode"].tolist()[2] == "NXDOMAIN"
    assert messages["stream"].isna().all()
    assert messages["interface"].isna().all()


def test_batches_with_dictionaries_of_their_own() -> None:
    parts = [dnscap.read(octets(payloads(n))).to_arrow("messages") for n in (3, 12, 7)]
    table = pa.concat_tables(parts)
    made = to_pandas(table, "messages")
    same(made, table)
    assert made["src"].cat.categories.is_unique
    assert set(made["qtype"].cat.categories) >= {"A", "AAAA"}


def test_columns_change_alone() -> None:
    cap = capture()
    messages, arrow = cap.messages, cap.to_arrow("messages")
    before = arrow.to_pydict()
    untouched = messages.copy(deep=True)
    messages.loc[3, "aa"] = pd.NA
    messages.loc[3, "size"] = 7
    messages.loc[3, "ancount"] = 9
    messages.loc[3, "src"] = messages.loc[2, "src"]
    assert messages.loc[3, "aa"] is pd.NA
    assert messages.loc[3, "size"] == 7
    rest = [c for c in messages.columns if c not in ("aa", "size", "ancount", "src")]
    pd.testing.assert_frame_equal(messages[rest], untouched[rest])
    assert cap.to_arrow("messages").to_pydict() == before


def test_frames_sort_group_and_join() -> None:
    messages = capture().messages
    counted = messages.groupby("qtype", observed=True).size()
    assert counted.sum() == 12
    assert messages.sort_values("time", ascending=False)["message"].tolist() == list(range(12, -1, -1))
    exploded = messages.explode("edns_options")
    assert len(exploded) == len(messages)
    assert messages[messages["rd"].fillna(False)]["id"].notna().all()
    assert np.array_equal(messages["frame"].to_numpy(), np.arange(1, 14))
    assert pd.concat([messages, messages]).duplicated(subset=["message"]).sum() == 13
