"""The source files of the project, as the tests of this directory read them."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = {".git", ".venv", "build", "dist", "__pycache__"}
SKIPPED |= {".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}

_CIMPORT = re.compile(
    r"^\s*(?:from\s+(?P<package>[\w.]+)\s+c?import\s+(?P<names>[^#]+)|c?import\s+(?P<plain>[^#]+))"
)


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the package, Python or native."""

    name: str
    path: Path

    @property
    def text(self) -> str:
        """Return its source."""
        return self.path.read_text(encoding="utf-8")


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package: .py under dnscap, .pyx and .pxd under ext."""
    found = []
    for tree, patterns in ((ROOT / "dnscap", ("*.py",)), (ROOT / "ext" / "dnscap", ("*.pyx", "*.pxd"))):
        for pattern in patterns:
            for path in sorted(tree.rglob(pattern)):
                if SKIPPED.isdisjoint(path.parts):
                    parts = path.relative_to(tree.parent).with_suffix("").parts
                    name = ".".join(part for part in parts if part != "__init__")
                    found.append(Module(name, path))
    return tuple(found)


def python_modules() -> Iterator[Module]:
    """Give the modules written in Python."""
    return (module for module in modules() if module.path.suffix == ".py")


def native_modules() -> Iterator[Module]:
    """Give the modules written in Cython, declarations and definitions."""
    return (module for module in modules() if module.path.suffix in {".pyx", ".pxd"})


def imports(module: Module, *, at_load: bool = False) -> set[str]:
    """Names of the dnscap modules that `module` imports or cimports; `at_load`: as it is itself imported."""
    known = {other.name for other in modules()}
    if module.path.suffix == ".py":
        wanted = _python_imports(module, at_load)
    else:
        wanted = _cython_imports(module)
    found = set()
    for package, name in wanted:
        # "from package import module" is an arrow to the module, "from module import name" to the module.
        longest = f"{package}.{name}" if f"{package}.{name}" in known else package
        if longest in known and longest != module.name:
            found.add(longest)
    return found


def foreign_imports(module: Module) -> set[str]:
    """Names of the packages from elsewhere that `module` imports as it is loaded."""
    if module.path.suffix != ".py":
        return {package.partition(".")[0] for package, _ in _cython_imports(module)}
    return {package.partition(".")[0] for package, _ in _python_imports(module, True)}


def _named_by(node: ast.Import | ast.ImportFrom, module: Module) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, ""
        return
    package = node.module or ""
    if node.level:
        is_package = module.path.stem == "__init__"
        base = module.name.split(".")
        base = base[: len(base) - node.level + is_package]
        package = ".".join([*base, package] if package else base)
    for alias in node.names:
        yield package, alias.name


def _python_imports(module: Module, at_load: bool) -> Iterator[tuple[str, str]]:
    tree = ast.parse(module.text)
    # What is imported for annotations alone is no arrow: nothing runs because of it.
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in tree.body if at_load else set(ast.walk(tree)) - for_types:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _named_by(node, module)


def _cython_imports(module: Module) -> Iterator[tuple[str, str]]:
    joined = re.sub(r"\(([^()]*)\)", lambda hit: hit[1].replace("\n", " "), module.text)
    for line in joined.splitlines():
        hit = _CIMPORT.match(line)
        if hit is None:
            continue
        if hit["package"]:
            for name in hit["names"].split(","):
                yield hit["package"], name.split(" as ")[0].strip()
        else:
            for name in hit["plain"].split(","):
                yield name.split(" as ")[0].strip(), ""


def texts() -> Iterator[Path]:
    """Give every text file of the source tree that people write."""
    kinds = {
        ".py",
        ".pyi",
        ".pyx",
        ".pxd",
        ".h",
        ".c",
        ".md",
        ".toml",
        ".txt",
        ".sh",
        ".in",
        ".ipynb",
        ".rst",
    }
    for folder, below, names in os.walk(ROOT):
        below[:] = sorted(name for name in below if name not in SKIPPED and not name.endswith(".egg-info"))
        for path in (Path(folder) / name for name in sorted(names)):
            written = path.suffix in kinds or path.name in {"Makefile", "run", ".gitignore"}
            if written and not path.is_symlink():
                yield path
