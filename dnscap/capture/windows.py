"""Windows: the octets of one capture, given out in contiguous pieces as large as the decoder needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from dnscap.capture.sources import Source
from dnscap.errors import CaptureError, UsageError

#: Octets of a window of given memory.
#: What one window decodes to stays in the second-level cache.
WINDOW = 1 << 20

#: Buffer for everything that has to be read: holds many packets, and stays in the second-level cache beside what
#: they decode to. Octets read into it cost less than those of a mapped file, whose pages have to be found one by
#: one and come from memory when the decoder touches them.
STREAM_WINDOW = 1 << 18

#: Largest window of a stream. Records of captures are far smaller; a length field that claims
#: more is damage, and must not fill the memory.
WINDOW_LIMIT = 256 << 20


class Windows(ABC):
    """Octets of one capture, from the current position on.

    The decoder takes a `view`, works on it and says with `used` how much of it is done with; the next view
    begins there. A view that gave it too little is followed by a larger one, by itself or after `want`.
    A view is valid until the next call of `view`. Objects are context managers.

    Attributes
    ----------
    name : str
        The input as it is shown to people.
    compression : tuple of str
        Layers of compression, outermost first.
    fault : str or None
        Why the octets end early (damage, a failed read), once the last of them are in view.
    fault_offset : int or None
        Decompressed octets before the fault.
    """

    def __init__(self, name: str, compression: tuple[str, ...] = ()) -> None:
        self.name = name
        self.compression = compression
        self.fault: str | None = None
        self.fault_offset: int | None = None
        self._wanted = 0
        self._viewed = 0
        self._moved = True

    def want(self, count: int) -> None:
        """Ask that the next view have at least `count` octets, if there are so many."""
        self._wanted = max(self._wanted, count)

    @abstractmethod
    def view(self) -> tuple[memoryview, bool]:
        """Give the octets at the current position.

        Returns
        -------
        octets : memoryview
            Read-only and contiguous; never empty unless everything was used.
        last : bool
            True where no more octets follow these.
        """

    @abstractmethod
    def _use(self, count: int) -> None:
        """Move on by `count` octets."""

    @property
    @abstractmethod
    def position(self) -> int:
        """Octets of the underlying (perhaps compressed) file read so far."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """Octets of the underlying file, or None where it is a pipe."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file. Views that are still held stay readable, or raise if touched."""

    def used(self, count: int) -> None:
        """Say that the first `count` octets of the view are done with."""
        if not 0 <= count <= self._viewed:
            raise UsageError(f"{count} octets used of a view of {self._viewed}")
        if count:
            self._viewed -= count
            self._moved = True
            self._use(count)

    def error(self) -> CaptureError | None:
        """Give the fault as an exception, for callers who want to raise it."""
        if self.fault is None:
            return None
        return CaptureError(self.name, self.fault, offset=self.fault_offset)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class MemoryWindows(Windows):
    """Windows over octets that are in memory: slices, no copies."""

    def __init__(self, name: str, octets: memoryview, *, window: int = WINDOW) -> None:
        super().__init__(name)
        self._octets = octets.toreadonly()
        self._length = len(octets)
        self._window = window
        self._at = 0
        self._grown = window

    @property
    def position(self) -> int:
        return self._at

    @property
    def size(self) -> int | None:
        return self._length

    def view(self) -> tuple[memoryview, bool]:
        self._grown = self._window if self._moved else 2 * self._grown
        end = min(self._at + max(self._grown, self._wanted), self._length)
        self._wanted, self._moved = 0, False
        self._viewed = end - self._at
        return self._octets[self._at : end], end == self._length

    def _use(self, count: int) -> None:
        self._at += count

    def close(self) -> None:
        self._octets = memoryview(b"")
        self._length = self._at = self._viewed = 0


class StreamWindows(Windows):
    """Windows over octets that have to be read: files, compressed or not, pipes, file objects.

    A view waits for no more than it must: after one octet more than before (or as many as were wanted) has
    come, it takes what is there and returns. Octets left of a view of which some were used are given again
    without reading, so that a complete record never waits for the next.
    """

    def __init__(
        self, name: str, source: Source, compression: tuple[str, ...] = (), *, window: int = STREAM_WINDOW
    ) -> None:
        super().__init__(name, compression)
        self._source = source
        self._buffer = bytearray(window)
        self._start = self._end = 0
        self._offset = 0  # decompressed octets read so far
        self._ended = False

    @property
    def position(self) -> int:
        return self._source.position

    @property
    def size(self) -> int | None:
        return self._source.size

    def view(self) -> tuple[memoryview, bool]:
        held = self._end - self._start
        least = max(self._wanted, held if held and self._moved else held + 1)
        self._wanted, self._moved = 0, False
        if held < least and not self._ended:
            self._fill(least)
        self._viewed = self._end - self._start
        return memoryview(self._buffer).toreadonly()[self._start : self._end], self._ended

    def _use(self, count: int) -> None:
        self._start += count

    def _fill(self, least: int) -> None:
        room = self._make_room(least)
        while not self._ended and self._end < len(room):
            wait = self._end - self._start < least
            got = self._source.read_into(room[self._end :], wait)
            if got is None:
                break
            self._end += got
            self._offset += got
            if not got:
                self._ended = True
                self.fault = self._source.fault
                self.fault_offset = None if self.fault is None else self._offset

    def _make_room(self, least: int) -> memoryview:
        """Move what is left to the front, of a larger buffer if need be."""
        if least > WINDOW_LIMIT:
            raise CaptureError(
                self.name,
                f"a record of more than {WINDOW_LIMIT:,} octets is called for; the file is damaged",
                offset=self._offset - (self._end - self._start),
            )
        held = self._end - self._start
        old = memoryview(self._buffer)
        if not self._start and least <= len(self._buffer):
            return old
        if least > len(self._buffer):
            # A new buffer, as views of the old one may still be held.
            self._buffer = bytearray(max(least, 2 * len(self._buffer)))
        new = memoryview(self._buffer)
        new[:held] = old[self._start : self._end]
        self._start, self._end = 0, held
        return new

    def close(self) -> None:
        self._source.close()
        self._ended = True
        self._start = self._end = self._viewed = 0
