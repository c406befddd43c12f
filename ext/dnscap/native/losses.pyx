"""Losses and what they go with; see losses.pxd.

Each rule wants several losses of the kind and hardly any of another, so that packets lost at random do not pass for one.
"""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.attempts cimport *
from dnscap.native.datagrams cimport TRANSPORT_UDP
from dnscap.native.exchanges cimport OUTCOME_UNREACHABLE
from dnscap.native.weighing cimport ROUND, TOGETHER, same_server

cdef enum:
    ENOUGH = 4                 # broken pairs from which on they may be a rule
    PEAKS = 8                  # losses under load, likewise
    QUIET = 64                 # queries at quiet times that losses under load are held against


cdef inline bint is_pair(const Attempt* a, const Attempt* b) noexcept nogil:
    """Whether `b` left just behind `a` from the same port."""
    return a.qtype != b.qtype and a.port == b.port and a.candidate == b.candidate and same_server(a, b) \
        and a.transport == TRANSPORT_UDP and b.transport == TRANSPORT_UDP and 0 <= b.time - a.time < TOGETHER \
        and (a.answered < 0 or b.time <= a.answered)


cdef inline bint is_lost(const Attempt* a) noexcept nogil:
    return a.answered < 0 and not a.flags & ATTEMPT_BOGUS


cdef inline bint came(const Attempt* a) noexcept nogil:
    return a.answered >= 0 and a.outcome != OUTCOME_UNREACHABLE


cdef bint asked_again(const Lookup* l, const Attempt* a) noexcept nogil:
    """Whether the same query was sent once more although it had been answered."""
    cdef uint32_t i
    for i in range(l.attempt_count):
        if l.attempts[i].first == a.first and l.attempts[i].time - a.answered > ROUND:
            return True
    return False


cdef void weigh_pair(const Lookup* l, ServerNote* notes) noexcept nogil:
    cdef const Attempt* a = &l.attempts[0]
    if is_pair(a, &l.attempts[1]) and came(a) and came(&l.attempts[1]):
        notes[a.note].pairs_whole += 1


cdef void weigh_pairs(const Lookup* l, ServerNote* notes) noexcept nogil:
    cdef uint32_t i, j
    cdef const Attempt* a
    cdef const Attempt* b
    cdef ServerNote* n
    cdef bint paired
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if a.note == NO_NOTE or a.transport != TRANSPORT_UDP:
            continue
        n = &notes[a.note]
        paired = False
        for j in range(l.attempt_count):
            if j < i and is_pair(&l.attempts[j], a):
                paired = True
                break
            b = &l.attempts[j]
            if j <= i or not is_pair(a, b):
                continue
            paired = True
            if came(a) and came(b) and not (asked_again(l, a) and asked_again(l, b)):
                n.pairs_whole += 1
                break
            n.broken += 1
            if came(a) and came(b):
                n.pairs_asked_again += 1
            elif came(b) and is_lost(a):
                n.pairs_without_first += 1
            elif came(a) and is_lost(b):
                n.pairs_without_second += 1
            else:
                n.pairs_silent += 1
            break
        if not paired and (is_lost(a) or came(a) and asked_again(l, a)):
            n.lost_alone += 1
            n.broken += 1


cdef bint has_answered_twin(const Lookup* l, uint32_t i) noexcept nogil:
    cdef uint32_t j
    for j in range(l.attempt_count):
        if came(&l.attempts[j]) and (is_pair(&l.attempts[j], &l.attempts[i]) if j < i else is_pair(&l.attempts[i], &l.attempts[j])):
            return True
    return False


cdef bint drops_second_answers(const ServerNote* n) noexcept nogil:
    # Only second queries lost are lost queries as well as anything: see CAUSE_PAIR_RACE.
    cdef uint32_t broken = n.pairs_without_first + n.pairs_without_second
    return broken >= ENOUGH and n.pairs_without_first >= 2 and (n.pairs_whole + n.pairs_silent + n.lost_alone) * 8 <= broken


cdef bint loses_pairs_of_answers(const ServerNote* n) noexcept nogil:
    return n.pairs_asked_again >= ENOUGH \
        and (n.pairs_whole + n.pairs_silent + n.pairs_without_first + n.pairs_without_second + n.lost_alone) * 8 \
        <= n.pairs_asked_again


cdef bint overflows(const ServerNote* n, const Attempt* a) noexcept nogil:
    cdef uint64_t asked = 0, lost = 0, asked_high = 0, lost_high = 0
    cdef uint32_t k
    if a.load < HIGH_LOAD:
        return False
    for k in range(LOADS):
        if k < HIGH_LOAD:
            asked += n.asked_under[k]
            lost += n.lost_under[k]
        else:
            asked_high += n.asked_under[k]
            lost_high += n.lost_under[k]
    return lost_high >= PEAKS and asked >= QUIET and (lost + 1) * asked_high * 8 <= lost_high * asked
