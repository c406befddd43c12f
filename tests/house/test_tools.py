"""The linters and the checks of .ci find nothing here, and would find something elsewhere."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from sources import ROOT

pytestmark = pytest.mark.requires("source")


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "command", [("check", "--output-format=concise"), ("format", "--check")], ids=" ".join
)
def test_ruff_has_nothing_to_say(command: tuple[str, ...]) -> None:
    pytest.importorskip("ruff")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, "\n".join(done.stdout.splitlines()[-30:])


def test_a_lock_taken_in_a_loop_is_found(tmp_path: Path) -> None:
    pytest.importorskip("Cython")
    hints = _load(ROOT / ".ci" / "cython_hints.py")
    slow = tmp_path / "slow.pyx"
    slow.write_text(
        "cdef void step(int x) nogil:\n    pass\n"
        "cdef int quick(int x) noexcept nogil:\n    return x\n"
        "def loop(int n):\n    cdef int i\n    with nogil:\n        for i in range(n):\n"
        "            step(quick(i))\n",
        encoding="utf-8",
    )
    found = hints.hints_in(hints.translate(slow, ROOT / "ext"))
    assert found and all("'step'" in hint and "GIL" in hint for hint in found)


def test_stubs_and_native_modules_belong_together() -> None:
    stubs = {path.stem for path in (ROOT / "dnscap" / "native").glob("*.pyi")} - {"__init__"}
    sources = {path.stem for path in (ROOT / "ext" / "dnscap" / "native").glob("*.pyx")}
    assert stubs <= sources
    bare = [stem for stem in sorted(sources - stubs) if _shows_something(stem)]
    assert not bare, "no stub"


def _shows_something(stem: str) -> bool:
    module = importlib.import_module(f"dnscap.native.{stem}")
    return any(not name.startswith("_") for name in vars(module))


def test_the_package_ships_its_types() -> None:
    assert (ROOT / "dnscap" / "py.typed").exists()


@pytest.mark.parametrize("script", [".ci/run", ".ci/check-system.sh"])
def test_scripts_are_executable_and_parse(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_every_ci_stage_has_a_limit_and_a_body() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    listed = subprocess.run([str(ROOT / ".ci" / "run"), "--list"], capture_output=True, text=True, check=True)
    for stage in listed.stdout.split():
        assert f"stage_{stage}()" in text
