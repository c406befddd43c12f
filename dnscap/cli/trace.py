"""``dnscap trace``: what happened to one name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from dnscap.cli.options import capture_arguments, open_capture, report_quality, wants_colour, write_text
from dnscap.errors import UsageError


@click.command("trace")
@click.argument("traced", metavar="NAME")
@capture_arguments
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "jsonl"]), default="text", show_default=True
)
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="Write to FILE.")
def trace(
    traced: str, form: str, output: str | None, captures: tuple[str, ...], name: str | None, **narrowing: Any
) -> None:
    """What happened to NAME at every layer: who asked whom, what was answered and for how long.

    First what each server gave, then how the zone is delegated, then a timeline: questions indented below
    those for which they were asked, answers with their TTL, where caches had them from, copies that expire,
    values that change. Names that NAME is an alias of are followed.

    \b
    Examples:
      dnscap trace www.example.com resolver.pcap
      dnscap trace _acme-challenge.example.com *.pcap --since 2026-05-01T12:00:00Z
      dnscap trace www.example.com resolver.pcap --format jsonl
    """
    from dnscap.cli.terminal import width

    if name is not None:
        raise UsageError("the name to trace is the first argument; --name has no place here")
    if Path(traced).exists() and not any(Path(one).exists() for one in captures):
        raise UsageError(f"the name comes before the captures: dnscap trace {captures[0]} {traced}")
    capture = open_capture(captures, name=None, output=output, **narrowing)
    found = capture.trace(traced)
    if form == "json":
        write_text(found.to_json(), output)
    elif form == "jsonl":
        write_text(found.to_jsonl(), output)
    else:
        columns = width(sys.stdout.buffer) if output in (None, "-") else 80
        write_text(found.text(colour=wants_colour(output), width=columns), output)
    report_quality(capture.quality_so_far)
