"""Names made up by programs: to find a controller, to get past caches, to carry data."""

from __future__ import annotations

from collections.abc import Iterator

from dnscap.findings.guessing import is_resolver
from dnscap.findings.habit_rule import HabitRule, Row, rate_of, share
from dnscap.findings.habits import Habits
from dnscap.findings.rule import Facts, Finding
from dnscap.messages.around import address_text

EVEN = 0.965
"""Entropy of letters and digits, of 1, from which on they look drawn by lot: words have some 0.89, and names of
hosts less."""

MANY_DOMAINS = 50
"""Domains that do not exist before a client is said to try them out."""

MANY_NAMES = 100
"""Names below one domain before they are said to be made up."""

SHORTEST = 7
"""Letters of a made-up label on average; shorter words come by chance."""

NXDOMAIN_SHARE = 0.3
"""Share of a client's answers that a name does not exist, from which on that is remarkable."""

CARRIED = 60
"""Octets before the domain, on average, that names of a tunnel have at least where answers carry data back."""

CARRIED_ALONE = 120
"""The same where they do not."""

BUSY = 20.0
"""Such queries a second of one client, from which on it is no reputation list that is asked: these have caches."""


def looks_drawn(row: Row, letters: int) -> bool:
    """Whether the letters of many names look drawn by lot."""
    return bool(row["letters"] >= letters and row["signs"] >= 10 and row["evenness"] >= EVEN)


class DgaSuspected(HabitRule):
    """A client tries out domains that look drawn by lot."""

    id = "dga-suspected"
    certainty = 0.7
    explanation = (
        "Many domains that do not exist, each asked for by one client, have letters as if drawn by lot: so does "
        "malware look for its controller (domain generation)."
    )
    remedy = "Look at the programs of that client, and at the first of these names that was answered."
    disproved_by = (
        "A program of its own that tests names on purpose, such as a browser that probes for hijacked "
        "answers."
    )

    def look_at(self, facts: Facts, habits: Habits) -> Iterator[Finding]:
        """Give one finding a client."""
        answers = {row["address"]: row for row in habits.askers}
        relays = {row["server"] for row in facts.servers}
        for row in sorted(habits.made_up("clients", MANY_DOMAINS), key=lambda row: -row["distinct"]):
            if row["distinct"] < MANY_DOMAINS or not looks_drawn(row, 400):
                continue
            if row["octets"] < SHORTEST * row["sieved"]:
                continue
            asked = answers.get(row["client"])
            if asked is not None and share(asked["absent"], asked["answered"]) < NXDOMAIN_SHARE:
                continue
            client = address_text(row["client"])
            if client in relays or (asked is not None and is_resolver(asked)):
                continue  # it asks for its own clients
            yield self.tell(
                facts,
                client,
                f"{client} asks for some {row['distinct']:,.0f} domains that do not exist and look drawn by lot",
                severity="medium",
                frames=row["frames"],
                queries=row["count"],
                detail=f"The entropy of their letters is {row['evenness']:.2f} of 1.",
            )


class RandomSubdomains(HabitRule):
    """Names below one domain look drawn by lot, and do not exist."""

    id = "random-subdomains"
    certainty = 0.6
    explanation = (
        "Many names below one domain do not exist and look drawn by lot, so that no cache can answer them: an attack "
        "on the domain's servers through resolvers, a tunnel, or a list that is asked by hashes (block lists)."
    )
    remedy = (
        "Look at who asks. Resolvers can answer from NSEC records (RFC 8198) or limit queries for a zone; lists for "
        "mail servers are meant to be used so."
    )
    disproved_by = "A service of that domain that is asked with hashes in names."

    def look_at(self, facts: Facts, habits: Habits) -> Iterator[Finding]:
        """Give one finding a domain."""
        for row in sorted(habits.made_up("absent", MANY_NAMES), key=lambda row: -row["distinct"]):
            if row["distinct"] < MANY_NAMES or not looks_drawn(row, 600):
                continue
            if row["octets"] < SHORTEST * row["sieved"]:
                continue
            rate = rate_of(row["count"], row["first"], row["last"])
            yield self.tell(
                facts,
                row["suffix"],
                f"Some {row['distinct']:,.0f} names below {row['suffix']} do not exist and look drawn by lot, "
                f"{rate:,.1f} queries a second",
                frames=row["frames"],
                queries=row["count"],
                detail=f"The entropy of their letters is {row['evenness']:.2f} of 1.",
            )


class TunnelSuspected(HabitRule):
    """Names seem to carry data."""

    id = "tunnel-suspected"
    certainty = 0.7
    explanation = (
        "One client asks one domain for ever new, long names: they carry data out, and answers carry data back. "
        "Tunnels do so, to get past a firewall or to pay for no hot spot; some products for security ask their "
        "maker that way."
    )
    remedy = "Find out whose domain it is, and what program of that client asks."
    disproved_by = "A known service of that domain, such as a reputation list of an antivirus product."

    def look_at(self, facts: Facts, habits: Habits) -> Iterator[Finding]:
        """Give one finding a client and domain."""
        for row in sorted(habits.made_up("long", MANY_NAMES), key=lambda row: -row["octets"]):
            if row["distinct"] < MANY_NAMES:
                continue
            each = row["octets"] / max(row["sieved"], 1)
            back = share(row["data"], row["count"])
            if (
                each < (CARRIED if back >= 0.5 else CARRIED_ALONE)
                or share(row["answered"], row["count"]) < 0.5
            ):
                continue
            client = address_text(row["client"])
            yield self.tell(
                facts,
                client,
                f"{client} may tunnel through {row['suffix']}: some {row['distinct']:,.0f} names of {each:.0f} "
                "octets before the domain",
                severity="medium" if rate_of(row["count"], row["first"], row["last"]) >= BUSY else "info",
                frames=row["frames"],
                queries=row["count"],
                detail=f"{100 * back:.0f} % of the queries were for types that carry data back.",
            )


RULES = (DgaSuspected(), RandomSubdomains(), TunnelSuspected())
