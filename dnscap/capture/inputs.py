"""What a caller may name as a capture, and how each of them is opened."""

from __future__ import annotations

import contextlib
import difflib
import glob
import io
import os
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dnscap.capture.compression import decompressed
from dnscap.capture.content import DESCRIBE, SNIFF, describe, sniff
from dnscap.capture.rotation import FIRST_TIME, first_time, in_order, natural_key
from dnscap.capture.sources import FileSource, MemorySource, Source
from dnscap.capture.windows import MemoryWindows, StreamWindows, Windows
from dnscap.errors import CaptureError, UsageError

_STDIN = "standard input"
_CANNOT = "cannot read a capture from a {}; give a path, bytes or a binary file object"


class CaptureInput:
    """One capture that can be opened; made by `expand_inputs`.

    Attributes
    ----------
    name : str
        The input as it is shown to people; always text that can be encoded.
    path : str or None
        Where it is, for files.
    repeatable : bool
        Whether it can be opened more than once.
    """

    def __init__(
        self, name: str, source: Callable[[], Source], *, path: str | None = None, repeatable: bool = True
    ) -> None:
        self.name = name.encode("utf-8", "backslashreplace").decode("utf-8")
        self.path = path
        self.repeatable = repeatable
        self._source = source
        self._opened = False
        self._chain: tuple[str, ...] | None = None
        self._kind: str | None = None
        self._first: int | None = None
        self._problem: CaptureError | None = None
        self._examined = False

    def __repr__(self) -> str:
        return f"<CaptureInput {self.name!r}>"

    @property
    def compression(self) -> tuple[str, ...] | None:
        """Layers of compression, outermost first; None where that cannot be told (a pipe not opened yet)."""
        # Not once it is open: the file object of a caller has one position, and is being read.
        if self._chain is None:
            self._examine()
        return self._chain

    @property
    def kind(self) -> str | None:
        """``"pcap"`` or ``"pcapng"``, None where it is neither or a pipe not opened yet."""
        if self._kind is None:
            self._examine()
        return self._kind

    @property
    def first_time(self) -> int | None:
        """Time of the first packet in nanoseconds since 1970; None for pipes, and where it cannot be told."""
        self._examine()
        return self._first

    @property
    def problem(self) -> CaptureError | None:
        """Why the content cannot be looked at; `open` will raise it too."""
        self._examine()
        return self._problem

    def open(self) -> Windows:
        """Open the capture.

        Returns
        -------
        Windows
            A context manager. What is in memory is given out as it is, everything else read as a stream.

        Raises
        ------
        CaptureError
            Where it cannot be opened, is empty or is no capture, or where it was a pipe and is used up.
        """
        if self._opened and not self.repeatable:
            raise CaptureError(self.name, "can be read only once", hint="save it to a file to read it again")
        self._opened = True
        source = self._start()
        try:
            inner, chain = decompressed(source, self.name)
            head = inner.peek(SNIFF)
            kind = sniff(head)
            if kind is None:
                raise self._refusal(inner, chain)
            self._chain, self._kind, self._examined = chain, kind, self._examined or not self.repeatable
            if not chain and isinstance(inner, MemorySource):
                return MemoryWindows(self.name, inner.whole)
        except BaseException:
            source.close()
            raise
        return StreamWindows(self.name, inner, chain)

    def _start(self) -> Source:
        try:
            return self._source()
        except CaptureError:
            raise
        except OSError as error:
            raise CaptureError(self.name, f"cannot be opened: {error.strerror or error}") from error

    def _refusal(self, source: Source, chain: tuple[str, ...]) -> CaptureError:
        """Say why this content is no capture."""
        head = source.peek(DESCRIBE, wait=False)
        inside = f"inside {', '.join(reversed(chain))}: " if chain else ""
        if source.fault is not None:
            return CaptureError(self.name, f"no capture could be read: {source.fault}")
        what, remedy = describe(head)
        if not head:
            return CaptureError(self.name, f"{inside}empty", hint=remedy)
        return CaptureError(self.name, f"{inside}not a capture; this is {what}", hint=remedy)

    def _examine(self) -> None:
        """Look at the first octets, once, where that does not use them up."""
        if self._examined or not self.repeatable:
            return
        self._examined = True
        try:
            source = self._start()
            try:
                inner, self._chain = decompressed(source, self.name)
                head = inner.peek(SNIFF)
                self._kind = sniff(head)
                if self._kind is not None:
                    self._first = first_time(inner.peek(FIRST_TIME))
            finally:
                source.close()
        except CaptureError as error:
            self._problem = error


def expand_inputs(inputs: Any) -> list[CaptureInput]:
    """Find the captures that a caller names.

    Parameters
    ----------
    inputs : str, PathLike, bytes-like, binary file object, or iterable of these
        A string may name a file, a folder (its capture files, recognised by content; not those of folders
        in it), a pattern (``*.pcap``, ``**`` for folders in folders) or, as ``"-"``, standard input. Bytes
        are the capture itself, not its name.

    Returns
    -------
    list of CaptureInput
        Several files come in the order of their first packets, so that a rotated set
        (``tcpdump -C``, ``-W``, ``-G``) reads as one capture; where no times can be told, in the natural
        order of their names. A file named twice is taken once.

    Raises
    ------
    CaptureError
        Where a file does not exist, or a pattern or folder yields nothing.
    UsageError
        Where a capture cannot be read from such an object, or nothing was given.
    """
    items = [inputs] if _is_single(inputs) else _listed(inputs)
    if not items:
        raise UsageError("no capture given; name a file, a folder, a pattern, or - for standard input")
    files: list[CaptureInput] = []
    others: list[CaptureInput] = []
    for item in items:
        if isinstance(item, bytes | bytearray | memoryview):
            others.append(_from_memory(item))
        elif hasattr(item, "read"):
            others.append(_from_object(item))
        elif not isinstance(item, str | os.PathLike):
            raise UsageError(_CANNOT.format(type(item).__name__))
        elif (text := os.fsdecode(os.fspath(item))) == "-":
            if not any(other.name == _STDIN for other in others):
                others.append(CaptureInput(_STDIN, _standard_input, repeatable=False))
        else:
            files.extend(_expand_path(text))
    files = _without_repeats(sorted(files, key=lambda one: natural_key(str(one.path))))
    found = files + others
    return in_order(found, lambda one: one.first_time) if len(found) > 1 else found


def _is_single(inputs: Any) -> bool:
    return isinstance(inputs, str | bytes | bytearray | memoryview | os.PathLike) or hasattr(inputs, "read")


def _listed(inputs: Any) -> list[Any]:
    if not isinstance(inputs, Iterable):
        raise UsageError(_CANNOT.format(type(inputs).__name__))
    return list(inputs)


def _expand_path(text: str) -> list[CaptureInput]:
    path = text
    if text.startswith("~"):
        with contextlib.suppress(RuntimeError):  # no such user: a file of that name, then
            path = str(Path(text).expanduser())
    if not path or "\0" in path:
        raise CaptureError(repr(text), "is no path", hint="name a file, a folder or a pattern")
    if Path(path).is_dir():
        return _captures_in(Path(path))
    if os.path.lexists(path):  # a dangling link too: opening it says so
        return [_from_path(path)]
    if glob.has_magic(path):
        # Not Path.glob: it takes no absolute pattern, and its "*" matches hidden files.
        matches = glob.glob(path, recursive=True)  # noqa: PTH207
        files = [match for match in matches if not Path(match).is_dir()]
        if not files:
            raise CaptureError(text, "no file matches this pattern", hint=_looked_in(Path(path)))
        return [_from_path(file) for file in files]
    raise CaptureError(text, "no such file", hint=_suggestion(Path(path)))


def _looked_in(pattern: Path) -> str:
    folder = pattern.parent
    while glob.has_magic(str(folder)):
        folder = folder.parent
    if not folder.is_dir():
        return f"the folder {folder} does not exist"
    return f"check the pattern; the folder {folder} has {len(_names(folder)):,} entries"


def _suggestion(path: Path) -> str:
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist"
    close = difflib.get_close_matches(path.name, _names(path.parent), n=1, cutoff=0.7)
    return f"did you mean {path.parent / close[0]}?" if close else "check the path"


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


def _captures_in(folder: Path) -> list[CaptureInput]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_file()]
    except OSError as error:
        raise CaptureError(str(folder), f"cannot be listed: {error.strerror or error}") from error
    # A file that cannot be looked at is kept: better to fail on it than to leave its packets out unsaid.
    found = [
        one
        for one in (_from_path(str(folder / name)) for name in names)
        if one.kind is not None or one.problem is not None
    ]
    if not found:
        few = ("there is no file in this folder", "the only file in this folder is no capture")
        raise CaptureError(
            str(folder),
            few[len(names)]
            if len(names) < 2
            else f"none of the {len(names):,} files in this folder is a capture",
            hint=f"for folders in it give a pattern: {folder / '**' / '*.pcap'}",
        )
    return found


def _from_path(path: str) -> CaptureInput:
    try:
        status = Path(path).stat()
    except OSError:
        repeatable = True  # opening it will say what is wrong
    else:
        repeatable = stat.S_ISREG(status.st_mode)

    def source() -> Source:
        return FileSource(Path(path).open("rb", buffering=0), owned=True)

    return CaptureInput(path, source, path=path, repeatable=repeatable)


def _without_repeats(found: list[CaptureInput]) -> list[CaptureInput]:
    """Drop files named already, so that a file caught by two patterns counts once."""
    kept: dict[Any, CaptureInput] = {}
    for one in found:
        key: Any = one.path
        with contextlib.suppress(OSError):
            status = Path(str(one.path)).stat()
            key = (status.st_dev, status.st_ino)
        kept.setdefault(key, one)
    return list(kept.values())


def _from_memory(octets: bytes | bytearray | memoryview) -> CaptureInput:
    try:
        view = memoryview(octets).cast("B")
    except (TypeError, ValueError) as error:
        raise UsageError(f"the octets given are not contiguous memory: {error}") from error
    return CaptureInput("bytes", lambda: MemorySource(view))


def _from_object(file: Any) -> CaptureInput:
    if isinstance(file, io.TextIOBase):
        raise UsageError("the file object is opened for text; open it in binary mode ('rb')")
    name = getattr(file, "name", None)
    shown = name if isinstance(name, str) and name else f"a {type(file).__name__}"
    try:
        start = file.tell() if file.seekable() else None
    except (AttributeError, OSError, ValueError):
        start = None

    def source() -> Source:
        if start is not None:
            file.seek(start)
        return FileSource(file, owned=False)

    return CaptureInput(shown, source, repeatable=start is not None)


def _standard_input() -> Source:
    stream = sys.stdin
    if stream is None:
        raise CaptureError(_STDIN, "is closed", hint="pipe a capture into it")
    if stream.isatty():
        raise CaptureError(
            _STDIN, "is a terminal", hint="pipe a capture into it: tcpdump -U -w - port 53 | ..."
        )
    # Unbuffered: a thread that waits in a buffer's read holds its lock, and Python aborts when it ends meanwhile.
    buffered = getattr(stream, "buffer", stream)
    return FileSource(getattr(buffered, "raw", buffered), owned=False)
