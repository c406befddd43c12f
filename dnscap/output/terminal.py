"""The table for people: fitted to the terminal, readable units, nothing that could steer the terminal."""

from __future__ import annotations

import contextlib
import os
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa

from dnscap.output.cells import clock, day, duration, full_time, number, safe, shortened, ticks_of, width_of
from dnscap.output.writers import Writer

_GAP = "  "
_NARROWEST = 14
"""Columns a text may be shortened to before whole table columns are left out."""
_CLOCK_WIDTH = len("22:13:20.000001")
_DEFAULT_ROWS = 1000
_DEFAULT_WIDTH = 80


@dataclass(slots=True)
class _Column:
    """How one column is shown."""

    place: int
    """In the batch."""
    name: str
    right: bool
    """Aligned to the right."""
    text: bool
    """Made shorter where there is no room; everything else is shown whole or not at all."""
    time: bool
    width: int = 0


class TableWriter(Writer):
    """A table fitted to the terminal, or to 80 columns (``COLUMNS``) where there is none.

    Widths are decided from the first rows that come.  Times are UTC: in full where there is room,
    otherwise as time of day with a line wherever the date changes.  Texts are shortened in the
    middle; where even that does not suffice, the last columns are left out and named at the end.
    """

    default_limit = _DEFAULT_ROWS

    def __init__(self, stream: BinaryIO, schema: pa.Schema, limit: int | None = None) -> None:
        super().__init__(stream, schema, limit)
        terminal = stream.isatty()
        self._columns = [_column(place, field) for place, field in enumerate(schema)]
        self._width = _room(stream, terminal)
        self._bold = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
        self._left_out: list[str] = []
        self._clock_at: int | None = None
        self._day: str | None = None
        self._begun = False

    def _write_rows(self, batch: pa.RecordBatch) -> None:
        lines: list[str] = []
        if not self._begun:
            self._begun = True
            self._fit(batch)
            lines.append(self._header())
        cells = [_cells(batch.column(column.place)) for column in self._columns]
        days: Sequence[str | None] = ()
        if self._clock_at is not None:
            ticks = _ticks(batch.column(self._columns[self._clock_at].place))
            days = [None if t is None else day(t) for t in ticks]
            cells[self._clock_at] = ["-" if t is None else clock(t) for t in ticks]
        for i, row in enumerate(zip(*cells, strict=True)):
            if days and days[i] is not None and days[i] != self._day:
                self._day = days[i]
                lines.append(f"{self._day} UTC")
            lines.append(self._line(row))
        self._write_lines(lines)

    def _finish(self, complete: bool) -> None:
        lines: list[str] = []
        if not self._begun:
            self._fit(None)
            lines.append(self._header())
            if not self.rows_left:
                lines.append("(no rows)")
        if not complete:
            lines.append("… more rows (--limit)")
        elif self.rows_left:
            lines.append(f"… {self.rows_left:,} more {'row' if self.rows_left == 1 else 'rows'} (--limit)")
        if self._left_out:
            noun = "column" if len(self._left_out) == 1 else "columns"
            note = f"… {len(self._left_out)} more {noun} (--columns): {', '.join(self._left_out)}"
            lines += textwrap.wrap(note, max(self._width, 20), subsequent_indent="  ", break_on_hyphens=False)
        self._write_lines(lines)

    def _write_lines(self, lines: list[str]) -> None:
        if lines:
            self._stream.write(("\n".join(lines) + "\n").encode("utf-8", "replace"))
            self._stream.flush()

    def _fit(self, batch: pa.RecordBatch | None) -> None:
        """Decide which columns are shown and how wide each is."""
        for column in self._columns:
            cells = _cells(batch.column(column.place)) if batch is not None else []
            column.width = max([width_of(column.name), *map(width_of, cells)])
        times = [i for i, column in enumerate(self._columns) if column.time]
        if times and _total(self._columns) > self._width:
            self._clock_at = times[0]
            column = self._columns[times[0]]
            column.width = max(width_of(column.name), _CLOCK_WIDTH)
        while len(self._columns) > 1 and _least(self._columns) > self._width:
            self._left_out.insert(0, self._columns.pop().name)
        if self._clock_at is not None and self._clock_at >= len(self._columns):
            self._clock_at = None
        _shrink(self._columns, self._width)

    def _header(self) -> str:
        header = self._line([column.name for column in self._columns])
        return f"\x1b[1m{header}\x1b[0m" if self._bold else header

    def _line(self, cells: Sequence[str]) -> str:
        parts = []
        for column, cell in zip(self._columns, cells, strict=True):
            width = width_of(cell)
            if width > column.width and column.text:
                cell = shortened(cell, column.width)
                width = width_of(cell)
            fill = " " * (column.width - width)
            parts.append(fill + cell if column.right else cell + fill)
        return _GAP.join(parts).rstrip()


def _room(stream: BinaryIO, terminal: bool) -> int:
    """Return how many columns a line may take."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) > 0:
        return int(columns)
    if terminal:
        with contextlib.suppress(OSError):
            return os.get_terminal_size(stream.fileno()).columns or _DEFAULT_WIDTH
    # the width of whatever terminal is near must not change what goes into a file
    return _DEFAULT_WIDTH


def _total(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + len(_GAP) * (len(columns) - 1)


def _least(columns: Sequence[_Column]) -> int:
    """Return the width of the columns with every text as short as it may get."""
    widths = [min(c.width, max(_NARROWEST, width_of(c.name))) if c.text else c.width for c in columns]
    return sum(widths) + len(_GAP) * (len(columns) - 1)


def _shrink(columns: Sequence[_Column], room: int) -> None:
    """Make the widest texts shorter, all to one width, until the line fits."""
    excess = _total(columns) - room
    while excess > 0:
        floor = {id(c): max(_NARROWEST, width_of(c.name)) for c in columns}
        texts = [c for c in columns if c.text and c.width > floor[id(c)]]
        if not texts:
            return
        widest = max(c.width for c in texts)
        longest = [c for c in texts if c.width == widest]
        below = max([c.width for c in texts if c.width < widest] + [floor[id(c)] for c in longest])
        step = min(widest - below, max(1, excess // len(longest)))
        for column in longest:
            taken = min(step, excess)
            column.width -= taken
            excess -= taken


def _column(place: int, field: pa.Field) -> _Column:
    kind = field.type
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    numeric = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    time = types.is_timestamp(kind)
    whole = numeric or time or types.is_duration(kind) or types.is_boolean(kind) or types.is_null(kind)
    return _Column(
        place,
        safe(field.name),
        right=numeric or types.is_duration(kind),
        text=not whole,
        time=time,
    )


def _cells(column: pa.Array) -> list[str]:
    """Return what stands in each row, times in full."""
    kind = column.type
    types = pa.types
    if types.is_dictionary(kind):
        if len(column.dictionary) > len(column):
            return _cells(column.dictionary_decode())
        words = _cells(column.dictionary)
        return ["-" if code is None else words[code] for code in column.indices.to_pylist()]
    if types.is_timestamp(kind):
        return ["-" if t is None else full_time(t) for t in _ticks(column)]
    if types.is_duration(kind):
        return ["-" if t is None else duration(t) for t in _ticks(column)]
    show: Callable[[Any], str]
    if types.is_boolean(kind):
        show = _truth
    elif types.is_integer(kind):
        show = str
    elif types.is_floating(kind):
        show = number
    elif types.is_list(kind) or types.is_large_list(kind):
        show = _joined
    else:
        return ["-" if value is None else safe(str(value)) for value in _values(column)]
    return ["-" if value is None else show(value) for value in _values(column)]


def _values(column: pa.Array) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        octets = column.cast(pa.large_binary()).to_pylist()
        values = [None if value is None else value.decode(errors="replace") for value in octets]
    return values


def _ticks(column: pa.Array) -> list[int | None]:
    """Return times or durations in nanoseconds."""
    scale = ticks_of(column.type.unit)
    return [None if t is None else t * scale for t in column.cast(pa.int64()).to_pylist()]


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _joined(values: Sequence[Any]) -> str:
    return safe(" ".join("-" if value is None else str(value) for value in values))
