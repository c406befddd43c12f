#!/usr/bin/env python3
"""What assembling lookups costs a packet, and at its peak in memory, over captures made to be dear.

    python benchmarks/worst_cases.py [--packets 400000] [--rounds 3] [--only flood,port] [--check]

Each is compared with ordinary traffic of as many packets. What is dear must stay so many times dearer at any
size: `--check` fails where a capture of twice the size costs much more than twice as much.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import captures
import numpy as np
from measuring import machine, number, pin, progress, progress_end, run_worker, table, take_turns
from numpy.typing import NDArray
from random_names import DNS, ETHERNET, HEADERS, IP, RECORD, START, UDP, put

Numbers = NDArray[np.int64]

LABEL = 12  # characters of each of the two labels that hold numbers
NAME = 2 * (LABEL + 1)
TAIL = b"\7example\3com\0\0\1\0\1"
ANSWER = bytes.fromhex("c00c000100010000012c0004c0000201")
RATE = 100_000  # queries a second
WAIT = 1_000_000  # nanoseconds from a query to its answer
NXDOMAIN = 3
STEEPER = 1.5  # times what twice the packets may cost a packet more


def messages(
    time: Numbers,
    *,
    client: Numbers | int = 1,
    port: Numbers | int = 5353 * 2,
    id: Numbers | int = 1,
    first: Numbers | int = 0,
    second: Numbers | int = 0,
    response: NDArray[np.bool_],
    rcode: int = 0,
) -> bytes:
    """Pcap records of queries and responses for names of two numbered labels, in order of time."""
    count = len(time)
    order = np.argsort(time, kind="stable")
    fields = [np.broadcast_to(np.asarray(field), count)[order] for field in (client, port, id, first, second)]
    client, port, id, first, second = (np.asarray(field, np.int64) for field in fields)
    time, response = time[order], response[order]
    body = len(HEADERS) + NAME + len(TAIL)
    rows = np.zeros((count, RECORD + body + len(ANSWER)), np.uint8)
    rows[:, RECORD : RECORD + len(HEADERS)] = np.frombuffer(HEADERS, np.uint8)
    at = RECORD + len(HEADERS)
    for numbers in (first, second):
        rows[:, at] = LABEL
        for k in range(LABEL):
            rows[:, at + 1 + k] = ord("a") + (numbers // 26**k) % 26
        at += LABEL + 1
    rows[:, at : at + len(TAIL)] = np.frombuffer(TAIL, np.uint8)
    rows[:, at + len(TAIL) :] = np.frombuffer(ANSWER, np.uint8)
    answered = response & (rcode == 0)
    size = body + np.where(answered, len(ANSWER), 0)

    put(rows, 0, START + time // 10**9, 4, "little")
    put(rows, 4, time % 10**9, 4, "little")
    put(rows, 8, size, 4, "little")
    put(rows, 12, size, 4, "little")
    ip = RECORD + ETHERNET
    server = np.full(count, 0x0A000035)
    client = client + 0x0B000000
    put(rows, ip + 2, size - ETHERNET, 2)
    put(rows, ip + 12, np.where(response, server, client), 4)
    put(rows, ip + 16, np.where(response, client, server), 4)
    udp = ip + IP
    put(rows, udp, np.where(response, 53, port), 2)
    put(rows, udp + 2, np.where(response, port, 53), 2)
    put(rows, udp + 4, size - ETHERNET - IP, 2)
    dns = udp + UDP
    put(rows, dns, id, 2)
    put(rows, dns + 2, np.where(response, 0x8180 | rcode, 0x0100), 2)
    put(rows, dns + 6, answered.astype(np.int64), 2)
    assert dns + DNS == RECORD + len(HEADERS)
    keep = np.arange(rows.shape[1]) < RECORD + size[:, None]
    return rows[keep].tobytes()


def exchanged(queries: int, *, rcode: int = 0, every: int = 1, **fields: Numbers | int) -> bytes:
    """Queries at the rate of the flood, every so manyth of them answered; none where `every` is 0."""
    sent = np.arange(queries, dtype=np.int64) * (10**9 // RATE)
    heard = np.arange(queries) % every == 0 if every else np.zeros(queries, bool)
    both = {
        name: value if isinstance(value, int) else np.concatenate([value, value[heard]])
        for name, value in fields.items()
    }
    response = np.concatenate([np.zeros(queries, bool), np.ones(int(heard.sum()), bool)])
    return messages(np.concatenate([sent, sent[heard] + WAIT]), response=response, rcode=rcode, **both)


def numbered(queries: int) -> dict[str, Numbers]:
    """A port and an id for each query, as an honest stub would draw them."""
    i = np.arange(queries, dtype=np.int64)
    return {"port": 1024 + i * 7919 % 64_000, "id": i * 40_503 % 65_536}


def one_client(n: int) -> bytes:
    """One client asks for 100,000 names a second."""
    return exchanged(n // 2, first=np.arange(n // 2) % 50_000, **numbered(n // 2))


def one_name(n: int) -> bytes:
    """One client asks for the same name 100,000 times a second."""
    return exchanged(n // 2, **numbered(n // 2))


def a_name_in_vain(n: int) -> bytes:
    """The same, and there is no answer."""
    return exchanged(n, every=0, **numbered(n))


def million_clients(n: int) -> bytes:
    """Every query comes from another client."""
    return exchanged(n // 2, client=np.arange(n // 2), first=np.arange(n // 2) % 1000, **numbered(n // 2))


def one_port(n: int) -> bytes:
    """One port and one id are used for everything."""
    return exchanged(n // 2, first=np.arange(n // 2))


def one_query(n: int) -> bytes:
    """One question from one port with one id, again and again."""
    return exchanged(n // 2)


def in_vain(n: int) -> bytes:
    """No query is answered."""
    return exchanged(n, every=0, client=np.arange(n) % 5000, first=np.arange(n) % 1000, **numbered(n))


def walks(n: int) -> bytes:
    """Names that begin with one label do not exist, one after another: a search list without end."""
    return exchanged(n // 2, rcode=NXDOMAIN, second=np.arange(n // 2), **numbered(n // 2))


def answers_alone(n: int) -> bytes:
    """Answers to nothing that was asked."""
    time = np.arange(n, dtype=np.int64) * (10**9 // RATE)
    return messages(time, first=np.arange(n) % 1000, response=np.ones(n, bool), **numbered(n))


CASES: dict[str, Callable[[int], bytes]] = {
    "one client, many names": one_client,
    "one client, one name": one_name,
    "one client, one name, no answers": a_name_in_vain,
    "a million clients": million_clients,
    "one port, one id": one_port,
    "one query again and again": one_query,
    "no answers": in_vain,
    "walks without end": walks,
    "answers to nothing": answers_alone,
}


def made(name: str, packets: int) -> Path:
    """The capture of a case, in the cache directory."""
    path = captures.cache_dir() / f"worst-{name.replace(',', '').replace(' ', '-')}-{packets}.pcap"
    if not path.exists():
        header = np.array([(0xA1B23C4D, 2, 4, 0, 0, 262144, 1)], "<u4,<u2,<u2,<u4,<u4,<u4,<u4").tobytes()
        part = path.with_suffix(".part")
        part.write_bytes(header + CASES[name](packets))
        part.replace(path)
    return path


def main() -> int:
    """Measure; 1 with --check where the cost of a packet grows with the size of the capture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packets", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", metavar="WORDS", help="comma-separated parts of case names")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="where to write the results (cache directory)"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 where cost is not linear")
    arguments = parser.parse_args()
    words = arguments.only.split(",") if arguments.only else [""]
    names = [name for name in CASES if any(word in name for word in words)]

    pin()
    sizes = (arguments.packets // 2, arguments.packets)
    warm_up = str(captures.traffic(20_000))
    scratch = str(captures.cache_dir() / "output.tmp")
    runs: dict[tuple[str, int], Path] = {}
    for size in sizes:
        runs["ordinary", size] = captures.traffic(size)
        for name in names:
            progress(f"making {name}")
            runs[name, size] = made(name, size)
    outcomes = take_turns(
        {
            f"{name} {size}": partial(run_worker, "worker.py", "lookups", str(path), warm_up, scratch)
            for (name, size), path in runs.items()
        },
        arguments.rounds,
        progress,
    )
    progress_end()
    rows: list[dict[str, object]] = []
    lines = []
    for name in ("ordinary", *names):
        half, whole = (outcomes[f"{name} {size}"] for size in sizes)
        ordinary = outcomes[f"ordinary {sizes[1]}"].cpu_min()
        steeper = whole.cpu_min() / half.cpu_min() / 2
        steep = steeper > STEEPER
        row = {"case": name, "cpu": whole.cpu_min(), "x": whole.cpu_min() / ordinary, "peak": whole.peak()}
        rows.append(row | {"steeper": steeper, "steep": steep})
        lines.append(
            (
                name,
                number(whole.cpu_min() / sizes[1] * 1e9, 0),
                number(whole.cpu_min() / ordinary, 1),
                number(steeper, 2),
                number(whole.peak() / 2**20, 0),
                "STEEPER" if steep else "",
            )
        )
    target = arguments.json or captures.cache_dir() / "worst_cases.json"
    target.write_text(json.dumps({"machine": machine(), "sizes": sizes, "rows": rows}, indent=1) + "\n")
    print(table(("lookups of", "ns/packet", "x ordinary", "of half", "peak MiB", ""), lines))
    print(f"Wrote {target}", file=sys.stderr)
    return 1 if arguments.check and any(row["steep"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
