"""When names were asked for and where each answer came from, in captures small enough to keep all of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

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

    def feed(self, verdicts: Verdicts) -> None:
        """Keep some resolutions."""
        if not self._has_room(len(verdicts)):
            return
        rows = plain_rows(verdicts.rows(np.arange(len(verdicts)), _COLUMNS))
        for row, seen in zip(rows, verdicts.seen.tolist(), strict=True):
            answered = None if row["latency"] is None else row["time"] + row["latency"]
            key = row["qname"], row["qtype"], row["resolver"]
            self._of[key].append(Moment(row["time"], answered, row["cache"], not seen, row["ttl"]))

    def feed_native(self, batch: ResolutionBatch) -> None:
        """As `feed`, of a native batch."""
        if not self.whole:
            return
        if self._count + batch.count > MOST_MOMENTS:
            self._has_room(batch.count)
        else:
            self.feed(Verdicts.of(batch))

    def _has_room(self, more: int) -> bool:
        """Whether so many more are kept; once they would be too many, none is."""
        self._count += more
        if self.whole and self._count > MOST_MOMENTS:
            self.whole = False
            self._of.clear()
        return self.whole and more > 0

    def of(self, name: str, rtype: str) -> dict[str, list[Moment]]:
        """By resolver, in order of time."""
        return {key[2]: found for key, found in self._of.items() if key[:2] == (name, rtype)}

    def questions(self) -> dict[tuple[str, str], list[Moment]]:
        """By name and type, whichever resolver was asked."""
        found: defaultdict[tuple[str, str], list[Moment]] = defaultdict(list)
        for (name, rtype, _), moments in self._of.items():
            found[name, rtype] += moments
        return dict(found)
