"""A capture of two made-up messages run through everything, so that all that is loaded lazily is there."""

from __future__ import annotations

import io

import pyarrow as pa

from dnscap.arrays import array_of
from dnscap.live.feeds import Feed
from dnscap.live.session import Session
from dnscap.native.recording import Recorder

_QUESTION = b"\x07example\x00\x00\x01\x00\x01"
_QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + _QUESTION
_ANSWER = b"\x12\x34\x81\x82\x00\x01\x00\x00\x00\x00\x00\x00" + _QUESTION
_RAW = 101


def _packet(payload: bytes, answer: bool) -> bytes:
    source, target = (b"\x7f\0\0\2", b"\x7f\0\0\1") if answer else (b"\x7f\0\0\1", b"\x7f\0\0\2")
    ports = (53, 4096) if answer else (4096, 53)
    udp = b"".join(n.to_bytes(2) for n in (*ports, 8 + len(payload), 0)) + payload
    return b"\x45\0" + (20 + len(udp)).to_bytes(2) + bytes(4) + b"\x40\x11\0\0" + source + target + udp


class _Once(Feed):
    name = "rehearsal"
    fault = None
    running = False

    def __init__(self) -> None:
        recorder = Recorder()
        recorder.section()
        recorder.interface("rehearsal", _RAW, 0)
        for number in range(2):
            packet = _packet(_ANSWER if number else _QUERY, bool(number))
            recorder.frame(0, 1_700_000_000_000_000_000 + number * 5_000_000_000, packet, len(packet))
        self._octets: bytes | None = recorder.take()

    def start(self, frames: int = 0) -> None:
        pass

    def take(self, seconds: float) -> bytes | None:
        octets, self._octets = self._octets, None
        return octets

    def stop(self) -> None:
        pass


def rehearse() -> None:
    """Run a session over two messages, and write every table that lines may be made of."""
    from dnscap.live.lines import Lines

    session = Session(_Once())
    nowhere = io.BytesIO()
    writers = [
        Lines(nowhere, table, form)
        for table in ("lookups", "exchanges", "messages", "findings")
        for form in ("text", "jsonl", "csv")
    ]
    for batch in session:
        for lines in writers:
            lines.write(batch)
    list(session.open_lookups())
    array_of(["x"], pa.string()).dictionary_encode().cast(pa.string())
