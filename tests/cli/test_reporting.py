"""``dnscap report`` and ``diagnose --format``: what is written where, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dnscap.cli import cli

FIRST_LOOK = Path(__file__).resolve().parents[2] / "examples" / "first-look.pcap"
HEADLINE = "2 of 15 lookups took over 1 s; both waited for 10.53.1.9, which never answers."


def run(*arguments: str, octets: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, list(arguments), input=octets)


@pytest.mark.parametrize("command", ["report", "diagnose"])
@pytest.mark.parametrize(
    ("ending", "begins"), [("html", "<!DOCTYPE html>"), ("json", "{"), ("txt", "2 findings in ")]
)
def test_the_ending_of_the_file_says_the_format(
    command: str, ending: str, begins: str, tmp_path: Path
) -> None:
    path = tmp_path / f"out.{ending}"
    done = run(command, str(FIRST_LOOK), "-o", str(path))
    assert done.exit_code == 0 and done.stdout == ""
    text = path.read_text(encoding="utf-8")
    assert text.startswith(begins) and HEADLINE in " ".join(text.split())


@pytest.mark.parametrize(
    ("command", "begins"), [("report", "<!DOCTYPE html>"), ("diagnose", "2 findings in ")]
)
def test_standard_output_has_the_usual_format(command: str, begins: str) -> None:
    assert run(command, str(FIRST_LOOK)).stdout.startswith(begins)


def test_the_option_wins_over_the_ending(tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    assert run("report", str(FIRST_LOOK), "--format", "json", "-o", str(path)).exit_code == 0
    assert json.loads(path.read_text(encoding="utf-8"))["headline"] == HEADLINE


def test_how_many_lookups_are_told_whole() -> None:
    for count in (0, 1, 15, 200):
        done = run("report", str(FIRST_LOOK), "--slowest", str(count), "--format", "json")
        assert len(json.loads(done.stdout)["slowest"]) == min(count, 15)


def test_standard_input_is_reported_too() -> None:
    done = run("report", "-", "--format", "json", octets=FIRST_LOOK.read_bytes())
    assert done.exit_code == 0
    assert json.loads(done.stdout)["headline"] == HEADLINE


def test_what_narrows_the_tables_narrows_the_report() -> None:
    told = json.loads(run("report", str(FIRST_LOOK), "--name", "api.example.lab", "--format", "json").stdout)
    assert told["lookups"] == sum(span["lookups"] for span in told["course"]["spans"]) < 15
    assert {row["lookup"]["name"] for row in told["slowest"]} == {"api.example.lab."}


def test_an_input_that_breaks_off_is_reported_with_a_word_and_exit_code_3(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pcap"
    octets = bytearray(FIRST_LOOK.read_bytes())
    octets[5000:5200] = b"\xff" * 200
    broken.write_bytes(octets)
    done = run("report", str(broken), "--format", "json")
    assert done.exit_code == 3
    told = json.loads(done.stdout)
    assert told["lookups"] > 0
    assert any(note["weight"] == "lost" and "broken.pcap" in note["text"] for note in told["quality"])
    assert "What this capture lacks" in run("report", str(broken)).stdout


@pytest.mark.parametrize(("severity", "code"), [("high", 1), ("low", 1)])
def test_fail_on(severity: str, code: int) -> None:
    assert run("report", str(FIRST_LOOK), "--fail-on", severity).exit_code == code


def test_a_capture_cut_inside_its_last_packet_is_not_called_whole(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(FIRST_LOOK.read_bytes()[:5000])
    done = run("report", str(cut))
    assert done.exit_code == 0
    assert "ends inside the packet" in done.stdout
    assert "Nothing is missing from the capture" not in done.stdout
    assert "Nothing is missing from the capture" in run("report", str(FIRST_LOOK)).stdout


@pytest.mark.parametrize(
    "octets", [b"this is text\n" * 9, b"", FIRST_LOOK.read_bytes()[:24]], ids=["text", "empty", "bare"]
)
def test_where_nothing_was_read_nothing_is_called_right(octets: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file.pcap"
    file.write_bytes(octets)
    for command in ("diagnose", "report"):
        done = run(command, str(file))
        assert "Nothing to judge" in done.stdout
        assert "Nothing wrong" not in done.stdout and "Scorecard" not in done.stdout


def test_frames_without_dns_are_said_to_be_such(tmp_path: Path) -> None:
    file = tmp_path / "web.pcap"
    octets = FIRST_LOOK.read_bytes()
    file.write_bytes(octets.replace(b"\x00\x35", b"\x1f\x90"))
    done = run("diagnose", str(file))
    assert "Nothing to judge" in done.stdout and "on other ports" in done.stdout and "--port" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("messages", "{}", "-o", "{}", "--format", "csv"),
        ("report", "{}", "-o", "{}"),
        ("summary", "{}", "-o", "{}"),
        ("trace", "www.example.lab", "{}", "-o", "{}"),
        ("explain", "{}", "13", "-w", "{}"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_no_output_replaces_what_is_read(arguments: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "first.pcap"
    file.write_bytes(FIRST_LOOK.read_bytes())
    done = run(*(argument.format(file) for argument in arguments))
    assert done.exit_code != 0 and "to be read" in str(done.exception)
    assert file.read_bytes() == FIRST_LOOK.read_bytes()


def test_a_report_that_cannot_be_written_is_not_made_first(tmp_path: Path) -> None:
    done = run("report", "nosuch.pcap", "-o", str(tmp_path / "no" / "report.html"))
    assert "no such file" in str(done.exception)
    done = run("report", str(FIRST_LOOK), "-o", str(tmp_path / "no" / "report.html"))
    assert "there is no folder" in str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("diagnoze",), "Did you mean 'diagnose'?"),
        ((str(FIRST_LOOK),), f"dnscap diagnose {FIRST_LOOK}"),
        (("explain", str(FIRST_LOOK), "99"), "`dnscap lookups` lists them"),
        (("trace", str(FIRST_LOOK), "www.example.lab"), "the name comes before the captures"),
        (("lookups", str(FIRST_LOOK), "--name", "*.example.lab"), "--name example.lab"),
    ],
)
def test_a_mistake_is_answered_with_what_may_be_meant(arguments: tuple[str, ...], told: str) -> None:
    done = run(*arguments)
    assert done.exit_code != 0 and told in done.output + str(done.exception)
