"""Client subnets in EDNS; see ext/dnscap/native/subnets.pyx."""

from typing import Any, Self, final

import numpy as np

from dnscap.native.decoder import Batch

_Array = np.ndarray[Any, np.dtype[Any]]

@final
class Subnets:
    """Adds up what batches of messages say of client subnets."""

    def __new__(cls) -> Self: ...
    def feed(self, batch: Batch, kept: _Array | None = None) -> None:
        """Look at a batch; `kept` has one octet a message, 0 for those to pass over."""

    def servers_told(self) -> list[dict[str, Any]]:
        """Servers, with what they were told and what they said."""

    def differing(self) -> list[tuple[bytes, str, int, list[tuple[bytes, int]]]]:
        """Questions whose answer depends on the subnet."""
