"""Diagnose, explain, findings, servers and clients on a small capture of our own making."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import dnscap
from dnscap.capture import expand_inputs
from dnscap.capture.picking import pick_frames
from dnscap.cli import cli

CLIENT, DEAD, ALIVE = (bytes([10, 0, 0, last]) for last in (7, 8, 53))
SECOND = 1_000_000
NOON = 1_700_049_600


def message(name: str, qtype: int, number: int, *, answer: bool = False) -> bytes:
    flags = 0x8180 if answer else 0x0100
    found = answer and qtype == 1
    out = struct.pack(">6H", number, flags, 1, int(found), 0, 0)
    for label in name.rstrip(".").split("."):
        out += bytes([len(label)]) + label.encode()
    out += b"\0" + struct.pack(">HH", qtype, 1)
    if found:
        out += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 1])
    return out


def packet(src: bytes, sport: int, dst: bytes, dport: int, data: bytes, number: int) -> bytes:
    udp = struct.pack(">4H", sport, dport, 8 + len(data), 0) + data
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0) + src + dst
    return b"\2" * 12 + b"\x08\0" + head + udp


class Traffic:
    """A capture, packet by packet; times in microseconds."""

    def __init__(self) -> None:
        self.packets: list[tuple[int, bytes]] = []

    def ask(self, at: int, server: bytes, port: int, *question: Any, took: int | None = None) -> None:
        self.packets.append((at, packet(CLIENT, port, server, 53, message(*question), len(self.packets) + 1)))
        if took is not None:
            back = message(*question, answer=True)
            self.packets.append((at + took, packet(server, 53, CLIENT, port, back, len(self.packets) + 1)))

    def write(self, path: Path) -> str:
        out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        for at, octets in sorted(self.packets):
            out += struct.pack("<IIII", NOON + at // SECOND, at % SECOND, len(octets), len(octets)) + octets
        path.write_bytes(out)
        return str(path)


def look_up(traffic: Traffic, at: int, number: int, name: str, *, dead: bool) -> None:
    # The ids of a pair of glibc's come from one clock, so that their last octets are alike.
    other = number ^ 0x4B02
    port = 40_000 + 10 * number
    if dead:
        traffic.ask(at, DEAD, port, name, 1, number)
        traffic.ask(at + 20, DEAD, port, name, 28, other)
        at, port = at + 5 * SECOND, port + 1
    traffic.ask(at, ALIVE, port, name, 1, number, took=2_000)
    traffic.ask(at + 20, ALIVE, port, name, 28, other, took=2_000)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> str:
    traffic = Traffic()
    for i in range(3):
        look_up(traffic, i * 20 * SECOND, 100 * (i + 1), f"host{i}.example.com.", dead=True)
    traffic.ask(60 * SECOND, ALIVE, 50_000, "quiet.example.com.", 1, 9, took=1_000)
    return traffic.write(tmp_path_factory.mktemp("slow") / "slow.pcap")


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory) -> str:
    traffic = Traffic()
    for i in range(5):
        look_up(traffic, i * SECOND, 100 * (i + 1), f"host{i}.example.com.", dead=False)
    return traffic.write(tmp_path_factory.mktemp("fine") / "fine.pcap")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_diagnose_says_what_is_wrong_and_what_to_do(slow: str) -> None:
    result = run("diagnose", slow)
    assert result.exit_code == 0
    text = result.stdout
    assert "HIGH    Name server 10.0.0.8 never answers: 3 lookups waited 5.00 s each" in text
    for part in (
        "What to do: ",
        "Then: ",
        "Not so if: ",
        "Shown by: lookups ",
        "The slowest lookups",
        "Scorecard",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


def test_diagnose_finds_nothing_wrong_where_nothing_is(fine: str) -> None:
    result = run("diagnose", fine, "--fail-on", "low")
    assert result.exit_code == 0
    assert result.stdout.startswith("Nothing wrong in ")
    assert run("findings", fine, "--format", "jsonl").stdout == ""


def test_the_scorecard_has_its_seven_rows(fine: str) -> None:
    text = run("diagnose", fine).stdout
    rows = [line for line in text.partition("Scorecard\n")[2].splitlines() if line[2:6].strip()]
    assert len(rows) == 7
    assert rows[0].startswith("  pass query latency, median") and rows[0].rstrip().endswith("n=10")


def test_fail_on_ends_with_one(slow: str) -> None:
    for command in ("diagnose", "findings"):
        assert run(command, slow, "--fail-on", "high").exit_code == 1
        assert run(command, slow).exit_code == 0


def test_tables_of_health(slow: str) -> None:
    lines = run("servers", slow, "--format", "jsonl").stdout.splitlines()
    servers = {row["server"]: row for row in map(json.loads, lines)}
    assert servers["10.0.0.8"]["answered"] == 0 and servers["10.0.0.8"]["failovers"] == 3
    assert servers["10.0.0.53"]["latency_p50"] == pytest.approx(0.002, rel=0.05)
    clients = [json.loads(line) for line in run("clients", slow, "--format", "jsonl").stdout.splitlines()]
    assert clients[0]["nameservers"] == ["10.0.0.8", "10.0.0.53"]
    assert clients[0]["timeout"] == 5
    assert clients[0]["evidence"]


@pytest.mark.parametrize("table", ["findings", "servers", "clients"])
def test_csv_has_every_column(slow: str, table: str) -> None:
    header = run(table, slow, "--format", "csv").stdout.splitlines()[0]
    assert header.split(",") == [column.name for column in dnscap.schema.TABLES[table]]


def test_explain_by_number_name_and_frame(slow: str) -> None:
    by_number = run("explain", slow, "1").stdout
    assert by_number.startswith("lookup 1  host1.example.com.")
    assert run("explain", slow, "--name", "HOST1.example.com").stdout == by_number
    frame = by_number.partition("frames: ")[2].split()[0]
    assert run("explain", slow, "--frame", frame).stdout == by_number
    assert "waiting in vain for answers" in by_number


@pytest.mark.parametrize("arguments", [["77"], ["--name", "absent.example."], ["--frame", "9999"], []])
def test_explaining_what_is_not_there_is_a_mistake(slow: str, arguments: list[str]) -> None:
    result = run("explain", slow, *arguments)
    assert isinstance(result.exception, dnscap.UsageError)


def test_the_frames_of_a_lookup_can_be_written_out(slow: str, tmp_path: Path) -> None:
    target = tmp_path / "lookup.pcapng"
    result = run("explain", slow, "1", "-w", str(target))
    assert result.exit_code == 0 and "Wrote 6 frames" in result.stderr
    (item,) = expand_inputs([target])
    written = list(pick_frames(item, lambda number, octets: True, last=99))
    (source,) = expand_inputs([slow])
    wanted = list(pick_frames(source, lambda n, o: b"\x05host1" in o, last=99))
    assert [(f.time, f.octets) for f in written] == [(f.time, f.octets) for f in wanted]
    assert b"lookup 1: failover A host1.example.com. to 10.0.0.53" in target.read_bytes()
    assert dnscap.read(target).lookups["name"].tolist() == ["host1.example.com."]


def test_from_python(slow: str) -> None:
    capture = dnscap.read(slow)
    assert capture.findings["id"].tolist() == ["nameserver-timeout", "server-order"]
    assert capture.findings["severity"].tolist() == ["high", "info"]
    assert set(capture.servers["server"]) == {"10.0.0.8", "10.0.0.53"}
    assert capture.clients["lookups"].sum() == 4
    assert "<svg" in capture.explain(1)._repr_html_()
    assert "10.0.0.8" in capture.diagnose()._repr_html_()
    with pytest.raises(dnscap.UsageError):
        capture.explain(99)


def test_narrowing_reaches_the_judgement(slow: str) -> None:
    assert dnscap.read(slow, name="quiet.example.com").findings.empty
    assert dnscap.read(slow, server="10.0.0.53").servers["server"].tolist() == ["10.0.0.53"]
