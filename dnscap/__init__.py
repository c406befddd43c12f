"""dnscap: what the application asked of DNS, what it cost and why it was slow.

`read` opens captures; everything else hangs on the `Capture` that it returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnscap.errors import CaptureError, DnscapError, UsageError

if TYPE_CHECKING:
    from dnscap.reading import Capture, read

__version__ = "0.1.0"

__all__ = ["Capture", "CaptureError", "DnscapError", "UsageError", "__version__", "read"]


def __getattr__(name: str) -> Any:
    # Arrow takes 0.2 s to import: whoever only asks for the version or help does not wait for it.
    if name in ("Capture", "read"):
        from dnscap import reading

        return getattr(reading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
