"""Views: answers that depend on which server is asked, or on who asks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from dnscap.findings.name_rule import MOST_GROUPS, NameRule, brief
from dnscap.findings.rule import Facts, Finding, plural
from dnscap.names import NameRows
from dnscap.names.seen import ANSWER, NXDOMAIN, Value

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
        found: dict[tuple[str, str], list[tuple[str, str, list[int]]]] = {}
        chosen = (seen.section == ANSWER) & (seen.rows["asked"] + seen.rows["negatives"] > 0)
        for count, rows in enumerate(seen.groups(chosen, differing=True)):
            if count >= MOST_GROUPS:
                break
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

    def _views(self, seen: NameRows, rows: list[int]) -> Iterator[tuple[tuple[str, str], str, list[int]]]:
        address = seen.type[rows[0]] in (A, AAAA)
        values = seen.rows
        holding = [
            row
            for row in rows
            if values["answers"][row] and not values["negatives"][row] and values["version_count"][row] == 1
        ]
        lacking = [
            row
            for row in rows
            if values["negatives"][row] and not values["answers"][row] and values["flags"][row] & NXDOMAIN
        ]
        for row in holding[:1]:
            for other in lacking[:1]:
                # They overlap, or one came before the other within the time that the answer lives.
                if values["first_negative"][other] > values["expires"][row] or (
                    values["last_negative"][other] < values["first"][row]
                ):
                    continue
                frames = [seen.history(row)[0].first_frame, int(values["negative_frame"][other])]
                pair = seen.server_of(row), seen.server_of(other)
                yield pair, "exists only at the first", frames
        if not address:
            return
        inside = [row for row in holding if _reach(seen, row) == "inside"]
        outside = [row for row in holding if _reach(seen, row) == "outside"]
        for row in inside[:1]:
            for other in outside[:1]:
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

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding a server."""
        found: dict[str, list[tuple[str, list[Value]]]] = {}
        chosen = (
            (seen.section == ANSWER) & (seen.rows["version_count"] > 1) & (seen.rows["version_count"] <= 4)
        )
        chosen &= seen.rows["answers"] >= 2 * LEAST_ANSWERS
        for row in chosen.nonzero()[0][:MOST_GROUPS].tolist():
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


def _reach(seen: NameRows, row: int) -> str | None:
    """Whether addresses of a row all lie inside (private) or all outside (public)."""
    kinds = set()
    for value in seen.history(row):
        for text in value.rdata:
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                return None
            kinds.add("outside" if address.is_global else "inside" if address.is_private else "")
    return kinds.pop() if len(kinds) == 1 else None


RULES = (SplitHorizon(), AnswerByClient())
