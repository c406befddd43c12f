"""A progress bar for long work, on a terminal only."""

from __future__ import annotations

import sys
import time

from dnscap.messages.decoding import Progress

PATIENCE = 1.0  # seconds before a bar appears: quick work needs none


def progress_on_terminal() -> Progress | None:
    """A progress callback that draws on standard error, or None where that is no terminal."""
    if not sys.stderr.isatty():
        return None
    started = time.monotonic()
    drawn = 0.0
    shown = False

    def progress(done: int, total: int | None) -> None:
        nonlocal drawn, shown
        now = time.monotonic()
        finished = total is not None and done >= total
        if finished and shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            shown = False
        if finished or now - started < PATIENCE or now - drawn < 0.1:
            return
        drawn = now
        shown = True
        megabytes = done / 1e6
        if total:
            width = 30
            filled = int(width * done / total)
            left = (now - started) * (total - done) / max(done, 1)
            bar = "█" * filled + "░" * (width - filled)
            share = f"{100 * done / total:3.0f} %"
            text = f"{bar} {share}  {megabytes:,.0f} of {total / 1e6:,.0f} MB  {left:.0f} s left"
        else:
            text = f"{megabytes:,.0f} MB read"
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    return progress
