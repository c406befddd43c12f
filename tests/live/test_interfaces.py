"""Interfaces: what is captured, saved and said, in a network namespace of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import dnscap
from dnscap.cli import main
from tests.live.networks import ROOT, Network, free_port, network, program_of, sender, sink

pytestmark = pytest.mark.requires("netns", "libpcap")


@pytest.fixture
def here() -> Iterator[Network]:
    with network() as one:
        yield one


def frames_of(path: Path) -> int:
    return int(dnscap.read(path).sources["frames"].sum())


def test_any_tells_interface_and_direction(here: Network, tmp_path: Path) -> None:
    sink(here)
    saved = tmp_path / "saved.pcapng"
    live = here.live("--messages", "--format", "jsonl", "-w", saved).ready()
    here.run(*sender(20), check=True)
    code, out, err = live.end()
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert "none dropped" in err
    assert len({row["id"] for row in rows}) == 20
    assert {row["interface"] for row in rows} == {"lo"}
    assert {row["direction"] for row in rows} <= {"in", "out"}
    sources = dnscap.read(saved).sources
    assert set(sources["interface"]) == {"any", "lo"}
    assert sources["drops"].sum() == 0
    assert sources["filter"].str.contains("port 53").any()


def test_live_and_the_file_it_writes_agree(here: Network, tmp_path: Path) -> None:
    """Although some queries were given up while nothing came, by the time that went by alone."""
    sink(here)
    saved = tmp_path / "saved.pcapng"
    live = here.live("--format", "jsonl", "-i", "lo", "-w", saved).ready()
    here.run(*sender(3, 0.05), check=True)
    time.sleep(4)
    code, out, _ = live.end(signal.SIGTERM)
    assert code == 0
    table = subprocess.run(
        [sys.executable, "-m", "dnscap", "lookups", str(saved), "--format", "jsonl"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert len(out.splitlines()) == 3
    assert out == table.stdout


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_no_frame_is_lost_or_torn(here: Network, tmp_path: Path, how: int) -> None:
    sink(here)
    saved = tmp_path / "saved.pcapng"
    live = here.live("-i", "lo", "-w", saved, "-q").ready()
    here.run(*sender(5000), check=True)
    code, _, _ = live.end(how)
    assert code == 0
    assert frames_of(saved) == 5000


def test_files_go_round_without_losing_a_frame(here: Network, tmp_path: Path) -> None:
    sink(here)
    live = here.live("-w", tmp_path / "set.pcapng", "-C", "100k", "-f", "udp dst port 53 and inbound").ready()
    here.run(*sender(5000), check=True)
    code, _, err = live.end()
    files = sorted(tmp_path.glob("set-*.pcapng"))
    assert code == 0
    assert files[-1].name in err
    assert len(files) > 4
    assert all(file.stat().st_size <= 100_400 for file in files)  # the last words come on top
    assert sum(frames_of(file) for file in files) == 5000
    ids = dnscap.read([str(file) for file in files]).messages["id"]
    assert ids.tolist() == list(range(5000))


def test_files_go_round_by_time_and_old_ones_go(here: Network, tmp_path: Path) -> None:
    sink(here)
    live = here.live("-i", "lo", "-w", tmp_path / "set.pcapng", "-G", "0.5s", "--keep", "2", "-q").ready()
    here.run(*sender(40, 0.05), check=True)
    code, _, _ = live.end()
    files = sorted(tmp_path.glob("set-*.pcapng"))
    assert code == 0
    assert len(files) == 2
    assert int(files[-1].stem[4:]) >= 4
    for file in files:
        times = dnscap.read(file).messages["time"]
        assert (times.max() - times.min()).total_seconds() < 0.5


def test_a_full_disk_ends_it_with_what_was_gathered(here: Network, tmp_path: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path]).returncode:
        pytest.skip("netns: no file system may be mounted here")
    try:
        sink(here)
        live = here.live("--format", "jsonl", "-i", "lo", "-w", tmp_path / "saved.pcapng").ready()
        here.run(*sender(2000), check=True)
        code, out, err = live.wait()
        assert code == 3
        assert "No space left on device" in err
        assert len(out.splitlines()) >= frames_of(tmp_path / "saved.pcapng") > 300
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_an_interface_that_goes_ends_it_with_what_was_gathered(here: Network) -> None:
    here.pair()
    here.run("ip", "address", "add", "10.9.0.1/24", "dev", "left", check=True)
    here.run("ip", "neighbour", "add", "10.9.0.2", "lladdr", "02:00:00:00:00:02", "dev", "left", check=True)
    live = here.live("-i", "left", "--exchanges").ready()
    ask = "import socket; s = socket.socket(2, 2); s.sendto(bytes.fromhex({!r}), ('10.9.0.2', 53))"
    query = "123401000001000000000000017800000100" + "01"
    here.run(sys.executable, "-c", ask.format(query), check=True)
    time.sleep(0.3)
    here.run("ip", "link", "delete", "left", check=True)
    code, out, err = live.wait()
    assert code == 3
    assert "left: capturing ended: " in err
    assert "10.9.0.1 > 10.9.0.2  x." in out


def test_it_ends_by_itself(here: Network) -> None:
    sink(here)
    live = here.live("-i", "lo", "-c", "7").ready()
    here.run(*sender(30), check=True)
    code, _, err = live.wait()
    assert code == 0
    assert "dnscap: 7 frames" in err
    began = time.monotonic()
    assert here.live("--duration", "500ms").wait()[0] == 0
    assert time.monotonic() - began < 15


def test_privileges_are_given_up(here: Network, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:2]:
        parent.chmod(parent.stat().st_mode | 0o055)
    live = here.live("-i", "lo", "-w", tmp_path / "saved.pcapng", stay=False)
    live.ready()
    status = Path(f"/proc/{program_of(live.process.pid)}/status").read_text()
    assert re.search(r"Uid:\s+65534\s+65534\s+65534\s+65534", status)
    assert re.search(r"Groups:\s*\n", status)
    assert re.search(r"CapEff:\s+0+\n", status)
    assert re.search(r"CapPrm:\s+0+\n", status)
    assert re.search(r"NoNewPrivs:\s+1\n", status)
    sink(here)
    here.run(*sender(3), check=True)
    code, out, err = live.end()
    assert code == 0, err
    assert len(out.splitlines()) == 3
    assert (tmp_path / "saved.pcapng").stat().st_uid == 65534


def test_further_files_must_be_possible(here: Network, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    live = here.live("-i", "lo", "-w", tmp_path / "saved.pcapng", "-C", "1M", stay=False)
    code, _, err = live.wait()
    assert code == 2
    assert "may not make further files" in err


def test_without_the_privilege_it_says_what_grants_it(here: Network) -> None:
    if not shutil.which("setpriv"):
        pytest.skip("netns: no setpriv on this machine")
    program = [sys.executable, "-c", "from dnscap.cli import main; main()", "live", "-i", "lo"]
    done = here.run("setpriv", "--bounding-set=-net_raw,-net_admin", *program, cwd=ROOT)
    assert done.returncode == 3
    assert "you may not capture" in done.stderr
    assert "sudo" in done.stderr
    assert "setcap cap_net_raw,cap_net_admin=eip" in done.stderr


def test_mistakes_are_named(capfd: pytest.CaptureFixture[str]) -> None:
    """All of them before anything is captured or given up, so that this process can make them."""

    def live(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["live", *arguments])
        return int(ended.value.code or 0), *capfd.readouterr()

    assert "no such interface; did you mean lo?" in live("-i", "l0")[2]
    code, _, err = live("-f", "prot 53")
    assert code == 2
    assert "not a filter for any: prot 53" in err
    assert live("--metrics", "nowhere")[0] == 2
    assert live("--keep", "3", "-w", "x.pcapng")[0] == 2
    assert "lo" in live("-D")[1].split()


@pytest.mark.requires("prometheus")
def test_metrics_are_served(here: Network) -> None:
    sink(here)
    port = free_port()
    live = here.live("-i", "lo", "--metrics", f"127.0.0.1:{port}").ready()
    here.run(*sender(12), check=True)
    time.sleep(1)
    fetch = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/metrics').read().decode())"
    told = here.run(sys.executable, "-c", fetch).stdout
    assert 'dns_queries_total{qtype="A"} 12.0' in told
    assert "dns_responses_total 0.0" in told
    assert "dns_query_failures_total" in told
    assert 'dnscap_dropped_frames_total{by="kernel"} 0.0' in told
    assert 'dnscap_exchange_latency_seconds_bucket{le="+Inf"} 0.0' in told
    assert "example" not in told
    assert live.end()[0] == 0


@pytest.mark.requires("tcpreplay")
def test_a_burst_is_captured_whole(here: Network, tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import make_capture  # noqa: F401 - where the benchmarks are, the generator is
        from traffic.events import Simulation
        from traffic.packets import Writer
    except ImportError:
        pytest.skip("no benchmarks beside the tests")
    finally:
        sys.path.pop(0)
    capture = tmp_path / "burst.pcap"
    traffic = Simulation(20_000, 1, 2000, 1.0, 20_000.0, 0.0, False).run(arp=True)
    with capture.open("wb") as file:
        Writer(traffic, 1, 1_700_000_000, False, False, "ethernet").write(file)
    here.pair()
    saved = tmp_path / "saved.pcapng"
    live = here.live("-i", "right", "-f", "", "--format", "jsonl", "-w", saved).ready()
    here.run("tcpreplay", "-q", "-i", "left", "--pps", "30000", capture, check=True)
    code, out, err = live.end()
    assert code == 0
    assert "dnscap: 20,000 frames, none dropped" in err
    assert len(out.splitlines()) == len(dnscap.read(saved).lookups) > 8000


CLIENT = """
import socket, time
for i in range(1000):
    print(f"{time.time():.3f}", flush=True)
    try:
        socket.getaddrinfo(f"host{i}.example.test", 80)
    except OSError as error:
        pass
    time.sleep(0.2)
"""


def asked(client: subprocess.Popen[str], lookups: int = 4) -> None:
    """Wait until so many were begun, and the last of them is over: the next one comes after 0.2 s."""
    assert client.stdout is not None
    for _ in range(lookups):
        client.stdout.readline()
    time.sleep(0.1)


UNBOUND = """
server:
  interface: 127.0.0.1
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  local-zone: "test." redirect
  local-data: "test. A 192.0.2.1"
  local-data: "test. AAAA 2001:db8::1"
remote-control:
  control-enable: no
"""


@pytest.mark.requires("unbound")
@pytest.mark.parametrize(
    ("how", "finding"), [(signal.SIGSTOP, "no-answer"), (signal.SIGKILL, "server-unreachable")]
)
def test_a_server_that_dies_is_found_at_once(here: Network, tmp_path: Path, how: int, finding: str) -> None:
    """glibc asks an unbound that stops: no later than a second after its first timeout it is said."""
    (tmp_path / "unbound.conf").write_text(UNBOUND)
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:2\n")
    server = here.start("unbound", "-d", "-c", tmp_path / "unbound.conf")
    bind = f'mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec "$@"'
    live = here.live("-i", "lo").ready()
    client = here.start("unshare", "--mount", "sh", "-c", bind, "sh", sys.executable, "-c", CLIENT)
    asked(client)
    os.kill(program_of(server.pid), how)
    killed = time.time()
    said = None
    while said is None and time.time() < killed + 6:
        time.sleep(0.02)
        if (
            f"finding: high: {finding}: " in live.err.read_text()
            or f"finding: medium: {finding}: " in live.err.read_text()
        ):
            said = time.time()
    client.kill()
    os.kill(program_of(server.pid), signal.SIGKILL)
    code, out, err = live.end()
    assert said is not None, err
    assert client.stdout is not None
    first = next(float(line) for line in client.stdout.read().split() if float(line) > killed - 0.05)
    wait = 1.0 if how == signal.SIGSTOP else 0.0  # the timeout
    assert said - (first + wait) < 1.0
    assert "  ok  " in out
    assert code == 0
