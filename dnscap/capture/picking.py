"""Chosen frames of a capture by their numbers: one small pass, for writing a few of them out again."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dnscap.capture.inputs import CaptureInput

LARGEST_RECORD = 64 << 20
"""Octets of a packet record or pcapng block; one that claims more is damage, and the pass ends there."""

_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000, 16),
    b"\xa1\xb2\xc3\xd4": (">", 1000, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 1, 16),
    b"\xa1\xb2\x3c\x4d": (">", 1, 16),
    b"\x34\xcd\xb2\xa1": ("<", 1000, 24),
    b"\xa1\xb2\xcd\x34": (">", 1000, 24),
}
"""Octets that begin a pcap file: byte order, nanoseconds of a fraction unit, octets of a record header."""

_SECTION, _INTERFACE, _PACKET, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_TSRESOL, _TSOFFSET = 9, 14


@dataclass(frozen=True, slots=True)
class PickedFrame:
    """A frame as it stands in its file.

    Attributes
    ----------
    number : int
        In its file, from 1.
    time : int
        Nanoseconds since 1970.
    link_type : int
        Link type as libpcap numbers it.
    wire_size : int
        Octets on the wire; more than there are where the snap length cut it.
    octets : bytes
        As captured.
    """

    number: int
    time: int
    link_type: int
    wire_size: int
    octets: bytes


class _Reader:
    """Octets of windows, taken in pieces of known size."""

    def __init__(self, item: CaptureInput) -> None:
        self._windows = item.open()

    def close(self) -> None:
        self._windows.close()

    def take(self, count: int) -> bytes | None:
        """The next `count` octets, or None where there are not so many."""
        self._windows.want(count)
        while True:
            view, last = self._windows.view()
            have = len(view)
            if have >= count:
                octets = bytes(view[:count])
                view.release()
                self._windows.used(count)
                return octets
            view.release()
            if last:
                return None
            self._windows.want(count)


def pick_frames(
    item: CaptureInput, wanted: Callable[[int, bytes], bool], *, last: int
) -> Iterator[PickedFrame]:
    """Give the frames of one capture that are wanted.

    Parameters
    ----------
    item : CaptureInput
        The capture; one that can be read only once gives nothing a second time.
    wanted : callable
        Takes a frame's number and octets and says whether it is.
    last : int
        Number of the frame after which nothing is wanted any more.
    """
    reader = _Reader(item)
    try:
        magic = reader.take(4)
        if magic is None:
            return
        frames = _pcap(reader, *_MAGICS[magic]) if magic in _MAGICS else _pcapng(reader, magic)
        for frame in frames:
            if frame.number > last:
                return
            if wanted(frame.number, frame.octets):
                yield frame
    finally:
        reader.close()


def _pcap(reader: _Reader, order: str, unit: int, header_size: int) -> Iterator[PickedFrame]:
    header = reader.take(20)
    if header is None:
        return
    # The upper bits of the link type hold the length of a frame check sequence.
    link_type = struct.unpack(order + "I", header[16:])[0] & 0x0FFFFFFF
    record = struct.Struct(order + "IIII")
    number = 0
    while (head := reader.take(header_size)) is not None:
        seconds, fraction, captured, size = record.unpack(head[:16])
        if captured > LARGEST_RECORD or (octets := reader.take(captured)) is None:
            return
        number += 1
        yield PickedFrame(number, seconds * 1_000_000_000 + fraction * unit, link_type, size, octets)


def _pcapng(reader: _Reader, magic: bytes) -> Iterator[PickedFrame]:
    order = "<"
    interfaces: list[tuple[int, int, int, int]] = []  # link type, units a second, offset, snap length
    number = 0
    head: bytes | None = magic
    while head is not None:
        rest = reader.take(8 if head == b"\x0a\x0d\x0d\x0a" else 4)
        if rest is None:
            return
        if head == b"\x0a\x0d\x0d\x0a":
            order = "<" if rest[4:] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
            size = struct.unpack(order + "I", rest[:4])[0] - 12
            kind = _SECTION
        else:
            kind, size = struct.unpack(order + "II", head + rest)
            size -= 8
        if not 4 <= size <= LARGEST_RECORD or (body := reader.take(size)) is None:
            return
        body = body[:-4]
        if kind == _INTERFACE and len(body) >= 8:
            interfaces.append(_interface(order, body))
        elif kind in (_ENHANCED, _PACKET, _SIMPLE):
            number += 1
            frame = _frame(order, kind, body, interfaces, number)
            if frame is not None:
                yield frame
        head = reader.take(4)


def _interface(order: str, body: bytes) -> tuple[int, int, int, int]:
    link_type, _, snaplen = struct.unpack(order + "HHI", body[:8])
    units, offset, at = 1_000_000, 0, 8
    while at + 4 <= len(body):
        code, length = struct.unpack(order + "HH", body[at : at + 4])
        value = body[at + 4 : at + 4 + length]
        if code == 0:
            break
        if code == _TSRESOL and length == 1:
            exponent = value[0] & 0x7F
            units = 2 ** min(exponent, 63) if value[0] & 0x80 else 10 ** min(exponent, 18)
        elif code == _TSOFFSET and length == 8:
            offset = struct.unpack(order + "q", value)[0]
        at += 4 + length + (-length) % 4
    return link_type, units, offset, snaplen


def _frame(
    order: str, kind: int, body: bytes, interfaces: list[tuple[int, int, int, int]], number: int
) -> PickedFrame | None:
    if kind == _SIMPLE:
        if len(body) < 4 or not interfaces:
            return None
        size = struct.unpack(order + "I", body[:4])[0]
        link_type, _, _, snaplen = interfaces[0]
        captured = min(size, snaplen or size, len(body) - 4)
        return PickedFrame(number, 0, link_type, size, body[4 : 4 + captured])
    if len(body) < 20:
        return None
    if kind == _PACKET:
        place, _, high, low, captured, size = struct.unpack(order + "HHIIII", body[:20])
    else:
        place, high, low, captured, size = struct.unpack(order + "IIIII", body[:20])
    if place >= len(interfaces):
        return None
    link_type, units, offset, _ = interfaces[place]
    ticks = high << 32 | low
    time = offset * 1_000_000_000 + ticks * 1_000_000_000 // units
    return PickedFrame(number, time, link_type, size, body[20 : 20 + captured])
