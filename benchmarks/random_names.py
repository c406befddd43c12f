#!/usr/bin/env python3
"""A flood of random names as a classic pcap file: one UDP query packet a name, no two names alike.

    python benchmarks/random_names.py -n 5000000 -o names.pcap

Labels are 20 to 50 letters and digits: a random part of varying length, then thirteen that encode the
query's number, scrambled so that neighbours share nothing. This is what random-subdomain attacks and
tunnels look like to a table of names.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CHUNK = 200_000
START = 1_700_000_000  # seconds since the epoch
INTERVAL = 20_000  # nanoseconds between packets
UNIQUE = 13  # characters that hold 61 bits, five at a time
RANDOM = (7, 37)  # least and most characters before them
ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", np.uint8)
ZONE = b"\7example\3com\0"
TAIL = ZONE + b"\0\1\0\1"
# Ethernet, IPv4, UDP and DNS headers of a query with RD set; what differs from query to query is filled in.
HEADERS = bytes.fromhex(
    "02000000000102000000000a0800"
    "450000000000400040110000 0a000000 0a000035"
    "0000003500000000"
    "000001000001000000000000"
)
RECORD, ETHERNET, IP, UDP, DNS = 16, 14, 20, 8, 12


def put(rows: NDArray[np.uint8], at: int, value: NDArray[np.int64], octets: int, order: str = "big") -> None:
    """Write one integer a row, at a fixed place."""
    for k in range(octets):
        shift = 8 * k if order == "little" else 8 * (octets - 1 - k)
        rows[:, at + k] = (value >> shift) & 0xFF


def queries(first: int, count: int, rng: np.random.Generator) -> bytes:
    """Pcap records of the queries numbered `first` and up."""
    before = RECORD + len(HEADERS)
    longest = RANDOM[1] + UNIQUE
    rows = np.zeros((count, before + 1 + longest + len(TAIL)), np.uint8)
    keep = np.ones(rows.shape, bool)
    number = np.arange(first, first + count, dtype=np.uint64)

    padding = rng.integers(RANDOM[0], RANDOM[1] + 1, count)
    label = padding + UNIQUE
    size = len(HEADERS) + 1 + label + len(TAIL)
    rows[:, RECORD:before] = np.frombuffer(HEADERS, np.uint8)

    # The label stands at the right end of its room, what is left over before it is cut away at the end.
    rows[:, before] = label
    room = slice(before + 1, before + 1 + longest)
    rows[:, room] = ALPHABET[rng.integers(0, 32, (count, longest))]
    scrambled = number * np.uint64(0x9E3779B97F4A7C15) & np.uint64((1 << 61) - 1)  # odd, so one to one
    for k in range(UNIQUE):
        digit = (scrambled >> np.uint64(5 * k)) & np.uint64(31)
        rows[:, before + 1 + RANDOM[1] + k] = ALPHABET[digit.astype(np.int64)]
    keep[:, room] = np.arange(longest) >= (RANDOM[1] - padding)[:, None]
    rows[:, before + 1 + longest :] = np.frombuffer(TAIL, np.uint8)

    time = START * 10**9 + number.astype(np.int64) * INTERVAL
    put(rows, 0, time // 10**9, 4, "little")
    put(rows, 4, time % 10**9 // 1000, 4, "little")
    put(rows, 8, size, 4, "little")
    put(rows, 12, size, 4, "little")

    ip = RECORD + ETHERNET
    client = rng.integers(0, 5000, count)
    put(rows, ip + 2, size - ETHERNET, 2)
    put(rows, ip + 14, client, 2)
    words = np.frombuffer(HEADERS[ETHERNET : ETHERNET + IP], ">u2").astype(np.int64).sum()
    total = words + (size - ETHERNET) + client
    for _ in range(2):
        total = (total & 0xFFFF) + (total >> 16)
    put(rows, ip + 10, 0xFFFF - total, 2)

    # A UDP checksum of zero says that none was computed (RFC 768).
    udp = ip + IP
    put(rows, udp, rng.integers(1024, 65536, count), 2)
    put(rows, udp + 4, size - ETHERNET - IP, 2)
    put(rows, udp + UDP, rng.integers(0, 65536, count), 2)
    return rows[keep].tobytes()


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", "--names", type=int, default=5_000_000)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    header = np.array([(0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)], "<u4,<u2,<u2,<u4,<u4,<u4,<u4").tobytes()
    with arguments.output.open("wb") as file:
        file.write(header)
        for first in range(0, arguments.names, CHUNK):
            file.write(queries(first, min(CHUNK, arguments.names - first), rng))


if __name__ == "__main__":
    main()
