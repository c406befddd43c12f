"""What the words of a report mean; a page shows those that it uses."""

from __future__ import annotations

import re

TERMS: tuple[tuple[str, str], ...] = (
    (
        "lookup",
        "Everything that one call of an application caused: questions for A and AAAA, names tried with the "
        "search list, repeated questions, other servers, TCP. Its time is what the application waited.",
    ),
    ("query", "One question on the wire; each time it is sent counts."),
    (
        "stub",
        "The resolver library of a host (glibc, musl, Go, c-ares, systemd-resolved and others). It asks "
        "a name server and does not resolve by itself. Stubs are told by their habits on the wire.",
    ),
    ("name server", "The address that a stub asks: mostly a recursive resolver, or a forwarder before one."),
    ("recursive", "A server that follows delegations to find an answer, and caches what it found."),
    ("authoritative", "A server that holds a zone and answers for it from its own data."),
    ("forwarder", "A server that passes questions on to another server."),
    ("unanswered", "The client gave up or asked again, and no answer ever came in this capture."),
    ("search list", "Suffixes that a stub appends to a name that has fewer dots than ndots."),
    ("ndots", "How many dots a name needs before it is asked as it is first (resolv.conf)."),
    ("candidate", "One of the names that a stub tries for one lookup."),
    ("failover", "The same question asked of the next server because one was silent or answered badly."),
    ("retransmission", "The same question sent to the same server again."),
    ("companion", "The question for the other address family that goes along with the first."),
    ("truncated", "An answer that says it does not fit into a UDP datagram; the client asks again over TCP."),
    ("EDNS", "An extension (RFC 6891) that allows larger answers; some devices drop what carries it."),
    ("NXDOMAIN", "The answer that a name does not exist; nxdomain as an outcome."),
    ("nodata", "The name exists and has no records of the type asked for."),
    ("SERVFAIL", "The server could not find an answer."),
    ("median", "Half of the values are not above it."),
    ("percentile", "So many of a hundred values are not above it."),
    ("upstream", "From a resolver on, away from its clients: the servers that it asks for them."),
    ("hit", "An answer out of a resolver's cache; a negative hit says so of a name's or a record's absence."),
    ("miss", "An answer that a resolver had to ask other servers for."),
    ("coalesced", "An answer that waited for what the resolver was asking already, for another client."),
    ("prefetch", "An answer out of the cache after which the resolver asked anew before the TTL ran out."),
    ("stale", "Given after its TTL had run out, because nothing newer could be had in time (RFC 8767)."),
    ("TTL", "How long an answer may be kept in a cache, in seconds."),
    ("unfinished", "Still open when the capture ended: how it went on is not known."),
    ("confidence", "How sure a finding is, given what this capture shows and what it lacks."),
    ("frame", "A packet of the capture, numbered as Wireshark numbers it."),
)
"""Terms and meanings, in the order in which a reader meets them."""


def used(text: str) -> list[tuple[str, str]]:
    """Terms that a text uses."""
    return [
        (term, meaning)
        for term, meaning in TERMS
        if re.search(rf"(?<![\w.-]){re.escape(_stem(term))}(?:y|ies|es|s)?\b(?![\w.-]*\.\w)", text)
    ]


def _stem(term: str) -> str:
    return term[:-1] if term.endswith("y") else term
