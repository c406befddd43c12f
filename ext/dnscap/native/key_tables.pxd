"""64-bit keys numbered in the order in which they first came."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

from dnscap.native.interning cimport prefetch
from dnscap.native.lookup_index cimport stir

cdef struct Table:
    uint64_t* keys             # where the slot is taken
    uint32_t* slots            # place of the key, and 1; 0 free
    uint32_t mask
    uint32_t count
    uint64_t seed

cdef Table* table_open() except NULL
cdef void table_close(Table* t) noexcept       # or NULL
cdef bint widen(Table* t) noexcept nogil       # to twice the slots; False without memory

cdef class Numbers:
    cdef Table* table


cdef inline uint32_t slot_of(const Table* t, uint64_t key) noexcept nogil:
    """Where a key is, or would be."""
    cdef uint32_t i = <uint32_t>stir(key ^ t.seed) & t.mask
    while t.slots[i] and t.keys[i] != key:
        i = (i + 1) & t.mask
    return i


cdef inline void expect(const Table* t, uint64_t key) noexcept nogil:
    """Have the place of a key on its way from memory."""
    cdef uint32_t i = <uint32_t>stir(key ^ t.seed) & t.mask
    prefetch(&t.slots[i])
    prefetch(&t.keys[i])


cdef inline int64_t enter(Table* t, uint64_t key) noexcept nogil:
    """Place of a key, entered if new; -1 without memory.  `t.count` has grown where it is new."""
    cdef uint32_t i = slot_of(t, key)
    if t.slots[i]:
        return t.slots[i] - 1
    if t.count * 2 > t.mask:
        if not widen(t):
            return -1
        i = slot_of(t, key)
    t.keys[i] = key
    t.count += 1
    t.slots[i] = t.count
    return t.count - 1
