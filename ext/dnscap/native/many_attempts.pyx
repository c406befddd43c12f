"""Lookups with many attempts; see many_attempts.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport malloc, realloc
from libc.string cimport memcpy, memset

from dnscap.native.attempts cimport ATTEMPT_FRAGMENT, ATTEMPT_LED, Attempt, Lookup
from dnscap.native.datagrams cimport TRANSPORT_TCP, TRANSPORT_UDP
from dnscap.native.exchanges cimport OUTCOME_ANSWER, OUTCOME_TRUNCATED


cdef bint widen_attempts(Lookup* l, uint32_t room) noexcept nogil:
    cdef size_t octets = room * sizeof(Attempt) + (sizeof(Sums) if room >= MANY else 0)
    cdef Attempt* a = <Attempt*>(malloc(octets) if l.attempts == l.few_attempts else realloc(l.attempts, octets))
    if a == NULL:
        return False
    if l.attempts == l.few_attempts:
        memcpy(a, l.few_attempts, l.attempt_count * sizeof(Attempt))
    l.attempts = a
    l.attempt_room = room
    changed(l)
    return True


cdef inline void mark(uint64_t* marks, uint32_t which) noexcept nogil:
    marks[which >> 6] |= <uint64_t>1 << (which & 63)


cdef inline void count(Sums* s, const Lookup* l, uint32_t i) noexcept nogil:
    cdef const Attempt* a = &l.attempts[i]
    cdef const Attempt* before
    cdef Kind* k
    cdef uint32_t j = 0
    if i and a.time - l.attempts[i - 1].time > s.gap:
        s.gap = a.time - l.attempts[i - 1].time
    s.lost |= a.answered < 0
    s.tcp |= a.transport == TRANSPORT_TCP
    s.cut |= a.flags & ATTEMPT_FRAGMENT != 0
    s.one_port |= i > 0 and a.port == l.attempts[0].port and a.qtype != l.attempts[0].qtype and a.transport == TRANSPORT_UDP
    if a.candidate != s.candidate:
        return
    s.unanswered |= a.answered < 0
    if s.begun == 0:
        s.begun = i + 1
    mark(s.ids, id_mark(a.qtype, a.id))
    mark(s.ports, port_mark(a.port, a.server_port, a.transport))
    while j < s.kind_count and s.kinds[j].qtype != a.qtype:
        j += 1
    if j == MOST_TYPES:
        s.further = 1
        return
    k = &s.kinds[j]
    if j == s.kind_count:
        s.kind_count += 1
        memset(k, 0, sizeof(Kind))
        k.qtype = a.qtype
    else:
        before = &l.attempts[k.latest]
        k.keeps |= before.id == a.id and before.transport == a.transport
    k.latest = i
    k.lost += a.answered < 0
    k.good |= settling(a.outcome) and not a.flags & ATTEMPT_LED
    k.truncated |= a.outcome == OUTCOME_TRUNCATED
    s.positive |= a.outcome == OUTCOME_ANSWER


cdef Sums* sum_up(const Lookup* l) noexcept nogil:
    """The sums of a lookup that has them, as of now."""
    cdef Sums* s = sums_at(l)
    cdef uint8_t now_at = <uint8_t>(l.candidate_count - 1)
    if s.counted == 0 or s.candidate != now_at:
        memset(s, 0, sizeof(Sums))
        s.candidate = now_at
    while s.counted < l.attempt_count:
        count(s, l, s.counted)
        s.counted += 1
    return s
