"""Aliases followed by stubs; see chasing.pxd.

Most stubs leave that to their server, whose answer holds all of the chain.  Where it does not, a query for the target right
behind it is no lookup of an application.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from dnscap.native.assembly cimport MOST_CHAIN
from dnscap.native.attempts cimport *
from dnscap.native.datagrams cimport TRANSPORT_TCP
from dnscap.native.domain cimport NAME_ROOM
from dnscap.native.exchange_index cimport hash_name
from dnscap.native.exchanges cimport (
    EXCHANGE_AD, EXCHANGE_CD, EXCHANGE_DO, EXCHANGE_EDNS, EXCHANGE_RD, OUTCOME_ANSWER, OUTCOME_NODATA, OUTCOME_TRUNCATED,
)
from dnscap.native.grouping cimport AT_ONCE, failing
from dnscap.native.lookup_index cimport Index, chain, chase_key, link
from dnscap.native.many_attempts cimport changed

cdef enum:
    TYPE_CNAME = 5
    LONGEST_NAME = 255
    SKEW = 1000000             # nanoseconds; clocks of captures: an event may seem to come this much before its cause
    RETRY = 200000000          # the shortest timer of a stub that uses a new id for each try


cdef inline bint leads_on(const Attempt* a) noexcept nogil:
    return a.flags & (ATTEMPT_ALIAS | ATTEMPT_WANTED | ATTEMPT_LOOP | ATTEMPT_CUT) == ATTEMPT_ALIAS \
        and (a.outcome == OUTCOME_ANSWER or a.outcome == OUTCOME_NODATA)


cdef void await_chase(Assembly* t, const KeyIndex* index, Lookup* l, const Attempt* a) noexcept nogil:
    cdef uint8_t[NAME_ROOM] name
    cdef uint32_t at = 0
    cdef uint16_t kind, n, size = 0
    if not leads_on(a):
        return
    memset(name, 0, sizeof(name))
    # The last alias of an answer is the end of its chain.
    while at < l.record_size:
        memcpy(&kind, l.records + at, 2)
        memcpy(&n, l.records + at + 2, 2)
        if kind == TYPE_CNAME and l.records[at + 4] == a.candidate and n <= LONGEST_NAME:
            memcpy(name, l.records + at + 6, n)
            size = n
        at += 6 + n
    if size:
        t.led_at = a.answered
        link(&t.index, l, chase_key(l.client_hash, hash_name(index, name, size)))


cdef bint is_target(const Lookup* l, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef uint32_t at = 0
    cdef uint16_t kind, n
    while at < l.record_size:
        memcpy(&kind, l.records + at, 2)
        memcpy(&n, l.records + at + 2, 2)
        if kind == TYPE_CNAME and spells(l.records + at + 6, n, name, size):
            return True
        at += 6 + n
    return False


cdef inline uint8_t chases(Lookup* l, const Exchange* ex, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef uint16_t bits = EXCHANGE_AD | EXCHANGE_CD | EXCHANGE_DO | EXCHANGE_EDNS | EXCHANGE_RD
    cdef uint8_t now_at = <uint8_t>(l.candidate_count - 1)
    cdef uint32_t i
    cdef Attempt* a
    cdef Attempt* chase = NULL
    cdef Attempt* led = NULL
    if (l.sent ^ ex.flags) & bits or not is_target(l, name, size):
        return ROLE_NONE
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if a.qtype != ex.qtype or a.candidate != now_at:
            continue
        if a.role == ROLE_CHASE or chase != NULL:
            chase = a
        elif leads_on(a) and -SKEW <= ex.time - a.answered <= AT_ONCE:
            led = a
    if chase == NULL:
        if led == NULL:
            return ROLE_NONE
        led.flags |= ATTEMPT_LED
        changed(l)
        return ROLE_CHASE
    if ex.transport == TRANSPORT_TCP:
        return ROLE_TCP_FALLBACK if chase.outcome == OUTCOME_TRUNCATED else ROLE_NONE
    if chase.answered >= 0 and leads_on(chase) and ex.time - chase.answered <= AT_ONCE:
        chase.flags |= ATTEMPT_LED
        changed(l)
        return ROLE_CHASE
    if chase.answered >= 0 and not failing(chase.outcome) or chase.id != ex.id and ex.time - chase.time < RETRY:
        return ROLE_NONE
    if chase.server[0] != ex.server[0] or chase.server[1] != ex.server[1]:
        return ROLE_FAILOVER
    return ROLE_RETRANSMISSION


cdef Lookup* chased(const Index* x, const Exchange* ex, const Asked* q, uint8_t* role) noexcept nogil:
    cdef uint64_t key = chase_key(q.client, q.text)
    cdef uint32_t at = chain(x, key), seen = 0
    cdef Lookup* l
    while at and seen < MOST_CHAIN:
        if x.nodes[at].hash == key:
            seen += 1
            l = x.nodes[at].l
            if l.client[0] == ex.client[0] and l.client[1] == ex.client[1]:
                role[0] = chases(l, ex, q.name, q.size)
                if role[0] != ROLE_NONE:
                    return l
        at = x.nodes[at].after
    role[0] = ROLE_PRIMARY
    return NULL
