"""A lookup and its exchanges as something to read: in a terminal, a pipe or a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dnscap.explain.styled import Line, coloured_text, plain_text, wrapped
from dnscap.explain.waterfall import WIDTH, waterfall
from dnscap.findings import RULES
from dnscap.findings.costs import shares_of
from dnscap.output.cells import duration, full_time, safe, shortened
from dnscap.resolutions.walk import Walk

BUDGET = {
    "t_timeout": "waiting in vain for answers",
    "t_failed_server": "replies that did not help",
    "t_edns": "asking again without EDNS",
    "t_truncation": "TCP after a truncated answer",
    "t_search": "search-list candidates",
    "t_serial": "second family asked after the first",
    "t_answer": "the useful wait",
    "t_gap": "the client did nothing",
}

BASES = {
    "packet": "an answer ended it",
    "timer": "the stub's timer ended it, modelled",
    "next-lookup": "it had ended when the next began",
    "unknown": "its end is not seen",
}

_MOST_LISTED = 16


class Explanation:
    """One lookup, explained; ``str()`` of it is the waterfall as text.

    Attributes
    ----------
    lookup : dict
        Its row of the lookups table; times and durations are nanoseconds.
    exchanges : list of dict
        Its rows of the exchanges table in order of time, likewise.
    connections : list of dict
        TCP connections that it tried in vain, likewise.
    walks : list of Walk
        What the resolver asked upstream for its queries, where that is in the capture.
    """

    def __init__(
        self,
        lookup: dict[str, Any],
        exchanges: list[dict[str, Any]],
        connections: Iterable[dict[str, Any]] = (),
        walks: Iterable[Walk] = (),
    ) -> None:
        self.lookup = lookup
        self.exchanges = sorted(exchanges, key=lambda row: (row["time"], row["exchange"]))
        self.connections = [row for row in connections if tried_in_vain(row, lookup)]
        self.walks = list(walks)

    def __repr__(self) -> str:
        return f"<Explanation of lookup {self.lookup['lookup']}: {safe(self.lookup['name'] or '?')}>"

    def __str__(self) -> str:
        return plain_text(self.lines())

    def _repr_html_(self) -> str:
        from dnscap.explain.drawing import explanation_html, standing_alone

        return standing_alone(explanation_html(self))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def text(self, *, colour: bool = False, evidence: bool = True, width: int = WIDTH) -> str:
        """The explanation as text.

        Parameters
        ----------
        colour : bool
            With terminal colours.
        evidence : bool
            With what lies below the waterfall: causes explained, frames.
        width : int
            Columns of a line.
        """
        lines = self.lines(width=width, evidence=evidence)
        return coloured_text(lines) if colour else plain_text(lines)

    def lines(self, *, width: int = WIDTH, evidence: bool = True) -> list[Line]:
        """Styled lines: what was asked, the waterfall, the budget, the evidence."""
        lines = [
            *self._heading(width),
            [],
            *waterfall(self.lookup, self.sent, width),
            [],
            *self._budget(width),
        ]
        if evidence:
            lines += self._causes(width)
            lines += self._upstream()
            lines += self._evidence(width)
        return lines

    @property
    def sent(self) -> list[dict[str, Any]]:
        """Transmissions and vain connections in order of time, as lines of the waterfall."""
        attempts = [_attempt(row, self.exchanges) for row in self.connections]
        return sorted([*self.exchanges, *attempts], key=lambda row: row["time"])

    @property
    def waited(self) -> int:
        """Nanoseconds that the application waited; what the client idled within the lookup is left out."""
        return (self.lookup["duration"] or 0) - (self.lookup["t_gap"] or 0)

    def facts(self) -> list[tuple[str, str]]:
        """Aliases, answers and frames, each with its label; no text where there are none."""
        frames = sorted(
            {
                row[name]
                for row in self.exchanges
                for name in ("query_frame", "response_frame")
                if row.get(name)
            }
        )
        return [
            ("aliases", " ".join(list(self.lookup["cname_chain"] or ())[:_MOST_LISTED])),
            ("answers", _listed(list(self.lookup["answers"] or ()), _MOST_LISTED)),
            ("frames", _listed(frames, 2 * _MOST_LISTED)),
        ]

    # ------------------------------------------------------------ parts

    def _heading(self, width: int) -> list[Line]:
        row = self.lookup
        types = " ".join(row["qtypes"] or ())
        number = f"lookup {row['lookup']}  "
        name = shortened(safe(row["name"] or "?"), max(width - len(number) - len(types) - 2, 10))
        stub = f" ({row['stub']})" if row["stub"] else ""
        good = row["outcome"] == "ok"
        took = duration(row["duration"] or 0)
        hedge = ""
        if row["end_basis"] not in (None, "packet") and row["duration_min"] != row["duration_max"]:
            hedge = f" ({duration(row['duration_min'])} to {duration(row['duration_max'])})"
        lines: list[Line] = [
            [(number, "dim"), (name, "bold"), (f"  {types}", "")],
            [(f"{full_time(row['time'])}  client {row['client']}{stub}", "dim")],
            [
                (
                    row["outcome"],
                    "good" if good else "negative" if row["outcome"] in ("nxdomain", "nodata") else "bad",
                ),
                (f" after {took}{hedge}; {BASES.get(row['end_basis'] or '', '')}".rstrip("; "), ""),
            ],
        ]
        if row["causes"]:
            lines.append([("because of ", ""), (", ".join(row["causes"]), "bad")])
        if not row["name_certain"] and len(row["candidates"] or ()) > 1:
            lines.append([("the name that the application gave is a guess", "dim")])
        return lines

    def _budget(self, width: int) -> list[Line]:
        parts = [(name, self.lookup[name] or 0) for name in BUDGET]
        total = sum(took for _, took in parts)
        if total <= 0:
            return []
        lines: list[Line] = [[("where the time went", "bold")]]
        room = max(width - 2 - 9 - 7 - 2 - 36 - 1, 8)
        for name, took in sorted(parts, key=lambda part: -part[1]):
            if took <= 0:
                continue
            filled = max(1, round(room * took / total))
            lines.append(
                [
                    (f"  {duration(took):>9} {100 * took / total:5.1f} %  ", ""),
                    (("█" * filled).ljust(room), "bad" if name not in ("t_answer", "t_gap") else "good"),
                    (f" {BUDGET[name]}", ""),
                ]
            )
        return lines

    def _causes(self, width: int) -> list[Line]:
        lines: list[Line] = []
        shares = shares_of(self.lookup)
        for cause in self.lookup["causes"] or ():
            rule = next((rule for rule in RULES if cause in rule.causes), None)
            took = f", {duration(round(shares[cause][0] * 1e9))}" if shares[cause][0] else ""
            lines += [[], [(cause, "bad"), (took, "")]]
            if rule is not None:
                lines += wrapped(rule.explanation, width, "  ")
                lines += wrapped(f"Not so if: {rule.disproved_by}", width, "  ", "dim")
        return lines

    def _upstream(self) -> list[Line]:
        """What the resolver did meanwhile: a line a hop."""
        lines: list[Line] = []
        for walk in self.walks:
            heading, *hops = walk.lines()
            lines += [[], [(heading, "bold")], *([(text, "")] for text in hops)]
        return lines

    def _evidence(self, width: int) -> list[Line]:
        lines: list[Line] = [[]]
        for label, text in self.facts():
            if text:
                lines += wrapped(f"{label}: {text}", width, style="dim" if label == "frames" else "")
        return lines


def _listed(things: list[Any], most: int) -> str:
    more = f" and {len(things) - most} more" if len(things) > most else ""
    return " ".join(map(str, things[:most])) + more


def tried_in_vain(connection: dict[str, Any], lookup: dict[str, Any]) -> bool:
    """Whether a TCP connection that carried nothing was tried by this lookup."""
    return (
        bool(lookup["tcp_fallback"] or "tcp-blocked" in (lookup["causes"] or ()))
        and not connection["queries"]
        and connection["client"] == lookup["client"]
        and connection["server"] in (lookup["servers"] or ())
        and lookup["time"] <= connection["time"] <= lookup["time"] + (lookup["duration"] or 0)
    )


def _attempt(connection: dict[str, Any], exchanges: list[dict[str, Any]]) -> dict[str, Any]:
    """A connection that was tried in vain as a line of the waterfall."""
    refused = connection["end"] in ("refused", "reset")
    before = [row for row in exchanges if row["time"] <= connection["time"]]
    return {
        "time": connection["time"],
        "latency": connection["end_time"] - connection["time"] if refused else None,
        "qname": before[-1]["qname"] if before else None,
        "qtype": "SYN",
        "role": "tcp-fallback",
        "server": connection["server"],
        "transport": "tcp",
        "outcome": "reset" if refused else "unanswered",
    }
