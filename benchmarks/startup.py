#!/usr/bin/env python3
"""What it costs to start: ``import dnscap`` and ``dnscap --help``, whole processes, median of several.

python benchmarks/startup.py [--rounds 9] [--check]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from functools import partial
from pathlib import Path

import captures
from measuring import Sample, machine, number, pin, progress, progress_end, run_command, table, take_turns

COMMAND = "import sys; sys.argv = ['dnscap', '--help']; from dnscap.cli import main; main()"
# What is run, and the most wall-clock seconds it may take.
CASES: dict[str, tuple[list[str], float | None]] = {
    "python -c pass": (["-c", "pass"], None),
    "import numpy": (["-c", "import numpy"], None),
    "import pandas": (["-c", "import pandas"], None),
    "import dnscap": (["-c", "import dnscap"], 0.5),
    "dnscap --help": (["-c", COMMAND], 0.15),
}


def once(arguments: list[str]) -> Sample:
    """Start Python once."""
    return run_command([sys.executable, *arguments])[0]


def main() -> int:
    """Run the measurement; 1 with --check where a limit is exceeded or a case fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9, help="how often every case runs")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="where to write the results (cache directory)"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 unless every limit is kept")
    arguments = parser.parse_args()

    pin()
    cases = {name: partial(once, command) for name, (command, _) in CASES.items()}
    take_turns(cases, 1, progress)  # compiles what is not compiled yet, fills the page cache
    outcomes = take_turns(cases, arguments.rounds, progress)
    progress_end()
    rows: list[dict[str, object]] = []
    lines = []
    for name, (_, limit) in CASES.items():
        outcome = outcomes[name]
        if not outcome.samples:
            rows.append({"case": name, "failed": outcome.failed, "within": False})
            lines.append((name, "-", "-", "-", "-", f"failed: {outcome.failed}"))
            continue
        wall = statistics.median(s.wall for s in outcome.samples)
        within = limit is None or wall <= limit
        rows.append(
            {
                "case": name,
                "cpu_seconds": [s.cpu for s in outcome.samples],
                "wall_seconds": [s.wall for s in outcome.samples],
                "limit": limit,
                "within": within,
            }
        )
        verdict = "" if limit is None else "within" if within else "OVER"
        peak = number(outcome.peak() / 2**20, 0)
        lines.append(
            (name, number(outcome.cpu_median(), 3), number(wall, 3), peak, number(limit, 2), verdict)
        )
    target = arguments.json or captures.cache_dir() / "startup.json"
    target.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
    print(table(("case", "cpu s", "wall s", "peak MiB", "limit", ""), lines))
    print(f"Wrote {target}", file=sys.stderr)
    return 1 if arguments.check and not all(row["within"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
