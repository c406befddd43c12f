"""Arrows between stages never point back; modules stay small; nothing talks out of turn."""

from __future__ import annotations

import ast
import fnmatch
import graphlib

import pytest
from sources import ROOT, Module, foreign_imports, imports, modules, native_modules, python_modules

pytestmark = pytest.mark.requires("source")

STAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "ground",  # words, columns, octets: what every stage may know
        (
            "dnscap.errors",
            "dnscap.schema",
            "dnscap.registry",
            "dnscap.native",
            *(
                f"dnscap.native.{name}"
                for name in ("octets", "frames", "datagrams", "events", "domain", "text", "digits", "quoting")
            ),
            *(f"dnscap.native.{name}" for name in ("arrow*", "columns*", "intern*", "status*", "tables*")),
        ),
    ),
    ("capture", ("dnscap.capture*", "dnscap.native.framing*")),
    (
        "network",
        ("dnscap.network*", *(f"dnscap.native.{name}*" for name in ("fragments", "streams", "walk"))),
    ),
    (
        "messages",
        ("dnscap.messages*", *(f"dnscap.native.{name}*" for name in ("message", "decode", "rdata"))),
    ),
    ("exchanges", ("dnscap.exchanges*", "dnscap.native.exchange*", "dnscap.native.match*")),
    (
        "lookups",
        ("dnscap.lookups*", "dnscap.native.lookup*", "dnscap.resolutions*", "dnscap.native.resolution*"),
    ),
    ("engine", ("dnscap.engine*", "dnscap.native.engine*", "dnscap.native.pipeline*")),
    ("frames", ("dnscap.frames*", "dnscap.tables*", "dnscap.reading*", "dnscap.session*", "dnscap.interop*")),
    ("findings", ("dnscap.findings*",)),
    ("faces", ("dnscap.output*", "dnscap.report*", "dnscap.live*", "dnscap.native.lines*")),
    ("package", ("dnscap",)),
    ("cli", ("dnscap.cli*", "dnscap.__main__")),
)
"""The stages in the order in which data flows, each with its modules: a module imports from its own stage and
from those above it in this table, never from those below.  The first pattern that fits decides."""

CEILING = 800
CEILING_EXCEPT: dict[str, str] = {
    "dnscap/schema.py": "a table: one line a column",
    "dnscap/registry.py": "a table: one line a registered value",
}

PANDAS_FROM = "frames"


def stage_of(name: str) -> int | None:
    """Place of a module in STAGES."""
    for place, (_, patterns) in enumerate(STAGES):
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            return place
    return None


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.path.relative_to(ROOT).as_posix())
def test_every_module_has_a_place_and_points_only_backwards(module: Module) -> None:
    own = stage_of(module.name)
    assert own is not None, f"say in STAGES which stage {module.name} belongs to"
    against = {
        other: STAGES[place][0]
        for other in imports(module)
        if (place := stage_of(other)) is not None and place > own
    }
    assert not against, f"{module.name} ({STAGES[own][0]}) imports from later stages: {against}"


def test_no_import_cycles() -> None:
    graph: dict[str, set[str]] = {}
    for module in modules():
        if module.path.stem != "__init__":
            graph.setdefault(module.name, set()).update(imports(module))
    order = graphlib.TopologicalSorter(graph)
    try:
        order.prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_the_decoder_knows_no_pandas() -> None:
    first = next(place for place, (name, _) in enumerate(STAGES) if name == PANDAS_FROM)
    early = [m for m in modules() if (place := stage_of(m.name)) is not None and place < first]
    assert not [m.name for m in early if "pandas" in foreign_imports(m)]


def test_importing_the_package_loads_no_witness() -> None:
    # scapy takes more than a second to import; nobody who does not ask for it should pay that.
    assert not [m.name for m in modules() if "scapy" in foreign_imports(m)]


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.path.relative_to(ROOT).as_posix())
def test_modules_stay_small(module: Module) -> None:
    lines = module.text.count("\n")
    if module.path.relative_to(ROOT).as_posix() not in CEILING_EXCEPT:
        assert lines <= CEILING, f"{lines} lines: split it"


def test_only_the_command_line_prints() -> None:
    printing = []
    for module in python_modules():
        if module.name.startswith("dnscap.cli"):
            continue
        for node in ast.walk(ast.parse(module.text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                printing.append(f"{module.path.relative_to(ROOT)}:{node.lineno}")
    for module in native_modules():
        for number, line in enumerate(module.text.splitlines(), 1):
            if line.lstrip().startswith("print("):
                printing.append(f"{module.path.relative_to(ROOT)}:{number}")
    assert not printing


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "core", "misc"}
    assert not [m.name for m in modules() if m.name.rpartition(".")[2] in drawers]
