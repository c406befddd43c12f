"""Every format read back by someone else's reader."""

from __future__ import annotations

import csv
import gc
import io
import json
import os
import subprocess
import sys
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnscap.errors import UsageError
from dnscap.output import FORMATS, open_writer

SCHEMA = pa.schema(
    [
        ("message", pa.uint32()),
        ("time", pa.timestamp("ns", "UTC")),
        ("src", pa.dictionary(pa.int32(), pa.string())),
        ("qname", pa.string()),
        ("qr", pa.bool_()),
        ("latency", pa.duration("ns")),
        ("ede", pa.list_(pa.string())),
        ("share", pa.float64()),
    ]
)


def rows(numbers: range, *, words: list[str] | None = None) -> pa.RecordBatch:
    """Rows whose address dictionary holds just `words`, in codes of eight bits."""
    words = words or ["192.0.2.1", "2001:db8::1"]
    n = list(numbers)
    codes = pa.array([None if i % 5 == 4 else i % len(words) for i in n], pa.int8())
    columns = [
        pa.array(n, pa.uint32()),
        pa.array([1_700_000_000_000_000_000 + i * 1001 for i in n], pa.timestamp("ns", "UTC")),
        pa.DictionaryArray.from_arrays(codes, words),
        pa.array([None if i % 7 == 3 else f"host-{i}.example." for i in n]),
        pa.array([None if i % 3 == 2 else i % 2 == 0 for i in n], pa.bool_()),
        pa.array([None if i % 2 else i * 1_234_567 for i in n], pa.duration("ns")),
        pa.array([None if i % 4 else ["NSID"] * (i % 3) for i in n], pa.list_(pa.string())),
        pa.array([i / 3 for i in n], pa.float64()),
    ]
    return pa.RecordBatch.from_arrays(columns, SCHEMA.names)


BATCHES = [
    rows(range(3)),
    rows(range(3, 20_003), words=["2001:db8::1", "10.0.0.1", "192.0.2.1"]),
    rows(range(0)),
]


def values(batches: list[pa.RecordBatch]) -> list[dict[str, Any]]:
    """Values as plain Python, times and durations as nanoseconds."""
    found = []
    for batch in batches:
        columns = []
        for column in batch.columns:
            if pa.types.is_timestamp(column.type) or pa.types.is_duration(column.type):
                column = column.cast(pa.int64())
            columns.append(column.to_pylist())
        found += [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]
    return found


def written(format: str, batches: list[pa.RecordBatch], limit: int | None = None) -> bytes:
    stream = io.BytesIO()
    with open_writer(format, stream, SCHEMA, limit=limit) as writer:
        for batch in batches:
            writer.write(batch)
    assert not stream.closed
    return stream.getvalue()


def read_json(octets: bytes) -> list[dict[str, Any]]:
    found = json.loads(octets)
    for row in found:
        row["time"] = pd.Timestamp(row["time"]).value
        row["latency"] = None if row["latency"] is None else round(row["latency"] * 10**9)
    return found  # type: ignore[no-any-return]


def test_json() -> None:
    assert read_json(written("json", BATCHES)) == values(BATCHES)


def test_json_without_rows() -> None:
    assert json.loads(written("json", [])) == []


def test_json_lines() -> None:
    lines = written("jsonl", BATCHES).splitlines()

    assert read_json(b"[" + b",".join(lines) + b"]") == values(BATCHES)


def test_json_lines_by_pyarrow() -> None:
    table = pyarrow.json.read_json(io.BytesIO(written("jsonl", BATCHES)))

    assert table.num_rows == 20_003
    assert table["latency"].type == pa.float64()
    assert table["qname"].to_pylist() == [row["qname"] for row in values(BATCHES)]


def test_csv_by_the_csv_module() -> None:
    found = list(csv.DictReader(io.StringIO(written("csv", BATCHES).decode(), newline=""), strict=True))

    assert list(found[0]) == SCHEMA.names
    assert [row["qname"] for row in found] == [row["qname"] or "" for row in values(BATCHES)]
    assert [row["ede"] for row in found] == [" ".join(row["ede"] or []) for row in values(BATCHES)]


def test_csv_by_pandas() -> None:
    frame = pd.read_csv(io.BytesIO(written("csv", BATCHES)), parse_dates=["time"])
    expected = values(BATCHES)

    assert frame["time"].astype("datetime64[ns, UTC]").astype("int64").tolist() == [
        r["time"] for r in expected
    ]
    assert frame["share"].tolist() == pytest.approx([r["share"] for r in expected], rel=1e-15)
    latency = (frame["latency"].dropna() * 1e9).round().astype("int64")
    assert latency.tolist() == [r["latency"] for r in expected if r["latency"] is not None]
    assert frame["qname"].isna().tolist() == [r["qname"] is None for r in expected]


def test_csv_by_pyarrow() -> None:
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    table = pyarrow.csv.read_csv(io.BytesIO(written("csv", BATCHES)), convert_options=options)
    expected = values(BATCHES)

    assert table["time"].cast(pa.int64()).to_pylist() == [row["time"] for row in expected]
    for name in ("message", "qname", "qr", "share", "src"):
        assert table[name].to_pylist() == [row[name] for row in expected]
    # unknown and empty are told apart
    assert table["ede"].to_pylist() == [None if r["ede"] is None else " ".join(r["ede"]) for r in expected]


def test_csv_without_rows_has_a_header() -> None:
    assert written("csv", []).decode() == ",".join(SCHEMA.names) + "\n"


@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_binary_formats_keep_types_and_values(format: str) -> None:
    octets = written(format, BATCHES)

    if format == "parquet":
        table = pq.read_table(io.BytesIO(octets))
    else:
        table = pa.ipc.open_file(octets).read_all()

    assert table.schema.equals(SCHEMA)
    assert values(table.to_batches()) == values(BATCHES)


def test_parquet_is_compressed_and_has_large_row_groups() -> None:
    metadata = pq.ParquetFile(io.BytesIO(written("parquet", BATCHES * 3))).metadata

    assert metadata.num_row_groups == 1
    assert metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_binary_formats_without_rows(format: str) -> None:
    octets = written(format, [])

    read = pq.read_table(io.BytesIO(octets)) if format == "parquet" else pa.ipc.open_file(octets).read_all()

    assert read.schema.equals(SCHEMA)
    assert read.num_rows == 0


vocabularies = st.lists(st.text("abc", max_size=2), min_size=1, max_size=6, unique=True)


@given(st.lists(st.tuples(vocabularies, st.lists(st.one_of(st.none(), st.integers(0, 99)))), max_size=6))
def test_dictionaries_that_change(parts: list[tuple[list[str], list[int | None]]]) -> None:
    schema = pa.schema(
        [("x", pa.dictionary(pa.int8(), pa.string())), ("l", pa.list_(pa.dictionary(pa.int8(), pa.string())))]
    )
    batches = []
    for words, numbers in parts:
        codes = pa.array([None if n is None else n % len(words) for n in numbers], pa.int8())
        column = pa.DictionaryArray.from_arrays(codes, words)
        lists = pa.ListArray.from_arrays(pa.array(range(len(numbers) + 1), pa.int32()), column)
        batches.append(pa.RecordBatch.from_arrays([column, lists], schema=schema))
    expected = [row for batch in batches for row in batch.to_pylist()]

    stream = io.BytesIO()
    with open_writer("arrow", stream, schema) as writer:
        for batch in batches:
            writer.write(batch)
    assert pa.ipc.open_file(stream.getvalue()).read_all().to_pylist() == expected

    stream = io.BytesIO()
    with open_writer("parquet", stream, schema) as writer:
        for batch in batches:
            writer.write(batch)
    assert pq.read_table(io.BytesIO(stream.getvalue())).to_pylist() == expected


@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_binary_formats_in_a_pipe(format: str) -> None:
    reading, writing = os.pipe()

    with os.fdopen(writing, "wb") as stream, open_writer(format, stream, SCHEMA) as writer:
        writer.write(BATCHES[0])
    with os.fdopen(reading, "rb") as pipe:
        octets = pipe.read()

    table = (
        pq.read_table(io.BytesIO(octets)) if format == "parquet" else pa.ipc.open_stream(octets).read_all()
    )
    assert values(table.to_batches()) == values(BATCHES[:1])


@pytest.mark.parametrize("format", FORMATS)
def test_a_closed_pipe_is_the_callers_affair(format: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "wb")

    with pytest.raises(BrokenPipeError), open_writer(format, stream, SCHEMA) as writer:
        writer.write(BATCHES[0])

    with pytest.raises(BrokenPipeError):
        stream.close()
    del writer, stream
    gc.collect()  # nor does anything complain later


@pytest.mark.parametrize("format", FORMATS)
def test_an_abandoned_writer_is_silent(format: str) -> None:
    stream = io.BytesIO()

    with pytest.raises(KeyError), open_writer(format, stream, SCHEMA) as writer:
        writer.write(BATCHES[0])
        raise KeyError

    stream.close()
    del writer
    gc.collect()


@pytest.mark.parametrize("limit", [0, 1, 3, 5, 20_003, 30_000])
def test_limit(limit: int) -> None:
    writer = open_writer("jsonl", stream := io.BytesIO(), SCHEMA, limit=limit)
    for batch in BATCHES:
        writer.write(batch)
    writer.close()

    assert len(stream.getvalue().splitlines()) == min(limit, 20_003) == writer.rows
    assert writer.rows + writer.rows_left == 20_003
    assert writer.full == (limit <= 20_003)


class _Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_no_binary_on_a_terminal(format: str) -> None:
    with pytest.raises(UsageError, match="-o"):
        open_writer(format, _Terminal(), SCHEMA)


def test_callers_mistakes() -> None:
    with pytest.raises(UsageError, match="one of table, csv"):
        open_writer("xml", io.BytesIO(), SCHEMA)
    with pytest.raises(UsageError, match="negative"):
        open_writer("csv", io.BytesIO(), SCHEMA, limit=-1)
    writer = open_writer("csv", io.BytesIO(), SCHEMA)
    with pytest.raises(UsageError, match="columns"):
        writer.write(BATCHES[0].select(["time", "message"]))


def test_types_of_no_table_become_text() -> None:
    batch = pa.record_batch({"day": pa.array([19675], pa.date32()), "n": pa.array([1.5], pa.float32())})
    stream = io.BytesIO()

    with open_writer("csv", stream, batch.schema) as writer:
        writer.write(batch)

    assert stream.getvalue() == b"day,n\n2023-11-14,1.5\n"


def test_import_is_light() -> None:
    code = "import sys, dnscap.output; print(*sys.modules)"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"pandas", "rich", "pyarrow.parquet"} & set(found.stdout.split())
