"""The view itself: what is where on the screen, and what keys do."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.css.query import NoMatches
from textual.geometry import Size
from textual.widgets import Input

from dnscap.explain.styled import Line
from dnscap.findings.rule import plural
from dnscap.live.view import panels
from dnscap.live.view.choosing import Choice
from dnscap.live.view.following import WAITING, Row
from dnscap.live.view.help import help_lines
from dnscap.live.view.lines import BACKGROUND, TEXT, Lines
from dnscap.live.view.screens import BACK, SCROLL, Asking, Reading, Waterfall, key_line
from dnscap.live.view.table import LookupTable
from dnscap.output.cells import duration

if TYPE_CHECKING:
    from dnscap.live.view.watch import Watch

TICK = 0.25
"""Seconds between two drawings."""

WIDE, HIGH = 130, 34
"""Columns and rows of a terminal from which on there is room for everything side by side."""

NOTICE = 6.0
"""Seconds for which a notice stays."""

KEYS = (
    ("q", "quit"),
    ("?", "help"),
    ("p", "pause"),
    ("/", "filter"),
    ("o", "troubled"),
    ("s", "sort"),
    ("enter", "why"),
    ("w", "save"),
    ("f", "findings"),
    ("space", "mark"),
    ("esc", "all again"),
)


class View(App[None]):
    """The live view.

    Parameters
    ----------
    watch : Watch
        What is shown.
    leave : bool
        Whether to leave when the capture ends by itself; otherwise it stays to be looked at.
    troubled : bool
        Whether to show only slow and failed lookups at first.
    """

    ENABLE_COMMAND_PALETTE = False
    TITLE = "dnscap live"
    CSS = f"""
    Screen {{ background: {BACKGROUND}; color: {TEXT}; layout: vertical; }}
    Lines, LookupTable, Body {{ background: {BACKGROUND}; color: {TEXT}; }}
    #status, #outcomes, #keys, #choice, #heading {{ height: 1; }}
    #choice {{ display: none; }}
    #choice.shown {{ display: block; }}
    #middle {{ height: 1fr; }}
    #table {{ height: 1fr; min-height: 3; }}
    Body {{ height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; scrollbar-color: #3d4a58;
            scrollbar-background: {BACKGROUND}; scrollbar-color-hover: #5cc3d6; scrollbar-color-active: #5cc3d6;
            scrollbar-background-hover: {BACKGROUND}; scrollbar-background-active: {BACKGROUND}; }}
    Asking, Asking:focus {{ height: 1; border: none; padding: 0 1; background: #29405a; color: {TEXT}; dock: bottom; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", show=False),
        Binding("ctrl+c", "leave", show=False, priority=True),
        Binding("ctrl+q", "leave", show=False, priority=True),
        Binding("p", "pause", show=False),
        Binding("slash", "filter", show=False),
        Binding("o", "troubled", show=False),
        Binding("s", "sort", show=False),
        Binding("S", "reverse", show=False),
        Binding("w", "save", show=False),
        Binding("u", "unmark", show=False),
        Binding("f", "findings", show=False),
        Binding("t", "tops", show=False),
        Binding("question_mark,h,f1", "help", show=False),
        Binding("escape", "all", show=False),
    ]

    def __init__(
        self, watch: Watch, *, leave: bool = False, troubled: bool = False, driver_class: Any = None
    ) -> None:
        super().__init__(driver_class=driver_class)
        self.watched = watch
        self.choice = Choice(troubled=troubled)
        self.paused = False
        self.left = False
        """Set from anywhere to leave."""
        self.error: BaseException | None = None
        self._leave_at_end = leave
        self._top = "name"
        self._notice = ("", 0.0)
        self._newer = 0
        self._told_end = False

    # ------------------------------------------------------------ running

    def capture(self) -> None:
        """Run the session to its end, in a thread of its own."""
        try:
            while self.watched.step():
                pass
        except BaseException as error:
            self.error = error
            self.left = True

    def compose(self) -> ComposeResult:
        """Everything that may be shown; `_arrange` decides how much room each has."""
        watch = self.watched
        yield Lines(lambda width, _: [self._status(width)], id="status")
        yield Lines(
            lambda width, height: panels.pulse_lines(watch, width, self._pulse_rows(width, height)),
            id="pulse",
        )
        yield Lines(lambda width, _: [panels.outcome_line(watch, width)], id="outcomes")
        yield Lines(lambda width, _: [self._choice_line(width)], id="choice")
        with Horizontal(id="middle"):
            yield LookupTable(id="table")
            with Vertical(id="side"):
                yield Lines(lambda w, h: panels.server_lines(watch, w, h), id="wide-servers")
                yield Lines(lambda w, h: panels.top_lines(watch, "name", w, h), id="wide-names")
                yield Lines(lambda w, h: panels.top_lines(watch, "client", w, h), id="wide-clients")
        with Horizontal(id="below"):
            yield Lines(lambda w, h: panels.server_lines(watch, w - 1, h), id="servers")
            yield Lines(lambda w, h: panels.top_lines(watch, self._top, w, h, ", t others"), id="tops")
        yield Lines(lambda w, h: panels.finding_lines(watch, w, h), id="findings")
        yield Lines(lambda width, _: [self._key_line(width)], id="keys")

    def on_mount(self) -> None:
        """Begin to draw."""
        self.query_one(LookupTable).focus()
        self._arrange(self.size)
        self.call_after_refresh(self.tick)
        self.set_interval(TICK, self.tick)

    def on_resize(self, event: events.Resize) -> None:
        """Give each part the room that there is for it."""
        self._arrange(event.size)

    def _arrange(self, size: Size) -> None:
        try:
            screen = self.screen_stack[0]
        except IndexError:
            return
        width, height = size
        wide = width >= WIDE and height >= 20
        rows = {
            "pulse": (4 if height >= HIGH else 1) if self._beside(width) else (6 if height >= HIGH else 2),
            "below": 0 if wide or height < 18 else 8 if height >= HIGH else 5,
            "findings": 0 if height < 14 else 8 if height >= HIGH else 3,
        }
        if height < 10:
            rows["pulse"] = 0
        for name, room in rows.items():
            part = screen.query_one(f"#{name}")
            part.display = room > 0
            part.styles.height = room
        for name, share in (
            ("servers", "1fr"),
            ("tops", "1fr"),
            ("wide-servers", "2fr"),
            ("wide-names", "2fr"),
        ):
            screen.query_one(f"#{name}").styles.width = share if not name.startswith("wide") else "1fr"
        side = screen.query_one("#side")
        side.display = wide
        side.styles.width = 58
        for name, share in (("servers", "2fr"), ("names", "2fr"), ("clients", "1fr")):
            screen.query_one(f"#wide-{name}").styles.height = share
        screen.query_one(LookupTable).styles.width = "1fr"

    @staticmethod
    def _beside(width: int) -> bool:
        """Whether both sparklines stand side by side."""
        return width >= panels.BESIDE

    def _pulse_rows(self, width: int, height: int) -> int:
        return max(height if self._beside(width) else height // 2, 1)

    def tick(self) -> None:
        """Draw what changed; leave where that is due."""
        if self.left or (self.watched.ended and self._leave_at_end and self.watched.session.fault is None):
            self.exit()
            return
        if not self.screen_stack or not self.screen_stack[0].query(LookupTable):
            return  # it is being taken down, and the table went first
        if self.watched.ended and not self._told_end:
            self._told_end = True
            self._say("The capture has ended; q quits")
        self.refresh_rows()
        screen = self.screen_stack[0]
        for lines in screen.query(Lines):
            if lines.display:
                lines.update()

    def refresh_rows(self, *, anyway: bool = False) -> None:
        """Hand the rows that are wanted to the table."""
        table = self.screen_stack[0].query_one(LookupTable)
        with self.watched.lock:
            rows = self.choice.rows(self.watched.following)
            known = len(self.watched.following)
        if self.paused and not anyway:
            shown = {row.number for row in table.rows}
            self._newer = sum(row.number not in shown for row in rows)
            table.show([self.watched.following.get(row.number) or row for row in table.rows], table.choice)
        else:
            self._newer = 0
            if known and not rows:
                table.empty = "no lookup is like that"
            elif not self.watched.frames:
                table.empty = "nothing came yet" if not self.watched.ended else "nothing came"
            else:
                table.empty = "no lookup yet"
            table.show(rows, self.choice)
        for line in self.screen_stack[0].query("#choice"):  # gone already where the view is being taken down
            line.set_class(bool(self.choice.words() or self.paused), "shown")

    # ------------------------------------------------------------ lines

    def _status(self, width: int) -> Line:
        fault = self.watched.session.fault if self.watched.ended else None
        return panels.status_line(
            self.watched, width, paused=self.paused, fault=None if fault is None else str(fault)
        )

    def _choice_line(self, width: int) -> Line:
        told = [self.choice.words()] if self.choice.words() else []
        if self.paused:
            told.append(f"paused, {self._newer:,} newer" if self._newer else "paused")
        rows = self.screen_stack[0].query_one(LookupTable).rows
        return panels.fitted(
            [(" showing ", "dim"), (f"{len(rows):,}", "bold"), (f": {'; '.join(told)}", "negative")], width
        )

    def _key_line(self, width: int) -> Line:
        text, until = self._notice
        if text and time.monotonic() < until:
            return panels.fitted([(f" {text}", "negative")], width)
        asking = self.screen_stack[0].query(Asking)
        if asking:
            if asking.first().what == "filter":
                return key_line((("enter", "filter by these words"), ("esc", "all again")), width)
            what = plural(len(self._selected()), "lookup")
            return key_line(
                (("enter", f"save the frames of {what} to this pcapng file"), ("esc", "do not")), width
            )
        return key_line(KEYS, width)

    def _say(self, text: str) -> None:
        self._notice = (text, time.monotonic() + NOTICE)
        with contextlib.suppress(NoMatches):
            self.screen_stack[0].query_one("#keys", Lines).update()

    # ------------------------------------------------------------ keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only leaving is possible while something else is in front."""
        if len(self.screen_stack) > 1 and action not in ("leave", "go", "close", "save", "help"):
            return not self._is_own(action)
        return True

    @staticmethod
    def _is_own(action: str) -> bool:
        return hasattr(View, f"action_{action}") and not hasattr(App, f"action_{action}")

    def action_leave(self) -> None:
        """Quit."""
        self.exit()

    def action_pause(self) -> None:
        """Hold the table still, or let it go on."""
        self.paused = not self.paused
        self.tick()

    def _choose(self, choice: Choice) -> None:
        self.choice = choice
        self.refresh_rows(anyway=True)
        self.screen_stack[0].query_one("#choice", Lines).update()

    def action_troubled(self) -> None:
        """Only slow, failed and waiting lookups, or all."""
        self._choose(replace(self.choice, troubled=not self.choice.troubled))

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._choose(replace(self.choice, key=self.choice.next_key, reverse=False))

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._choose(replace(self.choice, reverse=not self.choice.reverse))

    def action_all(self) -> None:
        """All lookups, the latest first."""
        self.paused = False
        self._choose(Choice())

    def action_tops(self) -> None:
        """Top clients instead of top names, or the other way round."""
        self._top = "client" if self._top == "name" else "name"
        self.tick()

    def action_findings(self) -> None:
        """Findings at length."""
        self.push_screen(
            Reading(
                "findings",
                lambda width: panels.finding_pages(self.watched.worst_findings(), min(width, 110)),
                self._status,
                (BACK, SCROLL),
            )
        )

    def action_help(self) -> None:
        """What keys do and signs say."""
        if len(self.screen_stack) == 1:
            self.push_screen(Reading("keys and signs", help_lines, self._status, (BACK, SCROLL)))

    def on_lookup_table_opened(self, event: LookupTable.Opened) -> None:
        """Explain a lookup."""
        table = self.screen_stack[0].query_one(LookupTable)
        self.push_screen(Waterfall(event.number, self._explained, table.step_from, self._status))

    def _explained(self, number: int, width: int) -> list[Line]:
        explanation = self.watched.explanation(number)
        if explanation is None:
            return [[("This lookup is so long ago that it is not kept any more.", "dim")]]
        lines = explanation.lines(width=min(width, 140))
        row = explanation.lookup
        if row["outcome"] == WAITING:
            lines[2] = [("waiting", "lost"), (f" since {duration(row['duration'])} ago", "")]
        elif row["end_basis"] is None:
            lines.insert(3, [("not judged yet: its stub may still ask again", "dim")])
        elif not explanation.exchanges:
            lines.insert(3, [("its transmissions were not kept: too many lookups came at once", "dim")])
        return lines

    # ------------------------------------------------------------ marking and saving

    def on_lookup_table_marked(self, event: LookupTable.Marked) -> None:
        """Mark a lookup, or take the mark away."""
        row = self.watched.following.get(event.number)
        if row is not None:
            with self.watched.lock:
                self.watched.following.mark(event.number, not row.marked)
            table = self.screen_stack[0].query_one(LookupTable)
            table.action_move(1)
            self.refresh_rows()

    def action_unmark(self) -> None:
        """Take all marks away."""
        with self.watched.lock:
            for row in self.watched.marked():
                self.watched.following.mark(row.number, False)
        self.refresh_rows()

    def _selected(self) -> list[Row]:
        marked = self.watched.marked()
        if marked:
            return marked
        current = self.screen_stack[0].query_one(LookupTable).current
        return [current] if current is not None else []

    def on_waterfall_save(self) -> None:
        """Save the lookup that was explained."""
        self.call_later(self.action_save)

    def action_save(self) -> None:
        """Ask where to save the frames of the selection."""
        rows = self._selected()
        if not rows:
            self._say("There is no lookup to save")
            return
        self._ask("save", str(_directory() / _file_name(rows)), "file")

    def action_filter(self) -> None:
        """Ask for words."""
        self._ask(
            "filter", self.choice.text, "words to look for: name, client, server, cause, slow, failed, !not"
        )

    def _ask(self, what: str, value: str, hint: str) -> None:
        screen = self.screen_stack[0]
        if not screen.query(Asking):
            asking = Asking(what, value, hint)
            screen.mount(asking)
            asking.focus()
            self._say("")

    def on_asking_given_up(self, event: Asking.GivenUp) -> None:
        """No text after all."""
        if event.what == "filter":
            self._choose(replace(self.choice, text=""))
        self._asked()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while words are typed."""
        if event.input.id == "filter":
            self._choose(replace(self.choice, text=event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the text."""
        if event.input.id == "save" and not self._save(event.value.strip()):
            return
        self._asked()

    def _asked(self) -> None:
        screen = self.screen_stack[0]
        screen.query(Asking).remove()
        screen.query_one(LookupTable).focus()

    def _save(self, name: str) -> bool:
        """Write the selection; whether the question is settled."""
        rows = self._selected()
        if not name or not rows:
            return True
        path = Path(name).expanduser()
        again = self._notice[0].startswith(f"{path} exists")
        try:
            with path.open("wb" if again else "xb") as stream:
                frames = self.watched.save([row.number for row in rows], stream)
        except FileExistsError:
            self._say(f"{path} exists: enter again replaces it")
            return False
        except OSError as error:
            self._say(f"{path}: {error.strerror}: type another name, or esc")
            return False
        self._say(f"Wrote {plural(frames, 'frame')} of {plural(len(rows), 'lookup')} to {path}")
        return True


def _file_name(rows: list[Row]) -> str:
    name = re.sub(r"[^a-z0-9.-]+", "-", rows[0].name.rstrip(".").lower())[:40].strip("-.") or "lookup"
    return (
        f"{name}-{rows[0].number}.pcapng"
        if len(rows) == 1
        else f"{len(rows)}-lookups-{rows[0].number}.pcapng"
    )


def _directory() -> Path:
    """Where one may write: here, or else where temporary files go."""
    return Path() if os.access(".", os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def load() -> None:
    """Load what Textual and Rich load when they need it: later it may not be readable any more."""
    import textual.layouts.factory
    import textual.layouts.horizontal
    import textual.layouts.stream
    import textual.scrollbar  # noqa: F401
    from rich.cells import cell_len

    cell_len("µ…")


def run(view: View) -> None:
    """Show the view until it is left, then end the session and see its end."""
    thread = threading.Thread(target=view.capture, name="dnscap-engine", daemon=True)
    thread.start()
    try:
        view.run()
    finally:
        view.watched.session.stop()
        thread.join()
    if view.error is not None:
        raise view.error
