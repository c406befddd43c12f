"""File framing: octets of a pcap or pcapng file in, frames out."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.frames cimport Frame

cdef enum FramingResult:
    FRAMING_MORE = 0           # the octets given are used up as far as whole records go; feed more
    FRAMING_FULL = 1           # the batch is full; call again with what is left
    FRAMING_END = 2            # nothing further can be read (damage); see Framing.fault

cdef struct Source             # private to framing.pyx

cdef class Framing:
    cdef Source* sources       # one a file section or interface, in order of appearance over all files
    cdef uint32_t source_count
    cdef uint32_t source_room
    cdef uint64_t frame_number # of the last frame given out, 1-based in its file
    cdef uint64_t offset       # octets of this file consumed so far
    cdef int fault             # 0, or why reading stopped

    # Fill `frames` with up to FRAME_BATCH whole records out of data[0:size].  `consumed` tells how
    # many octets need not be given again.  A frame that ends within PADDING of data + size is copied to the
    # framing's own padded tail, valid until the next call.  `last`: no more octets will come after these.
    cdef int fill(self, const uint8_t* data, size_t size, bint last,
                  Frame* frames, uint32_t* count, size_t* consumed) noexcept nogil
