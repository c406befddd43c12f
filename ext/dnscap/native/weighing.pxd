"""What a verdict works with: the questions of a lookup, what became of them, and the spans of time they claim."""
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t

from dnscap.native.attempts cimport *
from dnscap.native.exchanges cimport (
    OUTCOME_ANSWER, OUTCOME_NODATA, OUTCOME_NXDOMAIN, OUTCOME_OTHER_RCODE, OUTCOME_REFERRAL, OUTCOME_SERVFAIL,
    OUTCOME_TRUNCATED,
)

cdef enum:
    MOST_WAITS = 1200
    NO_CAUSE = 255

cdef enum:                     # nanoseconds
    COSTS = 100000000          # what a cause must cost to be named
    TOGETHER = 50000000        # attempts this close are one round
    ROUND = 150000000          # rounds of a stub are further apart than this: the shortest timer known is 250 ms (c-ares)
    STILL = 4                  # queries without an answer in a row that a living server may leave
    SLACK = 100000000          # of timers on busy machines
    UNFINISHED = 1000000000    # an answer that the end of the capture left out for less than this may have come
    STEP = 1000000             # clocks of captures: an answer may seem to come before its query


cdef struct Wait:
    int64_t begin
    int64_t end
    uint8_t bucket             # BUCKETS: none
    uint8_t cause              # NO_CAUSE: none

cdef struct Question:          # one type asked for one name
    uint16_t qtype
    uint8_t candidate
    uint8_t resolved
    uint8_t failed             # its last answer is a failure
    uint8_t open               # an answer is still out
    uint8_t patient            # the stub goes on waiting after a failure
    uint8_t cut                # only cut answers came
    int16_t winner             # attempt that was answered; -1
    int16_t first              # attempt
    int16_t last
    int64_t settled            # when
    int64_t begun              # first attempt

cdef enum:
    MOST_QUESTIONS = 96

cdef struct Work:
    Wait[1200] waits
    Question[96] questions
    int64_t[39] cost
    int64_t[39] reach
    uint8_t[39] forced
    uint32_t wait_count
    uint32_t question_count
    int64_t release
    int64_t least
    int64_t most
    uint8_t basis
    uint8_t truncation_final
    uint8_t fragments


cdef inline bint same_server(const Attempt* a, const Attempt* b) noexcept nogil:
    return a.server[0] == b.server[0] and a.server[1] == b.server[1]


cdef inline bint failure(const Attempt* a) noexcept nogil:
    return a.answered >= 0 and (OUTCOME_SERVFAIL <= a.outcome <= OUTCOME_OTHER_RCODE or a.outcome == OUTCOME_REFERRAL)


cdef inline bint usable(const Work* w, const Attempt* a) noexcept nogil:
    """Whether the stub could use the answer, be it that there is nothing."""
    if a.answered < 0 or a.flags & (ATTEMPT_LATE | ATTEMPT_LED):
        return False
    if a.outcome == OUTCOME_ANSWER or a.outcome == OUTCOME_NODATA or a.outcome == OUTCOME_NXDOMAIN:
        return not (w.fragments and a.flags & ATTEMPT_FRAGMENT)
    return a.outcome == OUTCOME_TRUNCATED and w.truncation_final


cdef inline void put(Work* w, int64_t begin, int64_t end, uint8_t bucket, uint8_t cause) noexcept nogil:
    cdef Wait* x
    if end <= begin or w.wait_count == MOST_WAITS:
        return
    x = &w.waits[w.wait_count]
    x.begin = begin
    x.end = end
    x.bucket = bucket
    x.cause = cause
    w.wait_count += 1


cdef inline int64_t after(const Lookup* l, uint32_t i) noexcept nogil:
    """When the question of attempt `i` was asked again, in a later round; -1 never."""
    cdef const Attempt* a = &l.attempts[i]
    cdef const Attempt* b
    cdef uint32_t j
    for j in range(i + 1, l.attempt_count):
        b = &l.attempts[j]
        if b.qtype == a.qtype and b.candidate == a.candidate:
            if b.time - a.time > TOGETHER or same_server(a, b) or (a.answered >= 0 and b.time >= a.answered):
                return b.time
    return -1
