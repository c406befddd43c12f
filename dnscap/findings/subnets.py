"""Client subnets in EDNS: how much of an address they reveal, and how far answers hold."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from dnscap.findings.habit_rule import HabitRule
from dnscap.findings.habits import Habits
from dnscap.findings.rule import Facts, Finding, plural
from dnscap.messages.around import address_text


def subnet_text(option: bytes) -> str:
    """A client subnet as people write it, from the option's octets.

    Examples
    --------
    >>> subnet_text(bytes([0, 1, 24, 0, 192, 0, 2]) + bytes(13))
    '192.0.2.0/24'
    """
    octets = option[4:20] if option[1] == 2 else option[4:8]
    return f"{ipaddress.ip_address(octets)}/{option[2]}"


class EcsLeak(HabitRule):
    """Queries tell servers more of their clients' addresses than needed."""

    id = "ecs-leak"
    certainty = 0.9
    rests_on = "content"
    explanation = (
        "Queries carry a client subnet that is longer than 24 bits (56 of IPv6), which singles out a household or a "
        "host to every server on the way. RFC 7871 section 11.1 advises to cut it; caches also keep one answer a "
        "subnet, and so hit less often."
    )
    remedy = (
        "Cut the subnet to 24 and 56 bits in the forwarder (`add-subnet=24,56` of dnsmasq, `max-client-subnet-ipv4` "
        "of unbound), or send none."
    )
    disproved_by = "The subnet being one of the tester's own, given on the command line."

    def look_at(self, facts: Facts, habits: Habits) -> Iterator[Finding]:
        """Give one finding a server."""
        for row in sorted(habits.told_subnets, key=lambda row: -row["close"]):
            if not row["close"]:
                continue
            server = address_text(row["address"])
            yield self.tell(
                facts,
                server,
                f"{plural(row['close'], 'query')} to {server} told a subnet as close as "
                f"{subnet_text(row['close_subnet'])}",
                frames=row["close_frames"],
                queries=row["close"],
            )


class EcsScopeLonger(HabitRule):
    """Answers hold for smaller networks than the subnet told."""

    id = "ecs-scope-longer"
    certainty = 0.9
    rests_on = "content"
    explanation = (
        "The server says that its answer holds for a smaller network than it was told: had it known more of the "
        "address, it might have answered otherwise (RFC 7871 section 7.2.1). The resolver caches the answer for the "
        "subnet that it told."
    )
    remedy = "Nothing, where answers are near enough; otherwise tell as many bits as are advised, 24 and 56."
    disproved_by = "Scopes no longer than the subnet in later answers of that server."

    def look_at(self, facts: Facts, habits: Habits) -> Iterator[Finding]:
        """Give one finding a server."""
        for row in sorted(habits.told_subnets, key=lambda row: -row["longer"]):
            if row["longer"]:
                server = address_text(row["address"])
                yield self.tell(
                    facts,
                    server,
                    f"{plural(row['longer'], 'answer')} of {server} to {subnet_text(row['longer_subnet'])} holds for "
                    f"/{row['longer_subnet'][3]} only"
                    if row["longer"] == 1
                    else f"{plural(row['longer'], 'answer')} of {server} hold for smaller networks than was told, "
                    f"such as /{row['longer_subnet'][3]} within {subnet_text(row['longer_subnet'])}",
                    frames=row["longer_frames"],
                )


RULES = (EcsLeak(), EcsScopeLonger())
