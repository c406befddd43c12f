"""Read captures in a process of their own, and tell what came of it and how much memory that took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dnscap

CODE = """
import json, resource, sys, time
import dnscap

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

for batch in dnscap.read(__import__("base64").b64decode("1MOyoQIABAAAAAAAAAAAAAAAAABlAAAA")).batches():
    pass
before, start, messages, records, connections = peak(), time.monotonic(), 0, 0, 0
for path in sys.argv[1:]:
    capture = dnscap.read(path)
    for batch in capture.batches():
        batch.to_arrow("messages")
        batch.to_arrow("records")
        connections += batch.to_arrow("connections").num_rows
        messages += batch.messages
        records += batch.records
quality = capture.quality
print(json.dumps({
    "messages": messages, "records": records, "connections": connections,
    "counts": quality.counts, "notes": quality.notes, "faults": [str(fault) for fault in quality.faults],
    "megabytes": peak() - before, "seconds": time.monotonic() - start,
}))
"""


@dataclass
class Outcome:
    """What reading a capture came to."""

    messages: int
    records: int
    connections: int
    counts: dict[str, Any]
    notes: list[str]
    faults: list[str]
    megabytes: int
    seconds: float


def read_apart(*paths: Path) -> Outcome:
    """Stream captures with records in another process; `megabytes` is by how much its memory grew.

    Counts, notes and faults are those of the last.
    """
    root = Path(dnscap.__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return Outcome(**json.loads(done.stdout))
