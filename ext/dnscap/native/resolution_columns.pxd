"""Resolutions that are judged, in native columns."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

from dnscap.native.interning cimport Dictionary
from dnscap.native.resolution_state cimport Entry
from dnscap.native.text cimport Text

cdef struct ResolutionRow:     # what of a resolution has one size; lists lie in the batch's other columns
    uint64_t resolution
    uint64_t exchange
    int64_t time
    int64_t latency            # -1 null
    int64_t upstream_time
    uint64_t[2] client
    uint64_t[2] resolver
    float probability          # 0 null
    unsigned int evidence      # Evidence bits
    unsigned int ttl           # NO_TTL null
    unsigned int full_ttl
    unsigned int qname         # code in the dictionary
    unsigned short qtype
    unsigned short rcode
    unsigned char cache
    signed char start_depth
    unsigned char answered
    unsigned char outcome
    unsigned char seen_upstream
    unsigned char[3] padding

cdef struct ResolutionColumns:
    Text rows                  # ResolutionRow
    Text upstream              # octets, 8 each
    Text upstream_lists

cdef class ResolutionBatch:
    cdef ResolutionColumns columns
    cdef readonly uint64_t count
    cdef readonly Dictionary dictionary      # of the names; None where there are no rows

cdef bint write_row(ResolutionColumns* c, const Entry* e, uint64_t number, bint seen_upstream) noexcept nogil
