"""A progress bar for long work, on a terminal only."""

from __future__ import annotations

import time
from typing import TextIO

PATIENCE = 1.0
"""Seconds before a bar appears: quick work needs none."""

BETWEEN = 0.1
"""Seconds between two drawings."""

WIDTH = 30


class ProgressBar:
    """Draws how far the reading of each input has come.

    Parameters
    ----------
    stream : text file object
        A terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = self._drawn = time.monotonic()
        self._file_begun = self._begun
        self._done = 0
        self._shown = False

    def __call__(self, done: int, total: int | None) -> None:
        """Take note of octets read of the input at hand, and octets in all (None where unknown)."""
        now = time.monotonic()
        if done < self._done:  # the next input
            self._file_begun = now
        self._done = done
        if total is not None and done >= total:
            self.clear()
            return
        if now - self._begun < PATIENCE or now - self._drawn < BETWEEN:
            return
        self._drawn, self._shown = now, True
        self._stream.write(f"\r\x1b[K{self._text(now, done, total)}")
        self._stream.flush()

    def _text(self, now: float, done: int, total: int | None) -> str:
        if not total:
            return f"{done / 1e6:,.0f} MB read"
        filled = WIDTH * done // total
        left = (now - self._file_begun) * (total - done) / max(done, 1)
        drawn = "█" * filled + "░" * (WIDTH - filled)
        share = f"{100 * done / total:3.0f} %"
        return f"{drawn} {share}  {done / 1e6:,.0f} of {total / 1e6:,.0f} MB  {left:.0f} s left"

    def clear(self) -> None:
        """Take the bar away."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False
