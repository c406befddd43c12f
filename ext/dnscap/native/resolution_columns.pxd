"""Resolutions that are judged, in native columns."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

from dnscap.native.resolution_state cimport Entry
from dnscap.native.text cimport Text

cdef struct ResolutionRow:     # what of a resolution has one size; names and lists lie in the batch's other columns
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
    unsigned short qtype
    unsigned short rcode
    unsigned char cache
    signed char start_depth
    unsigned char answered
    unsigned char outcome
    unsigned char seen_upstream
    unsigned char[7] padding

cdef struct ResolutionColumns:
    Text rows                  # ResolutionRow
    Text name
    Text name_ends
    Text upstream              # octets, 8 each
    Text upstream_lists

cdef class ResolutionBatch:
    cdef ResolutionColumns columns
    cdef readonly uint64_t count

cdef bint write_row(ResolutionColumns* c, const Entry* e, uint64_t number, const unsigned char* name,
                    bint seen_upstream) noexcept nogil
