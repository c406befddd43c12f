"""The fuzz targets: one line each.  Building, fuzzing and the seed tests all read this table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "fuzz"


@dataclass(frozen=True, slots=True)
class Target:
    """One stage under fuzzing.

    Attributes
    ----------
    name : str
        What it is called on the command line; its seeds are made by the function of that name in seeds.py.
    entry : str
        ``module:attribute``.  A module ``fuzz.x`` is ext/fuzz/x.pyx, and offers a capsule, or x.py; a module
        in Python, there or anywhere else, offers a callable that takes octets.
    needs : tuple of str
        The native modules without which it cannot be built.
    max_len : int
        Octets of an input at most: large enough for what the stage must survive, small enough to be quick.
    """

    name: str
    entry: str
    needs: tuple[str, ...]
    max_len: int = 4096

    @property
    def module(self) -> str:
        """Name of the module that holds the entry."""
        return self.entry.partition(":")[0]

    @property
    def source(self) -> Path | None:
        """Source of the target, where it is one of ours to compile."""
        package, _, stem = self.module.rpartition(".")
        if package != "fuzz":
            return None
        python = HERE / f"{stem}.py"
        return python if python.exists() else HERE / f"{stem}.pyx"

    def lacking(self) -> str | None:
        """Why it cannot be built from this tree, or None."""
        native = ROOT / "ext" / "dnscap" / "native"
        gone = [name for name in self.needs if not (native / f"{name}.pyx").exists()]
        return f"no native module {', '.join(gone)}" if gone else None


TARGETS = (
    Target("framing", "fuzz.framing_target:ENTRY", ("framing",), 1 << 14),
    Target("walk", "fuzz.walk_target:ENTRY", ("walk", "fragments", "streams")),
    Target("streams", "fuzz.streams_target:ENTRY", ("streams",)),
    Target("message", "fuzz.message_target:ENTRY", ("messages", "presentation")),
    Target(
        "conversations",
        "fuzz.conversations_target:scan",
        ("lookups", "resolutions", "names_seen", "askers", "invented", "subnets"),
        1 << 9,
    ),
    Target("pipeline", "fuzz.pipeline_target:scan", ("decoder",), 1 << 14),
)
