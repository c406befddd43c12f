"""Open lookups; see open_lookups.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memcpy, memset

from dnscap.native.assembly cimport LABELLED_AT, Assembly
from dnscap.native.attempts cimport *
from dnscap.native.datagrams cimport TRANSPORT_TCP
from dnscap.native.exchanges cimport *
from dnscap.native.grouping cimport LARGE
from dnscap.native.interning cimport big_alloc
from dnscap.native.lookup_index cimport label_key, link, unlink_key
from dnscap.native.many_attempts cimport MOST_TYPES, Sums, settling, sums_of

cdef enum:
    LINE = 64                  # octets
    FIRST_IN_SLAB = 100        # lookups: few captures have more open
    MOST_IN_SLAB = 3276        # 2 MiB of them, a large page
    MS = 1000000               # nanoseconds
cdef int64_t TIMER = 5000000000     # what resolv.conf has stubs wait for an answer where it says nothing else

cdef struct Slab:              # lookups lie behind it
    Slab* before


cdef inline const uint8_t* current_name(const Lookup* l, uint32_t* size) noexcept nogil:
    cdef uint32_t i = l.candidate_count - 1
    size[0] = l.names[i + 1] - l.names[i]
    return l.text + l.names[i]


cdef bint is_current(const Lookup* l, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef uint32_t n
    cdef const uint8_t* p = current_name(l, &n)
    return n == size and memcmp(p, name, size) == 0


cdef bint add_name(Lookup* l, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef uint32_t at = l.names[l.candidate_count]
    cdef uint8_t* text
    if at + size > l.text_room:
        text = <uint8_t*>wider(l.text, l.few_name_octets, at, (at + size) * 2)
        if text == NULL:
            return False
        l.text = text
        l.text_room = (at + size) * 2
    memcpy(l.text + at, name, size)
    l.candidate_count += 1
    l.names[l.candidate_count] = at + size
    return True


cdef void empty(Lookup* l) noexcept nogil:
    if l.attempts != l.few_attempts:
        free(l.attempts)
    if l.text != l.few_name_octets:
        free(l.text)
    if l.records != l.few_record_octets:
        free(l.records)
    if l.dials != NULL:
        free(l.dials)


cdef bint add_slab(Assembly* t) noexcept nogil:
    """Room for more lookups, all of it spare; False without memory."""
    cdef uint32_t count = min(t.slab_lookups * 2, <uint32_t>MOST_IN_SLAB) if t.slab_lookups else FIRST_IN_SLAB, i
    cdef Slab* slab = <Slab*>big_alloc(<size_t>count * sizeof(Lookup) + LINE)
    cdef Lookup* l
    if slab == NULL:
        return False
    slab.before = <Slab*>t.slabs
    t.slabs = slab
    t.slab_lookups = count
    l = <Lookup*>(<uint8_t*>slab + LINE)
    for i in range(count):
        l[count - 1 - i].later = t.spare
        t.spare = &l[count - 1 - i]
    return True


cdef void close_slabs(Assembly* t) noexcept nogil:
    cdef Slab* slab = <Slab*>t.slabs
    cdef Slab* before
    while slab != NULL:
        before = slab.before
        free(slab)
        slab = before
    t.slabs = NULL


cdef Lookup* obtain(Assembly* t) noexcept nogil:
    """A lookup with nothing in it; the room of one that is over is used again."""
    cdef Lookup* l
    if t.spare == NULL and not add_slab(t):
        return NULL
    l = t.spare
    t.spare = l.later
    memset(&l.number, 0, <size_t>(<uint8_t*>l.few_attempts - <uint8_t*>&l.number))
    l.names[0] = 0
    l.attempts = l.few_attempts
    l.attempt_room = FEW_ATTEMPTS
    l.text = l.few_name_octets
    l.text_room = FEW_NAME_OCTETS
    l.records = l.few_record_octets
    l.record_room = FEW_RECORD_OCTETS
    return l


cdef void give_back(Assembly* t, Lookup* l) noexcept nogil:
    empty(l)
    l.later = t.spare
    t.spare = l


cdef void put_label(Assembly* t, Lookup* l, bint on) noexcept nogil:
    l.labelled = on
    if on:
        link(&t.index, l, label_key(l.client_hash, l.text, l.names[1]))
    else:
        unlink_key(&t.index, l, label_key(l.client_hash, l.text, l.names[1]))


cdef void settle_any(Assembly* t, Lookup* l) noexcept nogil:
    cdef const Attempt* asked[4]       # latest of each type for the present name
    cdef uint8_t[4] good               # any answer that settles it?
    cdef uint32_t i, j, types = 0
    cdef const Attempt* a
    cdef uint8_t now_at = <uint8_t>(l.candidate_count - 1)
    cdef bint complete = True, answered = True, positive = False, lost = False, tcp = False, truncated = False, cut = False, half = False
    cdef int64_t gap = 0
    cdef const Sums* s = sums_of(l)
    if s != NULL:
        types = s.kind_count
        for j in range(types):
            asked[j] = &l.attempts[s.kinds[j].latest]
            good[j] = s.kinds[j].good
        gap = s.gap
        lost, tcp, cut, positive = s.lost, s.tcp, s.cut, s.positive
    for i in range(0 if s != NULL else l.attempt_count):
        a = &l.attempts[i]
        if i and a.time - l.attempts[i - 1].time > gap:
            gap = a.time - l.attempts[i - 1].time
        lost |= a.answered < 0
        tcp |= a.transport == TRANSPORT_TCP
        cut |= a.flags & ATTEMPT_FRAGMENT != 0
        if a.candidate != now_at:
            continue
        # The verdict over a type is that of any good answer, or else of its latest attempt.
        j = 0
        while j < types and asked[j].qtype != a.qtype:
            j += 1
        if j == MOST_TYPES:
            continue
        if j == types:
            types += 1
            good[j] = False
        asked[j] = a
        good[j] |= settling(a.outcome) and not a.flags & ATTEMPT_LED
        positive |= a.outcome == OUTCOME_ANSWER
    for j in range(types):
        if not good[j]:
            complete = False
            truncated |= asked[j].outcome == OUTCOME_TRUNCATED
            if asked[j].answered < 0 or asked[j].outcome == OUTCOME_TRUNCATED:
                answered = False
        else:
            half = True
    l.complete = complete
    # Of two families one may be said not to be, and the other never answered: glibc goes on to the next name all the same.
    label(t, l, not positive and half if not answered else not positive or l.answer_count >= LARGE)
    if l.labelled and not answered:
        t.labelled_at[l.client_hash & (LABELLED_AT - 1)] = tick_of(t.now + TIMER)      # it does so when its timer is up
    if answered:
        l.negative = not positive
        l.step = t.now
    else:
        l.negative = 0
        l.step = -1
    if complete:
        # Where the answer is lost behind the capture, the stub asks again; room permitting, that is waited for.
        enlist(t, l, 3 if cut else 2 if lost or t.next - t.oldest_open < FEW_LOOKUPS else 1 if tcp or l.dial_count else 0)
    elif answered:
        enlist(t, l, 2)
    else:
        for i in range(l.dial_count):
            if l.dials[i].ended < 0 and truncated:
                enlist(t, l, 6)
                return
        if truncated:
            enlist(t, l, 2)
        elif gap == 0 or gap > 5500 * <int64_t>MS:
            enlist(t, l, 5 if gap >= 14000 * <int64_t>MS else 4 if gap or t.next - t.oldest_open < FEW_LOOKUPS else 3)
        else:
            enlist(t, l, 3)
