"""Exchanges, lookups, resolutions and names under fuzzing: what hosts say to each other in, rows out.

Input: the script of a conversation; see conversations.py.  It goes through the stages whole, and once more
batch by batch and without the short ways that ordinary lookups take: the rows must be the same.
"""

from __future__ import annotations

from typing import Any

from fuzz.conversations import BEGAN, LONGEST, captures
from fuzz.stages import Habits, Stages, check_names

from dnscap.native.decoder import Batch, Decoder
from dnscap.native.names_seen import NamesSeen

PORTS = (53, 5353, 5355)

# The decoder and the tally of names have large tables: they go on from one input to the next, at a later time.
INPUTS_EACH = 256
APART = 2 * LONGEST

_kept: list[Any] = []


def _decoded(script: bytes, decoder: Decoder, began: int) -> list[tuple[list[Batch], int | None]]:
    """The messages of each stretch of the conversation, and when the pause after it ends."""
    stretches = []
    for octets, pause in captures(script, began):
        decoder.begin_file()
        used = decoder.feed(octets, True)
        assert used == len(octets), "a sound file is read to its end"
        if pause is None:
            decoder.finish()
        stretches.append((decoder.take(True), pause))
    return stretches


def scan(octets: memoryview) -> None:
    """Play a script through the stages in both ways."""
    if not _kept or _kept[2] == INPUTS_EACH:
        _kept[:] = [Decoder(PORTS, True), NamesSeen(256), 0, Habits()]
    decoder, names, inputs, habits = _kept
    _kept[2] += 1
    stretches = _decoded(bytes(octets), decoder, BEGAN + inputs * APART)
    quick, thorough = Stages(short_cuts=True, names=names, habits=habits), Stages(short_cuts=False)
    for batches, pause in stretches:
        for batch in batches:
            quick.feed(batch)
            thorough.feed(batch)
            thorough.take()
        if pause is not None:
            quick.pass_time(pause)
            thorough.pass_time(pause)
        quick.look_at_open()
    for stages in (quick, thorough):
        stages.close()
        stages.take()
        stages.check()
    check_names(names)
    habits.check()
    assert quick.lookup_rows == thorough.lookup_rows, "short ways lead elsewhere"
    assert quick.lookup_octets == thorough.lookup_octets, "short ways lead elsewhere"
    assert quick.of_lookups == thorough.of_lookups, "short ways lead elsewhere"
    assert sorted(quick.judged) == sorted(thorough.judged), "taking rows changes what is judged"
