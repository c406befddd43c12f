"""What diagnosis adds up over all exchanges and lookups, in one pass over the native rows of each batch."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef struct Table              # private to tallies.pyx

cdef class Numbers:            # 64-bit keys and the order in which they first came
    cdef Table* table

cdef class Pairs:              # clients with the stub seen there, numbered in the order in which they first came
    cdef Table* table
    cdef uint64_t* clients
    cdef uint8_t* stubs
    cdef uint32_t limit
    cdef uint32_t room

    cdef int64_t number(self, const uint64_t* client, uint8_t stub) noexcept nogil
    cdef void expect(self, const uint64_t* client, uint8_t stub) noexcept nogil

cdef class Names:              # how often a name was resolved, and how often it did not exist
    cdef Table* table
    cdef uint8_t* text
    cdef uint32_t* ends
    cdef uint64_t* counts      # two a name
    cdef size_t text_room
    cdef uint32_t limit
    cdef readonly uint64_t overflowed

    cdef bint count_name(self, const uint8_t* name, uint32_t size, uint32_t which) noexcept nogil
