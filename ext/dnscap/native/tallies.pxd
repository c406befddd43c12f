"""What diagnosis adds up over all exchanges and lookups, in one pass over the native rows of each batch."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.text cimport Text

cdef struct Table              # private to tallies.pyx

cdef class Numbers:            # 64-bit keys and the order in which they first came
    cdef Table* table

cdef struct KeptExchange:      # of a row of the exchanges table what is told of a lookup that is kept
    uint64_t exchange
    uint64_t lookup
    int64_t time
    int64_t latency
    int64_t tcp_rtt
    uint64_t query_frame
    uint64_t response_frame
    uint32_t query
    uint32_t response
    uint32_t server
    uint32_t qname
    uint32_t transmission
    uint16_t client_port
    uint16_t id
    uint16_t qtype
    uint16_t flags
    uint8_t outcome
    uint8_t transport
    uint8_t role

cdef class KeptExchanges:
    cdef Table* table          # numbers of the lookups
    cdef uint32_t* counts      # exchanges of each that were kept
    cdef uint32_t room
    cdef uint32_t most
    cdef uint32_t most_each
    cdef Text rows             # KeptExchange
    cdef readonly uint64_t passed_over

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

    cdef bint count_name(self, uint64_t key, const uint8_t* name, uint32_t size, uint32_t which) noexcept nogil
