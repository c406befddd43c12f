"""Parts of a report beyond what every capture has: search lists, orders of servers, hops, caches, names.

A block is made from a diagnosis by a function in `BLOCKS`; the renderings know blocks only by their forms.
"""

from __future__ import annotations

from collections.abc import Callable

from dnscap.findings.diagnosis import Diagnosis
from dnscap.findings.rule import plural, seconds
from dnscap.report.block_forms import Block, Cell, Grid, percent
from dnscap.report.cache_block import caches
from dnscap.report.name_block import names
from dnscap.report.path_block import path, server_orders

MOST_EXPANDED = 10
"""Names of a search-list table."""


def search_list(diagnosis: Diagnosis) -> Block | None:
    """What search lists cost: queries for names that nobody meant."""
    course, facts = diagnosis.course, diagnosis.facts
    if not course.expanded:
        return None
    share = percent(course.expanded, facts.lookups)
    text = (
        f"{plural(course.expanded, 'lookup')} ({share} %) tried more than one name; lookups waited "
        f"{seconds(course.search_wait / 1e9)} in all for candidates that did not help. Of "
        f"{plural(course.sent, 'query')} sent, {course.wasted:,} added nothing (candidates that do not exist, and "
        "queries sent again)."
    )
    worst: dict[str, tuple[int, int, int, str]] = {}
    for kept in facts.kept:
        row = kept.row
        if len(row["candidates"] or ()) < 2:
            continue
        count, waited, queries, final = worst.get(row["name"], (0, 0, 0, ""))
        worst[row["name"]] = (
            count + 1,
            waited + (row["t_search"] or 0),
            max(queries, row["queries"] or 0),
            row["final_name"] or final,
        )
    ranked = sorted(worst.items(), key=lambda item: (-item[1][1], -item[1][2], item[0]))[:MOST_EXPANDED]
    rows: list[list[Cell]] = [
        [name, final, count, queries, round(waited / 1e6, 3)]
        for name, (count, waited, queries, final) in ranked
    ]
    columns = [
        *("name given", "last name asked", "lookups looked at"),
        *("queries, at most", "waited for candidates, ms"),
    ]
    return Block("search-list", "Search lists", text, [Grid("What they cost most for", columns, rows)])


BLOCKS: tuple[Callable[[Diagnosis], Block | None], ...] = (search_list, server_orders, path, caches, names)
"""Makers of blocks, in the order of the report."""
