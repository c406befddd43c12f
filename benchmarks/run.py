#!/usr/bin/env python3
"""Measure dnscap against the yardstick: one interleaved run on one pinned core.

    python benchmarks/run.py [--packets 2000000] [--rounds 7] [--only batches,csv] [--check]

Makes the capture and builds the yardstick where they are not there yet. See README.md for what each figure
means.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import captures
from cases import CASES, Case
from measuring import (
    Absent,
    Outcome,
    Sample,
    machine,
    number,
    pin,
    progress,
    progress_end,
    run_worker,
    run_yardstick,
    table,
    take_turns,
    warm,
)

WARM_UP_PACKETS = 20_000  # at most


def chosen(only: str | None) -> list[Case]:
    """The cases whose name contains one of the given words, and what they are compared with."""
    if not only:
        return list(CASES)
    words = only.split(",")
    picked = {case.name for case in CASES if any(word in case.name for word in words)}
    picked |= {case.against for case in CASES if case.name in picked and case.against}
    return [case for case in CASES if case.name in picked]


def runner(case: Case, program: Path | None, capture: Path, warm_up: Path) -> Callable[[], Sample]:
    """What measures this case once."""
    if case.options is None:
        scratch = captures.cache_dir() / "output.tmp"
        return partial(run_worker, "worker.py", case.name, str(capture), str(warm_up), str(scratch))
    if program is None:

        def missing() -> Sample:
            raise Absent("the yardstick does not compile here (it needs a C compiler and x86-64 with AVX2)")

        return missing
    return partial(run_yardstick, program, capture, case.options)


def line(case: Case, outcomes: dict[str, Outcome], packets: int) -> dict[str, object]:
    """One case as plain data."""
    outcome = outcomes[case.name]
    row: dict[str, object] = {"case": case.name, "absent": outcome.absent, "failed": outcome.failed}
    if not outcome.samples:
        return row
    last = outcome.samples[-1].seen
    row |= {
        "ns_per_packet_median": outcome.cpu_median() / packets * 1e9,
        "ns_per_packet_min": outcome.cpu_min() / packets * 1e9,
        "ns_per_packet_system": outcome.system_median() / packets * 1e9,
        "peak_mib": outcome.peak() / 2**20,
        "seen": last,
        "cpu_seconds": [s.cpu for s in outcome.samples],
        "system_seconds": [s.system for s in outcome.samples],
        "wall_seconds": [s.wall for s in outcome.samples],
        "peak_octets": [s.peak for s in outcome.samples],
    }
    base = outcomes.get(case.against or "")
    if base is not None and base.samples:
        row |= {
            "against": case.against,
            "time_ratio": outcome.ratio(base),
            "time_ratio_of_mins": outcome.ratio_of_mins(base),
            "time_limit": case.time_limit,
            "memory_ratio": outcome.memory_ratio(base),
            "memory_limit": case.memory_limit,
        }
        # Time saved by not seeing messages is no gain.
        row["sees_less"] = last.get("rows", base.samples[-1].seen["rows"]) < base.samples[-1].seen["rows"]
        row["within"] = not row["sees_less"] and all(
            limit is None or ratio <= limit
            for ratio, limit in (
                (outcome.ratio(base) or 0.0, case.time_limit),
                (outcome.memory_ratio(base) or 0.0, case.memory_limit),
            )
        )
    return row


def show(rows: list[dict[str, object]]) -> str:
    """The result as a table for people."""
    heads = (
        "case",
        "ns/packet",
        "min",
        "kernel",
        "peak MiB",
        "rows",
        "against",
        "x",
        "x of mins",
        "limit",
        "x memory",
        "limit",
        "",
    )
    out = []
    for row in rows:
        if "ns_per_packet_median" not in row:
            what = f"absent: {row['absent']}" if row["absent"] else f"failed: {row['failed']}"
            out.append((str(row["case"]), *["-"] * 11, what))
            continue

        def figure(key: str, digits: int, row: dict[str, object] = row) -> str:
            value = row.get(key)
            return number(value, digits) if isinstance(value, float) else "-"

        seen = row["seen"]
        assert isinstance(seen, dict)
        limited = row.get("time_limit") is not None or row.get("memory_limit") is not None
        verdict = ("within" if row["within"] else "OVER") if limited else ""
        if row.get("sees_less"):
            verdict = "SEES LESS than what it is compared with"
        out.append(
            (
                str(row["case"]),
                figure("ns_per_packet_median", 1),
                figure("ns_per_packet_min", 1),
                figure("ns_per_packet_system", 0),
                figure("peak_mib", 0),
                f"{seen['rows']:,}" if "rows" in seen else "-",
                str(row.get("against") or "-"),
                figure("time_ratio", 2),
                figure("time_ratio_of_mins", 2),
                figure("time_limit", 1),
                figure("memory_ratio", 2),
                figure("memory_limit", 1),
                verdict,
            )
        )
    return table(heads, out)


def main() -> int:
    """Run the benchmark; 1 with --check where a limit is exceeded or a case could not be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packets", type=int, default=2_000_000, help="size of the generated capture")
    parser.add_argument("--rounds", type=int, default=7, help="how often every case runs")
    parser.add_argument("--only", metavar="WORDS", help="comma-separated parts of case names")
    parser.add_argument("--capture", type=Path, help="measure this classic pcap file instead")
    parser.add_argument("--cpu", type=int, help="core to run on (the last one)")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="where to write the results (cache directory)"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 unless every limit is kept")
    arguments = parser.parse_args()

    progress("making captures")
    capture = arguments.capture or captures.traffic(arguments.packets)
    warm_up = captures.traffic(min(WARM_UP_PACKETS, arguments.packets))
    program = captures.yardstick()
    packets = captures.count(capture)
    cpu = pin(arguments.cpu)
    warm(capture)
    cases = chosen(arguments.only)
    before = machine()
    outcomes = take_turns(
        {c.name: runner(c, program, capture, warm_up) for c in cases}, arguments.rounds, progress
    )
    progress_end()

    rows = [line(case, outcomes, packets) for case in cases]
    result = {"machine": before, "cpu": cpu, "packets": packets, "rounds": arguments.rounds, "rows": rows}
    target = arguments.json or captures.cache_dir() / "results.json"
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{packets:,} packets, {arguments.rounds} rounds, core {cpu}, load {before['load']}")
    print(show(rows))
    print(f"Wrote {target}", file=sys.stderr)
    good = all(row.get("within", True) and "cpu_seconds" in row for row in rows)
    return 1 if arguments.check and not good else 0


if __name__ == "__main__":
    sys.exit(main())
