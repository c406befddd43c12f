"""``dnscap summary``: what is in a capture, in a screenful."""

from __future__ import annotations

import io
from typing import Any

import click

from dnscap.cli.options import capture_arguments, open_capture, report_faults


@click.command()
@capture_arguments
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="Write to FILE.")
def summary(form: str, output: str | None, captures: tuple[str, ...], **narrowing: Any) -> None:
    """What is in a capture: traffic, top talkers, types, rcodes, capture quality.

    Counts of capture quality are of the whole capture, also where the rest is narrowed.

    \b
    Examples:
      dnscap summary slow.pcap
      dnscap summary --client 10.0.0.7 --format json traces/
      ssh host tcpdump -U -w - -c 1000 port 53 | dnscap summary -
    """
    from dnscap.cli.terminal import colours, width
    from dnscap.output import output_stream
    from dnscap.report.summary import summarize
    from dnscap.report.summary_json import write_json
    from dnscap.report.summary_text import write_text

    result = summarize(open_capture(captures, output=output, **narrowing))
    with output_stream(output) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", write_through=True)
        try:
            if form == "json":
                write_json(result, text)
            else:
                write_text(result, text, width=width(stream), colour=colours(stream))
        finally:
            text.detach()
    report_faults(result.faults)
