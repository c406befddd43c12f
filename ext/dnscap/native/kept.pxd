"""Lookups that are kept whole: picked out of their batches, put together, and their exchanges copied out of their pages."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.key_tables cimport Table
from dnscap.native.text cimport Text

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
