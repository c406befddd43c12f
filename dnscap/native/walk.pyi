from collections.abc import Iterable, Sequence
from typing import TypedDict, final, type_check_only

@type_check_only
class Payload(TypedDict):
    payload: bytes
    wire_size: int
    wholeness: int
    src: str
    src_port: int
    dst: str
    dst_port: int
    transport: int
    stream: int | None
    time: int
    frame: int
    frames: int
    source: int
    interface: int
    place: int
    direction: int
    ip_ttl: int
    ip_version: int

@type_check_only
class Event(TypedDict):
    kind: int
    time: int
    frame: int
    source: int
    src: str
    dst: str
    code: int
    octets: int
    quoted_src: str
    quoted_src_port: int
    quoted_dst: str
    quoted_dst_port: int
    transport: int
    stream: int | None
    quote: bytes

@final
class Walk:
    def __new__(cls, dns_ports: Iterable[int] = ...) -> Walk: ...
    def counts(self) -> dict[str, int]: ...
    def walk_frames(
        self,
        frames: Sequence[
            tuple[int, bytes, int] | tuple[int, bytes, int, int] | tuple[int, bytes, int, int, int, int]
        ],
        *,
        finish: bool = False,
    ) -> tuple[list[Payload], list[Event]]: ...
