"""Tiny captures made by hand, and every way to compress them."""

import bz2
import gzip
import lzma
import struct

import lz4.frame

try:
    from compression import zstd
except ImportError:
    from backports import zstd

SECOND = 10**9


def pcap(*times, payload=b"payload", magic=0xA1B2C3D4, order="<"):
    """Make a pcap file with one packet for each time given in nanoseconds."""
    ticks = 10**9 if magic == 0xA1B23C4D else 10**6
    parts = [struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65_535, 1)]
    for time in times:
        fraction = time % SECOND * ticks // SECOND
        parts.append(
            struct.pack(order + "IIII", time // SECOND, fraction, len(payload), len(payload)) + payload
        )
    return b"".join(parts)


def block(kind, body, order="<"):
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def section(order="<"):
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(options=b"", order="<"):
    return block(1, struct.pack(order + "HHI", 1, 0, 65_535) + options, order)


def option(code, value, order="<"):
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def packet(ticks, payload=b"payload", interface=0, order="<"):
    head = struct.pack(
        order + "IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(payload), len(payload)
    )
    return block(6, head + payload, order)


COMPRESS = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "zst": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "lz4": lambda data: lz4.frame.compress(
        data, block_size=lz4.frame.BLOCKSIZE_MAX64KB, content_checksum=True
    ),
}


def drain(windows):
    """Read a capture to its end, using every view whole."""
    octets = bytearray()
    while True:
        view, last = windows.view()
        octets += view
        windows.used(len(view))
        if last:
            return bytes(octets)
