"""``dnscap diagnose``: what is wrong, which lookups were slow, how healthy the name service is."""

from __future__ import annotations

from typing import Any

import click

from dnscap.cli.options import capture_arguments, fail_on_option, report_format_option
from dnscap.cli.report import write_report


@click.command("diagnose")
@capture_arguments
@click.option(
    "--slowest",
    type=click.IntRange(0, 1000),
    default=3,
    show_default=True,
    metavar="N",
    help="Lookups to show whole.",
)
@report_format_option("text")
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="Write to FILE.")
@fail_on_option
def diagnose(
    slowest: int, form: str | None, output: str | None, fail_on: str | None, **narrowing: Any
) -> None:
    """What is wrong, what it costs and what to do; then the slowest lookups; then a scorecard.

    Findings come first, the worst on top, each with its cost, its remedy, and what would disprove it. Healthy
    traffic has none. The scorecard compares seven figures with their targets, as far as the capture can tell.

    \b
    Examples:
      dnscap diagnose slow.pcap
      dnscap diagnose node-*.pcap --client 10.1.0.0/16 --slowest 10
      dnscap diagnose ci.pcap --fail-on medium
    """
    write_report("text", slowest, form, output, fail_on, **narrowing)
