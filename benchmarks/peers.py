#!/usr/bin/env python3
"""Other tools that read DNS out of captures, and how many times as long as the yardstick they take.

    python benchmarks/peers.py [--rounds 3] [--only tshark,scapy] [--scale 1.0]

Slow tools read the first part of the capture only; all figures are a packet. Libraries are timed in process,
without their imports. Commands are timed as whole processes, less what the same command takes for a capture
of one packet. What is not installed is reported as absent.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import captures
from cases import CASES as OURS
from measuring import (
    Absent,
    Sample,
    machine,
    number,
    pin,
    progress,
    progress_end,
    run_command,
    run_worker,
    run_yardstick,
    table,
    take_turns,
    warm,
)

WARM_UP_PACKETS = 200
CAPTURE_PACKETS = 2_000_000

FIELDS = (
    "frame.number frame.time_epoch ip.src ipv6.src ip.dst ipv6.dst udp.srcport udp.dstport dns.id dns.flags "
    "dns.qry.name dns.qry.type dns.qry.class dns.resp.name dns.resp.type dns.resp.ttl dns.a dns.aaaa "
    "dns.cname"
)
TSHARK = ["tshark", "-n", "-r", "{capture}", "-Y", "dns", "-T", "fields"]
TSHARK += [word for field in FIELDS.split() for word in ("-e", field)]
# Header and question, and of the records the first answer's name, type and lifetime: all that it offers.
SIXTEEN = (
    "select s, us, src_addr, src_port, dst_addr, dst_port, id, qr, aa, rd, rcode, "
    "qname, qtype, aname, atype, attl from dns"
)


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool: how it is called, how many packets it gets, what it does with them."""

    name: str
    packets: int
    does: str
    command: tuple[str, ...] | None = None
    library: str | None = None


PEERS = (
    Peer(
        "tcpdump -w",
        2_000_000,
        "filters and copies",
        ("tcpdump", "-r", "{capture}", "-w", "/dev/null", "udp port 53"),
    ),
    Peer("tcpdump -n", 200_000, "text, short form", ("tcpdump", "-n", "-r", "{capture}", "port 53")),
    Peer("tshark -T fields", 100_000, "table of 19 fields", tuple(TSHARK)),
    Peer("packetq csv", 2_000_000, "table of 16 columns", ("packetq", "--csv", "-s", SIXTEEN, "{capture}")),
    Peer("python loop", 200_000, "finds port 53, no DNS", library="framing"),
    Peer("dnspython", 20_000, "every record as text", library="dnspython"),
    Peer("scapy", 5_000, "every record", library="scapy"),
)
YARDSTICKS = {"limit3 -s": ("-s",), "limit3 -r -s": ("-r", "-s")}


def command_case(peer: Peer, capture: Path, single: Path) -> Sample:
    """A whole process, less its start."""
    assert peer.command is not None
    if shutil.which(peer.command[0]) is None:
        raise Absent(f"{peer.command[0]} is not installed")
    scratch = captures.cache_dir() / "output.tmp"
    results = []
    for path in (single, capture):
        command = [word.replace("{capture}", str(path)) for word in peer.command]
        results.append(run_command(command, scratch)[0])
    start, sample = results
    sample.seen = {"written": scratch.stat().st_size, "start_us": int(start.cpu * 1e6)}
    sample.cpu -= start.cpu
    scratch.unlink()
    return sample


def yardstick_case(program: Path | None, capture: Path, options: tuple[str, ...]) -> Sample:
    """The yardstick, if it compiles here."""
    if program is None:
        raise Absent("the yardstick does not compile here")
    return run_yardstick(program, capture, options)


def main() -> int:
    """Measure all of them in turns."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often every tool runs")
    parser.add_argument("--only", metavar="WORDS", help="comma-separated parts of tool names")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="multiplies the number of packets each tool gets"
    )
    parser.add_argument("--cpu", type=int, help="core to run on (the last one)")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="where to write the results (cache directory)"
    )
    arguments = parser.parse_args()

    progress("making captures")
    full_packets = max(1, int(CAPTURE_PACKETS * arguments.scale))
    full = captures.traffic(full_packets)
    single = captures.head(full, 1)
    warm_up = captures.head(full, WARM_UP_PACKETS)
    program = captures.yardstick()
    words = arguments.only.split(",") if arguments.only else [""]
    peers = [p for p in PEERS if any(word in p.name for word in words)]
    sizes = dict.fromkeys(YARDSTICKS, full_packets)
    cases: dict[str, Callable[[], Sample]] = {
        name: partial(yardstick_case, program, full, options) for name, options in YARDSTICKS.items()
    }
    does = {"limit3 -s": "question columns", "limit3 -r -s": "and every record"}
    for case in OURS:
        if case.name in ("batches", "batches+records", "csv 16 columns"):
            name = f"dnscap {case.name}"
            scratch = str(captures.cache_dir() / "output.tmp")
            cases[name] = partial(run_worker, "worker.py", case.name, str(full), str(warm_up), scratch)
            sizes[name], does[name] = full_packets, "everything, TCP too"
    for peer in peers:
        packets = max(1, min(full_packets, int(peer.packets * arguments.scale)))
        capture = full if packets == full_packets else captures.head(full, packets)
        sizes[peer.name], does[peer.name] = packets, peer.does
        if peer.library:
            cases[peer.name] = partial(run_worker, "peer_worker.py", peer.library, str(capture), str(warm_up))
        else:
            cases[peer.name] = partial(command_case, peer, capture, single)

    cpu = pin(arguments.cpu)
    warm(full)
    before = machine()
    outcomes = take_turns(cases, arguments.rounds, progress)
    progress_end()

    rows: list[dict[str, object]] = []
    lines = []
    base = outcomes["limit3 -r -s"]
    for name, outcome in outcomes.items():
        row: dict[str, object] = {"tool": name, "packets": sizes[name], "does": does[name]}
        if not outcome.samples:
            row |= {"absent": outcome.absent, "failed": outcome.failed}
            what = f"absent: {outcome.absent}" if outcome.absent else f"failed: {outcome.failed}"
            lines.append((name, f"{sizes[name]:,}", "-", "-", "-", "-", what))
        else:
            each = outcome.cpu_median() / sizes[name]
            ratio = None
            if base.samples:
                ratio = (outcome.ratio(base) or 0.0) * full_packets / sizes[name]
            row |= {
                "ns_per_packet": each * 1e9,
                "ratio": ratio,
                "peak": outcome.peak(),
                "cpu_seconds": [s.cpu for s in outcome.samples],
                "seen": outcome.samples[-1].seen,
            }
            speed = f"{1 / each:,.0f}"
            peak = number(outcome.peak() / 2**20, 0)
            lines.append(
                (name, f"{sizes[name]:,}", number(each * 1e9), speed, peak, number(ratio), does[name])
            )
        rows.append(row)
    target = arguments.json or captures.cache_dir() / "peers.json"
    result = {"machine": before, "cpu": cpu, "rounds": arguments.rounds, "rows": rows}
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(table(("tool", "packets", "ns/packet", "packets/s", "peak MiB", "x limit3 -r -s", ""), lines))
    print(f"Wrote {target}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
