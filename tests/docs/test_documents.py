"""What the documents show is what happens: commands and Python are run, made pages are current."""

from __future__ import annotations

import doctest
import importlib.util
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnscap import schema
from dnscap.cli import main
from dnscap.quality import COUNTS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    path
    for path in (
        ROOT / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "docs").glob("*/*.md")),
        *sorted((ROOT / "examples").glob("*.md")),
    )
    if path.exists()
]

pytestmark = pytest.mark.skipif(not (ROOT / "docs").exists(), reason="the documents are not here")


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of a language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands() -> Iterator[tuple[str, str, str]]:
    """Page, command and expected output of all console blocks."""
    for page in PAGES:
        for block in blocks(page, "console"):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                lines = part.split("\n")
                command = lines.pop(0)
                while command.endswith("\\"):
                    command += "\n" + lines.pop(0)
                yield page.name, command, "\n".join(lines).strip("\n")


@pytest.mark.parametrize(("page", "command", "expected"), list(commands()))
def test_commands_print_what_the_documents_show(
    page: str,
    command: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Ours in this process, what cuts its output short in a shell."""
    monkeypatch.chdir(ROOT)
    for name in ("COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    ours, pipe, rest = command.replace("\\\n", " ").partition(" | ")
    program, *arguments = shlex.split(ours)
    assert program == "dnscap"
    with pytest.raises(SystemExit):
        main(arguments)
    said = capfd.readouterr()
    out = said.out
    if pipe:
        out = subprocess.run(
            ["bash", "-c", rest], input=out, capture_output=True, text=True, timeout=60
        ).stdout
    got = (out + said.err).strip("\n")
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(line) + "\n" for line in expected.split("\n")
    )
    assert re.fullmatch(pattern, got + "\n"), f"{page}: $ {command}\n{got}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_documents(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = "\n".join(blocks(page, "python"))
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    told: list[str] = []
    runner.run(test, out=told.append)
    assert not runner.failures, "".join(told)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    assert not [link for link in links if not (page.parent / link).exists()]


def _generator() -> object:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_made_from_sources_are_current() -> None:
    assert not _generator().stale(), "run python docs/generate.py"  # type: ignore[attr-defined]


def test_every_command_with_a_table_has_its_columns_documented() -> None:
    from dnscap.cli import COMMANDS

    titles = _generator().TITLES  # type: ignore[attr-defined]
    assert set(titles) == set(COMMANDS) & set(schema.TABLES)


def test_every_count_of_capture_quality_is_declared() -> None:
    import dnscap

    counts = dnscap.read(ROOT / "examples" / "first-look.pcap").quality.counts
    assert set(counts) == {count.name for count in COUNTS}


def test_every_key_of_a_report_is_documented() -> None:
    import json

    import dnscap

    keys = set(json.loads(dnscap.read(ROOT / "examples" / "first-look.pcap").diagnose().json()))
    page = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    assert {
        key for row in re.findall(r"^\| (`.*?`) \|", page, re.M) for key in re.findall(r"`(\w+)`", row)
    } == keys


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_hold_no_outputs_and_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    book = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    if any(".plot." in "".join(cell["source"]) for cell in code):
        pytest.importorskip("altair")
    monkeypatch.chdir(ROOT / "notebooks")
    scope: dict[str, object] = {}
    for cell in code:
        exec("".join(cell["source"]), scope)
