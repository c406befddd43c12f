"""Files that appear only when they are whole."""

from __future__ import annotations

import io
import os
import stat
import sys
from pathlib import Path

import pytest

from dnscap.errors import UsageError
from dnscap.output import output_stream


def test_file_appears_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"

    with output_stream(target) as stream:
        stream.write(b"rows")
        assert not target.exists()

    assert target.read_bytes() == b"rows"
    assert list(tmp_path.iterdir()) == [target]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_bytes(b"old")

    with pytest.raises(KeyError), output_stream(target) as stream:
        stream.write(b"new")
        raise KeyError

    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_replacing_keeps_mode_and_links(tmp_path: Path) -> None:
    target = tmp_path / "real.csv"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link = tmp_path / "link.csv"
    link.symlink_to(target)

    with output_stream(str(link)) as stream:
        stream.write(b"new")

    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_device_is_written_directly() -> None:
    with output_stream("/dev/null") as stream:
        stream.write(b"rows")

    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_long_names(tmp_path: Path) -> None:
    target = tmp_path / ("é" * 120 + ".csv")

    with output_stream(target) as stream:
        stream.write(b"rows")

    assert target.read_bytes() == b"rows"


@pytest.mark.parametrize("path", [None, "-"])
def test_standard_output(path: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    octets = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(octets))

    with output_stream(path) as stream:
        print("before", flush=False)
        stream.write(b"rows")

    assert not octets.closed
    assert b"rows" in octets.getvalue()


@pytest.mark.parametrize("path", ["missing/out.csv", "."])
def test_places_that_cannot_be_written(path: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"), output_stream(tmp_path / path):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told_in_a_sentence() -> None:
    with (
        pytest.raises(UsageError, match="/dev/full: cannot be written"),
        output_stream("/dev/full") as stream,
    ):
        stream.write(b"x" * 100_000)
