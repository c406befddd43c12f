"""How the tables of a capture compare with what the witnesses tell."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype

import dnscap

from .witnesses import (
    COUNTS,
    FLAGS,
    LAST_TIME,
    USUAL_PORTS,
    Account,
    accounts,
    fold,
    record_key,
)

WITHOUT_MEANING = {"qname", "qtype", "qclass", "edns_udp_size", "edns_version", "rcode", "opcode"}
WITHOUT_MEANING |= {*COUNTS, *FLAGS}
"""Fields of a malformed message that may be unknown."""


@dataclass
class Score:
    """Messages compared, by what came of it."""

    right: int = 0
    total: int = 0
    malformed_right: int = 0
    malformed: int = 0
    wrong: list[tuple[str, int, int, str]] = field(default_factory=list)  # file, frame, id, what

    def add(self, file: str, key: tuple[int, int], bad: list[str], malformed: bool) -> None:
        self.total += 1
        self.right += not bad
        self.malformed += malformed
        self.malformed_right += malformed and not bad
        if bad:
            self.wrong.append((file, *key, ",".join(bad)))

    def __iadd__(self, other: Score) -> Score:
        self.right += other.right
        self.total += other.total
        self.malformed += other.malformed
        self.malformed_right += other.malformed_right
        self.wrong += other.wrong
        return self


def _numbers(texts: Any, parse: Any, prefix: str) -> dict[str, int]:
    found = {}
    for text in texts:
        try:
            found[text] = int(parse(text))
        except Exception:
            found[text] = int(str(text).removeprefix(prefix))
    return found


def _column_numbers(rows: list[dict[str, Any]], column: str, parse: Any, prefix: str) -> None:
    known = _numbers({row[column] for row in rows} - {None}, parse, prefix)
    for row in rows:
        if row[column] is not None:
            row[column] = known[row[column]]


def read_rows(path: Path) -> tuple[list[dict[str, Any]], dict[int, list[dict[str, Any]]]]:
    """Messages of a capture with numbers for mnemonics, and the records of each message."""
    capture = dnscap.read(str(path))
    records_table = capture.to_arrow("records")
    table = capture.to_arrow("messages")
    times = table["time"].cast("int64").to_pylist()
    messages = table.drop_columns(["time"]).to_pylist()
    for row, time in zip(messages, times, strict=True):
        row["time"] = time
        row["qname"] = fold(row["qname"])
    _column_numbers(messages, "opcode", dns.opcode.from_text, "OPCODE")
    _column_numbers(messages, "rcode", dns.rcode.from_text, "RCODE")
    _column_numbers(messages, "qtype", dns.rdatatype.from_text, "TYPE")
    _column_numbers(messages, "qclass", dns.rdataclass.from_text, "CLASS")
    records = records_table.to_pylist()
    _column_numbers(records, "type", dns.rdatatype.from_text, "TYPE")
    _column_numbers(records, "class", dns.rdataclass.from_text, "CLASS")
    by_message = defaultdict(list)
    for row in records:
        by_message[row["message"]].append(row)
    return messages, by_message


def _same(name: str, ours: Any, told: Any) -> bool:
    if ours == told:
        return True
    if name == "time" and told is not None:
        return not 0 <= told < LAST_TIME or (ours is not None and abs(ours - told) < 1000)
    if name == "qclass" and ours is not None and told is not None:
        return bool(ours & 0x7FFF == told & 0x7FFF)  # the unicast bit of mDNS
    return False


def _differences(
    row: dict[str, Any], told: list[Account], records: list[dict[str, Any]], malformed: bool
) -> list[str]:
    bad = []
    for name in sorted({name for account in told for name in account.says}):
        ours = bool(row["do"]) if name == "do" else row[name]
        claims = [account.says[name] for account in told if name in account.says]
        if name == "rcode" and not row["qr"]:
            continue  # tshark shows none on queries
        if malformed and name in WITHOUT_MEANING and (ours is None or not any(c is not None for c in claims)):
            continue
        if malformed and name == "do" and not ours:
            continue
        if name in ("edns_udp_size", "edns_version") and None in claims and ours is None:
            continue
        if not any(_same(name, ours, claim) for claim in claims):
            bad.append(name)
    if all(account.malformed for account in told):
        if row["status"] == "ok":
            bad.append("status")
    elif len(told) == 2 and all(account.clean for account in told) and row["status"] != "ok":
        bad.append("status")
    return bad or _record_differences(told[-1], records)


def _record_differences(account: Account, records: list[dict[str, Any]]) -> list[str]:
    bad = []
    for section, rows in account.records.items():
        short = section.removesuffix("s")
        ours = [
            (r["name"], r["ttl"], r["class"], r["type"], r["rdata"])
            for r in records
            if r["section"] == short and r["type"] not in (41, 250)
        ]
        if not rows and not ours:
            continue
        for exact in (False, True):
            want = Counter(record_key(*r, exact=exact) for r in rows)
            if want == Counter(record_key(*r, exact=exact) for r in ours):
                break
        else:
            bad.append(section)
    return bad


def compare(path: Path, witnesses: Path, counted: bool, name: str) -> Score:
    """Compare one capture: every message of which the witnesses tell enough, and rows of which none tells."""
    score = Score()
    messages, records = read_rows(path)
    ours = defaultdict(list)
    for row in messages:
        ours[row["frame"], row["id"]].append(row)
    told = accounts(witnesses)
    for key, (tshark, dnspython) in sorted(told.items()):
        have = ours[key]
        for j in range(max(len(tshark), len(dnspython))):
            both = [*tshark[j : j + 1], *dnspython[j : j + 1]]
            malformed = any(account.malformed for account in both)
            says = both[0].says
            usual = says["transport"] == "udp" and USUAL_PORTS & {says["src_port"], says["dst_port"]}
            scored = len(both) == 2 or (usual and both[0].header)
            if j < len(have):
                row = have[j]
                score.add(name, key, _differences(row, both, records[row["message"]], malformed), malformed)
            elif scored:
                score.add(name, key, ["missing"], malformed)
    for key, rows in ours.items():
        tshark, dnspython = told.get(key, ([], []))
        surplus = len(rows) - max(len(tshark), len(dnspython))
        loud = [row for row in rows if row["status"] == "ok" and row["transport"] == "udp"]
        for _ in loud[: max(surplus, 0)] if counted else []:
            score.add(name, key, ["extra"], False)
    return score
