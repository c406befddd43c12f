"""Frames written as pcapng blocks; see ext/dnscap/native/recording.pyx."""

from typing import Self, final

from typing_extensions import Buffer

@final
class Recorder:
    """Makes pcapng blocks for those who have their frames in Python, or in another capture format."""

    def __new__(cls) -> Self: ...
    @property
    def frames(self) -> int: ...
    @property
    def last_time(self) -> int: ...
    @property
    def ended(self) -> bool: ...
    def section(self) -> None:
        """Begin: a section header block."""
    def interface(self, name: str, link: int, snaplen: int, filter: str = "") -> int:
        """Declare an interface; gives its number."""
    def frame(self, interface: int, time: int, octets: bytes | bytearray | memoryview, wire: int) -> None:
        """Record a frame."""
    def statistics(
        self, interface: int, time: int, received: int, dropped: int, interface_dropped: int = 0
    ) -> None:
        """Say how many frames an interface has had, and how many of them were dropped."""
    def take(self) -> bytes:
        """The blocks made since the last time."""
    def begin_file(self) -> None:
        """Another capture is going to be converted."""
    def fault_text(self) -> str | None:
        """What is wrong with the capture that is converted; None where nothing is."""
    def convert(self, window: Buffer, last: bool = False, most: int = 0) -> int:
        """Record the whole frames in a window of a capture file, pcap or pcapng."""

def block_end(blocks: Buffer, start: int, room: int, until: int = ...) -> tuple[int, list[tuple[int, int]]]:
    """Where a stretch of whole blocks written here has to be cut."""

def first_time(blocks: Buffer) -> int | None:
    """Time of the first frame among blocks written here, nanoseconds since the epoch; None without."""
