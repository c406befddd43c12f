"""The configuration that explains what was seen of a client and stub; null where packets do not show it."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from typing import Any

from dnscap.clients.keeping import Kept
from dnscap.clients.schedules import attempts_of, timeout_of

ENOUGH_PLAIN = 2
"""Lookups without expansion before a search list is said to be empty."""

EXPANDS_AFTER_FAILURE = ("glibc", "go")
"""Stubs that try the search list also after a name asked as it is does not exist (musl never does)."""

STICKY = ("c-ares", "systemd-resolved")
"""Stubs that prefer the server which answered last: who is asked first does not tell the order."""

PARALLEL = ("musl",)
"""Stubs that ask all servers at once, in the order of the file."""

ASK_AS_IS = ("c-ares", "dnspython")
"""Libraries with calls that take a name as it is, as Node's `dns.resolve` does: of short names, which nobody gives in
order to have them asked so, that tells nothing of the list."""

SOON = 20_000_000
"""Nanoseconds within which the second query of a pair follows the first that was not answered."""

TOOLS = ("dig", "nslookup", "host", "drill", "kdig")
"""Tools that take a server from the command line: nothing they send tells the configuration."""


def configuration_of(stub: str | None, kept: list[Kept]) -> dict[str, Any]:
    """Columns of the clients table that tell configuration, with `evidence`.

    Parameters
    ----------
    stub : str or None
        Whose habits the lookups have.
    kept : list of Kept
        Lookups in order, with their exchanges.
    """
    evidence: list[str] = []
    family = family_of(stub)
    seen = [k for k in kept if k.exchanges]
    nameservers, rotate = _nameservers(family, seen, evidence)
    search, ndots = _search(family, kept, evidence)
    servers = len(nameservers or ())
    timeout = (
        None if _in_unknown_order(family, rotate, seen) else timeout_of(family, seen, nameservers, evidence)
    )
    return {
        "nameservers": nameservers,
        "search": search,
        "ndots_min": ndots[0],
        "ndots_max": ndots[1],
        "timeout": timeout,
        "attempts": attempts_of(family, seen, servers, timeout, evidence),
        "rotate": rotate,
        "single_request": _single_request(family, seen, evidence),
        "use_vc": _use_vc(seen, evidence),
        "edns": _edns(seen),
        "evidence": evidence,
    }


def family_of(stub: str | None) -> str | None:
    """The stub without its version or variant: ``c-ares 1.19`` is ``c-ares``."""
    if stub is None:
        return None
    for known in ("glibc", "musl", "go", "c-ares", "systemd-resolved", "dnspython", "windows", *TOOLS):
        if stub == known or stub.startswith((known + " ", known + "-", known + "/")):
            return known
    return stub


def refer(kept: list[Kept]) -> str:
    """Name a few lookups as evidence."""
    numbers = [str(k.number) for k in kept[:3]]
    return "lookup " + ", ".join(numbers) + (f" and {len(kept) - 3} more" if len(kept) > 3 else "")


# ---------------------------------------------------------------- servers


def order_of(kept: Kept) -> list[str]:
    """Servers of a lookup in the order in which they were first asked."""
    order: list[str] = []
    for row in kept.exchanges:
        if row["server"] not in order and row["role"] not in ("chase",):
            order.append(row["server"])
    return order or list(kept.row["servers"] or ())


def _nameservers(
    family: str | None, seen: list[Kept], evidence: list[str]
) -> tuple[list[str] | None, bool | None]:
    orders = [(order_of(k), k) for k in seen]
    orders = [(order, k) for order, k in orders if order]
    if not orders or family in TOOLS:
        return None, None
    firsts = Counter(order[0] for order, _ in orders)
    # Who begins with another server although the one before did not fail takes turns.
    rotate = None
    if len(firsts) > 1 and family not in STICKY and family not in PARALLEL:
        rotate = _takes_turns(orders)
    elif len(firsts) == 1 and len(orders) >= 3 and len({s for order, _ in orders for s in order}) > 1:
        rotate = False if family not in STICKY and family not in PARALLEL else None
    if rotate:
        evidence.append(f"rotate: lookups begin with {', '.join(sorted(firsts))} in turn")
        return None, True
    if family in STICKY or len(firsts) == 1:
        merged = list(orders[0][0])
        source = orders[0][1]
    else:
        merged, source = max(orders, key=lambda item: (len(item[0]), firsts[item[0][0]]))
        merged = list(merged)
    for order, _ in orders:
        _blend(merged, order)
    evidence.append(f"nameservers: order of asking in lookup {source.number}")
    return merged, rotate


def _in_unknown_order(family: str | None, rotate: bool | None, seen: list[Kept]) -> bool:
    """Whether it cannot be told how long the stub waits for which server.

    glibc takes turns, and yet waits for the second of three servers two thirds of what it waits for the first, and four
    thirds for the third; of two it waits alike.
    """
    servers = {server for k in seen for server in order_of(k)}
    return family == "glibc" and rotate is True and len(servers) > 2


def _blend(merged: list[str], order: list[str]) -> None:
    """Add the servers of another order, each behind the one that it followed there."""
    place = -1
    for server in order:
        if server in merged:
            place = max(place, merged.index(server))
        else:
            place = place + 1 if place >= 0 else len(merged)
            merged.insert(place, server)


def _takes_turns(orders: list[tuple[list[str], Kept]]) -> bool | None:
    changes = 0
    for (before, earlier), (after, _) in itertools.pairwise(orders):
        if before[0] != after[0] and not _failed_at(earlier, before[0]):
            changes += 1
    return True if changes >= 2 or (changes == 1 and len(orders) <= 3) else None


def _failed_at(kept: Kept, server: str) -> bool:
    return any(
        row["server"] == server and row["outcome"] not in ("answer", "nodata", "nxdomain")
        for row in kept.exchanges
    )


# ---------------------------------------------------------------- search list


def _dots(name: str) -> int:
    return name.rstrip(".").count(".")


def _suffix(candidate: str, name: str) -> str | None:
    """What was added to a name to make a candidate; None where the candidate is no expansion of it."""
    stem = name.rstrip(".") + "."
    if candidate != stem and candidate.startswith(stem):
        return candidate[len(stem) :].rstrip(".")
    return None


def _search(
    family: str | None, kept: list[Kept], evidence: list[str]
) -> tuple[list[str] | None, tuple[int | None, int | None]]:
    if family in TOOLS:
        return None, (None, None)
    expanded_first: list[tuple[int, Kept]] = []
    tried_as_is: list[tuple[int, Kept]] = []  # and then expanded: no name with a trailing dot
    as_is_only: list[tuple[int, Kept]] = []
    lists: list[tuple[list[str], Kept]] = []  # suffixes in order, of walks that came to the end of the list
    partial: list[list[str]] = []
    never: list[Kept] = []  # failed without expansion, though the stub would have expanded
    for k in kept:
        name, candidates = k.row["name"], k.row["candidates"] or []
        if not name or not candidates or is_reverse(name) or not _addresses(k):
            continue
        suffixes = [s for s in (_suffix(c, name) for c in candidates) if s]
        first_is_expansion = _suffix(candidates[0], name) is not None
        if suffixes:
            (expanded_first if first_is_expansion else tried_as_is).append((_dots(name), k))
            whole = _all_absent(k, name) and (
                (first_is_expansion and candidates[-1].rstrip(".") == name.rstrip("."))
                or k.row["outcome"] in ("nxdomain", "nodata")
            )
            if whole:
                lists.append((suffixes, k))
            else:
                partial.append(suffixes)
            continue
        if len(candidates) == 1:
            as_is_only.append((_dots(name), k))
            if k.row["outcome"] in ("nxdomain", "nodata") and family in EXPANDS_AFTER_FAILURE:
                never.append(k)
    plain = [k for _, k in as_is_only] if not expanded_first and not tried_as_is else []
    if _look_expanded([k.row["name"] for k in plain]) or _meet_a_wildcard(plain):
        plain = []
    if family in ASK_AS_IS and any(dots == 0 for dots, _ in as_is_only):
        plain = []
    search = _list(lists, partial, never, plain, evidence)
    known = bool(lists or partial)
    # A name that was never expanded may have been given with a trailing dot, or there may be nothing to expand it with.
    as_is_first = tried_as_is if known else as_is_only
    least = max((dots for dots, _ in expanded_first), default=None)
    most = min((dots for dots, k in as_is_first), default=None)
    ndots_min = least + 1 if least is not None else (0 if as_is_first else None)
    if ndots_min is not None and ndots_min > 15:
        ndots_min = None
    ndots_max = most if known and most is not None and most >= (ndots_min or 0) else None
    if least is not None:
        deepest = [k for dots, k in expanded_first if dots == least]
        evidence.append(
            f"ndots at least {ndots_min}: a name with {least} dots was expanded first ({refer(deepest)})"
        )
    if ndots_max is not None:
        shortest = [k for dots, k in as_is_first if dots == most]
        evidence.append(
            f"ndots at most {most}: a name with {most} dots was asked as it is first ({refer(shortest)})"
        )
    return search, (ndots_min, ndots_max)


def _list(
    lists: list[tuple[list[str], Kept]],
    partial: list[list[str]],
    never: list[Kept],
    plain: list[Kept],
    evidence: list[str],
) -> list[str] | None:
    # A lookup that went through the list again (from UDP to TCP, say) shows each suffix twice.
    lists = [(list(dict.fromkeys(suffixes)), kept) for suffixes, kept in lists]
    partial = [list(dict.fromkeys(suffixes)) for suffixes in partial]
    if lists:
        suffixes, source = max(lists, key=lambda item: len(item[0]))
        # A longer walk that stopped early shows that the list goes on.
        if all(len(other) <= len(suffixes) for other in partial):
            evidence.append(f"search: every suffix was tried in lookup {source.number}")
            return suffixes
        return None
    if never and not partial and (len(never) > 1 or _dots(never[0].row["name"])):
        evidence.append(f"search empty: names that do not exist were not expanded ({refer(never)})")
        return []
    if len(plain) >= ENOUGH_PLAIN:
        evidence.append(f"search empty as far as seen: no name was ever expanded ({refer(plain)})")
        return []
    return None


def _look_expanded(names: list[str]) -> bool:
    """Whether a name looks like one with a suffix added: ``www.example.com.corp.test`` beside ``mail.example.com``.

    Where the first suffix of a search list answers every time, no walk over the list is ever seen.
    """
    labels = [name.rstrip(".").split(".") for name in names]
    ends = {tuple(parts[-2:]) for parts in labels if len(parts) > 2}
    return any(
        tuple(parts[at : at + 2]) in ends and tuple(parts[-2:]) != tuple(parts[at : at + 2])
        for parts in labels
        for at in range(1, len(parts) - 2)
    )


def _meet_a_wildcard(plain: list[Kept]) -> bool:
    """Whether names of different depth under one suffix have one address: ``www.a.test.corp.test``, ``db.corp.test``.

    A wildcard answers whatever the first suffix of a search list makes of a name, so that no walk is ever seen.
    """
    alike: defaultdict[tuple[str, ...], list[tuple[list[str], Kept]]] = defaultdict(list)
    for k in plain:
        labels = k.row["name"].rstrip(".").split(".")[::-1]
        if len(labels) > 2:
            alike[tuple(labels[:2])].append((labels, k))
    for found in alike.values():
        holders: defaultdict[tuple[str, ...], list[list[str]]] = defaultdict(list)
        if len({len(labels) for labels, _ in found}) > 1:
            for labels, k in found:
                holders[tuple(sorted(k.row["answers"] or ()))].append(labels)
            holders.pop((), None)
        for names in holders.values():
            for one, other in itertools.combinations(names, 2):
                if len(one) != len(other) and any(a != b for a, b in zip(one, other, strict=False)):
                    return True
    return False


def _all_absent(k: Kept, name: str) -> bool:
    """Whether every expansion was denied: an error or a timeout may end the walk early."""
    stem = name.rstrip(".") + "."
    return all(
        row["outcome"] in ("nxdomain", "nodata", "truncated", "duplicate")
        for row in k.exchanges
        if row["qname"] and row["qname"] != stem and row["qname"].startswith(stem)
    )


def is_reverse(name: str) -> bool:
    """Whether a name stands for an address (RFC 1035 section 3.5, RFC 3596 section 2.5)."""
    return name.lower().endswith((".in-addr.arpa.", ".ip6.arpa."))


def _addresses(k: Kept) -> bool:
    return any(qtype in ("A", "AAAA") for qtype in k.row["qtypes"] or ())


# ---------------------------------------------------------------- options


def _single_request(family: str | None, seen: list[Kept], evidence: list[str]) -> bool | None:
    if family != "glibc":
        return None
    serial: list[Kept] = []
    parallel: list[Kept] = []
    for k in seen:
        verdict = _asked_in_turn(k)
        if k.row["retransmissions"] or k.row["failovers"]:
            # What was asked before the trouble counts; after it glibc asks in turn, and goes on so in later lookups.
            if verdict is False and _begins_with_a_pair(k):
                parallel.append(k)
        elif verdict is not None:
            (serial if verdict else parallel).append(k)
    if parallel:
        return False
    if serial:
        evidence.append(
            f"single-request: the second family was asked after the first was answered ({refer(serial)})"
        )
        return True
    return None


def _asked_in_turn(k: Kept) -> bool | None:
    """Whether A and AAAA of the first name went out one after the other; None where only one was asked."""
    name = k.exchanges[0]["qname"]
    first = {}
    for row in k.exchanges:
        if row["qname"] == name and row["qtype"] in ("A", "AAAA") and row["qtype"] not in first:
            first[row["qtype"]] = row
    if len(first) < 2:
        return None
    one, two = sorted(first.values(), key=lambda row: row["time"])
    answered = one["time"] + one["latency"] if one["latency"] is not None else None
    return answered is not None and two["time"] >= answered


def _begins_with_a_pair(k: Kept) -> bool:
    one, two = k.exchanges[:2]
    return bool(one["qtype"] != two["qtype"] and two["time"] - one["time"] < SOON)


def _use_vc(seen: list[Kept], evidence: list[str]) -> bool | None:
    if not seen:
        return None
    over_tcp = [
        k for k in seen if k.exchanges[0]["transport"] == "tcp" and k.exchanges[0]["role"] != "tcp-fallback"
    ]
    if len(over_tcp) == len(seen):
        evidence.append(f"use-vc: no question went over UDP first ({refer(over_tcp)})")
        return True
    return False if not over_tcp else None


def _edns(seen: list[Kept]) -> bool | None:
    marks = [row["edns"] for k in seen for row in k.exchanges if row.get("edns") is not None]
    if not marks:
        return None
    # A stub that falls back leaves EDNS away after trouble: what it begins with counts.
    return bool(marks[0])
