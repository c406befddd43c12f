"""Keys numbered in the order in which they first came; see ext/dnscap/native/key_tables.pxd."""

from typing import Any, final

import numpy as np

_Array = np.ndarray[Any, np.dtype[Any]]

@final
class Numbers:
    """Numbers told apart: whether one has come before, and which of many are among them."""

    def __len__(self) -> int: ...
    def add(self, keys: _Array) -> None:
        """Enter keys."""

    def clear(self) -> None:
        """Forget all."""
