from typing import Any, final

from typing_extensions import Buffer

@final
class PagePool:
    """Pages between two uses: fresh memory has to be cleared, which costs as much as filling it."""

@final
class ExchangeBatch:
    """Exchanges that are final, in native columns."""

    @property
    def first_exchange(self) -> int: ...
    @property
    def exchanges(self) -> int: ...
    @property
    def dictionary(self) -> Any: ...
    def column(self, name: str) -> Buffer:
        """A column as a buffer, by native name."""

@final
class ExchangeColumn:
    """A column in native memory as a read-only buffer; keeps its batch alive."""
