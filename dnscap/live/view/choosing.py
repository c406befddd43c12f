"""Which lookups are shown, and in what order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dnscap.live.view.following import WAITING, Row

KEYS: dict[str, tuple[Callable[[Row], Any], bool]] = {
    "time": (lambda row: row.time, True),
    "took": (lambda row: row.took, True),
    "name": (lambda row: (row.name.split(".")[::-1], row.name), False),
    "client": (lambda row: row.client, False),
    "outcome": (lambda row: row.outcome, False),
    "queries": (lambda row: row.queries, True),
}
"""What can be sorted by, and whether the greatest comes first."""


@dataclass(frozen=True)
class Choice:
    """What the user wants to see.

    Attributes
    ----------
    text : str
        Words that each have to be in a row; one after ``!`` must not be. ``slow``, ``failed`` and ``waiting`` stand
        for what they say.
    troubled : bool
        Only lookups that are slow, failed or wait.
    key : str
        One of `KEYS`.
    reverse : bool
        The other way round.
    """

    text: str = ""
    troubled: bool = False
    key: str = "time"
    reverse: bool = False

    def rows(self, rows: Iterable[Row]) -> list[Row]:
        """Chosen rows in order."""
        words = self.text.lower().split()
        chosen = [
            row
            for row in rows
            if (not self.troubled or row.troubled or row.state == WAITING)
            and all(_has(row, word) for word in words)
        ]
        chosen.sort(key=lambda row: row.number, reverse=True)
        key, descending = KEYS[self.key]
        if self.key != "time" or self.reverse:
            chosen.sort(key=key, reverse=descending != self.reverse)
        return chosen

    @property
    def next_key(self) -> str:
        """What comes after the present key."""
        keys = list(KEYS)
        return keys[(keys.index(self.key) + 1) % len(keys)]

    def words(self) -> str:
        """The choice, told in a few words."""
        told = []
        if self.troubled:
            told.append("slow, failed, waiting")
        if self.text.split():
            told.append(f"with {' '.join(self.text.split())}")
        if self.key != "time" or self.reverse:
            told.append(f"by {self.key}{', reversed' if self.reverse else ''}")
        return "; ".join(told)


def _has(row: Row, word: str) -> bool:
    if word.startswith("!") and len(word) > 1:
        return not _has(row, word[1:])
    if word == "slow":
        return row.slow
    if word == "failed":
        return row.failed
    if word == "waiting":
        return row.state == WAITING
    return any(
        word in text.lower()
        for text in (row.name, row.client, row.outcome, *row.servers, *row.causes, *row.qtypes)
    )
