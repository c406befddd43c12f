"""Lookups that are over and wait for an older one that is not: packed, since thousands may wait for one slow lookup."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from dnscap.native.attempts cimport Lookup
from dnscap.native.lookup_columns cimport LookupColumns

cdef struct Block              # private to packed.pyx

cdef struct Packed:
    Block* filling
    Block* spare
    uint32_t spare_count
    uint64_t octets            # of all blocks

cdef void packed_close(Packed* p) noexcept nogil       # the block being filled; rows that were not taken must be let go before
# All that the table shows of a lookup, its end included; NULL without memory.
cdef const uint8_t* pack(Packed* p, const Lookup* l) noexcept nogil
# Append the lookup to columns; False without memory.
cdef bint unpack(LookupColumns* c, uint64_t number, const uint8_t* row) noexcept nogil
cdef void let_go(Packed* p, const uint8_t* row) noexcept nogil
