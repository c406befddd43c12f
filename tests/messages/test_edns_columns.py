"""EDNS option columns: against dnspython, and on octets that no honest sender makes."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import dns.edns
import dns.flags
import dns.message
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnscap
from dnscap import registry
from dnscap.messages import edns_text
from dnscap.messages.arrow import except_where, plain
from dnscap.native.edns import Options

Option = tuple[int, bytes]


def wire(options: Sequence[Option]) -> bytes:
    return b"".join(struct.pack("!HH", code, len(data)) + data for code, data in options)


def made(rows: Sequence[Sequence[Option]]) -> Options:
    octets = [wire(options) for options in rows]
    starts = np.cumsum([0, *(len(o) for o in octets)]).astype(np.uint32)
    return Options(starts, np.frombuffer(b"".join(octets), np.uint8))


def frame(payload: bytes, port: int = 4000) -> bytes:
    udp = struct.pack("!HHHH", port, 53, 8 + len(payload), 0) + payload
    ip = (
        struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
        + udp
    )
    return bytes(12) + b"\x08\0" + ip


def capture(payloads: Sequence[bytes]) -> dnscap.Capture:
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for number, payload in enumerate(payloads):
        octets = frame(payload)
        out.append(struct.pack("<IIII", 1_700_000_000 + number, 0, len(octets), len(octets)) + octets)
    return dnscap.read(b"".join(out))


def query(options: Sequence[dns.edns.Option] | None = None, **more: int) -> bytes:
    message = dns.message.make_query("example.com", "A")
    if options is not None:
        message.use_edns(0, options=list(options), **more)
    return bytes(message.to_wire())


def test_columns_agree_with_dnspython() -> None:
    subnet = dns.edns.ECSOption("192.0.2.0", 24, 0)
    wide = dns.edns.ECSOption("2001:db8::", 56, 0)
    error = dns.edns.EDEOption(15, "by policy")
    options = [
        [],
        [subnet],
        [wide, dns.edns.GenericOption(10, bytes(range(24)))],
        [error, dns.edns.EDEOption(22), dns.edns.GenericOption(3, b"ns1.example")],
        [dns.edns.GenericOption(12, bytes(100)), dns.edns.GenericOption(65001, b"")],
    ]
    cap = capture([query(), *(query(o) for o in options)])
    table = cap.to_arrow("messages")
    assert table["ecs"].to_pylist() == [
        None,
        None,
        *(f"{e.address}/{e.srclen}/{e.scopelen}" for e in (subnet, wide)),
        None,
        None,
    ]
    assert table["cookie"].to_pylist() == [None] * 3 + [bytes(range(24)).hex()] + [None] * 2
    assert table["nsid"].to_pylist() == [None] * 4 + ["ns1.example", None]
    assert table["padding"].to_pylist() == [None] * 5 + [100]
    words = [f"{e.code.value} {registry.extended_error(e.code)}" for e in options[3][:2]]
    assert table["ede"].to_pylist() == [None] * 4 + [[words[0] + ": by policy", words[1]], None]
    assert table["edns_options"].to_pylist() == [
        None,
        [],
        ["ECS"],
        ["ECS", "COOKIE"],
        ["EDE", "EDE", "NSID"],
        ["PADDING", "OPT65001"],
    ]


def test_no_options_at_all() -> None:
    table = capture([query(), query()]).to_arrow("messages")
    for name in ("ecs", "nsid", "cookie", "padding", "ede", "edns_options"):
        table[name].validate(full=True)
        assert table[name].to_pylist() == [None, None]


def test_first_option_of_a_kind_counts_and_every_error() -> None:
    options = made(
        [[(3, b"one"), (3, b"two"), (12, b"x"), (12, b"yy")], [], [(15, b"\0\x01"), (15, b"\xff\xff!")]]
    )
    assert edns_text.texts(options, edns_text.NSID).to_pylist() == ["one", None, None]
    assert edns_text.padding(options).to_pylist() == [1, None, None]
    known = registry.EXTENDED_ERRORS[1]
    assert edns_text.extended_errors(options).to_pylist() == [None, None, [f"1 {known}", "65535: !"]]


@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 0xFFFF) | st.sampled_from([3, 8, 10, 12, 15]), st.binary(max_size=40))
        )
    )
)
def test_any_options_make_valid_columns(rows: list[list[Option]]) -> None:
    options = made(rows)
    assert options.rows == len(rows)
    assert options.count == sum(len(r) for r in rows)
    names = edns_text.names(options, None, 0)
    assert names.to_pylist() == [[registry.edns_option_name(code) for code, _ in row] for row in rows]
    for kind, column in (
        (3, edns_text.texts(options, 3)),
        (8, edns_text.texts(options, 8)),
        (10, edns_text.texts(options, 10)),
        (12, edns_text.padding(options)),
        (15, edns_text.extended_errors(options)),
    ):
        column.validate(full=True)
        having = [any(code == kind for code, _ in row) for row in rows]
        assert column.is_valid().to_pylist() == having
        assert column.null_count == having.count(False)
    cookies = [next((data.hex() for code, data in row if code == 10), None) for row in rows]
    assert edns_text.texts(options, 10).to_pylist() == cookies


@given(st.binary(max_size=60), st.lists(st.integers(0, 80), max_size=6))
def test_options_stay_inside_their_octets(octets: bytes, starts: list[int]) -> None:
    options = Options(np.array(sorted([0, *starts]), np.uint32), np.frombuffer(octets, np.uint8))
    names = edns_text.names(options, None, 0)
    names.validate(full=True)
    assert len(names.values) == options.count
    for kind in range(16):
        edns_text.texts(options, kind).validate(full=True)
    edns_text.extended_errors(options).validate(full=True)


@pytest.mark.parametrize(
    "type_", [pa.large_string(), pa.list_(pa.string()), pa.uint16(), pa.int32()], ids=str
)
@pytest.mark.parametrize("rows", [0, 1, 9])
def test_absent_columns_are_valid(type_: pa.DataType, rows: int) -> None:
    column = edns_text.absent(rows, type_)
    column.validate(full=True)
    assert column.to_pylist() == [None] * rows


@given(st.lists(st.booleans(), max_size=40))
def test_validity_of_a_mask(lacking: list[bool]) -> None:
    column = plain(np.arange(len(lacking)), pa.int64(), except_where(np.array(lacking, bool)))
    column.validate(full=True)
    assert column.is_null().to_pylist() == lacking
    assert column.null_count == sum(lacking)
