"""The command line. One module a command; each is imported only when it runs."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from pathlib import Path, PurePath
from typing import Any

import click

import dnscap

COMMANDS = {
    "summary": ("dnscap.cli.summary", "What is in a capture: traffic, top talkers, capture quality."),
    "diagnose": ("dnscap.cli.diagnose", "What is wrong, what it costs, what to do; the slowest lookups."),
    "report": ("dnscap.cli.report", "The diagnosis as one page: findings, timeline, waterfalls, servers."),
    "explain": ("dnscap.cli.explain", "One lookup: waterfall, time budget, evidence; or its frames."),
    "trace": ("dnscap.cli.trace", "One name: who asked whom, TTLs, copies in caches, changes, over time."),
    "findings": ("dnscap.cli.health", "One row per thing found wrong."),
    "servers": ("dnscap.cli.health", "One row per server: answers, silence, latency, TCP, EDNS."),
    "clients": ("dnscap.cli.health", "One row per client and stub, with its inferred configuration."),
    "live": ("dnscap.cli.live", "Lookups as they happen, from an interface or a growing stream."),
    "messages": ("dnscap.cli.tables", "One row per DNS message seen."),
    "records": ("dnscap.cli.tables", "One row per resource record."),
    "exchanges": ("dnscap.cli.tables", "One row per query sent, with its answer."),
    "lookups": (
        "dnscap.cli.tables",
        "One row per lookup of an application: its time, its outcome, its causes.",
    ),
    "names": ("dnscap.cli.tables", "One row per name, type and server: TTLs, value, changes, absence."),
    "rrsets": ("dnscap.cli.tables", "One row per value that a name had at a server, over time."),
    "resolutions": (
        "dnscap.cli.tables",
        "One row per query to a resolver: out of its cache, or what it asked upstream.",
    ),
    "connections": ("dnscap.cli.tables", "One row per TCP connection on DNS ports."),
    "events": ("dnscap.cli.tables", "ICMP errors, gaps, fragments that never came together."),
    "sources": ("dnscap.cli.tables", "One row per file section or interface."),
    "completion": ("dnscap.cli.completion", "Print the completion script for a shell."),
}
"""Name of each command: the module that holds it as an attribute of that name, and its help line."""

PROGRAMS = ("dnscap", "pydnscap")
"""Names under which the command is installed."""

FINE, USAGE, UNREADABLE, INTERRUPTED = 0, 2, 3, 130


class _ReaderGone(Exception):
    """The reader of our output has gone (head, less). Not an OSError: click has its own way with those."""


class LazyGroup(click.Group):
    """A group that imports a command when it is used, so that ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; where there is none, say what may be meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(f"{error.message}{_meant(args[0])}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, telling a reader that has gone from trouble of our own."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _ReaderGone from None


def _meant(word: str) -> str:
    """What someone may want who writes this in place of a command."""
    if Path(word).exists():
        return f" What to do with that file comes first: dnscap diagnose {word}"
    close = difflib.get_close_matches(word, COMMANDS, 1)
    if close:
        return f" Did you mean '{close[0]}'?"
    return ""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(dnscap.__version__)
def cli() -> None:
    """Say from packet captures why name resolution is slow. Reads pcap and pcapng, compressed or not, and streams.

    \b
    Examples:
      dnscap diagnose slow.pcap
      dnscap report slow.pcap -o report.html
      dnscap messages slow.pcap --where "rcode = 'SERVFAIL'"
      ssh host tcpdump -U -w - port 53 | dnscap messages - --format jsonl

    Exit codes: 0 fine, 1 where --fail-on says so, 2 a mistake in the command, 3 an input could not be read to
    its end (what was read is printed).
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 fine, 1 ``--fail-on``, 2 usage, 3 an unreadable input, 130 interrupted."""
    name = PurePath(sys.argv[0]).name
    try:
        code = cli.main(
            args=arguments, prog_name=name if name in PROGRAMS else PROGRAMS[0], standalone_mode=False
        )
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else FINE)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (_ReaderGone, BrokenPipeError):
        _drop_output()
        sys.exit(FINE)
    except dnscap.UsageError as error:
        _complain(error)
        try:
            sys.stdout.flush()
        except OSError:
            _drop_output()
        sys.exit(USAGE)
    except dnscap.CaptureError as error:
        _complain(error)
        sys.exit(UNREADABLE)


def _drop_output() -> None:
    """Nobody takes what is left: let nothing be flushed at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(error: Exception) -> None:
    from dnscap.cli.options import say

    say(str(error))
