"""``dnscap report``: the diagnosis as one page to look at, keep and send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dnscap.cli.options import (
    FINDINGS,
    capture_arguments,
    fail_on_option,
    open_capture,
    report_format_option,
    report_quality,
    wants_colour,
    write_text,
)

if TYPE_CHECKING:
    from dnscap.report.model import Report


@click.command("report")
@capture_arguments
@click.option(
    "--slowest",
    type=click.IntRange(0, 200),
    default=20,
    show_default=True,
    metavar="N",
    help="Lookups to show whole.",
)
@report_format_option("html")
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="Write to FILE.")
@fail_on_option
def report(slowest: int, form: str | None, output: str | None, fail_on: str | None, **narrowing: Any) -> None:
    """One page on a capture: findings, timeline, the slowest lookups, servers, clients.

    The page is one file that opens offline in any browser and loads nothing. It holds names and addresses of the
    capture.

    \b
    Examples:
      dnscap report slow.pcap -o report.html
      dnscap report node-*.pcap --client 10.1.0.0/16 -o report.html
      dnscap report ci.pcap --format json --fail-on medium
    """
    write_report("html", slowest, form, output, fail_on, **narrowing)


def write_report(
    otherwise: str, slowest: int, form: str | None, output: str | None, fail_on: str | None, **narrowing: Any
) -> None:
    """Diagnose captures and write the report; `otherwise` is the format where neither option tells one."""
    from dnscap.report.text import at_least

    capture = open_capture(narrowing.pop("captures"), output=output, **narrowing)
    report = capture.diagnose(slowest=slowest)
    write_text(_rendered(report, form, output, otherwise), output)
    report_quality(capture.quality_so_far)
    if fail_on is not None and at_least(report.findings, fail_on):
        raise click.exceptions.Exit(FINDINGS)


def _rendered(report: Report, form: str | None, output: str | None, otherwise: str) -> str:
    """A report in the format that was asked for, or that the name of the output file says."""
    endings = {".html": "html", ".htm": "html", ".json": "json", ".txt": "text"}
    ending = next((f for e, f in endings.items() if (output or "").lower().endswith(e)), otherwise)
    form = form or ending
    if form == "html":
        return report.html()
    if form == "json":
        return report.json()
    return report.text(colour=wants_colour(output))
