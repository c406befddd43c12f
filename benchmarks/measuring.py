"""CPU seconds and peak memory of child processes, in rounds that take turns.

Ratios are the aim, not records: a machine's speed drifts by tens of per cent while other work runs on
it, so every round runs every case once (A B C, A B C, ...) and a ratio is taken within its round. Time
is CPU time, user and system; wall time says more about the neighbours than about the program.

This module imports nothing heavy on purpose. Linux counts a child's peak memory from the moment of the
fork, so the measuring process must stay smaller than anything it measures.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Absent(Exception):
    """What a case needs is not there: an entry point, a program, a compiler."""


class Failed(Exception):
    """A case ran and ended badly."""


@dataclass(slots=True)
class Sample:
    """One measurement of one case.

    Attributes
    ----------
    cpu : float
        CPU seconds, user and system, of the measured part.
    peak : int
        Peak resident memory of the process, in octets.
    wall : float
        Wall-clock seconds of the measured part.
    system : float
        What of `cpu` the kernel took, mostly to hand out pages; for the yardstick, of the whole process.
    seen : dict
        What the case counted on its way (packets, rows, octets written, ...).
    """

    cpu: float
    peak: int
    wall: float
    system: float
    seen: dict[str, int] = field(default_factory=dict)


def pin(cpu: int | None = None) -> int:
    """Bind this process, and every child it starts, to one core (the last allowed one if not told)."""
    chosen = max(os.sched_getaffinity(0)) if cpu is None else cpu
    os.sched_setaffinity(0, {chosen})
    return chosen


def warm(path: Path) -> None:
    """Bring a file into the page cache, so that no case pays for the disk."""
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 22):
            pass


def last_line(text: str) -> str:
    """The last line of what a program said: in a traceback, the one that tells what happened."""
    return text.strip().rpartition("\n")[2][-300:]


def run_command(command: Sequence[str], output: Path | None = None) -> tuple[Sample, str, str]:
    """Run a whole process; its sample, and what it wrote to standard output and standard error.

    Parameters
    ----------
    command : sequence of str
        Program and arguments, no shell.
    output : Path, optional
        File that receives standard output instead.
    """
    started = time.monotonic()
    errors = Path(os.devnull) if output is None else output.with_suffix(".err")
    with errors.open("wb") as error_file:
        if output is None:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()
            )
            assert process.stdout is not None
            text = process.stdout.read().decode(errors="replace")
        else:
            with output.open("wb") as file:
                process = subprocess.Popen(command, stdout=file, stderr=error_file, env=environment())
            text = ""
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - started
    complaint = ""
    if output is not None:
        complaint = errors.read_text(errors="replace")
        errors.unlink()
    if process.returncode != 0:
        raise Failed(f"{command[0]} ended with {process.returncode}: {last_line(complaint or text)}")
    return (
        Sample(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, wall, usage.ru_stime),
        text,
        complaint,
    )


def run_yardstick(program: Path, capture: Path, options: Sequence[str]) -> Sample:
    """Run the C yardstick; the time is the one it takes of itself, around the work only."""
    sample, text, _ = run_command([str(program), str(capture), *options])
    found = re.search(r"packets=(\d+) rows=(\d+) rrs=(\d+) .*ns_per_packet=([\d.]+)", text)
    if found is None:
        raise Failed(f"no figures in: {text[-200:]!r}")
    packets = int(found[1])
    sample.cpu = float(found[4]) * packets * 1e-9
    sample.seen = {"packets": packets, "rows": int(found[2]), "records": int(found[3])}
    return sample


def environment() -> dict[str, str]:
    """Where a child finds dnscap: this checkout if built in place, else the installed one."""
    root = HERE.parent
    if not any((root / "dnscap" / "native").glob("*.so")):
        return dict(os.environ)
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in paths if p)}


def run_worker(script: str, *arguments: str) -> Sample:
    """Run one of the worker scripts beside this file in a fresh Python and take its report.

    The worker imports, warms up, measures itself once, and prints one JSON object as its last line.
    """
    command = [sys.executable, str(HERE / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    lines = done.stdout.strip().splitlines()
    try:
        report = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise Failed(f"exit {done.returncode}: {last_line(done.stderr)}") from None
    if "absent" in report:
        raise Absent(report["absent"])
    if "failed" in report:
        raise Failed(report["failed"])
    return Sample(report["cpu"], report["peak"], report["wall"], report["system"], report["seen"])


@dataclass(slots=True)
class Outcome:
    """All samples of one case, in the order of the rounds; or why there are none."""

    samples: list[Sample] = field(default_factory=list)
    absent: str | None = None
    failed: str | None = None

    def cpu_median(self) -> float:
        """Median CPU seconds."""
        return statistics.median(s.cpu for s in self.samples)

    def cpu_min(self) -> float:
        """Least CPU seconds."""
        return min(s.cpu for s in self.samples)

    def system_median(self) -> float:
        """Median of the seconds that the kernel took."""
        return statistics.median(s.system for s in self.samples)

    def peak(self) -> int:
        """Median of the peak memory, in octets."""
        return int(statistics.median(s.peak for s in self.samples))

    def ratio(self, base: Outcome) -> float | None:
        """Median over the rounds of CPU time relative to `base` in the same round."""
        pairs = list(zip(self.samples, base.samples, strict=False))
        return statistics.median(a.cpu / b.cpu for a, b in pairs) if pairs else None

    def ratio_of_mins(self, base: Outcome) -> float | None:
        """Least CPU time relative to the least of `base`: what a quiet machine would show."""
        return self.cpu_min() / base.cpu_min() if self.samples and base.samples else None

    def memory_ratio(self, base: Outcome) -> float | None:
        """Peak memory relative to that of `base`."""
        return self.peak() / base.peak() if self.samples and base.samples else None


def take_turns(
    cases: Mapping[str, Callable[[], Sample]], rounds: int, say: Callable[[str], None] = lambda text: None
) -> dict[str, Outcome]:
    """Run every case once a round.

    A case that is absent or fails is not tried again, and never stops the others.
    """
    outcomes = {name: Outcome() for name in cases}
    for number in range(1, rounds + 1):
        for name, case in cases.items():
            outcome = outcomes[name]
            if outcome.absent is not None or outcome.failed is not None:
                continue
            say(f"round {number} of {rounds}: {name}")
            try:
                outcome.samples.append(case())
            except Absent as why:
                outcome.absent = str(why)
            except Failed as why:
                outcome.failed = str(why)
                outcome.samples.clear()
    return outcomes


def progress(text: str) -> None:
    """Show one changing line, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def progress_end() -> None:
    """Remove the changing line."""
    progress("")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay text out in columns: to the right, but for the first column and those without a head."""
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    left = [i == 0 or not head for i, head in enumerate(heads)]
    lines = []
    for row in [heads, *rows]:
        cells = [
            cell.ljust(width) if to_left else cell.rjust(width)
            for cell, width, to_left in zip(row, widths, left, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(lines)


def machine() -> dict[str, object]:
    """What a reader of the figures must know about where they come from."""
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text())
        model = found[1] if found else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load": [round(x, 2) for x in os.getloadavg()],
        "python": sys.version.split()[0],
        "date": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }


def number(value: float | None, digits: int = 1) -> str:
    """Show a figure, or a dash where there is none."""
    return "-" if value is None else f"{value:,.{digits}f}"
