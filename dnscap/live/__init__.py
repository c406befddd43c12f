"""DNS as it happens: live interfaces and growing streams, through the same stages as files.

`live` opens and gives batches; the session is the engine, the other modules are what hangs on it. The package can
be called, as ``dnscap.live("any")``, which is `live`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from dnscap.live.opening import live

__all__ = ["live"]


class _Callable(ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Any:
        return live(*args, **options)


sys.modules[__name__].__class__ = _Callable
