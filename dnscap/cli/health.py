"""The commands that print what was judged: findings, servers, clients."""

from __future__ import annotations

from typing import Any

import click

from dnscap.cli.options import FINDINGS, capture_arguments, fail_on_option, output_arguments
from dnscap.cli.tables import print_table
from dnscap.schema import TABLES

SHOWN = {
    "findings": ["severity", "id", "lookups", "cost_seconds", "title"],
    "servers": [
        "server",
        "queries",
        "answered",
        "unanswered",
        "latency_p50",
        "latency_p99",
        "failovers",
        "role",
    ],
    "clients": ["client", "stub", "lookups", "failed", "duration_p50", "timeout", "nameservers", "search"],
}
"""Columns of the table form, where all would not fit a terminal; the other forms have every column."""


def _help(table: str, doc: str, example: str) -> str:
    names = ", ".join(column.name for column in TABLES[table])
    return f"{doc}\n\nColumns: {names}.\n\n\b\nExample:\n  {example}"


def _print(table: str, columns: str | None, form: str | None, output: str | None, **rest: Any) -> Any:
    if columns is None and form in (None, "table") and output is None:
        columns = ",".join(SHOWN[table])
    captures = rest.pop("captures")
    return print_table(table, captures, form=form, output=output, columns=columns, **rest)


@click.command(
    "findings",
    help=_help(
        "findings",
        "One row per thing found wrong: what it cost, how sure it is, what shows it, what to do. "
        "Healthy traffic has "
        "nothing above `info`.",
        "dnscap findings slow.pcap --format jsonl --fail-on medium",
    ),
)
@capture_arguments
@output_arguments
@fail_on_option
def findings(fail_on: str | None, **options: Any) -> None:
    """Print the findings table."""
    from dnscap.explain.report import at_least

    capture = _print("findings", **options)
    if fail_on is not None and at_least(capture.diagnosis.findings, fail_on):
        raise click.exceptions.Exit(FINDINGS)


@click.command(
    "servers",
    help=_help(
        "servers",
        "One row per server address: what it was asked, how it answered, how fast; TCP and EDNS.",
        'dnscap servers slow.pcap --where "unanswered > 0"',
    ),
)
@capture_arguments
@output_arguments
def servers(**options: Any) -> None:
    """Print the servers table."""
    _print("servers", **options)


@click.command(
    "clients",
    help=_help(
        "clients",
        "One row per client address and stub resolver seen there, with the configuration that "
        "explains what was seen; "
        "empty where packets do not show it.",
        "dnscap clients slow.pcap --format json",
    ),
)
@capture_arguments
@output_arguments
def clients(**options: Any) -> None:
    """Print the clients table."""
    _print("clients", **options)
