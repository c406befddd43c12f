"""Long runs give memory back."""

import ctypes
import re
from pathlib import Path

import pytest

from dnscap.live import memory


def resident() -> int:
    """Kilobytes."""
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])


def test_holes_are_given_back_when_it_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "malloc_trim") or not Path("/proc/self/status").exists():
        pytest.skip("only glibc can be asked for its holes")
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    clock = [0.0]
    monkeypatch.setattr(memory.time, "monotonic", lambda: clock[0])
    ours = memory.Memory()
    size, count = 100_000, 1_000
    blocks = [libc.malloc(size) for _ in range(count)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    for block in blocks[:-1]:
        libc.free(block)
    before = resident()
    assert not ours.give_back()
    assert resident() > before - size // 1024 * count // 2
    clock[0] = memory.GIVEN_BACK_EVERY
    assert ours.give_back()
    assert resident() < before - size // 1024 * count // 2
    assert not ours.give_back()
    libc.free(blocks[-1])
