"""The commands that print what was judged: findings, servers, clients."""

from __future__ import annotations

from typing import Any

import click

from dnscap.cli.options import FINDINGS, capture_arguments, fail_on_option, output_arguments
from dnscap.cli.tables import print_table
from dnscap.schema import TABLES


def _help(table: str, doc: str, example: str) -> str:
    names = ", ".join(column.name for column in TABLES[table])
    return f"{doc}\n\nColumns: {names}.\n\n\b\nExample:\n  {example}"


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
    from dnscap.report.text import at_least

    capture = print_table("findings", **options)
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
    print_table("servers", **options)


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
    print_table("clients", **options)
