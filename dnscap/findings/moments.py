"""When names were asked for and where each answer came from, in captures small enough to keep all of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dnscap.clients.kept_rows import plain_rows
from dnscap.resolutions.arrow import Verdicts

if TYPE_CHECKING:
    from dnscap.native.resolution_columns import ResolutionBatch

MOST_MOMENTS = 10_000
"""Resolutions kept; where there are more, none is: a part of them would look like the whole."""

_COLUMNS = ["time", "latency", "resolver", "qname", "qtype", "rcode", "cache", "ttl"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A question of a client and its answer.

    Attributes
    ----------
    time, answered : int
        Nanoseconds since 1970; of the answer None where none came.
    cache : str
        Where it came from, as in the resolutions table.
    inferred : bool
        The resolver's upstream side is not in the capture.
    ttl : int or None
        Seconds that the answer may be kept.
    """

    time: int
    answered: int | None
    cache: str
    inferred: bool
    ttl: int | None


class Moments:
    """Keeps the resolutions of a small capture by name, type and resolver.

    Attributes
    ----------
    whole : bool
        There were no more than are kept.
    """

    def __init__(self) -> None:
        self.whole = True
        self._count = 0
        self._of: defaultdict[tuple[str, str, str], list[Moment]] = defaultdict(list)
        self._held: list[tuple[Any, Callable[[], Verdicts]]] = []

    def feed(self, verdicts: Verdicts) -> None:
        """Keep some resolutions."""
        self._hold(len(verdicts), verdicts.native.dictionary, lambda: verdicts)

    def feed_native(self, batch: ResolutionBatch) -> None:
        """As `feed`, of a native batch."""
        self._hold(batch.count, batch.dictionary, lambda: Verdicts.of(batch))

    def _hold(self, count: int, dictionary: Any, verdicts: Callable[[], Verdicts]) -> None:
        """Keep so many more as they come, unless there are too many; most captures have more in the end."""
        self._count += count
        if self._count > MOST_MOMENTS:
            self.whole = False
            self._of.clear()
            self._held.clear()
        elif count:
            if self._held and self._held[-1][0] is not dictionary:
                self._settle()  # or else every dictionary that a long capture fills would stay
            self._held.append((dictionary, verdicts))

    def _settle(self) -> None:
        """Spell out what is held."""
        for _, held in self._held:
            verdicts = held()
            rows = plain_rows(verdicts.rows(np.arange(len(verdicts)), _COLUMNS))
            for row, seen in zip(rows, verdicts.seen.tolist(), strict=True):
                answered = None if row["latency"] is None else row["time"] + row["latency"]
                key = row["qname"], row["qtype"], row["resolver"]
                self._of[key].append(Moment(row["time"], answered, row["cache"], not seen, row["ttl"]))
        self._held.clear()

    def of(self, name: str, rtype: str) -> dict[str, list[Moment]]:
        """By resolver, in order of time."""
        self._settle()
        return {key[2]: found for key, found in self._of.items() if key[:2] == (name, rtype)}

    def questions(self) -> dict[tuple[str, str], list[Moment]]:
        """By name and type, whichever resolver was asked."""
        self._settle()
        found: defaultdict[tuple[str, str], list[Moment]] = defaultdict(list)
        for (name, rtype, _), moments in self._of.items():
            found[name, rtype] += moments
        return dict(found)
