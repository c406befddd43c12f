"""Frames saved as they come: one pcapng file, or a set of them that goes round."""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections import deque
from pathlib import Path
from typing import Any

from dnscap.errors import CaptureError, UsageError
from dnscap.live.feeds import Counters
from dnscap.native.recording import Recorder, block_end, first_time

NO_LIMIT = 1 << 62


class Saver:
    """Writes blocks to a file as they come, and to the next one when that is full or old enough.

    Files are cut between blocks only, so that each is a whole pcapng file. Where writing fails, the file ends
    with the last block that fitted, and `fault` says why.

    Parameters
    ----------
    path : str
        The file. Of a set each has a number before its ending (``slow-00001.pcapng``), or, where the name holds
        ``%`` directives of strftime, the time of its first frame.
    rotate_size : int, optional
        Octets of a file at most.
    rotate_time : float, optional
        Seconds of capture time in a file at most.
    keep : int, optional
        Files kept: the oldest of those written goes when there is one more.
    """

    def __init__(
        self,
        path: str,
        *,
        rotate_size: int | None = None,
        rotate_time: float | None = None,
        keep: int | None = None,
    ) -> None:
        if keep is not None and rotate_size is None and rotate_time is None:
            raise UsageError("keeping some files needs a limit for each: a size or a time")
        self.fault: CaptureError | None = None
        self.written: list[str] = []
        """Files written and kept, in order."""
        self.files = 0
        """Files begun."""
        self._pattern = path
        self._size = rotate_size
        self._time = None if rotate_time is None else int(rotate_time * 1e9)
        self._keep = keep
        self._kept: deque[str] = deque()
        self._descriptor: int | None = None
        self._path = path
        self._head = bytearray()  # section and interfaces, for the next file
        self._octets = 0  # of the file at hand
        self._frames = False  # whether it has any
        self._until = NO_LIMIT
        self._dropped = (0, 0, 0)  # as told in the files before
        self._counters: Counters | None = None
        self._at: int | None = None
        self._owner: tuple[int, int] | None = None
        self._next(time.time_ns())

    @property
    def rotates(self) -> bool:
        """Whether there may be further files."""
        return self._size is not None or self._time is not None

    @property
    def directory(self) -> str:
        """Where files are made."""
        return str(Path(self._pattern).parent)

    def give_to(self, user: int, group: int) -> None:
        """Make the files those of a user, who is going to write them."""
        self._owner = (user, group)
        if self._descriptor is not None:
            os.fchown(self._descriptor, user, group)

    # ------------------------------------------------------------ writing

    def write(self, blocks: Any) -> None:
        """Save whole blocks."""
        if self.fault is not None or self._descriptor is None:
            return
        view = memoryview(blocks)
        at = 0
        while at < len(view) and self.fault is None:
            room = NO_LIMIT if self._size is None else max(self._size - self._octets, 0)
            if self._time is not None and self._until == NO_LIMIT and (start := first_time(view)) is not None:
                self._until = start + self._time
            end, declared = block_end(view, at, room, self._until)
            if end == at and not self._frames:
                # Not even one frame fits: it makes a file of its own.
                end, declared = block_end(view, at, _size_of(view, at), NO_LIMIT)
            if end > at:
                self._put(view[at:end])
                self._remember(view, at, declared)
                at = end
            elif self.rotates:
                self._rotate(view[at:])
            else:
                break

    def _remember(self, view: memoryview, at: int, declared: list[tuple[int, int]]) -> None:
        """Keep what every file has to begin with."""
        if not self._head:
            self._head += view[at : at + _size_of(view, at)]
        for start, end in declared:
            self._head += view[start:end]
        self._frames = self._frames or self._octets > len(self._head)

    def _put(self, octets: memoryview | bytes) -> None:
        assert self._descriptor is not None
        view = memoryview(octets)
        done = 0
        try:
            while done < len(view):
                done += os.write(self._descriptor, view[done:])
        except OSError as error:
            whole, _ = block_end(view, 0, done)
            why = error.strerror or str(error)
            self.fault = CaptureError(
                self._path, f"cannot be written: {why}", hint="what was saved before is kept"
            )
            self._octets += whole
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._octets)
            return
        self._octets += done

    def _rotate(self, rest: memoryview) -> None:
        self._end_file()
        start = first_time(rest)
        try:
            self._next(start if start is not None else time.time_ns())
        except UsageError as error:
            self.fault = CaptureError(self._path, str(error))
            return
        if self._time is not None:
            self._until = NO_LIMIT if start is None else start + self._time
        self._put(bytes(self._head))

    def _next(self, start: int) -> None:
        """Open the next file."""
        path = Path(self._pattern)
        if "%" in self._pattern:
            path = Path(time.strftime(self._pattern, time.gmtime(start // 1_000_000_000)))
            if self._kept and str(path) == self._kept[-1]:
                path = path.with_name(f"{path.stem}-{self.files + 1:05d}{path.suffix}")
        elif self.rotates:
            path = path.with_name(f"{path.stem}-{self.files + 1:05d}{path.suffix}")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0)
            self._descriptor = os.open(path, flags, 0o644)
            if self._owner is not None and os.geteuid() == 0:
                os.fchown(self._descriptor, *self._owner)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
        self._path = str(path)
        self.files += 1
        self.written.append(self._path)
        self._kept.append(self._path)
        self._octets = 0
        self._frames = False
        while self._keep is not None and len(self._kept) > self._keep:
            old = self._kept.popleft()
            self.written.remove(old)
            try:
                Path(old).unlink()
            except OSError as error:
                self.fault = CaptureError(old, f"cannot be removed: {error.strerror}")

    # ------------------------------------------------------------ ending

    def close(self, counters: Counters | None = None, at: int | None = None) -> None:
        """Finish the file at hand."""
        if self._descriptor is not None:
            self.note(counters, at)
            self._end_file()

    def note(self, counters: Counters | None, at: int | None = None) -> None:
        """Take in what the kernel counted so far, and what time it is in the capture."""
        self._counters = counters or self._counters
        self._at = at

    def _end_file(self) -> None:
        """Say at its end what was dropped during a file, and close it."""
        counters = self._counters
        if counters is not None and self._head and self.fault is None:
            recorder = Recorder()
            now = (counters.received, counters.dropped, counters.interface_dropped)
            told = [new - old for new, old in zip(now, self._dropped, strict=True)]
            recorder.statistics(0, self._at or time.time_ns(), *told)
            self._dropped = now
            self._put(recorder.take())
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _size_of(view: memoryview, at: int) -> int:
    """Octets of the block at a place."""
    size: int = struct.unpack_from("=I", view, at + 4)[0]
    return size
