"""The terminal: keys from it even where standard input is the capture, the screen on standard output."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

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


class _Screen:
    """Standard output as long as there is a terminal behind it, and nothing from then on.

    A terminal may go without a signal that says so, as with a connection that breaks.  An error would end the
    thread that writes, and with it, for want of room in its queue, everything else.
    """

    def __init__(self, stream: TextIO, gone: Callable[[], None]) -> None:
        self._stream = stream
        self._gone = gone
        self.fileno = stream.fileno

    def write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except OSError:
            self._gone()

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._gone()


class TerminalDriver(LinuxDriver):
    """As Textual's, but draws on standard output, so that standard error may go to a file."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)

        def leave() -> None:
            app.left = True

        self._file: Any = _Screen(sys.stdout, leave)
        if _keys is not None:
            self.fileno = _keys
            self.input_tty = True
