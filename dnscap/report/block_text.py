"""Blocks of a report as lines of text: rows as sentences, so that they suit any width."""

from __future__ import annotations

from dnscap.explain.styled import Line, wrapped
from dnscap.output.cells import duration, safe
from dnscap.report.block_forms import Block, Cell, Grid, NameCourse
from dnscap.report.block_words import (
    cell_text,
    hop_outcome,
    hop_place,
    lane_words,
    letter,
    value_words,
    walk_words,
)
from dnscap.resolutions.walk import Walk

MOST_ROWS = 5
MOST_WALKS = 2
MOST_HOPS = 6
MOST_NAMES = 3
"""What a terminal is given of each; the page and the JSON form have all of it."""


def block_lines(block: Block, width: int) -> list[Line]:
    """A block: its sentences, then the first rows of its tables."""
    lines: list[Line] = [[(block.title, "bold")], *wrapped(block.text, width)]
    for grid in block.tables:
        lines += [] if grid.found else _grid(grid, width)
    if block.walks:
        lines += wrapped("The slowest answers that waited for something upstream", width, "  ", "dim")
    for walk in block.walks[:MOST_WALKS]:
        lines += _walk(walk, width)
    if block.names:
        lines += wrapped("Over time", width, "  ", "dim")
    for course in block.names[:MOST_NAMES]:
        lines += _course(course, width)
    return lines


def _grid(grid: Grid, width: int) -> list[Line]:
    lines = wrapped(grid.title, width, "  ", "dim")
    for row in grid.rows[:MOST_ROWS]:
        told = [
            _said(head, cell)
            for head, cell in zip(grid.columns[1:], row[1:], strict=True)
            if cell is not None
        ]
        said = cell_text(row[1]) if len(row) == 2 else "; ".join(told)
        lines += _hung(f"{cell_text(row[0])}: {said}", width)
    if len(grid.rows) > MOST_ROWS:
        lines.append([(f"    … {len(grid.rows) - MOST_ROWS} more", "dim")])
    return lines


def _said(head: str, cell: Cell) -> str:
    """A cell with its heading, and its unit behind it: ``median, ms`` of 3 is ``median 3 ms``."""
    what, _, unit = head.rpartition(", ")
    return f"{what} {cell_text(cell)} {unit}" if what and len(unit) <= 2 else f"{head} {cell_text(cell)}"


def _walk(walk: Walk, width: int) -> list[Line]:
    row = walk.resolution
    lines = _hung(
        f"{duration(row['latency'])} {safe(row['qname'])} {row['qtype']}: {walk_words(walk)}", width
    )
    ranked = sorted(walk.hops, key=lambda hop: -hop.charged)[:MOST_HOPS]
    for hop in sorted(ranked, key=lambda hop: hop.offset):
        text = (
            f"{hop_place(hop)} {hop.server} {hop.qname} {hop.qtype}: {hop_outcome(hop)}, "
            f"{duration(hop.charged)} of the wait"
        )
        lines += wrapped(text, width, "      ", "dim")
    return lines


def _course(course: NameCourse, width: int) -> list[Line]:
    lines = _hung(f"{safe(course.name)} {course.type} over {duration(course.end - course.start)}", width)
    for place, values in enumerate(course.values):
        lines += wrapped(f"{letter(place)} is {value_words(values)}", width, "      ")
    for lane in course.lanes:
        lines += _hung(f"{lane.server} ({lane.role}): {lane_words(course, lane)}", width, "      ", "dim")
    return lines


def _hung(text: str, width: int, indent: str = "    ", style: str = "") -> list[Line]:
    """A text whose second and further lines stand two columns further in."""
    first, *rest = wrapped(text, width - len(indent), style=style)
    again = " ".join(line[0][0] for line in rest)
    return [[(indent, ""), *first], *(wrapped(again, width, indent + "  ", style) if again else [])]
