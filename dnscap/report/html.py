"""A report as one HTML page that loads nothing: style and script are inside, allowed by their hashes alone."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup, escape

from dnscap.explain.drawing import KEY, explanation_html, outcome_words, share_bar, style_sheet
from dnscap.findings import Finding
from dnscap.findings.rule import plural, seconds
from dnscap.output.cells import duration, full_time, safe, tied
from dnscap.report.block_drawing import course_svg, hop_rows, key_of
from dnscap.report.block_forms import Cell
from dnscap.report.block_words import cell_text, letter, value_words, walk_words
from dnscap.report.charts import course_panels, distribution, span_words, time_label, time_labels
from dnscap.report.glossary import used
from dnscap.report.model import Report

SIGNS = {"high": "▲", "medium": "◆", "low": "●", "info": "○"}
"""A shape for each severity: colour alone must not carry it."""

GOOD_OUTCOMES = ("ok", "answer", "referral")
NEGATIVE_OUTCOMES = ("nxdomain", "nodata", "truncated", "unfinished", "duplicate")


def write(report: Report) -> str:
    """The page."""
    from dnscap.explain.explanation import BASES

    style, script = _style(), _read("report.js")
    parts = {
        "report": report,
        "panels": course_panels(report.course),
        "labels": time_labels(report.course),
        "distributions": [
            panel
            for panel in (
                distribution(report.lookup_times, "Lookups"),
                distribution(report.query_times, "Answers to queries"),
            )
            if panel is not None
        ],
        "version": _version(),
        "bases": BASES,
    }
    body = _template("body.html").render(**parts)
    text = re.sub(r"<[^>]*>", " ", body)
    return _template("page.html").render(
        **parts,
        body=Markup(body),  # rendered with escaping
        glossary=used(text),
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


@cache
def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(
        duration=lambda value: "–" if value is None else duration(value),
        seconds=seconds,
        plural=plural,
        time=lambda value: "–" if value is None else full_time(value),
        prose=prose,
        count=lambda value: "–" if value is None else f"{value:,}",
        evidence=evidence,
        settings=settings,
        cell=cell_text,
        is_number=is_number,
        heading=heading,
    )
    found.globals.update(
        signs=SIGNS,
        share_bar=share_bar,
        explanation_html=explanation_html,
        waterfall_key=KEY,
        outcome_words=outcome_words,
        outcome_style=outcome_style,
        span_words=span_words,
        time_label=time_label,
        course_svg=course_svg,
        hop_rows=hop_rows,
        key_of=key_of,
        letter=letter,
        value_words=value_words,
        walk_words=walk_words,
        anchors=lambda report: {explanation.lookup["lookup"] for explanation in report.slowest},
    )
    return found


def _version() -> str:
    """Of the package as installed; nothing where it runs from its source alone."""
    try:
        return importlib.metadata.version("dnscap")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)


@cache
def _read(name: str) -> str:
    return files("dnscap.report").joinpath("page", name).read_text(encoding="utf-8")


@cache
def _style() -> str:
    return style_sheet() + _read("report.css")


def _hash(text: str) -> str:
    """As Content Security Policy wants it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _shown(value: Any) -> Any:
    """Make controls and marks of direction visible in whatever a template puts out."""
    return safe(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def prose(text: str) -> Markup:
    """Sentences in which ``backticks`` mark what one types."""
    pieces = tied(str(escape(safe(text)))).split("`")
    if len(pieces) % 2 == 0:
        return Markup("`".join(pieces))  # escaped above
    return Markup(
        "".join(f"<code>{piece}</code>" if place % 2 else piece for place, piece in enumerate(pieces))
    )  # escaped above


def heading(text: str) -> Markup:
    """A heading of a column, its unit not left alone on a line."""
    what, comma, unit = tied(safe(text)).rpartition(", ")
    return Markup("{},&nbsp;{}" if comma else "{}{}").format(what, unit)


def is_number(rows: Sequence[Sequence[Cell]], place: int) -> bool:
    """Whether a column of a table holds numbers: all that it holds, where it holds anything."""
    held = [row[place] for row in rows if row[place] is not None]
    return bool(held) and all(isinstance(cell, int | float) for cell in held)


def evidence(finding: Finding, anchors: set[int]) -> Markup:
    """Lookups, exchanges and frames that show a finding; lookups that are on the page are linked."""
    groups: dict[str, list[Markup]] = {}
    for entry in finding.evidence:
        kind, _, number = entry.partition(":")
        linked = kind == "lookup" and number.isdecimal() and int(number) in anchors
        told = Markup('<a href="#lookup-{0}">{0}</a>') if linked else Markup("{0}")
        groups.setdefault(kind, []).append(told.format(safe(number)))
    return Markup("; ").join(
        Markup("{}{} {}").format(kind, "s" if len(numbers) > 1 else "", Markup(" ").join(numbers))
        for kind, numbers in groups.items()
    )


def settings(row: Mapping[str, Any]) -> str:
    """A client's configuration as resolv.conf would have it; empty where packets do not show it."""
    told = []
    low, high = row["ndots_min"], row["ndots_max"]
    # That names need no dot, or one at least, holds of every stub.
    if low or high is not None:
        exact = low == high
        told.append(
            f"ndots:{low}"
            if exact
            else f"ndots at least {low}"
            if high is None
            else f"ndots at most {high}"
            if low is None
            else f"ndots {low} to {high}"
        )
    if row["timeout"] is not None:
        told.append(f"timeout:{row['timeout']:g}")
    if row["attempts"] is not None:
        told.append(f"attempts:{row['attempts']}")
    words = (
        ("rotate", "rotate"),
        ("single_request", "single-request"),
        ("use_vc", "use-vc"),
        ("edns", "edns0"),
    )
    told += [word for name, word in words if row[name]]
    return " ".join(told)


def outcome_style(outcome: str) -> str:
    """Style of an outcome of lookups or exchanges."""
    if outcome in GOOD_OUTCOMES:
        return "good"
    if outcome in NEGATIVE_OUTCOMES:
        return "negative"
    return "lost" if outcome in ("timeout", "unanswered") else "bad"
