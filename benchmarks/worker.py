"""worker.py CASE CAPTURE WARM-UP-CAPTURE SCRATCH-FILE: measure one case of cases.py in this process, once.

Imports and a run over the small warm-up capture come first and are not counted. The last line printed is
the report, one JSON object.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import time
from pathlib import Path

from cases import PYTHON_CASES
from measuring import Absent


def memory(field: str) -> int:
    """Resident memory now (VmRSS) or at its peak (VmHWM), in octets."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def forget_peak() -> None:
    """Let the peak start from what is resident now (proc(5), clear_refs)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    """Measure and report."""
    name, capture, warm_up, scratch = sys.argv[1:5]
    case = PYTHON_CASES[name]
    output = Path(scratch)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            case(Path(warm_up), output)
            output.unlink(missing_ok=True)
            gc.collect()
            forget_peak()
            before = memory("VmRSS")
            system = os.times().system
            wall, cpu = time.perf_counter(), time.process_time()
            seen, kept = case(Path(capture), output)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            system = os.times().system - system
            peak = memory("VmHWM")
            del kept
        if output.exists():
            seen["written"] = output.stat().st_size
            output.unlink()
        report = {
            "cpu": cpu,
            "wall": wall,
            "system": system,
            "peak": peak,
            "seen": {**seen, "before": before},
        }
    except Absent as why:
        report = {"absent": str(why)}
    except Exception as why:
        report = {"failed": f"{type(why).__name__}: {why}"}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
