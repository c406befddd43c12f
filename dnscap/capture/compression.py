"""Compression: recognised by content, taken off while streaming, in memory that no data can make grow."""

from __future__ import annotations

import bz2
import importlib
import lzma
import re
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from dnscap.capture.sources import Source
from dnscap.errors import CaptureError

#: Compression inside compression that is followed; `capture.pcap.gz` in a backup of backups needs two.
MAX_DEPTH = 3

#: Octets that one call of a decompressor may give. Small enough that a bomb cannot hurt, large enough that
#: the call itself costs nothing beside the work.
OUTPUT_STEP = 256 << 10

#: Compressed octets read at a time.
RAW_BLOCK = 256 << 10

#: A stream that has grown by more than this factor is taken for a bomb, though only ...
BOMB_RATIO = 1_000
#: ... after this many octets: an hour of one repeated packet may well shrink a thousandfold.
BOMB_FLOOR = 1 << 30

#: Largest zstd window accepted, as a power of two: the default limit of the zstd tool, 128 MiB.
ZSTD_WINDOW_LOG = 27
#: Memory for an xz dictionary: `xz -9` needs 65 MiB, a hostile header may ask for 1.5 GiB.
XZ_MEMORY = 192 << 20

#: Octets that tell the compression of a stream.
RECOGNISE = 16

_ZEROS = re.compile(rb"\0*")


class Decompressor(Protocol):
    """What the decompressor objects of the standard library have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: Any, max_length: int = -1) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Codec:
    """One kind of compression.

    Attributes
    ----------
    name : str
        As it stands in file names: ``gz``, ``zst``, ``xz``, ``bz2``, ``lz4``.
    start : callable
        Makes a decompressor for one member (frame, stream).
    errors : tuple of exception types
        What it raises on damaged data.
    least, most : int
        Compressed octets handed over at a time. A decompressor that meets damage throws away what the
        same call had already produced; so pieces begin small and grow with what was read, and what is
        lost stays near a sixty-fourth of the member. gz alone can take back a call and loses nothing.
    """

    name: str
    start: Callable[[], Decompressor]
    errors: tuple[type[Exception], ...]
    least: int = 128
    most: int = 16 << 10


class _Gunzip:
    """One gzip member through zlib, with the face of the other decompressors."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._tail = b""
        self._error: zlib.error | None = None
        self.eof = False
        self.needs_input = True
        self.unused_data = b""

    def decompress(self, data: Any, max_length: int = -1) -> bytes:
        if self._error is not None:
            raise self._error
        if self._tail:
            data = self._tail + bytes(data)
        before = self._zlib.copy()
        try:
            out = self._zlib.decompress(data, max_length)
        except zlib.error as error:
            self._error, self.needs_input = error, False
            out = _salvage(before, bytes(data))
            if not out:
                raise
            return out
        self._tail = self._zlib.unconsumed_tail
        self.eof = self._zlib.eof
        self.unused_data = self._zlib.unused_data
        # With a full output zlib may hold more back even though it has swallowed all input.
        self.needs_input = not self._tail and len(out) < max_length
        return out


def _salvage(before: Any, data: bytes) -> bytes:
    """Repeat a failed call in ever smaller steps and keep what comes out before the damage.

    The failed call gave up before it reached its output limit, so the steps need no limit of their own.
    """
    good = []
    step = len(data)
    while data and step:
        trial = before.copy()
        try:
            good.append(trial.decompress(data[:step]))
        except zlib.error:
            step //= 8
            continue
        before, data = trial, data[step:]
    return b"".join(good)


def _xz() -> Decompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


def _zstd_module() -> Any:
    # By version, not by trying: an unrelated "compression" of the user's must not be imported.
    return importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


def _gz_codec() -> Codec:
    return Codec("gz", _Gunzip, (zlib.error,), least=16 << 10, most=64 << 10)


def _xz_codec() -> Codec:
    return Codec("xz", _xz, (lzma.LZMAError,))


def _bz2_codec() -> Codec:
    return Codec("bz2", bz2.BZ2Decompressor, (OSError, ValueError))


def _zst_codec() -> Codec:
    zstd = _zstd_module()
    options = {zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG}
    return Codec("zst", lambda: zstd.ZstdDecompressor(options=options), (zstd.ZstdError,))


def _lz4_codec() -> Codec:
    return Codec("lz4", importlib.import_module("lz4.frame").LZ4FrameDecompressor, (RuntimeError,))


_CODECS: dict[str, tuple[Callable[[], Codec], str]] = {
    "gz": (_gz_codec, "zlib"),
    "xz": (_xz_codec, "lzma"),
    "bz2": (_bz2_codec, "bz2"),
    "zst": (_zst_codec, "backports.zstd"),
    "lz4": (_lz4_codec, "lz4"),
}

_MAGICS = (
    (b"\x1f\x8b\x08", "gz"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
    (b"\x04\x22\x4d\x18", "lz4"),
)


def recognise(first_octets: bytes) -> str | None:
    """Name the compression of a stream.

    Parameters
    ----------
    first_octets : bytes
        The first octets of the stream; 16 are enough.

    Returns
    -------
    str or None
        ``"gz"``, ``"zst"``, ``"xz"``, ``"bz2"``, ``"lz4"`` or None.
    """
    head = bytes(first_octets[:RECOGNISE])
    for magic, name in _MAGICS:
        if head.startswith(magic):
            return name
    # bzip2: "BZh", level, then the magic of a first block or of an empty stream.
    if re.match(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", head):
        return "bz2"
    # Skippable frames belong to zstd and lz4 alike (RFC 8878, 3.1.2). pzstd begins with one of 4 octets;
    # what follows it decides.
    if len(head) >= 8 and head[0] & 0xF0 == 0x50 and head[1:4] == b"\x2a\x4d\x18":
        follows = head[8 + int.from_bytes(head[4:8], "little") :]
        return "lz4" if follows.startswith(b"\x04\x22\x4d\x18") else "zst"
    return None


def codec(kind: str, name: str) -> Codec:
    """Find the codec for one kind of compression.

    Raises
    ------
    CaptureError
        Where the package that decompresses it is not installed.
    """
    make, package = _CODECS[kind]
    try:
        return make()
    except ImportError:
        raise CaptureError(
            name,
            f"compressed with {kind}, and the package {package} that reads it is not installed",
            hint="pip install 'dnscap[compression]', or decompress the file first",
        ) from None


class Inflater(Source):
    """Takes one layer of compression off another source.

    Members (gzip members, zstd and lz4 frames, xz and bz2 streams) that follow one another are one stream.
    """

    def __init__(self, source: Source, codec: Codec) -> None:
        super().__init__()
        self._source = source
        self._codec = codec
        self._decompressor: Decompressor | None = None
        self._members = 0
        self._buffer = bytearray(RAW_BLOCK)
        self._window = memoryview(self._buffer)
        self._at = self._end = 0
        self._taken = 0  # compressed octets used so far
        self._member_taken = 0
        self._member_produced = 0
        self._produced = 0

    @property
    def position(self) -> int:
        return self._source.position

    @property
    def size(self) -> int | None:
        return self._source.size

    def close(self) -> None:
        self._source.close()

    def _fill(self, target: memoryview, wait: bool) -> int | None:
        limit = min(len(target), OUTPUT_STEP)
        while not self.fault:
            if self._decompressor is None:
                more = self._next_member(wait)
                if not more:
                    return more
            decompressor = self._decompressor
            assert decompressor is not None
            piece = self._window[:0]
            if decompressor.needs_input:
                got = self._refill(wait)
                if got is None:
                    return None
                if not got:
                    self.fault = self._source.fault or self._cut()
                    return 0
                piece = self._window[self._at : min(self._end, self._at + self._piece())]
                self._advance(len(piece))
            try:
                out = decompressor.decompress(piece, limit)
            except self._codec.errors as error:
                self.fault = self._damaged(error)
                return 0
            if decompressor.eof:
                # Input is only handed over when all before it is used up: what is left is the end of `piece`.
                self._advance(-len(decompressor.unused_data or b""))
                self._decompressor = None
            if out:
                self._member_produced += len(out)
                self._produced += len(out)
                target[: len(out)] = out
                self._weigh()
                return len(out)
        return 0

    def _piece(self) -> int:
        return max(self._codec.least, min(self._codec.most, self._member_taken >> 6))

    def _advance(self, count: int) -> None:
        self._at += count
        self._taken += count
        self._member_taken += count

    def _refill(self, wait: bool) -> int | None:
        """Have compressed octets at hand; 0 at the end, None where they would have to be awaited."""
        if self._at < self._end:
            return self._end - self._at
        got = self._source.read_into(self._window, wait)
        if got:
            self._at, self._end = 0, got
        return got

    def _next_member(self, wait: bool) -> int | None:
        """Begin the next member, if one follows; zero octets between members are padding."""
        while True:
            got = self._refill(wait)
            if not got:
                self.fault = self._source.fault
                return got
            match = _ZEROS.match(self._buffer, self._at, self._end) if self._members else None
            if match is not None:
                self._advance(match.end() - self._at)
            if self._at < self._end:
                break
        self._decompressor = self._codec.start()
        self._members += 1
        self._member_taken = self._member_produced = 0
        return 1

    def _weigh(self) -> None:
        """Stop at what can only be a bomb; the octets given so far stand."""
        if self._produced > BOMB_FLOOR and self._produced > BOMB_RATIO * max(self._source.position, 1):
            self.fault = (
                f"{self._codec.name} data that grows more than {BOMB_RATIO:,} times is taken for a "
                f"decompression bomb; stopped after {self._produced:,} octets"
            )

    def _cut(self) -> str:
        return f"{self._codec.name} data is cut short after {self._taken:,} compressed octets"

    def _damaged(self, error: Exception) -> str:
        reason = str(error) or type(error).__name__
        if self._members > 1 and not self._member_produced and self._member_taken <= self._codec.least:
            start = self._taken - self._member_taken
            return (
                f"what follows the {self._codec.name} data at {start:,} compressed octets is something else"
            )
        return f"{self._codec.name} data is damaged at about {self._taken:,} compressed octets ({reason})"


def decompressed(source: Source, name: str) -> tuple[Source, tuple[str, ...]]:
    """Take off all layers of compression.

    Returns
    -------
    source : Source
        The innermost content.
    chain : tuple of str
        Names of the layers, outermost first.
    """
    chain: list[str] = []
    while (kind := recognise(source.peek(RECOGNISE))) is not None:
        if len(chain) == MAX_DEPTH:
            raise CaptureError(
                name,
                f"compressed more than {MAX_DEPTH} times over ({', '.join([*chain, kind])})",
                hint="decompress it first",
            )
        chain.append(kind)
        source = Inflater(source, codec(kind, name))
    return source, tuple(chain)
