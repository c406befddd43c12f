"""File framing against scapy, against the frames of real captures, and under damage."""

from __future__ import annotations

import csv
import ctypes
import gzip
import io
import lzma
import mmap
import os
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnscap.native.framing import Framing
from tests.sampling import examples

SHARED = Path(os.environ.get("DNSCAP_SHARED", Path(__file__).parents[3] / "shared"))
SECOND = 1_000_000_000
EARLIEST = -(2**57)
LATEST = 2**62 - 1 - 2**57
IN, OUT = 1, 2

MICRO, NANO, KUZNETZOV, NETSNIFF, IXIA = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34, 0xA1E2CB12, 0x1C0001AC
RECORDS = [
    (0, 0, bytes(range(60)), 60),
    (1_700_000_000, 999_999, b"", 0),
    (2**32 - 1, 1, b"\xff" * 1500, 1514),
    (1_700_000_001, 5, b"x", 1),
]


def pcap(records=RECORDS, *, order="<", magic=MICRO, version=(2, 4), snaplen=65535, network=1, extra=b""):
    """Octets of a classic pcap file; `extra` goes between each record header and its frame."""
    parts = [struct.pack(order + "IHHiIII", magic, *version, 0, 0, snaplen, network)]
    for seconds, fraction, octets, wire in records:
        parts += [struct.pack(order + "IIII", seconds, fraction, len(octets), wire), extra, octets]
    return b"".join(parts)


class Ng:
    """Builds pcapng blocks in one byte order."""

    def __init__(self, order="<"):
        self.order = order

    def pack(self, form, *values):
        return struct.pack(self.order + form, *values)

    def block(self, kind, body):
        body += bytes(-len(body) % 4)
        size = len(body) + 12
        return self.pack("II", kind, size) + body + self.pack("I", size)

    def options(self, *options):
        parts = [
            self.pack("HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options
        ]
        return b"".join([*parts, self.pack("HH", 0, 0)]) if parts else b""

    def section(self, *options, version=(1, 0)):
        body = self.pack("IHHq", 0x1A2B3C4D, *version, -1)
        return self.block(0x0A0D0D0A, body + self.options(*options))

    def interface(self, *options, link=1, snaplen=0):
        return self.block(1, self.pack("HHI", link, 0, snaplen) + self.options(*options))

    def enhanced(self, ticks, octets, *options, interface=0, captured=None, wire=None):
        captured = len(octets) if captured is None else captured
        wire = len(octets) if wire is None else wire
        head = self.pack("IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, captured, wire)
        return self.block(6, head + octets + bytes(-len(octets) % 4) + self.options(*options))

    def packet(self, ticks, octets, *, interface=0, drops=0xFFFF):
        head = self.pack(
            "HHIIII", interface, drops, ticks >> 32, ticks & 0xFFFFFFFF, len(octets), len(octets)
        )
        return self.block(2, head + octets)

    def simple(self, octets, wire):
        return self.block(3, self.pack("I", wire) + octets)

    def statistics(self, *options, interface=0):
        return self.block(5, self.pack("III", interface, 0, 0) + self.options(*options))


def varied_pcapng():
    """Every kind of block, two sections of different byte order."""
    little, big = Ng("<"), Ng(">")
    return b"".join(
        [
            little.section((1, b"first")),
            little.interface((2, b"eth0"), (9, b"\x09"), link=1, snaplen=96),
            little.enhanced(5 * SECOND + 7, b"a" * 61, (2, little.pack("I", 1)), wire=400),
            little.interface((2, b"any"), link=276),
            little.enhanced(2_000_001, b"b" * 8, interface=1),
            little.block(0x0BAD, little.pack("I", 32473) + b"private"),
            little.block(4, b"names"),
            little.simple(b"c" * 30, 30),
            little.packet(9 * SECOND, b"d" * 3, drops=4),
            big.section((1, b"second")),
            big.interface((14, big.pack("q", 100)), link=101),
            big.enhanced(1_500_000, b"e" * 50, (1, b"comment"), (2, big.pack("I", 2))),
            big.enhanced(1_500_001, b""),
            big.statistics((5, big.pack("Q", 11))),
        ]
    )


def scapy_frames(data):
    """(nanoseconds, octets, wire size, link) as scapy reads them."""
    from scapy.utils import RawPcapNgReader, RawPcapReader

    reader = RawPcapReader(io.BytesIO(data))
    out = []
    for octets, meta in reader:
        if isinstance(reader, RawPcapNgReader):
            time = (meta.tshigh << 32 | meta.tslow) * SECOND // meta.tsresol
            link = meta.linktype
        else:
            time = meta.sec * SECOND + meta.usec * (1 if reader.nano else 1000)
            link = reader.linktype
        out.append((time, octets, meta.wirelen, link))
    return out


def plain(frames):
    """Frames as `scapy_frames` gives them."""
    return [(time, octets, wire, link) for _, time, octets, wire, _, link, _ in frames]


# Classic pcap.


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("magic", [MICRO, NANO])
def test_classic_files_read_as_scapy_reads_them(order, magic):
    data = pcap(order=order, magic=magic)

    framing = Framing()
    frames = framing.read(data)

    assert plain(frames) == scapy_frames(data)
    assert [frame[0] for frame in frames] == [1, 2, 3, 4]
    assert framing.fault_text() is None and framing.cut_at is None and framing.position == len(data)


def test_files_that_scapy_writes(tmp_path):
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.utils import PcapNgWriter, PcapWriter

    packets = [
        Ether(dst="02:00:00:00:00:01") / IP(dst="192.0.2.1") / UDP(dport=53) / (b"q" * n) for n in range(300)
    ]
    for i, packet in enumerate(packets):
        packet.time = 1_700_000_000 + i
    for writer in (PcapWriter, PcapNgWriter):
        with writer(str(tmp_path / "file")) as file:
            file.write(packets)

        frames = Framing().read((tmp_path / "file").read_bytes())

        assert [octets for _, _, octets, *_ in frames] == [bytes(packet) for packet in packets]
        assert [time for _, time, *_ in frames] == [int(packet.time) * SECOND for packet in packets]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("magic", "extra", "tick"),
    [
        (KUZNETZOV, lambda kind: bytes(6) + bytes([kind, 0]), 1000),
        (NETSNIFF, lambda kind: bytes(7) + bytes([kind]), 1),
    ],
)
def test_longer_record_headers_give_the_direction(order, magic, extra, tick):
    for kind, direction in [(0, IN), (1, IN), (2, IN), (3, 0), (4, OUT)]:
        frames = Framing().read(pcap(order=order, magic=magic, extra=extra(kind)))

        assert [octets for _, _, octets, *_ in frames] == [octets for _, _, octets, _ in RECORDS]
        assert [time for _, time, *_ in frames] == [s * SECOND + f * tick for s, f, _, _ in RECORDS]
        assert {frame[-1] for frame in frames} == {direction}


def test_ixia_files_have_one_more_number_in_the_file_header():
    data = pcap(magic=IXIA)
    data = data[:24] + struct.pack("<I", len(data) - 24) + data[24:]

    assert plain(Framing().read(data)) == plain(Framing().read(pcap()))


@pytest.mark.parametrize(
    ("version", "lengths", "captured", "wire"),
    [
        ((2, 4), (60, 1500), 60, 1500),
        ((2, 4), (60, 40), 60, 60),
        ((2, 3), (60, 1500), 60, 1500),
        ((2, 3), (1500, 60), 60, 1500),
        ((2, 2), (1500, 60), 60, 1500),
        ((543, 0), (1500, 60), 60, 1500),
    ],
)
def test_lengths_the_other_way_round(version, lengths, captured, wire):
    data = pcap([], version=version) + struct.pack("<IIII", 1, 2, *lengths) + bytes(captured)

    framing = Framing()
    frames = framing.read(data + data[24:])

    assert [(len(octets), size) for _, _, octets, size, *_ in frames] == [(captured, wire)] * 2
    assert framing.fault_text() is None


def test_link_type_is_the_low_half_and_subseconds_may_be_too_many():
    frames = Framing().read(pcap([(1, 3_000_001, b"", 0)], network=0xF4000000 | 276))

    assert plain(frames) == [(4 * SECOND + 1000, b"", 0, 276)]


# pcapng.


def test_blocks_sections_and_interfaces():
    framing = Framing()
    frames = framing.read(varied_pcapng())

    assert frames == [
        (1, 5 * SECOND + 7, b"a" * 61, 400, 0, 1, IN),
        (2, 2 * SECOND + 1000, b"b" * 8, 8, 1, 276, 0),
        (4, 2 * SECOND + 1000, b"c" * 30, 30, 0, 1, 0),
        (5, 9 * SECOND, b"d" * 3, 3, 0, 1, 0),
        (6, 101 * SECOND + SECOND // 2, b"e" * 50, 50, 2, 101, OUT),
        (7, 101 * SECOND + SECOND // 2 + 1000, b"", 0, 2, 101, 0),
    ]
    assert [
        [
            row[key]
            for key in (
                "interface",
                "link",
                "snaplen",
                "comment",
                "frames",
                "first_frame",
                "last_frame",
                "drops",
            )
        ]
        for row in framing.source_rows()
    ] == [
        ["eth0", 1, 96, "first", 3, 1, 5, 4],
        ["any", 276, 0, "first", 1, 2, 2, None],
        [None, 101, 0, "second", 2, 6, 7, 11],
    ]
    assert framing.fault_text() is None


def test_what_an_interface_tells():
    ng = Ng()
    data = ng.section((1, b"the lab"), (1, b"second floor")) + b"".join(
        [
            ng.interface(
                (2, b"eth0"), (1, "Büro".encode()), (11, b"\0port 53"), (3, b"uplink"), snaplen=262144
            ),
            ng.interface((3, b"Ethernet 2\0"), (11, b"\1\0\0\0\0\0\0\0\0")),
            ng.statistics((5, ng.pack("Q", 1)), (7, ng.pack("Q", 2))),
            ng.statistics((5, ng.pack("Q", 10)), (7, ng.pack("Q", 20))),
            ng.enhanced(3, b"", (4, ng.pack("Q", 5)), interface=1),
            ng.enhanced(4, b"", (4, ng.pack("Q", 6)), interface=1),
            ng.statistics((7, ng.pack("Q", 9)), interface=7),
        ]
    )

    framing = Framing()
    framing.read(data)

    first, second = framing.source_rows()
    assert first["format"] == "pcapng"
    assert (first["interface"], first["filter"]) == ("eth0", "port 53")
    assert first["comment"] == "the lab\nsecond floor\nBüro"
    assert first["drops"] == 30 and first["first_time"] is None and first["frames"] == 0
    assert (second["interface"], second["filter"], second["drops"]) == ("Ethernet 2", None, 11)
    assert (second["first_time"], second["last_time"]) == (3000, 4000)


@pytest.mark.parametrize(
    ("resolution", "ticks", "time"),
    [
        (0, 1_700_000_000, 1_700_000_000 * SECOND),
        (3, 1_700_000_000_001, 1_700_000_000_001_000_000),
        (6, 1, 1000),
        (9, 2**63 - 1, LATEST),
        (6, 2**64 - 505, -505_000),
        (12, 1_999, 1),
        (27, 5 * 10**18, 5),
        (28, 2**63 - 1, 0),
        (127, 2**63 - 1, 0),
        (0x80, 7, 7 * SECOND),
        (0x80 | 10, 1024 * 5 + 512, 5 * SECOND + SECOND // 2),
        (0x80 | 32, (1_700_000_000 << 32) + (1 << 30), 1_700_000_000 * SECOND + SECOND // 4),
        (0x80 | 60, 7 << 59, 3 * SECOND + SECOND // 2),
        (0x80 | 64, 1 << 62, SECOND // 4),
        (0x80 | 127, 2**63 - 1, 0),
        (0, 2**62, LATEST),
        (6, 2**63 - 1, LATEST),
        (0x80, 2**63 - 1, LATEST),
        (0, 2**63, EARLIEST),
    ],
)
def test_clocks(resolution, ticks, time):
    ng = Ng()
    data = ng.section() + ng.interface((9, bytes([resolution]))) + ng.enhanced(ticks, b"")

    assert [frame[1] for frame in Framing().read(data)] == [time]


@pytest.mark.parametrize(
    ("offset", "time"),
    [
        (-3, -3 * SECOND + 1000),
        (10**9, 10**18 + 1000),
        (2**63 - 1, LATEST),
        (-(2**63), EARLIEST),
    ],
)
def test_time_offsets(offset, time):
    ng = Ng()
    data = ng.section() + ng.interface((14, ng.pack("q", offset))) + ng.enhanced(1, b"")

    assert [frame[1] for frame in Framing().read(data)] == [time]


def test_packets_that_cannot_be_are_skipped_and_counted():
    ng = Ng()
    data = b"".join(
        [
            ng.section(),
            ng.simple(b"no interface", 12),
            ng.enhanced(1, b"no interface"),
            ng.interface(),
            ng.enhanced(2, b"good"),
            ng.enhanced(3, b"no such interface", interface=1),
            ng.enhanced(4, b"more than there is", captured=24),
            ng.enhanced(5, b"", captured=0xFFFFFFFF),
            ng.block(6, b"short"),
            ng.block(2, b""),
            ng.packet(6, b"no such interface", interface=9),
            ng.enhanced(7, b"good too"),
        ]
    )

    framing = Framing()
    frames = framing.read(data)

    assert [(number, octets) for number, _, octets, *_ in frames] == [(3, b"good"), (10, b"good too")]
    assert framing.losses["skipped_packets"] == 8


def test_simple_packets_are_cut_by_the_snap_length():
    ng = Ng()
    data = ng.section() + ng.interface(snaplen=5) + ng.simple(b"12345\0\0\0", 900)

    assert plain(Framing().read(data)) == [(0, b"12345", 900, 1)]


def test_sloppy_block_lengths_are_tolerated():
    ng = Ng()
    packet = bytearray(ng.enhanced(1, b"12345"))
    packet[4:8] = ng.pack("I", len(packet) - 3)  # the padding left out of the length
    packet[-4:] = b"junk"

    frames = Framing().read(ng.section() + ng.interface() + packet + ng.enhanced(2, b"next"))

    assert [octets for _, _, octets, *_ in frames] == [b"12345", b"next"]


# Several files.


def test_numbers_restart_with_each_file_and_sources_go_on():
    framing = Framing()
    numbers = [
        [frame[0] for frame in framing.read(data)] for data in (pcap(), varied_pcapng(), b"junk", pcap())
    ]

    assert numbers == [[1, 2, 3, 4], [1, 2, 4, 5, 6, 7], [], [1, 2, 3, 4]]
    assert [(row["file"], row["format"]) for row in framing.source_rows()] == [
        (0, "pcap"),
        (1, "pcapng"),
        (1, "pcapng"),
        (1, "pcapng"),
        (3, "pcap"),
    ]
    assert framing.fault_text() is None


# Damage.


@pytest.mark.parametrize("data", [pcap(), pcap(magic=KUZNETZOV, extra=bytes(8)), varied_pcapng()])
def test_a_file_cut_anywhere_keeps_what_was_before(data):
    whole = Framing().read(data)
    for size in range(len(data)):
        framing = Framing()
        frames = framing.read(data[:size])

        assert frames == whole[: len(frames)]
        if framing.fault_text():
            assert size < 24 and not frames
        else:
            assert framing.cut_at is None or framing.cut_at < size
            assert framing.position <= size
            assert (framing.cut_at is None) == (framing.position == size)
    assert len(frames) >= len(whole) - 1


@pytest.mark.parametrize(
    ("data", "frames", "text"),
    [
        (b"", 0, "an empty file, at offset 0"),
        (b"\xd4\xc3", 0, "not a capture file: 2 octets, no whole file header, at offset 0"),
        (pcap()[:20], 0, "no whole file header"),
        (b"snoop\0\0\0" + bytes(40), 0, "a snoop file begins with 736e6f6f"),
        (pcap(version=(1, 4)), 0, "version 1.4 of the format is not known"),
        (pcap() + struct.pack("<IIII", 1, 2, 262145, 262145) + bytes(300000), 4, "a record of 262145 octets"),
        (
            pcap() + b"\xff" * 16,
            4,
            f"a record of 4294967295 octets, where 262144 are the most there can be, at offset {len(pcap())}",
        ),
        (pcap(snaplen=2**31) + b"\xff" * 16, 4, "where 16777216 are the most"),
        (varied_pcapng() + bytes(12), 6, "a block of 0 octets"),
        (varied_pcapng() + struct.pack(">II", 6, 11) + bytes(4), 6, "a block of 11 octets"),
        (varied_pcapng() + struct.pack(">II", 6, 2**24 + 4) + bytes(4), 6, "a block of 16777220 octets"),
        (
            varied_pcapng() + Ng().section()[:8] + b"what" + bytes(16),
            6,
            "a section with the byte-order magic 77686174",
        ),
        (varied_pcapng() + Ng().section(version=(2, 0)), 6, "version 2.0 of the format"),
        (varied_pcapng() + Ng().block(0x0A0D0D0A, Ng().pack("I", 0x1A2B3C4D)), 6, "a block of 16 octets"),
    ],
)
@pytest.mark.parametrize("window", [1, 100, 1 << 20])
def test_damage_is_told_and_what_was_before_kept(data, frames, text, window):
    framing = Framing()

    assert len(framing.read(data, window)) == frames
    assert text in framing.fault_text()
    assert framing.cut_at is None


def test_a_large_snap_length_allows_large_frames():
    big = bytes(1_000_000)

    frames = Framing().read(pcap([(1, 2, big, len(big)), (3, 4, b"x", 1)], snaplen=2**31 - 1), 4096)

    assert [len(octets) for _, _, octets, *_ in frames] == [len(big), 1]


def test_floods_of_interfaces_and_texts_are_bounded():
    ng = Ng()
    flood = ng.section() + ng.interface() * 65540 + ng.enhanced(1, b"", interface=65539) + ng.enhanced(2, b"")
    texts = ng.section() + ng.interface((1, b"x" * 65000)) * 70

    framing = Framing()
    assert [frame[0] for frame in framing.read(flood)] == [2]
    assert framing.losses == {"skipped_packets": 1, "lost_interfaces": 4, "lost_texts": 0}
    framing.read(texts)
    assert framing.losses["lost_texts"] == 6
    assert len(framing.source_rows()) == 65536 + 70


@settings(max_examples=examples(60))
@given(
    records=st.lists(
        st.tuples(
            st.integers(0, 2**32 - 1), st.integers(0, 999_999), st.binary(max_size=200), st.integers(0, 9000)
        ),
        max_size=600,
    ),
    window=st.integers(0, 1000),
    order=st.sampled_from("<>"),
    magic=st.sampled_from([MICRO, NANO]),
)
def test_windows_of_any_size_give_the_same_frames(records, window, order, magic):
    data = pcap(records, order=order, magic=magic)
    tick = 1000 if magic == MICRO else 1

    frames = Framing().read(data, window)

    assert plain(frames) == [(s * SECOND + f * tick, o, max(w, len(o)), 1) for s, f, o, w in records]
    assert [frame[0] for frame in frames] == list(range(1, len(records) + 1))


def test_pcapng_in_windows_of_any_size():
    data = varied_pcapng()
    whole, rows = Framing(), None
    frames = whole.read(data)
    rows = whole.source_rows()
    for window in range(len(data) + 2):
        framing = Framing()
        assert framing.read(data, window) == frames
        assert framing.source_rows() == rows


@settings(max_examples=examples(300))
@given(
    head=st.sampled_from(
        [b"", pcap([]), pcap([], order=">", version=(2, 3)), Ng().section() + Ng().interface()]
    ),
    body=st.binary(max_size=400),
    window=st.integers(0, 300),
)
def test_any_octets_end_the_same_in_any_window(head, body, window):
    whole, cut = Framing(), Framing()

    assert whole.read(head + body) == cut.read(head + body, window)
    assert whole.fault_text() == cut.fault_text()
    assert whole.cut_at == cut.cut_at
    assert whole.source_rows() == cut.source_rows()
    assert whole.losses == cut.losses


@settings(max_examples=examples(300))
@given(
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    data=st.sampled_from([pcap(), pcap(magic=KUZNETZOV, extra=bytes(8)), varied_pcapng()]),
    window=st.integers(0, 300),
)
def test_changed_octets_never_crash(changes, data, window):
    damaged = bytearray(data)
    for at, octet in changes:
        damaged[at % len(damaged)] = octet
    whole, cut = Framing(), Framing()

    assert whole.read(damaged) == cut.read(damaged, window)
    assert whole.fault_text() == cut.fault_text()


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect of the C library")
@pytest.mark.parametrize("data", [pcap(), varied_pcapng()])
def test_nothing_beyond_the_end_is_touched(data):
    page = mmap.PAGESIZE
    room = -(-len(data) // page) * page
    area = mmap.mmap(-1, room + page)
    octets = (ctypes.c_ubyte * (room + page)).from_buffer(area)
    libc = ctypes.CDLL(None, use_errno=True)
    forbidden = ctypes.c_void_p(ctypes.addressof(octets) + room)
    assert libc.mprotect(forbidden, ctypes.c_size_t(page), 0) == 0
    try:
        for size in range(len(data) + 1):
            view = memoryview(octets).cast("B")[room - size : room]
            view[:] = data[:size]
            assert Framing().read(view) == Framing().read(data[:size])
            view.release()
    finally:
        libc.mprotect(forbidden, ctypes.c_size_t(page), mmap.PROT_READ | mmap.PROT_WRITE)


# Real captures.


def real_captures():
    manifest = SHARED / "captures" / "MANIFEST.tsv"
    if not manifest.exists():
        return []
    with manifest.open(newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def decompressed(octets):
    if octets.startswith(b"\x1f\x8b"):
        return gzip.decompress(octets)
    if octets.startswith(b"\xfd7zXZ\0"):
        return lzma.decompress(octets)
    return octets


def test_real_captures_have_the_frames_that_tshark_sees():
    rows = real_captures()
    if not rows:
        pytest.skip("no captures beside the project; set DNSCAP_SHARED")
    compared = 0
    for row in rows:
        data = decompressed((SHARED / "captures" / row["file"]).read_bytes())
        if row["container"] == "snoop" or data.startswith(b"\x28\xb5\x2f\xfd"):
            continue
        with gzip.open(SHARED / "captures" / "oracle" / row["oracle"] / "frames.tsv.gz", "rt") as lines:
            seen = [line.split("\t") for line in list(lines)[1:]]

        framing = Framing()
        frames = framing.read(data, 1 << 16)

        if "file:damaged" in row["tags"] and len(frames) > len(seen):
            continue  # more is read of a damaged file than tshark reads
        if {frame[0] for frame in frames} != {int(fields[0]) for fields in seen}:
            # Wireshark shows and numbers blocks that are no packets; they have no time.
            seen = [
                fields for fields in seen if fields[1] or int(fields[0]) in {frame[0] for frame in frames}
            ]
        ours = [
            (number, f"{time // SECOND}.{time % SECOND:09d}", len(octets), wire)
            for number, time, octets, wire, *_ in frames
        ]
        theirs = [
            (int(number), when or ours[i][1], int(captured), int(wire))
            for i, (number, when, captured, wire, *_) in enumerate(seen)
        ]
        assert ours == theirs, row["file"]
        compared += 1
    assert compared > 300
