"""What is measured: a table of cases, each one small function or one command.

A Python case takes the capture and a scratch file, and returns what it counted together with whatever must
stay alive until peak memory has been read. Entry points are looked up with `entry`, so that one that does
not exist is reported as absent.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import Absent

PythonCase = Callable[[Path, Path], tuple[dict[str, int], Any]]

# What a header-and-question tool prints of a message: sixteen columns, like the PacketQ query in peers.py.
SIXTEEN = "time,src,src_port,dst,dst_port,transport,id,qr,aa,tc,rd,rcode,qname,qtype,qclass,size"

# PacketQ 1.7.3 writing sixteen columns as CSV took 2,346 ns a packet where `limit3 -s` took 72.6, in one
# interleaved run over the same 2 M packets. Used as the limit where PacketQ itself is not installed.
PACKETQ_CSV_RATIO = 2346 / 72.6


def entry(owner: Any, name: str) -> Any:
    """An attribute of a module, class or object; `Absent` where it has none of that name."""
    try:
        return getattr(owner, name)
    except AttributeError as why:
        # One raised deeper down, while a lazy attribute is being made, is a failure and not an absence.
        if why.name == name and why.obj is owner:
            raise Absent(f"{getattr(owner, '__name__', type(owner).__name__)} has no {name}") from None
        raise


def module(name: str) -> Any:
    """An imported module; `Absent` where there is none."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as why:
        raise Absent(str(why)) from None


def read(capture: Path) -> Any:
    """The capture, opened."""
    return entry(module("dnscap"), "read")(str(capture))


def _stream(capture: Path, records: bool) -> tuple[dict[str, int], Any]:
    seen = {"rows": 0, "records": 0}
    for batch in entry(read(capture), "batches")(records=records):
        seen["rows"] += batch.messages
        seen["records"] += batch.records
    return seen, None


def batches(capture: Path, scratch: Path) -> tuple[dict[str, int], Any]:
    """Message batches, each dropped before the next."""
    return _stream(capture, records=False)


def batches_records(capture: Path, scratch: Path) -> tuple[dict[str, int], Any]:
    """Message and record batches, each dropped before the next."""
    return _stream(capture, records=True)


def exchanges(capture: Path, scratch: Path) -> tuple[dict[str, int], Any]:
    """Exchange batches, each dropped before the next."""
    seen = {"exchanges": 0}
    for batch in entry(read(capture), "exchange_batches")(lookups=False):
        seen["exchanges"] += batch.exchanges
    return seen, None


def lookups(capture: Path, scratch: Path) -> tuple[dict[str, int], Any]:
    """Lookup batches, each dropped before the next; exchanges are matched on the way."""
    seen = {"lookups": 0}
    for batch in entry(read(capture), "lookup_batches")():
        seen["lookups"] += batch.lookups
    return seen, None


def findings(capture: Path, scratch: Path) -> tuple[dict[str, int], Any]:
    """A whole diagnosis: servers, clients, scorecard and findings."""
    diagnosis = entry(read(capture), "diagnosis")
    found = {"findings": len(diagnosis.findings), "servers": len(diagnosis.server_rows)}
    return found, diagnosis


def frames_messages(capture: Path, scratch: Path) -> tuple[dict[str, int], Any]:
    """The whole file's messages as one pandas frame."""
    opened = read(capture)
    messages = entry(opened, "messages")
    return {"rows": len(messages)}, (opened, messages)


def frames_records(capture: Path, scratch: Path) -> tuple[dict[str, int], Any]:
    """The whole file's messages and records as two pandas frames, without text of the record data."""
    opened = read(capture)
    columns = [column.name for column in module("dnscap.schema").RECORDS if column.name != "rdata"]
    records = entry(opened, "table")("records", columns=columns)
    messages = entry(opened, "messages")
    return {"rows": len(messages), "records": len(records)}, (opened, messages, records)


def frames_text(capture: Path, scratch: Path) -> tuple[dict[str, int], Any]:
    """The whole file's messages and records as two pandas frames, every column."""
    opened = read(capture)
    records = entry(opened, "records")
    messages = entry(opened, "messages")
    return {"rows": len(messages), "records": len(records)}, (opened, messages, records)


def _command(*arguments: str) -> None:
    """Run the command line in this process."""
    main = entry(module("dnscap.cli"), "main")
    before, sys.argv = sys.argv, ["dnscap", *arguments]
    try:
        main()
    except SystemExit as end:
        if end.code not in (None, 0):
            raise RuntimeError(f"dnscap {' '.join(arguments)} ended with {end.code}") from end
    finally:
        sys.argv = before


def csv_sixteen(capture: Path, scratch: Path) -> tuple[dict[str, int], Any]:
    """Sixteen columns of every message as a CSV file, by command."""
    _command("messages", str(capture), "--format", "csv", "--columns", SIXTEEN, "-o", str(scratch))
    return {}, None


def csv_all(capture: Path, scratch: Path) -> tuple[dict[str, int], Any]:
    """Every column of every message as a CSV file, by command."""
    _command("messages", str(capture), "--format", "csv", "-o", str(scratch))
    return {}, None


def json_lines(capture: Path, scratch: Path) -> tuple[dict[str, int], Any]:
    """Every column of every message as JSON Lines, by command."""
    _command("messages", str(capture), "--format", "jsonl", "-o", str(scratch))
    return {}, None


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the result.

    Attributes
    ----------
    name : str
        What the line is called.
    options : tuple of str, optional
        Options of the yardstick, where the line is one of its variants.
    python : function, optional
        What to run in a worker otherwise.
    against : str, optional
        The line it is compared with.
    time_limit, memory_limit : float, optional
        Ratios to that line which must not be exceeded.
    """

    name: str
    options: tuple[str, ...] | None = None
    python: PythonCase | None = None
    against: str | None = None
    time_limit: float | None = None
    memory_limit: float | None = None


CASES = (
    Case("limit3 -s", options=("-s",)),
    Case("limit3 -r -s", options=("-r", "-s")),
    Case("limit3", options=()),
    Case("limit3 -r", options=("-r",)),
    Case("limit3 -r -m", options=("-r", "-m")),
    Case("batches", python=batches, against="limit3 -s", time_limit=2.0),
    Case("batches+records", python=batches_records, against="limit3 -r -s", time_limit=2.0),
    Case("frames messages", python=frames_messages, against="limit3", time_limit=2.5, memory_limit=2.5),
    Case("exchanges", python=exchanges, against="limit3 -r -m", time_limit=2.0),
    Case("lookups", python=lookups, against="limit3 -r -m"),
    Case("findings", python=findings, against="limit3 -r -m", time_limit=3.0),
    Case(
        "frames messages+records",
        python=frames_records,
        against="limit3 -r",
        time_limit=2.5,
        memory_limit=2.5,
    ),
    Case("frames with record text", python=frames_text, against="limit3 -r"),
    Case("csv 16 columns", python=csv_sixteen, against="limit3 -s", time_limit=PACKETQ_CSV_RATIO),
    Case("csv all columns", python=csv_all, against="limit3 -s"),
    Case("json lines", python=json_lines, against="limit3 -s"),
)

PYTHON_CASES = {case.name: case.python for case in CASES if case.python is not None}
