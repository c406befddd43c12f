"""Lines of styled text: plain for pipes, coloured for terminals, escaped for notebooks."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable

from dnscap.output.cells import safe

Line = list[tuple[str, str]]
"""Pieces of a line, each with its style."""

STYLES = {
    "": ("", ""),
    "bold": ("\x1b[1m", "font-weight:bold"),
    "dim": ("\x1b[2m", "opacity:.65"),
    "good": ("\x1b[32m", "color:#1a7f37"),
    "negative": ("\x1b[33m", "color:#9a6700"),
    "bad": ("\x1b[31m", "color:#cf222e"),
    "lost": ("\x1b[35m", "color:#8250df"),
    "axis": ("\x1b[36m", "color:#0969da"),
}
"""Terminal sequence and style sheet of each style; what is said is said by the text too."""


def plain_text(lines: Iterable[Line]) -> str:
    """Lines as text, without trailing blanks."""
    return "\n".join("".join(safe(text) for text, _ in line).rstrip() for line in lines)


def coloured_text(lines: Iterable[Line]) -> str:
    """Lines for a terminal."""
    return "\n".join(
        "".join(
            f"{STYLES[style][0]}{safe(text)}\x1b[0m" if style else safe(text) for text, style in line
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
            pieces.append(f'<span style="{STYLES[style][1]}">{escaped}</span>' if style else escaped)
        rows.append("".join(pieces).rstrip())
    return '<pre style="line-height:1.25">' + "\n".join(rows) + "</pre>"


def wrapped(text: str, width: int, indent: str = "", style: str = "") -> list[Line]:
    """A paragraph as lines no wider than `width`."""
    return [
        [(line, style)]
        for line in textwrap.wrap(
            safe(text), width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        )
    ]
