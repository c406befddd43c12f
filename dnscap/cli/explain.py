"""``dnscap explain``: one lookup as a waterfall, with its evidence."""

from __future__ import annotations

import click

from dnscap.cli.options import open_capture, report_quality, wants_colour, write_text
from dnscap.errors import UsageError


@click.command("explain")
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE... [ID]")
@click.option("--name", metavar="NAME", help="The lookups of this name, the slowest first.")
@click.option("--frame", type=click.IntRange(1), metavar="N", help="The lookup that this frame belongs to.")
@click.option(
    "-w",
    "--write",
    "target",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write its frames to FILE as pcapng, each with a comment.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    metavar="N",
    help="Lookups to show at most.",
)
@click.option(
    "--port",
    "ports",
    type=click.IntRange(1, 65535),
    multiple=True,
    help="Also take this UDP and TCP port as DNS; may be repeated.",
)
def explain(
    captures: tuple[str, ...],
    name: str | None,
    frame: int | None,
    target: str | None,
    limit: int,
    ports: tuple[int, ...],
) -> None:
    """One lookup: a waterfall of its transmissions, where its time went, and what shows it.

    ID is the lookup's number, as `dnscap lookups` and the evidence of findings have it. A line of the
    waterfall is a transmission; `>` marks those that the application waited for. `●` is an answer, `○` a
    negative one, `×` an error, `?` no answer.

    \b
    Examples:
      dnscap explain slow.pcap 17
      dnscap explain slow.pcap --name www.example.com
      dnscap explain slow.pcap 17 -w lookup.pcapng
    """
    number = None
    if name is None and frame is None:
        *files, last = captures
        if not files or not last.isdecimal():
            raise UsageError("say which lookup: its number after the captures, --name or --frame")
        captures, number = tuple(files), int(last)
    capture = open_capture(
        captures,
        since=None,
        until=None,
        client=None,
        server=None,
        name=None,
        ports=ports,
        output=target,
    )
    found = capture.explanations(number, name=name, frame=frame, limit=limit)
    if not found:
        wanted = (
            f"lookup {number}"
            if number is not None
            else f"lookup of {name}"
            if name is not None
            else f"lookup with frame {frame}"
        )
        raise UsageError(f"no {wanted} in {', '.join(capture.inputs[:3])}; `dnscap lookups` lists them")
    colour = wants_colour(None)
    write_text("\n\n".join(explanation.text(colour=colour) for explanation in found), None)
    if target is not None:
        written = capture.write_lookup(found[0], target)
        click.echo(f"Wrote {written} frames of lookup {found[0].lookup['lookup']} to {target}", err=True)
    report_quality(capture.quality_so_far)
