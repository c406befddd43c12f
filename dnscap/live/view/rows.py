"""The table of lookups as lines of text, as wide as there is room."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from dnscap.explain.styled import Line
from dnscap.live.view.following import SETTLED, WAITING, Row
from dnscap.output.cells import clock, duration, safe, shortened, width_of

MARKS = {"ok": ("●", "good"), "nxdomain": ("○", "negative"), "nodata": ("○", "negative")}
LOST = {"timeout": ("?", "lost"), "unfinished": ("?", "lost"), "waiting": ("…", "lost")}
BAD = ("×", "bad")
"""Signs say what colours say, for those who see none; they are those of the waterfall."""


@dataclass(frozen=True)
class Column:
    """A column of the table: its heading, the least it needs, its share of the room that is left."""

    name: str
    least: int
    share: int = 0
    right: bool = False


_NARROW = (
    Column("time", 8),
    Column("name", 18, 3),
    Column("type", 6),
    Column("client", 11, 1),
    Column("took", 7, 0, True),
    Column("outcome and causes", 20, 1),
)
_WIDE = (
    Column("time", 12),
    Column("name", 30, 3),
    Column("type", 10),
    Column("client", 15, 1),
    Column("took", 8, 0, True),
    Column("outcome", 9),
    Column("causes", 20, 2),
    Column("sent", 4, 0, True),
    Column("servers", 15, 1),
)
_SLIM = (
    Column("time", 8),
    Column("name", 10, 3),
    Column("took", 7, 0, True),
    Column("outcome and causes", 14, 1),
)
WIDE_FROM = 130
"""Columns of a terminal from which on outcome, causes and servers each have a column."""
SLIM_BELOW = 70
"""Columns below which types and clients have none, so that a name can be told."""


@cache
def columns_for(width: int) -> list[tuple[Column, int]]:
    """Columns and their widths, one blank between them, for that much room."""
    columns = _WIDE if width >= WIDE_FROM else _NARROW if width >= SLIM_BELOW else _SLIM
    room = width - 4 - sum(column.least for column in columns) - (len(columns) - 1)
    shares = sum(column.share for column in columns)
    widths = [column.least + max(room, 0) * column.share // shares for column in columns]
    spare = max(room, 0) - sum(w - c.least for w, c in zip(widths, columns, strict=True))
    widths[1] += spare
    if room < 0:
        widths[1] = max(widths[1] + room, 4)
    return list(zip(columns, widths, strict=True))


def heading(width: int, key: str, reverse: bool) -> Line:
    """The line above the rows; an arrow stands at what they are sorted by."""
    cells = ["    "]
    arrow = "▴" if reverse else "▾"
    for column, room in columns_for(width):
        text = column.name
        if column.name.split()[0] == key or (column.name == "sent" and key == "queries"):
            text = f"{shortened(text, room - 1)}{arrow}"
        cells.append(_fitted(text, room, column.right) + " ")
    return [("".join(cells).rstrip().ljust(width)[:width], "head")]


def line_of(row: Row, width: int) -> Line:
    """One row, `width` columns wide."""
    sign, style = mark_of(row)
    slow = "!" if row.slow else " "
    parts: Line = [("✓" if row.marked else " ", "mark"), (sign, style), (slow, "bad"), (" ", "")]
    columns = columns_for(width)
    for place, (column, room) in enumerate(columns):
        text, look = _cell(column.name, row, room, style)
        parts.append((_fitted(text, room, column.right, column.name in _OF_ONE_COLUMN), look))
        if place + 1 < len(columns):
            parts.append((" ", ""))
    return parts


def mark_of(row: Row) -> tuple[str, str]:
    """Sign and style of how a lookup ended."""
    return MARKS.get(row.outcome) or LOST.get(row.outcome) or BAD


def _cell(name: str, row: Row, room: int, style: str) -> tuple[str, str]:
    if name == "time":
        return clock(row.time)[:room], "dim"
    if name == "name":
        return shortened(safe(row.name), room), "bold" if row.troubled or row.state == WAITING else ""
    if name == "type":
        return "+".join(row.qtypes) or "?", "dim"
    if name == "client":
        return shortened(safe(row.client), room), ""
    if name == "took":
        return duration(row.took), "bad" if row.slow else ""
    if name == "sent":
        return str(row.queries), "bad" if row.queries > 2 * max(len(row.qtypes), 1) else "dim"
    if name == "servers":
        more = f" +{len(row.servers) - 1}" if len(row.servers) > 1 else ""
        return shortened(safe(row.servers[0]) if row.servers else "", room - len(more)) + more, "dim"
    if name == "causes":
        return ", ".join(row.causes) or _hint(row), style if row.troubled else "dim"
    if name == "outcome":
        return row.outcome, style
    if row.state == WAITING and row.servers:
        text = f"waits for {safe(row.servers[-1])}"
        return text if width_of(text) <= room else text.removeprefix("waits "), style
    causes = ", ".join(row.causes) or _hint(row)
    if row.outcome == "ok" and causes:
        return causes, style if not row.troubled else "bad"
    return f"{row.outcome} {causes}".rstrip(), style


def _hint(row: Row) -> str:
    """What is known of why, before causes are judged."""
    if row.state == WAITING and row.servers:
        return f"for {safe(row.servers[-1])}"
    if row.state == SETTLED and row.queries > 2 * max(len(row.qtypes), 1):
        return f"{row.queries} sent"
    return "slow" if row.slow and not row.failed else ""


_OF_ONE_COLUMN = frozenset(("time", "took", "sent", "outcome"))
"""Columns whose characters are known to be narrow, however far from ASCII."""


def _fitted(text: str, room: int, right: bool, narrow: bool = False) -> str:
    size = len(text) if narrow else width_of(text)
    if size > room:
        text = _cut(text, room)
        size = width_of(text)
    blanks = " " * (room - size)
    return blanks + text if right else text + blanks


def _cut(text: str, room: int) -> str:
    """The beginning of a text, with a sign that there is more."""
    while text and width_of(text) > room - 1:
        text = text[:-1]
    return f"{text}…" if room > 0 else ""
