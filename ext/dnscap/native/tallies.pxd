"""What diagnosis adds up over all exchanges and lookups, in one pass over the native rows of each batch."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from dnscap.native.key_tables cimport Table

cdef class Pairs:              # clients with the stub seen there, numbered in the order in which they first came
    cdef Table* table
    cdef uint64_t* clients
    cdef uint8_t* stubs
    cdef uint32_t limit
    cdef uint32_t room

    cdef int64_t number(self, const uint64_t* client, uint8_t stub) noexcept nogil
    cdef void expect(self, const uint64_t* client, uint8_t stub) noexcept nogil
