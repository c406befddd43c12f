"""Open lookups: their names and attempts, and how long each may still go on."""
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport malloc, realloc
from libc.string cimport memcpy

from dnscap.native.assembly cimport LABELLED_AT, LISTS, Assembly
from dnscap.native.attempts cimport ATTEMPT_FRAGMENT, Attempt, Lookup
from dnscap.native.datagrams cimport TRANSPORT_UDP
from dnscap.native.exchanges cimport OUTCOME_ANSWER, OUTCOME_TRUNCATED, Exchange
from dnscap.native.grouping cimport HELD_UP, LARGE
from dnscap.native.interning cimport prefetch
from dnscap.native.many_attempts cimport settling

cdef enum:                     # ticks
    LATELY = HELD_UP // (1 << 20) + 2
    LONG_BEFORE = 1 << 30

cdef enum:
    FEW_LOOKUPS = 1 << 12      # so few are kept open for longer, and fit the cache

cdef extern from *:
    """
    /* How long a lookup of each list stays open after its last event, in nanoseconds. */
    #define DNSCAP_MS(n) (n * INT64_C(1000000))
    static const int64_t dnscap_waits[7] = {
        DNSCAP_MS(150),        /* answered: the other family asked late */
        DNSCAP_MS(3000),       /* answered over TCP: how the connection ended */
        DNSCAP_MS(6500),       /* a failure (musl and Go may ask again after 5 s), or an answer still out that came too late */
        DNSCAP_MS(13000),      /* no answer yet, timer known to be 5 s or less */
        DNSCAP_MS(31000),      /* no answer yet */
        DNSCAP_MS(70000),
        DNSCAP_MS(260000),     /* connecting: the kernel's last wait of a blocking connect */
    };
    """
    const int64_t* WAITS "dnscap_waits"

cdef bint is_current(const Lookup* l, const uint8_t* name, uint32_t size) noexcept nogil
cdef bint add_name(Lookup* l, const uint8_t* name, uint32_t size) noexcept nogil       # False without memory
cdef Lookup* obtain(Assembly* t) noexcept nogil        # with nothing in it; NULL without memory
cdef void give_back(Assembly* t, Lookup* l) noexcept nogil
cdef void empty(Lookup* l) noexcept nogil              # of what it has beyond its own room
cdef void close_slabs(Assembly* t) noexcept nogil
# `settle` for all lookups but the simplest.
cdef void settle_any(Assembly* t, Lookup* l) noexcept nogil
# Let it be found by its first label, or not any more.
cdef void put_label(Assembly* t, Lookup* l, bint on) noexcept nogil


cdef inline void* wider(void* old, const void* own, size_t used, size_t room) noexcept nogil:
    """More room for what lay in the lookup's own, or was given more before; NULL without memory."""
    cdef void* grown
    if old != own:
        return realloc(old, room)
    grown = malloc(room)
    if grown != NULL:
        memcpy(grown, own, used)
    return grown


cdef inline void delist(Assembly* t, Lookup* l) noexcept nogil:
    if l.list == LISTS:
        return
    if l.earlier != NULL:
        l.earlier.later = l.later
    else:
        t.oldest[l.list] = l.later
        t.due_of[l.list] = l.later.deadline if l.later != NULL else INT64_MAX
    if l.later != NULL:
        l.later.earlier = l.earlier
    else:
        t.newest[l.list] = l.earlier
    l.list = LISTS


cdef inline void enlist(Assembly* t, Lookup* l, uint8_t which) noexcept nogil:
    """Put the lookup at the end of a list of those that wait equally long from now."""
    delist(t, l)
    l.list = which
    l.deadline = t.now + WAITS[which]
    l.earlier = t.newest[which]
    l.later = NULL
    if l.earlier != NULL:
        l.earlier.later = l
    else:
        t.oldest[which] = l
        t.due_of[which] = l.deadline
        t.due = min(t.due, l.deadline)
    t.newest[which] = l


cdef inline uint32_t tick_of(int64_t time) noexcept nogil:
    """Time in steps of about a millisecond, modulo 52 days."""
    return <uint32_t>(<uint64_t>time >> 20)


cdef inline bint heard_lately(const Assembly* t, uint64_t client, int64_t time) noexcept nogil:
    """Whether the client may have a lookup that goes on by its first label at this time, which may be out of order."""
    return tick_of(time) - t.labelled_at[client & (LABELLED_AT - 1)] + LONG_BEFORE <= LONG_BEFORE + LATELY


cdef inline void label(Assembly* t, Lookup* l, bint heard) noexcept nogil:
    """Let it be found by its first label where its walk over a search list may go on, or begin anew; only then."""
    if heard:
        t.labelled_at[l.client_hash & (LABELLED_AT - 1)] = tick_of(t.now)
    if heard != l.labelled:
        put_label(t, l, heard)


cdef inline void settle(Assembly* t, Lookup* l) noexcept nogil:
    """Find out where the lookup stands after an event, and how long it may still go on."""
    cdef const Attempt* a = &l.attempts[0]
    cdef bint few = t.next - t.oldest_open < FEW_LOOKUPS
    if l.attempt_count != 1 or l.dial_count or a.transport != TRANSPORT_UDP:
        settle_any(t, l)
        return
    # One query: what remains of the rules then.
    l.complete = settling(a.outcome)
    if a.answered < 0 or a.outcome == OUTCOME_TRUNCATED:
        l.step = -1
        l.negative = 0
        label(t, l, False)
        enlist(t, l, 2 if a.outcome == OUTCOME_TRUNCATED else 4 if few else 3)
        return
    l.step = t.now
    l.negative = a.outcome != OUTCOME_ANSWER
    label(t, l, l.negative or l.answer_count >= LARGE)
    enlist(t, l, 2 if not l.complete else 3 if a.flags & ATTEMPT_FRAGMENT else 2 if few else 0)


cdef inline void settle_too(Assembly* t, Lookup* l) noexcept nogil:
    if l != NULL:
        settle(t, l)


cdef inline Lookup* open_lookup(Assembly* t, uint64_t number) noexcept nogil:
    """An open lookup by its number; NULL where it is over."""
    return t.ring[number & t.ring_mask].l if t.oldest_open <= number < t.next else NULL
