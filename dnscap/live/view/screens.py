"""Screens over the view: a lookup's waterfall, findings at length, the keys; and the line that asks for a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input

from dnscap.explain.styled import Line
from dnscap.live.view import panels
from dnscap.live.view.lines import Lines, strip_of
from dnscap.output.cells import width_of

Keys = Sequence[tuple[str, str]]
"""Keys, and what they do."""

Pages = Callable[[int], list[Line]]
"""Given a width, gives the lines."""


BACK, SCROLL = ("esc", "back"), ("↑ ↓", "scroll")


class Body(ScrollView, can_focus=True):
    """Lines that may be more than there is room for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
        Binding("g", "scroll_home", show=False),
        Binding("G", "scroll_end", show=False),
        Binding("space", "page_down", show=False),
    ]

    def __init__(self, pages: Pages) -> None:
        super().__init__()
        self.pages = pages
        self._lines: list[Line] = []

    def update(self) -> None:
        """Draw anew, if anything changed."""
        width = self.scrollable_content_region.width
        lines = self.pages(max(width - 2, 20)) if width else []
        if lines != self._lines:
            self._lines = lines
            self.virtual_size = Size(width, len(lines))
            self.refresh()

    def on_resize(self) -> None:
        """There is more or less room."""
        self._lines = []
        self.update()

    def render_line(self, y: int) -> Strip:
        """One line of it."""
        place = y + self.scroll_offset.y
        line = self._lines[place] if place < len(self._lines) else []
        return strip_of([(" ", ""), *line], self.size.width)


class Reading(Screen[None]):
    """Something to read, until it is closed.

    Parameters
    ----------
    title : str
        What it is.
    pages : callable
        Its lines for a width; asked again and again, for what changes.
    status, keys : callable
        The first and the last line for a width.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,backspace", "close", show=False),
    ]

    def __init__(self, title: str, pages: Pages, status: Callable[[int], Line], keys: Keys) -> None:
        super().__init__()
        self._title = title
        self._pages = pages
        self._status = status
        self._keys = keys

    def compose(self) -> ComposeResult:
        """Status, title, body, keys."""
        yield Lines(lambda width, _: [self._status(width)], id="status")
        yield Lines(lambda width, _: [panels.title(self._title, width)], id="heading")
        yield Body(self._pages)
        yield Lines(lambda width, _: [key_line(self._keys, width)], id="keys")

    def on_mount(self) -> None:
        """Begin to draw."""
        self.query_one(Body).focus()
        self.set_interval(0.25, self.update)

    def update(self) -> None:
        """Draw what changed."""
        self.query_one(Body).update()
        for lines in self.query(Lines):
            lines.update()

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()


class Waterfall(Reading):
    """One lookup, explained; those before and after it a key away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,p", "go(-1)", show=False),
        Binding("right,n", "go(1)", show=False),
        Binding("w", "save", show=False),
    ]

    class Save(Message):
        """The lookup is to be saved."""

    def __init__(
        self,
        number: int,
        pages: Callable[[int, int], list[Line]],
        step: Callable[[int, int], int | None],
        status: Callable[[int], Line],
    ) -> None:
        super().__init__(
            "lookup",
            lambda width: pages(self.number, width),
            status,
            (BACK, ("← →", "other lookups"), SCROLL, ("w", "save")),
        )
        self.number = number
        self._step = step

    def action_go(self, step: int) -> None:
        """Show the lookup above or below it in the table."""
        number = self._step(self.number, step)
        if number is not None:
            self.number = number
            self.query_one(Body).scroll_home(animate=False)
            self.update()

    def action_save(self) -> None:
        """Ask for a file."""
        self.dismiss()
        self.app.post_message(self.Save())


class Asking(Input):
    """A line that asks for a text.

    Parameters
    ----------
    what : str
        ``filter`` or ``save``.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", show=False)]

    class GivenUp(Message):
        """No text is wanted any more."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(self, what: str, value: str, hint: str) -> None:
        super().__init__(value, placeholder=hint, id=what, compact=True, select_on_focus=False)
        self.what = what

    def action_give_up(self) -> None:
        """Say so."""
        self.post_message(self.GivenUp(self.what))


def key_line(keys: Keys, width: int) -> Line:
    """Keys set off from what they do; those for which there is no room are left out."""
    line: Line = [(" ", "")]
    room = width - 1
    for key, word in keys:
        size = width_of(f"{key} {word}")
        if size > room:
            break
        line += [(key, "key"), (f" {word}  ", "")]
        room -= size + 2
    return panels.fitted(line, width)
