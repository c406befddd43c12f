"""The terminal: keys from it even where standard input is the capture, the screen on standard output."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

from textual.drivers.linux_driver import LinuxDriver

_keys: int | None = None


def terminal() -> bool:
    """Whether there is a terminal to draw on and to take keys from; opens it where standard input is none."""
    global _keys
    if not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return False
    if _keys is None:
        if sys.stdin is not None and sys.stdin.isatty():
            _keys = sys.stdin.fileno()
        else:
            with contextlib.suppress(OSError):
                _keys = os.open("/dev/tty", os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    return _keys is not None


class TerminalDriver(LinuxDriver):
    """As Textual's, but draws on standard output, so that standard error may go to a file."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._file = sys.__stdout__
        if _keys is not None:
            self.fileno = _keys
            self.input_tty = True
