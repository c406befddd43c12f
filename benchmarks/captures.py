"""The captures that are measured: made once, kept in a cache directory.

``DNSCAP_BENCH_DIR`` names the directory; without it a fixed one under the system's temporary directory is
used. File names carry a digest of the generator's source, so a changed generator makes new files.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
_CAPTURED = struct.Struct("<I")
PCAP_HEADER = 24
RECORD_HEADER = 16
START = 1_700_000_000  # seconds since the epoch at which generated traffic begins
PART = 2_000_000  # packets simulated at a time: the generator holds all of a part in memory, about 1.3 GB
PART_SECONDS = (
    120  # from the start of one part to the next; a part lasts about 50 s, retransmissions included
)


def cache_dir() -> Path:
    """Where captures, the compiled yardstick and results are kept."""
    named = os.environ.get("DNSCAP_BENCH_DIR")
    path = Path(named) if named else Path(tempfile.gettempdir()) / "dnscap-bench"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _digest(*scripts: str) -> str:
    total = hashlib.sha256()
    for script in scripts:
        path = HERE / script
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            total.update(file.read_bytes())
    return total.hexdigest()[:8]


def _generate(script: str, output: Path, *arguments: str) -> None:
    # In a process of its own: numpy must not make the measuring process large (see measuring.py).
    command = [sys.executable, str(HERE / script), *arguments, "-o", str(output)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def traffic(packets: int) -> Path:
    """Resolver traffic of so many packets, as one classic pcap file."""
    path = cache_dir() / f"traffic-{packets}-{_digest('make_capture.py', 'traffic')}.pcap"
    if path.exists():
        return path
    growing = path.with_suffix(".part")
    piece = path.with_suffix(".piece")
    with growing.open("wb") as out:
        for number, first in enumerate(range(0, packets, PART)):
            count = min(PART, packets - first)
            start = START + number * PART_SECONDS
            _generate(
                "make_capture.py", piece, "-n", str(count), "--seed", str(number + 1), "--start", str(start)
            )
            with piece.open("rb") as data:
                if number:
                    data.seek(PCAP_HEADER)
                shutil.copyfileobj(data, out, 1 << 22)
    piece.unlink()
    growing.rename(path)
    return path


def random_names(names: int) -> Path:
    """One query packet for each of so many names, no two alike."""
    path = cache_dir() / f"names-{names}-{_digest('random_names.py')}.pcap"
    if not path.exists():
        growing = path.with_suffix(".part")
        _generate("random_names.py", growing, "-n", str(names))
        growing.rename(path)
    return path


def head(capture: Path, packets: int) -> Path:
    """The first packets of a capture, as a file of its own."""
    path = capture.with_name(f"{capture.stem}-first-{packets}.pcap")
    if path.exists():
        return path
    growing = path.with_suffix(".part")
    with capture.open("rb") as data, growing.open("wb") as out:
        out.write(data.read(PCAP_HEADER))
        for _ in range(packets):
            header = data.read(RECORD_HEADER)
            if len(header) < RECORD_HEADER:
                break
            out.write(header)
            out.write(data.read(_CAPTURED.unpack_from(header, 8)[0]))
    growing.rename(path)
    return path


def yardstick() -> Path | None:
    """The compiled yardstick, or None where it cannot be built (it needs x86-64 with AVX2)."""
    sources = [HERE / "limit" / "limit3_columns.c", HERE / "limit" / "pcapmap.h"]
    digest = hashlib.sha256(b"".join(s.read_bytes() for s in sources)).hexdigest()[:8]
    path = cache_dir() / f"limit3-{digest}"
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if not path.exists():
        if compiler is None:
            return None
        growing = path.with_suffix(".part")
        command = [compiler, "-O3", "-march=x86-64-v3", "-o", str(growing), str(sources[0])]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:
            return None
        growing.rename(path)
    return path


def count(capture: Path) -> int:
    """Packets in a classic little-endian pcap file."""
    total = 0
    with capture.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at, size = PCAP_HEADER, len(data)
        while at + RECORD_HEADER <= size:
            at += RECORD_HEADER + _CAPTURED.unpack_from(data, at + 8)[0]
            total += at <= size
    return total
