"""Check the stub of every native module against the module as built (mypy's stubtest)."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
# What no stub tells: what Cython adds to every module and class, tables that a module imports for itself, and
# buffers, which Python shows only from 3.12 on.
GENERATED = r"""
.*\.__test__
.*\.__pyx_capi__
.*\.__reduce_cython__
.*\.__setstate_cython__
.*\.__pyx_vtable__
.*\.__buffer__
dnscap\.native\.\w+\.[A-Z][A-Z_]+
"""
# Only the stubs are checked here, not the Python modules that they make mypy read.
CONFIG = """
[mypy]
[mypy-dnscap.*]
ignore_errors = True
[mypy-dnscap.native.*]
ignore_errors = False
[mypy-pyarrow.*,scapy.*,lz4.*,backports.*,duckdb.*]
ignore_missing_imports = True
follow_imports = skip
"""


def _public(stem: str) -> list[str]:
    """Return what a native module shows to Python; one that only other native modules use shows nothing."""
    module = importlib.import_module(f"dnscap.native.{stem}")
    return [name for name in vars(module) if not name.startswith("_")]


def main() -> int:
    """Run stubtest over the modules; return its exit code, or 1 where a module has no stub."""
    stems = sorted(p.stem for p in (ROOT / "ext" / "dnscap" / "native").glob("*.pyx"))
    native = ROOT / "dnscap" / "native"
    bare = [stem for stem in stems if not (native / f"{stem}.pyi").exists()]
    silent = [stem for stem in bare if not _public(stem)]
    bare = [stem for stem in bare if stem not in silent]
    if bare:
        sys.stderr.write(f"no stub in dnscap/native for: {', '.join(bare)}\n")
    orphans = sorted(p.stem for p in native.glob("*.pyi") if p.stem not in {*stems, "__init__"})
    if orphans:
        sys.stderr.write(f"stub without a module in ext/dnscap/native: {', '.join(orphans)}\n")
    stubbed = [f"dnscap.native.{stem}" for stem in stems if stem not in {*bare, *silent}]
    code = 0
    if stubbed:
        allow, config = ROOT / "build" / "stubtest-generated.txt", ROOT / "build" / "stubtest.ini"
        allow.parent.mkdir(exist_ok=True)
        allow.write_text(GENERATED, encoding="utf-8")
        config.write_text(CONFIG, encoding="utf-8")
        command = [sys.executable, "-m", "mypy.stubtest", "--ignore-unused-allowlist"]
        command += ["--allowlist", str(allow), "--mypy-config-file", str(config), *stubbed]
        code = subprocess.run(command, cwd=ROOT).returncode
    return 1 if bare or orphans else code


if __name__ == "__main__":
    sys.exit(main())
