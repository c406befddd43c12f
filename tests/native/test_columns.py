"""Whole-column passes against numpy and Arrow."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from dnscap.native import columns

SIZES = st.integers(0, 1200)


def bits(memory: columns.Memory, rows: int) -> list[bool]:
    return pa.Array.from_buffers(pa.bool_(), rows, [None, pa.py_buffer(memory)]).to_pylist()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@given(data=st.data(), rows=SIZES)
def test_bits_of_flags(dtype: type[np.uint8 | np.uint16], data: st.DataObject, rows: int) -> None:
    values = np.random.default_rng(rows).integers(0, 1 << (8 * dtype().itemsize), rows).astype(dtype)
    mask = 1 << data.draw(st.integers(0, 8 * dtype().itemsize - 1))
    assert bits(columns.bit_of(values, mask), rows) == ((values & mask) != 0).tolist()


def test_a_mask_has_one_bit() -> None:
    for mask in (0, 3):
        with pytest.raises(ValueError, match="one bit"):
            columns.bit_of(np.zeros(3, np.uint16), mask)


@given(nps.arrays(np.uint32, SIZES, elements=st.sampled_from([0, 1, 0xFFFFFFFF])))
def test_sentinels(values: np.ndarray) -> None:
    made, lacking = columns.other_than(values, 0xFFFFFFFF)
    assert bits(made, len(values)) == (values != 0xFFFFFFFF).tolist()
    assert lacking == (values == 0xFFFFFFFF).sum()


@given(st.lists(st.booleans(), max_size=200), st.integers(0, 20), st.booleans())
def test_octets_of_bits(values: list[bool], start: int, inverted: bool) -> None:
    start = min(start, len(values))
    packed = np.packbits(np.array(values, bool), bitorder="little")
    made = columns.octets_of(packed, start, len(values) - start, inverted)
    assert np.frombuffer(made, bool).tolist() == [value != inverted for value in values[start:]]


@given(nps.arrays(np.uint16, SIZES), st.integers(0, 12), st.sampled_from([15, 0xFFFF]), st.booleans())
def test_numbers(values: np.ndarray, shift: int, most: int, wide: bool) -> None:
    codes, distinct = columns.number(values, shift, most, wide)
    assert len(set(distinct)) == len(distinct)
    got = (
        np.array(distinct, int)[np.frombuffer(codes, np.int32 if wide else np.uint16)] if len(values) else []
    )
    assert list(got) == (values >> shift & most).tolist()


@given(st.lists(st.text(max_size=70), max_size=12), st.data())
def test_texts_of_codes(texts: list[str], data: st.DataObject) -> None:
    dictionary = pa.array(texts, pa.string())
    code = st.integers(0, len(texts) - 1) if texts else st.nothing()
    codes = data.draw(st.lists(st.none() | code, max_size=40))
    start = data.draw(st.integers(0, len(codes)))
    offsets = np.cumsum([0, *(len(t.encode()) for t in texts)]).astype(np.int32)
    octets = np.frombuffer("".join(texts).encode(), np.uint8)
    valid = np.packbits([c is not None for c in codes], bitorder="little") if codes else np.zeros(1, np.uint8)
    plain = np.array([c or 0 for c in codes[start:]], np.int32)
    ends, out = columns.spell(plain, valid, start, offsets, octets)
    got = pa.Array.from_buffers(pa.large_string(), len(plain), [None, pa.py_buffer(ends), pa.py_buffer(out)])
    got.validate(full=True)
    assert got.to_pylist() == ["" if c is None else dictionary[c].as_py() for c in codes[start:]]


def test_codes_beyond_the_dictionary_are_refused() -> None:
    offsets, text = np.array([0, 3], np.int32), np.frombuffer(b"abc", np.uint8)
    for code in (1, -1, 2**31 - 1):
        with pytest.raises(ValueError, match="do not fit"):
            columns.spell(np.array([code], np.int32), None, 0, offsets, text)
    for bad in ([0, 4], [-1, 3], [3, 0]):
        with pytest.raises(ValueError, match="do not fit"):
            columns.spell(np.zeros(1, np.int32), None, 0, np.array(bad, np.int32), text)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32])
@pytest.mark.parametrize("width", [1, 2, 4])
def test_narrow_codes(dtype: type, width: int) -> None:
    codes = np.arange(20, dtype=dtype)
    valid = np.array([0b11111110, 0xFF, 0x0F, 0], np.uint8)
    got = np.frombuffer(columns.narrowed(codes, valid, 0, width), f"i{width}")
    assert got.tolist() == [-1, *range(1, 20)]
    assert np.frombuffer(columns.narrowed(codes, valid, 8, width), f"i{width}").tolist() == [
        *range(12),
        *[-1] * 8,
    ]
    with pytest.raises(ValueError, match="so many bits"):
        columns.narrowed(codes, valid, 13, width)
