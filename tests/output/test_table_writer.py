"""The table for people."""

from __future__ import annotations

import io
import re
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnscap.output import open_writer
from dnscap.output.cells import clock, duration, full_time, safe, shortened, width_of

DAY = 86_400_000_000_000
NOON = 1_700_049_600_000_000_000


class _Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def table(*batches: pa.RecordBatch, limit: int | None = None, stream: io.BytesIO | None = None) -> str:
    stream = stream or io.BytesIO()
    with open_writer("table", stream, batches[0].schema, limit=limit) as writer:
        for batch in batches:
            writer.write(batch)
    return stream.getvalue().decode()


def times(*values: int | None) -> pa.Array:
    return pa.array(values, pa.timestamp("ns", "UTC"))


def test_a_small_table() -> None:
    batch = pa.record_batch(
        {
            "time": times(NOON, NOON + 1_999, None),
            "src": pa.array(["192.0.2.1", "2001:db8::1", None]).dictionary_encode(),
            "id": pa.array([7, None, 65535], pa.uint16()),
            "tc": pa.array([True, False, None]),
            "latency": pa.array([1_234_567, 5_000_000_000, None], pa.duration("ns")),
            "ede": pa.array([["15", "18"], [], None], pa.list_(pa.string())),
        }
    )

    assert table(batch).splitlines() == [
        "time                         src             id  tc     latency  ede",
        "2023-11-15 12:00:00.000000Z  192.0.2.1        7  true   1.23 ms  15 18",
        "2023-11-15 12:00:00.000001Z  2001:db8::1      -  false   5.00 s",
        "-                            -            65535  -            -  -",
    ]


def test_a_narrow_table_shows_the_date_where_it_changes() -> None:
    batch = pa.record_batch(
        {"time": times(NOON, NOON + 1000, NOON + DAY), "qname": ["a" * 60 + ".example."] * 2 + ["b."]}
    )

    lines = table(batch).splitlines()

    assert lines[1] == "2023-11-15 UTC"
    assert lines[2].startswith("12:00:00.000000  aaaa")
    assert lines[4:] == ["2023-11-16 UTC", "12:00:00.000000  b."]
    assert max(map(len, lines)) <= 80


def test_the_date_goes_on_over_batches() -> None:
    batch = pa.record_batch({"time": times(NOON), "qname": ["a" * 80]})

    lines = table(batch, batch).splitlines()

    assert lines.count("2023-11-15 UTC") == 1
    assert len(lines) == 4


@pytest.mark.parametrize("columns", ["40", "80", "200", "0", "wide"])
def test_width(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    batch = pa.record_batch({f"name{i}": [f"{i}" * 100 + ".example."] for i in range(16)})

    text = table(batch)

    assert max(map(len, text.splitlines())) <= {"40": 40, "200": 200}.get(columns, 80)
    shown = text.splitlines()[0].split()
    left_out = re.search(r"… (\d+) more columns? \(--columns\): (.*)", text, re.DOTALL)
    assert left_out is not None
    assert len(shown) + int(left_out[1]) == 16
    assert [*shown, *left_out[2].replace("\n", "").replace(",", " ").split()] == batch.schema.names


def test_numbers_are_never_cut() -> None:
    first = pa.record_batch({"n": pa.array([1], pa.uint64()), "x": ["a"]})
    later = pa.record_batch({"n": pa.array([2**64 - 1], pa.uint64()), "x": ["abc.example."]})

    assert table(first, later).splitlines() == ["n  x", "1  a", "18446744073709551615  …"]


def test_limit_and_closing_note() -> None:
    batch = pa.record_batch({"n": pa.array(range(900), pa.uint32())})

    assert table(batch, batch).splitlines()[-1] == "… 800 more rows (--limit)"
    assert table(batch, limit=899).splitlines()[-1] == "… 1 more row (--limit)"
    assert table(*[batch] * 20, limit=2).splitlines() == ["n", "0", "1", "… 17,998 more rows (--limit)"]
    assert table(batch, limit=900).splitlines()[-1] == "899"


def test_a_caller_who_stopped_early() -> None:
    batch = pa.record_batch({"n": [1, 2]})
    writer = open_writer("table", stream := io.BytesIO(), batch.schema, limit=1)

    writer.write(batch)
    assert writer.full
    writer.close(complete=False)

    assert stream.getvalue().decode().splitlines()[-1] == "… more rows (--limit)"


def test_no_rows() -> None:
    batch = pa.record_batch({"n": pa.array([], pa.int8()), "x": pa.array([], pa.string())})

    assert table(batch) == "n  x\n(no rows)\n"


def test_bold_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = pa.record_batch({"n": [1]})

    assert table(batch, stream=_Terminal()).startswith("\x1b[1mn\x1b[0m\n")
    assert "\x1b" not in table(batch)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in table(batch, stream=_Terminal())


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=60), min_size=1, max_size=5))
def test_no_text_steers_the_terminal(values: list[str]) -> None:
    column = pa.array(values)
    batch = pa.RecordBatch.from_arrays(
        [column, column.dictionary_encode(), pa.array([[v] for v in values])],
        ["\x1b[31mred", "\u202ename", "list"],
    )

    text = table(batch)

    for c in text:
        assert c in "\n " or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")


def test_octets_that_are_no_utf8() -> None:
    octets = pa.array([b"\xff\x1b[2J", b"ok"], pa.binary())
    column = pa.Array.from_buffers(pa.string(), 2, octets.buffers())

    text = table(pa.RecordBatch.from_arrays([column], ["x"]))

    assert text == "x\n�\\027[2J\nok\n"


@given(st.text(max_size=40), st.integers(0, 40))
def test_shortened_texts_fit(text: str, width: int) -> None:
    text = safe(text)

    short = shortened(text, width)

    assert width_of(short) <= width
    if width_of(text) <= width:
        assert short == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (1, "1 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (999_499, "999 µs"),
        (999_500, "1.00 ms"),
        (9_994_999, "9.99 ms"),
        (9_995_000, "10.0 ms"),
        (99_960_000, "100 ms"),
        (999_499_999, "999 ms"),
        (999_500_000, "1.00 s"),
        (5_004_000_000, "5.00 s"),
        (59_949_999_999, "59.9 s"),
        (59_950_000_000, "1 min 00 s"),
        (3_599_600_000_000, "1 h 00 min"),
        (86_399_000_000_000, "1 d 00 h"),
        (200_000_000_000_000, "2 d 08 h"),
        (-1_230_000, "-1.23 ms"),
    ],
)
def test_durations(value: int, text: str) -> None:
    assert duration(value) == text


def test_times_that_no_calendar_shows() -> None:
    assert full_time(10**30).startswith("9999-12-31")
    assert full_time(-(10**30)).startswith("1-01-01") or full_time(-(10**30)).startswith("0001-01-01")
    assert clock(-1) == "23:59:59.999999"
