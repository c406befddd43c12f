#!/usr/bin/env python3
"""Peak memory of one streaming pass, over captures that grow and over a flood of names.

    python benchmarks/memory.py [--packets 2000000,20000000] [--names 5000000] [--limit 400] [--check]

Memory must not follow the size of the capture. The 20 M packet capture takes 3.3 GB of disk, the names
0.7 GB; both stay in the cache directory.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import captures
from measuring import Absent, Failed, machine, number, pin, progress, progress_end, run_worker, table

WARM_UP_PACKETS = 20_000  # at most
CASES = ("batches", "batches+records")


def main() -> int:
    """Run the measurement; 1 with --check where a pass takes more than the limit or cannot be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packets", default="2000000,20000000", help="sizes of the traffic captures")
    parser.add_argument("--names", default="5000000", help="sizes of the captures of distinct random names")
    parser.add_argument("--limit", type=float, default=400.0, help="most MB (of 10^6 octets) a pass may take")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="where to write the results (cache directory)"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 unless the limit is kept")
    arguments = parser.parse_args()

    pin()
    progress("making captures")
    sizes = [int(n) for n in arguments.packets.split(",") if n]
    warm_up = captures.traffic(min([WARM_UP_PACKETS, *sizes]))
    inputs: list[tuple[str, int, Callable[[int], Path]]]
    inputs = [(f"traffic {n:,}", n, captures.traffic) for n in sizes]
    inputs += [(f"names {int(n):,}", int(n), captures.random_names) for n in arguments.names.split(",") if n]
    scratch = str(captures.cache_dir() / "output.tmp")
    rows: list[dict[str, object]] = []
    lines = []
    for label, count, make in inputs:
        progress(f"making {label}")
        capture = make(count)
        for case in CASES:
            progress(f"{label}: {case}")
            row: dict[str, object] = {"capture": label, "packets": count, "case": case}
            try:
                sample = run_worker("worker.py", case, str(capture), str(warm_up), scratch)
            except (Absent, Failed) as why:
                row["why"] = f"{type(why).__name__.lower()}: {why}"
                lines.append((label, case, "-", "-", "-", "-", "-", str(row["why"])))
            else:
                within = sample.peak <= arguments.limit * 1e6
                row |= {"peak": sample.peak, "cpu": sample.cpu, "seen": sample.seen, "within": within}
                lines.append(
                    (
                        label,
                        case,
                        number(capture.stat().st_size / 1e6, 0),
                        f"{sample.seen['rows']:,}",
                        number(sample.seen["before"] / 1e6, 0),
                        number(sample.peak / 1e6, 0),
                        number(sample.cpu / count * 1e9),
                        "within" if within else "OVER",
                    )
                )
            rows.append(row)
    progress_end()
    target = arguments.json or captures.cache_dir() / "memory.json"
    target.write_text(
        json.dumps({"machine": machine(), "limit_mb": arguments.limit, "rows": rows}, indent=1) + "\n"
    )
    print(table(("capture", "pass", "file MB", "rows", "before MB", "peak MB", "ns/packet once", ""), lines))
    print(f"Wrote {target}", file=sys.stderr)
    return 1 if arguments.check and not all(row.get("within") for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
