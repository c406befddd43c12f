"""Open lookups: their names and attempts, and how long each may still go on."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport malloc, realloc
from libc.string cimport memcpy

from dnscap.native.assembly cimport Assembly
from dnscap.native.attempts cimport Attempt, Lookup
from dnscap.native.exchanges cimport Exchange
from dnscap.native.interning cimport prefetch

cdef bint is_current(const Lookup* l, const uint8_t* name, uint32_t size) noexcept nogil
cdef bint add_name(Lookup* l, const uint8_t* name, uint32_t size) noexcept nogil       # False without memory
cdef Lookup* obtain(Assembly* t) noexcept nogil        # with nothing in it; NULL without memory
cdef void give_back(Assembly* t, Lookup* l) noexcept nogil
cdef void destroy(Lookup* l) noexcept nogil
cdef void delist(Assembly* t, Lookup* l) noexcept nogil
# Find out where the lookup stands after an event, and how long it may still go on.
cdef void settle(Assembly* t, Lookup* l) noexcept nogil
# The query, as one more attempt of the lookup; NULL where there is no room for it.  `note`: where its server is noted.
cdef Attempt* add_attempt(Assembly* t, Lookup* l, const Exchange* ex, uint8_t role, uint32_t note) noexcept nogil


cdef inline void* wider(void* old, const void* own, size_t used, size_t room) noexcept nogil:
    """More room for what lay in the lookup's own, or was given more before; NULL without memory."""
    cdef void* grown
    if old != own:
        return realloc(old, room)
    grown = malloc(room)
    if grown != NULL:
        memcpy(grown, own, used)
    return grown


cdef inline void prefetch_lookup(const Lookup* l) noexcept nogil:
    cdef uint32_t i
    for i in range(0, 512, 64):
        prefetch(<const uint8_t*>l + i)


cdef inline void settle_too(Assembly* t, Lookup* l) noexcept nogil:
    if l != NULL:
        settle(t, l)


cdef inline Lookup* open_lookup(Assembly* t, uint64_t number) noexcept nogil:
    """An open lookup by its number; NULL where it is over."""
    return t.ring[number & t.ring_mask].l if t.oldest_open <= number < t.next else NULL
