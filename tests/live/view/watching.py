"""Live captures for the view's tests: streams that are watched, what is on the screen, messages of our own."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from textual.app import App

from dnscap.live.frame_ring import FrameRing
from dnscap.live.opening import open_stream
from dnscap.live.session import Session
from dnscap.live.view.watch import Watch
from dnscap.native.recording import Recorder

DATA = Path(__file__).resolve().parents[2] / "data"
LOOKUPS = DATA / "lookups"
BEGINNING = 1_700_000_000_000_000_000
_RAW = 101


class Still(Watch):
    """A watch for which time does not go by."""

    elapsed = 83.0  # type: ignore[assignment]


def watch_of(octets: bytes, *, slow: int | None = None, kind: type[Watch] = Still) -> Watch:
    """What is known after a stream has ended."""
    ring = FrameRing()
    session = Session(open_stream(io.BytesIO(octets)), ring=ring)
    if slow is not None:
        session.totals.threshold = slow
    watch = kind(session, ring)
    while watch.step():
        pass
    watch.source = "eth0"
    last = max((row.time + row.took for row in watch.following), default=BEGINNING)
    watch.now = last + 1_000_000_000
    for place, (_, finding) in enumerate(watch.findings):
        watch.findings[place] = (last, finding)
    return watch


class Growing:
    """A stream that is written while it is watched."""

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        self._stream = os.fdopen(reading, "rb", buffering=0)
        self.ring = FrameRing()
        self.session = Session(open_stream(self._stream), ring=self.ring)
        self.watch = Watch(self.session, self.ring)

    def write(self, octets: bytes, steps: int = 8) -> None:
        """Write some, and let the session look at it."""
        os.write(self._writing, octets)
        for _ in range(steps):
            batch = self.session.step(0.02)
            if batch is not None:
                self.watch.take(batch)
        self.watch.look()

    def end(self) -> None:
        """Nothing more comes."""
        os.close(self._writing)
        while self.watch.step():
            pass
        self._stream.close()


def text_of(app: App[Any]) -> str:
    """What is on the screen, as text without trailing blanks."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips) + "\n"


def name(*labels: bytes) -> bytes:
    """A domain name on the wire."""
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def message(qname: bytes, number: int, answer: bool = False, rcode: int = 0, qtype: int = 1) -> bytes:
    """A query, or a response without records."""
    flags = (0x8180 if answer else 0x0100) | rcode
    return (
        b"".join(part.to_bytes(2, "big") for part in (number, flags, 1, 0, 0, 0))
        + qname
        + (qtype.to_bytes(2, "big") + b"\0\1")
    )


def packet(payload: bytes, client: bytes, server: bytes, port: int, answer: bool = False) -> bytes:
    """An IPv4 packet between a client and port 53 of a server."""
    source, target = (server, client) if answer else (client, server)
    ports = (53, port) if answer else (port, 53)
    udp = b"".join(part.to_bytes(2, "big") for part in (*ports, 8 + len(payload), 0)) + payload
    return b"\x45\0" + (20 + len(udp)).to_bytes(2, "big") + bytes(4) + b"\x40\x11\0\0" + source + target + udp


class Made:
    """A capture of our own making."""

    def __init__(self) -> None:
        self._recorder = Recorder()
        self._recorder.section()
        self._recorder.interface("eth0", _RAW, 0)

    def add(self, packets: Iterable[tuple[int, bytes]]) -> Made:
        """Add packets with their times, in microseconds since the beginning."""
        for at, octets in packets:
            self._recorder.frame(0, BEGINNING + at * 1000, octets, len(octets))
        return self

    def take(self) -> bytes:
        """What was not taken yet."""
        return self._recorder.take()


CLIENT, SERVER, OTHER = b"\x0a\0\0\x05", b"\x0a\0\0\x35", b"\x0a\0\0\x36"


def question(
    at: int, qname: bytes, number: int, server: bytes = SERVER, client: bytes = CLIENT
) -> tuple[int, bytes]:
    """A query and when it is sent."""
    return at, packet(message(qname, number), client, server, 30_000 + number)


def answer(
    at: int, qname: bytes, number: int, rcode: int = 0, server: bytes = SERVER, client: bytes = CLIENT
) -> tuple[int, bytes]:
    """A response and when it comes."""
    return at, packet(message(qname, number, True, rcode), client, server, 30_000 + number, True)
