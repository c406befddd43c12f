"""A summary as text for people: a screenful, eighty columns, nothing that could steer the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TextIO

from dnscap.output.cells import clock, duration, full_time, safe, shortened, width_of
from dnscap.quality import COUNTS
from dnscap.report.summary import Input, Summary, Top

LABEL = 13
"""Columns of the label before each line."""

SHOWN = 5
"""Clients, servers, names and inputs shown."""

SHARES = 8
"""Types and rcodes shown in a line."""


def write_text(summary: Summary, stream: TextIO, *, width: int = 80, colour: bool = False) -> None:
    """Write a summary for people.

    Parameters
    ----------
    summary : Summary
        What to show.
    stream : text file object
        Where to write.
    width : int
        Columns of a line at most.
    colour : bool
        Whether to mark labels and warnings with terminal colours.
    """
    page = _Page(max(width, 40), colour)
    _inputs(page, summary)
    _traffic(page, summary)
    if summary.queries or summary.responses:
        _top(page, "Clients", summary.clients, "failed")
        _top(page, "Servers", summary.servers, "failed")
        _top(page, "Names", summary.names, "nxdomain")
        page.gap()
        _questions(page, summary)
        _exchanges(page, summary)
    _connections(page, summary)
    page.gap()
    _malformed(page, summary)
    _quality(page, summary)
    stream.write("\n".join(page.lines).rstrip("\n") + "\n")


class _Page:
    def __init__(self, width: int, colour: bool) -> None:
        self.width = width
        self.lines: list[str] = []
        self._colour = colour

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def gap(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def put(self, label: str, text: str, *, warning: bool = False) -> None:
        """A line with its label; long text goes on in further lines."""
        whole = text.replace(" %", "\xa0%")  # a number and its sign stay in one line
        pieces = textwrap.wrap(whole, self.width - LABEL, break_long_words=True, break_on_hyphens=False)
        for number, piece in enumerate(piece.replace("\xa0", " ") for piece in pieces):
            head = (label if number == 0 else "").ljust(LABEL)
            shown = self.paint(piece, "33") if warning else piece
            self.lines.append((self.paint(head, "1") if number == 0 and label else head) + shown)

    def row(self, label: str, left: str, cells: Sequence[str]) -> None:
        """A line of a small table: text on the left, numbers on the right."""
        right = "".join(f"{cell:>10}" for cell in cells)
        room = self.width - LABEL - len(right)
        left = shortened(left, room - 1)
        head = label.ljust(LABEL)
        self.lines.append(
            (self.paint(head, "1") if label else head) + left + " " * (room - width_of(left)) + right
        )


def _inputs(page: _Page, summary: Summary) -> None:
    inputs = summary.inputs
    for item in inputs[:SHOWN]:
        what = [item.format, item.link_type]
        if item.interface:
            what.append(safe(item.interface))
        told = ", ".join([*what, _count(item.frames, "frame")])
        name = shortened(safe(item.name), page.width - width_of(told) - 2)
        page.lines.append(page.paint(name, "1") + "  " + told)
    if len(inputs) > SHOWN:
        frames = sum(item.frames for item in inputs[SHOWN:])
        page.lines.append(f"… and {_count(len(inputs) - SHOWN, 'more input')}, {_count(frames, 'frame')}")
    span = _span(inputs)
    if span is not None:
        first, last = span
        until = clock(last) + "Z" if full_time(first)[:10] == full_time(last)[:10] else full_time(last)
        page.lines.append(f"{full_time(first)} to {until} ({duration(last - first)})")
    page.gap()


def _span(inputs: Iterable[Input]) -> tuple[int, int] | None:
    firsts = [item.first_time for item in inputs if item.first_time is not None]
    lasts = [item.last_time for item in inputs if item.last_time is not None]
    return (min(firsts), max(lasts)) if firsts and lasts else None


def _traffic(page: _Page, summary: Summary) -> None:
    if not summary.messages:
        page.put("Messages", "no DNS messages")
        if summary.quality.get("other_ports"):
            page.put("", "--port N takes a port as DNS; DNS over TLS and HTTPS cannot be read")
        return
    unicast = summary.queries + summary.responses
    parts = [f"{_count(summary.queries, 'query', 'queries')}, {_count(summary.responses, 'response')}"]
    if len(summary.transports) > 1:
        parts.append(_shares(summary.transports, unicast, upper=True))
    elif summary.transports:
        parts[0] += " over " + next(iter(summary.transports)).upper()
    if unicast or not summary.multicast:
        page.put("Messages", "; ".join(parts))
    for kind, (queries, responses) in summary.multicast.items():
        name = {"mdns": "mDNS", "llmnr": "LLMNR"}[kind]
        page.put(
            name, f"{_count(queries, 'query', 'queries')}, {_count(responses, 'response')}; not counted below"
        )
    if summary.sightings:
        page.put(
            "Seen again", f"{_count(summary.sightings, 'message')} at another interface; not counted below"
        )
    if summary.headless:
        page.put("No header", f"{_count(summary.headless, 'payload')} of fewer than 12 octets")
    span = summary.duration
    if span and span >= 10**9:
        rate = f"{_rate(summary.messages * 1e9 / span)} messages per second"
        if summary.peak:
            rate += f", at most {summary.peak[1]:,} in the second from {clock(summary.peak[0])[:8]}"
        page.put("Rate", rate)
    page.gap()


def _top(page: _Page, label: str, top: Top, third: str) -> None:
    if not top.rows:
        return
    title = f"{'' if top.distinct_exact else 'at least '}{top.distinct:,}"
    shown = top.rows[:SHOWN]
    if top.distinct > len(shown):
        title += f", {len(shown)} most frequent"
    page.row(label, title, ("queries", "responses", third))
    for row in shown:
        cells = [f"{count:,}" if count else "-" for count in row.counts]
        page.row("", safe(row.text), cells)
    if error := max(row.error for row in shown):
        page.put("", f"so many different ones that each may have up to {error:,} more")


def _questions(page: _Page, summary: Summary) -> None:
    if summary.types:
        page.put("Types", _shares(summary.types, sum(summary.types.values())))
    elif summary.type_responses:
        page.put(
            "Types", _shares(summary.type_responses, sum(summary.type_responses.values())) + " of responses"
        )
    others = {name: count for name, count in summary.opcodes.items() if name != "QUERY"}
    if others:
        page.put("Opcodes", _shares(summary.opcodes, sum(summary.opcodes.values())))
    if summary.rcodes:
        page.put("Rcodes", _shares(summary.rcodes, summary.responses))
    if summary.queries:
        _edns(page, summary)
    if summary.responses:
        text = f"{_count(summary.truncated, 'response')} truncated, " if summary.truncated else ""
        page.put("Sizes", f"{text}largest response {summary.largest_response:,} octets")


def _exchanges(page: _Page, summary: Summary) -> None:
    exchanges = summary.exchanges
    if exchanges.outcomes:
        page.put("Outcomes", _shares(exchanges.outcomes, exchanges.total))
    if exchanges.latency_max is not None:
        median, most, nearly = (duration(exchanges.latency[percent]) for percent in (50, 95, 99))
        page.put(
            "Latency",
            f"median {median}, 95\xa0% within {most}, 99\xa0% within {nearly}, "
            f"longest {duration(exchanges.latency_max)}",
        )


def _edns(page: _Page, summary: Summary) -> None:
    edns = summary.edns
    if not edns.queries:
        page.put("EDNS", "in no query")
        return
    text = (
        f"in {_percent(edns.queries, summary.queries)} of queries, DO in {_percent(edns.do, summary.queries)}"
    )
    sizes = list(edns.udp_sizes.items())
    listed = ", ".join(f"{size} ({_percent(count, edns.queries)})" for size, count in sizes[:4])
    more = f" and {len(sizes) - 4} more" if len(sizes) > 4 else ""
    page.put("EDNS", f"{text}; UDP sizes {listed}{more}")


def _connections(page: _Page, summary: Summary) -> None:
    connections = summary.connections
    if not connections.total:
        return
    ends = ", ".join(f"{count:,} {end}" for end, count in connections.ends.items())
    text = (
        f"{_count(connections.total, 'connection')} ({ends}), "
        f"{_count(connections.queries, 'query', 'queries')}, {_count(connections.responses, 'response')}"
    )
    if connections.retransmissions:
        text += f", {_count(connections.retransmissions, 'segment')} sent again"
    page.put("TCP", text)


def _malformed(page: _Page, summary: Summary) -> None:
    if summary.malformed:
        listed = ", ".join(f"{count:,} {status}" for status, count in summary.malformed.items())
        page.put("Malformed", f"{_count(sum(summary.malformed.values()), 'message')}: {listed}", warning=True)
    if summary.incomplete:
        listed = ", ".join(f"{count:,} {status}" for status, count in summary.incomplete.items())
        page.put(
            "Incomplete", f"{_count(sum(summary.incomplete.values()), 'message')}: {listed}", warning=True
        )
    if summary.events:
        listed = ", ".join(f"{count:,} {kind}" for kind, count in summary.events.items())
        page.put("Events", listed)


def _quality(page: _Page, summary: Summary) -> None:
    lacking: list[str] = []
    passed: list[str] = []
    if summary.drops:
        lacking.append(f"{summary.drops:,} packets dropped while capturing, as the file tells")
    for counted in COUNTS:
        count = summary.quality.get(counted.name, 0)
        if count and counted.weight != "plain":
            words = f"{_count(count, counted.noun)} {counted.rest}"
            (lacking if counted.weight == "lost" else passed).append(words)
    if summary.connections.gap_octets:
        lacking.append(f"{summary.connections.gap_octets:,} octets missing from TCP streams")
    if not lacking and not summary.faults and not summary.notes:
        lossless = "nothing missing, as far as the capture tells"
        page.put("Quality", lossless if summary.drops is None else f"{lossless}; no packets dropped")
    for number, text in enumerate(lacking):
        page.put("Quality" if number == 0 else "", text, warning=True)
    if passed:
        page.put("Also", ", ".join(passed))
    for note in summary.notes:
        page.put("Note", safe(note))
    for fault in summary.faults:
        page.put("Fault", safe(fault), warning=True)


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _percent(part: int, whole: int) -> str:
    if not whole:
        return "-"
    share = 100 * part / whole
    if part and share < 0.1:
        return "<0.1 %"
    if part < whole and share > 99.9:
        return ">99.9 %"
    return f"{share:.0f} %" if share >= 99.95 or share == int(share) else f"{share:.1f} %"


def _shares(counts: dict[str, int], whole: int, *, upper: bool = False) -> str:
    items = list(counts.items())
    listed = [f"{name.upper() if upper else name} {_percent(count, whole)}" for name, count in items[:SHARES]]
    if len(items) > SHARES:
        rest = sum(count for _, count in items[SHARES:])
        listed.append(f"{len(items) - SHARES} more {_percent(rest, whole)}")
    return ", ".join(listed)


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}" if rate >= 0.01 else "fewer than 0.01"
