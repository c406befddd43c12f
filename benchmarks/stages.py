#!/usr/bin/env python3
"""Nanoseconds a packet of each stage of the way from a file to frames and text.

    python benchmarks/stages.py [--packets 2000000] [--rounds 5]

Each line is a pipeline that does what an earlier line does and one thing more; what that thing costs is the
difference of the two, taken within a round. All run in this one process, in turns, after a warm-up.
"""

from __future__ import annotations

import argparse
import json
import mmap
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import captures
from cases import SIXTEEN, entry, module
from measuring import Absent, environment, machine, number, pin, progress, progress_end, table

WINDOW = 4 << 20  # octets given to the decoder at a time
BATCH_ROWS = 65_536
WARM_UP_PACKETS = 20_000  # at most
PORTS = (53, 5353, 5355)
NO_PORTS = (1,)  # nothing uses TCPMUX: every packet is walked to its ports and passed over

Pipeline = Callable[[memoryview], int]


def decoded(data: memoryview, ports: tuple[int, ...], records: bool) -> Iterator[Any]:
    """Native batches of a file in memory."""
    decoder = entry(module("dnscap.native.decoder"), "Decoder")(ports, records)
    decoder.framing.begin_file()
    at, used = 0, 1
    while used and at < len(data):
        window = data[at : at + WINDOW]
        used = decoder.feed(window, at + len(window) == len(data))
        at += used
        yield from decoder.take(decoder.rows >= BATCH_ROWS)
    decoder.finish()
    yield from decoder.take()


def framing(data: memoryview) -> int:
    """Record headers, frames counted."""
    frames: int = entry(entry(module("dnscap.native.framing"), "Framing")(), "count")(data)
    return frames


def native(ports: tuple[int, ...], records: bool) -> Pipeline:
    """Framing, walk and decoder, batches dropped."""
    return lambda data: sum(batch.messages for batch in decoded(data, ports, records))


def arrow(name: str, records: bool, drop: str = "", only: str = "", then: str = "") -> Pipeline:
    """As `native`, and one table of each batch as Arrow; with `then`, that much more of it."""

    def run(data: memoryview) -> int:
        decoding = module("dnscap.messages.decoding")
        arrow_columns = module("dnscap.messages.arrow").BatchColumns
        schema = module("dnscap.schema").TABLES[name]
        wanted = only.split(",") if only else [c.name for c in schema if c.name != drop]
        made = 0
        for batch in decoded(data, PORTS, records):
            columns = arrow_columns(batch, lambda source, index: None)
            part = decoding.MessageBatch(batch, columns, 0).to_arrow(name, wanted)
            made += part.num_rows
            if then == "pandas":
                whole = module("pyarrow").Table.from_batches([part])
                made += 0 * len(module("dnscap.tables.frames").to_pandas(whole, name))
            elif then:
                made += 0 * len(entry(module("dnscap.native.lines"), then)(part))
        return made

    return run


@dataclass(frozen=True, slots=True)
class Stage:
    """One line: what is added, to which earlier line, and the pipeline that includes it."""

    name: str
    after: str | None
    run: Pipeline


STAGES = (
    Stage("framing alone", None, framing),
    Stage("framing, walk to the ports", None, native(NO_PORTS, False)),
    Stage("DNS payloads, header, question", "framing, walk to the ports", native(PORTS, False)),
    Stage("records", "DNS payloads, header, question", native(PORTS, True)),
    Stage("messages to Arrow", "DNS payloads, header, question", arrow("messages", False)),
    Stage("messages to pandas", "messages to Arrow", arrow("messages", False, then="pandas")),
    Stage("messages to CSV", "messages to Arrow", arrow("messages", False, then="format_csv")),
    Stage("messages to JSON Lines", "messages to Arrow", arrow("messages", False, then="format_jsonl")),
    Stage("16 columns to Arrow", "DNS payloads, header, question", arrow("messages", False, only=SIXTEEN)),
    Stage(
        "16 columns to CSV", "16 columns to Arrow", arrow("messages", False, only=SIXTEEN, then="format_csv")
    ),
    Stage("records to Arrow, no text", "records", arrow("records", True, drop="rdata")),
    Stage("record text", "records to Arrow, no text", arrow("records", True)),
)


def measure(
    data: memoryview, warm_up: memoryview, rounds: int
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """CPU seconds of every pipeline in every round; and why some have none."""
    taken: dict[str, list[float]] = {stage.name: [] for stage in STAGES}
    missing: dict[str, str] = {}
    for turn in range(rounds + 1):
        for stage in STAGES:
            if stage.name in missing:
                continue
            progress(f"round {turn} of {rounds}: {stage.name}")
            started = time.process_time()
            try:
                stage.run(data if turn else warm_up)
            except Absent as why:
                missing[stage.name] = f"absent: {why}"
            except Exception as why:
                missing[stage.name] = f"failed: {type(why).__name__}: {why}"
            if turn and stage.name not in missing:
                taken[stage.name].append(time.process_time() - started)
    progress_end()
    return taken, missing


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packets", type=int, default=2_000_000, help="size of the generated capture")
    parser.add_argument("--rounds", type=int, default=5, help="how often every stage runs")
    parser.add_argument("--capture", type=Path, help="measure this classic pcap file instead")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="where to write the results (cache directory)"
    )
    arguments = parser.parse_args()

    # Unlike the other scripts this one imports dnscap itself: find it where they do.
    if "PYTHONPATH" in environment():
        sys.path[1:1] = [path for path in environment()["PYTHONPATH"].split(":") if path]
    progress("making captures")
    paths = [
        arguments.capture or captures.traffic(arguments.packets),
        captures.traffic(min(WARM_UP_PACKETS, arguments.packets)),
    ]
    packets = captures.count(paths[0])
    pin()
    views = []
    for path in paths:
        with path.open("rb") as file:
            views.append(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    taken, missing = measure(views[0], views[1], arguments.rounds)

    rows: list[dict[str, object]] = []
    lines = []
    for stage in STAGES:
        if stage.name in missing:
            rows.append({"stage": stage.name, "missing": missing[stage.name]})
            lines.append((stage.name, "-", "-", "-", missing[stage.name]))
            continue
        whole = [seconds / packets * 1e9 for seconds in taken[stage.name]]
        base = taken.get(stage.after or "", [])
        added = [a - b / packets * 1e9 for a, b in zip(whole, base, strict=False)]
        own = statistics.median(added or whole)
        rows.append({"stage": stage.name, "after": stage.after, "added": own, "pipeline": whole})
        after = f"after {stage.after}" if stage.after else ""
        lines.append((stage.name, number(own), number(statistics.median(whole)), number(min(whole)), after))
    target = arguments.json or captures.cache_dir() / "stages.json"
    target.write_text(json.dumps({"machine": machine(), "packets": packets, "rows": rows}, indent=1) + "\n")
    print(f"ns a packet, {packets:,} packets, median of {arguments.rounds}")
    print(table(("stage", "adds", "pipeline", "min", ""), lines))
    print(f"Wrote {target}", file=sys.stderr)


if __name__ == "__main__":
    main()
