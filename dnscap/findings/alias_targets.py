"""Aliases into other zones that cannot be resolved, though the alias itself can."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from dnscap.arrays import array_of
from dnscap.clients import Kept
from dnscap.findings.costs import Cost
from dnscap.findings.rule import Facts, Finding, Rule, plural, seconds
from dnscap.names import NameRows
from dnscap.names.seen import ANSWER

CNAME = 5

MOST_LINKS = 8
"""Aliases followed: resolvers give up after some 16."""

MOST_LOOKUPS = 500
"""Failed lookups looked at: what is wrong with a target shows in a few."""

FAILING = ("servfail", "refused", "no-answer")
"""Causes of lookups that failed."""

FAR_SIDE = (
    "dead-authoritative",
    "lame-delegation",
    "upstream-servfail",
    "upstream-refused",
    "upstream-tcp-blocked",
    "upstream-edns-dropped",
    "dnssec-bogus",
)
"""Causes that say what a zone's servers did."""


def target_of(seen: NameRows, name: str, start: int, end: int) -> tuple[str, list[int]]:
    """Where the aliases of a name lead that held from `start` to `end`, and the frames that say so."""
    frames: list[int] = []
    passed = {name}
    aliases: dict[str, list[int]] = seen.remembered("aliases", _aliases)
    for _ in range(MOST_LINKS):
        values = [
            value
            for row in aliases.get(name, ())
            for value in seen.history(row)
            if value.first <= end and value.expires >= start and len(value.rdata) == 1
        ]
        if not values:
            break
        last = max(values, key=lambda value: value.last)
        name = last.rdata[0]
        if name in passed:
            break
        passed.add(name)
        frames.append(last.last_frame)
    return name, frames


def _aliases(seen: NameRows) -> dict[str, list[int]]:
    """Rows of aliases by name."""
    found: dict[str, list[int]] = {}
    chosen = (seen.type == CNAME) & (seen.section == ANSWER) & (seen.rows["answers"] > 0)
    rows = chosen.nonzero()[0]
    names = seen.names.take(array_of(seen.name[rows].astype(np.int64))).to_pylist()
    for name, row in zip(names, rows.tolist(), strict=True):
        found.setdefault(name, []).append(row)
    return found


def failures_of(seen: NameRows, name: str, start: int, end: int) -> tuple[bool, list[int]]:
    """Whether a name had an answer from `start` to `end`, and the frames of errors that it had."""
    code = seen.code_of(name)
    if code is None:
        return False, []
    answered = False
    frames: list[int] = []
    for row in seen.by_question[0][_span(seen, code)].tolist():
        if seen.section[row] != ANSWER:
            continue
        # Whether it is there or not: either is an answer.
        values = seen.rows
        answered |= bool(
            values["answers"][row] and values["first"][row] <= end and values["expires"][row] >= start
        )
        answered |= bool(
            values["negatives"][row]
            and values["first_negative"][row] <= end
            and values["negative_until"][row] >= start
        )
        if values["servfails"][row] or values["refused"][row]:
            frames.append(seen.failed_frame(row))
    return answered, frames


def _span(seen: NameRows, code: int) -> slice:
    questions = seen.by_question[1]
    low = np.searchsorted(questions, np.uint64(code << 16))
    high = np.searchsorted(questions, np.uint64((code + 1) << 16))
    return slice(int(low), int(high))


def domain_of(name: str) -> str:
    """The last two labels of a name: two names that differ there are most likely in two hands."""
    return ".".join(name.rstrip(".").split(".")[-2:])


class CnameTargetFails(Rule):
    """An alias is fine, but the zone that it leads to fails."""

    id = "cname-target-fails"
    rests_on = "content"
    certainty = 0.75
    explanation = (
        "The zone of the name answered with an alias into another zone, and that one could not be resolved: its "
        "servers are silent, refuse or fail. Clients see a failure of the name that they asked for, whose own "
        "servers are fine."
    )
    remedy = (
        "Take it up with who serves the target (a content network, a mail or shop provider), or point the alias "
        "elsewhere."
    )
    disproved_by = "An answer for the target in the same seconds, from its zone's own servers."

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give one finding a target."""
        seen = facts.seen
        if seen is None or not seen.count:
            return
        groups: defaultdict[str, list[tuple[Kept, list[int], str]]] = defaultdict(list)
        aliases: dict[str, list[int]] = seen.remembered("aliases", _aliases)
        failing = facts.with_causes((*FAILING, *FAR_SIDE))[:MOST_LOOKUPS] if aliases else []
        names = {name for kept in failing for name in (kept.row["final_name"], kept.row["name"])}
        seen.expect(row for name in names for row in aliases.get(name, ()))
        for kept in failing:
            row = kept.row
            if row["outcome"] not in ("servfail", "timeout", "refused", "unreachable"):
                continue
            start, end = row["time"], row["time"] + (row["duration"] or 0)
            for name in dict.fromkeys((row["final_name"], row["name"])):
                target, frames = target_of(seen, name, start, end) if name else ("", [])
                if not frames or domain_of(target) == domain_of(name):
                    continue
                answered, failed = failures_of(seen, target, start, end)
                if answered or not (failed or set(row["causes"] or ()) & {*FAR_SIDE}):
                    continue
                groups[target].append((kept, frames + failed, name))
                break
        for target, cases in sorted(groups.items(), key=lambda item: -len(item[1])):
            waited = sum((kept.row["duration"] or 0) - (kept.row["t_gap"] or 0) for kept, _, _ in cases) / 1e9
            cost = Cost(len(cases), len(cases), waited, sum(kept.row["queries"] or 0 for kept, _, _ in cases))
            finding = self.finding(
                facts,
                target,
                cost,
                [kept for kept, _, _ in cases],
                causes=[],
                confidence=self.confidence(cost, facts),
                severity=self.severity(cost, facts),
                counterfactual=(
                    f"Had the target's zone answered, {plural(cost.lookups, 'lookup')} would not have failed after "
                    f"{seconds(waited)} in all."
                ),
            )
            told = list(dict.fromkeys(name for _, _, name in cases))
            finding.title = (
                f"{told[0]} is an alias of {target}, whose zone fails: {plural(cost.lookups, 'lookup')} failed"
                + (f" (and {len(told) - 1} more names)" if len(told) > 1 else "")
            )
            frames = [frame for _, frames, _ in cases[:4] for frame in frames]
            finding.evidence = list(dict.fromkeys([*finding.evidence, *facts.origins.all_told(frames, 6)]))
            yield finding

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"An alias leads to {subject}, whose zone fails"


RULES = (CnameTargetFails(),)
