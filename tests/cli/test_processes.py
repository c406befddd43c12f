"""What only a process of its own shows: pipes, signals, exit codes, time to start."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from dnscap.cli import COMMANDS
from dnscap.schema import TABLES

ROOT = Path(__file__).resolve().parents[2]
FIRST_LOOK = ROOT / "examples" / "first-look.pcap"
PROGRAM = [sys.executable, "-m", "dnscap"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "ignore"}


def dnscap(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, timeout=60, **options  # type: ignore[call-overload]
    )  # fmt: skip


def test_exit_codes(tmp_path: Path) -> None:
    assert dnscap("summary", FIRST_LOOK).returncode == 0
    usage = dnscap("messages", FIRST_LOOK, "--columns", "nosuch")
    assert (usage.returncode, usage.stdout) == (2, "")
    assert dnscap("nosuch").returncode == 2
    missing = dnscap("summary", tmp_path / "missing.pcap")
    assert missing.returncode == 3
    assert "missing.pcap: no such file" in missing.stderr
    assert "Traceback" not in usage.stderr + missing.stderr


def test_errors_do_not_steer_the_terminal(tmp_path: Path) -> None:
    assert "\x1b" not in dnscap("summary", tmp_path / "\x1b[2J.pcap").stderr


def test_a_reader_that_goes_away_is_quiet() -> None:
    many = " ".join([str(FIRST_LOOK)] * 60)
    program = f"{sys.executable} -m dnscap"
    script = f"{program} messages {many} --format jsonl | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"
    assert len(done.stdout.splitlines()) == 2


def test_rows_of_a_pipe_come_as_they_are_written() -> None:
    octets = FIRST_LOOK.read_bytes()
    first, _ = _packets(octets, 2)
    command = [*PROGRAM, "messages", "-", "--format", "jsonl", "--columns", "qname"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, env=ENVIRONMENT, bufsize=0
    ) as process:
        assert process.stdin and process.stdout
        try:
            process.stdin.write(octets[:first])
            ready, _, _ = select.select([process.stdout], [], [], 30)
            assert ready, "nothing was printed while the writer waits"
            assert process.stdout.read(200).startswith(b'{"qname":"')
            process.stdin.write(octets[first:])
            rest, errors = process.communicate(timeout=30)
            assert (process.returncode, errors) == (0, b"")
            assert len(rest.splitlines()) > 100
        finally:
            process.kill()


def _packets(octets: bytes, dns: int) -> tuple[int, int]:
    """Offset behind the packet that holds the n-th DNS message, and its number."""
    at, number, seen = 24, 0, 0
    while True:
        size = struct.unpack_from("<I", octets, at + 8)[0]
        frame = octets[at + 16 : at + 16 + size]
        at += 16 + size
        number += 1
        if frame[12:14] == b"\x08\x00" and frame[23] == 17 and b"\x00\x35" in frame[34:38]:
            seen += 1
            if seen == dns:
                return at, number


def test_standard_input_is_as_good_as_a_file() -> None:
    with FIRST_LOOK.open("rb") as stream:
        piped = dnscap("summary", "-", stdin=stream)
    assert piped.returncode == 0
    assert piped.stdout.splitlines()[1:] == dnscap("summary", FIRST_LOOK).stdout.splitlines()[1:]


def test_interruption_ends_with_130_and_leaves_no_output(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    command = [*PROGRAM, "messages", "-", "-o", str(target)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=ENVIRONMENT) as process:
        assert process.stdin
        process.stdin.write(FIRST_LOOK.read_bytes())
        process.stdin.flush()
        deadline = time.monotonic() + 30
        while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.decode().strip() == "interrupted"
    assert not list(tmp_path.iterdir())


def _on_terminal(*arguments: str, **environment: str) -> str:
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 90, 0, 0))
    settings = {**ENVIRONMENT, "TERM": "xterm", **environment}
    settings.pop("COLUMNS", None)
    if "NO_COLOR" not in environment:
        settings.pop("NO_COLOR", None)
    process = subprocess.Popen([*PROGRAM, *arguments], stdout=follower, stderr=follower, env=settings)
    os.close(follower)
    pieces = []
    with contextlib.suppress(OSError):  # the terminal hangs up
        while piece := os.read(leader, 65536):
            pieces.append(piece)
    process.wait(timeout=30)
    os.close(leader)
    return b"".join(pieces).decode()


def test_colours_on_a_terminal_only_and_not_against_ones_will() -> None:
    assert "\x1b[1m" in _on_terminal("summary", str(FIRST_LOOK))
    assert "\x1b" not in _on_terminal("summary", str(FIRST_LOOK), NO_COLOR="1")
    assert "\x1b" not in _on_terminal("summary", str(FIRST_LOOK), TERM="dumb")
    assert "\x1b" not in dnscap("summary", FIRST_LOOK).stdout


def test_octets_that_no_terminal_can_show_do_not_go_there() -> None:
    assert "not for a terminal" in _on_terminal("messages", str(FIRST_LOOK), "--format", "parquet")


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    probe = (
        "import sys, dnscap.cli\n"
        "try: dnscap.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'pyarrow', 'pandas', 'duckdb', 'rich', 'dns'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.stdout.splitlines()[-1] == "[]"


def test_commands_do_without_pandas() -> None:
    commands = [
        "summary",
        "diagnose",
        *(table for table in COMMANDS if table in TABLES),
        *(f"lookups --format {form}" for form in ("csv", "jsonl")),
        "lookups --where queries>1 --client 10.0.0.0/8 --name example.com",
    ]
    probe = (
        "import sys, dnscap.cli\n"
        f"for command in {commands}:\n"
        f"    command = [*command.split(), {str(FIRST_LOOK)!r}]\n"
        "    try: dnscap.cli.main(command)\n"
        "    except SystemExit as end: assert not end.code, command\n"
        "    assert 'pandas' not in sys.modules, command\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("word", ["mes", "--wh"])
def test_the_shell_completes(word: str) -> None:
    words = f"dnscap {word}" if word == "mes" else f"dnscap messages {word}"
    place = str(len(words.split()) - 1)
    environment = {
        **ENVIRONMENT,
        "_DNSCAP_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": place,
    }
    done = subprocess.run(PROGRAM, capture_output=True, text=True, env=environment, timeout=60)
    assert {"mes": "plain,messages", "--wh": "plain,--where"}[word] in done.stdout
