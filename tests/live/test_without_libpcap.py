"""Interfaces where libpcap is not installed: scapy's sockets serve."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import dnscap
from tests.live.networks import ROOT, Network, network, sender, sink

pytestmark = pytest.mark.requires("netns", "scapy")

HIDING = """
for library in $(ldconfig -p | awk '/libpcap/ { print $NF }'); do
    mount --bind /dev/null "$(readlink -f "$library")" || exit 77
done
exec "$@"
"""
"""Runs a program for which no libpcap is on this machine."""


@pytest.fixture
def here() -> Iterator[Network]:
    if subprocess.run(["unshare", "--mount", "sh", "-c", HIDING, "sh", "true"]).returncode:
        pytest.skip("netns: nothing can be mounted over here")
    with network() as one:
        inside = one.inside
        one.inside = lambda *command: inside("unshare", "--mount", "sh", "-c", HIDING, "sh", *command)  # type: ignore[method-assign]
        yield one


SEVERAL = """
import json, sys
from dnscap.cli import main
for arguments in json.loads(sys.argv[1]):
    code = None
    try:
        main(["live", *arguments])
    except SystemExit as ended:
        code = ended.code
    for stream in (sys.stdout, sys.stderr):
        print(f"exit {code}", file=stream, flush=True)
"""
"""Runs the command line several times over."""


def several(here: Network, *runs: list[str], before: tuple[str, ...] = ()) -> list[tuple[int, str, str]]:
    """Exit code and what is written of each run, all in one process: most of the time goes into starting it."""
    done = here.run(*before, sys.executable, "-c", SEVERAL, json.dumps(runs), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    out, err = (re.split(r"^exit (\d+)\n", text, flags=re.M) for text in (done.stdout, done.stderr))
    assert len(out) == len(err) == 2 * len(runs) + 1
    return [(int(out[at + 1]), out[at], err[at]) for at in range(0, 2 * len(runs), 2)]


def test_each_frame_is_captured_once(here: Network, tmp_path: Path) -> None:
    sink(here)
    saved = tmp_path / "saved.pcapng"
    live = here.live("--messages", "--format", "jsonl", "-w", saved).ready()
    here.run(*sender(200, 0.001), check=True)
    code, out, err = live.end()
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0, err
    assert "dnscap: 200 frames, none dropped" in err
    assert [row["id"] for row in rows] == list(range(200))
    assert {row["interface"] for row in rows} == {"lo"}
    again = dnscap.read(saved)
    assert again.messages["id"].tolist() == list(range(200))
    assert set(again.sources["interface"]) == {"any", "lo"}


def test_interfaces_of_their_own_are_captured_together(here: Network) -> None:
    here.pair()
    here.run("ip", "address", "add", "10.9.0.1/24", "dev", "left", check=True)
    here.run("ip", "neighbour", "add", "10.9.0.2", "lladdr", "02:00:00:00:00:02", "dev", "left", check=True)
    live = here.live("--messages", "--format", "jsonl").ready()
    ask = "import socket; s = socket.socket(2, 2); s.sendto(bytes.fromhex({!r}), ('10.9.0.2', 53))"
    query = "12340100000100000000000001780000010001"
    here.run(sys.executable, "-c", ask.format(query), check=True)
    code, out, _ = live.end()
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert {row["interface"] for row in rows} == {"left", "right"}
    assert sum(row["sighting_of"] is None for row in rows) == 1  # the other is a sighting of it


def test_it_ends_by_itself_and_counts(here: Network) -> None:
    sink(here)
    live = here.live("-i", "lo", "-c", "7").ready()
    here.run(*sender(30), check=True)
    code, _, err = live.wait()
    assert code == 0
    assert "dnscap: 7 frames" in err


@pytest.mark.parametrize("pause", [0, 1], ids=["at once", "later"])
def test_drops_are_counted(here: Network, pause: float) -> None:
    """Far more at once than a socket holds: what is not captured is said to be dropped, also when it ends at once."""
    sink(here)
    live = here.live("-i", "lo", "--messages", "--format", "csv").ready()
    here.run(*sender(60_000), check=True)
    time.sleep(pause)
    code, out, err = live.end()
    assert code == 0
    frames = int(err.rpartition("dnscap: ")[2].split()[0].replace(",", ""))
    told = err.rpartition("frames, ")[2].split()[0]
    assert frames + (0 if told == "none" else int(told.replace(",", ""))) == 60_000
    assert len(out.splitlines()) == frames + 1


def test_mistakes_are_named(here: Network) -> None:
    interface, filtered, listed = several(here, ["-i", "l0"], ["-f", "port 53"], ["-D"])
    assert interface[0] == 3
    assert "there is no such interface; did you mean lo?" in interface[2]
    assert filtered[0] == 3
    assert "a filter needs libpcap, which is not installed" in filtered[2]
    assert "lo" in listed[1].split()


def test_without_the_privilege_it_says_what_grants_it(here: Network) -> None:
    if not shutil.which("setpriv"):
        pytest.skip("netns: no setpriv on this machine")
    bounded = ("setpriv", "--bounding-set=-net_raw,-net_admin")
    for code, _, err in several(here, ["-i", "any"], ["-i", "lo"], before=bounded):
        assert code == 3
        assert "you may not capture" in err


def test_without_scapy_either_it_says_how_to_get_one(here: Network) -> None:
    hidden = "import sys; sys.modules['scapy'] = None; from dnscap.cli import main; main()"
    done = here.run(sys.executable, "-c", hidden, "live", cwd=ROOT)
    assert done.returncode == 3
    assert "libpcap is not installed; install it" in done.stderr
    assert "dnscap[scapy]" in done.stderr
