"""Captures of a lab network: what real servers and stubs sent decodes without any fault."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

import dnscap

pytestmark = pytest.mark.requires("lab")


def test_every_message_decodes(shared: Path) -> None:
    messages = 0
    for variant in json.loads((shared / "lab" / "index.json").read_text()):
        directory = shared / "lab" / variant["path"]
        for told in json.loads((directory / "truth.json").read_text())["captures"]:
            capture = dnscap.read(str(directory / told["file"]))
            status = Counter(capture.to_arrow("messages", ["status"])["status"].to_pylist())
            if told.get("snaplen"):
                del status["truncated-capture"]
            assert set(status) <= {"ok"}, (variant["path"], told["file"], status)
            assert not capture.quality.faults and not capture.quality.notes
            assert capture.quality.counts["frames"] == told["packets"]
            messages += status.total()
    assert messages > 100_000
