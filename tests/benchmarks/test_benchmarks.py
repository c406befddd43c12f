"""The benchmarks run, and what they measure is what they say it is: tiny captures, one round."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks read /proc")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache directory of the tests' own."""
    return tmp_path_factory.mktemp("bench")


def run(cache: Path, script: str, *arguments: str) -> str:
    """Run a benchmark script; what it printed."""
    environment = {**os.environ, "DNSCAP_BENCH_DIR": str(cache)}
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def frames(path: Path) -> list[bytes]:
    """Frames of a little-endian classic pcap file."""
    data = path.read_bytes()
    at, found = 24, []
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at + 8)
        found.append(data[at + 16 : at + 16 + size])
        at += 16 + size
    assert at == len(data)
    return found


def test_run_measures_every_case(cache: Path) -> None:
    target = cache / "out.json"
    text = run(cache, "run.py", "--packets", "3000", "--rounds", "1", "--json", str(target))
    rows: list[dict[str, Any]] = json.loads(target.read_text())["rows"]
    assert not [row for row in rows if row["failed"]]
    for row in rows:
        assert row["case"] in text
        assert row["absent"] or row["ns_per_packet_median"] > 0
    by_name = {row["case"]: row for row in rows}
    base, ours = by_name["limit3 -s"], by_name["batches"]
    if not base["absent"] and not ours["absent"]:
        # dnscap also sees what comes over TCP.
        assert ours["seen"]["rows"] >= base["seen"]["rows"] > 2500
        assert ours["time_ratio"] > 0


def test_a_case_can_be_chosen(cache: Path) -> None:
    target = cache / "chosen.json"
    run(cache, "run.py", "--packets", "3000", "--rounds", "1", "--only", "batches+", "--json", str(target))
    names = [row["case"] for row in json.loads(target.read_text())["rows"]]
    assert names == ["limit3 -r -s", "batches+records"]


def test_traffic_is_deterministic_and_decodes(tmp_path: Path) -> None:
    message = pytest.importorskip("dns.message")
    paths = [tmp_path / "a.pcap", tmp_path / "b.pcap"]
    for path in paths:
        run(tmp_path, "make_capture.py", "-n", "3000", "--names", "2000", "-o", str(path))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    found = frames(paths[0])
    assert len(found) == 3000
    kinds = set()
    for frame in found:
        if frame[12:14] == b"\x08\x00" and frame[23] == 17 and 53 in struct.unpack_from(">HH", frame, 34):
            decoded = message.from_wire(frame[42:])
            kinds |= {rrset.rdtype for rrset in decoded.answer}
    assert {1, 5, 28} <= kinds


def test_random_names_are_distinct(tmp_path: Path) -> None:
    message = pytest.importorskip("dns.message")
    path = tmp_path / "names.pcap"
    run(tmp_path, "random_names.py", "-n", "2000", "-o", str(path))
    names = {message.from_wire(frame[42:]).question[0].name for frame in frames(path)}
    assert len(names) == 2000


def test_edge_cases_are_written(tmp_path: Path) -> None:
    run(tmp_path, "edge_cases.py", str(tmp_path))
    counts = {path.stem: len(frames(path)) for path in tmp_path.glob("*.pcap")}
    expected = {
        "frag4": 3,
        "vlan": 2,
        "loop": 2,
        "snap": 2,
        "tcpsplit": 9,
        "tcpooo": 10,
        "nolabel": 2,
        "zero": 2,
    }
    assert counts == expected


def test_memory_and_stages_run(cache: Path) -> None:
    assert "batches+records" in run(cache, "memory.py", "--packets", "3000", "--names", "1000")
    assert "framing alone" in run(cache, "stages.py", "--packets", "3000", "--rounds", "1")


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")
def test_peers_run(cache: Path) -> None:
    assert "tcpdump -n" in run(
        cache, "peers.py", "--scale", "0.0015", "--rounds", "1", "--only", "tcpdump,dnspython"
    )
