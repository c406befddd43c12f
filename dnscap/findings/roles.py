"""Who asks whom for what: servers that do not recurse, or answer for themselves, and clients that ask very much."""

from __future__ import annotations

from collections.abc import Iterator

from dnscap.findings.habit_rule import HabitRule
from dnscap.findings.habits import Habits
from dnscap.findings.rule import Facts, Finding, plural
from dnscap.messages.around import address_text

ENOUGH = 5
"""Answers without RA before a server is said not to recurse."""

BUSY = 1_000
"""Queries in a second: the upper end of what a limit for one client is set to."""


class RaMissing(HabitRule):
    """A server that does not recurse is asked to."""

    id = "ra-missing"
    certainty = 0.8
    explanation = (
        "Clients ask this server with RD, as one asks a resolver, and none of its answers has RA: it does not "
        "recurse, at least not for them, and has nothing for names of other zones. Stubs go on to their next server, "
        "or give up."
    )
    remedy = "Take it out of the clients' list of servers, or allow them to recurse there."
    disproved_by = "Answers with RA to other clients; or the queries coming from a tool that tests zones."

    def look_at(self, facts: Facts, habits: Habits) -> Iterator[Finding]:
        """Give one finding a server."""
        for row in sorted(habits.askers, key=lambda row: -row["bare"]):
            if row["bare"] >= ENOUGH and not row["both"] and not row["aside"]:
                server = address_text(row["address"])
                yield self.tell(
                    facts,
                    server,
                    f"{server} is asked to recurse and does not: {plural(row['bare'], 'answer')} without RA or AA",
                    frames=row["bare_frames"],
                    queries=row["bare"],
                )


class AaFromRecursive(HabitRule):
    """A resolver answers some names with authority."""

    id = "aa-from-recursive"
    certainty = 0.9
    explanation = (
        "A server that recurses (RA) answered some questions with authority (AA): local data, a zone of its own, a "
        "block list, or a router that answers for itself. Such answers differ from those of the zone that the rest "
        "of the world sees, where there is one."
    )
    remedy = (
        "Nothing, where that is meant; otherwise look for local zones and response policies of the server."
    )
    disproved_by = "The zone's own answer being the same: a server may well do both."

    def look_at(self, facts: Facts, habits: Habits) -> Iterator[Finding]:
        """Give one finding a server."""
        for row in sorted(habits.askers, key=lambda row: -row["both"]):
            if row["both"] and row["aside"]:
                server = address_text(row["address"])
                yield self.tell(
                    facts,
                    server,
                    f"{server} recurses, and answered {plural(row['both'], 'question')} with authority",
                    frames=row["both_frames"],
                )


class ClientOverRate(HabitRule):
    """A client asks very much within a second."""

    id = "client-over-rate"
    certainty = 0.95
    explanation = (
        "More than a thousand queries of one client within a second: a resolver that asks for many others, a load "
        "generator, a program in a loop, or a flood with a forged address."
    )
    remedy = (
        "Find out what asks there; limit the rate of each client at the resolver where that is not meant."
    )
    disproved_by = "The address being that of many clients, behind a translator or forwarder."

    def look_at(self, facts: Facts, habits: Habits) -> Iterator[Finding]:
        """Give one finding a client."""
        for row in sorted(habits.askers, key=lambda row: -row["peak"]):
            if row["peak"] >= BUSY:
                client = address_text(row["address"])
                yield self.tell(
                    facts,
                    client,
                    f"{client} sent {plural(row['peak'], 'query')} within a second",
                    frames=(row["peak_frame"],),
                )


RULES = (RaMissing(), AaFromRecursive(), ClientOverRate())
