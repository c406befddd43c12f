"""Octets in order, from wherever they come: the one shape in which files, pipes and memory are read."""

from __future__ import annotations

import io
import os
import select
import stat
from abc import ABC, abstractmethod
from typing import IO, Any

from dnscap.errors import DnscapError, UsageError


class Source(ABC):
    """A stream of octets that can be looked into before it is read.

    An error while reading does not raise: the source ends there and says why in `fault`, so that the octets
    before it keep their worth.
    """

    def __init__(self) -> None:
        self.fault: str | None = None
        self._head = bytearray()
        self._ended = False

    @property
    @abstractmethod
    def position(self) -> int:
        """Octets taken so far from the underlying file."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """Octets of the underlying file; None where nobody can know."""

    @abstractmethod
    def _fill(self, target: memoryview, wait: bool) -> int | None:
        """Do the reading for `read_into`; nothing has been put back and the end was not seen yet."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the underlying file, if it is ours."""

    def read_into(self, target: memoryview, wait: bool = True) -> int | None:
        """Read at least one octet and at most as many as fit.

        Parameters
        ----------
        target : memoryview
            Where the octets go.
        wait : bool
            Whether to wait for the first octet.

        Returns
        -------
        int or None
            Octets read; 0 at the end; None where nothing is there yet and `wait` is false.
        """
        if self._head:
            count = min(len(self._head), len(target))
            target[:count] = self._head[:count]
            del self._head[:count]
            return count
        if self._ended or not len(target):
            return 0
        try:
            got = self._fill(target, wait)
        except DnscapError:
            raise
        except Exception as error:  # a caller's file object may raise anything
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.fault = self.fault or f"reading failed: {reason or type(error).__name__}"
            got = 0
        if got == 0:
            self._ended = True
        return got

    def peek(self, count: int, wait: bool = True) -> bytes:
        """Show the next `count` octets without taking them; fewer at the end (or, not waiting, so far)."""
        head = self._head
        self._head = bytearray()
        try:
            while len(head) < count:
                room = bytearray(count - len(head))
                got = self.read_into(memoryview(room), wait)
                if not got:
                    break
                head += room[:got]
        finally:
            # A reader that was handed too much has put the surplus into the fresh head.
            self._head = head + self._head
        return bytes(self._head[:count])


class MemorySource(Source):
    """Octets that are in memory already."""

    def __init__(self, octets: memoryview) -> None:
        super().__init__()
        self._octets = octets
        self._at = 0

    @property
    def whole(self) -> memoryview:
        """All the octets, whatever was read of them."""
        return self._octets

    @property
    def position(self) -> int:
        return self._at

    @property
    def size(self) -> int | None:
        return len(self._octets)

    def _fill(self, target: memoryview, wait: bool) -> int:
        piece = self._octets[self._at : self._at + len(target)]
        target[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        self._octets = memoryview(b"")


class FileSource(Source):
    """Octets of an open binary file, pipe, socket file or anything with ``read``.

    Parameters
    ----------
    file : binary file object
        Read with as little buffering of its own as it offers, so that a pipe gives what is there.
    owned : bool
        Whether `close` closes the file; a file handed in by a caller stays open.
    """

    def __init__(self, file: IO[Any] | Any, *, owned: bool) -> None:
        super().__init__()
        if isinstance(file, io.TextIOBase):
            raise UsageError("the file object is opened for text; open it in binary mode ('rb')")
        self._file = file
        self._owned = owned
        self._position = 0
        # readinto1() of a BufferedReader that has octets waits for more all the same; its read1() does not.
        buffered = isinstance(file, io.BufferedReader)
        self._read_into = (
            None if buffered else getattr(file, "readinto1", None) or getattr(file, "readinto", None)
        )
        self._read = getattr(file, "read1", None) or getattr(file, "read", None)
        self._never_waits, self._poll = _waiting(file)
        self._size = _size_of(file)

    @property
    def position(self) -> int:
        return self._position

    @property
    def size(self) -> int | None:
        return self._size

    def _fill(self, target: memoryview, wait: bool) -> int | None:
        while True:
            if not wait and not self._never_waits and not (self._poll and self._poll.poll(0)):
                return None
            got = self._take(target)
            if got is not None or not wait:
                break
            # A descriptor set to non-blocking said "not yet".
            if self._poll is None:
                raise BlockingIOError("the file object does not block and has no descriptor to wait for")
            self._poll.poll()
        if got is not None:
            self._position += got
        if got == 0 and self._size is not None and self._position < self._size:
            self.fault = "the file was cut while it was read"
        return got

    def _take(self, target: memoryview) -> int | None:
        if self._read_into is not None:
            try:
                taken: int | None = self._read_into(target)
            except BlockingIOError:
                return None
            return taken
        if self._read is None:
            raise UsageError(f"a {type(self._file).__name__} has no read()")
        octets = self._read(len(target))
        if octets is None:
            return None
        if not isinstance(octets, bytes | bytearray | memoryview):
            raise UsageError(f"read() of the file object gave {type(octets).__name__}, not bytes")
        count = min(len(octets), len(target))
        target[:count] = octets[:count]
        self._head += octets[count:]
        self._position += len(octets) - count
        return count

    def close(self) -> None:
        if self._owned:
            self._file.close()


def _waiting(file: Any) -> tuple[bool, select.poll | None]:
    """Find out whether reading never waits, and else what tells that octets are there."""
    if isinstance(file, io.BytesIO):
        return True, None
    raw = getattr(file, "raw", file)
    if not isinstance(raw, io.FileIO):
        return False, None  # its descriptor, if it has one, need not tell what read() does
    try:
        descriptor = raw.fileno()
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return True, None
        if not hasattr(select, "poll"):
            return False, None
        poll = select.poll()
        poll.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
    except (OSError, ValueError):
        return False, None
    return False, poll


def _size_of(file: Any) -> int | None:
    """Tell how many octets are left in a file object, where that is cheap to know."""
    try:
        if isinstance(file, io.BytesIO):
            return max(file.getbuffer().nbytes - file.tell(), 0)
        if not isinstance(getattr(file, "raw", file), io.FileIO):
            return None
        status = os.fstat(file.fileno())
        return max(status.st_size - int(file.tell()), 0) if stat.S_ISREG(status.st_mode) else None
    except (OSError, ValueError):
        return None
