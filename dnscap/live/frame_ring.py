"""The latest frames of a live capture, so that those of a lookup can be saved after it was seen to be slow."""

from __future__ import annotations

import struct
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dnscap.capture.picking import PickedFrame
from dnscap.explain.saving import is_fragment, packed, query_comment, response_comment
from dnscap.native.recording import block_end, first_time

MOST_OCTETS = 64 << 20
"""Octets of frames remembered: some minutes of a thousand queries a second, half a minute of ten thousand."""

CHUNK = 256 << 10
"""Octets after which a chunk is full: chunks are forgotten as a whole."""

MOST_HELD = 2_000
"""Lookups whose frames are held back when their chunk goes."""

MOST_FRAMES = 500
"""Frames held back of one lookup."""

SLACK = 1_000_000_000
"""Nanoseconds by which a frame may be out of order, and a fragment away from the one that completed its packet."""

AFTERWARDS = 100_000_000
"""Nanoseconds for which TCP connections of a lookup that is over are followed: how they are closed."""

_TCP = 6
_FAR = 1 << 62
_INTERFACE, _PACKET = 1, 6
_HEAD = struct.Struct("=II")
_PACKET_HEAD = struct.Struct("=IIIII")


@dataclass
class Traces:
    """How to tell the frames of one lookup.

    Attributes
    ----------
    client : bytes
        Its address.
    first, last : int
        Between which times its frames lie, nanoseconds since the epoch.
    comments : dict of int to str
        What the frame of a time is.
    connections : list of tuple
        Pairs of addresses and ports, as they stand in packets of either direction, of TCP connections; no ports where
        they are not known.
    """

    client: bytes
    first: int
    last: int
    comments: dict[int, str] = field(default_factory=dict)
    connections: list[tuple[tuple[bytes, bytes], tuple[bytes, bytes], str]] = field(default_factory=list)

    @classmethod
    def of(cls, lookup: dict[str, Any], sent: Sequence[dict[str, Any]]) -> Traces:
        """Those of a lookup, from its row and those of its exchanges."""
        client = packed(lookup["client"])
        end = lookup["time"] + (lookup["duration"] or 0)
        traces = cls(client, lookup["time"], end)
        for row in sent:
            traces.comments[row["time"]] = query_comment(lookup, row)
            traces.last = max(traces.last, row["time"])
            if row["latency"] is not None:
                traces.comments[row["time"] + row["latency"]] = response_comment(lookup, row)
                traces.last = max(traces.last, row["time"] + row["latency"])
            if row["transport"] == "tcp" and client and (server := packed(row["server"])):
                ports = struct.pack("!HH", row["client_port"], row.get("server_port") or 53)
                ways, turned = (client + server, server + client), ports[2:] + ports[:2]
                comment = f"lookup {lookup['lookup']}: TCP connection to {row['server']}"
                traces.connections.append((ways, (ports, turned), comment))
        if not traces.connections and any(row["outcome"] == "truncated" for row in sent):
            # It may have tried TCP in vain, from a port that no query tells.
            for address in dict.fromkeys(row["server"] for row in sent):
                if client and (server := packed(address)):
                    comment = f"lookup {lookup['lookup']}: TCP to {address}"
                    traces.connections.append(((client + server, server + client), (b"", b""), comment))
        return traces

    def comment(self, time: int, octets: bytes) -> str | None:
        """What a frame is to the lookup; None where nothing."""
        told = self.comments.get(time)
        if told is not None and self.client in octets:
            return told
        if self.first <= time <= self.last + AFTERWARDS:
            for ways, ports, comment in self.connections:
                if any(
                    _is_tcp(octets, way) and port in octets for way, port in zip(ways, ports, strict=True)
                ):
                    return comment
        return None


class FrameRing:
    """Remembers the latest frames, and those of some lookups for longer; safe between threads.

    Parameters
    ----------
    most : int
        Octets remembered.
    """

    def __init__(self, most: int = MOST_OCTETS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._links: list[int] = []
        """Link types by the number of the interface."""
        self._chunks: deque[tuple[int, bytes | bytearray]] = deque()  # time of the first frame, whole blocks
        self._octets = 0
        self._traces: dict[int, Traces] = {}
        self._frames: dict[int, list[tuple[PickedFrame, str]]] = {}

    def write(self, blocks: Any) -> None:
        """Remember whole blocks, as `dnscap.native.recording` makes them."""
        with self._lock:
            octets = bytes(blocks)
            _, declared = block_end(octets, 0, _FAR, _FAR)
            for start, _ in declared:
                self._links.append(struct.unpack_from("=H", octets, start + 8)[0])
            last = self._chunks[-1][1] if self._chunks else b""
            if isinstance(last, bytearray) and len(last) + len(octets) <= CHUNK:
                last.extend(octets)
            else:
                # What is large stays as it is: a chunk that grows leaves holes behind.
                chunk = octets if 4 * len(octets) > CHUNK else bytearray(octets)
                self._chunks.append((first_time(octets) or 0, chunk))
            self._octets += len(octets)
            while self._octets > self._most and len(self._chunks) > 1:
                self._forget_one()

    def _forget_one(self) -> None:
        start, chunk = self._chunks.popleft()
        self._octets -= len(chunk)
        end = self._chunks[0][0] + SLACK
        near = {n: t for n, t in self._traces.items() if t.last + SLACK >= start and t.first <= end}
        if not near:
            return
        for number, frame, comment in self._matching(chunk, near):
            kept = self._frames.setdefault(number, [])
            if len(kept) < MOST_FRAMES:
                kept.append((frame, comment))

    def hold(self, number: int, traces: Traces) -> None:
        """Hold back the frames of a lookup when they would be forgotten."""
        with self._lock:
            if number in self._traces or len(self._traces) < MOST_HELD:
                self._traces[number] = traces

    def release(self, number: int) -> None:
        """The frames of a lookup are not wanted any more."""
        with self._lock:
            self._traces.pop(number, None)
            self._frames.pop(number, None)

    def frames_of(self, wanted: dict[int, Traces]) -> list[tuple[PickedFrame, str]]:
        """Frames of some lookups, each once, as far as they are remembered; with what each is."""
        with self._lock:
            found: dict[tuple[int, bytes], tuple[PickedFrame, str]] = {}
            for number in wanted:
                for frame, comment in self._frames.get(number, ()):
                    found[frame.time, frame.octets] = frame, comment
            first = min((traces.first for traces in wanted.values()), default=0) - 2 * SLACK
            last = max((traces.last for traces in wanted.values()), default=0) + 2 * SLACK
            chunks = [chunk for start, chunk in self._chunks if start <= last]
            ends = [*[start for start, _ in self._chunks][1:], _FAR]
            near = [chunk for chunk, end in zip(chunks, ends, strict=False) if end >= first]
            fragments = []
            for chunk in near:
                for _, frame, comment in self._matching(chunk, wanted):
                    found[frame.time, frame.octets] = frame, comment
                    fragments += [
                        (frame.time, between)
                        for traces in wanted.values()
                        if (between := _fragment_of(frame.octets, traces.client))
                    ]
            if fragments:
                for chunk in near:
                    for frame in self._walk(chunk):
                        if any(
                            abs(frame.time - at) <= SLACK and is_fragment(frame.octets, between)
                            for at, between in fragments
                        ):
                            found.setdefault((frame.time, frame.octets), (frame, "fragment"))
            return list(found.values())

    def _matching(
        self, chunk: bytes | bytearray, wanted: dict[int, Traces]
    ) -> Iterator[tuple[int, PickedFrame, str]]:
        times: dict[int, list[int]] = {}
        for number, traces in wanted.items():
            for time in traces.comments:
                times.setdefault(time, []).append(number)
        connecting = [number for number, traces in wanted.items() if traces.connections]
        for frame in self._walk(chunk):
            for number in (*times.get(frame.time, ()), *connecting):
                comment = wanted[number].comment(frame.time, frame.octets)
                if comment is not None:
                    yield number, frame, comment
                    break

    def _walk(self, chunk: bytes | bytearray) -> Iterator[PickedFrame]:
        at = 0
        while at + 12 <= len(chunk):
            kind, size = _HEAD.unpack_from(chunk, at)
            if size < 12:
                return
            if kind == _PACKET and size >= 32:
                interface, high, low, captured, wire = _PACKET_HEAD.unpack_from(chunk, at + 8)
                link = self._links[interface] if interface < len(self._links) else 1
                octets = bytes(chunk[at + 28 : at + 28 + captured])
                yield PickedFrame(0, high << 32 | low, link, wire, octets)
            at += size


def _is_tcp(octets: bytes, between: bytes) -> bool:
    """Whether a frame is a TCP segment between two addresses."""
    at = octets.find(between)
    return at >= 3 and octets[at - (3 if len(between) == 8 else 2)] == _TCP


def _fragment_of(octets: bytes, client: bytes) -> tuple[bytes, bytes] | None:
    """Addresses of a frame that is an IP fragment sent to the client; None where it is none."""
    size = len(client)
    at = octets.find(client)
    while size and at >= 0:
        if at >= size and is_fragment(octets, (octets[at - size : at], client)):
            return octets[at - size : at], client
        at = octets.find(client, at + 1)
    return None
