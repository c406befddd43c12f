import functools
import gzip
import io
import lzma
import os
import random
import resource
import struct
import tracemalloc
import zlib

import lz4.frame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnscap.capture import compression, expand_inputs, recognise
from dnscap.errors import CaptureError

from .captures import COMPRESS, SECOND, drain, pcap, zstd

KINDS = sorted(COMPRESS)


def body(size=300_000, seed=7):
    """A capture of half-compressible payload, so that compressed sizes are large enough to damage."""
    rng = random.Random(seed)
    payload = b"".join(rng.randbytes(20) + b"example.com. and its kin" for _ in range(size // 44))
    return pcap(1_700_000_000 * SECOND, payload=payload)


BODY = body()


@functools.cache
def long_body(kind):
    octets = body(2_000_000)
    return octets, COMPRESS[kind](octets)


def read(octets):
    (one,) = expand_inputs(octets)
    with one.open() as windows:
        return drain(windows), windows


@pytest.mark.parametrize("kind", KINDS)
def test_one_layer(kind, tmp_path):
    path = tmp_path / "capture.txt"  # the name must not matter
    path.write_bytes(COMPRESS[kind](BODY))

    (one,) = expand_inputs(path)

    assert (one.compression, one.kind, one.first_time) == ((kind,), "pcap", 1_700_000_000 * SECOND)
    with one.open() as windows:
        assert drain(windows) == BODY
        assert windows.compression == (kind,)
        assert windows.fault is None and windows.error() is None
        assert windows.position == windows.size == path.stat().st_size


@pytest.mark.parametrize("outer", KINDS)
@pytest.mark.parametrize("inner", KINDS)
def test_two_layers(outer, inner):
    octets, windows = read(COMPRESS[outer](COMPRESS[inner](BODY)))
    assert octets == BODY
    assert windows.compression == (outer, inner)


def test_three_layers_and_no_more():
    gz = COMPRESS["gz"]
    octets, windows = read(COMPRESS["xz"](gz(COMPRESS["zst"](BODY))))
    assert octets == BODY and windows.compression == ("xz", "gz", "zst")
    with pytest.raises(CaptureError, match="more than 3 times over"):
        read(gz(gz(gz(gz(BODY)))))


@pytest.mark.parametrize("kind", KINDS)
def test_members_one_after_another(kind):
    parts = [BODY[:10], BODY[10:11], b"", BODY[11:70_000], BODY[70_000:]]
    octets, windows = read(b"".join(map(COMPRESS[kind], parts)))
    assert octets == BODY and windows.fault is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("padding", [4, 512, 600_000])
def test_zero_padding_behind_the_data(kind, padding):
    octets, windows = read(COMPRESS[kind](BODY) + bytes(padding))
    assert octets == BODY and windows.fault is None


@pytest.mark.parametrize("kind", KINDS)
def test_something_else_behind_the_data(kind):
    octets, windows = read(COMPRESS[kind](BODY) + b"something else, and quite a lot of it")
    assert octets == BODY
    assert "something else" in windows.fault
    assert windows.fault_offset == len(BODY)


def test_skippable_frames():
    """pzstd puts one before each frame; zstd and lz4 share their magic."""
    skip = struct.pack("<II", 0x184D2A50, 4) + b"size"
    for kind in ("zst", "lz4"):
        frames = COMPRESS[kind](BODY[:1000]), COMPRESS[kind](BODY[1000:])
        assert recognise(skip + frames[0]) == kind
        octets, windows = read(skip + frames[0] + skip + frames[1] + skip)
        assert octets == BODY and windows.fault is None


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bz2"])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_cut_data_gives_what_was_there(kind, share):
    whole = COMPRESS[kind](BODY)
    cut = whole[: int(len(whole) * share)]
    octets, windows = read(cut)
    assert BODY.startswith(octets)
    block = {"zst": 128 << 10, "lz4": 64 << 10}.get(kind, 4 << 10)
    assert len(octets) >= min(share * len(BODY) - block, len(BODY) - block)
    assert f"{kind} data is cut short after {len(cut):,}" in windows.fault
    assert windows.fault_offset == len(octets)
    assert str(windows.error()).startswith(f"bytes, offset {len(octets)}: ")


def test_bz2_cut_in_a_later_block_gives_the_earlier_blocks():
    long, whole = long_body("bz2")
    octets, windows = read(whole[: len(whole) * 6 // 10])
    assert long.startswith(octets) and len(octets) > 890_000 and windows.fault


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_damaged_data_gives_what_came_before(kind, share):
    long, compressed = long_body(kind)
    whole = bytearray(compressed)
    at = int(len(whole) * share)
    whole[at : at + 40] = b"\xff" * 40
    if kind == "bz2" and share < 0.5:
        with pytest.raises(CaptureError, match="bz2 data is damaged"):  # in the first block of 900,000
            read(bytes(whole))
        return

    octets, windows = read(bytes(whole))

    assert windows.fault and kind in windows.fault and "damaged" in windows.fault
    assert windows.fault_offset == len(octets)
    same = next((at for at, (a, b) in enumerate(zip(octets, long, strict=False)) if a != b), len(octets))
    block = {"zst": 256 << 10, "lz4": 256 << 10, "bz2": 900_000}.get(kind, 64 << 10)
    assert same >= share * len(long) - block


def test_gz_with_a_wrong_checksum_loses_nothing():
    whole = bytearray(COMPRESS["gz"](BODY))
    whole[-6] ^= 1
    octets, windows = read(bytes(whole))
    assert octets == BODY
    assert "damaged" in windows.fault and "incorrect data check" in windows.fault


@pytest.mark.parametrize("kind", ["zst", "xz", "lz4"])
def test_a_wrong_checksum_costs_little(kind):
    whole = bytearray(COMPRESS[kind](BODY))
    whole[-2 if kind in ("zst", "lz4") else -40] ^= 1
    octets, windows = read(bytes(whole))
    assert BODY.startswith(octets) and len(octets) > 0.5 * len(BODY)
    assert windows.fault


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bz2"])
def test_damage_inside_another_layer(kind):
    inner = COMPRESS[kind](BODY)
    octets, windows = read(COMPRESS["gz"](inner[: len(inner) * 9 // 10]))
    assert BODY.startswith(octets)
    assert f"{kind} data is cut short" in windows.fault
    outer = COMPRESS["gz"](inner)
    octets, windows = read(outer[: len(outer) * 95 // 100])
    assert BODY.startswith(octets)
    assert "gz data is cut short" in windows.fault  # the cause, not its consequence


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_a_header(kind):
    with pytest.raises(CaptureError, match=f"no capture could be read: {kind} data is"):
        read(COMPRESS[kind](BODY)[:14])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_inside(kind):
    with pytest.raises(CaptureError, match=f"inside {kind}: empty"):
        read(COMPRESS[kind](b""))
    with pytest.raises(CaptureError, match=f"inside {kind}: not a capture; this is text"):
        read(COMPRESS[kind](b"some text"))


@pytest.mark.parametrize(("kind", "package"), [("zst", "backports.zstd"), ("lz4", "lz4")])
def test_a_missing_package_is_named(kind, package, monkeypatch, tmp_path):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(compression.importlib, "import_module", absent)
    message = rf"{package} that reads it is not installed; pip install 'dnscap\[compression\]'"
    with pytest.raises(CaptureError, match=message):
        read(COMPRESS[kind](BODY))
    # In a folder it is not passed over in silence.
    (tmp_path / "a.pcap").write_bytes(BODY)
    (tmp_path / "b.bin").write_bytes(COMPRESS[kind](BODY))
    assert len(expand_inputs(tmp_path)) == 2


def zeros(kind, mebibytes):
    """A capture header followed by so many MiB of zero octets, compressed."""
    if kind == "lz4":
        compressor = lz4.frame.LZ4FrameCompressor(block_size=lz4.frame.BLOCKSIZE_MAX4MB)
        parts = [compressor.begin()]
    else:
        compressor = {
            "gz": lambda: zlib.compressobj(9, zlib.DEFLATED, 31),
            "zst": zstd.ZstdCompressor,
            "xz": lambda: lzma.LZMACompressor(preset=0),
            "bz2": compression.bz2.BZ2Compressor,
        }[kind]()
        parts = []
    parts.append(compressor.compress(pcap()))
    parts += [compressor.compress(bytes(1 << 20)) for _ in range(mebibytes)]
    return b"".join([*parts, compressor.flush()])


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_is_streamed_in_flat_memory_and_stopped(kind, monkeypatch):
    monkeypatch.setattr(compression, "BOMB_FLOOR", 32 << 20)
    monkeypatch.setattr(compression, "BOMB_RATIO", 500)  # so that 48 MiB of gz do for a bomb
    bomb = zeros(kind, 48)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (one,) = expand_inputs(bomb)
    tracemalloc.start()
    produced = 0
    with one.open() as windows:
        last = False
        while not last:
            view, last = windows.view()
            assert len(view) <= 1 << 20
            produced += len(view)
            windows.used(len(view))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 12 << 20  # xz -0 keeps a dictionary
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 48 << 10
    if kind == "lz4":  # cannot grow a thousandfold
        assert windows.fault is None and produced == 24 + (48 << 20)
    else:
        assert "decompression bomb" in windows.fault
        assert 32 << 20 < produced <= 34 << 20
        assert windows.fault_offset == produced


def test_a_bomb_in_a_bomb(monkeypatch):
    monkeypatch.setattr(compression, "BOMB_FLOOR", 16 << 20)
    octets, windows = read(COMPRESS["gz"](zeros("gz", 64)))
    assert "decompression bomb" in windows.fault
    assert len(octets) <= 18 << 20


def test_small_captures_may_shrink_as_they_like():
    octets, windows = read(zeros("bz2", 4))
    assert len(octets) == 24 + (4 << 20) and windows.fault is None


def test_a_dictionary_larger_than_the_limit_is_refused():
    hostile = bytearray(COMPRESS["xz"](BODY))
    # Behind the stream header (12 octets) stands the block header: size, flags, filter 0x21, one octet of
    # properties (the dictionary: 40 is 4 GiB), padding, CRC32.
    assert hostile[14:16] == b"\x21\x01"
    hostile[16] = 40
    end = 12 + (hostile[12] + 1) * 4 - 4
    hostile[end : end + 4] = struct.pack("<I", zlib.crc32(hostile[12:end]))
    with pytest.raises(CaptureError, match=r"xz data is damaged .*[Mm]emory"):
        read(bytes(hostile))


@settings(max_examples=60)
@given(st.data())
def test_any_damage_ends_in_a_fault_or_an_error(data):
    kind = data.draw(st.sampled_from(KINDS))
    whole = bytearray(COMPRESS[kind](BODY[:20_000]))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        octets, windows = read(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    except CaptureError:
        return
    assert len(octets) < 1 << 20
    assert windows.fault_offset in (None, len(octets))


@pytest.mark.parametrize("kind", KINDS)
def test_random_octets_behind_each_magic(kind):
    rng = random.Random(3)
    magic = COMPRESS[kind](BODY)[:10]
    for _ in range(50):
        with pytest.raises(CaptureError):
            read(magic + rng.randbytes(300))


def test_a_compressed_pipe_gives_what_is_there():
    compressor = zlib.compressobj(6, zlib.DEFLATED, 31)
    first = compressor.compress(BODY[:1000]) + compressor.flush(zlib.Z_SYNC_FLUSH)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as source, os.fdopen(writing, "wb", buffering=0) as sink:
        sink.write(first)
        (one,) = expand_inputs(source)
        with one.open() as windows:
            view, last = windows.view()
            assert bytes(view) == BODY[:1000] and not last
            windows.used(500)
            assert bytes(windows.view()[0]) == BODY[500:1000]
            sink.write(compressor.compress(BODY[1000:1100]) + compressor.flush(zlib.Z_SYNC_FLUSH))
            windows.used(500)
            assert bytes(windows.view()[0]) == BODY[1000:1100]
            sink.close()
            windows.used(100)
            assert windows.view() == (b"", True)
            assert "cut short" in windows.fault


def test_many_tiny_members_are_linear_work():
    member = COMPRESS["gz"](b"")
    octets, windows = read(COMPRESS["gz"](BODY) + member * 20_000)
    assert octets == BODY and windows.fault is None


def test_a_file_object_that_decompresses_itself():
    (one,) = expand_inputs(gzip.GzipFile(fileobj=io.BytesIO(COMPRESS["gz"](BODY))))
    with one.open() as windows:
        assert drain(windows) == BODY
        assert windows.compression == () and windows.size is None
