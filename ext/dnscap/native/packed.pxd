"""Lookups that are over: packed, since thousands may wait for one slow lookup before they are taken, and few of their columns be asked for."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.attempts cimport Lookup

cdef struct Head:              # of a packed row; its lists and texts follow, see `pack`
    int64_t time
    uint64_t[2] client
    uint32_t size              # octets of the whole row
    uint32_t duration          # nanoseconds, where all of it was the wait for an answer
    uint32_t queries
    uint16_t record_size
    uint16_t name_size         # of the name as the application gave it
    uint8_t name               # candidate that begins with it
    uint8_t final
    uint8_t candidates
    uint8_t shown              # of them: those of the first walk
    uint8_t servers
    uint8_t types
    uint8_t causes
    uint8_t whole              # a Rest follows the head
    uint8_t end_basis
    uint8_t outcome
    uint8_t name_certain
    uint8_t tcp_fallback
    uint8_t edns_fallback
    uint8_t stub

cdef struct Rest:              # of a lookup that took more than one good answer of each type
    int64_t duration
    int64_t duration_min
    int64_t duration_max
    int64_t[8] budget
    uint32_t wasted
    uint32_t retransmissions
    uint32_t failovers

cdef inline const Rest* rest_of(const uint8_t* row) noexcept nogil:
    """Of a row that has one."""
    return <const Rest*>(row + sizeof(Head))


cdef struct Block              # private to packed.pyx

cdef struct Packed:
    Block* filling
    Block* spare
    uint32_t spare_count
    uint64_t octets            # of all blocks

cdef void packed_close(Packed* p) noexcept nogil       # the block being filled; rows that were not taken must be let go before
# All that the table shows of a lookup, its end included; NULL without memory.
cdef const uint8_t* pack(Packed* p, const Lookup* l) noexcept nogil
# The same of a lookup of one name that was answered at once, `duration` being all of it.
cdef const uint8_t* pack_at_once(Packed* p, const Lookup* l, uint8_t stub, uint8_t outcome, bint name_certain, uint32_t duration) noexcept nogil
cdef void let_go(Packed* p, const uint8_t* row) noexcept nogil
