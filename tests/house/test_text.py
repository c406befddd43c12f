"""What the sources say: docstrings, column meanings, words that have no place here, commands that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sources import ROOT, Module, native_modules, python_modules, texts

from dnscap import schema

source = pytest.mark.requires("source")

# Written apart, so that this file does not find itself.
UNFINISHED = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"))
HOMES = "|".join(("/ho" + r"me/\w", "/ro" + "ot/", "/Us" + r"ers/\w", r"C:\\" + "Users"))
HOSTS = "|".join(
    re.escape(host)
    for host in (
        "pyp" + "i.org",
        "pythonhost" + "ed.org",
        "registry.npm" + "js.org",
        "docker" + ".io",
        "ghcr" + ".io",
        "quay" + ".io",
        "conda" + ".anaconda.org",
    )
)


def _faults(pattern: str) -> list[str]:
    wanted = re.compile(pattern)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if wanted.search(line)
    ]


@source
def test_nothing_is_left_unfinished() -> None:
    assert not _faults(rf"\b({UNFINISHED})\b")


@source
def test_no_merge_is_half_done() -> None:
    assert not _faults(r"^(<{7}|>{7}) ")


@source
def test_no_path_or_host_of_one_machine() -> None:
    assert not _faults(f"{HOMES}|{HOSTS}")


@source
def test_requirements_are_exact_versions() -> None:
    lines = (ROOT / ".ci" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert not [
        pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+(; python_version [<>=]+ \"[\d.]+\")?", pin)
    ]
    names = [pin.partition("==")[0].lower() for pin in pins]
    assert len(names) == len(set(names))


def _undocumented(module: Module) -> Iterator[str]:
    tree = ast.parse(module.text)
    where = module.path.relative_to(ROOT)
    if not ast.get_docstring(tree) and module.text.strip():
        yield f"{where}: the module"
    for node in tree.body:
        if not isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield f"{where}:{node.lineno}: {node.name}"
        # What a class makes of its bases' methods is told there.
        own = node.body if isinstance(node, ast.ClassDef) and not node.bases else []
        for method in own:
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and not method.name.startswith("_"):
                marks = {ast.unparse(mark).rpartition(".")[2] for mark in method.decorator_list}
                if not ast.get_docstring(method) and marks.isdisjoint({"overload", "setter", "override"}):
                    yield f"{where}:{method.lineno}: {node.name}.{method.name}"


@source
@pytest.mark.parametrize("module", [*python_modules()], ids=lambda m: m.name)
def test_what_is_public_says_what_it_is(module: Module) -> None:
    assert not list(_undocumented(module))


@source
@pytest.mark.parametrize("module", [*native_modules()], ids=lambda m: m.path.name)
def test_native_modules_say_what_they_are(module: Module) -> None:
    text = module.text
    assert not text.strip() or re.match(r'(?:#.*\n|\s)*"""', text), "no docstring at the top"
    told = set(re.findall(r"\w+", " ".join(re.findall(r"^ {4}([\w, ]+) : ", text, re.MULTILINE))))
    silent = [name for name, body in _faces(text) if not re.match(r'r?"""', body) and name not in told]
    assert not silent, "no docstring, nor an entry under Attributes"


def _faces(text: str) -> Iterator[tuple[str, str]]:
    """Give name and first line of what each function shows to Python: def and cpdef, but no private names."""
    lines = iter(text.splitlines())
    for line in lines:
        named = re.match(r"(?: {4})?(?:cpdef\s[^=(]*?|def\s+)([a-zA-Z]\w*)\(", line)
        if named is None:
            continue
        signature = line
        while not signature.partition("#")[0].rstrip().endswith(":"):
            signature = next(lines)
        yield named[1], next((body.strip() for body in lines if body.strip()), "")


@pytest.mark.parametrize("table", schema.TABLES)
def test_columns_are_unique_and_mean_something(table: str) -> None:
    columns = schema.TABLES[table]
    names = [column.name for column in columns]
    assert len(names) == len(set(names))
    for column in columns:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
        assert column.meaning[:1].isalnum() and column.meaning.endswith("."), (
            f"{column.name}: {column.meaning!r}"
        )


# Commands that the documents name --------------------------------------------------------------------------


def _documents() -> list[Path]:
    return [path for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md") if path.exists()]


def _code_lines(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    for block in re.findall(r"^(?:```|~~~)\w*\n(.*?)^(?:```|~~~)", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE)
    yield from re.findall(r"`([^`\n]+)`", text)


@source
def test_make_targets_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        word
        for path in _documents()
        for line in _code_lines(path)
        for command in re.findall(r"(?:^|[;&|$] ?)make((?: [a-z-]+)+)", line)
        for word in command.split()
    }
    assert named <= targets


@source
def test_commands_in_documents_exist() -> None:
    cli = pytest.importorskip("dnscap.cli", reason="no command line yet")
    commands = set(cli.COMMANDS)
    named = {
        word
        for path in _documents()
        for line in _code_lines(path)
        for word in re.findall(r"(?:^|[|;&$] ?)(?:py)?dnscap ([a-z]+)\b", line)
    }
    assert named <= commands


@source
def test_files_on_the_map_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    fenced = re.search(r"^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert fenced, "CONTRIBUTING.md has a map of the source"
    entries = [
        line.split("  ")[0].strip() for line in fenced[1].splitlines() if line and not line.startswith(" ")
    ]
    assert entries
    assert not [entry for line in entries for entry in line.split(", ") if not (ROOT / entry).exists()]
