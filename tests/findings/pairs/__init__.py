"""For each finding a capture that raises it, and one that nearly does: what `test_pairs.py` reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.resolutions.traffic import Traffic

Source = Callable[[], "Traffic | bytes | Path"]
Pair = tuple[Source, Source]
"""What raises a finding, and what does not."""

DATA = Path(__file__).parents[2] / "data" / "lookups"


def kept(name: str) -> Source:
    """A capture kept with the tests."""
    return lambda: DATA / f"{name}.pcap"


def pairs() -> dict[str, Pair]:
    """All pairs, by finding."""
    from tests.findings.pairs import caches, delegations, habits, lookups, names

    found: dict[str, Pair] = {}
    for module in (lookups, names, delegations, caches, habits):
        assert not found.keys() & module.PAIRS.keys()
        found |= module.PAIRS
    return found
