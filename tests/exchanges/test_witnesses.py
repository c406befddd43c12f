"""The matching of tshark, over captures that others made."""

import csv
import gzip
import os
from pathlib import Path

import pytest

from dnscap.reading import Capture

MOST_FRAMES = 5000  # larger captures show nothing more
TOLERANCE = 2e-6  # seconds; tshark computes with floating point


@pytest.fixture
def captures():
    """Captures with tshark's view of them."""
    shared = Path(os.environ.get("DNSCAP_SHARED") or Path(__file__).parents[3] / "shared") / "captures"
    if not shared.is_dir():
        pytest.skip("needs the captures in ../shared (or DNSCAP_SHARED)")
    with (shared / "MANIFEST.tsv").open(encoding="utf-8") as stream:
        return shared, list(csv.DictReader(stream, delimiter="\t"))


def tshark_latencies(path):
    """By frame of the response: frame of the query, and latency.

    Only plain exchanges over UDP port 53: one query, one response.  On TCP tshark gives messages other frames.
    """
    csv.field_size_limit(1 << 24)
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as stream:
        rows = [
            row
            for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
            if row["app"] == "dns"
            and row["quoted"] != "1"
            and row["transport"] == "udp"
            and "53" in (row["sport"], row["dport"])
        ]
    seen = {}
    for row in rows:
        ends = frozenset([(row["src"], row["sport"]), (row["dst"], row["dport"])])
        seen.setdefault((ends, row["id"], row["qname"], row["qtype"]), []).append(row)
    return {
        int(group[1]["frame"]): (int(group[0]["frame"]), float(group[1]["time"]))
        for group in seen.values()
        if len(group) == 2
        and group[1]["time"]
        and group[1]["response_to"] == group[0]["frame"] != group[1]["frame"]
    }


def latencies(path):
    """The same as dnscap sees it."""
    table = Capture(str(path)).to_arrow("exchanges", ["query_frame", "response_frame", "latency"])
    return {
        row["response_frame"]: (row["query_frame"], row["latency"].total_seconds())
        for row in table.to_pylist()
        if row["query_frame"] is not None and row["latency"] is not None
    }


def test_latencies_of_plain_exchanges(captures):
    shared, manifest = captures
    checked, wrong = 0, []
    for entry in manifest:
        oracle = shared / "oracle" / entry["oracle"] / "tshark.tsv.gz"
        if not oracle.is_file() or int(entry["frames"] or 0) > MOST_FRAMES:
            continue
        expected = tshark_latencies(oracle)
        if not expected:
            continue
        found = latencies(shared / entry["file"])
        for frame, (query, latency) in expected.items():
            checked += 1
            mine = found.get(frame, (0, 0.0))
            if mine[0] != query or abs(mine[1] - latency) > TOLERANCE:
                wrong.append((entry["file"], frame, query, latency, mine))
    assert checked > 1000
    assert wrong == []
