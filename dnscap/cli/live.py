"""``dnscap live``: lookups as they happen, from an interface or a growing stream."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dnscap.cli.options import FINDINGS, fail_on_option, say
from dnscap.errors import UsageError

if TYPE_CHECKING:
    from dnscap.live.frame_ring import FrameRing
    from dnscap.live.lines import Lines
    from dnscap.live.saving import Saver
    from dnscap.live.session import Session
    from dnscap.live.view.app import View

MOST_SAID = 10
"""Findings that are said after the view: all are in `dnscap diagnose` of what -w saved."""

_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


class Span(click.ParamType[float]):
    """A span of time: ``200ms``, ``30s``, ``5m``; a plain number is seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        if isinstance(value, float | int):
            return float(value)
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", str(value).strip().lower())
        if match is None or (match[2] or "s") not in _UNITS or not float(match[1]):
            self.fail(f"{value!r} is no span of time, such as 200ms, 30s, 5m or 1h", param, ctx)
        return float(match[1]) * _UNITS[match[2] or "s"]


class Size(click.ParamType[int]):
    """A number of octets: ``10M``, ``1Gi``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Octets."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(|[kmg]i?)b?", str(value).strip().lower())
        if match is None or int(float(match[1]) * _SIZES[match[2]]) < 1:
            self.fail(f"{value!r} is no size, such as 500k, 10M or 1Gi", param, ctx)
        return int(float(match[1]) * _SIZES[match[2]])


@click.command("live")
@click.argument("source", required=False, metavar="[-|FIFO]", type=click.Path())
@click.option("-i", "--interface", default="any", show_default=True, metavar="NAME", help="Interface.")
@click.option("-D", "--list-interfaces", is_flag=True, help="List interfaces, and nothing else.")
@click.option("-f", "--filter", "expression", metavar="BPF", help="What to capture, as tcpdump has it.")
@click.option("-p", "--promiscuous", is_flag=True, help="Also frames for other hosts.")
@click.option("-s", "--snaplen", type=click.IntRange(64, 262_144), metavar="N", help="Octets of a frame.")
@click.option(
    "-B", "--buffer", type=Size(), default="32Mi", show_default=True, metavar="SIZE", help="Kernel's ring."
)
@click.option(
    "--port",
    "ports",
    type=click.IntRange(1, 65535),
    multiple=True,
    metavar="PORT",
    help="Also take this port as DNS.",
)
@click.option("-c", "--count", type=click.IntRange(1), metavar="N", help="End after N packets.")
@click.option("--duration", type=Span(), metavar="SPAN", help="End after this time (30s, 5m).")
@click.option("--lines", "as_lines", is_flag=True, help="Lines even on a terminal.")
@click.option("--exchanges", "table", flag_value="exchanges", help="A line per query instead of per lookup.")
@click.option("--messages", "table", flag_value="messages", help="A line per message.")
@click.option(
    "--findings", "table", flag_value="findings", help="A line per finding, when it appears or gets worse."
)
@click.option(
    "--format", "form", type=click.Choice(["text", "jsonl", "csv"]), help="Of lines; default: text."
)
@click.option("--slow", type=Span(), metavar="SPAN", help="Only what took this long (200ms).")
@click.option("--failed", is_flag=True, help="Only what failed; with --slow, either.")
@click.option("--where", metavar="EXPR", help="Only rows that meet a SQL condition.")
@click.option(
    "-w", "--write", metavar="FILE", type=click.Path(dir_okay=False), help="Save all frames as pcapng."
)
@click.option("-C", "--rotate-size", type=Size(), metavar="SIZE", help="A new file after this size (100M).")
@click.option("-G", "--rotate-time", type=Span(), metavar="SPAN", help="A new file after this time (1h).")
@click.option("--keep", type=click.IntRange(1), metavar="N", help="Keep the latest N files.")
@click.option("--metrics", metavar="ADDR:PORT", help="Serve metrics for Prometheus there.")
@click.option("-Z", "--user", metavar="USER", help="Whom to become once all is open; root: stay root.")
@click.option("-q", "--quiet", is_flag=True, help="No findings and no closing words on standard error.")
@fail_on_option
def live(
    source: str | None,
    interface: str,
    list_interfaces: bool,
    expression: str | None,
    promiscuous: bool,
    snaplen: int | None,
    buffer: int,
    ports: tuple[int, ...],
    count: int | None,
    duration: float | None,
    as_lines: bool,
    table: str | None,
    form: str | None,
    slow: float | None,
    failed: bool,
    where: str | None,
    write: str | None,
    rotate_size: int | None,
    rotate_time: float | None,
    keep: int | None,
    metrics: str | None,
    user: str | None,
    quiet: bool,
    fail_on: str | None,
) -> None:
    """Watch lookups as they happen, from an interface or from a capture that is still being written.

    A terminal gets a full-screen view (? lists its keys, q quits). Elsewhere, with --lines and with options that say
    what a line is, each lookup is a line once it is over, and findings appear on standard error as soon as they
    show. Ctrl-C ends with a summary. Capturing needs root or the capability CAP_NET_RAW; both are given up once
    everything is open.

    \b
    Examples:
      sudo dnscap live
      sudo dnscap live -i eth0 --slow 200ms --failed
      sudo dnscap live -w dns.pcapng -C 100M --keep 10 --format jsonl > lookups.jsonl
      ssh host tcpdump -U -w - port 53 | dnscap live -
      kubectl exec pod -- tcpdump -U -w - port 53 | dnscap live - --exchanges

    Exit codes: 0 fine, 1 findings (--fail-on), 2 usage, 3 capturing ended early (what was gathered is kept).
    """
    from dnscap.cli import UNREADABLE
    from dnscap.live import opening, privileges
    from dnscap.live.frame_ring import FrameRing
    from dnscap.live.lines import Lines
    from dnscap.live.rehearsal import rehearse
    from dnscap.live.saving import Saver
    from dnscap.live.session import Session
    from dnscap.messages.decoding import DNS_PORTS
    from dnscap.report.text import at_least

    if list_interfaces:
        for name, description in opening.interfaces():
            click.echo(f"{name}  {description}".rstrip())
        return
    all_ports = (*DNS_PORTS, *ports)
    full_screen = not (as_lines or table or form or where) and _may_draw()
    lines = None
    if not full_screen:
        lines = Lines(
            sys.stdout.buffer,
            table or "lookups",
            form or "text",
            slow=None if slow is None else round(slow * 1e9),
            failed=failed,
            where=where,
        )
    if source is not None:
        if not opening.is_stream(source):
            what = "is no stream" if Path(source).exists() else "no such file or stream"
            raise UsageError(f"{source}: {what}; an interface is named with -i {source}")
        feed = opening.open_stream(source)
    else:
        feed = opening.open_interface(
            interface,
            filter=expression,
            ports=all_ports,
            snaplen=snaplen or opening.SNAPLEN,
            ring=buffer,
            promiscuous=promiscuous,
        )
    with contextlib.ExitStack() as open_things:
        open_things.callback(feed.close)
        saver = Saver(write, rotate_size=rotate_size, rotate_time=rotate_time, keep=keep) if write else None
        ring = FrameRing() if full_screen else None
        session = Session(
            feed, dns_ports=all_ports, saver=saver, frames=count or 0, duration=duration, ring=ring
        )
        if slow is not None:
            session.totals.threshold = round(slow * 1e9)
        if metrics is not None:
            from dnscap.live.metrics import serve

            open_things.callback(serve(metrics, session))
        view = None
        if full_screen:
            view = _view(session, ring, leave=bool(count or duration), troubled=failed or slow is not None)
        rehearse()  # nothing has to be loaded later, when it may not be readable any more
        _become(privileges.account_for(user), saver)
        open_things.enter_context(session)
        with _signals(session, view):
            if view is not None:
                from dnscap.live.view.app import run

                run(view)
            else:
                _write(session, lines, quiet)
    if not quiet:
        worth = [finding for finding in session.findings if finding.severity != "info"]
        if view is not None:
            worth = (
                view.watched.worst_findings()
            )  # those too that showed, and were not worth a word in the end
            for finding in worth[:MOST_SAID]:
                say(f"{finding.severity}: {finding.id}: {finding.title}", "finding")
        _closing_words(session, saver, len(worth))
    sys.stdout.flush()
    if session.fault is not None:
        say(str(session.fault))
        raise click.exceptions.Exit(UNREADABLE)
    if fail_on is not None and at_least(session.findings, fail_on):
        raise click.exceptions.Exit(FINDINGS)


def _may_draw() -> bool:
    """Whether there is a terminal for the view, and what draws it."""
    if not sys.stdout.isatty():
        return False
    try:
        from dnscap.live.view.driver import terminal
    except ImportError:
        say("the full-screen view needs Textual (pip install textual): lines instead", "note")
        return False
    return terminal()


def _view(session: Session, ring: FrameRing | None, *, leave: bool, troubled: bool) -> View:
    """The full-screen view of a session, with all that it needs loaded."""
    from dnscap.live.view.app import View, load
    from dnscap.live.view.driver import TerminalDriver
    from dnscap.live.view.watch import Watch

    load()
    watch = Watch(session, ring)
    return View(watch, leave=leave, troubled=troubled, driver_class=TerminalDriver)


def _write(session: Session, lines: Lines | None, quiet: bool) -> None:
    """Write lines as they come."""
    for batch in session:
        if lines is not None:
            lines.write(batch)
        if not quiet:
            for finding in batch.findings:
                say(f"{finding.severity}: {finding.id}: {finding.title}", "finding")


def _become(account: Any, saver: Saver | None) -> None:
    """Give up privileges, where what is still to be opened allows it."""
    from dnscap.live import privileges

    if account is not None and saver is not None:
        saver.give_to(account.user, account.group)
    privileges.give_up(account)
    if saver is not None and saver.rotates and not os.access(saver.directory or ".", os.W_OK | os.X_OK):
        raise UsageError(
            f"the user {account.name if account else os.geteuid()} may not make further files in {saver.directory}; "
            "name a directory of that user, another user with -Z, or -Z root"
        )


@contextlib.contextmanager
def _signals(session: Session, view: View | None = None) -> Iterator[None]:
    """SIGINT and SIGTERM end the session as it should end; with a view, so does the loss of its terminal."""

    def end(*_: Any) -> None:
        session.stop()
        if view is not None:
            view.left = True

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if view is not None else [])):
        before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _closing_words(session: Session, saver: Saver | None, findings: int) -> None:
    from dnscap.findings.rule import plural

    totals = session.totals
    counters = totals.counters
    words = [plural(session.frames, "frame")]
    if counters is not None:
        dropped = counters.dropped + counters.interface_dropped
        words.append(f"{plural(dropped, 'frame')} dropped" if dropped else "none dropped")
    lookups = sum(totals.lookups.values())
    words.append(plural(lookups, "lookup"))
    words.append(f"{totals.slow:,} slow")
    words.append(f"{totals.failed:,} failed")
    words.append(plural(findings, "finding"))
    say(", ".join(words))
    if saver is not None and saver.written:
        files = saver.written
        more = f" and {len(files) - 1:,} before it" if len(files) > 1 else ""
        say(f"frames are in {files[-1]}{more}")
