"""All stages together under fuzzing: a capture file in, every native column and row out."""

from __future__ import annotations

from typing import Any

from fuzz.stages import Habits, Stages, check_names

from dnscap.native.decoder import Decoder
from dnscap.native.names_seen import NamesSeen

# A decoder has large tables: it goes on from one input to the next, as over the files of a rotated set, and
# is replaced now and then.  Batches are taken less often than inputs come: new columns cost more than a small
# input does.
INPUTS_EACH = 256
INPUTS_A_BATCH = 16

MESSAGE_COLUMNS = ("frame", "time", "src", "dst", "stream", "qname", "status", "status_at", "sighting_of")
RECORD_COLUMNS = ("message", "name", "type", "class", "ttl", "section", "rdata")

_kept: list[Any] = []


def scan(octets: memoryview) -> None:
    """Read one file whole, and now and then take messages, records, connections and events."""
    if not _kept or _kept[1] == INPUTS_EACH:
        _kept[:] = [Decoder(), 0, Stages(short_cuts=True, names=NamesSeen(), habits=Habits())]
    _kept[1] += 1
    decoder = _kept[0]
    decoder.begin_file()
    used = decoder.feed(octets, True)
    assert used <= len(octets), "more octets used up than given"
    decoder.framing.fault_text()
    if _kept[1] % INPUTS_A_BATCH == 0:
        decoder.finish()
        _look_at_batches(decoder)
    if _kept[1] == INPUTS_EACH:
        decoder.framing.source_rows()
        _kept[2].close()
        _kept[2].take()
        _kept[2].check()
        check_names(_kept[2].names)
        _kept[2].habits.check()


def _look_at_batches(decoder: Decoder) -> None:
    for batch in decoder.take(True):
        _kept[2].feed(batch)
        _kept[2].take()
        for name in MESSAGE_COLUMNS:
            assert len(bytes(batch.message_column(name))) % max(1, batch.messages) == 0, name
        if batch.messages:
            spans = memoryview(batch.message_column("options"))
            assert len(spans) == batch.messages + 1 and list(spans) == sorted(spans), "options"
        for name in RECORD_COLUMNS:
            bytes(batch.record_column(name))
        if batch.records:
            spans = memoryview(batch.record_column("rdata"))
            assert len(spans) == batch.records + 1 and list(spans) == sorted(spans), "rdata"
        for octet_column in (batch.message_column("options_octets"), batch.record_column("rdata_octets")):
            bytes(octet_column)
        for rows, width in (batch.connections(), batch.events()):
            assert len(bytes(rows)) % width == 0, "rows of structs"
