"""Lines of styled text: plain for pipes, coloured for terminals."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable

from dnscap.output.cells import safe, tied

Line = list[tuple[str, str]]
"""Pieces of a line, each with its style."""

STYLES = {
    "": "",
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
    "good": "\x1b[32m",
    "negative": "\x1b[33m",
    "bad": "\x1b[31m",
    "lost": "\x1b[35m",
    "axis": "\x1b[36m",
}
"""Terminal sequence of each style; what is said is said by the text too."""

CSS = {
    "bold": "font-weight:bold",
    "dim": "opacity:0.65",
    "good": "color:#2e8b57",
    "negative": "color:#b8860b",
    "bad": "color:#d03030",
    "lost": "color:#a050b0",
    "axis": "color:#3a87ad",
}
"""The same for notebooks, legible on light and on dark."""


def plain_text(lines: Iterable[Line]) -> str:
    """Lines as text, without trailing blanks."""
    return "\n".join("".join(safe(text) for text, _ in line).rstrip() for line in lines)


def coloured_text(lines: Iterable[Line]) -> str:
    """Lines for a terminal."""
    return "\n".join(
        "".join(
            f"{STYLES[style]}{safe(text)}\x1b[0m" if style else safe(text) for text, style in line
        ).rstrip()
        for line in lines
    )


def html_text(lines: Iterable[Line]) -> str:
    """Lines for a notebook."""
    rows = []
    for line in lines:
        pieces = []
        for text, style in line:
            escaped = html.escape(safe(text))
            pieces.append(f'<span style="{CSS[style]}">{escaped}</span>' if style else escaped)
        rows.append("".join(pieces).rstrip())
    return '<pre style="line-height:1.25">' + "\n".join(rows) + "</pre>"


def wrapped(text: str, width: int, indent: str = "", style: str = "") -> list[Line]:
    """A paragraph as lines no wider than `width`."""
    return [
        [(line.replace("\u00a0", " "), style)]
        for line in textwrap.wrap(
            tied(safe(text)), width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        )
    ]
