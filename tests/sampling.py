"""How much of the same kind is tried: all of it, or a sample where sanitizers make each piece several times dearer.

``DNSCAP_SANITIZED`` is set where the native modules are built with sanitizers. What the results must be is told by the
ordinary run, over everything; there it is only asked whether native code keeps within its bounds, which libFuzzer asks
with far more inputs, too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

SANITIZED = bool(os.environ.get("DNSCAP_SANITIZED"))


def examples(count: int) -> int:
    """How many examples hypothesis makes."""
    return max(count // 5, 8) if SANITIZED else count


def some(everything: Sequence[T], every: int = 5) -> Sequence[T]:
    """All of it, or under sanitizers one of `every`."""
    return everything[::every] if SANITIZED else everything
