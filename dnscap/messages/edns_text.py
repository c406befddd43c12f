"""EDNS options as text columns, made from the option octets of a batch when asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from dnscap import registry
from dnscap.native import messages as native

Array = np.ndarray[Any, np.dtype[Any]]

NSID, CLIENT_SUBNET, COOKIE, PADDING, EXTENDED_ERROR = 3, 8, 10, 12, 15


def _spans(starts: Array, octets: Array) -> tuple[Array, Array, Array, Array]:
    """Row, code, offset and length of every option, in order."""
    rows, codes, offsets, lengths = native.option_spans(starts, octets)
    return (
        np.frombuffer(rows, np.uint32),
        np.frombuffer(codes, np.uint16),
        np.frombuffer(offsets, np.uint32),
        np.frombuffer(lengths, np.uint16),
    )


def _rows(starts: Array) -> int:
    return max(len(starts) - 1, 0)


def _of_kind(starts: Array, octets: Array, code: int) -> list[tuple[int, bytes]]:
    rows, codes, offsets, lengths = _spans(starts, octets)
    picked = np.flatnonzero(codes == code)
    data = octets.tobytes() if len(picked) else b""
    return [(int(rows[i]), data[int(offsets[i]) : int(offsets[i]) + int(lengths[i])]) for i in picked]


def _texts(starts: Array, octets: Array, code: int, text_of: Callable[[bytes], str]) -> pa.Array:
    """One text a row, from the first option of a kind; each distinct option is formatted once."""
    known: dict[bytes, int] = {}
    texts: list[str] = []
    codes = np.full(_rows(starts), -1, dtype=np.int32)
    for row, option in _of_kind(starts, octets, code):
        if codes[row] >= 0:
            continue
        if option not in known:
            known[option] = len(texts)
            texts.append(text_of(option))
        codes[row] = known[option]
    missing = codes < 0
    codes[missing] = 0
    if not texts:
        return pa.nulls(_rows(starts), pa.large_string())
    return pa.array(texts, pa.large_string()).take(pa.array(codes, mask=missing))


def options(starts: Array, octets: Array, lacking: Array | None) -> pa.Array:
    """Mnemonics of all options of each row, as lists; null without EDNS."""
    rows, codes, _, _ = _spans(starts, octets)
    counts = np.bincount(rows, minlength=_rows(starts)) if len(rows) else np.zeros(_rows(starts), np.int64)
    offsets = np.zeros(_rows(starts) + 1, dtype=np.int32)
    np.cumsum(counts, out=offsets[1:])
    distinct, inverse = np.unique(codes, return_inverse=True)
    names = pa.array([registry.edns_option_name(int(code)) for code in distinct], pa.string())
    values = names.take(pa.array(inverse.astype(np.int32)))
    mask = None if lacking is None else pa.array(lacking)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, mask=mask)


def subnet_text(option: bytes) -> str:
    """Client subnet as address/source/scope (RFC 7871 section 6); hex where it has another form."""
    import ipaddress

    if len(option) < 4:
        return option.hex()
    family, source, scope = int.from_bytes(option[:2]), option[2], option[3]
    width = {1: 4, 2: 16}.get(family)
    if width is None or len(option) - 4 > width:
        return option.hex()
    address = ipaddress.ip_address(option[4:].ljust(width, b"\0"))
    return f"{address}/{source}/{scope}"


def printable_text(option: bytes) -> str:
    """ASCII text as it is, anything else in hex."""
    text = option.decode("ascii", "replace")
    return text if text.isprintable() and "\ufffd" not in text else option.hex()


def error_text(option: bytes) -> str:
    """An extended DNS error (RFC 8914): code, its meaning, and the server's own words."""
    if len(option) < 2:
        return option.hex()
    code = int.from_bytes(option[:2])
    words = option[2:].decode("utf8", "backslashreplace").rstrip("\0")
    words = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
    text = f"{code} {registry.extended_error(code)}"
    return f"{text}: {words}" if words else text


def client_subnet(starts: Array, octets: Array) -> pa.Array:
    """Client subnet of each row."""
    return _texts(starts, octets, CLIENT_SUBNET, subnet_text)


def server_identifier(starts: Array, octets: Array) -> pa.Array:
    """Name server identifier of each row."""
    return _texts(starts, octets, NSID, printable_text)


def cookie(starts: Array, octets: Array) -> pa.Array:
    """Cookie of each row in hex: client part, and after a dot-free space the server part."""
    return _texts(starts, octets, COOKIE, lambda option: f"{option[:8].hex()} {option[8:].hex()}".strip())


def extended_errors(starts: Array, octets: Array) -> pa.Array:
    """Extended errors of each row, as lists; null where there is none."""
    lists: list[list[str] | None] = [None] * _rows(starts)
    for row, option in _of_kind(starts, octets, EXTENDED_ERROR):
        lists[row] = [*(lists[row] or []), error_text(option)]
    return pa.array(lists, pa.list_(pa.string()))


def padding(starts: Array, octets: Array) -> pa.Array:
    """Octets of padding of each row; null without the option."""
    rows, codes, _, lengths = _spans(starts, octets)
    values = np.zeros(_rows(starts), dtype=np.uint16)
    missing = np.ones(_rows(starts), dtype=bool)
    picked = codes == PADDING
    values[rows[picked]] = lengths[picked]
    missing[rows[picked]] = False
    return pa.array(values, mask=missing)
