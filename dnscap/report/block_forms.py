"""The forms that parts of a report come in: tables, walks of resolvers, the course of a name. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from dnscap.resolutions.walk import Walk

Cell = str | int | float | None


@dataclass(slots=True)
class Grid:
    """A table.

    Attributes
    ----------
    title : str
    columns : list of str
        Headings.
    rows : list of list
        Texts and numbers, None where something is not known.
    note : str
        What is to be minded about it.
    found : bool
        Whether its rows are findings, which a text has told already.
    """

    title: str
    columns: list[str] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)
    note: str = ""
    found: bool = False

    def filled(self) -> Grid:
        """The table without the columns in which nothing is known of any row."""
        kept = [
            place for place in range(len(self.columns)) if any(row[place] is not None for row in self.rows)
        ]
        return Grid(
            self.title,
            [self.columns[place] for place in kept],
            [[row[place] for place in kept] for row in self.rows],
            self.note,
            self.found,
        )


@dataclass(slots=True)
class Stretch:
    """A time during which a server gave one thing, or a copy of it may be kept.

    Attributes
    ----------
    first, last : int
        Nanoseconds since 1970.
    value : int or None
        Place in the values of the name; None where the server said that there is none.
    given : bool
        Given in answers from first to last; otherwise it may be kept for so long.
    """

    first: int
    last: int
    value: int | None
    given: bool


@dataclass(slots=True)
class Mark:
    """Questions about the name at one moment.

    Attributes
    ----------
    time : int
        Nanoseconds since 1970.
    kind : str
        Where the answer came from, as in the resolutions table; ``failure`` where it was SERVFAIL.
    count : int
        How many fall together.
    """

    time: int
    kind: str
    count: int = 1


@dataclass(slots=True)
class Lane:
    """One server in the course of a name.

    Attributes
    ----------
    server, role : str
    inferred : bool
        The kinds of its marks are inferred.
    """

    server: str
    role: str
    stretches: list[Stretch] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    inferred: bool = False


@dataclass(slots=True)
class NameCourse:
    """What servers said of a name and type over time.

    Attributes
    ----------
    name, type : str
    start, end : int
        Nanoseconds since 1970.
    values : list of list of str
        The distinct answers, in the order in which they appeared.
    lanes : list of Lane
        The zone's own servers first.
    more_lanes : int
        Servers beyond those shown.
    """

    name: str
    type: str
    start: int
    end: int
    values: list[list[str]] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)
    more_lanes: int = 0


def percent(part: int, whole: int) -> str:
    """A share of a hundred for a sentence: with a decimal where it is small or nearly all.

    Examples
    --------
    >>> percent(1, 3), percent(2, 700), percent(999, 1000)
    ('33', '0.3', '99.9')
    """
    share = 100 * part / whole if whole else 0.0
    return f"{share:.0f}" if 10 <= share <= 90 or share in (0, 100) else f"{share:.1f}"


@dataclass(slots=True)
class Block:
    """A heading, a few sentences, and what they rest on.

    Attributes
    ----------
    id : str
        In kebab-case.
    title : str
    text : str
        What it shows, for people; where it shows nothing, what the capture lacks for it.
    """

    id: str
    title: str
    text: str
    tables: list[Grid] = field(default_factory=list)
    walks: list[Walk] = field(default_factory=list)
    names: list[NameCourse] = field(default_factory=list)
