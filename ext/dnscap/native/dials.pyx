"""Connections of stubs; see dials.pxd."""
from libc.stdint cimport INT64_MIN, int16_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport malloc, qsort, realloc
from libc.string cimport memcpy, memmove

from dnscap.native.assembly cimport LIST_CONNECTING, LIST_FAILED, MOST_CHAIN, MOST_WAITING, Assembly, Waiting
from dnscap.native.attempts cimport *
from dnscap.native.datagrams cimport TRANSPORT_TCP
from dnscap.native.decoder cimport Batch
from dnscap.native.exchanges cimport *
from dnscap.native.lookup_index cimport link, stream_key, unlink_key
from dnscap.native.many_attempts cimport changed, widen_attempts
from dnscap.native.stubs cimport STUB_MUSL, fingerprint
from dnscap.native.tcp cimport STREAM_IDLE, STREAM_OPEN, STREAM_UNANSWERED, Connection, Turn
from dnscap.native.upstreams cimport upstream_dial

cdef int64_t IDLE = 120000000000            # a silent connection is given up after this

cdef enum:
    SECOND = 1000000000        # nanoseconds: from a truncated answer to the connection it leads to


cdef Dial* add_dial(Assembly* t, Lookup* l) noexcept nogil:
    """Room for one more connection; NULL where there is none."""
    if l.dials == NULL:
        l.dials = <Dial*>malloc(MOST_DIALS * sizeof(Dial))
        if l.dials == NULL:
            t.failed = 1
            return NULL
    if l.dial_count == MOST_DIALS:
        return NULL
    l.dial_count += 1
    return &l.dials[l.dial_count - 1]


cdef Lookup* take_dial(Assembly* t, Lookup* l, const Exchange* ex) noexcept nogil:
    """A query over TCP for which the connection was tried before the lookup was known."""
    cdef uint32_t i, at
    cdef uint64_t key
    cdef Lookup* o
    cdef Dial* d
    cdef Waiting* w
    for i in range(MOST_WAITING):
        w = &t.waiting[i]
        if w.dial.syns and w.dial.stream == ex.stream:
            d = add_dial(t, l)
            if d == NULL:
                return NULL
            d[0] = w.dial
            w.dial.syns = 0
            if l.attempt_count == 0:
                l.time = min(l.time, l.dials[l.dial_count - 1].time)
            return NULL
    # Or taken for another lookup's, whose answer was truncated at the same time.
    key = stream_key(&t.index, ex.stream)
    at = t.index.buckets[<uint32_t>key & t.index.bucket_mask]
    while at:
        o = t.index.nodes[at].l
        if t.index.nodes[at].hash == key and o != l:
            for i in range(o.dial_count):
                if o.dials[i].stream == ex.stream:
                    d = add_dial(t, l)
                    if d != NULL:
                        d[0] = o.dials[i]
                    o.dial_count -= 1
                    o.dials[i] = o.dials[o.dial_count]
                    unlink_key(&t.index, o, key)
                    return o
        at = t.index.nodes[at].after
    return NULL


cdef Lookup* truncated_at(Assembly* t, const Turn* turn) noexcept nogil:
    """The lookup whose truncated answer makes its client connect to the server."""
    cdef Lookup* l
    cdef Lookup* best = NULL
    cdef int64_t latest = INT64_MIN
    cdef int16_t score
    cdef uint32_t i, k, seen = 0
    cdef uint8_t[2] lists
    lists[0] = LIST_FAILED
    lists[1] = LIST_CONNECTING
    # Such lookups wait in one of two lists; the latest stand last.
    for k in range(2):
        l = t.newest[lists[k]]
        seen = 0
        while l != NULL and seen < MOST_CHAIN:
            seen += 1
            if l.client[0] == turn.client[0] and l.client[1] == turn.client[1]:
                for i in range(l.attempt_count):
                    if l.attempts[i].outcome == OUTCOME_TRUNCATED and l.attempts[i].server[0] == turn.server[0] \
                            and l.attempts[i].server[1] == turn.server[1] and turn.time - l.attempts[i].answered < SECOND:
                        # The stub connects as soon as it has read the answer; musl of old not at all.
                        if l.attempts[i].answered > latest and fingerprint(l, &score) != STUB_MUSL:
                            best = l
                            latest = l.attempts[i].answered
            l = l.earlier
    return best


cdef Lookup* on_turn(Assembly* t, const Turn* turn, uint8_t kind) noexcept nogil:
    """A TCP connection was tried, opened or refused."""
    cdef Lookup* best = NULL
    cdef Dial* d
    cdef Waiting* w
    cdef uint32_t i
    cdef uint32_t at = t.index.buckets[<uint32_t>stream_key(&t.index, turn.stream) & t.index.bucket_mask]
    if t.upstream.any:
        upstream_dial(&t.upstream, turn.client, turn.server, turn.stream, turn.time, kind == HAPPENED_CONNECTED)
    while at:
        if t.index.nodes[at].hash == stream_key(&t.index, turn.stream):
            best = t.index.nodes[at].l
        at = t.index.nodes[at].after
    if kind == HAPPENED_SYN:
        if best == NULL:
            best = truncated_at(t, turn)
        if best != NULL:
            for i in range(best.dial_count):
                if best.dials[i].stream == turn.stream:
                    best.dials[i].last = turn.time
                    best.dials[i].syns = <uint8_t>min(turn.syns, <uint32_t>255)
                    best.last = max(best.last, turn.time)
                    return best
            d = add_dial(t, best)
            if d == NULL:
                return NULL
            link(&t.index, best, stream_key(&t.index, turn.stream))
        else:
            d = NULL
            for i in range(MOST_WAITING):
                if t.waiting[i].dial.syns and t.waiting[i].dial.stream == turn.stream:
                    t.waiting[i].dial.last = turn.time
                    t.waiting[i].dial.syns = <uint8_t>min(turn.syns, <uint32_t>255)
                    return NULL
            w = &t.waiting[t.waiting_at]
            t.waiting_at = (t.waiting_at + 1) % MOST_WAITING
            w.client[0] = turn.client[0]
            w.client[1] = turn.client[1]
            d = &w.dial
        d.time = d.last = turn.time
        d.ended = -1
        d.server[0] = turn.server[0]
        d.server[1] = turn.server[1]
        d.stream = turn.stream
        d.port = turn.client_port
        d.syns = <uint8_t>max(min(turn.syns, <uint32_t>255), <uint32_t>1)
        d.refused = 0
        if best != NULL:
            best.last = max(best.last, turn.time)
        return best
    if best == NULL:
        for i in range(MOST_WAITING):
            if t.waiting[i].dial.syns and t.waiting[i].dial.stream == turn.stream:
                t.waiting[i].dial.ended = turn.time
                t.waiting[i].dial.refused = kind == HAPPENED_REFUSED
        return NULL
    for i in range(best.dial_count):
        if best.dials[i].stream == turn.stream:
            best.dials[i].ended = turn.time
            best.dials[i].refused = kind == HAPPENED_REFUSED
            best.last = max(best.last, turn.time)
            return best
    return NULL


cdef void carry(Lookup* l, const Connection* c) noexcept nogil:
    """Truncated answers were fetched over a connection of which the capture holds no whole message."""
    cdef uint32_t i, k, count = l.attempt_count
    cdef Attempt* a
    cdef Attempt* from_
    if l.attempt_room < 2 * count and not widen_attempts(l, 2 * count):
        return
    for k in range(count):
        from_ = &l.attempts[k]
        if from_.outcome != OUTCOME_TRUNCATED or from_.candidate != l.candidate_count - 1:
            continue
        a = &l.attempts[l.attempt_count]
        a[0] = from_[0]
        for i in range(l.dial_count):
            if l.dials[i].stream == c.stream:
                a.time = max(l.dials[i].ended, l.dials[i].time)
        a.answered = c.end_time
        a.exchange = NO_LOOKUP
        a.first = 0
        a.transport = TRANSPORT_TCP
        a.stream = c.stream
        a.outcome = OUTCOME_ANSWER
        a.flags = ATTEMPT_CUT | ATTEMPT_WANTED
        a.role = ROLE_TCP_FALLBACK
        l.attempt_count += 1
    l.answer_count += <uint32_t>min(c.octets_to_client // 28, <uint64_t>4096)


cdef Lookup* on_closed(Assembly* t, const Connection* c) noexcept nogil:
    """A connection is over: what it lost, and which of its queries stay unanswered."""
    cdef uint32_t at = t.index.buckets[<uint32_t>stream_key(&t.index, c.stream) & t.index.bucket_mask], i
    cdef Lookup* l
    cdef Attempt* a
    cdef bint touched, carried
    while at:
        if t.index.nodes[at].hash == stream_key(&t.index, c.stream):
            l = t.index.nodes[at].l
            touched = carried = False
            for i in range(l.attempt_count):
                if l.attempts[i].transport == TRANSPORT_TCP and l.attempts[i].stream == c.stream:
                    carried = True
            if not carried and c.octets_to_client > 12:
                carry(l, c)
                return l
            for i in range(l.attempt_count):
                a = &l.attempts[i]
                if a.transport != TRANSPORT_TCP or a.stream != c.stream:
                    continue
                a.again = <uint8_t>min(c.retransmissions, <uint32_t>255)
                if a.flags & ATTEMPT_CLOSED and c.octets_to_client > 12 and c.responses < c.queries:
                    # It was answered; the capture does not hold the answer.
                    a.outcome = OUTCOME_ANSWER
                    a.flags = a.flags & ~ATTEMPT_CLOSED | ATTEMPT_CUT
                    touched = True
                    continue
                if a.answered < 0 and c.end != STREAM_OPEN:
                    a.answered = c.end_time
                    touched = True
                    if c.octets_to_client > 12 and c.responses < c.queries:
                        a.outcome = OUTCOME_ANSWER
                        a.flags |= ATTEMPT_CUT
                    else:
                        a.outcome = OUTCOME_UNREACHABLE
                        a.flags |= ATTEMPT_CLOSED
            if touched:
                changed(l)
                return l
        at = t.index.nodes[at].after
    return NULL


cdef int64_t known_at(const Connection* c) noexcept nogil:
    """When the end of a connection is known: of a silent one, after the silence."""
    return c.end_time + IDLE if c.end == STREAM_IDLE or c.end == STREAM_UNANSWERED or c.end == STREAM_OPEN else c.end_time


cdef int by_end(const void* a, const void* b) noexcept nogil:
    cdef int64_t x = known_at(<const Connection*>a)
    cdef int64_t y = known_at(<const Connection*>b)
    return -1 if x < y else 1 if x > y else 0


cdef int take_ended(Assembly* t, Batch batch) noexcept nogil:
    """Keep the connections that a batch says are over: its messages may be older than that."""
    cdef Connection* rows
    cdef uint32_t old = t.ended_count - t.ended_at, more = batch.closed_count, i, j, k
    if more == 0:
        return 0
    if old and t.ended_at:
        memmove(t.ended, t.ended + t.ended_at, old * sizeof(Connection))
    t.ended_at = 0
    t.ended_count = old
    # Room for the new ones twice: they are put in order behind the place where they will stand among the others.
    if old + 2 * <size_t>more > t.ended_room:
        rows = <Connection*>realloc(t.ended, 2 * (old + 2 * <size_t>more) * sizeof(Connection))
        if rows == NULL:
            t.failed = 1
            return -1
        t.ended = rows
        t.ended_room = 2 * (old + 2 * more)
    rows = t.ended + old + more
    memcpy(rows, batch.closed, more * sizeof(Connection))
    qsort(rows, more, sizeof(Connection), by_end)
    i = old
    j = more
    k = old + more
    while j:
        k -= 1
        if i and known_at(&t.ended[i - 1]) > known_at(&rows[j - 1]):
            i -= 1
            t.ended[k] = t.ended[i]
        else:
            j -= 1
            t.ended[k] = rows[j]
    t.ended_count = old + more
    t.ended_due = known_at(t.ended)
    return 0
