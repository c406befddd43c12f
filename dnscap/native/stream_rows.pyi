from collections.abc import Iterable, Mapping
from typing import Any, Final, Self, final

from dnscap.native.streams import Streams

TCP_FLAGS: Final[dict[str, int]]
STREAM_ENDS: Final[tuple[str, ...]]

@final
class Reassembler:
    def __new__(cls, **limits: int) -> Self: ...
    @property
    def streams(self) -> Streams: ...
    def feed(
        self, segments: Iterable[Mapping[str, Any]], events: list[dict[str, Any]] | None = None
    ) -> list[dict[str, Any]]: ...
    def finish_all(self, events: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]: ...
    def connections(self) -> list[dict[str, Any]]: ...
