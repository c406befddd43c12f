"""What other programs read in the shared captures: their rows in one vocabulary.

Two witnesses decoded every capture: tshark, and dnspython on payloads that were framed without tshark.
Neither is the truth where they differ, so a field is right when it says what one of them says.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

csv.field_size_limit(1 << 30)

FLAGS = {"qr": 0x8000, "aa": 0x0400, "tc": 0x0200, "rd": 0x0100, "ra": 0x0080, "ad": 0x0020, "cd": 0x0010}
COUNTS = ("qdcount", "ancount", "nscount", "arcount")
SECTIONS = ("answers", "authority", "additional")
USUAL_PORTS = {53, 5353, 5355}
LAST_TIME = 253402300800 * 10**9  # the year 10000: what a calendar can say


@dataclass
class Account:
    """One message as a witness tells it."""

    says: dict[str, Any]
    malformed: bool
    clean: bool  # decoded without any complaint, octets behind the message included
    header: bool
    records: dict[str, list[list[Any]]] = field(default_factory=dict)


def captures(directory: Path) -> Iterator[tuple[Path, Path, bool]]:
    """Each capture with the directory of its witnesses, and whether tshark counted its messages."""
    with (directory / "MANIFEST.tsv").open(encoding="utf8", errors="surrogateescape") as lines:
        for entry in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield (
                directory / entry["file"],
                directory / "oracle" / entry["oracle"],
                entry["dns_messages"] != "",
            )


def accounts(directory: Path) -> dict[tuple[int, int], tuple[list[Account], list[Account]]]:
    """What tshark and dnspython tell of the messages of each frame and id."""
    told: dict[tuple[int, int], tuple[list[Account], list[Account]]] = defaultdict(lambda: ([], []))
    by_tshark = set()
    for name in ("tshark", "tshark-ooo"):
        fresh = set()
        for row in _rows(directory / f"{name}.tsv.gz"):
            if row["app"] == "nbns" or row["quoted"] == "1" or row["transport"] not in ("udp", "tcp"):
                continue
            key = int(row["frame"]), int(row["id"], 0)
            # the second file repeats with the segments of TCP in order what the first may lack
            if key not in by_tshark:
                fresh.add(key)
                told[key][0].append(_by_tshark(row))
        by_tshark |= fresh
    for row in _rows(directory / "dnspython.tsv.gz"):
        if row["id"]:
            told[int(row["frame"]), int(row["id"], 0)][1].append(_by_dnspython(row))
    return told


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if not path.exists():
        return
    with gzip.open(path, "rt", encoding="utf8", errors="surrogateescape", newline="\n") as lines:
        head = next(lines).rstrip("\n").split("\t")
        for line in lines:
            yield dict(zip(head, line.rstrip("\n").split("\t"), strict=False))


def _number(text: str | None) -> int | None:
    return int(str(text), 0) if text else None


def _nanoseconds(text: str) -> int | None:
    found = re.fullmatch(r"(-?)(\d+)(?:\.(\d{1,9})\d*)?", text)
    if found is None:
        return None
    size = int(found[2]) * 10**9 + int((found[3] or "").ljust(9, "0"))
    return -size if found[1] else size


def _told(row: dict[str, str]) -> dict[str, Any]:
    says: dict[str, Any] = {
        "src": row["src"],
        "src_port": _number(row["sport"]),
        "dst": row["dst"],
        "dst_port": _number(row["dport"]),
        "transport": row["transport"],
        "time": _nanoseconds(row["time_epoch"]),
        "edns_udp_size": _number(row.get("edns_size")),
        "edns_version": _number(row.get("edns_ver")),
    }
    flags = _number(row.get("flags"))
    if flags is not None:
        says |= {name: bool(flags & bit) for name, bit in FLAGS.items()} | {"opcode": flags >> 11 & 15}
    for name in COUNTS:
        says[name] = _number(row["n_" + name[:2]])
    return says


def _by_tshark(row: dict[str, str]) -> Account:
    says = _told(row)
    questions = json.loads(row["questions"]) if row["questions"] else []
    if questions:
        says["qname"] = fold(questions[0][0])
        says["qtype"], says["qclass"] = int(questions[0][1], 0), int(questions[0][2], 0)
    rcode = _number(row.get("rcode"))
    if rcode is not None:
        says["rcode"] = rcode | (_number(row.get("edns_ext_rcode")) or 0) << 4
    says["do"] = row.get("edns_do") in ("1", "True")
    malformed = bool(row["malformed"])
    return Account(says, malformed, not malformed, bool(row["n_qd"]))


def _by_dnspython(row: dict[str, str]) -> Account:
    says = _told(row)
    questions = json.loads(row["questions"]) if row["questions"] else []
    if questions:
        says["qname"] = fold(questions[0][0])
        says["qclass"], says["qtype"] = questions[0][1:3]
    rcode = _number(row.get("rcode"))
    if rcode is not None:
        says["rcode"] = rcode
    says["do"] = bool((_number(row.get("edns_flags")) or 0) & 0x8000)
    malformed = row["status"] != "ok"
    clean = not malformed and _number(row["trailing"]) == 0 and not row["lenient_errors"]
    records = {} if malformed else {s: json.loads(row[s]) if row[s] else [] for s in SECTIONS}
    return Account(says, malformed, clean, bool(row["n_qd"]), records)


@lru_cache(1 << 16)
def fold(name: str | None) -> bytes | None:
    """Octets of a name in lower case, so that one with escapes and one without them can be compared."""
    if name is None:
        return None
    if name in ("<Root>", ".", ""):
        return b""
    octets = name.encode("utf8", "surrogateescape")
    octets = re.sub(
        rb"\\(\d\d\d|.)",
        lambda m: bytes([min(int(m[1]), 255)]) if len(m[1]) == 3 else m[1],
        octets,
        flags=re.DOTALL,
    ).lower()
    octets = octets.removesuffix(b".")
    # tshark writes a replacement character for what is not UTF-8
    return re.sub(rb"[\x80-\xff]+", b"?", octets)


def record_key(
    name: str, ttl: int, rclass: int, rtype: int, text: str | None, exact: bool
) -> tuple[Any, ...]:
    """What two records have in common that are the same, by text or, `exact`, by canonical RDATA."""
    rclass &= 0x7FFF  # the flush bit of mDNS
    content = str(text).lower()
    if exact:
        try:
            rdata = dns.rdata.from_text(
                dns.rdataclass.RdataClass.make(rclass),
                dns.rdatatype.RdataType.make(rtype),
                str(text),
                relativize=False,
            )
            content = rdata.to_digestable(dns.name.root).hex()
        except Exception:  # whatever the text, it is then compared as text
            content = re.sub(r"\s+", " ", content).strip()
    # RFC 2181 section 8: a TTL with the top bit set is taken as 0
    return fold(name), rclass, rtype, 0 if ttl > 0x7FFFFFFF else ttl, content
