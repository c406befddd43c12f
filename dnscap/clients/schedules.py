"""Timeout and attempts from the gaps between transmissions, by the schedule of each stub."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from dnscap.clients.keeping import Kept

SECOND = 1_000_000_000

TOLERANCE = 0.04
"""Share by which a timer may fire late or early: schedulers, and clocks of the capture."""

SLACK = 0.06
"""Seconds on top of it."""

SILENT = ("unanswered", "unfinished")

MOST_TIMEOUT = 30
"""glibc's RES_MAXRETRANS; the others allow no more."""

OWN_DEFAULTS: dict[str, tuple[tuple[float, ...], tuple[int, ...]]] = {
    "c-ares": ((2.0, 5.0), (3, 4)),
    "dnspython": ((2.0,), ()),
}
"""Timeouts and attempts that a stub has built in, by version, and keeps whatever resolv.conf says."""

ANSWERED = ("answer", "nodata", "nxdomain")

SERVFAIL_RETRIES = ("servfail", "refused", "formerr", "notimp", "unreachable", "truncated")


def waits_of(k: Kept) -> list[tuple[float, Mapping[str, Any], int]]:
    """Waits that ended with the stub's timer: seconds, the transmission waited for, and the round (from 0).

    A wait lasts from a transmission without an answer (or with a late one) to the next one of
    the lookup; transmissions within 50 ms are one burst.
    """
    bursts: list[list[Mapping[str, Any]]] = []
    for row in k.exchanges:
        if row["transport"] != "udp":
            continue
        if bursts and row["time"] - bursts[-1][-1]["time"] < SECOND // 20 and _same_move(bursts[-1][-1], row):
            bursts[-1].append(row)
        else:
            bursts.append([row])
    rounds: Counter[tuple[str, str, str]] = Counter()
    waits = []
    for burst, following in itertools.pairwise(bursts):
        seen = {(row["server"], row["qname"], row["qtype"]) for row in burst}
        for key in seen:
            rounds[key] += 1
        start, end = burst[-1]["time"], following[0]["time"]
        silent = [row for row in burst if _silent_until(row, end)]
        repeats = {(row["qname"], row["qtype"]) for row in silent} & {
            (row["qname"], row["qtype"]) for row in k.exchanges if row["time"] >= end
        }
        if silent and repeats and not _heard_between(k, start, end):
            key = (silent[0]["server"], silent[0]["qname"], silent[0]["qtype"])
            waits.append(((end - start) / SECOND, silent[0], rounds[key] - 1))
    return waits


def _same_move(before: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether a transmission belongs to the burst: not itself a reaction to an answer."""
    return not (before["latency"] is not None and before["time"] + before["latency"] <= row["time"])


def _silent_until(row: Mapping[str, Any], end: int) -> bool:
    if row["outcome"] in SILENT:
        return True
    if row["latency"] is not None:
        return bool(row["time"] + row["latency"] > end)
    return bool(row["ambiguous"])


def _heard_between(k: Kept, start: int, end: int) -> bool:
    """Whether an answer that came just before `end` is what caused the next transmission."""
    for row in k.exchanges:
        if row["latency"] is None or row["outcome"] in SILENT:
            continue
        at = row["time"] + row["latency"]
        if start < at <= end and end - at < SECOND // 50 and end - start > SECOND // 50:
            return True
    return False


def near(value: float, wanted: float) -> bool:
    """Whether a timer of `wanted` seconds explains a wait of `value`."""
    return abs(value - wanted) <= SLACK + TOLERANCE * wanted


# ---------------------------------------------------------------- timeout


def timeout_of(
    family: str | None, seen: list[Kept], nameservers: list[str] | None, evidence: list[str]
) -> float | None:
    """Seconds of ``options timeout``, or the stub's own; None where no wait shows it."""
    fit = _FITS.get(family or "")
    if fit is None:
        return None
    votes: Counter[float] = Counter()
    shown: defaultdict[float, list[tuple[int, float]]] = defaultdict(list)
    for k in seen:
        for seconds, row, turn in waits_of(k):
            found = fit(seconds, row, turn, nameservers or [], k)
            if found is not None:
                votes[found] += 1
                shown[found].append((k.number, seconds))
    if not votes:
        return None
    best, count = votes.most_common(1)[0]
    if count * 2 <= sum(votes.values()) and len(votes) > 1:
        return None
    number, seconds = shown[best][0]
    if best in OWN_DEFAULTS.get(family or "", ((), ()))[0]:
        evidence.append(f"timeout not shown: {seconds:.3f} s in lookup {number} is the stub's own default")
        return None
    evidence.append(f"timeout: waited {seconds:.3f} s in lookup {number}, {count} such")
    return best


def _whole(seconds: float) -> float | None:
    """The whole number of seconds that explains a wait."""
    nearest = round(seconds)
    return float(nearest) if 1 <= nearest <= MOST_TIMEOUT and near(seconds, nearest) else None


def _glibc(
    seconds: float, row: Mapping[str, Any], turn: int, nameservers: list[str], k: Kept
) -> float | None:
    place = nameservers.index(row["server"]) if row["server"] in nameservers else 0
    if place == 0:
        return _whole(seconds)
    count = max(len(nameservers), place + 1)
    fits = [t for t in range(1, MOST_TIMEOUT + 1) if near(seconds, max(1, (t << place) // count))]
    # Whole division lets several values of `timeout` wait alike: such a wait shows none of them.
    return float(fits[0]) if len(fits) == 1 else None


def _plain(
    seconds: float, row: Mapping[str, Any], turn: int, nameservers: list[str], k: Kept
) -> float | None:
    return _whole(seconds)


def _first_round(
    seconds: float, row: Mapping[str, Any], turn: int, nameservers: list[str], k: Kept
) -> float | None:
    # Later rounds double and are jittered; the first may adapt to the server's speed: no whole number then.
    return _whole(seconds) if turn == 0 and abs(seconds - round(seconds)) < 0.05 else None


def _musl(seconds: float, row: Mapping[str, Any], turn: int, nameservers: list[str], k: Kept) -> float | None:
    pair = musl_pair(seconds, len(_rounds(k)) if k.row["outcome"] == "timeout" else 0)
    return float(pair[0]) if pair else None


_FITS: dict[str, Callable[[float, Mapping[str, Any], int, list[str], Kept], float | None]] = {
    "glibc": _glibc,
    "go": _plain,
    "dnspython": _plain,
    "musl": _musl,
    "c-ares": _first_round,
    "systemd-resolved": _plain,
    "dig": _plain,
}


def musl_pair(seconds: float, rounds: int) -> tuple[int, int] | None:
    """Timeout and attempts of musl from its interval, which is their quotient.

    The quotient alone is that of many pairs: they are known where the lookup ran to its end, after `rounds`.
    """
    if not rounds:
        return None
    timeout = round(seconds * rounds)
    return (timeout, rounds) if timeout >= 1 and near(seconds, timeout / rounds) else None


def _rounds(k: Kept) -> set[int]:
    """Tenths of a second, relative to the first, at which the question that was asked most often went out."""
    times: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
    for row in k.exchanges:
        times[row["qname"], row["qtype"], row["server"]].append(row["time"])
    most = max(times.values(), key=len, default=[])
    return {math.floor((time - most[0]) / SECOND * 10) for time in most}


# ---------------------------------------------------------------- attempts


def attempts_of(
    family: str | None, seen: list[Kept], servers: int, timeout: float | None, evidence: list[str]
) -> int | None:
    """``options attempts``, from lookups that ran until the stub gave up; None where none did."""
    if family == "musl":
        return _musl_attempts(seen, evidence)
    if family not in ("glibc", "go", "c-ares", "dig"):
        return None
    votes: Counter[int] = Counter()
    sources: dict[int, int] = {}
    for k in seen:
        if k.row["outcome"] != "timeout" or _otherwise_troubled(k):
            continue
        counts: Counter[tuple[str, str, str]] = Counter()
        for row in k.exchanges:
            if row["transport"] == "udp":
                counts[row["server"], row["qname"], row["qtype"]] += 1
        if counts:
            (_, name, _), most = counts.most_common(1)[0]
            if family == "glibc" and any(
                row["qname"] == name and row["outcome"] in ANSWERED and not row["late"] for row in k.exchanges
            ):
                continue  # half answered: it asks once more within one attempt, one question at a time
            votes[most] += 1
            sources.setdefault(most, k.number)
    if not votes:
        return None
    best, count = votes.most_common(1)[0]
    if len(votes) > 1 and count * 2 <= sum(votes.values()):
        return None
    if best in OWN_DEFAULTS.get(family, ((), ()))[1]:
        return None
    evidence.append(
        f"attempts: each server was asked {best} times before lookup {sources[best]} was given up"
    )
    return best


def _otherwise_troubled(k: Kept) -> bool:
    return bool(k.row["tcp_fallback"]) or any(row["outcome"] in SERVFAIL_RETRIES for row in k.exchanges)


def _musl_attempts(seen: list[Kept], evidence: list[str]) -> int | None:
    votes: Counter[int] = Counter()
    sources: dict[int, int] = {}
    for k in seen:
        if _otherwise_troubled(k):
            continue
        rounds = len(_rounds(k)) if k.row["outcome"] == "timeout" else 0
        for seconds, _, _ in waits_of(k):
            pair = musl_pair(seconds, rounds)
            if pair:
                votes[pair[1]] += 1 + 10 * bool(rounds)
                sources.setdefault(pair[1], k.number)
    if not votes:
        return None
    best = votes.most_common(1)[0][0]
    evidence.append(
        f"attempts: the interval between questions in lookup {sources[best]} is the timeout divided by {best}"
    )
    return best
