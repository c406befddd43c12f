"""Fail where Cython hints at a cost that native code must not have, above all taking the GIL in a loop.

Every module under ext/ is translated once more and its hints are read; the result is kept under build/hints
until a source changes.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HINT = re.compile(r"^performance hint: (?P<place>.+:\d+:\d+): (?P<text>.*)$", re.MULTILINE)
# As setup.py builds; only directives that hints depend on.
DIRECTIVES = ("boundscheck=False", "wraparound=False", "cdivision=True", "initializedcheck=False")


def hints_in(output: str) -> list[str]:
    """Return the performance hints in what a run of Cython printed."""
    return [f"{hit['place']}: {hit['text']}" for hit in HINT.finditer(output)]


def translate(source: Path, include: Path) -> str:
    """Run Cython over `source` and return what it said; raise where it does not translate."""
    command = [sys.executable, "-m", "cython", "-3", "--fast-fail", "-I", str(include)]
    command += [word for directive in DIRECTIVES for word in ("-X", directive)]
    with tempfile.TemporaryDirectory() as scratch:
        command += ["-o", str(Path(scratch) / "out.c"), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode != 0:
        raise RuntimeError(f"{source} does not translate:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def main() -> int:
    """Check every module; return 1 where Cython has a hint."""
    include = ROOT / "ext"
    sources = sorted((include / "dnscap" / "native").glob("*.pyx"))
    contracts = b"".join(p.read_bytes() for p in sorted(include.rglob("*.pxd")))
    kept = ROOT / "build" / "hints"
    kept.mkdir(parents=True, exist_ok=True)
    found: list[str] = []
    for source in sources:
        digest = hashlib.sha256(contracts + source.read_bytes() + Path(__file__).read_bytes()).hexdigest()
        memo = kept / f"{source.stem}-{digest[:20]}.txt"
        if not memo.exists():
            hints = hints_in(translate(source, include))
            for old in kept.glob(f"{source.stem}-*.txt"):
                old.unlink()
            memo.write_text("\n".join(hints), encoding="utf-8")
        found += filter(None, memo.read_text(encoding="utf-8").split("\n"))
    for hint in found:
        sys.stderr.write(hint + "\n")
    sys.stderr.write(f"{len(sources)} native modules, {len(found)} performance hints\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
