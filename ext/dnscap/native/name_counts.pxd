"""Names of lookups, counted."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from dnscap.native.key_tables cimport Table

cdef class Names:              # how often a name was resolved, and how often it did not exist
    cdef Table* table
    cdef uint8_t* text
    cdef uint32_t* ends
    cdef uint64_t* counts      # two a name
    cdef size_t text_room
    cdef uint32_t limit
    cdef readonly uint64_t overflowed

    cdef bint count_name(self, uint64_t key, const uint8_t* name, uint32_t size, uint32_t which) noexcept nogil
