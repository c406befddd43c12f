"""peer_worker.py LIBRARY CAPTURE WARM-UP-CAPTURE: read a capture with a Python library in this process, once.

One row a DNS message over UDP port 53: time, addresses, ports, header, question, every record. Imports and
the warm-up are not counted. The last line printed is the report, as of worker.py.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from worker import memory

Rows = list[tuple[Any, ...]]


def payloads(path: str) -> Iterator[tuple[float, bytes, bytes, int, int, bytes]]:
    """UDP payloads from and to port 53, by the least framing that Python can do.

    Little-endian classic pcap, Ethernet, no VLAN, no fragments: so that the library is measured, not this.
    """
    with Path(path).open("rb") as file:
        file.seek(24)
        while len(header := file.read(16)) == 16:
            size = int.from_bytes(header[8:12], "little")
            octets = file.read(size)
            kind = octets[12:14]
            if kind == b"\x08\x00" and octets[23] == 17:
                at, src, dst = 14 + (octets[14] & 15) * 4, octets[26:30], octets[30:34]
            elif kind == b"\x86\xdd" and octets[20] == 17:
                at, src, dst = 54, octets[22:38], octets[38:54]
            else:
                continue
            src_port = int.from_bytes(octets[at : at + 2], "big")
            dst_port = int.from_bytes(octets[at + 2 : at + 4], "big")
            if src_port == 53 or dst_port == 53:
                seconds = int.from_bytes(header[:4], "little")
                when = seconds + int.from_bytes(header[4:8], "little") * 1e-6
                yield when, src, dst, src_port, dst_port, octets[at + 8 :]


def framing(path: str) -> Rows:
    """No DNS library at all: what one turn of a Python loop a packet costs."""
    return [row[:5] for row in payloads(path)]


def dnspython(path: str) -> Rows:
    """dnspython, records as text."""
    from_wire = importlib.import_module("dns.message").from_wire
    error = importlib.import_module("dns.exception").DNSException
    rows: Rows = []
    for *before, payload in payloads(path):
        try:
            message = from_wire(payload)
        except error:
            continue
        question = message.question[0]
        records = [
            (rrset.name.to_text(), rrset.rdtype, rrset.ttl, [rdata.to_text() for rdata in rrset])
            for section in (message.answer, message.authority, message.additional)
            for rrset in section
        ]
        name = question.name.to_text()
        rows.append((*before, message.id, message.flags, message.rcode(), name, question.rdtype, records))
    return rows


def scapy(path: str) -> Rows:
    """scapy, its own reader, every record touched."""
    layers = importlib.import_module("scapy.all")
    dns, udp, ip4, ip6 = layers.DNS, layers.UDP, layers.IP, layers.IPv6
    rows: Rows = []
    for packet in layers.PcapReader(path):
        if dns not in packet or udp not in packet:
            continue
        message, ports = packet[dns], packet[udp]
        ip = packet[ip4] if ip4 in packet else packet[ip6]
        records = [
            (record.rrname, record.type, getattr(record, "ttl", None), getattr(record, "rdata", None))
            for section in (message.an, message.ns, message.ar)
            for record in section or []
        ]
        question = message.qd[0] if message.qd else None
        asked = (question.qname, question.qtype) if question is not None else (None, None)
        header = (message.id, message.qr, message.rcode)
        rows.append((float(packet.time), ip.src, ip.dst, ports.sport, ports.dport, *header, *asked, records))
    return rows


LIBRARIES: dict[str, Callable[[str], Rows]] = {"framing": framing, "dnspython": dnspython, "scapy": scapy}


def main() -> None:
    """Measure and report."""
    library, capture, warm_up = sys.argv[1:4]
    run = LIBRARIES[library]
    try:
        run(warm_up)
        before = memory("VmRSS")
        system = os.times().system
        wall, cpu = time.perf_counter(), time.process_time()
        rows = run(capture)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        seen = {"rows": len(rows), "before": before}
        system = os.times().system - system
        report = {"cpu": cpu, "wall": wall, "system": system, "peak": memory("VmHWM"), "seen": seen}
    except ModuleNotFoundError as why:
        report = {"absent": str(why)}
    except Exception as why:
        report = {"failed": f"{type(why).__name__}: {why} ({Path(capture).name})"}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
