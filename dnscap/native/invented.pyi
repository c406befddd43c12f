"""Names that no person gave; see ext/dnscap/native/invented.pyx."""

from typing import Any, Self, final

import numpy as np

from dnscap.native.exchange_rows import ExchangeBatch

_Array = np.ndarray[Any, np.dtype[Any]]

@final
class Invented:
    """Gathers names that look made up, from batches of exchanges."""

    def __new__(cls) -> Self: ...
    def feed(self, batch: ExchangeBatch, kept: _Array | None = None) -> None:
        """Look at a batch; `kept` has one octet a row, 0 for those to pass over."""

    def rows(self, kind: str, least: int) -> list[dict[str, Any]]:
        """Groups of a kind ("clients", "absent" or "long") that came so often at least."""
