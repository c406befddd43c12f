"""Verdicts from both sides of a resolver; see cache_verdicts.pxd.

An answer was waited for where the very question, or that of an alias on the way, was asked upstream and answered in between,
or where a failure or a denial of a name above came in between.  All else is a hit.  The cache model tells the kinds of hits
apart and never makes a miss of one.
"""
from libc.stdint cimport int64_t, uint32_t

from dnscap.native.cache_model cimport Known, known_of, learn
from dnscap.native.exchanges cimport *
from dnscap.native.replies cimport Reply
from dnscap.native.resolution_state cimport *
from dnscap.native.resolvers cimport note_link, seen_upstream
from dnscap.native.suffixes cimport question_of
from dnscap.native.walks cimport Walk, add_known, charge, find_direct, find_walk, may_be_denied, upstream_during

cdef enum:
    STALE_TTL = 30             # RFC 8767 section 4: the TTL that stale data should be given out with
    KEPT_LONGER = 2            # seconds beyond its TTL: more than rounding

cdef int64_t SECOND = 1000000000
cdef int64_t UNDER_WAY = 500000     # so long after an answer came from upstream, it may not have been given to those who wait
cdef int64_t SLOW_HIT = 5000000     # an answer out of memory takes no longer, unless the machine is busy


cdef void expect(Resolving* t, Entry* e, Reply* reply) noexcept nogil:
    """What was to be expected of this answer by those before it."""
    cdef Known k
    cdef int64_t age
    e.ttl = reply.ttl
    e.expected = EXPECT_NOTHING
    e.full_ttl = 0
    if e.server_host == NO_HOST or reply.ttl == NO_TTL:
        return
    if known_of(t.model, question_of(at_server(e.name, e.server_host), e.qtype), &k):
        if k.learned > e.time:
            return
        age = max(e.answered - k.learned, <int64_t>0)
        e.full_ttl = k.full
        reply.learned = k.learned
        if age < k.ttl * SECOND:
            e.expected = EXPECT_VALID
            e.expected_ttl = k.ttl - <uint32_t>(age // SECOND)
        else:
            e.expected = EXPECT_EXPIRED
            e.expected_ttl = <uint32_t>min((age - k.ttl * SECOND) // SECOND, <int64_t>0xFFFFFF)
    elif e.outcome == OUTCOME_NXDOMAIN and known_of(t.model, question_of(at_server(e.name, e.server_host), ANY_TYPE), &k):
        if k.learned <= e.time and e.answered < k.learned + k.ttl * SECOND:
            e.evidence |= SAID_NXDOMAIN_KNOWN


cdef void learn_reply(Resolving* t, const Entry* e) noexcept nogil:
    """What the answer teaches for the next; one that is stale already teaches nothing."""
    if e.server_host == NO_HOST or e.ttl == NO_TTL or e.cache == CACHE_STALE and seen_upstream(t, e.server_host):
        return
    learn(t.model, question_of(at_server(e.name, e.server_host), e.qtype), e.answered, e.ttl, True)
    if e.outcome == OUTCOME_NXDOMAIN:
        learn(t.model, question_of(at_server(e.name, e.server_host), ANY_TYPE), e.answered, e.ttl, True)


cdef bint renewed(Resolving* t, const Entry* e, const Reply* reply) noexcept nogil:
    """Whether what upstream said since has not run out, though what the client was told before has."""
    cdef Known k
    return (known_of(t.model, question_of(e.name ^ 1, e.qtype), &k) and reply.learned < k.learned <= e.answered
            and e.answered < k.learned + (k.ttl + 1) * SECOND)


cdef bint ran_out(Resolving* t, const Entry* e) noexcept nogil:
    """Whether what upstream said last, with a TTL, has no time left."""
    cdef Known k
    return known_of(t.model, question_of(e.name ^ 1, e.qtype), &k) and k.ttl > 0 and e.answered >= k.learned + (k.ttl + 1) * SECOND


cdef bint others_wait(Resolving* t, const Entry* e) noexcept nogil:
    """Whether somebody else who asked the same before has no answer yet: a busy resolver has not read what came from upstream."""
    cdef const Entry* o = entry_at(t, e.joined, e.number) if e.kind & ENTRY_JOINED else NULL
    return o != NULL and o.answered < 0 and o.kind & ENTRY_DONE == 0 \
        and (o.client_port != e.client_port or o.client[0] != e.client[0] or o.client[1] != e.client[1])


cdef bint at_hand(Resolving* t, const Entry* e) noexcept nogil:
    """Whether what upstream said before the question came still holds."""
    cdef Known k
    return known_of(t.model, question_of(e.name ^ 1, e.qtype), &k) and k.learned < e.time - UNDER_WAY \
        and e.answered < k.learned + k.ttl * SECOND


cdef bint looks_stale(Resolving* t, const Entry* e, const Reply* reply) noexcept nogil:
    if reply.stale_error:
        return True
    if e.expected != EXPECT_EXPIRED or renewed(t, e, reply):
        return False
    if e.expected_ttl == 0:
        return e.ttl == STALE_TTL and e.ttl > e.full_ttl + 1 or e.ttl == 0 and ran_out(t, e)
    return e.ttl == STALE_TTL or e.ttl == 0 or e.ttl > e.full_ttl


cdef void whole_targets(Resolving* t, Walk* w, const Entry* e) noexcept nogil:
    if w.target_count == 0:
        add_known(w, e.name, era_of(t, e.number), e.qname)


cdef void hit(Resolving* t, Entry* e, const Reply* reply) noexcept nogil:
    cdef Known upstream
    e.evidence |= SAID_NOTHING_UPSTREAM
    e.probability = <float>0.97
    e.cache = CACHE_NEGATIVE_HIT if e.outcome == OUTCOME_NXDOMAIN or e.outcome == OUTCOME_NODATA else CACHE_HIT
    if reply.aliased:
        e.evidence |= SAID_ALIAS
    if e.flags & EXCHANGE_AA:
        e.evidence |= SAID_AUTHORITATIVE
    if e.expected == EXPECT_VALID:
        e.evidence |= SAID_VALID
        e.probability = <float>0.99
        if e.ttl > e.expected_ttl + 1 and not reply.aliased and e.flags & EXCHANGE_AA == 0 and not renewed(t, e, reply):
            e.evidence |= SAID_CONSTANT_TTL
    elif looks_stale(t, e, reply):
        e.cache = CACHE_STALE
        e.evidence |= SAID_EXPIRED | (SAID_STALE_ERROR if reply.stale_error else SAID_STALE_TTL)
    elif e.expected == EXPECT_EXPIRED:
        if e.expected_ttl >= KEPT_LONGER and not reply.aliased and e.ttl != 0 and not renewed(t, e, reply):
            e.evidence |= SAID_EXPIRED
            e.probability = <float>0.8
    elif e.expected == EXPECT_NOTHING:
        if e.ttl != NO_TTL and not known_of(t.model, question_of(e.name ^ 1, e.qtype), &upstream):
            e.evidence |= SAID_BEFORE_CAPTURE
        e.probability = <float>0.95


cdef void judge_inside(Resolving* t, Walk* w, Entry* e, const Reply* reply) noexcept nogil:
    cdef bint positive = e.outcome in (OUTCOME_ANSWER, OUTCOME_NODATA, OUTCOME_NXDOMAIN, OUTCOME_TRUNCATED, OUTCOME_REFERRAL)
    cdef bint waited = False, walked = False, stale = False, joined
    cdef const Entry* u
    cdef Host* host
    cdef uint32_t i
    cdef float sure = <float>0.99
    find_direct(t, w, e)
    if e.outcome in (OUTCOME_REFUSED, OUTCOME_FORMERR, OUTCOME_NOTIMP) and not (w.forwarded and w.failed):
        return                 # the server's own word: neither out of a cache nor from upstream
    if w.direct:
        if not positive:
            waited = True
        elif w.good:
            # What is still valid is not waited for, though it be refreshed just then, or others wait for more.  Nor is what had
            # come before the question did, though whoever asked first never got it: the answer was given up, or lost.
            waited = not (e.expected == EXPECT_VALID and (w.refreshing or w.before == w.direct and w.last < e.time)
                          or w.before == w.direct and 0 <= w.last < e.time - UNDER_WAY and e.answered - e.time <= SLOW_HIT
                          and not others_wait(t, e))
        elif reply.stale_error or e.expected == EXPECT_EXPIRED and (e.ttl == STALE_TTL or e.ttl == 0 or e.ttl > e.full_ttl):
            stale = True
        else:
            waited = not (e.expected == EXPECT_VALID or w.before == w.direct and at_hand(t, e)) or e.answered - e.time > SLOW_HIT
            sure = <float>0.8
    elif not positive or e.answered - e.time > SLOW_HIT and (e.outcome == OUTCOME_NXDOMAIN or e.expected != EXPECT_VALID) \
            or e.outcome == OUTCOME_NXDOMAIN and may_be_denied(t, e):
        whole_targets(t, w, e)
        find_walk(t, w, e)
        walked = True
        if e.outcome == OUTCOME_NXDOMAIN and w.denied:
            waited = True
        elif w.count and (not positive or e.answered - e.time > SLOW_HIT):
            waited = True
            sure = <float>(0.9 if not positive else 0.7)
    if not waited and not stale and e.flags & EXCHANGE_CUT and upstream_during(t, e):
        # Its aliases cannot be read, and something was out upstream.
        waited = True
        sure = <float>0.6
    if not waited and not stale:
        hit(t, e, reply)
        return
    if not walked:
        whole_targets(t, w, e)
        find_walk(t, w, e)
    charge(t, w, e)
    e.kind |= ENTRY_WAITED
    e.probability = sure
    e.evidence |= SAID_ASKED_UPSTREAM
    if reply.aliased:
        e.evidence |= SAID_ALIAS
    host = &t.hosts[e.server_host] if e.server_host != NO_HOST else NULL
    if host != NULL:
        host.joined += 1
        host.forwards += w.forwarded != 0
    if stale:
        e.cache = CACHE_STALE
        e.evidence |= SAID_EXPIRED | SAID_UPSTREAM_SILENT | (SAID_STALE_ERROR if reply.stale_error else SAID_STALE_TTL)
        return
    joined = w.direct and w.before == w.direct or e.kind & ENTRY_JOINED != 0
    if joined:
        e.cache = CACHE_COALESCED
        e.evidence |= SAID_ASKED_AGAIN if w.again else SAID_UNDER_WAY
    else:
        e.cache = CACHE_FORWARDED if w.forwarded else CACHE_MISS
        for i in range(w.count):
            u = &t.ring[w.numbers[i] & t.mask]
            note_link(t, u.client_host, e.server_host)
            break


cdef void note_refresh(Resolving* t, Entry* e) noexcept nogil:
    e.kind |= ENTRY_REFRESHED
    if e.cache == CACHE_HIT or e.cache == CACHE_NEGATIVE_HIT:
        e.evidence |= SAID_REFRESHED
        if e.expected == EXPECT_EXPIRED and (e.expected_ttl > 0 or ran_out(t, e)):
            e.cache = CACHE_STALE
            e.evidence |= SAID_EXPIRED
        else:
            e.cache = CACHE_PREFETCH
