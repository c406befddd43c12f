"""The ends of lookups; see closing.pxd."""
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

from dnscap.native.acquaintances cimport Client, client_at, recognise_by, vote_by
from dnscap.native.assembly cimport LISTS, NONE_YET, Place
from dnscap.native.at_once cimport answered_at_once
from dnscap.native.attempts cimport *
from dnscap.native.exchanges cimport OUTCOME_NXDOMAIN
from dnscap.native.interning cimport prefetch
from dnscap.native.lookup_index cimport unlink_all
from dnscap.native.lookups_by_name cimport leave_name
from dnscap.native.losses cimport weigh_pair
from dnscap.native.naming cimport find_name, learn_name, name_stands
from dnscap.native.open_lookups cimport delist, give_back
from dnscap.native.packed cimport Head, let_go, pack, pack_at_once
from dnscap.native.stubs cimport fingerprint
from dnscap.native.text cimport text_reserve
from dnscap.native.verdicts cimport judge, weigh_losses

cdef enum:
    CUT_OFTEN = 20             # one part in so many of the time with a query in flight
    MOST_TAKEN = 1 << 14       # lookups of a batch
    ROW_AS_A_RULE = 160        # octets
    NEAR = 6                   # rows that are taken are looked at ahead

cdef int64_t WENT_ON = 100000000           # nanoseconds: a stub that goes on by itself has done so by then


cdef void over(Assembly* t, Lookup* l, bint finished) noexcept nogil:
    cdef Place* place = &t.ring[l.number & t.ring_mask]
    cdef const uint8_t* row = NULL
    if t.judged:
        row = conclude(t, l, finished)
        if row == NULL:
            t.failed = 1
    delist(t, l)
    leave_name(t, place)
    unlink_all(&t.index, l)
    place.u.row = row
    place.l = NULL
    give_back(t, l)
    t.open -= 1
    while t.oldest_open < t.next and t.ring[t.oldest_open & t.ring_mask].l == NULL:
        t.oldest_open += 1
    if not t.judged:
        t.first = t.oldest_open


cdef const uint8_t* conclude(Assembly* t, Lookup* l, bint finished) noexcept nogil:
    """Judge a lookup: its packed row, NULL without memory."""
    cdef Client* c = client_at(&t.known, l.client, &l.client_place, &l.client_moves)
    cdef bint still = t.now - l.last > WENT_ON
    cdef int64_t duration
    cdef int16_t score
    cdef uint8_t stub, outcome
    if c == NULL:
        return NULL
    if finished:
        stub = fingerprint(l, &score)
    else:
        stub = learn_of(t, l, c, &score)
    stub = recognise_by(c, l, stub, score)
    still |= not finished
    if t.short_cuts and answered_at_once(l, &outcome, &duration):
        return pack_at_once(&t.packed, l, stub, outcome, name_stands(l, &c.expanding, t.index.seed, still), <uint32_t>duration)
    memset(&t.end, 0, sizeof(t.end))
    l.end = &t.end
    l.end.stub = stub
    weigh(t, l, finished)
    find_name(l, &c.expanding, t.index.seed, still)
    return pack(&t.packed, l)


cdef void weigh(Assembly* t, Lookup* l, bint finished) noexcept nogil:
    cdef Surroundings s
    l.next_start = max(t.ring[l.number & t.ring_mask].u.next_start, <int64_t>NONE_YET)
    s.notes = t.known.notes
    s.upstream = &t.upstream
    s.now = t.now
    s.finished = finished
    # Where queries are in flight for a small part of the time, it is unlikely that the capture ended just then.
    s.cut = finished and t.busy >= (t.now - t.begun + CUT_OFTEN - 1) // CUT_OFTEN
    judge(l, &s)


cdef inline uint8_t learn_of(Assembly* t, Lookup* l, Client* c, int16_t* score) noexcept nogil:
    cdef uint8_t stub = fingerprint(l, score)
    vote_by(c, l, stub, score[0])
    if l.candidate_count > 1 or l.attempts[0].outcome == OUTCOME_NXDOMAIN:
        learn_name(l, &c.expanding, t.index.seed, stub, t.now - l.last > WENT_ON)
    if l.attempt_count > 2 or l.attempt_count == 2 and l.attempts[0].qtype == l.attempts[1].qtype:
        weigh_losses(l, t.known.notes)
    elif l.attempt_count == 2 and l.attempts[0].note != NO_NOTE and t.known.notes[l.attempts[0].note].broken:
        weigh_pair(l, t.known.notes)
    return stub


cdef uint8_t learn(Assembly* t, Lookup* l, int16_t* score) noexcept nogil:
    cdef Client* c = client_at(&t.known, l.client, &l.client_place, &l.client_moves)
    return learn_of(t, l, c, score) if c != NULL else 0


cdef inline void expect(Assembly* t, Lookup* l) noexcept nogil:
    """Have what closing a lookup touches on its way from memory."""
    cdef uint32_t i
    for i in range(0, sizeof(Lookup), 64):
        prefetch(<const uint8_t*>l + i)


cdef inline void expect_more(Assembly* t, Lookup* l) noexcept nogil:
    """What to find, the lookup itself must be there."""
    cdef const uint8_t* c
    prefetch(&t.ring[l.number & t.ring_mask])
    if l.client_place <= t.known.client_mask:
        c = <const uint8_t*>&t.known.clients[l.client_place]
        prefetch(c)
        prefetch(c + 64)
        prefetch(c + 128)


cdef void expire(Assembly* t, int64_t now) noexcept nogil:
    cdef uint32_t i, best
    cdef Lookup* l
    while True:
        best = 0
        for i in range(1, LISTS):
            if t.due_of[i] < t.due_of[best]:
                best = i
        if t.due_of[best] >= now:
            break
        l = t.oldest[best]
        if l.later != NULL:
            expect_more(t, l.later)
            if l.later.later != NULL:
                expect(t, l.later.later)
        over(t, l, False)
    t.due = t.due_of[best]


cdef bint take_over(Assembly* t, LookupBatch batch) noexcept nogil:
    """Hand out the lookups that are over, as far as no older one is open and a batch goes; False without memory."""
    cdef Place* place
    cdef const uint8_t* ahead
    cdef uint32_t size
    cdef uint64_t end = min(t.oldest_open, t.first + MOST_TAKEN)
    batch.first = t.first
    if text_reserve(&batch.packed, (end - t.first) * ROW_AS_A_RULE) != 0:
        return False
    while t.first < end:
        if t.first + NEAR < end:
            ahead = t.ring[(t.first + NEAR) & t.ring_mask].u.row
            prefetch(ahead)
            prefetch(ahead + 64)
        place = &t.ring[t.first & t.ring_mask]
        size = (<const Head*>place.u.row).size
        if text_reserve(&batch.packed, size) != 0:
            return False
        memcpy(batch.packed.octets + batch.packed.size, place.u.row, size)
        batch.packed.size += size
        let_go(&t.packed, place.u.row)
        batch.count += 1
        t.first += 1
    return True
