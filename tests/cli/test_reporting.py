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
    assert "The capture lacks nothing" not in done.stdout
    assert "The capture lacks nothing" in run("report", str(FIRST_LOOK)).stdout
