"""Run the fuzz targets, each for a while, from seeds; or one input again.

``run.py --seconds 60``                every target, a minute each
``run.py --seconds 600 walk``          one target
``run.py --seconds 10 --from 1``       the same inputs every time, as far as the machine gets in that time
``run.py --seeds``                     every seed once, under the sanitizers
``run.py --again walk FILE``           one input, as libFuzzer reported it

What is new in coverage is kept in build/fuzz/corpus for the next run, findings in build/fuzz/findings.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import seeds
from targets import BUILD, ROOT, TARGETS, Target

OUT = BUILD / "fuzz"
ASAN_OPTIONS = (
    "detect_leaks=0",
    "abort_on_error=1",
    "allocator_may_return_null=1",
    # Memory freed is soon used again and not given back: otherwise most of the time goes into fresh pages.
    "quarantine_size_mb=16",
    "allocator_release_to_os_interval_ms=-1",
    "malloc_context_size=12",
)


def _environment(target: Target) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return inherited | {
        "DNSCAP_FUZZ_PYTHON": sys.executable,
        "DNSCAP_FUZZ_ENTRY": target.entry,
        "PYTHONPATH": str(OUT),
        "PYTHONHASHSEED": "0",  # the same input takes the same way every time
        "PYTHONMALLOC": "malloc",  # Python's own pools would hide overruns of its objects
        "ASAN_OPTIONS": ":".join(ASAN_OPTIONS),
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    }


def _write_seeds(target: Target) -> Path:
    """Write the seeds out; those from shared captures too, where there are any."""
    where = BUILD / "seeds" / target.name
    where.mkdir(parents=True, exist_ok=True)
    for name, octets in (*seeds.of(target.name), *seeds.from_captures(target.name, seeds.shared_captures())):
        path = where / name
        if not path.exists() or path.stat().st_size != len(octets):
            path.write_bytes(octets)
    return where


def run(target: Target, seconds: int, *, begin: int | None, once: bool) -> tuple[bool, str]:
    """Fuzz one target, from the random number `begin` or any; return whether it held, and a line for the table."""
    findings = BUILD / "findings"
    corpus = BUILD / "corpus" / target.name
    for directory in (findings, corpus):
        directory.mkdir(parents=True, exist_ok=True)
    command = [
        str(OUT / "driver"),
        f"-artifact_prefix={findings}/{target.name}-",
        f"-max_len={target.max_len}",
    ]
    command += ["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=1"]
    command += ["-runs=0"] if once else [f"-max_total_time={seconds}"]
    command += [] if begin is None else [f"-seed={begin}"]
    command += [str(corpus), str(_write_seeds(target))]
    log = BUILD / f"{target.name}.log"
    began = time.monotonic()
    with log.open("wb") as out:
        code = subprocess.run(command, env=_environment(target), cwd=ROOT, stdout=out, stderr=out).returncode
    spent = time.monotonic() - began
    text = log.read_text(encoding="utf-8", errors="replace")
    executed = _last_number(r"number_of_executed_units:\s*(\d+)", text) or _last_number(r"^#(\d+)\s", text)
    covered = _last_number(r"\bcov: (\d+)", text)
    peak = _last_number(r"peak_rss_mb:\s*(\d+)", text)
    verdict = "held" if code == 0 else f"FAILED (exit {code}), see {log.relative_to(ROOT)}"
    line = f"{target.name:10} {executed:>12,} runs {spent:7.0f} s {executed / max(spent, 1):>9,.0f}/s"
    return code == 0, f"{line}  edges {covered:>6,}  peak {peak:>5,} MB  {verdict}"


def _last_number(pattern: str, text: str) -> int:
    numbers = re.findall(pattern, text, re.MULTILINE)
    return int(numbers[-1]) if numbers else 0


def main() -> int:
    """Run what is asked for; return 1 where a target failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", help="names of targets; all where none is named")
    parser.add_argument("--seconds", type=int, default=60, help="time for each target")
    parser.add_argument("--from", dest="begin", type=int, metavar="N", help="the random number to begin from")
    parser.add_argument("--seeds", action="store_true", help="only run each seed once")
    parser.add_argument("--again", type=Path, metavar="FILE", help="run this one input")
    asked = parser.parse_args()
    by_name = {target.name: target for target in TARGETS}
    unknown = sorted(set(asked.targets) - by_name.keys())
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(by_name)}")
    chosen = [by_name[name] for name in asked.targets] or list(TARGETS)
    if asked.again:
        if len(chosen) != 1:
            parser.error("name the one target that the input is for")
        return subprocess.run([str(OUT / "driver"), str(asked.again)], env=_environment(chosen[0])).returncode
    held = True
    for target in chosen:
        reason = target.lacking()
        if reason:
            sys.stdout.write(f"{target.name:10} left out: {reason}\n")
            continue
        good, line = run(target, asked.seconds, begin=asked.begin, once=asked.seeds)
        held = held and good
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
