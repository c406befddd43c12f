"""The frames of one lookup as a small pcapng, each with a comment that says what it is."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

from dnscap.capture.inputs import CaptureInput
from dnscap.capture.picking import PickedFrame, pick_frames
from dnscap.output.cells import duration, safe

_LONGEST_COMMENT = 1_000
"""Octets of a comment: names are at most 1,016 characters in presentation format."""

FRAGMENT_WINDOW = 200
"""Frames before the one that completed a message among which its fragments are looked for."""


class FrameNotes:
    """Which frames of one file belong to a lookup, and what each is."""

    def __init__(self) -> None:
        self.comments: dict[int, str] = {}
        self.streams: list[tuple[int, int, tuple[bytes, ...], tuple[bytes, bytes], str]] = []
        self.fragmented: list[tuple[int, tuple[bytes, bytes], str]] = []
        """Completing frame, addresses as they stand in the packet, comment."""

    def add(self, frame: int, comment: str) -> None:
        """Note a frame."""
        known = self.comments.get(frame)
        self.comments[frame] = f"{known}; {comment}" if known else comment

    def add_stream(self, first: int, last: int, row: dict[str, Any], comment: str) -> None:
        """Note all frames of a TCP connection; `row` has client, server and their ports."""
        client, server = packed(row["client"]), packed(row["server"])
        ports = struct.pack("!HH", row["client_port"], row["server_port"])
        back = ports[2:] + ports[:2]
        if client and server:
            self.streams.append((first, last, (client + server, server + client), (ports, back), comment))

    @property
    def last(self) -> int:
        """The last frame of interest."""
        return max([*self.comments, *(last for _, last, *_ in self.streams)], default=0)

    def wanted(self, number: int, octets: bytes) -> bool:
        """Whether a frame belongs to the lookup; notes what it is."""
        if number in self.comments:
            return True
        for first, last, ways, ports, comment in self.streams:
            if first <= number <= last and any(
                way in octets and port in octets for way, port in zip(ways, ports, strict=True)
            ):
                self.comments[number] = comment
                return True
        return any(
            completing - FRAGMENT_WINDOW <= number < completing and is_fragment(octets, addresses)
            for completing, addresses, _ in self.fragmented
        )


def packed(address: str) -> bytes:
    """An address as octets; none where it is not one."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).packed
    except ValueError:
        return b""


def is_fragment(octets: bytes, addresses: tuple[bytes, bytes]) -> bool:
    """Whether a frame is a fragment of a packet between these two addresses."""
    at = octets.find(addresses[0] + addresses[1])
    if at < 0:
        return False
    if len(addresses[0]) == 4:
        # IPv4: flags and offset stand six octets before the addresses' place less six.
        return at >= 12 and bool(struct.unpack("!H", octets[at - 6 : at - 4])[0] & 0x3FFF)
    return at >= 8 and octets[at - 2] == 44  # IPv6: next header is the fragment header


def query_comment(lookup: dict[str, Any], row: dict[str, Any]) -> str:
    """What a query's frame is to its lookup."""
    return (
        f"lookup {lookup['lookup']}: {row['role'] or 'query'} {row['qtype']} {safe(row['qname'] or '?')} to "
        f"{row['server']}"
    )


def response_comment(lookup: dict[str, Any], row: dict[str, Any]) -> str:
    """What a response's frame is to its lookup."""
    took = f" after {duration(row['latency'])}" if row["latency"] is not None else ""
    return (
        f"lookup {lookup['lookup']}: {row['outcome']} from {row['server']}{took} to {row['qtype']} "
        f"{safe(row['qname'] or '?')}"
    )


def notes_of(
    lookup: dict[str, Any],
    exchanges: Sequence[dict[str, Any]],
    messages: dict[int, dict[str, Any]],
    connections: Sequence[dict[str, Any]],
    file_of: dict[int, str],
) -> dict[str, FrameNotes]:
    """Frames of a lookup by the file that they stand in.

    Parameters
    ----------
    lookup, exchanges
        Rows of their tables.
    messages : dict
        Rows of the messages table (frame, frames, source, stream) by number, for those of the exchanges.
    connections : sequence of dict
        Rows of the connections table of their streams.
    file_of : dict
        Name of the file of each source.
    """
    files: dict[str, FrameNotes] = {}
    for row in exchanges:
        for number, comment in (
            (row["query"], query_comment(lookup, row)),
            (row["response"], response_comment(lookup, row)),
        ):
            message = messages.get(number) if number is not None else None
            if message is None:
                continue
            notes = files.setdefault(file_of[message["source"]], FrameNotes())
            notes.add(message["frame"], comment)
            if (message["frames"] or 1) > 1 and message["stream"] is None:
                source, target = packed(message["src"]), packed(message["dst"])
                notes.fragmented.append((message["frame"], (source, target), comment))
    for row in connections:
        notes = files.setdefault(file_of[row["source"]], FrameNotes())
        notes.add_stream(
            row["first_frame"],
            row["last_frame"],
            row,
            f"lookup {lookup['lookup']}: TCP connection to {row['server']}",
        )
    return files


def save_frames(
    stream: BinaryIO, inputs: Sequence[CaptureInput], files: dict[str, FrameNotes], title: str
) -> int:
    """Write the frames noted, in order of time, as pcapng; give how many.

    Parameters
    ----------
    stream : binary file object
        Where to write.
    inputs : sequence of CaptureInput
        The captures that the frames stand in.
    files : dict of str to FrameNotes
        By the name of the input.
    title : str
        Comment of the whole file.
    """
    found: list[tuple[PickedFrame, str]] = []
    for item in inputs:
        notes = files.get(item.name)
        if notes is None:
            continue
        for frame in pick_frames(item, notes.wanted, last=notes.last):
            found.append((frame, notes.comments.get(frame.number, "fragment")))
    return write_frames(stream, found, title)


def write_frames(stream: BinaryIO, found: list[tuple[PickedFrame, str]], title: str) -> int:
    """Write frames, each with a comment, in order of time as pcapng; give how many.

    Parameters
    ----------
    stream : binary file object
        Where to write.
    found : list of tuple
        Frames and comments.
    title : str
        Comment of the whole file.
    """
    found = sorted(found, key=lambda pair: pair[0].time)
    stream.write(_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _options([(1, title)])))
    place: dict[int, int] = {}
    for frame, _ in found:
        if frame.link_type not in place:
            place[frame.link_type] = len(place)
            # option 9: times count nanoseconds
            body = (
                struct.pack("<HHI", frame.link_type, 0, 0)
                + struct.pack("<HHB3x", 9, 1, 9)
                + struct.pack("<HH", 0, 0)
            )
            stream.write(_block(1, body))
    for frame, comment in found:
        octets = frame.octets
        body = struct.pack(
            "<IIIII",
            place[frame.link_type],
            frame.time >> 32,
            frame.time & 0xFFFFFFFF,
            len(octets),
            frame.wire_size,
        )
        stream.write(_block(6, body + octets + b"\0" * (-len(octets) % 4) + _options([(1, comment)])))
    return len(found)


def _options(options: list[tuple[int, str]]) -> bytes:
    out = b""
    for code, text in options:
        value = text.encode("utf-8", "replace")[:_LONGEST_COMMENT]
        value = value.decode("utf-8", "ignore").encode()
        out += struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)
    return out + struct.pack("<HH", 0, 0)


def _block(kind: int, body: bytes) -> bytes:
    size = 12 + len(body)
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)
