"""What captures made to be dear cost: steps that grow no faster than their messages."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from dnscap.lookups.assembling import Assembling
from dnscap.native.lookups import Lookups
from dnscap.reading import Capture

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MOST_LOOKED_AT = 2 * 64  # by a query: under its name, and under its first label
HEADER = np.array([(0xA1B23C4D, 2, 4, 0, 0, 262144, 1)], "<u4,<u2,<u2,<u4,<u4,<u4,<u4").tobytes()

pytestmark = pytest.mark.skipif(not (BENCHMARKS / "worst_cases.py").exists(), reason="no benchmarks here")


@pytest.fixture(scope="module")
def cases():
    """Makers of captures by name."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from worst_cases import CASES
    finally:
        sys.path.remove(str(BENCHMARKS))
    return CASES


def assembled(octets: bytes) -> Lookups:
    """The assembler after a whole capture."""
    assembling = Assembling()
    for batch in Capture(HEADER + octets).batches():
        for _ in assembling.feed(batch):
            pass
        for _ in assembling.taken():
            pass
    for _ in assembling.finish():
        pass
    return assembling.native


@pytest.mark.parametrize(
    "name",
    [
        "one client, many names",
        "one client, one name",
        "one client, one name, no answers",
        "a million clients",
        "one port, one id",
        "one query again and again",
        "no answers",
        "walks without end",
        "answers to nothing",
    ],
)
def test_steps_grow_with_messages_and_no_faster(cases, name) -> None:
    half, whole = (assembled(cases[name](messages)).steps for messages in (5_000, 10_000))

    assert half <= MOST_LOOKED_AT * 5_000
    assert whole - half <= MOST_LOOKED_AT * 5_000


def test_every_case_is_tested(cases) -> None:
    marks = test_steps_grow_with_messages_and_no_faster.pytestmark
    assert set(cases) == set(marks[0].args[1])
