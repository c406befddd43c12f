"""Message IDs and ports that can be guessed: what an outsider needs to forge an answer (RFC 5452)."""

from __future__ import annotations

from collections.abc import Iterator

from dnscap.findings.habit_rule import HabitRule, Row, share
from dnscap.findings.habits import Habits
from dnscap.findings.rule import Facts, Finding
from dnscap.messages.around import address_text

ENOUGH = 100
"""Queries before how they follow one another is more than chance."""

LEAST_SPREAD = 0.5
"""Entropy, of 1, below which IDs or ports are called few: an eighth of all at most would be in use."""

IN_STEP = 0.8
"""Share of IDs that lie as far from the one before as that from its own."""

IN_A_ROW = 0.9
"""Share of changes of the port that lead to one close by."""

ITERATIVE = 0.9
"""Share of queries without RD from which on the client is a resolver, which outsiders can have ask."""

_WHY = (
    " An answer is believed that has the right name, addresses, ports and ID; whoever can guess the last two "
    "can send one of his own first, and a cache hands it on to everybody."
)


def is_resolver(row: Row) -> bool:
    """Whether a client asks as resolvers do: without RD, and several servers."""
    return share(row["iterative"], row["watched"]) >= ITERATIVE and row["turns"] > 1


class _Guessing(HabitRule):
    def look_at(self, facts: Facts, habits: Habits) -> Iterator[Finding]:
        """Give one finding a client."""
        for row in habits.askers:
            if row["watched"] < ENOUGH:
                continue
            said = self.said(row)
            if said is None:
                continue
            client = address_text(row["address"])
            resolver = is_resolver(row)
            yield self.tell(
                facts,
                client,
                f"{'Resolver' if resolver else 'Client'} {client} {said}",
                severity="medium" if resolver else "info",
                frames=row["frames"],
                certainty=self.certainty if resolver else self.certainty - 0.2,
                detail=f"Looked at: {row['watched']:,} new queries over UDP.",
            )

    def said(self, row: Row) -> str | None:
        """What is wrong with a client, if it is."""
        raise NotImplementedError


class IdEntropyLow(_Guessing):
    """Message IDs can be guessed."""

    id = "id-entropy-low"
    certainty = 0.9
    explanation = "The IDs of this client's queries follow one another in equal steps, or are few." + _WHY
    remedy = "Update the resolver or stub: RFC 5452 section 9.2 asks for IDs that cannot be predicted."
    disproved_by = (
        "IDs without such an order from the same program; load generators count theirs up on purpose."
    )

    def said(self, row: Row) -> str | None:
        """Say how its IDs come."""
        if share(row["same_ids"], row["watched"]) >= IN_STEP:
            return "numbers its queries in equal steps"
        if row["id_spread"] < LEAST_SPREAD:
            return f"uses few message IDs: their entropy is {row['id_spread']:.2f} of 1"
        return None


class PortEntropyLow(_Guessing):
    """Source ports can be guessed."""

    id = "port-entropy-low"
    certainty = 0.85
    explanation = (
        "The ports that this client asks from follow one another closely, or are few. A router that translates "
        "addresses can do that to a resolver which chooses its ports well." + _WHY
    )
    remedy = (
        "Update the resolver or stub, or have the router keep or randomise source ports; RFC 5452 section 9.2 "
        "asks for ports that cannot be predicted."
    )
    disproved_by = "Ports without such an order in a capture before the router, or later ones."

    def said(self, row: Row) -> str | None:
        """Say how its ports come."""
        if row["moved"] >= ENOUGH / 2 and share(row["near_ports"], row["moved"]) >= IN_A_ROW:
            return "takes one port after the other"
        if row["moved"] and row["port_spread"] < LEAST_SPREAD:
            return f"asks from few ports: their entropy is {row['port_spread']:.2f} of 1"
        return None


class FixedSourcePort(_Guessing):
    """All queries leave from one port."""

    id = "fixed-source-port"
    certainty = 0.95
    explanation = (
        "All queries of this client leave from one port, so that only 16 bits of ID are left to guess." + _WHY
    )
    remedy = (
        "Take fixed ports out of the configuration (`query-source port 53` of BIND, `outgoing-port-permit` of "
        "unbound) and out of firewall rules that force them."
    )
    disproved_by = (
        "Queries of the same program from other ports; c-ares and load generators keep a socket on purpose."
    )

    def said(self, row: Row) -> str | None:
        """Say so."""
        return None if row["moved"] else "asks everything from one port"


RULES = (IdEntropyLow(), PortEntropyLow(), FixedSourcePort())
