"""A trace as something to read: who holds the name, how it is delegated, and a timeline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dnscap.explain.styled import Line, coloured_text, html_text, plain_text, wrapped
from dnscap.explain.trace import CACHED, SECOND, Delegation, Holder, TraceEvent
from dnscap.explain.waterfall import WIDTH, style_of
from dnscap.output.cells import day, duration, full_time, safe, shortened

MOST_LINES = 200
"""Lines of the timeline; what lies between the first and the last of them is counted."""

MOST_HOLDERS = 40
_MOST_SERVERS = 4
_TIME, _PARTY = 9, 15
_WIDEST = 40
"""Columns of who asks whom at most, before the answer moves to a line of its own."""

WORDS = {
    "nxdomain": "no such name",
    "nodata": "no record of this type",
    "unanswered": "no answer",
    "unfinished": "capture ended",
    "servfail": "SERVFAIL",
    "refused": "REFUSED",
    "formerr": "FORMERR",
    "notimp": "NOTIMP",
}


class Trace:
    """What happened to a name; ``str()`` of it is text, notebooks show it with colours.

    Attributes
    ----------
    name : str
        The name asked about.
    names : list of str
        It and the names that it is an alias of.
    holders : list of Holder
        What each server held, by name and type.
    delegations : list of Delegation
        How the zones above it are delegated.
    events : list of TraceEvent
        In order of time.
    left_out : int
        Exchanges beyond what a trace holds.
    """

    def __init__(
        self,
        name: str,
        names: list[str],
        holders: list[Holder],
        delegations: list[Delegation],
        events: list[TraceEvent],
        left_out: int = 0,
    ) -> None:
        self.name = name
        self.names = names
        self.holders = holders
        self.delegations = delegations
        self.events = events
        self.left_out = left_out
        self._column = 0

    def __repr__(self) -> str:
        return f"<Trace of {safe(self.name)}: {len(self.events)} events>"

    def __str__(self) -> str:
        return plain_text(self.lines())

    def _repr_html_(self) -> str:
        return html_text(self.lines())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def text(self, *, colour: bool = False, width: int = WIDTH) -> str:
        """The trace as text.

        Parameters
        ----------
        colour : bool
            With terminal colours.
        width : int
            Columns of a line.
        """
        lines = self.lines(width=width)
        return coloured_text(lines) if colour else plain_text(lines)

    def to_json(self, *, indent: int | None = 1) -> str:
        """The whole trace as one JSON object."""
        return json.dumps(
            {
                "name": self.name,
                "names": self.names,
                "servers": [holder.as_row() for holder in self.holders],
                "delegation": [delegation.as_row() for delegation in self.delegations],
                "events": [event.as_row() for event in self.events],
                "left_out": self.left_out,
            },
            indent=indent,
        )

    def to_jsonl(self) -> str:
        """The events as JSON Lines."""
        return "\n".join(json.dumps(event.as_row(), separators=(",", ":")) for event in self.events)

    def lines(self, *, width: int = WIDTH) -> list[Line]:
        """Styled lines."""
        lines = self._heading(width)
        for part in (self._holding(width), self._delegated(width), self._timeline(width)):
            if part:
                lines += [[], *part]
        return lines

    # ------------------------------------------------------------ parts

    def _heading(self, width: int) -> list[Line]:
        lines: list[Line] = [[(shortened(safe(self.name), width), "bold")]]
        lines += wrapped("alias of " + " ".join(self.names[1:]), width, "  ") if self.names[1:] else []
        sent = [event for event in self.events if event.kind == "exchange"]
        if not sent:
            return [*lines, [("never asked for in this capture", "dim")]]
        first, last = sent[0].time, sent[-1].time
        askers = len({event.asker for event in sent})
        servers = len({event.server for event in sent})
        told = (
            f"from {full_time(first)}: {_count(len(sent), 'question')} in {duration(last - first)}, "
            f"{_count(askers, 'asker')}, {_count(servers, 'server')}"
        )
        return lines + wrapped(told, width, style="dim")

    def _holding(self, width: int) -> list[Line]:
        if not self.holders:
            return []
        lines: list[Line] = [[("what each server gave", "bold")]]
        several = len({holder.name for holder in self.holders}) > 1
        for holder in self.holders[:MOST_HOLDERS]:
            role = holder.role
            what = shortened(safe(holder.name), 24) + " " if several else ""
            head = f"  {shortened(holder.server, 24):<{_PARTY}}  {role:<13} {what}{holder.type:<5}"
            if holder.values:
                ttl = f"  TTL {holder.ttl_full}" if holder.ttl_full is not None else ""
                tail = f"{ttl}, {holder.changes} changes" if holder.changes > 1 else ttl
                tail += ", changed once" if holder.changes == 1 else ""
                room = max(width - len(head) - len(tail) - 1, 12)
                lines.append(
                    [(head + " ", ""), (shortened(_listed(holder.values), room), "good"), (tail, "")]
                )
            else:
                kept = f", kept {holder.ttl_full} s" if holder.ttl_full is not None else ""
                zone = f" ({shortened(safe(holder.zone), 24)})" if holder.zone else ""
                word = WORDS.get(holder.absent or "", holder.absent or "nothing")
                text = shortened(f"{word}{kept}{zone}", max(width - len(head) - 1, 12))
                lines.append([(head + " ", ""), (text, style_of(holder.absent or ""))])
        if len(self.holders) > MOST_HOLDERS:
            lines.append([(f"  … {len(self.holders) - MOST_HOLDERS} more", "dim")])
        return lines

    def _delegated(self, width: int) -> list[Line]:
        if not self.delegations:
            return []
        lines: list[Line] = [[("how it is delegated", "bold")]]
        for d in self.delegations:
            hosts = [
                f"{safe(host)} ({', '.join(d.addresses[host][:2])})" if d.addresses.get(host) else safe(host)
                for host in d.servers[:_MOST_SERVERS]
            ]
            more = f" and {len(d.servers) - _MOST_SERVERS} more" if len(d.servers) > _MOST_SERVERS else ""
            text = f"{safe(d.zone)} by {d.parent}, TTL {d.ttl}: {', '.join(hosts)}{more}"
            first, *rest = wrapped(text, width - 2)
            lines.append([("  ", ""), *first])
            lines += [[("      ", ""), *line] for line in rest]
        return lines

    def _timeline(self, width: int) -> list[Line]:
        if not self.events:
            return []
        start = self.events[0].time
        lines: list[Line] = [[("timeline", "bold"), (f" in seconds from {full_time(start)}", "dim")]]
        sent = [event for event in self.events if event.kind == "exchange"]
        self._column = min(max((2 * min(e.layer, 4) + len(_parties(e)) for e in sent), default=0), _WIDEST)
        body = list(self._rows(start, width))
        if len(body) > MOST_LINES:
            half = MOST_LINES // 2
            body = [*body[:half], [(f"  … {len(body) - 2 * half} more lines", "dim")], *body[-half:]]
        lines += body
        if self.left_out:
            lines.append([(f"  … {self.left_out:,} later questions left out", "dim")])
        return lines

    def _rows(self, start: int, width: int) -> Iterator[Line]:
        today = day(start)
        for run in _runs(self.events):
            first = run[0]
            if day(first.time) != today:
                today = day(first.time)
                yield [(f"{'':{_TIME}} {today}", "dim")]
            yield from self._event(first, start, width)
            if len(run) > 1:
                yield _repeated(run, start, width)

    def _event(self, event: TraceEvent, start: int, width: int) -> Iterator[Line]:
        indent = "  " * min(event.layer, 4)
        at = f"{_offset(event.time - start):>{_TIME}} "
        if event.kind == "expiry":
            late = f" ({event.notes[0]})" if event.notes else ""
            which = f"{shortened(safe(event.name), 24)} " if event.name != self.name else ""
            what = "copy" if event.outcome == "answer" else "absence"
            text = f"{indent}{event.server}: {what} of {which}{event.type} expires{late}"
            yield [(at, "dim"), (shortened(text, width - len(at)), "dim")]
            return
        parties = f"{indent}{_parties(event)}"
        which = f" {shortened(safe(event.name), 28)}" if event.name != self.name else ""
        head = f"{parties:<{self._column}}{which} {event.type:<{4 if not which else 0}}"
        said, style = self._said(event)
        notes = self._remarks(event)
        room = width - len(at) - len(head) - 1
        if len(said) + len(notes) + 2 <= room:
            yield [(at, ""), (head, ""), (" " + said, style), (("  " + notes).rstrip(), "dim")]
            return
        if len(said) <= room:
            yield [(at, ""), (head, ""), (" " + said, style)]
            yield from _hung(notes, len(at) + len(indent) + 2, width)
            return
        yield [(at, ""), (shortened(head, width - len(at)), "")]
        hang = len(at) + len(indent) + 2
        yield [(" " * hang, ""), (shortened(said, width - hang), style)]
        yield from _hung(notes, hang, width)

    def _said(self, event: TraceEvent) -> tuple[str, str]:
        outcome = event.outcome or ""
        style = style_of(outcome)
        if outcome in ("answer", "referral") and event.answer:
            ttl = f" TTL {event.ttl}" if event.ttl is not None else ""
            refers = "refers to " if outcome == "referral" else ""
            return f"{refers}{shortened(_listed(event.answer), 44)}{ttl}", style
        kept = f", kept {event.ttl} s" if event.ttl is not None else ""
        return f"{WORDS.get(outcome, outcome)}{kept}", style

    def _remarks(self, event: TraceEvent) -> str:
        said = []
        if event.cache is not None:
            said.append(event.cache)
        elif event.authoritative and event.outcome not in ("referral",):
            said.append("authoritative")
        if event.age and event.cache not in ("miss",) and not event.authoritative:
            said.append(f"{event.age} s old")
        if event.latency is not None and event.cache not in CACHED and event.layer == 0:
            said.append(duration(event.latency))
        return "; ".join([*said, *(safe(note) for note in event.notes)])


def _parties(event: TraceEvent) -> str:
    return f"{shortened(event.asker or '?', 18)} → {shortened(event.server, 18)}"


def _runs(events: list[TraceEvent]) -> Iterator[list[TraceEvent]]:
    """Events that say the same again and again, together."""
    run: list[TraceEvent] = []
    for event in events:
        if run and not _is_same(run[-1], event):
            yield run
            run = []
        run.append(event)
    if run:
        yield run


def _is_same(one: TraceEvent, other: TraceEvent) -> bool:
    """Whether an event adds nothing but a later time: the same copy given once more, the same silence."""
    return (
        one.kind == other.kind == "exchange"
        and (one.server, one.name, one.type, one.outcome, one.layer, one.cache)
        == (other.server, other.name, other.type, other.outcome, other.layer, other.cache)
        and sorted(one.answer) == sorted(other.answer)
        and other.cache in ("hit", "negative-hit", None)
        and not other.authoritative
        and "changed" not in other.notes
        and (one.expires is None or other.expires is None or abs(one.expires - other.expires) <= 2 * SECOND)
    )


def _repeated(run: list[TraceEvent], start: int, width: int) -> Line:
    last = run[-1]
    ttl = f", TTL down to {last.ttl}" if last.ttl is not None and last.ttl != run[0].ttl else ""
    askers = len({event.asker for event in run})
    who = f" by {askers} askers" if askers > 1 else ""
    indent = "  " * min(last.layer, 4)
    text = f"{indent}  the same {_count(len(run) - 1, 'time')} more{who}{ttl}"
    return [(f"{_offset(last.time - start):>{_TIME}} ", ""), (shortened(text, width - _TIME - 1), "dim")]


def _hung(text: str, indent: int, width: int) -> Iterator[Line]:
    if text:
        yield from ([(line[0][0], "dim")] for line in wrapped(text, width, " " * indent))


def _offset(time: int) -> str:
    """Seconds from the start, hours and minutes where they are many.

    Examples
    --------
    >>> _offset(1_500_000_000), _offset(7_261_000_000_000)
    ('+1.500', '+2:01:01')
    """
    if time < 1000 * SECOND:
        return f"+{time / SECOND:.3f}"
    seconds = round(time / SECOND)
    return f"+{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _listed(values: list[str]) -> str:
    texts = sorted(safe(value) for value in values)
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
