"""Lifetimes: what a TTL costs in queries and in time until a change is seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dnscap.findings.name_rule import NameRule, brief, span
from dnscap.findings.rule import Facts, Finding, plural
from dnscap.names import NameRows
from dnscap.names.seen import ANSWER, AUTHORITATIVE, NO_SOA, TRIED

LONG = 86_400
SHORT = 30
"""Seconds beyond which a TTL is called very long, and below which very short."""

NEGATIVE_LEAST, NEGATIVE_MOST = 30, 10_800
"""Seconds within which negative TTLs are unremarkable: RFC 2308 section 5 names three hours as the most that
works well, and less than half a minute lets every repetition through."""

LEAST_ASKED = 20
"""Responses about a name before its hit rate means something."""

ADDRESSES = (1, 28, 5, 16, 15, 33, 64, 65)
"""Types whose TTL is a choice between load and agility: addresses, aliases, text, mail, services."""


class TtlAdvice(NameRule):
    """What caching would save at other TTLs."""

    id = "ttl-advice"
    certainty = 0.7
    explanation = (
        "A longer TTL saves queries and round trips, a shorter one lets changes be seen sooner. The shares are "
        "of the queries seen here, as a cache before them would have answered them with that TTL."
    )
    remedy = "Choose the shortest TTL beyond which the share hardly grows."
    disproved_by = "Queries that a cache before this point had already answered: they are not in the capture."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding for the whole capture."""
        asked = seen.rows["asked"].astype(np.int64)
        chosen = (seen.section == ANSWER) & (asked >= LEAST_ASKED) & np.isin(seen.type, ADDRESSES)
        chosen &= ~seen.has(AUTHORITATIVE)
        at = np.flatnonzero(chosen)
        if not len(at):
            return
        total = int(asked[at].sum())
        rates = [int(seen.rows["hits"][at, place].sum()) / total for place in range(len(TRIED))]
        own = int(seen.ttl_full[at].min()), int(np.median(seen.ttl_full[at])), int(seen.ttl_full[at].max())
        gain = seen.rows["hits"][at, 1].astype(np.int64) - seen.rows["hits"][at, 0]
        low = seen.ttl_full[at] < TRIED[1]
        top = at[np.argsort(-(gain * low), kind="stable")][:3]
        told = [
            f"{seen.name_of(row)} {seen.type_of(row)} (TTL {int(seen.ttl_full[row])}, {int(asked[row]):,} queries)"
            for row in top.tolist()
            if seen.ttl_full[row] < TRIED[1]
        ]
        shares = ", ".join(f"{rate:.0%} at {span(ttl)}" for ttl, rate in zip(TRIED, rates, strict=True))
        most = f" Most would be saved for {'; '.join(told)}." if told else ""
        yield self.tell(
            facts,
            None,
            f"A cache would answer {shares} of {total:,} queries for {plural(len(at), 'name')} asked often",
            detail=(
                f"Their TTLs lie between {span(own[0])} and {span(own[2])}, half of them at most {span(own[1])}.{most}"
            ),
        )


class TtlVeryLong(NameRule):
    """TTLs of more than a day."""

    id = "ttl-very-long"
    certainty = 0.95
    explanation = (
        "Caches may keep these records for more than a day: a change, or the end of a forged answer, takes as "
        "long to be seen everywhere."
    )
    remedy = "Take a day or less for what may have to move in a hurry."
    disproved_by = "A smaller TTL in answers of the zone's own servers."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding for all names."""
        chosen = (seen.section == ANSWER) & np.isin(seen.type, ADDRESSES) & (seen.rows["answers"] > 0)
        at = np.flatnonzero(chosen & (seen.ttl_full > LONG))
        if not len(at):
            return
        at = at[np.argsort(-seen.ttl_full[at], kind="stable")]
        names = list(dict.fromkeys(seen.name_of(row) for row in at[:1000].tolist()))
        yield self.tell(
            facts,
            names[0],
            f"{plural(len(set(seen.name[at].tolist())), 'name')} with a TTL of more than a day, up to "
            f"{span(int(seen.ttl_full[at[0]]))}: {brief(names, 3)}",
            frames=[value.first_frame for row in at[:4].tolist() for value in seen.history(row)[:1]],
        )


class TtlVeryShort(NameRule):
    """TTLs of less than half a minute."""

    id = "ttl-very-short"
    certainty = 0.9
    explanation = (
        "These records expire almost at once, so that nearly every use is a query to the zone's servers and a "
        "round trip for whoever asks. Load balancing by DNS often wants it so."
    )
    remedy = "Half a minute or more where answers do not have to change by the second."
    disproved_by = (
        "A larger TTL in answers of the zone's own servers: what was seen is the rest of a cached one."
    )

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding for all names."""
        chosen = (seen.section == ANSWER) & np.isin(seen.type, ADDRESSES) & (seen.rows["answers"] > 0)
        # Elsewhere the whole TTL is not known: a cache hands on what is left of it.
        known = np.isin(seen.question, seen.question[chosen & seen.has(AUTHORITATIVE)])
        at = np.flatnonzero(chosen & known & (seen.ttl_full < SHORT))
        if not len(at):
            return
        answers = int(seen.rows["answers"][at].sum())
        total = int(seen.rows["answers"][chosen].sum())
        at = at[np.argsort(-seen.rows["answers"][at].astype(np.int64), kind="stable")]
        names = list(dict.fromkeys(seen.name_of(row) for row in at[:1000].tolist()))
        yield self.tell(
            facts,
            names[0],
            f"{plural(len(set(seen.name[at].tolist())), 'name')} with a TTL below {span(SHORT)} "
            f"({answers / max(total, 1):.0%} of the answers): {brief(names, 3)}",
            frames=[value.first_frame for row in at[:4].tolist() for value in seen.history(row)[:1]],
        )


class NegativeTtlOutOfBand(NameRule):
    """Absence is remembered for very short or very long."""

    id = "neg-ttl-out-of-band"
    certainty = 0.9
    explanation = (
        "How long resolvers remember that a name is not there is the smaller of the TTL and the MINIMUM of the "
        "zone's SOA (RFC 2308). Too short and every mistyped or expanded name comes through; too long and a "
        "new name stays hidden from whoever asked too early."
    )
    remedy = "A MINIMUM between five minutes and three hours suits most zones."
    disproved_by = "Another SOA in answers of the zone's own servers."

    def look(self, facts: Facts, seen: NameRows) -> Iterator[Finding]:
        """Give one finding for all zones."""
        rows = seen.rows
        whole = seen.has(AUTHORITATIVE) & ~seen.has(NO_SOA) & (rows["negatives"] > 0)
        short = whole & (rows["negative_ttl"] < NEGATIVE_LEAST)
        # What a cache hands on is the rest, but never more than the whole.
        long = (rows["negatives"] > 0) & ~seen.has(NO_SOA) & (rows["negative_ttl"] > NEGATIVE_MOST)
        for chosen, word in ((short, "short"), (long, "long")):
            at = np.flatnonzero(chosen)
            if not len(at):
                continue
            order = rows["negative_ttl"][at].astype(np.int64) * (1 if word == "short" else -1)
            at = at[np.argsort(order, kind="stable")]
            zones = list(
                dict.fromkeys(seen.names[int(rows["zone"][row])].as_py() for row in at[:1000].tolist())
            )
            ttl = int(rows["negative_ttl"][at[0]])
            yield self.tell(
                facts,
                zones[0],
                f"Absence in {plural(len(zones), 'zone')} is remembered for {'only ' if word == 'short' else ''}"
                f"{span(ttl)}: {brief(zones, 3)}",
                frames=[seen.negative_frame(row) for row in at[:4].tolist()],
                queries=int(rows["negatives"][at].sum()) if word == "short" else 0,
            )


RULES = (TtlAdvice(), TtlVeryLong(), TtlVeryShort(), NegativeTtlOutOfBand())
