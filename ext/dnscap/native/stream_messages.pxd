"""Messages within a stream: octets that are next in sequence in, whole messages out."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from dnscap.native.flows cimport Flow, Stamp, StreamTable

cdef enum Verdict:
    NO = 0
    YES = 1
    UNSURE = 2

# Whether a segment begins with a length prefix and a message; UNSURE where it is too short to tell.
cdef Verdict begins_message(const uint8_t* octets, uint32_t size, uint32_t wire) noexcept nogil

# A segment, or what is left of one, is next in sequence; `wire` counts octets that were not captured, too.
cdef void take_chunk(StreamTable* t, Flow* f, const uint8_t* octets, uint32_t size, uint32_t wire,
                     const Stamp* stamp, uint64_t carrier, bint in_place) noexcept nogil

# The next `count` octets are not in the capture.
cdef void lose(StreamTable* t, Flow* f, uint32_t count) noexcept nogil

# Give up the message in progress: hand on what is there if that has a header.
cdef void part_cut(StreamTable* t, Flow* f) noexcept nogil
