"""What the commands print, and how they end, within one process."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

import dnscap
from dnscap.cli import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[2]
FIRST_LOOK = str(ROOT / "examples" / "first-look.pcap")
Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli, list(arguments))

    return invoke


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"dnscap {command} " in result.output.partition("Example")[2]
    assert run(command, "-h").output == result.output


def test_help_lists_the_commands(run: Run) -> None:
    output = run("--help").output
    assert all(f"\n  {command} " in output for command in COMMANDS)


@pytest.mark.parametrize("command", ["messages", "records", "connections", "events", "sources"])
def test_csv_has_every_column(run: Run, command: str) -> None:
    rows = list(csv.reader(io.StringIO(run(command, FIRST_LOOK, "--format", "csv").stdout)))
    assert rows[0] == [column.name for column in dnscap.schema.TABLES[command]]
    assert len(rows) - 1 == len(getattr(dnscap.read(FIRST_LOOK), command))


def test_the_table_fits_eighty_columns_and_shows_the_question(run: Run) -> None:
    lines = run("messages", FIRST_LOOK).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["time", "src", "dst", "qr", "qname", "qtype", "rcode"]


def test_columns_and_where_and_limit(run: Run) -> None:
    arguments = ("--columns", "qtype,qname", "--where", "rcode = 'NXDOMAIN' and qtype = 'A'", "--limit", "2")
    rows = [
        json.loads(line)
        for line in run("messages", FIRST_LOOK, *arguments, "--format", "jsonl").stdout.splitlines()
    ]
    assert len(rows) == 2
    assert all(list(row) == ["qtype", "qname"] and row["qtype"] == "A" for row in rows)


def test_narrowing(run: Run) -> None:
    def count(*arguments: str) -> int:
        return len(run("messages", FIRST_LOOK, "--format", "jsonl", *arguments).stdout.splitlines())

    assert count() == 128
    assert count("--server", "10.53.1.9") == 4
    assert count("--client", "10.53.1.0/24") == 128
    assert count("--client", "10.99.0.0/16") == 0
    assert count("--name", "nope.example.lab") == 4
    since = count("--since", "2026-11-22T02:53:00Z")
    assert since + count("--until", "2026-11-22T02:53:00Z") == 128
    assert 0 < since < 128


def test_records_are_narrowed_with_their_messages(run: Run) -> None:
    output = run("records", FIRST_LOOK, "--name", "v4.example.lab.", "--format", "jsonl").stdout
    names = {json.loads(line)["name"] for line in output.splitlines()}
    assert names <= {"v4.example.lab.", "example.lab."} and "v4.example.lab." in names


@pytest.mark.requires("scapy")
def test_events_and_connections_are_narrowed(run: Run, tmp_path: Path) -> None:
    from scapy.layers.dns import DNS, DNSQR
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.layers.l2 import Ether
    from scapy.utils import wrpcap

    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")  # else scapy asks the network
    packets = []
    for number, server in enumerate(("192.0.2.53", "192.0.2.54")):
        query = IP(src="198.51.100.1", dst=server) / UDP(sport=4000, dport=53)
        query /= DNS(id=7, qd=DNSQR(qname=f"host{number}.example"))
        error = IP(src=server, dst="198.51.100.1") / ICMP(type=3, code=3) / query
        syn = IP(src="198.51.100.1", dst=server) / TCP(sport=4001 + number, dport=53, flags="S")
        packets += [frame / query, frame / error, frame / syn]
    for number, packet in enumerate(packets):
        packet.time = 1_700_000_000 + number
    path = tmp_path / "errors.pcap"
    wrpcap(str(path), packets)

    def rows(command: str, *arguments: str) -> list[dict[str, object]]:
        output = run(command, str(path), "--format", "jsonl", *arguments).stdout
        return [json.loads(line) for line in output.splitlines()]

    assert len(rows("events")) == 2
    assert [row["qname"] for row in rows("events", "--server", "192.0.2.54")] == ["host1.example."]
    assert len(rows("events", "--client", "198.51.100.1")) == 2
    assert not rows("events", "--client", "192.0.2.54")
    assert [row["quoted_dst"] for row in rows("events", "--name", "host0.example")] == ["192.0.2.53"]
    assert [row["qname"] for row in rows("events", "--since", "1700000003")] == ["host1.example."]
    assert len(rows("connections")) == 2
    assert [row["server"] for row in rows("connections", "--server", "192.0.2.53")] == ["192.0.2.53"]
    assert [row["server"] for row in rows("connections", "--until", "1700000004")] == ["192.0.2.53"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("messages", FIRST_LOOK, "--columns", "qname,nosuch"), "no column nosuch"),
        (("messages", FIRST_LOOK, "--columns", ","), "names no column"),
        (("messages", FIRST_LOOK, "--where", "rcod = 'x'"), "did you mean rcode?"),
        (("messages", FIRST_LOOK, "--where", "qtype = A"), "single quotes"),
        (("messages", FIRST_LOOK, "--where", "qname"), "not true or false"),
        (("messages", FIRST_LOOK, "--where", "size > 'x'"), "Could not convert"),
        (("messages", FIRST_LOOK, "--where", "qname ="), "syntax error"),
        (("connections", FIRST_LOOK, "--where", "end = 'fin'"), '"end"'),
        (("messages", FIRST_LOOK, "--where", "count(*) > 1"), "one row at a time"),
        (("messages", FIRST_LOOK, "--since", "yesterday"), "not a time"),
        (("messages", FIRST_LOOK, "--client", "nosuch"), "not an address"),
    ],
)
def test_usage_errors_say_what_is_wrong(run: Run, arguments: tuple[str, ...], words: str) -> None:
    error = run(*arguments).exception
    assert isinstance(error, dnscap.UsageError)
    assert words in str(error)


@pytest.mark.parametrize(
    "condition",
    [
        "(select count(*) from messages) > 0",
        "exists (from '/etc/passwd')",
        "exists (from read_text('/etc/passwd'))",
        "size in (select 1)",
        "(values (true))",
        "qr and (table messages) is null",
        "row_number() over () > 1",
        "qr) or (true",
        "qr; drop table messages",
        "qr union select true",
        "qr, aa",
        "read_text('/etc/passwd') is null",
        "* is null",
        "size > ?",
        "",
    ],
)
def test_a_condition_may_not_query_or_read(condition: str) -> None:
    with pytest.raises(dnscap.UsageError, match="not a condition"):
        dnscap.read(FIRST_LOOK).table("messages", where=condition)


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("true", 128),
        ("qname like '%.cluster.local.' -- a comment", 64),
        ("time >= '2026-11-22T02:53:00Z' and not qr", 8),
        ('"do" is null and edns_options is null', 128),
        ("lower(rcode) = 'nxdomain'", 36),
        ("QNAME = 'v4.example.lab.' and Qr", 2),
        ("src in ('10.53.1.2', '10.53.1.9')", 62),
    ],
)
def test_conditions(condition: str, rows: int) -> None:
    assert len(dnscap.read(FIRST_LOOK).table("messages", columns=["message"], where=condition)) == rows


def test_an_ending_of_no_format_writes_nothing(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "out.csv.gz"
    result = run("messages", FIRST_LOOK, "-o", str(target))
    assert "no format has this ending" in str(result.exception)
    assert not target.exists()


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "parquet", "arrow"])
def test_the_ending_of_the_output_says_the_format(run: Run, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"out.{ending}"
    result = run("messages", FIRST_LOOK, "-o", str(target), "--columns", "qname,id")
    assert (result.exit_code, result.output) == (0, "")
    octets = target.read_bytes()
    if ending == "json":
        assert len(json.loads(octets)) == 128
    elif ending == "jsonl":
        assert len(octets.splitlines()) == 128
    elif ending == "csv":
        assert octets.startswith(b"qname,id\n") and len(octets.splitlines()) == 129
    elif ending == "parquet":
        assert pyarrow.parquet.read_table(target).num_rows == 128
    else:
        assert octets.startswith(b"ARROW1") or octets


def test_an_output_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    result = run("messages", FIRST_LOOK, "-o", str(tmp_path / "no" / "such"))
    assert isinstance(result.exception, dnscap.UsageError)


def test_a_failed_run_leaves_the_old_output(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    run("messages", FIRST_LOOK, "-o", str(target), "--where", "nosuch = 1")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_what_was_read_of_a_damaged_file_is_printed(run: Run, tmp_path: Path) -> None:
    octets = bytearray(Path(FIRST_LOOK).read_bytes())
    octets[5000:] = b"\xff" * (len(octets) - 5000)
    damaged = tmp_path / "damaged.pcap"
    damaged.write_bytes(octets)
    result = run("messages", str(damaged), "--format", "jsonl")
    assert result.exit_code == 3
    assert len(result.stdout.splitlines()) > 10
    assert f"{damaged}, offset " in result.stderr
    summary = run("summary", str(damaged))
    assert summary.exit_code == 3
    assert "queries" in summary.stdout and "Fault" in summary.stdout
    assert f"{damaged}, offset " in summary.stderr


def test_a_cut_last_packet_is_a_note(run: Run, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(Path(FIRST_LOOK).read_bytes()[:5000])
    result = run("messages", str(cut), "--format", "jsonl")
    assert result.exit_code == 0
    assert "ends inside the packet at offset" in result.stderr


def test_what_is_no_capture_prints_no_table(run: Run, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("nothing that anyone captured\n" * 10)
    result = run("messages", str(text))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "not a capture" in result.stderr


def test_summary_in_json(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "summary.json"
    assert run("summary", FIRST_LOOK, "--format", "json", "-o", str(target)).exit_code == 0
    assert json.loads(target.read_text())["messages"]["total"] == 128


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(run: Run, shell: str) -> None:
    script = CliRunner().invoke(cli, ["completion", shell], prog_name="pydnscap").output
    assert "_PYDNSCAP_COMPLETE" in script and "pydnscap" in script


def test_progress_is_drawn_after_a_while_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    from dnscap.cli import progress

    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    stream = io.StringIO()
    bar = progress.ProgressBar(stream)
    bar(1_000_000, 10_000_000)
    assert not stream.getvalue()
    clock[0] = 2.0
    bar(5_000_000, 10_000_000)
    assert (
        "50 %" in stream.getvalue() and "5 of 10 MB" in stream.getvalue() and "2 s left" in stream.getvalue()
    )
    bar(10_000_000, 10_000_000)
    assert stream.getvalue().endswith("\r\x1b[K")
