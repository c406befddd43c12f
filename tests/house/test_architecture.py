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
            "dnscap.arrays",
            "dnscap.batches",
            "dnscap.errors",
            "dnscap.quality",
            "dnscap.schema",
            "dnscap.registry",
            "dnscap.native",
            *(f"dnscap.native.{name}" for name in ("octets", "frames", "datagrams", "events", "domain")),
            *(
                f"dnscap.native.{name}"
                for name in ("text", "digits", "quoting", "interning", "columns", "growing")
            ),
            "dnscap.native.histograms",
        ),
    ),
    (
        "capture",
        (
            "dnscap.capture*",
            *(
                f"dnscap.native.{name}"
                for name in ("capture_file", "pcap", "pcapng", "framing", "recording", "libpcap")
            ),
        ),
    ),
    (
        "network",
        (
            *(
                f"dnscap.native.{name}"
                for name in (
                    "links",
                    "packets",
                    "notices",
                    "fast",
                    "fragments",
                    "tunnels",
                    "rare_links",
                    "doh",
                    "walk",
                    "walk_rows",
                )
            ),
            *(f"dnscap.native.{name}" for name in ("tcp", "flows", "connections", "reassembly", "stream*")),
        ),
    ),
    (
        "messages",
        (
            "dnscap.messages*",
            *(
                f"dnscap.native.{name}"
                for name in ("rdata*", "presentation*", "edns*", "message*", "decoder")
            ),
        ),
    ),
    ("exchanges", ("dnscap.exchanges*", "dnscap.native.exchange*", "dnscap.native.match*")),
    (
        "lookups",
        (
            "dnscap.lookups*",
            "dnscap.native.lookup*",
            *(
                f"dnscap.native.{name}"
                for name in (
                    "acquaintances",
                    "ahead",
                    "answers",
                    "assembly",
                    "at_once",
                    "attempts",
                    "budget",
                    "chasing",
                    "closing",
                    "dials",
                    "grouping",
                    "joining",
                    "losses",
                    "many_attempts",
                    "naming",
                    "outstanding",
                    "open_lookups",
                    "packed",
                    "stubs",
                    "upstreams",
                    "verdicts",
                    "weighing",
                )
            ),
        ),
    ),
    (
        "resolutions",
        (
            "dnscap.resolutions*",
            "dnscap.native.resolution*",
            *(f"dnscap.native.{name}" for name in ("cache_model", "cache_verdicts", "countdowns")),
            *(f"dnscap.native.{name}" for name in ("replies", "resolvers", "suffixes", "walks")),
        ),
    ),
    ("names", ("dnscap.names*", "dnscap.native.names_*")),
    ("frames", ("dnscap.tables*",)),
    (
        "health",
        (
            "dnscap.servers*",
            "dnscap.clients*",
            "dnscap.native.tallies",
            "dnscap.native.key_tables",
            "dnscap.native.name_counts",
            "dnscap.native.course",
            "dnscap.native.kept",
            "dnscap.native.cache_tally",
            "dnscap.native.cache_course",
            *(f"dnscap.native.{name}" for name in ("askers", "invented", "subnets")),
        ),
    ),
    ("findings", ("dnscap.findings*",)),
    ("words", ("dnscap.output*", "dnscap.explain*", "dnscap.native.lines")),
    ("reports", ("dnscap.report*",)),
    ("reading", ("dnscap.reading*",)),
    ("faces", ("dnscap.live*",)),
    ("package", ("dnscap",)),
    ("cli", ("dnscap.cli*", "dnscap.__main__")),
)
"""The stages in the order in which data flows, each with its modules: a module imports from its own stage and
from those above it in this table, never from those below.  The first pattern that fits decides."""

CEILING = 800
CEILING_EXCEPT: dict[str, tuple[int, str]] = {
    "dnscap/schema.py": (2000, "a table: one line a column"),
    "dnscap/registry.py": (2000, "a table: one line a registered value"),
}
"""Files that may be longer: to how many lines, and why."""

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
            graph.setdefault(module.name, set()).update(imports(module, at_load=True))
    order = graphlib.TopologicalSorter(graph)
    try:
        order.prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_the_decoder_knows_no_pandas() -> None:
    first = next(place for place, (name, _) in enumerate(STAGES) if name == PANDAS_FROM)
    early = [m for m in modules() if (place := stage_of(m.name)) is not None and place < first]
    assert not [m.name for m in early if "pandas" in foreign_imports(m)]


def test_arrow_is_not_asked_to_look_for_pandas() -> None:
    """`dnscap.arrays` has what these are wanted for; pandas takes longer to import than all else together."""
    asking = []
    for module in python_modules():
        if "pandas" in foreign_imports(module):
            continue
        for node in ast.walk(ast.parse(module.text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = ast.unparse(node.func)
                if called in ("pa.array", "pa.scalar", "pc.fill_null") or node.func.attr in (
                    "to_numpy",
                    "to_pandas",
                ):
                    asking.append(f"{module.path.relative_to(ROOT)}:{node.lineno}")
    assert not asking


def test_importing_the_package_loads_no_witness() -> None:
    # scapy takes more than a second to import; nobody who does not ask for it should pay that.
    assert not [m.name for m in modules() if "scapy" in foreign_imports(m)]


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.path.relative_to(ROOT).as_posix())
def test_modules_stay_small(module: Module) -> None:
    lines = module.text.count("\n")
    ceiling, _ = CEILING_EXCEPT.get(module.path.relative_to(ROOT).as_posix(), (CEILING, ""))
    assert lines <= ceiling, f"{lines} lines: split it"


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
