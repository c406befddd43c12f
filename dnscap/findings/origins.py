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
    """Where the messages of each file begin, and the names of files.

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
        self._names: list[str] = []

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
        names = self._names = sources.column("name").to_pylist()
        self._messages.clear()
        self._files.clear()
        for source, message in self._begins:
            if source < len(names) and (not self._files or self._files[-1] != names[source]):
                self._messages.append(message)
                self._files.append(names[source])

    @property
    def several(self) -> bool:
        """Whether there is more than one file to tell apart."""
        return len(set(self._names)) > 1

    def of_message(self, message: int | None) -> str | None:
        """The file of a message; None where there is but one."""
        if message is None or not self.several or not self._messages:
            return None
        return self._files[max(bisect_right(self._messages, message) - 1, 0)]

    def of_source(self, source: int) -> str | None:
        """The file of a source; None where there is but one."""
        return self._names[source] if self.several and 0 <= source < len(self._names) else None

    def told(self, frame: int, message: int | None = None) -> str:
        """A frame as evidence: with its file where there are several."""
        file = self.of_message(message)
        if file is None and isinstance(frame, Frame):
            file = self.of_source(frame.source)
        return f"frame:{int(frame)}" if file is None else f"frame:{int(frame)}@{file}"

    def all_told(self, frames: Iterable[int], most: int) -> list[str]:
        """Frames as evidence, in order, each once."""
        order = sorted(
            (frame for frame in frames if frame), key=lambda frame: (getattr(frame, "source", -1), frame)
        )
        return list(dict.fromkeys(self.told(frame) for frame in order))[:most]
