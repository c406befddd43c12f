#!/usr/bin/env python3
"""What live capture loses and takes: dnscap against tcpdump, in turns, on a pair of virtual interfaces.

    sudo python benchmarks/live.py                    # loss at 50, 100 and 200 thousand packets a second
    sudo python benchmarks/live.py --load             # CPU at 10,000 queries a second
    sudo python benchmarks/live.py --load --view      # the same with the full-screen view
    sudo python benchmarks/live.py --soak 20          # memory over 20 minutes, of lines and of the view

tcpreplay sends the benchmark capture into one end of a veth pair in a network namespace of its own; at the other
end ``dnscap live --format jsonl`` and ``tcpdump -w /dev/null`` listen in turns, with the same filter. Sent less
captured is lost; a loss that the tool did not report is shown apart, and should be 0.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

import captures

ROOT = Path(__file__).resolve().parent.parent
PACKETS = 400_000
DNSCAP = "import sys; from dnscap.cli import main; main()"


def sh(*command: str) -> str:
    """Run a command that has to succeed; what it printed."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def make_interfaces() -> None:
    """A pair of interfaces that carry what is put into them and nothing else."""
    sh("ip", "link", "set", "lo", "up")
    sh("ip", "link", "add", "sender", "type", "veth", "peer", "name", "listener")
    for name in ("sender", "listener"):
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
        sh("ip", "link", "set", name, "mtu", "9000", "up")


def send(capture: Path, rate: int, packets: int) -> float:
    """Send the capture again and again; packets a second that came of it."""
    said = sh(
        *("tcpreplay", "-q", "-K", "-i", "sender", "--pps", str(rate)),
        *("--limit", str(packets), "--loop", str(-(-packets // PACKETS)), str(capture)),
    )
    found = re.search(r"([\d.]+) pps", said)
    return float(found[1]) if found else 0.0


class Listener:
    """A tool that listens, until it is told to stop and says what it has seen."""

    def __init__(self, tool: str, expression: str, view: bool = False) -> None:
        self.tool = tool
        output: int = subprocess.DEVNULL
        if view:
            output = screen()
        if tool == "tcpdump":
            command = [
                "tcpdump",
                "-i",
                "listener",
                "-w",
                "/dev/null",
                *(["-B", "32768"] if BUFFER else []),
                expression,
            ]
        else:
            command = [
                sys.executable,
                "-c",
                DNSCAP,
                "live",
                "-i",
                "listener",
                *([] if view else ["--format", "jsonl"]),
                "-Z",
                "root",
            ]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
        self.err = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the tool runs
        self.process = subprocess.Popen(
            command,
            stdin=output if view else None,
            stdout=output,
            stderr=self.err,
            env=environment,
            cwd="/",
        )
        time.sleep(2.5 if tool == "dnscap" else 0.8)

    def cpu(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident megabytes."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0

    def end(self) -> tuple[int, int]:
        """Packets captured, and packets that it says it lost."""
        time.sleep(0.3)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        self.err.seek(0)
        said = self.err.read()
        if self.tool == "tcpdump":
            numbers = [
                int(re.search(rf"(\d+) packets? {what}", said)[1])
                for what in ("captured", "dropped by kernel")
            ]
            return numbers[0], numbers[1]
        captured = re.search(r"dnscap: ([\d,]+) frames?, (none|[\d,]+)", said)
        if captured is None:
            raise SystemExit(f"dnscap ended badly: {said}")
        lost = 0 if captured[2] == "none" else int(captured[2].replace(",", ""))
        return int(captured[1].replace(",", "")), lost


BUFFER = False


def screen(columns: int = 200, rows: int = 50) -> int:
    """A terminal of that size that somebody looks at."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def look() -> None:
        with contextlib.suppress(OSError):
            while os.read(ours, 65536):
                pass

    threading.Thread(target=look, daemon=True).start()
    return theirs


def measure_loss(capture: Path, rates: list[int], seconds: float, rounds: int) -> list[dict[str, float]]:
    """Loss of both tools in turns, at each rate."""
    from dnscap.live.opening import default_filter

    plain = default_filter()
    expression = f"{plain} or (vlan and ({plain}))"
    whole = matching(capture, expression, PACKETS)
    rows = []
    for rate in rates:
        packets = int(rate * seconds)
        expected = packets // PACKETS * whole + matching(capture, expression, packets % PACKETS)
        for turn in range(rounds):
            for tool in ("tcpdump", "dnscap"):
                listener = Listener(tool, expression)
                reached = send(capture, rate, packets)
                cpu = listener.cpu()
                captured, told = listener.end()
                row = {
                    "rate": rate,
                    "tool": tool,
                    "reached": reached,
                    "lost": 100 * (expected - captured) / expected,
                    "unreported": expected - captured - told,
                    "cpu": cpu,
                }
                rows.append(row)
                print(f"{turn + 1}/{rounds} {row}", file=sys.stderr)
    return rows


def matching(capture: Path, expression: str, packets: int) -> int:
    """How many of the first packets of a capture meet a filter."""
    if not packets:
        return 0
    said = subprocess.run(
        f"tcpdump -r {capture} -c {packets} -w - 2>/dev/null | tcpdump -r - --count '{expression}'",
        shell=True,
        capture_output=True,
        text=True,
    )
    found = re.search(r"(\d+) packets?", said.stdout)
    if found is None:
        raise SystemExit(f"tcpdump cannot count: {said.stderr}")
    return int(found[1])


def measure_load(capture: Path, queries: int, seconds: float, view: bool) -> dict[str, float]:
    """Share of a core that a steady rate of queries takes."""
    listener = Listener("dnscap", "", view)
    with subprocess.Popen(
        [
            *("tcpreplay", "-q", "-K", "-i", "sender", "--pps", str(2 * queries), "--loop", "1000"),
            *("--limit", str(int(2 * queries * (seconds + 3))), str(capture)),
        ],
        stdout=subprocess.DEVNULL,
    ) as sender:
        time.sleep(2)
        before, began = listener.cpu(), time.monotonic()
        time.sleep(seconds)
        share = (listener.cpu() - before) / (time.monotonic() - began)
        memory = listener.memory()
        sender.wait()
    captured, told = listener.end()
    return {"queries": queries, "core": 100 * share, "megabytes": memory, "captured": captured, "lost": told}


def measure_soak(queries: int, minutes: float) -> list[dict[str, float | str]]:
    """Memory and CPU over minutes, of lines and of the view side by side.

    Ordinary traffic that does not repeat, and a tenth of it again: queries for random names that nobody answers.
    """
    seconds = int(60 * minutes)
    names = queries // 10 * seconds
    sources = [
        (captures.traffic(2 * queries * seconds), 2 * queries),
        (captures.random_names(names), queries // 10),
    ]
    listeners = {"lines": Listener("dnscap", ""), "view": Listener("dnscap", "", view=True)}
    began = time.monotonic()
    senders = [
        subprocess.Popen(
            ["tcpreplay", "-q", "-K", "-i", "sender", "--pps", str(rate), str(capture)],
            stdout=subprocess.DEVNULL,
        )
        for capture, rate in sources
    ]
    rows: list[dict[str, float | str]] = []
    while any(sender.poll() is None for sender in senders):
        time.sleep(30)
        for face, listener in listeners.items():
            spent = time.monotonic() - began
            row: dict[str, float | str] = {
                "face": face,
                "seconds": spent,
                "megabytes": listener.memory(),
                "core": 100 * listener.cpu() / spent,
            }
            rows.append(row)
            print(
                f"{spent:6.0f} s  {face:5} {row['megabytes']:6.0f} MB  {row['core']:5.1f} % of a core",
                flush=True,
            )
    for face, listener in listeners.items():
        captured, told = listener.end()
        print(f"{face}: {captured:,} captured, {told:,} lost")
    return rows


def main() -> int:
    """Run the measurement; 1 with --check where dnscap loses more than tcpdump, or takes more than it may."""
    global BUFFER
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rates", type=int, nargs="+", default=[50_000, 100_000, 200_000], metavar="PPS")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long packets are sent")
    parser.add_argument("--rounds", type=int, default=5, help="how often both tools have their turn")
    parser.add_argument("--load", action="store_true", help="instead, CPU at a steady rate")
    parser.add_argument(
        "--view", action="store_true", help="with --load, the full-screen view instead of lines"
    )
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="instead, memory over so long")
    parser.add_argument(
        "--queries", type=int, default=10_000, help="with --load and --soak, queries a second"
    )
    parser.add_argument(
        "--same-buffer", action="store_true", help="give tcpdump as large a ring as dnscap has"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the single measurements")
    parser.add_argument("--check", action="store_true", help="exit with 1 unless every limit is kept")
    arguments = parser.parse_args()
    if os.environ.get("DNSCAP_LIVE_NAMESPACE") != "1":
        os.environ["DNSCAP_LIVE_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    BUFFER = arguments.same_buffer
    sys.path.insert(0, str(ROOT))
    make_interfaces()
    if arguments.soak:
        soaked = measure_soak(arguments.queries, arguments.soak)
        if arguments.json:
            arguments.json.write_text(json.dumps(soaked, indent=1))
        return 0
    capture = captures.traffic(PACKETS)
    bad = False
    rows: list[dict[str, float]] = []
    if arguments.load:
        row = measure_load(capture, arguments.queries, arguments.seconds, arguments.view)
        rows = [row]
        print(
            f"{row['queries']:,} queries/s: {row['core']:.1f} % of a core, {row['megabytes']:.0f} MB, "
            f"{row['captured']:,} captured, {row['lost']:,} lost"
        )
        bad = row["core"] > 15
    else:
        rows = measure_loss(capture, arguments.rates, arguments.seconds, arguments.rounds)
        print(f"{'packets/s':>10} {'tool':>8} {'reached':>10} {'lost %':>8} {'unreported':>10} {'CPU s':>7}")
        for rate in arguments.rates:
            lost = {}
            for tool in ("tcpdump", "dnscap"):
                runs = [row for row in rows if row["rate"] == rate and row["tool"] == tool]
                middle = {
                    name: statistics.median(run[name] for run in runs) for name in runs[0] if name != "tool"
                }
                lost[tool] = middle["lost"]
                print(
                    f"{rate:>10,} {tool:>8} {middle['reached']:>10,.0f} {middle['lost']:>8.3f} "
                    f"{middle['unreported']:>10,.0f} {middle['cpu']:>7.2f}"
                )
            bad = bad or lost["dnscap"] > lost["tcpdump"] + 0.01
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))
    return int(arguments.check and bad)


if __name__ == "__main__":
    sys.exit(main())
