"""Lookups that are kept whole; see ext/dnscap/native/kept.pyx."""

from typing import Any

import numpy as np

from dnscap.native.lookup_columns import LookupBatch

_Array = np.ndarray[Any, np.dtype[Any]]

def pick(batch: LookupBatch, rows: _Array) -> LookupBatch:
    """Some rows of a batch as a batch of their own."""

def join(batches: list[LookupBatch]) -> LookupBatch:
    """The rows of several batches as one."""

def count_aliases(batch: LookupBatch, out: _Array) -> None:
    """Fill `out` with how many aliases the answer records of each row hold."""
