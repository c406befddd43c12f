"""What a long run gives back to the system.

Judging makes many small objects and lets go of them. The allocator of the C library keeps the holes that they leave for
later, and pages with nothing in them count as memory of the process until somebody asks for them back.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from functools import cache

import pyarrow as pa

GIVEN_BACK_EVERY = 60.0
"""Seconds between two times: it takes some milliseconds, and what comes back soon would only be fetched again."""


@cache
def _trim() -> Callable[[int], int] | None:
    """`malloc_trim` of glibc, where there is one; other C libraries give pages back by themselves or not at all."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None


class Memory:
    """Gives unused pages back from time to time."""

    def __init__(self) -> None:
        self._next = time.monotonic() + GIVEN_BACK_EVERY

    def give_back(self) -> bool:
        """Do so if it is time; whether it was."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + GIVEN_BACK_EVERY
        pa.default_memory_pool().release_unused()
        trim = _trim()
        if trim is not None:
            trim(0)
        return True
