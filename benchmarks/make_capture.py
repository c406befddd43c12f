#!/usr/bin/env python3
"""Deterministic generator of realistic resolver traffic, as pcap or pcapng.

    python benchmarks/make_capture.py -n 2000000 -o big.pcap
    python benchmarks/make_capture.py -n 100000 --format pcapng --nanos --linktype sll2 -o x.pcapng

The same arguments give the same octets. What is in it: 5,000 stub clients (80 % IPv4) that ask two
resolvers, which ask 400 authoritative servers on a cache miss; names by Zipf's law; A, AAAA, HTTPS, PTR,
TXT, MX, NS, SOA, DS, DNSKEY, SRV; compression, chains of aliases, EDNS with cookies and client subnets;
NXDOMAIN and NODATA with SOA, SERVFAIL, search lists, retransmissions, queries that nobody answers,
truncation followed by TCP (handshake, segmented and pipelined messages); log-normal latencies; 5 % other
traffic. Checksums are valid.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from traffic.events import TCP, Simulation
from traffic.packets import LINK_TYPES, Writer


def main() -> None:
    """Write the file; say on standard error what is in it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", "--packets", type=int, default=2_000_000)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--format", choices=["pcap", "pcapng"], default="pcap")
    parser.add_argument("--nanos", action="store_true", help="nanosecond instead of microsecond timestamps")
    parser.add_argument("--linktype", choices=list(LINK_TYPES), default="ethernet")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=1_700_000_000, help="seconds since the epoch")
    parser.add_argument("--names", type=int, default=200_000, help="how many names clients choose from")
    parser.add_argument("--zipf", type=float, default=1.0, help="exponent of the popularity of names")
    parser.add_argument("--rate", type=float, default=20_000.0, help="transactions a second")
    parser.add_argument("--noise", type=float, default=0.05, help="share of packets that are not DNS")
    parser.add_argument("--case0x20", action="store_true", help="mixed case in questions")
    a = parser.parse_args()
    simulation = Simulation(a.packets, a.seed, a.names, a.zipf, a.rate, a.noise, a.case0x20)
    traffic = simulation.run(arp=a.linktype != "raw")
    with a.output.open("wb", buffering=1 << 22) as file:
        Writer(traffic, a.seed, a.start, a.format == "pcapng", a.nanos, a.linktype).write(file)
    columns = traffic.columns
    over_tcp = (columns["protocol"] == TCP) & ((columns["src_port"] == 53) | (columns["dst_port"] == 53))
    counts = {"tcp_segments": int(over_tcp.sum()), "udp_messages": int((columns["id"] >= 0).sum())}
    print(json.dumps(traffic.info | counts), file=sys.stderr)


if __name__ == "__main__":
    main()
