from collections.abc import Iterable, Sequence
from typing import Any, Self, final

@final
class Walk:
    def __new__(cls, dns_ports: Iterable[int] = (53, 5353, 5355)) -> Self: ...
    def counts(self) -> dict[str, int]: ...
    def walk_frames(
        self, frames: Sequence[tuple[Any, ...]], *, finish: bool = False
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]: ...
