"""Networks to capture from: namespaces with virtual interfaces, and what runs in them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-c", "from dnscap.cli import main; main()"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "ignore"}
QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x01\x00\x01"


class Network:
    """A network namespace with its loopback interface up."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 600"],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"up\n"
        self._children: list[subprocess.Popen[str]] = []

    @property
    def holder(self) -> int:
        """The process that keeps it."""
        return self._holder.pid

    def inside(self, *command: str | Path) -> list[str]:
        """A command as it is run in here."""
        return ["nsenter", "-t", str(self._holder.pid), "-n", *map(str, command)]

    def run(self, *command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.inside(*command), capture_output=True, text=True, timeout=60, env=ENVIRONMENT, **options
        )

    def start(self, *command: str | Path, **options: Any) -> subprocess.Popen[str]:
        """Start a command that is ended with the network."""
        child = subprocess.Popen(
            self.inside(*command),
            **{
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "text": True,
                "env": ENVIRONMENT,
                **options,
            },
        )
        self._children.append(child)
        return child

    def pair(self, one: str = "left", other: str = "right") -> None:
        """A pair of interfaces: what goes into one comes out of the other, and nothing else does."""
        self.run("ip", "link", "add", one, "type", "veth", "peer", "name", other, check=True)
        for name in (one, other):
            self.run("sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{name}/disable_ipv6", check=True)
            self.run("ip", "link", "set", name, "mtu", "9000", "up", check=True)

    def live(self, *arguments: str | Path, stay: bool = True, **options: Any) -> Live:
        """Start ``dnscap live`` and wait until it captures."""
        return Live(self, [*map(str, arguments), *(["-Z", "root"] if stay else [])], options)

    def close(self) -> None:
        """End everything in it."""
        for child in self._children:
            if child.poll() is None:
                child.kill()
                child.wait()
            for stream in (child.stdout, child.stderr, child.stdin):
                if stream is not None:
                    stream.close()
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()


class Live:
    """A ``dnscap live`` that runs in a network."""

    def __init__(self, network: Network, arguments: list[str], options: dict[str, Any]) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self.out = Path(self._directory.name, "out")
        self.err = Path(self._directory.name, "err")
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = network.start(
                *PROGRAM, "live", *arguments, **{"stdout": out, "stderr": err, "cwd": ROOT, **options}
            )
        self._network = network

    def ready(self) -> Live:
        """Wait until it captures: from then on it heeds SIGTERM itself."""
        status = Path(f"/proc/{program_of(self.process.pid)}/status")
        for _ in range(2000):
            if self.process.poll() is not None or _caught(status) >> signal.SIGTERM - 1 & 1:
                break
            time.sleep(0.01)
        return self

    def end(self, how: int = signal.SIGINT) -> tuple[int, str, str]:
        """Signal it to end; exit code and what it wrote."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.wait()

    def wait(self, seconds: float = 30) -> tuple[int, str, str]:
        """Wait for its end; exit code and what it wrote."""
        code = self.process.wait(seconds)
        out, err = self.out.read_text(), self.err.read_text()
        self._directory.cleanup()
        assert "Traceback" not in err, err
        return code, out, err


def program_of(pid: int) -> int:
    """The process that nsenter became, or started."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = children.read_text().split() if children.exists() else []
    return int(found[0]) if found else pid


def _caught(status: Path) -> int:
    """The signals that a process catches, a bit each."""
    found = re.search(r"^SigCgt:\s*(\w+)", status.read_text() if status.exists() else "", re.M)
    return int(found[1], 16) if found else 0


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """A network for the time of a block."""
    one = Network()
    try:
        yield one
    finally:
        one.close()


SENDER = """
import socket, sys, time
count, pause = int(sys.argv[1]), float(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 4096))
for i in range(count):
    name = b"n%06d" % i
    query = (i & 0xFFFF).to_bytes(2, "big") + b"\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\7" + name + b"\\7example\\0\\0\\1\\0\\1"
    s.sendto(query, ("127.0.0.1", 53))
    if pause:
        time.sleep(pause)
"""


def sender(count: int, pause: float = 0.0) -> list[str]:
    """A command that sends so many queries to port 53 of this host, where nobody needs to listen."""
    return [sys.executable, "-c", SENDER, str(count), str(pause)]


SINK = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
print("up", flush=True)
while True:
    s.recv(512)
"""


def sink(one: Network) -> subprocess.Popen[str]:
    """A server that takes queries and never answers, so that no ICMP errors come."""
    child = one.start(sys.executable, "-c", SINK)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    return child


def free_port() -> int:
    """A TCP port that nobody uses."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port
