#!/usr/bin/env python3
"""Instructions a frame that each native stage takes, counted by callgrind and compared with a table.

    python benchmarks/callgrind_counts.py            # compare; exit 1 where a stage has become dearer
    python benchmarks/callgrind_counts.py --write    # make what is measured the new table

Unlike seconds, counts hardly depend on what else the machine does, so a small tolerance is enough to keep
costs from creeping in.  They do depend on the compiler: where it is not the one of the table, the comparison
is shown and nothing fails.  Exit 77 means that counting is not possible here; the reason is printed.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = Path(__file__).with_suffix(".json")
PACKETS = 20_000  # of make_capture.py: seconds under callgrind, and far more than any fixed cost
TOLERANCE = 0.03
CANNOT = 77

# What Cython adds around a module's own functions: making the module, entering from Python, types.
AROUND = re.compile(
    r"__Pyx_|__pyx_(?:pymod|pw|pf|tp|getprop|setprop|mdef|buffer)|PyInit_|_init$|_fini$|\(below main\)"
)


def work(capture: Path) -> None:
    """Do what is counted: framing, walk, decode with records, presentation of RDATA."""
    sys.path.insert(0, str(ROOT))

    from dnscap.native.decoder import Decoder
    from dnscap.native.presentation import format_rdata

    decoder = Decoder()
    decoder.begin_file()
    decoder.feed(capture.read_bytes(), True)
    decoder.finish()
    for batch in decoder.take(True):
        columns = (batch.record_column(name) for name in ("type", "class", "rdata", "rdata_octets"))
        format_rdata(*columns)


def count(capture: Path) -> dict[str, int]:
    """Run `work` under callgrind; return instructions by native module."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "callgrind.out"
        command = [
            "valgrind",
            "-q",
            "--tool=callgrind",
            f"--callgrind-out-file={out}",
            "--compress-strings=no",
        ]
        command += ["--compress-pos=no", sys.executable, __file__, "--work", str(capture)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"callgrind failed:\n{done.stderr[-2000:]}")
        return instructions(out.read_text(encoding="utf-8", errors="replace"))


def instructions(profile: str) -> dict[str, int]:
    """Own instructions of the functions of each native module, out of an uncompressed callgrind file."""
    counts: Counter[str] = Counter()
    module = function = ""
    called = False  # the next line is the cost of a call, which the function called has in its own lines
    for line in profile.splitlines():
        if line.startswith("ob="):
            found = re.search(r"/dnscap/native/(\w+)\.[^/]*so$", line)
            module = found[1] if found else ""
        elif line.startswith("fn="):
            function = line[3:]
        elif line.startswith("calls="):
            called = True
        elif line[:1].isdigit():
            if called:
                called = False
            elif module and not AROUND.search(function):
                counts[module] += int(line.split()[1])
    return dict(counts)


def compiler() -> str:
    """Return compiler and architecture that the counts hold for."""
    name = platform.python_compiler()
    real = subprocess.run(["cc", "-dumpfullversion"], capture_output=True, text=True).stdout.strip()
    return f"{name.split()[0].lower()} {real.partition('.')[0]} {platform.machine()}"


def compare(measured: dict[str, float], told: dict[str, float], *, tolerance: float) -> list[str]:
    """Print both side by side; return the stages that cost more than they may."""
    dearer = []
    print(f"{'stage':<14} {'table':>10} {'now':>10}   instructions a frame")
    for stage in sorted({*measured, *told}):
        before, now = told.get(stage), measured.get(stage)
        if before is None or now is None:
            note = "new" if before is None else "gone"
        else:
            change = now / before - 1
            note = f"{change:+.1%}" + (f": more than {tolerance:.0%}" if change > tolerance else "")
            # A few instructions a frame are noise, whatever their share.
            if change > tolerance and now - before > 1:
                dearer.append(stage)
        before_text, now_text = ("" if n is None else f"{n:.1f}" for n in (before, now))
        print(f"{stage:<14} {before_text:>10} {now_text:>10}   {note}")
    return dearer


def main() -> int:
    """Count and compare, or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="make what is measured the new table")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, metavar="SHARE")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(asked.work)
        return 0
    if not shutil.which("valgrind"):
        print("instructions cannot be counted: no valgrind on this machine")
        return CANNOT
    if not any((ROOT / "dnscap" / "native").glob("decoder.*so")):
        print("instructions cannot be counted: the extensions are not built in place")
        return CANNOT
    with tempfile.TemporaryDirectory() as scratch:
        capture = Path(scratch) / "counted.pcap"
        maker = [sys.executable, str(ROOT / "benchmarks" / "make_capture.py"), "-n", str(PACKETS), "-o"]
        subprocess.run([*maker, str(capture)], check=True, capture_output=True)
        measured = {stage: round(n / PACKETS, 1) for stage, n in sorted(count(capture).items())}
    # Modules that only set up are none of our business here.
    measured = {stage: n for stage, n in measured.items() if n >= 1}
    if asked.write:
        table = {"compiler": compiler(), "packets": PACKETS, "instructions_per_frame": measured}
        TABLE.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {TABLE.relative_to(ROOT)}")
        return 0
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    dearer = compare(measured, table["instructions_per_frame"], tolerance=asked.tolerance)
    if table["compiler"] != compiler():
        print(f"the table is for {table['compiler']}, this is {compiler()}: nothing is concluded")
        return 0
    if dearer:
        print(f"dearer than they may be: {', '.join(dearer)}")
    return 1 if dearer else 0


if __name__ == "__main__":
    sys.exit(main())
