"""Every fuzz seed through its target, built by the ordinary compiler (with sanitizers where CI says so)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = [pytest.mark.requires("fuzz"), pytest.mark.requires("source")]

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ("framing", "walk", "streams", "message", "conversations", "pipeline")


@pytest.fixture(scope="module")
def fuzz() -> Iterator[dict[str, ModuleType]]:
    """Give the modules of ext/fuzz and the built package beside them."""
    added = [str(ROOT / "ext" / "fuzz"), str(ROOT / "build" / "fuzz" / "plain")]
    sys.path[:0] = added
    try:
        yield {name: importlib.import_module(name) for name in ("targets", "seeds", "fuzz.feeding")}
    finally:
        for path in added:
            sys.path.remove(path)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_of(name: str, fuzz: dict[str, ModuleType]) -> None:
    target = next((target for target in fuzz["targets"].TARGETS if target.name == name), None)
    if target is None or target.lacking():
        pytest.skip(f"target {name} cannot be built: {target.lacking() if target else 'not in the table'}")
    entry = getattr(importlib.import_module(target.module), target.entry.partition(":")[2])
    call = fuzz["fuzz.feeding"].call
    seeds = list(fuzz["seeds"].of(name))
    assert len(seeds) > 10
    for _, octets in seeds:
        call(entry, octets)
        # Cut anywhere: most of what goes wrong with a length goes wrong at the end of the input.
        for end in range(len(octets) - 1, 0, -max(1, len(octets) // 16)):
            call(entry, octets[:end])


def test_the_table_is_whole(fuzz: dict[str, ModuleType]) -> None:
    names = [target.name for target in fuzz["targets"].TARGETS]
    assert sorted(names) == sorted(set(names) & set(TARGETS))
    for target in fuzz["targets"].TARGETS:
        assert target.name in fuzz["seeds"].MADE
        assert target.source is None or target.source.exists()


def test_a_target_that_raises_is_heard(fuzz: dict[str, ModuleType]) -> None:
    def broken(octets: bytes) -> None:
        raise AssertionError(len(octets))

    with pytest.raises(AssertionError, match="3"):
        fuzz["fuzz.feeding"].call(broken, b"abc")
