"""Queries join lookups: by client and name, then by what the stubs do; what joins none begins one, or is a resolver's own."""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.acquaintances cimport note_of
from dnscap.native.assembly cimport Asked, Assembly, Face
from dnscap.native.attempts cimport NO_NOTE
from dnscap.native.decoder cimport Batch
from dnscap.native.exchanges cimport Exchanges, Happening

cdef void on_query(Assembly* t, Exchanges exchanges, const Happening* h, Batch batch, const Asked* q) noexcept nogil
# Room for what is known of the addresses of a batch; False without memory.
cdef bint meet(Assembly* t, uint32_t addresses) noexcept nogil


cdef inline uint32_t noted(Assembly* t, Face* f, const uint64_t* address, bint enter) noexcept nogil:
    """Where a server is noted; NO_NOTE where it is not, or cannot be."""
    if f.note == NO_NOTE and (enter or f.missed != t.known.note_count + 1):
        f.note = note_of(&t.known, address, enter)
        f.missed = t.known.note_count + 1
    return f.note
