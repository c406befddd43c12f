"""Where output goes: standard output, or a file that appears only when it is whole."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from dnscap.errors import UsageError

_LONGEST_NAME = 200
"""Octets of a temporary file's name taken from the target's; file systems allow 255."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""What a disk says that takes no more."""


def check_target(path: str | os.PathLike[str] | None, inputs: Iterable[str] = ()) -> None:
    """Say before any work is done that a file cannot be written, or is one that is to be read.

    Parameters
    ----------
    path : path or None
        Where to write; ``None`` and ``-`` are standard output.
    inputs : iterable of str
        Names of the files to be read.

    Raises
    ------
    UsageError
        It would replace an input, or there is no folder for it.
    """
    if path is None or os.fspath(path) == "-":
        return
    for one in inputs:
        with contextlib.suppress(OSError):
            if Path(path).samefile(one):
                raise UsageError(f"{os.fspath(path)}: is a capture to be read; name another file to write to")
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise UsageError(f"{os.fspath(path)}: cannot be written: there is no folder {folder}")


@contextlib.contextmanager
def output_stream(path: str | os.PathLike[str] | None) -> Iterator[BinaryIO]:
    """Open what ``-o`` names for writing in binary.

    A regular file is written beside its place under a temporary name and renamed when the block
    ends well, so that no reader meets half a file and an old one survives a failure.  A device or a
    named pipe is written directly; ``None`` and ``-`` are standard output, flushed but not closed.

    Parameters
    ----------
    path : path or None
        Where to write; an existing file is replaced, a symbolic link followed.

    Raises
    ------
    UsageError
        The file cannot be made, or takes no more.
    """
    try:
        yield from _stream(path)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        name = "standard output" if path is None or os.fspath(path) == "-" else os.fspath(path)
        raise UsageError(f"{name}: cannot be written: {error.strerror}") from None


def _stream(path: str | os.PathLike[str] | None) -> Iterator[BinaryIO]:
    if path is None or os.fspath(path) == "-":
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    # what the name leads to is replaced, not a link on the way
    target = Path(os.path.realpath(path))
    try:
        old = target.stat()
    except OSError:
        old = None
    if old is not None and not stat.S_ISREG(old.st_mode):
        with _open(path, target, "wb") as direct:
            yield direct
        return

    beginning = os.fsdecode(os.fsencode(target.name)[:_LONGEST_NAME])
    temporary = target.with_name(f".{beginning}.{os.urandom(4).hex()}.part")
    stream = _open(path, temporary, "xb")
    try:
        with stream:
            yield stream
        if old is not None:
            temporary.chmod(stat.S_IMODE(old.st_mode))
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _open(path: str | os.PathLike[str], file: Path, mode: str) -> BinaryIO:
    try:
        return file.open(mode)  # type: ignore[return-value]
    except OSError as error:
        raise UsageError(f"{os.fspath(path)}: cannot be written: {error.strerror}") from None
