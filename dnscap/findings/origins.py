"""Which of several files a frame is in: frame numbers begin anew with each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dnscap.names.rows import Frame

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Origins:
    """Where the messages of each file begin, and when each file was captured.

    Messages have numbers in the order in which their files are read; sources likewise.

    Examples
    --------
    >>> Origins().told(7)
    'frame:7'
    """

    def __init__(self) -> None:
        self._sources = 0
        self._begins: list[tuple[int, int]] = []  # source, and the first message of it or of a later one
        self._messages: list[int] = []
        self._files: list[str] = []
        self._spans: dict[str, tuple[int, int]] = {}

    def feed(self, first_message: int, sources: np.ndarray[Any, Any]) -> None:
        """Take in the sources of messages that follow those before."""
        if not len(sources):
            return
        last = int(sources.max())
        while self._sources <= last:
            at = int((sources >= self._sources).argmax())
            self._begins.append((self._sources, first_message + at))
            self._sources += 1

    def note_sources(self, sources: pa.Table) -> None:
        """Take in the sources table."""
        rows = sources.select(["name", "first_time", "last_time"])
        names = rows.column("name").to_pylist()
        times = [rows.column(name).cast("int64").to_pylist() for name in ("first_time", "last_time")]
        self._messages.clear()
        self._files.clear()
        self._spans.clear()
        for source, message in self._begins:
            if source < len(names) and (not self._files or self._files[-1] != names[source]):
                self._messages.append(message)
                self._files.append(names[source])
        for name, first, last in zip(names, *times, strict=True):
            if first is not None and last is not None:
                before = self._spans.get(name, (first, last))
                self._spans[name] = min(before[0], first), max(before[1], last)

    @property
    def several(self) -> bool:
        """Whether there is more than one file to tell apart."""
        return len(self._spans) > 1

    def of_message(self, message: int | None) -> str | None:
        """The file of a message; None where there is but one."""
        if message is None or not self.several or not self._messages:
            return None
        return self._files[max(bisect_right(self._messages, message) - 1, 0)]

    def of_time(self, time: int) -> str | None:
        """The only file that was being captured at a time; None where there is another, or none."""
        if not self.several:
            return None
        there = [name for name, (first, last) in self._spans.items() if first <= time <= last]
        return there[0] if len(there) == 1 else None

    def told(self, frame: int, message: int | None = None) -> str:
        """A frame as evidence: with its file where there are several."""
        file = self.of_message(message)
        if file is None and isinstance(frame, Frame):
            file = self.of_time(frame.time)
        return f"frame:{int(frame)}" if file is None else f"frame:{int(frame)}@{file}"

    def all_told(self, frames: Iterable[int], most: int) -> list[str]:
        """Frames as evidence, in order, each once."""
        return list(dict.fromkeys(self.told(frame) for frame in sorted(frames) if frame))[:most]
