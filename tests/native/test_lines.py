"""Text lines against the csv and json modules, and against the Arrow values themselves."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnscap.native.lines import format_csv, format_jsonl
from tests.sampling import examples

ODD = 'abc,"\\;=+-@ \t\r\n\x00\x1b\x7f\x85\u202e\u2028\ufeff\uff1dé漢😀'
FORMULA = ("=", "+", "-", "@", "\uff0b", "\uff0d", "\uff1d", "\uff20")

texts = st.text(
    st.one_of(
        st.sampled_from('abc,"\\;=+-@ \t\r\n\x00\x1b\x7f\x85\u202e\u2028\ufeff\uff1dé漢😀'),
        st.characters(codec="utf-8"),
    ),
    max_size=40,
)
long_names = st.from_regex(r"\A[a-z0-9_=-]{1,30}(\.[a-z]{1,20}){1,6}\.\Z")
some_texts = st.one_of(texts, long_names, st.sampled_from(["", "www.example.", "192.0.2.1"]))


def integers(bits: int, signed: bool) -> st.SearchStrategy[int]:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return st.one_of(st.integers(low, high), st.sampled_from([low, high, 0, 9, 10, 99, 100]))


KINDS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.bool_(), st.booleans()),
    (pa.int8(), integers(8, True)),
    (pa.int16(), integers(16, True)),
    (pa.int32(), integers(32, True)),
    (pa.int64(), integers(64, True)),
    (pa.uint8(), integers(8, False)),
    (pa.uint16(), integers(16, False)),
    (pa.uint32(), integers(32, False)),
    (pa.uint64(), integers(64, False)),
    (pa.float64(), st.floats()),
    (pa.string(), some_texts),
    (pa.large_string(), some_texts),
    (pa.list_(pa.string()), st.lists(st.one_of(st.none(), some_texts), max_size=4)),
    (pa.large_list(pa.int32()), st.lists(st.one_of(st.none(), integers(32, True)), max_size=4)),
    (pa.list_(pa.uint16()), st.lists(integers(16, False), max_size=4)),
    (pa.list_(pa.dictionary(pa.int8(), pa.string())), st.lists(st.one_of(st.none(), some_texts), max_size=4)),
    (pa.timestamp("ns", "UTC"), integers(64, True)),
    (pa.timestamp("us"), integers(64, True)),
    (pa.timestamp("s", "Europe/Berlin"), integers(64, True)),
    (pa.duration("ns"), integers(64, True)),
    (pa.duration("ms"), integers(40, True)),
    (pa.null(), st.none()),
    *(
        (pa.dictionary(code, pa.string()), some_texts)
        for code in (pa.int8(), pa.uint16(), pa.int32(), pa.int64())
    ),
    (pa.dictionary(pa.uint8(), pa.large_string()), some_texts),
]


@st.composite
def columns(draw: st.DrawFn, rows: int) -> pa.Array:
    kind, values = draw(st.sampled_from(KINDS))
    ahead = draw(st.integers(0, 9))
    behind = draw(st.integers(0, 3))
    given = draw(
        st.lists(st.one_of(st.none(), values), min_size=ahead + rows + behind, max_size=ahead + rows + behind)
    )
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        whole = pa.array(given, pa.int64()).view(kind)
    else:
        whole = pa.array(given, kind)
    return whole.slice(ahead, rows)


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    rows = draw(st.integers(0, 20))
    arrays = draw(st.lists(columns(rows), min_size=1, max_size=6))
    # the C data interface ends names with NUL
    name = texts.filter(lambda text: "\0" not in text)
    names = draw(st.lists(name, min_size=len(arrays), max_size=len(arrays), unique=True))
    batch = pa.RecordBatch.from_arrays(arrays, names)
    start = draw(st.integers(0, rows))
    return batch.slice(start, draw(st.integers(0, rows)))


def instant(value: int, unit: str) -> str:
    """RFC 3339 by way of datetime, which knows microseconds only."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    second, rest = divmod(value, per_second)
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    except OverflowError:
        return "9999-12-31T23:59:59.999999999Z" if value > 0 else "0001-01-01T00:00:00.000000000Z"
    return moment.strftime(f"{moment.year:04d}-%m-%dT%H:%M:%S.") + f"{rest * 10**9 // per_second:09d}Z"


def plain_values(column: pa.Array) -> list[Any]:
    """What a column holds, as JSON has it; durations as exact decimals."""
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        numbers = column.cast(pa.int64()).to_pylist()
        if pa.types.is_timestamp(kind):
            return [None if n is None else instant(n, kind.unit) for n in numbers]
        per_second = {"ms": 10**3, "ns": 10**9}[kind.unit]
        return [None if n is None else Decimal(n) / per_second for n in numbers]
    if pa.types.is_floating(kind):
        return [None if x is None or not math.isfinite(x) else x for x in column.to_pylist()]
    values: list[Any] = column.to_pylist()
    return values


def unescaped(cell: str, text: str) -> bool:
    """Whether a CSV cell says `text`, by the rules that format_csv states."""
    at = 0
    for i, c in enumerate(text):
        octets = c.encode()
        if ord(c) < 0xA0 and not c.isprintable() and c not in "\t\r\n":
            escaped = "".join(f"\\{octet:03d}" for octet in octets)
            if not cell.startswith(escaped, at):
                return False
            at += len(escaped)
            continue
        # right at the beginning, or after a separator and perhaps quotes
        before = text[:i].rstrip('"') if i else ""
        if c in FORMULA and (i == 0 or (before and before[-1] in ";\t\r\n")):
            if not cell.startswith("\\", at):
                return False
            at += 1
        if not cell.startswith(c, at):
            return False
        at += 1
    return at == len(cell)


@given(batches())
@settings(max_examples=examples(100))
def test_json_lines_hold_the_values(batch: pa.RecordBatch) -> None:
    lines = format_jsonl(batch).decode().splitlines()

    rows = [json.loads(line, parse_float=Decimal) for line in lines]
    expected = [plain_values(column) for column in batch.columns]

    assert len(rows) == batch.num_rows
    for i, row in enumerate(rows):
        assert list(row) == batch.schema.names
        for field, column, value in zip(batch.schema, expected, row.values(), strict=True):
            if pa.types.is_floating(field.type) and value is not None:
                value = float(value)
            assert value == column[i]


@given(batches())
@settings(max_examples=examples(100))
def test_csv_holds_the_values(batch: pa.RecordBatch) -> None:
    text = format_csv(batch).decode()

    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    expected = [plain_values(column) for column in batch.columns]

    assert len(rows) == batch.num_rows
    for i, row in enumerate(rows):
        assert len(row) == batch.num_columns
        for field, column, cell in zip(batch.schema, expected, row, strict=True):
            value = column[i]
            if value is None:
                assert cell == "" or math.isinf(float(cell))
            elif isinstance(value, bool):
                assert cell == ("true" if value else "false")
            elif isinstance(value, list):
                joined = " ".join("" if item is None else str(item) for item in value)
                of_numbers = pa.types.is_integer(field.type.value_type)
                assert cell == joined if of_numbers else unescaped(cell, joined)
            elif isinstance(value, float):
                assert float(cell) == value
            elif isinstance(value, Decimal):
                assert Decimal(cell) == value
            elif isinstance(value, str):
                assert unescaped(cell, value)
            else:
                assert cell == str(value)


@given(batches())
def test_json_array_is_the_lines_joined(batch: pa.RecordBatch) -> None:
    inside = format_jsonl(batch, array=True).decode()

    rows = json.loads("[" + inside.removeprefix(",\n") + "]", parse_float=Decimal)

    assert rows == [json.loads(line, parse_float=Decimal) for line in format_jsonl(batch).splitlines()]


@given(st.lists(st.binary(max_size=20), min_size=1))
def test_octets_that_are_no_utf8(values: list[bytes]) -> None:
    column = pa.array(values, pa.binary())
    column = pa.Array.from_buffers(pa.string(), len(values), column.buffers())
    batch = pa.RecordBatch.from_arrays([column], ["x"])

    lines = format_jsonl(batch).decode().splitlines()

    assert [json.loads(line)["x"] for line in lines] == [v.decode(errors="replace") for v in values]
    format_csv(batch).decode()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_floats_read_back_the_same(values: list[float]) -> None:
    cells = format_csv(pa.record_batch({"x": pa.array(values, pa.float64())})).decode().split()

    assert [float(cell) for cell in cells] == values
    assert all(set(cell) & set(".e") for cell in cells)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 2.5, -0.001, 100.0, 1e15, 0.30000000000000004, 1e-7, 1.5e300])
def test_floats_are_short(value: float) -> None:
    cell = format_csv(pa.record_batch({"x": [value]})).decode().strip()

    assert float(cell) == value
    assert len(cell.rstrip("0")) <= len(repr(value).rstrip("0"))


def one(value: Any, kind: pa.DataType) -> tuple[str, str]:
    batch = pa.record_batch({"x": pa.array([value], kind)})
    return format_csv(batch).decode(), format_jsonl(batch).decode()


@pytest.mark.parametrize(
    ("value", "kind", "in_csv", "in_json"),
    [
        (1_700_000_000_000_001_000, pa.timestamp("ns", "UTC"), "2023-11-14T22:13:20.000001000Z", None),
        (-1, pa.timestamp("ns", "UTC"), "1969-12-31T23:59:59.999999999Z", None),
        (951_782_400, pa.timestamp("s"), "2000-02-29T00:00:00.000000000Z", None),
        (1_500_000, pa.duration("ns"), "0.0015", "0.0015"),
        (-1, pa.duration("ns"), "-0.000000001", "-0.000000001"),
        (5_000_000_000, pa.duration("ns"), "5.0", "5.0"),
        (0, pa.duration("ns"), "0.0", "0.0"),
        (-(2**63) + 1, pa.duration("ns"), "-9223372036.854775807", "-9223372036.854775807"),
        (None, pa.uint16(), '""', "null"),
        ("", pa.string(), '""', '""'),
        ([], pa.list_(pa.string()), '""', "[]"),
        ([None], pa.list_(pa.uint8()), '""', "[null]"),
        ([1, 22], pa.list_(pa.uint8()), "1 22", "[1,22]"),
        (["NSID", "COOKIE"], pa.list_(pa.string()), "NSID COOKIE", '["NSID","COOKIE"]'),
        (
            ["15 (Blocked, by law)"],
            pa.list_(pa.string()),
            '"15 (Blocked, by law)"',
            '["15 (Blocked, by law)"]',
        ),
        (float("nan"), pa.float64(), '""', "null"),
        (-5, pa.int8(), "-5", "-5"),
        ("\u202emoc", pa.string(), "\u202emoc", '"\\u202emoc"'),
        ("\x1b[2J", pa.string(), "\\027[2J", '"\\u001b[2J"'),
        ("\x9b2J", pa.string(), "\\194\\1552J", '"\\u009b2J"'),
        (r"a\.b.example.", pa.string(), r"a\.b.example.", r'"a\\.b.example."'),
    ],
)
def test_forms(value: Any, kind: pa.DataType, in_csv: str, in_json: str | None) -> None:
    cell, line = one(value, kind)

    assert cell == in_csv + "\n"
    assert line == '{"x":' + (in_json or f'"{in_csv}"') + "}\n"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("-foo.example.", r"\-foo.example."),
        ("=cmd|'/c calc'!a1.example.", r"\=cmd|'/c calc'!a1.example."),
        ("@.", r"\@."),
        ("_dmarc.example.", "_dmarc.example."),
        ("a-b=c.example.", "a-b=c.example."),
        ('v;=1+1;"@x', '"v;\\=1+1;""\\@x"'),
        ("\t=1", "\t\\=1"),
        ("\uff1d1", "\\\uff1d1"),
        ('"=quoted in zone files"', '"""=quoted in zone files"""'),
        ("=1,2", '"\\=1,2"'),
    ],
)
def test_no_cell_is_a_formula(value: str, cell: str) -> None:
    for kind in (pa.string(), pa.dictionary(pa.int8(), pa.string()), pa.list_(pa.string())):
        given = [value] if pa.types.is_list(kind) else value
        assert one(given, kind)[0] == cell + "\n"


def test_escaped_name_is_the_same_name() -> None:
    dns_name = pytest.importorskip("dns.name")

    cell = one("-foo.example.", pa.string())[0].strip()

    assert dns_name.from_text(cell) == dns_name.from_text("-foo.example.")


def test_names_at_each_side_of_a_block() -> None:
    for odd in ('"', ",", ";", "\\", "\n", "\x7f", "é"):
        for size in range(40):
            for at in range(size):
                text = "a" * at + odd + "b" * (size - at - 1)
                cell, line = one(text, pa.string())
                assert next(csv.reader(io.StringIO(cell, newline="")))[0] == text.replace("\x7f", "\\127")
                assert json.loads(line)["x"] == text


def test_large_values_and_many_rows() -> None:
    size = 1 << 20
    batch = pa.record_batch({"a": ["x" * size, '"' * size, None], "n": pa.array([1, None, 3], pa.uint8())})

    rows = [json.loads(line) for line in format_jsonl(batch).splitlines()]

    assert rows == batch.to_pylist()
    many = pa.record_batch({"n": pa.array(range(100_000), pa.uint32())})
    assert format_csv(many).split() == [b"%d" % n for n in range(100_000)]


def test_column_names_are_escaped() -> None:
    line = format_jsonl(pa.record_batch({'a"b\n': [1]}))

    assert json.loads(line) == {'a"b\n': 1}


def test_nothing_to_write() -> None:
    assert format_csv(pa.record_batch({"x": pa.array([], pa.string())})) == b""
    assert format_jsonl(pa.RecordBatch.from_arrays([], [])) == b""


def test_null_entries_of_a_dictionary() -> None:
    codes = pa.array([0, 1, 0, None], pa.int8())
    batch = pa.record_batch(
        {"x": pa.DictionaryArray.from_arrays(codes, pa.array([None, "a"])), "y": [1, 2, 3, 4]}
    )

    assert format_csv(batch) == b",1\na,2\n,3\n,4\n"
    assert [json.loads(line)["x"] for line in format_jsonl(batch).splitlines()] == [None, "a", None, None]


@pytest.mark.parametrize("code", [2, -1, 100])
def test_codes_outside_the_dictionary_are_refused(code: int) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, code], pa.int8()), ["a", "b"], safe=False)

    with pytest.raises(ValueError, match="do not fit"):
        format_csv(pa.record_batch({"x": column}))


@pytest.mark.parametrize("offsets", [[0, 5, 2, 3], [0, -1, 1, 3], [0, 1, 9, 3]])
def test_offsets_in_disorder_are_refused(offsets: list[int]) -> None:
    buffers = [None, pa.array(offsets, pa.int32()).buffers()[1], pa.py_buffer(b"abc")]
    column = pa.Array.from_buffers(pa.string(), 3, buffers)
    items = pa.Array.from_buffers(
        pa.list_(pa.int8()), 3, buffers[:2], children=[pa.array([1, 2, 3], pa.int8())]
    )

    for wrong in (column, items):
        with pytest.raises(ValueError, match="do not fit"):
            format_jsonl(pa.RecordBatch.from_arrays([wrong], ["x"]))


@pytest.mark.parametrize("kind", [pa.binary(), pa.list_(pa.list_(pa.int8())), pa.struct([("a", pa.int8())])])
def test_types_without_a_text_form(kind: pa.DataType) -> None:
    with pytest.raises(TypeError, match="column 'x'"):
        format_csv(pa.record_batch({"x": pa.array([None], kind)}))


def test_only_batches() -> None:
    with pytest.raises(TypeError, match="record batch"):
        format_csv(pa.array([1]))
    with pytest.raises(AttributeError):
        format_csv([1])  # type: ignore[arg-type]
