"""How findings are made that rest on numbers: on what many exchanges have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from dnscap.findings.habits import Habits
from dnscap.findings.name_rule import Draft, NameRule
from dnscap.findings.rule import Facts, Finding

SECOND = 1_000_000_000


class HabitRule(NameRule):
    """A rule that reads what was counted of clients, servers, made-up names and subnets."""

    rests_on: ClassVar[str] = "habits"

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give findings, if any, the first few one by one."""
        if facts.habits is not None:
            yield from self.first_few(self.look_at(facts, facts.habits))

    def look_at(self, facts: Facts, habits: Habits) -> Iterator[Finding | Draft]:
        """Give every finding."""
        raise NotImplementedError


def rate_of(count: int, first: int, last: int) -> float:
    """How many a second, over the time between the first and the last.

    Examples
    --------
    >>> rate_of(101, 0, 10_000_000_000)
    10.0
    """
    return (count - 1) * SECOND / max(last - first, 1) if count > 1 else 0.0


def share(part: int, whole: int) -> float:
    """A part of a whole that may be nothing.

    Examples
    --------
    >>> share(1, 4), share(1, 0)
    (0.25, 0.0)
    """
    return part / whole if whole else 0.0


Row = dict[str, Any]
