"""Each finding has a capture that raises it, and one that nearly does."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest

import dnscap
from dnscap.findings import RULES
from tests.findings.pairs import Source, pairs
from tests.findings.pairs.delegations import upward
from tests.findings.pairs.habits import by_subnet, flooded, relayed
from tests.resolutions.traffic import CLIENT

PAIRS = pairs()
IDS = [rule.id for rule in RULES]


@lru_cache(maxsize=256)
def findings(source: Source) -> list[dict[str, Any]]:
    made = source()
    octets = made.octets() if hasattr(made, "octets") else made
    return dnscap.read(octets).to_arrow("findings").to_pylist()


def test_every_finding_has_a_pair_and_no_pair_is_left_over() -> None:
    assert sorted(PAIRS) == sorted(IDS)


@pytest.mark.parametrize("id_", [id_ for id_ in IDS if id_ in PAIRS])
def test_a_finding_is_raised_by_what_shows_it_and_not_by_what_nearly_does(id_: str) -> None:
    shown, nearly = PAIRS[id_]
    found = [row for row in findings(shown) if row["id"] == id_]
    assert found, sorted({row["id"] for row in findings(shown)})
    for row in found:
        assert 0 < row["confidence"] <= 1 and row["title"] and row["remedy"] and row["disproved_by"]
        assert row["evidence"] or row["severity"] == "info"
    assert id_ not in {row["id"] for row in findings(nearly)}


@pytest.mark.parametrize("id_", [id_ for id_ in IDS if id_ in PAIRS])
def test_frames_that_a_finding_cites_are_there(id_: str) -> None:
    shown, _ = PAIRS[id_]
    made = shown()
    frames = dnscap.read(made.octets() if hasattr(made, "octets") else made).sources["frames"].sum()
    cited = [
        int(told.removeprefix("frame:"))
        for row in findings(shown)
        for told in row["evidence"]
        if told.startswith("frame:")
    ]
    assert all(1 <= frame <= frames for frame in cited)


def test_a_victim_is_told_by_answers_that_it_did_not_ask_for() -> None:
    (row,) = [row for row in findings(flooded) if row["id"] == "amplification"]
    assert "did not ask for" in row["title"]
    assert row["severity"] == "medium"


def test_who_asks_for_others_does_not_look_for_a_controller() -> None:
    rows = [row for row in findings(relayed) if row["id"] == "dga-suspected"]
    assert [row["subject"] for row in rows] == [CLIENT]


def test_a_server_that_refers_upward_is_lame() -> None:
    rows = [row for row in findings(upward) if row["id"] == "lame-delegation"]
    assert [row["subject"] for row in rows] == ["198.51.100.3"]


@pytest.mark.parametrize("mixed", [False, True])
def test_answers_by_client_subnet(mixed: bool) -> None:
    rows = findings(lambda: by_subnet(mixed=mixed))
    told = [row["title"] for row in rows if row["id"] == "answer-by-client"]
    assert bool(told) == (not mixed)
    assert all("9.1.2.0/24" in title for title in told)
