"""EDNS options as Arrow columns, made from the option octets of a batch when asked for.

The native wing walks the options once a batch and fills offsets, text and validity; see `dnscap.native.edns`.
A column that no message has an option for costs nothing: its buffers are pages that nobody touches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from dnscap import registry
from dnscap.arrays import array_of
from dnscap.native.edns import Options, Vocabulary

Array = np.ndarray[Any, np.dtype[Any]]

NSID, CLIENT_SUBNET, COOKIE = 3, 8, 10

NAMES = Vocabulary(registry.EDNS_OPTIONS)
MEANINGS = Vocabulary(registry.EXTENDED_ERRORS)


def absent(rows: int, type_: pa.DataType) -> pa.Array:
    """A column of nulls; unlike those of Arrow's own making it takes no memory until it is read."""

    def zeros(octets: int) -> pa.Buffer:
        return pa.py_buffer(np.zeros(octets, dtype=np.uint8))

    none = zeros((rows + 7) // 8)
    if pa.types.is_list(type_):
        values = array_of([], type_.value_type)
        return pa.Array.from_buffers(type_, rows, [none, zeros(4 * rows + 4)], rows, 0, [values])
    if pa.types.is_large_string(type_):
        return pa.Array.from_buffers(type_, rows, [none, zeros(8 * rows + 8), zeros(1)], rows)
    return pa.Array.from_buffers(type_, rows, [none, zeros(rows * type_.bit_width // 8)], rows)


def texts(options: Options, kind: int) -> pa.Array:
    """One text a row, from the first option of a kind."""
    made = options.texts(kind)
    if made is None:
        return absent(options.rows, pa.large_string())
    valid, ends, text, lacking = made
    return pa.Array.from_buffers(pa.large_string(), options.rows, _buffers(valid, ends, text), lacking)


def names(options: Options, valid: pa.Buffer | None, lacking: int) -> pa.Array:
    """Mnemonics of all options of each row, as lists; null where `valid` says so."""
    if lacking == options.rows:
        return absent(options.rows, pa.list_(pa.string()))
    lists, ends, text = options.names(NAMES)
    values = pa.Array.from_buffers(pa.string(), options.count, [None, *_buffers(ends, text)], 0)
    buffers = [valid, pa.py_buffer(lists)]
    return pa.Array.from_buffers(pa.list_(pa.string()), options.rows, buffers, lacking, 0, [values])


def extended_errors(options: Options) -> pa.Array:
    """Extended errors of each row (RFC 8914), as lists; null where there is none."""
    made = options.errors(MEANINGS)
    if made is None:
        return absent(options.rows, pa.list_(pa.string()))
    valid, lists, ends, text, count, lacking = made
    values = pa.Array.from_buffers(pa.string(), count, [None, *_buffers(ends, text)], 0)
    buffers = _buffers(valid, lists)
    return pa.Array.from_buffers(pa.list_(pa.string()), options.rows, buffers, lacking, 0, [values])


def padding(options: Options) -> pa.Array:
    """Octets of padding of each row; null without the option."""
    made = options.padding()
    if made is None:
        return absent(options.rows, pa.uint16())
    valid, values, lacking = made
    return pa.Array.from_buffers(pa.uint16(), options.rows, _buffers(valid, values), lacking)


def _buffers(*memory: Any) -> list[pa.Buffer]:
    return [pa.py_buffer(octets) for octets in memory]
