"""Closed vocabularies of the resolutions table, in the order of their native numbers."""

from __future__ import annotations

CACHES = (
    "unknown",
    "hit",
    "miss",
    "coalesced",
    "prefetch",
    "stale",
    "negative-hit",
    "forwarded",
)
"""Where an answer came from."""

FROM_CACHE = ("hit", "negative-hit", "prefetch", "stale")
"""Those of them that nothing upstream was waited for."""

ASKED_ON = ("miss", "coalesced", "forwarded")

EVIDENCE = (
    "nothing-asked-upstream",
    "asked-upstream",
    "already-under-way",
    "refreshed-after",
    "earlier-answer-expired",
    "stale-error",
    "stale-ttl",
    "upstream-silent",
    "earlier-answer-valid",
    "ttl-below-full",
    "ttl-full",
    "fast",
    "slow",
    "source-not-seen",
    "name-known-not-to-exist",
    "alias",
    "authoritative",
    "ttl-counted-down",
    "several-back-ends",
    "ttl-not-counted-down",
    "asked-again",
)
"""What a verdict rests on."""
