"""What a stream can show: colours, and how wide it is."""

from __future__ import annotations

import contextlib
import os
from typing import BinaryIO

NARROWEST, WIDEST, ORDINARY = 60, 100, 80


def colours(stream: BinaryIO) -> bool:
    """Whether to write colours: on a terminal that has them, unless ``NO_COLOR`` is set (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return stream.isatty()


def width(stream: BinaryIO) -> int:
    """Columns for text: those of the terminal within reason, eighty where there is none."""
    told = os.environ.get("COLUMNS", "")
    columns = int(told) if told.isdecimal() and told.isascii() else 0
    if not columns and stream.isatty():
        with contextlib.suppress(OSError):
            columns = os.get_terminal_size(stream.fileno()).columns
    return min(max(columns or ORDINARY, NARROWEST), WIDEST)
