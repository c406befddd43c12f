"""Options that commands share, and the capture they describe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dnscap.errors import UsageError

if TYPE_CHECKING:
    from dnscap.messages.decoding import Quality
    from dnscap.reading import Capture

F = TypeVar("F", bound=Callable[..., Any])

FINDINGS = 1


def capture_arguments(command: F) -> F:
    """CAPTURE... and the options that narrow it."""
    for decorate in reversed(
        (
            # Globs and "-" are taken too, so nothing is checked here; the type makes shells complete files.
            click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...", type=click.Path()),
            click.option(
                "--since", metavar="TIME", help="From this time on (2026-05-01T12:00:00Z, or epoch seconds)."
            ),
            click.option("--until", metavar="TIME", help="Before this time."),
            click.option("--client", metavar="ADDR", help="Only what this address or network asked."),
            click.option("--server", metavar="ADDR", help="Only what was asked of this address or network."),
            click.option("--name", metavar="NAME", help="Only this domain name and names under it."),
            click.option(
                "--port",
                "ports",
                type=click.IntRange(1, 65535),
                multiple=True,
                metavar="PORT",
                help="Also take this UDP and TCP port as DNS; may be repeated.",
            ),
        )
    ):
        command = decorate(command)
    return command


def output_arguments(command: F) -> F:
    """Options of commands that print a table."""
    formats = click.Choice(["table", "csv", "json", "jsonl", "parquet", "arrow"])
    for decorate in reversed(
        (
            click.option("--format", "form", type=formats, help="Default: table, or what -o's ending says."),
            click.option(
                "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="Write to FILE."
            ),
            click.option("--where", metavar="EXPR", help="SQL condition over the columns (DuckDB)."),
            click.option("--columns", metavar="A,B", help="Only these columns, in this order."),
            click.option("--limit", type=click.IntRange(0), metavar="N", help="At most N rows."),
        )
    ):
        command = decorate(command)
    return command


def open_capture(
    captures: tuple[str, ...],
    *,
    since: str | None,
    until: str | None,
    client: str | None,
    server: str | None,
    name: str | None,
    ports: tuple[int, ...],
    bar: bool = True,
    output: str | None = None,
) -> Capture:
    """The capture that the arguments describe, with a progress bar on a terminal unless `bar` is false.

    That `output` cannot be written, or would replace what is to be read, is said before reading.
    """
    from dnscap.cli.progress import ProgressBar
    from dnscap.messages.decoding import DNS_PORTS
    from dnscap.output.files import check_target
    from dnscap.reading import Capture

    if name is not None and name.startswith("*."):
        raise UsageError(f"--name takes names under a name as well: --name {name[2:]}")
    progress = None
    if bar and sys.stderr.isatty():
        progress = ProgressBar(sys.stderr)
        click.get_current_context().call_on_close(progress.clear)
    capture = Capture(
        list(captures),
        ports=(*DNS_PORTS, *ports),
        progress=progress,
        since=since,
        until=until,
        client=client,
        server=server,
        name=name,
    )
    check_target(output, capture.inputs)
    return capture


def report_quality(quality: Quality) -> None:
    """Say on standard error what could not be read; exit code 3 where an input was not read to its end."""
    for note in quality.notes:
        say(note, "note")
    report_faults([str(fault) for fault in quality.faults])


def report_faults(faults: list[str]) -> None:
    """Name on standard error the inputs not read to their end, and exit with code 3 if there are any."""
    from dnscap.cli import UNREADABLE

    for fault in faults:
        say(fault)
    if faults:
        sys.stdout.flush()
        raise click.exceptions.Exit(UNREADABLE)


def say(text: str, who: str = "dnscap") -> None:
    """A line on standard error; names of files and in conditions may hold anything."""
    from dnscap.output.cells import safe

    click.echo(f"{who}: {safe(text)}", err=True)


def fail_on_option(command: F) -> F:
    """``--fail-on``: exit code 1 for scripts."""
    severities = click.Choice(["info", "low", "medium", "high"])
    option = click.option(
        "--fail-on", type=severities, help="Exit with 1 if there is a finding as severe as this."
    )
    return option(command)


def report_format_option(otherwise: str) -> Callable[[F], F]:
    """``--format`` of commands that print a report."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "html", "json"]),
        help=f"Default: {otherwise}, or what -o's ending says.",
    )


def wants_colour(output: str | None) -> bool:
    """Whether text for this output may have colours: a terminal that can, and NO_COLOR not set."""
    if output not in (None, "-") or os.environ.get("NO_COLOR"):
        return False
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def write_text(text: str, output: str | None) -> None:
    """Write text to standard output or a file."""
    from dnscap.output import output_stream

    with output_stream(output) as stream:
        stream.write(text.encode("utf-8", "replace") + b"\n")
