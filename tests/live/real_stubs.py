"""Real stubs that ask a real resolver, from one network namespace to another, with real faults between."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dnscap
from tests.live.networks import Network

RESOLVER, NOBODY, CLIENT = "10.99.0.2", "10.99.0.9", "10.99.0.1"
NAME = "www.example.test"
QTYPE_AT = 64 + 8 * (12 + len(NAME) + 2)
"""Where the type of a question for a name as long as `NAME` is, in bits from the UDP header on."""

PROGRAM = """
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
int main(int count, char **names)
{
    struct addrinfo hints, *found;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    for (int i = 1; i < count; i++)
        printf("%d\\n", getaddrinfo(names[i], "80", &hints, &found));
    return 0;
}
"""

SETTINGS = """
server:
  directory: "{where}"
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  logfile: "{where}/log"
  do-daemonize: no
  interface: {address}
  access-control: 0.0.0.0/0 allow
  max-udp-size: 512
  local-zone: "test." static
  local-data: "www.example.test. 60 A 192.0.2.1"
  local-data: "www.example.test. 60 AAAA 2001:db8::1"
{large}
remote-control:
  control-enable: no
"""

RULES = """
flush ruleset
table ip faults {{
  chain in {{
    type filter hook input priority 0;
    {rule}
  }}
}}
"""


class Bench:
    """A client's network and a resolver's, with a wire between."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.client, self.server = Network(), Network()
        self.client.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1", check=True)
        self.client.run("ip", "link", "set", "eth1", "netns", str(self.server.holder), check=True)
        for network, interface, address in (
            (self.client, "eth0", CLIENT),
            (self.server, "eth1", RESOLVER),
        ):
            network.run("ip", "address", "add", f"{address}/24", "dev", interface, check=True)
            network.run("ip", "link", "set", interface, "up", check=True)
        # Nobody takes what is sent there, and yet there is no waiting for ARP.
        self.client.run(
            *("ip", "neighbour", "add", NOBODY, "lladdr", "02:00:00:00:00:09", "dev", "eth0"), check=True
        )
        self.client.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/tcp_syn_retries", check=True)
        large = "\n".join(
            f'  local-data: "big.example.test. 60 A 192.0.2.{number}"' for number in range(1, 61)
        )
        settings = where / "unbound.conf"
        settings.write_text(SETTINGS.format(where=where, address=RESOLVER, large=large))
        self.server.start(
            "unbound", "-d", "-c", settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.programs: dict[str, Path] = {}

    def program(self, compiler: str) -> Path:
        """The program that looks names up, by the C library of a compiler."""
        if compiler not in self.programs:
            source, made = self.where / "lookup.c", self.where / f"lookup-{compiler}"
            source.write_text(PROGRAM)
            subprocess.run([compiler, "-std=gnu99", "-O1", "-o", made, source], check=True)
            self.programs[compiler] = made
        return self.programs[compiler]

    def wait(self) -> Bench:
        """Until the resolver answers."""
        ask = (
            "import socket,sys\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.2)\n"
            "q = b'\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4test\\0\\0\\6\\0\\1'\n"
            "for _ in range(100):\n"
            f"    s.sendto(q, ('{RESOLVER}', 53))\n"
            "    try: s.recv(512); sys.exit(0)\n"
            "    except OSError: pass\n"
            "sys.exit(1)"
        )
        self.client.run(sys.executable, "-c", ask, check=True)
        return self

    def lookups(self, compiler: str, *names: str, settings: str, rule: str = "") -> list[dict[str, Any]]:
        """Look names up one after another with a fault on the way; the lookups in the client's capture."""
        rules = RULES.format(rule=rule)
        self.server.run("nft", "-f", "-", input=rules, check=True)
        path = self.where / "capture.pcap"
        path.unlink(missing_ok=True)
        (self.where / "resolv.conf").write_text(settings)
        capture = self.client.start(
            *("tcpdump", "-i", "eth0", "-U", "--immediate-mode", "-Z", "root", "-w", path),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert capture.stderr is not None
        while "listening" not in capture.stderr.readline():
            assert capture.poll() is None
        inside = f'mount --bind {self.where}/resolv.conf /etc/resolv.conf && exec "$@"'
        self.client.run(
            "unshare", "--mount", "sh", "-c", inside, "-", self.program(compiler), *names, check=True
        )
        time.sleep(0.3)  # until the last packet is in the file
        capture.send_signal(signal.SIGINT)
        capture.wait(10)
        return dnscap.read(path).to_arrow("lookups").to_pylist()

    def close(self) -> None:
        """End everything."""
        self.client.close()
        self.server.close()


@contextlib.contextmanager
def bench(where: Path) -> Iterator[Bench]:
    """A bench for the time of a block."""
    bed = Bench(where)
    try:
        yield bed.wait()
    finally:
        bed.close()
