"""Every shared capture, decoded in this process, says what the witnesses say."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from .comparison import Score, compare
from .witnesses import captures

pytestmark = pytest.mark.requires("shared")

LEAST_RIGHT = 0.999
LEAST_MALFORMED = 0.95


@cache
def whole_score(directory: Path) -> Score:
    """Compare all captures, once for all tests."""
    whole = Score()
    for path, witnesses, counted in captures(directory):
        whole += compare(path, witnesses, counted, str(path.relative_to(directory)))
    return whole


def test_share_of_messages_right(shared: Path) -> None:
    score = whole_score(shared / "captures")
    assert score.total > 30_000
    assert score.right / score.total >= LEAST_RIGHT, score.wrong


def test_share_of_malformed_messages_right(shared: Path) -> None:
    score = whole_score(shared / "captures")
    assert score.malformed > 500
    assert score.malformed_right / score.malformed >= LEAST_MALFORMED, score.wrong


def test_fields_of_messages_differ_nowhere(shared: Path) -> None:
    """What differs are RDATA that dnspython does not read; docs/decoder-choices.md names each kind."""
    wrong = whole_score(shared / "captures").wrong
    assert not [
        w for w in wrong if not set(w[3].split(",")) <= {"answers", "authority", "additional", "extra"}
    ]
    assert len([w for w in wrong if w[3] == "extra"]) <= 4, wrong
