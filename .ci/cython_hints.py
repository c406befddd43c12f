"""Fail where Cython hints at a cost that native code must not have, above all taking the GIL in a loop.

Every module under ext/ is translated once more and its hints are read; the result is kept under build/hints
until a source changes.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import hashlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path

from Cython.Compiler.Errors import CompileError
from Cython.Compiler.Main import compile
from Cython.Compiler.Options import CompilationOptions, default_options

ROOT = Path(__file__).resolve().parent.parent
HINT = re.compile(r"^performance hint: (?P<place>.+:\d+:\d+): (?P<text>.*)$", re.MULTILINE)
# As setup.py builds; only directives that hints depend on.
DIRECTIVES = {"boundscheck": False, "wraparound": False, "cdivision": True, "initializedcheck": False}


def hints_in(output: str) -> list[str]:
    """Return the performance hints in what a run of Cython printed."""
    return [f"{hit['place']}: {hit['text']}" for hit in HINT.finditer(output)]


def translate(source: Path, include: Path) -> str:
    """Run Cython over `source` and return what it said; raise where it does not translate."""
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stderr(io.StringIO()) as said:
        options = CompilationOptions(
            default_options,
            include_path=[str(include)],
            compiler_directives=DIRECTIVES,
            language_level=3,
            output_file=str(Path(scratch) / "out.c"),
        )
        try:
            errors = compile(str(source), options).num_errors
        except CompileError as error:
            errors = 1
            said.write(str(error))
    if errors:
        raise RuntimeError(f"{source} does not translate:\n{said.getvalue()}")
    return said.getvalue()


def main() -> int:
    """Check every module; return 1 where Cython has a hint."""
    include = ROOT / "ext"
    sources = sorted((include / "dnscap" / "native").glob("*.pyx"))
    contracts = b"".join(p.read_bytes() for p in sorted(include.rglob("*.pxd")))
    kept = ROOT / "build" / "hints"
    kept.mkdir(parents=True, exist_ok=True)
    found: list[str] = []
    memos = {}
    for source in sources:
        digest = hashlib.sha256(contracts + source.read_bytes() + Path(__file__).read_bytes()).hexdigest()
        memos[source] = kept / f"{source.stem}-{digest[:20]}.txt"
    changed = [source for source, memo in memos.items() if not memo.exists()]
    # In few processes: starting Cython takes as long as translating a module.
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        for source, said in zip(
            changed, pool.map(functools.partial(translate, include=include), changed), strict=True
        ):
            for old in kept.glob(f"{source.stem}-*.txt"):
                old.unlink()
            memos[source].write_text("\n".join(hints_in(said)), encoding="utf-8")
    for memo in memos.values():
        found += filter(None, memo.read_text(encoding="utf-8").split("\n"))
    for hint in found:
        sys.stderr.write(hint + "\n")
    sys.stderr.write(f"{len(sources)} native modules, {len(found)} performance hints\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
