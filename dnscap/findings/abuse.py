"""Servers that are used against others, and what they do against that."""

from __future__ import annotations

from collections.abc import Iterator

from dnscap.findings.habit_rule import HabitRule, rate_of, share
from dnscap.findings.habits import Habits
from dnscap.findings.name_rule import brief
from dnscap.findings.rule import Facts, Finding, plural
from dnscap.messages.around import address_text

MANY_HEAVY = 100
"""Answers many times as large as their questions before they are more than a few DNSSEC keys."""

MOSTLY = 0.6
"""Lead of one name in a vote among these answers: it has four in five of them."""

FAST = 10.0
"""Such answers a second: nobody needs one name so often."""

FLOOD = 100.0
"""Such answers a second that no program without a cache comes to, even where it asks for types that are in use."""

REGIONS = 8
"""Blocks of 16 million addresses that outside clients come from: no provider's own customers do."""

NETWORKS = 3
"""Networks that outside clients come from before it is told: one may be the server's own, with another number."""

_OPEN = """
8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 1.1.1.2 1.1.1.3 9.9.9.9 9.9.9.10 9.9.9.11 149.112.112.112
208.67.222.222 208.67.220.220 208.67.222.123 4.2.2.1 4.2.2.2 4.2.2.3 4.2.2.4 4.2.2.5 4.2.2.6
64.6.64.6 64.6.65.6 77.88.8.8 77.88.8.1 94.140.14.14 94.140.15.15 185.228.168.9 185.228.169.9
76.76.2.0 76.76.10.0 114.114.114.114 223.5.5.5 223.6.6.6 119.29.29.29 180.76.76.76 84.200.69.80
8.26.56.26 2001:4860:4860::8888 2001:4860:4860::8844 2606:4700:4700::1111 2606:4700:4700::1001
2620:fe::fe 2620:fe::9 2620:119:35::35 2620:119:53::53
"""

OPEN_BY_DESIGN = frozenset(_OPEN.split())
"""Resolvers for everybody, whose operators limit rates."""

SLIPS = 20
"""Answers cut to nothing without need before a limit is suspected."""


class OpenResolver(HabitRule):
    """A server recurses for clients of other networks."""

    id = "open-resolver"
    certainty = 0.6
    explanation = (
        "The server resolves names (RA, no AA) for clients of networks other than its own. Anybody can then have "
        "it send large answers to a forged address, and try to poison its cache (RFC 5358)."
    )
    remedy = (
        "Allow recursion only to one's own networks (`allow-recursion` of BIND, `access-control` of unbound) and "
        "keep port 53 of resolvers from outside."
    )
    disproved_by = "Those clients being the operator's own: a provider's resolver serves many networks."

    def look_at(self, facts: Facts, habits: Habits) -> Iterator[Finding]:
        """Give one finding a server."""
        for row in sorted(habits.askers, key=lambda row: -row["recursed"]):
            server = address_text(row["address"])
            if row["networks"] < NETWORKS or server in OPEN_BY_DESIGN:
                continue
            open_wide = row["regions"] >= REGIONS
            yield self.tell(
                facts,
                server,
                f"{server} resolves names for clients of {plural(row['networks'], 'other network')}, such as "
                f"{brief([address_text(octets) for octets in row['outside']])}",
                severity="low" if open_wide else "info",
                certainty=0.8 if open_wide else None,
                frames=row["recursed_frames"],
                queries=row["recursed"],
            )


class Amplification(HabitRule):
    """Answers many times as large as their questions go to one address, again and again."""

    id = "amplification"
    certainty = 0.85
    explanation = (
        "One name is asked over and over whose answer is many times as large as the question. That is how servers "
        "are made to flood somebody: the questions bear the victim's address, which never sent them."
    )
    remedy = (
        "Limit the rate of responses (RRL), answer ANY minimally (RFC 8482), close the resolver to outsiders, and "
        "have the network drop forged sources (BCP 38). At the victim: filter upstream; large answers nobody asked "
        "for need not come in at all."
    )
    disproved_by = (
        "A program at that address that is known to ask so often, such as a load generator or a monitor."
    )

    def look_at(self, facts: Facts, habits: Habits) -> Iterator[Finding]:
        """Give one finding an address that gets the answers."""
        for row in sorted(habits.askers, key=lambda row: -row["heavy_out"]):
            heavy = row["heavy"]
            if heavy < MANY_HEAVY or row["heavy_same"] < MOSTLY * heavy:
                continue
            rate = rate_of(heavy, row["heavy_first"], row["heavy_last"])
            if rate < FAST:
                continue
            client, server = address_text(row["address"]), address_text(row["heavy_server"])
            unasked = share(row["heavy_unasked"], heavy) > 0.5
            any_share = share(row["heavy_any"], heavy)
            plain = not unasked and any_share <= 0.5 and rate < FLOOD
            if unasked:
                title = (
                    f"{client} is flooded: {plural(heavy, 'large answer')} for {row['heavy_name']} that it did not "
                    f"ask for, {rate:,.0f} a second, such as from {server}"
                )
            else:
                factor = row["heavy_out"] / max(row["heavy_in"], 1)
                title = (
                    f"{server} sends {client} {factor:.0f} times what it asks with: {plural(heavy, 'answer')} for "
                    f"{row['heavy_name']}, {rate:,.0f} a second"
                )
            yield self.tell(
                facts,
                client,
                title,
                severity="info" if plain else "medium",
                certainty=0.9 if any_share > 0.5 or unasked else 0.5 if plain else None,
                frames=row["heavy_frames"],
                queries=heavy,
                detail=f"{row['heavy_out']:,} octets in all; {100 * any_share:.0f} % of the questions were for ANY.",
            )


class AnyTruncated(HabitRule):
    """Questions for ANY are sent to TCP."""

    id = "any-tc"
    certainty = 0.95
    explanation = (
        "The server answers ANY with nothing but the TC bit, so that only who really is at an address gets the "
        "whole: a measure against amplification. RFC 8482 allows a small answer instead."
    )
    remedy = "Nothing; programs that ask for ANY should ask for the types they need."
    disproved_by = "A whole answer to ANY over UDP from that server."

    def look_at(self, facts: Facts, habits: Habits) -> Iterator[Finding]:
        """Give one finding a server."""
        for row in habits.askers:
            if row["any_truncated"] and row["any_truncated"] == row["any_asked"]:
                server = address_text(row["address"])
                yield self.tell(
                    facts,
                    server,
                    f"{server} answers ANY over TCP only: {plural(row['any_truncated'], 'answer')} truncated",
                    frames=row["any_frames"],
                )


class RateLimit(HabitRule):
    """A server seems to limit the rate of its responses."""

    id = "rrl-suspected"
    certainty = 0.6
    explanation = (
        "Questions that had whole answers over UDP are answered with nothing but the TC bit, others not at all: so "
        "do servers that limit the rate of equal responses to a network, and let every second go over TCP (slip)."
    )
    remedy = (
        "Ask less often (a cache that keeps to TTLs does), or exempt the resolver's address from the limit at the "
        "server."
    )
    disproved_by = "Silence and truncation that go on when nobody asks much."

    def look_at(self, facts: Facts, habits: Habits) -> Iterator[Finding]:
        """Give one finding a server."""
        for row in habits.askers:
            if row["slips"] < SLIPS or row["silent"] < row["slips"] / 2:
                continue
            server = address_text(row["address"])
            yield self.tell(
                facts,
                server,
                f"{server} seems to limit its responses: {plural(row['slips'], 'answer')} cut to nothing that had "
                f"been whole before, {row['silent']:,} left out",
                frames=row["slip_frames"],
                queries=row["slips"] + row["silent"],
            )


RULES = (OpenResolver(), Amplification(), AnyTruncated(), RateLimit())
