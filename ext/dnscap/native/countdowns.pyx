"""Verdicts from outside; see countdowns.pxd.

Each sign adds to the odds, in natural logarithms, that the answer came out of the cache.
"""
from libc.math cimport exp
from libc.stdint cimport int64_t, uint32_t, uint64_t

from dnscap.native.cache_model cimport Known, known_of
from dnscap.native.cache_verdicts cimport at_server
from dnscap.native.exchanges cimport *
from dnscap.native.resolution_state cimport *
from dnscap.native.suffixes cimport question_of


cdef inline uint32_t class_of(int64_t latency) noexcept nogil:
    """Four classes a doubling, from 16 us on."""
    cdef uint64_t n = <uint64_t>max(latency, <int64_t>0) >> 12
    cdef uint32_t log = 0
    if n < 4:
        return 0
    while n >> log >= 8:
        log += 1
    return min(log * 4 + <uint32_t>(n >> log) - 4, <uint32_t>(LATENCY_CLASSES - 1))


cdef uint32_t median(const uint32_t* counts, uint32_t total) noexcept nogil:
    cdef uint32_t i, sum = 0
    for i in range(LATENCY_CLASSES):
        sum += counts[i]
        if 2 * sum > total:
            return i
    return LATENCY_CLASSES - 1


cdef bint round_ttl(uint32_t ttl) noexcept nogil:
    """Whether somebody may have configured it."""
    return ttl <= 10 or ttl % 60 == 0 or ttl < 60 and ttl % 5 == 0 or ttl % 100 == 0


cdef void note_latency(Resolving* t, const Entry* e) noexcept nogil:
    cdef Host* h
    cdef uint32_t c
    if e.server_host == NO_HOST or e.ttl == NO_TTL:
        return
    h = &t.hosts[e.server_host]
    c = class_of(e.answered - e.time)
    if e.expected == EXPECT_VALID:
        if e.ttl <= e.expected_ttl + 1 and e.ttl + 1 >= e.expected_ttl:
            h.agreements += 1
            h.fast[c] += 1
            h.fast_count += 1
        else:
            h.disagreements += 1
    elif e.expected == EXPECT_EXPIRED and e.ttl == e.full_ttl:
        h.slow[c] += 1
        h.slow_count += 1


cdef void judge_outside(Resolving* t, Entry* e) noexcept nogil:
    cdef double odds = 0
    cdef Host* h
    cdef Known k
    cdef const Entry* o
    cdef uint32_t full = e.full_ttl, c, fast, slow
    cdef bint valid = e.expected == EXPECT_VALID
    if not e.kind & ENTRY_ANSWERED or e.server_host == NO_HOST or e.outcome in (OUTCOME_REFUSED, OUTCOME_FORMERR, OUTCOME_NOTIMP):
        return
    if e.kind & ENTRY_JOINED:
        # The same question was open: both waited for one thing, or neither waited.
        o = entry_at(t, e.joined, e.number)
        if o != NULL and o.kind & ENTRY_ANSWERED and o.answered <= e.answered and o.cache != CACHE_UNKNOWN:
            e.evidence |= SAID_UNDER_WAY
            e.cache = CACHE_COALESCED if o.cache == CACHE_MISS else o.cache
            e.probability = o.probability
            return
    h = &t.hosts[e.server_host]
    if known_of(t.model, question_of(at_server(e.name, e.server_host), e.qtype), &k):
        full = max(full, k.full)
    if e.ttl == NO_TTL:
        odds = 0
    elif e.ttl == 0:
        odds -= 3
        e.evidence |= SAID_TTL_FULL
    elif e.flags & EXCHANGE_AA:
        # A server that offers recursion and answers with authority has the data itself.
        e.evidence |= SAID_AUTHORITATIVE
        odds += 2.5
    elif h.disagreements > h.agreements:
        e.evidence |= SAID_CONSTANT_TTL
        odds += 1 if valid else -1 if e.expected == EXPECT_EXPIRED else 0
    elif valid:
        if e.ttl <= e.expected_ttl + 1 and e.ttl + 1 >= e.expected_ttl:
            e.evidence |= SAID_VALID
            odds += 4.5 if e.ttl < full else 2.5
        elif e.ttl == full:
            e.evidence |= SAID_TTL_FULL
            odds -= 2.5
        else:
            e.evidence |= SAID_BACK_ENDS
            odds += 1.5
    elif e.expected == EXPECT_EXPIRED:
        e.evidence |= SAID_EXPIRED
        if e.ttl >= full:
            e.evidence |= SAID_TTL_FULL
            odds -= 3
        else:
            e.evidence |= SAID_TTL_BELOW
            odds += 3
    elif e.ttl + 1 < full:
        e.evidence |= SAID_TTL_BELOW
        odds += 3.5
    elif round_ttl(e.ttl) or round_ttl(e.ttl + 1):
        # One in so many answers out of a cache has its whole TTL still.
        e.evidence |= SAID_TTL_FULL
        odds -= 2.5 if e.ttl >= 20 else 1.5
    else:
        e.evidence |= SAID_TTL_ODD
        odds += 2
    if h.fast_count:
        c = class_of(e.answered - e.time)
        fast = median(h.fast, h.fast_count)
        slow = median(h.slow, h.slow_count) if h.slow_count else LATENCY_CLASSES
        if c <= fast + 2 and (slow == LATENCY_CLASSES or c + 2 <= slow):
            e.evidence |= SAID_FAST
            odds += 1
        elif c > fast + 6 and (slow == LATENCY_CLASSES or c + 4 >= slow):
            e.evidence |= SAID_SLOW
            odds -= 1 if valid else 2.5
    if odds > 0:
        e.cache = CACHE_NEGATIVE_HIT if e.outcome == OUTCOME_NXDOMAIN or e.outcome == OUTCOME_NODATA else CACHE_HIT
    elif odds < 0:
        e.cache = CACHE_MISS
    else:
        return
    e.probability = <float>(1 / (1 + exp(-odds))) if odds > 0 else <float>(1 / (1 + exp(odds)))
