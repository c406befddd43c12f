"""The view as a program on a terminal: from its first picture to its closing summary."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import dnscap
from dnscap.cli import main
from tests.live.networks import ENVIRONMENT, PROGRAM, ROOT, Network, network, program_of
from tests.live.test_interfaces import CLIENT, UNBOUND, asked
from tests.live.view.watching import LOOKUPS

LEFT = "\x1b[?1049l"
"""What a program sends that gives the ordinary screen back."""


LEADER = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(1, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Runs a program in a session of its own, whose terminal its standard output is."""


class Terminal:
    """A terminal with a program on it.

    Parameters
    ----------
    command : list of str
        The program.
    stdin, stderr : file descriptor, optional
        Where these go, if not to the terminal.
    leads : bool
        Whether the terminal is that of its session, which the kernel tells when it goes.
    """

    def __init__(
        self,
        command: list[str],
        *,
        stdin: int | None = None,
        stderr: int | None = None,
        size: tuple[int, int] = (80, 24),
        leads: bool = True,
    ) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(*size)
        self.written = ""
        self._at: list[tuple[float, int]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-c", LEADER, *command] if leads else command,
            stdin=theirs if stdin is None else stdin,
            stdout=theirs,
            stderr=theirs if stderr is None else stderr,
            env={**ENVIRONMENT, "TERM": "xterm-256color"},
            cwd=ROOT,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while octets := os.read(self._ours, 65_536):
                self.written += octets.decode("utf-8", "replace")
                self._at.append((time.time(), len(self.written)))

    @property
    def text(self) -> str:
        """What was written so far, without what steers the terminal."""
        return re.sub(r"\x1b\[[0-9;?<>=$]*[a-zA-Z]|\x1b[=>78]", "", self.written)

    def resize(self, columns: int, rows: int) -> None:
        """Make it another size."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._ours, keys.encode())

    def wait_for(self, pattern: str, seconds: float = 20.0) -> float:
        """When what matches was written."""
        until = time.time() + seconds
        while time.time() < until:
            if re.search(pattern, self.text):
                return time.time()
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} in {self.text[-3000:]!r}")

    def end(self, seconds: float = 20.0) -> tuple[int, str]:
        """Wait for the end; exit code, and what was written after the screen was given back."""
        code = self.process.wait(seconds)
        self._reader.join(2)
        assert "Traceback" not in self.text, self.text[-3000:]
        assert LEFT in self.written
        attributes = termios.tcgetattr(self._ours)
        assert attributes[3] & termios.ICANON
        assert attributes[3] & termios.ECHO
        return code, self.written.rpartition(LEFT)[2]

    def close(self) -> None:
        """Hang up."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self._ours)


@contextlib.contextmanager
def stream(*arguments: str, **options: int) -> Iterator[tuple[Terminal, int]]:
    """A view of a capture that is written to standard input; and where to write it."""
    reading, writing = os.pipe()
    terminal = Terminal([*PROGRAM, "live", "-", *arguments], stdin=reading, **options)
    os.close(reading)
    try:
        yield terminal, writing
    finally:
        terminal.close()
        with contextlib.suppress(OSError):
            os.close(writing)


def test_a_stream_is_watched_with_keys_from_the_terminal() -> None:
    with stream() as (terminal, writing):
        os.write(writing, (LOOKUPS / "dead-first-glibc.pcap").read_bytes())
        terminal.wait_for("mail.example.lab.")
        terminal.wait_for("! 02:52:59 mail")
        terminal.press("\r")
        terminal.wait_for("╌╌╌╌")
        terminal.press("\x1b")
        time.sleep(0.3)
        terminal.resize(120, 40)
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.wait_for("space mark")
        terminal.press("q")
        code, closing = terminal.end()
    assert code == 0
    assert "finding: high: nameserver-timeout: Name server 10.53.1.9 never answers" in closing
    assert "dnscap: 23 frames, 3 lookups, 3 slow, 0 failed, 1 finding" in closing


@pytest.mark.parametrize("how", ["\x03", signal.SIGINT, signal.SIGTERM, "end"])
def test_it_ends_cleanly(how: str | int) -> None:
    with stream(*(["-c", "23"] if how == "end" else [])) as (terminal, writing):
        os.write(writing, (LOOKUPS / "dead-first-glibc.pcap").read_bytes())
        if isinstance(how, int):
            terminal.wait_for("mail.example.lab.")
            terminal.process.send_signal(how)
        elif how != "end":
            terminal.wait_for("mail.example.lab.")
            terminal.press(how)
        code, closing = terminal.end()
    assert code == 0
    assert "dnscap: 23 frames" in closing


def test_a_terminal_that_goes_takes_it_along() -> None:
    with stream() as (terminal, writing):
        os.write(writing, (LOOKUPS / "dead-first-glibc.pcap").read_bytes())
        terminal.wait_for("mail.example.lab.")
        os.close(terminal._ours)
        assert terminal.process.wait(20) is not None


def test_a_terminal_may_go_without_a_signal(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "capture")
    saved = tmp_path / "saved.pcapng"
    terminal = Terminal([*PROGRAM, "live", str(tmp_path / "capture"), "-w", str(saved)], leads=False)
    with (tmp_path / "capture").open("wb", buffering=0) as writing:
        writing.write((LOOKUPS / "dead-first-glibc.pcap").read_bytes())
        terminal.wait_for("mail.example.lab.")
        os.close(terminal._ours)
        assert terminal.process.wait(20) is not None
    assert len(dnscap.read(saved).messages) == len(dnscap.read(LOOKUPS / "dead-first-glibc.pcap").messages)


def test_standard_error_may_go_elsewhere(tmp_path: Path) -> None:
    with (tmp_path / "err").open("w") as err, stream(stderr=err.fileno()) as (terminal, writing):
        os.write(writing, (LOOKUPS / "dead-first-glibc.pcap").read_bytes())
        terminal.wait_for("mail.example.lab.")
        terminal.press("q")
        code, closing = terminal.end()
    assert code == 0
    assert "frames" not in closing
    assert (tmp_path / "err").read_text().splitlines()[-1].startswith("dnscap: 23 frames")
    assert "\x1b" not in (tmp_path / "err").read_text()


def test_damage_is_told_and_stays_in_sight() -> None:
    with stream() as (terminal, writing):
        os.write(writing, (LOOKUPS / "dead-first-glibc.pcap").read_bytes() + b"\xff" * 64)
        terminal.wait_for("ENDED: ")
        terminal.press("q")
        code, closing = terminal.end()
    assert code == 3
    assert "record of" in closing


def test_lines_can_be_had_on_a_terminal() -> None:
    with stream("--lines") as (terminal, writing):
        os.write(writing, (LOOKUPS / "dead-first-glibc.pcap").read_bytes())
        os.close(writing)
        terminal.process.wait(30)
        terminal._reader.join(2)
        assert "\x1b" not in terminal.written
        assert "mail.example.lab." in terminal.written
        os.dup2(os.open(os.devnull, os.O_RDONLY), writing)  # which the block closes


@pytest.mark.parametrize("argument", ["--lines", "--messages", "--format=csv", "--where=true"])
def test_what_says_how_lines_look_wants_lines(
    argument: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dnscap.cli.live._may_draw", lambda: True)
    capture = io.BytesIO((LOOKUPS / "dead-first-glibc.pcap").read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(capture))
    with pytest.raises(SystemExit):
        main(["live", "-", "-Z", "root", argument])
    written = capfd.readouterr().out
    assert "\x1b" not in written
    assert "mail.example.lab." in written


@pytest.fixture
def here() -> Iterator[Network]:
    with network() as one:
        yield one


@pytest.mark.requires("netns", "libpcap", "unbound")
@pytest.mark.parametrize("another", [False, True], ids=["alone", "with-another"])
@pytest.mark.parametrize(
    ("how", "words"),
    [(signal.SIGSTOP, r"Name server 127\.0\.0\.1 does not answer"), (signal.SIGKILL, "Nobody listens at")],
)
def test_a_server_that_dies_is_seen_within_a_second(
    here: Network, tmp_path: Path, how: int, words: str, another: bool
) -> None:
    """glibc asks an unbound that stops: the finding is on the screen a second after the first timeout at the latest."""
    (tmp_path / "unbound.conf").write_text(UNBOUND)
    second = "nameserver 127.0.0.2\n" if another else ""
    (tmp_path / "resolv.conf").write_text(f"nameserver 127.0.0.1\n{second}options timeout:1 attempts:2\n")
    server = here.start("unbound", "-d", "-c", tmp_path / "unbound.conf")
    if another:  # which answers at once what the first one lets time out
        (tmp_path / "second.conf").write_text(UNBOUND.replace("127.0.0.1", "127.0.0.2"))
        here.start("unbound", "-d", "-c", tmp_path / "second.conf")
    bind = f'mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec "$@"'
    terminal = Terminal(here.inside(*PROGRAM, "live", "-i", "lo", "-Z", "root"))
    try:
        terminal.wait_for("nothing came yet")
        client = here.start("unshare", "--mount", "sh", "-c", bind, "sh", sys.executable, "-c", CLIENT)
        terminal.wait_for(r"host\d\.example\.test\.")
        terminal.wait_for("none dropped")
        asked(client)
        os.kill(program_of(server.pid), how)
        killed = time.time()
        said = terminal.wait_for(words, 6)
        if how == signal.SIGSTOP:
            terminal.wait_for("waits for 127")
            terminal.wait_for("silent [12]")
        client.kill()
        os.kill(program_of(server.pid), signal.SIGKILL)
        assert client.stdout is not None
        first = next(float(line) for line in client.stdout.read().split() if float(line) > killed - 0.05)
        timeout = 1.0 if how == signal.SIGSTOP else 0.0
        assert said - (first + timeout) < 1.0
        terminal.press("q")
        code, closing = terminal.end()
    finally:
        terminal.close()
    assert code == 0
    assert "none dropped" in closing
    assert "finding: " in closing
