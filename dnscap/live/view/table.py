"""The table of lookups as a widget: only the rows in sight are drawn."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from dnscap.live.view import rows as drawing
from dnscap.live.view.choosing import Choice
from dnscap.live.view.following import Row
from dnscap.live.view.lines import strip_of


class LookupTable(Widget, can_focus=True):
    """Rows with a cursor that stays on its lookup while others come in above it.

    As long as the cursor is on the first row it stays there, so that the latest lookup is the one chosen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("pagedown,ctrl+f", "page(1)", show=False),
        Binding("home,g", "move(-1000000)", show=False),
        Binding("end,G", "move(1000000)", show=False),
        Binding("enter", "open", show=False),
        Binding("space", "mark", show=False),
    ]

    class Opened(Message):
        """A lookup is to be explained."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    class Marked(Message):
        """A lookup is to be marked, or not any more."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: list[Row] = []
        self.choice = Choice()
        self.empty = "no lookup yet"
        self._at = 0
        self._number: int | None = None
        self._first = 0

    @property
    def room(self) -> int:
        """Rows in sight."""
        return max(self.size.height - 1, 0)

    @property
    def current(self) -> Row | None:
        """The row with the cursor."""
        return self.rows[self._at] if 0 <= self._at < len(self.rows) else None

    def show(self, rows: list[Row], choice: Choice) -> None:
        """Show other rows."""
        changed = choice != self.choice
        before = self._at - self._first  # where on the screen the cursor is
        self.rows, self.choice = rows, choice
        if changed:
            self._at = self._first = 0
        elif self._at > 0 and self._number is not None:
            places = {row.number: place for place, row in enumerate(rows)}
            self._at = places.get(self._number, min(self._at, max(len(rows) - 1, 0)))
            self._first = self._at - before
        self._settle()

    def _settle(self) -> None:
        self._at = min(max(self._at, 0), max(len(self.rows) - 1, 0))
        least = self._at - self.room + 1
        self._first = max(min(self._first, self._at, max(len(self.rows) - self.room, 0)), least, 0)
        self._number = self.rows[self._at].number if self.rows else None
        self.refresh()

    def on_resize(self) -> None:
        """There is more or less room."""
        self._settle()

    def step_from(self, number: int, step: int) -> int | None:
        """The lookup that many rows below one, which gets the cursor; None where there is none."""
        places = {row.number: place for place, row in enumerate(self.rows)}
        place = places.get(number, self._at) + step
        if not 0 <= place < len(self.rows):
            return None
        self._at = place
        self._settle()
        return self.rows[place].number

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self._at += step
        self._settle()

    def action_page(self, step: int) -> None:
        """Move the cursor by what is in sight."""
        self.action_move(step * max(self.room - 1, 1))

    def action_open(self) -> None:
        """Explain the lookup."""
        if self.current is not None:
            self.post_message(self.Opened(self.current.number))

    def action_mark(self) -> None:
        """Mark the lookup, and go on to the next."""
        if self.current is not None:
            self.post_message(self.Marked(self.current.number))

    def on_click(self, event: events.Click) -> None:
        """Choose a row; the one that is chosen is explained."""
        place = self._first + event.y - 1
        if event.y > 0 and place < len(self.rows):
            if place == self._at:
                self.action_open()
            self._at = place
            self._settle()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Go down."""
        event.stop()
        self.action_move(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Go up."""
        event.stop()
        self.action_move(-3)

    def render_line(self, y: int) -> Strip:
        """The heading, or a row."""
        width = self.size.width
        if y == 0:
            return strip_of(drawing.heading(width, self.choice.key, self.choice.reverse), width)
        place = self._first + y - 1
        if place < len(self.rows):
            return strip_of(drawing.line_of(self.rows[place], width), width, cursor=place == self._at)
        text = self.empty if place == 0 else ""
        return strip_of([(f"    {text}", "dim")], width)
