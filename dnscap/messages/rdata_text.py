"""RDATA and EDNS options as text columns.

The native wing writes the types it has a form for.  What is left, rare by nature, is asked of dnspython,
and what dnspython does not take is written in the generic form of RFC 3597.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dnscap.arrays import array_of, scalar_of
from dnscap.native.presentation import format_edns, format_rdata

HEX_CHUNK = 128
"""Digits of generic RDATA between spaces, as in the native wing."""


def rdata_texts(
    types: npt.NDArray[np.uint16],
    classes: npt.NDArray[np.uint16],
    offsets: npt.NDArray[np.uint32] | npt.NDArray[np.uint64],
    blob: npt.NDArray[np.uint8] | bytes,
    valid: npt.NDArray[np.bool_] | None = None,
) -> pa.LargeStringArray:
    """Format expanded RDATA of many records.

    Parameters
    ----------
    types, classes : numpy.ndarray of uint16
        Type and class of each record.
    offsets : numpy.ndarray of uint32 or uint64
        One more than there are records: where the RDATA of each begins and the one before ends.
    blob : bytes-like
        All RDATA, names expanded.
    valid : numpy.ndarray of bool, optional
        False where a record's RDATA had not the form of its type; such a row becomes null.

    Returns
    -------
    pyarrow.LargeStringArray
        Presentation format, names in lower case with the trailing dot.
    """
    octets = memoryview(blob)
    text, ends, rare = format_rdata(types, classes, offsets, octets)
    column = _column(text, ends, len(types))
    rows = np.frombuffer(rare, dtype=np.int64)
    if valid is not None:
        rows = rows[valid[rows]]
    if len(rows):
        known: dict[tuple[int, int, bytes], str] = {}
        texts = []
        for row in rows.tolist():
            key = (
                int(types[row]),
                int(classes[row]),
                bytes(octets[int(offsets[row]) : int(offsets[row + 1])]),
            )
            if key not in known:
                known[key] = rare_text(*key)
            texts.append(known[key])
        mask = np.zeros(len(types), dtype=np.bool_)
        mask[rows] = True
        column = pc.replace_with_mask(column, array_of(mask), array_of(texts, pa.large_string()))
    if valid is not None and not valid.all():
        column = pc.if_else(array_of(valid), column, scalar_of(None, pa.large_string()))
    return column


def edns_texts(
    kind: str,
    offsets: npt.NDArray[np.uint32] | npt.NDArray[np.uint64],
    blob: npt.NDArray[np.uint8] | bytes,
) -> pa.LargeStringArray:
    """Format EDNS options of one kind, named as in `dnscap.registry.EDNS_OPTIONS`.

    ``ECS`` becomes ``address/source/scope``, ``COOKIE`` hex, ``NSID`` its text (hex where not printable) and
    ``EDE`` the code with the sender's text behind a colon.
    """
    text, ends = format_edns(kind, offsets, memoryview(blob))
    return _column(text, ends, max(len(offsets) - 1, 0))


def rare_text(rtype: int, rclass: int, rdata: bytes) -> str:
    """Format one RDATA by dnspython, or in the generic form where dnspython cannot."""
    parser = _dnspython_parser(rtype, rclass)
    if parser is None:
        return generic_text(rdata)
    import dns.exception

    try:
        return parser(rdata)
    except (dns.exception.DNSException, ValueError):
        return generic_text(rdata)


@cache
def _dnspython_parser(rtype: int, rclass: int) -> Callable[[bytes], str] | None:
    """What formats a type by dnspython; None where dnspython has no form for it either."""
    # Imported here: most captures never need it, and it takes a tenth of a second.
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype

    class_ = dns.rdataclass.RdataClass.make(rclass)
    type_ = dns.rdatatype.RdataType.make(rtype)
    known = dns.rdata.get_rdata_class(class_, type_)  # type: ignore[no-untyped-call]
    if known is dns.rdata.GenericRdata:
        return None
    return lambda rdata: dns.rdata.from_wire(class_, type_, rdata, 0, len(rdata)).to_text()


def generic_text(rdata: bytes) -> str:
    """Write RDATA in the form for unknown types (RFC 3597 section 5).

    Examples
    --------
    >>> print(generic_text(bytes([1, 2, 3, 4])))
    \\# 4 01020304
    """
    digits = rdata.hex()
    chunks = (digits[i : i + HEX_CHUNK] for i in range(0, len(digits), HEX_CHUNK))
    return " ".join(("\\#", str(len(rdata)), *chunks))


def _column(text: bytes, ends: bytes, rows: int) -> pa.LargeStringArray:
    return pa.LargeStringArray.from_buffers(rows, pa.py_buffer(ends), pa.py_buffer(text))
