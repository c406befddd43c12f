"""Dictionaries follow one another when names do not end: what codes stand for stays the same."""

import struct

import pyarrow as pa

from dnscap.native.decoder import Decoder
from dnscap.native.exchanges import Exchanges

NAMES = 60_000
LEAST = 1 << 16
"""Names that a dictionary may have at least."""


def many_names() -> bytes:
    """Queries for a name each, with the answers to every other one."""
    parts = [struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101)]
    client, server = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 53])
    for number in range(NAMES):
        label = b"n%d" % number
        question = bytes([len(label)]) + label + b"\x04test\0" + b"\0\1\0\1"
        for flags in (0x0100, 0x8183)[: 1 + number % 2]:
            dns = struct.pack(">HHHHHH", number & 0xFFFF, flags, 1, 0, 0, 0) + question
            ports = (53, 4000) if flags & 0x8000 else (4000, 53)
            ends = server + client if flags & 0x8000 else client + server
            udp = struct.pack(">HHHH", *ports, 8 + len(dns), 0) + dns
            packet = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ends + udp
            parts.append(struct.pack("<IIII", 1 + number // 4096, number, len(packet), len(packet)) + packet)
    return b"".join(parts)


def read(octets: bytes, most_names: int) -> tuple[list[str], int, list[tuple[int, str]]]:
    """Names of the messages, dictionaries that they took, and outcomes and names of the exchanges."""
    decoder, exchanges = Decoder((53,), True, most_names), Exchanges()
    decoder.begin_file()
    assert decoder.feed(octets, True) == len(octets)
    decoder.finish()
    names: list[str] = []
    sent: list[tuple[int, str]] = []
    for batch in decoder.take(True):
        names += texts(batch.dictionary, batch.message_column("qname"))
        exchanges.feed(batch)
        sent += outcomes(exchanges)
    exchanges.end()
    return names, exchanges.counts()["dictionaries"], sent + outcomes(exchanges)


def outcomes(exchanges: Exchanges) -> list[tuple[int, str]]:
    """Of the rows that are final."""
    rows = []
    for part in exchanges.take():
        names = texts(part.dictionary, part.column("qname"))
        rows += zip(memoryview(part.column("outcome")).tolist(), names, strict=True)
    return rows


def texts(dictionary: object, codes: object) -> list[str]:
    """What codes of names stand for."""
    count, offsets, text = dictionary.names_view()  # type: ignore[attr-defined]
    names = pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])
    return names.take(pa.array(memoryview(codes).tolist())).to_pylist()  # type: ignore[arg-type]


def test_nothing_changes_where_a_dictionary_ends() -> None:
    octets = many_names()
    names, dictionaries, sent = read(octets, LEAST)
    assert (names, sent) == read(octets, 1 << 19)[::2]
    assert dictionaries == 2 and len(names) == NAMES * 3 // 2 and len(sent) == NAMES
