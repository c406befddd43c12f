"""The last minutes, second by second: how many queries, how long lookups took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

SECONDS = 300
"""Seconds remembered: more than any terminal has columns."""

MOST_WAITS = 128
"""Waits remembered of a second; more would not move its median."""

BARS = "▁▂▃▄▅▆▇█"

_SECOND = 1_000_000_000


class Pulse:
    """Queries, and waits of lookups, by second of capture time."""

    def __init__(self) -> None:
        self._queries: dict[int, int] = {}
        self._waits: dict[int, list[int]] = {}

    def feed_queries(self, times: Array) -> None:
        """Count queries by their times, nanoseconds since the epoch."""
        if not len(times):
            return
        seconds, counts = np.unique(times // _SECOND, return_counts=True)
        for second, count in zip(seconds.tolist(), counts.tolist(), strict=True):
            self._queries[second] = self._queries.get(second, 0) + count
        _shorten(self._queries)

    def feed_wait(self, end: int, wait: int) -> None:
        """Count a lookup that was over at `end` after `wait` nanoseconds."""
        waits = self._waits.setdefault(end // _SECOND, [])
        if len(waits) < MOST_WAITS:
            waits.append(wait)
        _shorten(self._waits)

    def queries(self, now: int, seconds: int) -> list[int]:
        """Queries of each of the last whole seconds, the latest last."""
        last = now // _SECOND
        return [self._queries.get(second, 0) for second in range(last - seconds, last)]

    def waits(self, now: int, seconds: int, share: float) -> list[int | None]:
        """Within how long that share of the lookups of each of the last whole seconds was over; None without any."""
        last = now // _SECOND
        return [quantile(self._waits.get(second, ()), share) for second in range(last - seconds, last)]

    def recent_wait(self, now: int, seconds: int, share: float) -> int | None:
        """The same of all of these seconds together, the present one included."""
        last = now // _SECOND
        found: list[int] = []
        for second in range(last - seconds + 1, last + 1):
            found += self._waits.get(second, ())
        return quantile(found, share)


def _shorten(by_second: dict[int, Any]) -> None:
    if len(by_second) > SECONDS + 20:
        for second in sorted(by_second)[:-SECONDS]:
            del by_second[second]


def quantile(values: Sequence[int], share: float) -> int | None:
    """The value within which that share of the values lies; None without any.

    Examples
    --------
    >>> quantile([4, 1, 3, 2], 0.5), quantile([], 0.5)
    (2, None)
    """
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def sparkline(values: Sequence[float | None], height: int = 1, top: float | None = None) -> list[str]:
    """Bars as rows of text, the topmost first; where there is no value there is none.

    Parameters
    ----------
    values : sequence of float or None
        One a column.
    height : int
        Rows.
    top : float, optional
        The value that fills all rows; that of the greatest unless told.

    Examples
    --------
    >>> sparkline([0, 1, 2, None, 4])
    ['▁▂▄ █']
    >>> sparkline([0, 4, 8], 2)
    ['  █', '▁██']
    """
    top = max((value for value in values if value), default=0) if top is None else top
    rows = []
    for row in range(height - 1, -1, -1):
        cells = []
        for value in values:
            if value is None:
                cells.append(" ")
                continue
            eighths = 0 if not top else round(8 * height * value / top)
            eighths = min(max(eighths - 8 * row, 0), 8)
            if not eighths and row == 0:
                eighths = 1  # a baseline, so that a quiet second is told from one before the beginning
            cells.append(BARS[eighths - 1] if eighths else " ")
        rows.append("".join(cells))
    return rows
