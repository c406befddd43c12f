"""Lookups that are over, in native columns."""
from libc.stdint cimport int64_t, uint64_t

from dnscap.native.attempts cimport Lookup
from dnscap.native.text cimport Text

cdef struct LookupRow:         # what of a lookup has one size; lists and texts lie in the batch's other columns
    uint64_t lookup
    int64_t time
    int64_t duration
    int64_t duration_min
    int64_t duration_max
    int64_t[8] budget          # by Bucket
    uint64_t[2] client
    unsigned int queries
    unsigned int wasted
    unsigned int retransmissions
    unsigned int failovers
    unsigned char end_basis
    unsigned char outcome
    unsigned char name_certain
    unsigned char tcp_fallback
    unsigned char edns_fallback
    unsigned char stub
    unsigned char[2] padding

cdef struct LookupColumns:     # lists end where the next begins: one offset a row and one more
    Text rows                  # LookupRow
    Text name                  # texts, their ends before them
    Text name_ends
    Text final_name
    Text final_ends
    Text candidates
    Text candidate_ends
    Text candidate_lists
    Text servers               # 16 octets each
    Text server_lists
    Text types                 # 2 octets each
    Text type_lists
    Text causes                # 1 octet each
    Text cause_lists
    Text records               # of answers: type (2), size (2), candidate (1), last candidate (1), rdata
    Text record_lists          # octets, 8 each

cdef class LookupBatch:
    cdef LookupColumns columns
    cdef readonly uint64_t count

cdef bint write_out(LookupColumns* c, const Lookup* l) noexcept nogil      # False without memory
