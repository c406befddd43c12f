"""Who asks whom, and how; see ext/dnscap/native/askers.pyx."""

from typing import Any, Self, final

import numpy as np

from dnscap.native.exchange_rows import ExchangeBatch

_Array = np.ndarray[Any, np.dtype[Any]]

@final
class Askers:
    """Adds up, over batches of exchanges, what clients and servers do in numbers."""

    def __new__(cls) -> Self: ...
    def __len__(self) -> int: ...
    passed_over: int
    def feed(self, batch: ExchangeBatch, kept: _Array | None = None) -> None:
        """Count a batch; `kept` has one octet a row, 0 for those to pass over."""

    def rows(self) -> list[dict[str, Any]]:
        """A dictionary for each address of which there is something to tell; see the struct."""
