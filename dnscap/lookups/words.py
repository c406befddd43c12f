"""Closed vocabularies of the lookups table, in the order of their native numbers."""

from __future__ import annotations

OUTCOMES = (
    "ok",
    "nxdomain",
    "nodata",
    "servfail",
    "refused",
    "formerr",
    "notimp",
    "unreachable",
    "timeout",
    "unfinished",
)

END_BASES = ("packet", "timer", "next-lookup", "unknown")

BUCKETS = (
    "t_timeout",
    "t_failed_server",
    "t_edns",
    "t_truncation",
    "t_search",
    "t_serial",
    "t_answer",
    "t_gap",
)
"""Parts of the time budget; an instant belongs to the first that claims it."""

CAUSES = (
    "search-fanout",
    "nameserver-timeout",
    "no-answer",
    "packet-loss",
    "pair-race",
    "aaaa-dropped",
    "second-answer-dropped",
    "reply-swallowed",
    "queue-overflow",
    "server-unreachable",
    "slow-answer",
    "serial-a-aaaa",
    "truncation",
    "tcp-blocked",
    "tcp-retransmission",
    "fragments-lost",
    "edns-fallback",
    "edns-dropped",
    "servfail",
    "refused",
    "formerr",
    "partial-answer",
    "bogus-answer-ignored",
    "cname-loop",
    "dangling-cname",
    "cold-recursion",
    "slow-authoritative",
    "lame-delegation",
    "dead-authoritative",
    "dnssec-bogus",
    "serve-stale",
    "upstream-refused",
    "upstream-servfail",
    "upstream-truncation",
    "upstream-tcp-blocked",
    "upstream-edns-fallback",
    "upstream-edns-dropped",
    "forwarder-upstream-timeout",
    "forwarder-edns-fallback",
)
"""Why a lookup was slow or failed."""
