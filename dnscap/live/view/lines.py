"""Styled lines on a Textual screen: nothing in them is read as markup."""

from __future__ import annotations

from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from dnscap.explain.styled import Line
from dnscap.output.cells import safe

BACKGROUND = "#11161c"
TEXT = "#d5dbe3"

STYLES = {
    "": Style(),
    "bold": Style(bold=True),
    "dim": Style(color="#8793a1"),
    "good": Style(color="#63c98a"),
    "negative": Style(color="#e0b64e"),
    "bad": Style(color="#ff7b72"),
    "lost": Style(color="#cf9bff"),
    "axis": Style(color="#5cc3d6"),
    "head": Style(color="#9fc9f5", bold=True),
    "rule": Style(color="#3d4a58"),
    "title": Style(color="#0b0f13", bgcolor="#5cc3d6", bold=True),
    "alarm": Style(color="#ffffff", bgcolor="#b3261e", bold=True),
    "mark": Style(color="#5cc3d6", bold=True),
    "key": Style(color="#5cc3d6", bold=True),
}
"""Looks of the styles; what a colour says is said by a sign or a word too."""

BASE = Style(color=TEXT, bgcolor=BACKGROUND)
CURSOR = Style(bgcolor="#29405a")
_LOOKS = {name: BASE + style for name, style in STYLES.items()}
_CHOSEN = {name: look + CURSOR for name, look in _LOOKS.items()}

Draw = Callable[[int, int], list[Line]]


def strip_of(line: Line, width: int, *, cursor: bool = False) -> Strip:
    """A line of a widget: controls escaped, cut to the width, filled up."""
    looks = _CHOSEN if cursor else _LOOKS
    segments = [Segment(safe(text), looks.get(style, looks[""])) for text, style in line if text]
    return Strip(segments).adjust_cell_length(width, looks[""])


class Lines(Widget):
    """Shows what a function draws for the room that there is.

    Parameters
    ----------
    draw : callable
        Given width and height, gives the lines.
    """

    def __init__(self, draw: Draw, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._draw = draw
        self._lines: list[Line] = []
        self._drawn_for = (0, 0)

    def update(self) -> None:
        """Draw anew, if anything changed."""
        width, height = self.size
        lines = self._draw(width, height) if width and height else []
        if lines != self._lines or self._drawn_for != (width, height):
            self._lines = lines
            self._drawn_for = (width, height)
            self.refresh()

    def on_resize(self) -> None:
        """There is more or less room."""
        self.update()

    def render_line(self, y: int) -> Strip:
        """One line of it."""
        return strip_of(self._lines[y] if y < len(self._lines) else [], self.size.width)
