from typing import Any, final

@final
class Framing:
    """Reads capture files given as windows of octets, one file after another."""

    def __init__(self) -> None: ...
    def begin_file(self) -> None:
        """A new file starts: frame numbers from 1, offsets from 0, a file header expected."""
    @property
    def frames(self) -> int:
        """Number of the last frame of this file."""
    @property
    def last_time(self) -> int | None:
        """Time of the latest frame of all files, nanoseconds since the epoch; None before the first."""
    @property
    def end_time(self) -> int | None:
        """When capturing ended, as far as files tell; None where none does."""
    @property
    def position(self) -> int:
        """Octets of this file read."""
    @property
    def cut_at(self) -> int | None:
        """Offset of the record inside which this file ends; None if it ends where it should."""
    @property
    def losses(self) -> dict[str, int]:
        """What was passed over in all files: packets, and interfaces and texts beyond the limits."""
    def fault_text(self) -> str | None:
        """Why reading of this file stopped early, and where; None if nothing is wrong."""
    def source_rows(self) -> list[dict[str, Any]]:
        """One row a pcap file or pcapng interface, over all files, in order of appearance."""
    def read(
        self, data: bytes | bytearray | memoryview, window: int = ...
    ) -> list[tuple[int, int, bytes, int, int, int, int]]:
        """Read a whole file: (number, time, octets, wire size, source, link type, direction) a frame."""
    def count(self, data: bytes | bytearray | memoryview, window: int = ...) -> int:
        """Read a whole file for its sources only: how many frames it has."""
