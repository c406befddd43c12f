"""Time budgets of lookups; see budget.pxd."""
from libc.stdint cimport int16_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport qsort

from dnscap.native.attempts cimport *
from dnscap.native.datagrams cimport TRANSPORT_TCP
from dnscap.native.exchanges cimport (
    EXCHANGE_EDNS, OUTCOME_FORMERR, OUTCOME_NOTIMP, OUTCOME_REFUSED, OUTCOME_TRUNCATED, OUTCOME_UNREACHABLE,
)
from dnscap.native.weighing cimport *

cdef enum:
    TYPE_AAAA = 28


cdef bint parallel_won(const Work* w, const Lookup* l, uint32_t i) noexcept nogil:
    """Whether the same question, sent to another server in the same round, was answered."""
    cdef const Attempt* a = &l.attempts[i]
    cdef const Attempt* b
    cdef uint32_t j
    for j in range(l.attempt_count):
        b = &l.attempts[j]
        if j != i and b.qtype == a.qtype and b.candidate == a.candidate and not same_server(a, b) \
                and -TOGETHER < b.time - a.time < TOGETHER and usable(w, b):
            return not (a.answered >= 0 and a.answered < b.time)
    return False


cdef bint second_of_pair(const Lookup* l, uint32_t i) noexcept nogil:
    """Whether attempt `i` left from the port of another type's attempt just before it, and that one was answered."""
    cdef const Attempt* a = &l.attempts[i]
    cdef const Attempt* b
    cdef uint32_t j
    for j in range(i):
        b = &l.attempts[j]
        if b.qtype != a.qtype and b.port == a.port and b.candidate == a.candidate and same_server(a, b) \
                and b.answered >= 0 and b.transport == a.transport \
                and (a.time - b.time < TOGETHER or 0 <= a.time - b.answered < TOGETHER):
            return True
    return False


cdef inline bint races(const ServerNote* note) noexcept nogil:
    """Whether what is lost on the way to the server is the second of a pair, rather than anything."""
    return note == NULL or note.lost_other * 2 <= note.lost_second


cdef uint8_t blame(Work* w, Lookup* l, const Surroundings* s, uint32_t i, const Question* q) noexcept nogil:
    """Why attempt `i` has no answer."""
    cdef const Attempt* a = &l.attempts[i]
    cdef const Attempt* b
    cdef const ServerNote* note = &s.notes[a.note] if a.note != NO_NOTE else NULL
    cdef uint32_t j, sent = 0
    cdef bint later = False, plain = False, other = False
    if a.flags & ATTEMPT_BOGUS:
        return CAUSE_BOGUS_ANSWER_IGNORED
    if a.flags & ATTEMPT_FRAGMENT:
        return CAUSE_FRAGMENTS_LOST
    if a.outcome == OUTCOME_UNREACHABLE:
        return CAUSE_TCP_BLOCKED if a.transport == TRANSPORT_TCP else CAUSE_SERVER_UNREACHABLE
    for j in range(l.attempt_count):
        b = &l.attempts[j]
        if not same_server(a, b):
            continue
        if b.qtype == a.qtype:
            sent += 1
            if b.answered >= 0 and b.time > a.time:
                if a.sent & EXCHANGE_EDNS and not b.sent & EXCHANGE_EDNS:
                    plain = True
                else:
                    later = True
        elif b.answered >= 0:
            other = True
    if plain and not later:
        return CAUSE_EDNS_DROPPED
    if later:
        return CAUSE_PAIR_RACE if second_of_pair(l, i) and races(note) else CAUSE_PACKET_LOSS
    if other:
        if a.qtype == TYPE_AAAA and (note == NULL or note.answered_aaaa == 0) \
                and (sent > 1 or note != NULL and note.asked_aaaa > 1 and not second_of_pair(l, i)):
            return CAUSE_AAAA_DROPPED
        return CAUSE_PAIR_RACE if second_of_pair(l, i) and races(note) else CAUSE_PACKET_LOSS
    if q.resolved:
        if note != NULL and note.answered and (note.last_answer > a.time or note.silent <= STILL):
            return CAUSE_PACKET_LOSS
        return CAUSE_NAMESERVER_TIMEOUT
    return CAUSE_NO_ANSWER


cdef bint all_answered(const Work* w, const Lookup* l, uint8_t candidate, int64_t time) noexcept nogil:
    """Whether every type asked for the name before `time` had its answer by then."""
    cdef uint32_t i, j
    cdef const Question* q
    cdef const Attempt* a
    cdef bint good
    for j in range(w.question_count):
        q = &w.questions[j]
        if q.candidate != candidate or q.begun >= time:
            continue
        good = False
        for i in range(l.attempt_count):
            a = &l.attempts[i]
            if a.qtype == q.qtype and a.candidate == candidate and usable(w, a) and a.answered <= time:
                good = True
                break
        if not good:
            return False
    return True


cdef uint8_t cause_of(uint8_t outcome) noexcept nogil:
    if outcome == OUTCOME_REFUSED:
        return CAUSE_REFUSED
    if outcome == OUTCOME_FORMERR or outcome == OUTCOME_NOTIMP:
        return CAUSE_FORMERR
    return CAUSE_SERVFAIL


cdef void account(Work* w, Lookup* l, const Surroundings* s) noexcept nogil:
    """Claim the time of every attempt for a bucket of the budget, and for a cause where it has one."""
    cdef Question* q
    cdef Question* r
    cdef Attempt* a
    cdef Attempt* b
    cdef uint32_t i, j, k
    cdef int64_t again, until, shut
    cdef uint8_t final = <uint8_t>(l.candidate_count - 1), cause, bucket
    cdef bint serial, tried
    for j in range(w.question_count):
        q = &w.questions[j]
        # Asked only after another type was answered?
        serial = False
        for k in range(w.question_count):
            r = &w.questions[k]
            if r.candidate == q.candidate and r.qtype != q.qtype and r.resolved and r.begun < q.begun and r.settled <= q.begun \
                    and q.begun - r.begun > 0:
                serial = True
        for i in range(l.attempt_count):
            a = &l.attempts[i]
            if a.qtype != q.qtype or a.candidate != q.candidate:
                continue
            again = after(l, i)
            until = again if again >= 0 else w.release
            if again < 0 and q.candidate != final:
                for k in range(i + 1, l.attempt_count):
                    if l.attempts[k].candidate > q.candidate:
                        until = min(until, l.attempts[k].time)     # the walk went on
                        break
            if q.resolved and again < 0:
                until = max(q.settled, a.time)
            if a.flags & ATTEMPT_LATE:
                put(w, a.time, until, BUCKET_TIMEOUT, CAUSE_SLOW_ANSWER)
                put(w, a.time, until, BUCKETS, CAUSE_NO_ANSWER)
                continue
            if usable(w, a):
                if again >= 0 and again < a.answered:
                    # It came, but only after the stub had asked again.
                    if a.answered > q.settled or q.winner == <int16_t>i or again - a.time > ROUND:
                        put(w, a.time, again, BUCKET_TIMEOUT, CAUSE_SLOW_ANSWER)
                    if q.winner == <int16_t>i:
                        put(w, again, a.answered, BUCKET_ANSWER, CAUSE_SLOW_ANSWER)
                    continue
                if a.answered > w.release:
                    put(w, a.time, w.release, BUCKET_TIMEOUT, CAUSE_SLOW_ANSWER)
                    continue
                bucket = BUCKET_ANSWER
                if q.candidate != final and a.role != ROLE_CHASE:
                    bucket = BUCKET_SEARCH
                elif serial:
                    bucket = BUCKET_SERIAL
                cause = CAUSE_SLOW_ANSWER if a.answered - a.time >= COSTS else NO_CAUSE
                if again >= 0 and again - a.answered > ROUND and all_answered(w, l, q.candidate, again - ROUND):
                    # All was answered, and yet the stub asked again: the answer did not reach it.
                    put(w, a.time, again, BUCKET_TIMEOUT, CAUSE_FRAGMENTS_LOST if a.flags & ATTEMPT_IN_FRAGMENTS else
                        CAUSE_REPLY_SWALLOWED if a.flags & ATTEMPT_TAKEN_IN else CAUSE_PACKET_LOSS)
                    continue
                if a.transport == TRANSPORT_TCP:
                    if a.again:
                        cause = CAUSE_TCP_RETRANSMISSION
                    for k in range(i):
                        b = &l.attempts[k]
                        if b.outcome == OUTCOME_TRUNCATED and b.candidate == a.candidate and b.answered <= a.time:
                            put(w, b.answered, a.answered, BUCKET_TRUNCATION, CAUSE_TRUNCATION)
                if serial and bucket == BUCKET_SERIAL:
                    put(w, a.time, a.answered, BUCKETS, CAUSE_SERIAL_A_AAAA)
                put(w, a.time, a.answered, bucket, cause)
            elif a.outcome == OUTCOME_TRUNCATED and a.answered >= 0:
                put(w, a.time, a.answered, BUCKET_ANSWER if q.candidate == final else BUCKET_SEARCH,
                    CAUSE_SLOW_ANSWER if a.answered - a.time >= COSTS else NO_CAUSE)
                put(w, a.answered, until, BUCKET_TRUNCATION, CAUSE_TRUNCATION)
                # A connection that could not be had?
                tried = False
                for k in range(l.dial_count):
                    if l.dials[k].refused or l.dials[k].ended < 0:
                        tried = True
                if tried:
                    put(w, a.answered, q.settled if q.resolved else w.release, BUCKETS, CAUSE_TCP_BLOCKED)
                    put(w, a.answered, q.settled if q.resolved else w.release, BUCKETS, CAUSE_TRUNCATION)
            elif failure(a):
                cause = cause_of(a.outcome)
                bucket = BUCKET_FAILED_SERVER
                if a.outcome == OUTCOME_FORMERR or a.outcome == OUTCOME_NOTIMP:
                    for k in range(i + 1, l.attempt_count):
                        b = &l.attempts[k]
                        if b.qtype == a.qtype and a.sent & EXCHANGE_EDNS and not b.sent & EXCHANGE_EDNS:
                            cause = CAUSE_EDNS_FALLBACK
                            bucket = BUCKET_EDNS
                if a.flags & ATTEMPT_LOOP:
                    cause = CAUSE_CNAME_LOOP
                put(w, a.time, a.answered, bucket, cause)
                if a.answered - a.time >= COSTS:
                    put(w, a.time, min(a.answered, until) if until > a.time else a.answered, BUCKETS, CAUSE_SLOW_ANSWER)
                # What followed was needed only because of it.
                put(w, a.time, q.settled if q.resolved else until, BUCKETS, cause)
                if until - a.answered > ROUND and not q.resolved or again - a.answered > ROUND:
                    put(w, a.answered, until, BUCKET_TIMEOUT, cause)
            elif a.outcome == OUTCOME_UNREACHABLE and a.answered >= 0:
                put(w, a.time, a.answered, BUCKET_FAILED_SERVER, blame(w, l, s, i, q))
            else:
                if q.resolved and (parallel_won(w, l, i) or a.time >= q.settled and again < 0 and l.attempts[q.winner].time < a.time
                                   and not s.finished and w.release <= a.time):
                    continue
                if q.resolved and q.settled < a.time and again < 0:
                    until = min(w.release, a.time + STEP)
                if q.resolved and again < 0 and q.settled >= a.time:
                    until = q.settled
                cause = blame(w, l, s, i, q)
                put(w, a.time, until, BUCKET_TIMEOUT, cause)
    # Connections: what their opening took.
    for k in range(l.dial_count):
        shut = l.dials[k].ended if l.dials[k].ended >= 0 else w.release
        if l.dials[k].syns > 1 and l.dials[k].ended >= 0 and not l.dials[k].refused:
            put(w, l.dials[k].time, shut, BUCKET_TIMEOUT, CAUSE_TCP_RETRANSMISSION)
        elif l.dials[k].ended >= 0 and l.dials[k].time <= l.time:
            put(w, l.dials[k].time, shut, BUCKET_ANSWER, NO_CAUSE)
    # Candidates of the search list before the last one.
    for i in range(1, l.attempt_count):
        if l.attempts[i].candidate == l.attempts[i - 1].candidate + 1 and l.attempts[i].role == ROLE_SEARCH:
            for k in range(i):
                if l.attempts[k].candidate == l.attempts[i].candidate - 1:
                    put(w, l.attempts[k].time, l.attempts[i].time, BUCKETS, CAUSE_SEARCH_FANOUT)
                    break


cdef int by_begin(const void* a, const void* b) noexcept nogil:
    cdef int64_t x = (<const Wait*>a).begin
    cdef int64_t y = (<const Wait*>b).begin
    return -1 if x < y else 1 if x > y else 0


cdef void spend(Work* w, Lookup* l) noexcept nogil:
    """Give every instant from the first query to the release to one bucket, and sum what each cause covers."""
    cdef uint32_t i, j
    cdef Wait* x
    cdef int64_t at = l.time, next_at
    cdef int64_t[8] ends
    cdef uint8_t bucket
    cdef int64_t end
    for i in range(w.wait_count):
        x = &w.waits[i]
        x.begin = max(x.begin, l.time)
        x.end = min(x.end, w.release)
    qsort(w.waits, w.wait_count, sizeof(Wait), by_begin)
    for i in range(w.wait_count):
        x = &w.waits[i]
        if x.cause != NO_CAUSE and x.end > x.begin:
            if w.reach[x.cause] < x.begin:
                w.reach[x.cause] = x.begin
            if x.end > w.reach[x.cause]:
                w.cost[x.cause] += x.end - w.reach[x.cause]
                w.reach[x.cause] = x.end
    # Sweep: of each bucket only the furthest end seen so far matters.
    for j in range(BUCKETS):
        ends[j] = l.time
        l.end.budget[j] = 0
    i = 0
    while at < w.release:
        while i < w.wait_count and w.waits[i].begin <= at:
            x = &w.waits[i]
            if x.bucket < BUCKETS and x.end > ends[x.bucket]:
                ends[x.bucket] = x.end
            i += 1
        bucket = BUCKET_GAP
        for j in range(BUCKETS):
            if ends[j] > at:
                bucket = <uint8_t>j
                break
        end = ends[bucket] if bucket != BUCKET_GAP else w.release
        next_at = w.waits[i].begin if i < w.wait_count else w.release
        end = min(end, min(next_at, w.release))
        l.end.budget[bucket] += end - at
        at = end
