"""Live interfaces through libpcap; see ext/dnscap/native/libpcap.pyx."""

from collections.abc import Sequence
from typing import Self, final

LIBRARIES: tuple[str, ...]

def load(paths: Sequence[str] = ...) -> str | None:
    """Find libpcap."""

def need() -> None:
    """Raise where `load` finds no library."""

def interfaces() -> list[tuple[str, str]]:
    """Names and descriptions of the interfaces that can be captured from."""

def compiles(expression: str, link: int, snaplen: int = 262144) -> str | None:
    """What is wrong with a filter expression for a link type; None where nothing is."""

@final
class Blocks:
    """Whole pcapng blocks in native memory, as a read-only buffer."""

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Device:
    """An interface, or all of them (``any``), that is captured from."""

    def __new__(
        cls,
        name: str,
        snaplen: int = 262144,
        promiscuous: bool = False,
        ring: int = ...,
        most: int = ...,
    ) -> Self: ...
    def set_filter(self, expression: str) -> None:
        """Take only frames that meet a condition."""
    def run(self, frames: int = 0) -> None:
        """Record frames until `stop`, until there are `frames` of them, or until something goes wrong."""
    def take(self, seconds: float = 0.0) -> Blocks | None:
        """The blocks recorded since the last time; waits for as long as `seconds` while there are few."""
    def stop(self) -> None:
        """Take what the kernel has by now, and no more."""
    @property
    def link(self) -> int: ...
    @property
    def snaplen(self) -> int: ...
    @property
    def running(self) -> bool: ...
    @property
    def fault(self) -> str | None: ...
    @property
    def frames(self) -> int: ...
    @property
    def last_time(self) -> int: ...
    @property
    def out_of_memory(self) -> int: ...
    def statistics(self) -> tuple[int, int, int]:
        """Frames received, dropped by the kernel for want of room in its ring, and dropped by the interface."""
