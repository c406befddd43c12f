"""Lookups answered at once; see at_once.pxd.

One query, or one for each of two types sent before the first was answered; each sent once, over UDP, and answered soon by what
settles the question.  There is nothing to weigh then: the wait is over with the last answer, all of it is useful, and nothing
else has a cause.  What is said here follows from the rules in verdicts.pyx and budget.pyx for such lookups, and a test holds
both against each other.
"""
from libc.stdint cimport int64_t, uint8_t

from dnscap.native.attempts cimport *
from dnscap.native.datagrams cimport TRANSPORT_UDP
from dnscap.native.exchanges cimport NO_LOOKUP, OUTCOME_ANSWER, OUTCOME_NODATA, OUTCOME_NXDOMAIN
from dnscap.native.weighing cimport COSTS

cdef enum:
    PECULIAR = ATTEMPT_BOGUS | ATTEMPT_LOOP | ATTEMPT_FRAGMENT | ATTEMPT_CLOSED | ATTEMPT_LATE | ATTEMPT_LED


cdef inline bint fine(const Attempt* a) noexcept nogil:
    return (a.outcome == OUTCOME_ANSWER or a.outcome == OUTCOME_NODATA or a.outcome == OUTCOME_NXDOMAIN) \
        and a.answered >= a.time and a.answered - a.time < COSTS and a.transport == TRANSPORT_UDP and not a.flags & PECULIAR \
        and a.exchange != NO_LOOKUP


cdef bint answered_at_once(const Lookup* l, uint8_t* outcome, int64_t* duration) noexcept nogil:
    cdef const Attempt* a = &l.attempts[0]
    cdef const Attempt* b = a
    cdef int64_t release
    if l.attempt_count != l.queries or l.attempt_count == 0 or l.attempt_count > 2 or l.candidate_count != 1 or l.dial_count \
            or a.time != l.time or not fine(a) or a.role != ROLE_PRIMARY:
        return False
    release = a.answered
    if l.attempt_count == 2:
        b = &l.attempts[1]
        if not fine(b) or b.qtype == a.qtype or b.role != ROLE_COMPANION or b.time < a.time or b.time >= a.answered:
            return False
        release = max(release, b.answered)
        if release - l.time >= COSTS:
            return False
    if a.outcome == OUTCOME_ANSWER or b.outcome == OUTCOME_ANSWER:
        outcome[0] = LOOKUP_OK
    else:
        if (a.flags | b.flags) & ATTEMPT_ALIAS:
            return False           # of an alias that leads nowhere
        # One family may be said not to exist where the other does: the name exists then.
        outcome[0] = LOOKUP_NODATA if a.outcome == OUTCOME_NODATA or b.outcome == OUTCOME_NODATA else LOOKUP_NXDOMAIN
    duration[0] = release - l.time
    return True
