"""What can go wrong at the door: callers' mistakes and unusable inputs.

A malformed message is never an exception; it is a row with a ``status``.
"""

from __future__ import annotations


class DnscapError(Exception):
    """Anything that dnscap raises on purpose."""


class UsageError(DnscapError, ValueError):
    """The caller asked for something that cannot be: an unknown column, a bad duration, a bad condition."""


class CaptureError(DnscapError, OSError):
    """An input could not be read, or not to its end.

    Attributes
    ----------
    name : str
        The input as the caller named it.
    offset : int or None
        Octet of the (decompressed) input at which reading stopped.
    """

    def __init__(self, name: str, what: str, *, offset: int | None = None, hint: str = "") -> None:
        where = name if offset is None else f"{name}, offset {offset}"
        super().__init__(f"{where}: {what}" + (f"; {hint}" if hint else ""))
        self.name = name
        self.offset = offset
