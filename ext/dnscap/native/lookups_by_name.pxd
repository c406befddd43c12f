"""Open lookups by client and name: chains through their places, latest entry first."""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.assembly cimport Assembly, Place
from dnscap.native.attempts cimport Lookup

cdef enum:
    FIRST_HEADS = 1 << 12

cdef bint names_open(Assembly* t) noexcept nogil       # False without memory
cdef bint widen_heads(Assembly* t) noexcept nogil      # likewise


cdef inline Place* place_at(const Assembly* t, uint32_t link) noexcept nogil:
    return &t.ring[(link - 1) & t.ring_mask]


cdef inline uint32_t first_of(const Assembly* t, uint64_t key) noexcept nogil:
    """Link to the first lookup that may have this key; 0 none."""
    return t.heads[<uint32_t>key & t.head_mask]


cdef inline void enter_name(Assembly* t, Lookup* l, uint64_t key) noexcept nogil:
    cdef Place* p = &t.ring[l.number & t.ring_mask]
    cdef uint32_t* head
    if t.open * 2 > t.head_mask and not widen_heads(t):
        t.failed = 1
        return
    head = &t.heads[<uint32_t>key & t.head_mask]
    p.hash = key
    p.before = 0
    p.after = head[0]
    head[0] = <uint32_t>l.number + 1
    if p.after:
        place_at(t, p.after).before = head[0]


cdef inline void leave_name(Assembly* t, const Place* p) noexcept nogil:
    if p.before:
        place_at(t, p.before).after = p.after
    else:
        t.heads[<uint32_t>p.hash & t.head_mask] = p.after
    if p.after:
        place_at(t, p.after).before = p.before
