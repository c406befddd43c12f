"""What keys do, and what signs say."""

from __future__ import annotations

from dnscap.explain.styled import Line, wrapped

_KEYS = (
    ("↑ ↓ k j", "move; the cursor stays on its lookup while others come in above it"),
    ("page up, down", "a screen further; g and G go to the first and the last"),
    ("enter", "why: waterfall, where the time went, causes; there ← and → go to the lookups around it"),
    ("space", "mark; marked lookups stay in the table"),
    ("u", "unmark all"),
    ("w", "save the frames of the marked lookups, or of the one at the cursor, as pcapng"),
    ("", ""),
    ("p", "pause the table; capturing and counting go on"),
    ("o", "only troubled lookups: slow, failed, waiting"),
    (
        "/",
        "filter by words in name, client, server, type, outcome and causes; !word must not be there; slow, failed and "
        "waiting stand for what they say",
    ),
    ("s, S", "sort by the next column; the other way round"),
    ("esc", "all lookups again, the latest first"),
    ("t", "top clients instead of top names, where there is no room for both"),
    ("f", "findings at length: what they mean, what to do"),
    ("q, ctrl+c", "quit with a closing summary"),
)

_SIGNS = (
    ("●", "good", "ok, answered"),
    ("○", "negative", "no such name, or none of that type"),
    ("×", "bad", "failed"),
    ("?", "lost", "no answer"),
    ("…", "lost", "waits for an answer"),
    ("!", "bad", "slow"),
    ("✓", "mark", "marked"),
)

_NOTES = (
    "Lookups are shown as soon as they begin. Causes come later: when the stub can send nothing more. All are counted; "
    "where more come than can be shown, the table has some of the latest, and slow and failed ones for longer.",
    "Servers, names and clients are those of the last minute. Within a bar of waits 95 % of the lookups of its second "
    "were over; the scale is logarithmic, from 10 µs to 10 s. The figures beside it are median and 95 % of the last "
    "ten seconds. Times are UTC.",
)


def help_lines(width: int) -> list[Line]:
    """The help as lines of that width."""
    width = min(width, 100)
    lines: list[Line] = []
    for key, text in _KEYS:
        for place, ((part, _),) in enumerate(wrapped(text, width - 16) or [[("", "")]]):
            lines.append([((key if not place else "").ljust(16), "key"), (part, "")])
    lines.append([])
    lines += [[(sign.ljust(16), style), (text, "")] for sign, style, text in _SIGNS]
    for note in _NOTES:
        lines += [[], *wrapped(note, width)]
    return lines
