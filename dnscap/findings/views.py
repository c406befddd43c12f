"""Views: answers that depend on which server is asked, or on who asks."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from dnscap.findings.name_rule import MOST_FINDINGS, MOST_GROUPS, NameRule, brief
from dnscap.findings.rule import Facts, Finding, plural
from dnscap.findings.subnets import subnet_text
from dnscap.messages.around import address_text
from dnscap.names import NameRows
from dnscap.names.rows import Frame, Value
from dnscap.names.seen import ANSWER, NXDOMAIN

Array = np.ndarray[Any, np.dtype[Any]]

A, AAAA = 1, 28

LEAST_ANSWERS = 2
"""Answers before a difference between clients is more than chance."""


class SplitHorizon(NameRule):
    """Servers hold different views of a name."""

    id = "split-horizon"
    certainty = 0.8
    explanation = (
        "One server knows the name from inside, another does not or gives the outside address. Which one a "
        "client asks decides what it gets; a client with both in its list gets by turns what it does not want."
    )
    remedy = (
        "Give clients only servers of one view, or route the inner zones to the inner servers (conditional "
        "forwarding, `resolvectl domain`)."
    )
    disproved_by = "The same answer from both servers at the same time."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a pair of servers."""
        found: dict[tuple[str, str], list[tuple[str, str, list[Frame]]]] = {}
        chosen = (seen.section == ANSWER) & (seen.rows["asked"] + seen.rows["negatives"] > 0)
        at, starts, sizes = seen.grouped(chosen, differing=True)
        holding, lacking = _holding(seen)[at], _lacking(seen)[at]
        for group in range(min(len(starts), MOST_GROUPS)):
            # Told apart here already, so that most names cost nothing more.
            whole = slice(starts[group], starts[group] + sizes[group])
            holders = int(np.count_nonzero(holding[whole]))
            if not holders or (holders < 2 and not lacking[whole].any()):
                continue
            rows = at[whole].tolist()
            for pair, what, frames in self._views(seen, rows):
                found.setdefault(pair, []).append((seen.name_of(rows[0]), what, frames))
        for (one, other), told in sorted(found.items(), key=lambda item: -len(item[1])):
            names = list(dict.fromkeys(name for name, _, _ in told))
            yield self.tell(
                facts,
                other,
                f"{one} and {other} have different views of {plural(len(names), 'name')}: {told[0][0]} "
                f"{told[0][1]}",
                certainty=0.6 + 0.05 * min(len(told), 6),
                frames=[frame for _, _, frames in told[:6] for frame in frames],
                detail=f"Names: {brief(names, 5)}.",
            )

    def _views(self, seen: NameRows, rows: list[int]) -> Iterator[tuple[tuple[str, str], str, list[Frame]]]:
        address = seen.type[rows[0]] in (A, AAAA)
        values = seen.rows
        is_holding, is_lacking = _holding(seen), _lacking(seen)
        holding = [row for row in rows if is_holding[row]]
        lacking = [row for row in rows if is_lacking[row]]
        for row in holding[:1]:
            for other in lacking[:1]:
                # They overlap, or one came before the other within the time that the answer lives.
                if values["first_negative"][other] > values["expires"][row] or (
                    values["last_negative"][other] < values["first"][row]
                ):
                    continue
                frames = [seen.history(row)[0].first_frame, seen.negative_frame(other)]
                pair = seen.server_of(row), seen.server_of(other)
                yield pair, "exists only at the first", frames
        if not address:
            return
        inside = next((row for row in holding if _reach(seen, row) == "inside"), None)
        outside = next((row for row in holding if _reach(seen, row) == "outside"), None)
        for row in () if inside is None else (inside,):
            for other in () if outside is None else (outside,):
                frames = [seen.history(row)[0].first_frame, seen.history(other)[0].first_frame]
                pair = seen.server_of(row), seen.server_of(other)
                yield pair, "is inside at the first, outside at the second", frames


class AnswerByClient(NameRule):
    """One server gives different clients different answers."""

    id = "answer-by-client"
    certainty = 0.7
    explanation = (
        "The server chose its answer by who asked (views, geography, client subnet), or rotated and happened "
        "to give each client another one."
    )
    remedy = "Nothing, where that is meant; otherwise look at views and client networks of the server."
    disproved_by = "The other answer to the same client within the same minutes."

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give findings about clients, then about the subnets that queries tell."""
        yield from super().find(facts)
        by_server: dict[str, list[tuple[str, list[tuple[bytes, int]]]]] = {}
        for server, name, _, values in facts.habits.by_subnet() if facts.habits is not None else ():
            by_server.setdefault(address_text(server), []).append((name, values))
        for address, told in itertools.islice(by_server.items(), MOST_FINDINGS):
            names = list(dict.fromkeys(name for name, _ in told))
            subnets = [subnet_text(option) for option, _ in told[0][1]]
            yield self.tell(
                facts,
                address,
                f"{address} answers by client subnet for {plural(len(names), 'name')}: {names[0]} is another for "
                f"{' than for '.join(subnets[:2])}",
                certainty=0.9,
                frames=[frame for _, values in told[:4] for _, frame in values],
            )

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a server."""
        found: dict[str, list[tuple[str, list[Value]]]] = {}
        chosen = (
            (seen.section == ANSWER) & (seen.rows["version_count"] > 1) & (seen.rows["version_count"] <= 4)
        )
        chosen &= seen.rows["answers"] >= 2 * LEAST_ANSWERS
        # One client of another value, or values that came one after the other: no more need be looked at.
        _, number = seen.successions
        versions = seen.versions
        few = (versions["client_count"][number] <= versions["clients"].shape[1]) & (
            versions["answers"][number] >= LEAST_ANSWERS
        )
        sifted = seen.over_values(few)
        for row in [r for r in chosen.nonzero()[0][:MOST_GROUPS].tolist() if sifted[r]]:
            values = seen.history(row)
            if all(v.answers >= LEAST_ANSWERS for v in values) and _by_client(values):
                found.setdefault(seen.server_of(row), []).append((seen.name_of(row), values))
        for server, told in sorted(found.items(), key=lambda item: -len(item[1])):
            names = list(dict.fromkeys(name for name, _ in told))
            one, other = told[0][1][0], told[0][1][1]
            yield self.tell(
                facts,
                server,
                f"{server} answers by client for {plural(len(names), 'name')}: {names[0]} is "
                f"{brief(one.rdata)} for {brief(one.clients)}, {brief(other.rdata)} for {brief(other.clients)}",
                frames=[v.first_frame for _, values in told[:4] for v in values],
            )


def _by_client(values: list[Value]) -> bool:
    """Whether every client always got one value, and the values were given during the same time."""
    clients = [set(value.clients) for value in values]
    if any(value.more_clients for value in values) or len(set.union(*clients)) != sum(map(len, clients)):
        return False
    return max(value.first for value in values) < min(value.last for value in values)


def _holding(seen: NameRows) -> Array:
    """Rows that have the name, and always had the same value of it."""

    def made(seen: NameRows) -> Array:
        rows = seen.rows
        return np.asarray((rows["answers"] > 0) & (rows["negatives"] == 0) & (rows["version_count"] == 1))

    held: Array = seen.remembered("holding", made)
    return held


def _lacking(seen: NameRows) -> Array:
    """Rows that always denied the name."""

    def made(seen: NameRows) -> Array:
        rows = seen.rows
        return np.asarray((rows["negatives"] > 0) & (rows["answers"] == 0) & seen.has(NXDOMAIN))

    lacked: Array = seen.remembered("lacking", made)
    return lacked


def _reach(seen: NameRows, row: int) -> str | None:
    """Whether addresses of a row all lie inside (private) or all outside (public)."""
    kinds = set()
    for number in seen.version_numbers(row):
        for octets in seen.octets_of(int(seen.versions["rrset"][number])):
            kinds.add(_reach_of(octets))
    return kinds.pop() if len(kinds) == 1 else None


@lru_cache(maxsize=4_096)
def _reach_of(octets: bytes) -> str | None:
    if len(octets) not in (4, 16):
        return None
    address = ipaddress.ip_address(octets)
    return "outside" if address.is_global else "inside" if address.is_private else None


RULES = (SplitHorizon(), AnswerByClient())
