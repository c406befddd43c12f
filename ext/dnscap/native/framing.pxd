"""File framing: octets of a pcap or pcapng file in, frames out."""
cimport cython

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from dnscap.native.capture_file cimport CaptureFile, Text
from dnscap.native.frames cimport Frame

cdef enum FramingResult:
    FRAMING_MORE = 0           # the octets given are used up as far as whole records go; feed more
    FRAMING_FULL = 1           # the batch is full; call again with what is left
    FRAMING_END = 2            # nothing further can be read: see `file.fault` (damage) and `file.cut`


@cython.final
cdef class Framing:
    cdef CaptureFile file
    cdef uint8_t* tail         # the last records of a window, and PADDING octets of zero
    cdef size_t tail_room
    cdef uint32_t padding_sum  # of octets beyond frames, read to show that they can be

    # A new file, the first included, starts: frame numbers from 1, offsets from 0, a file header expected.
    cdef void begin(self) noexcept nogil

    # Fill `frames` with up to FRAME_BATCH whole records out of data[0:size].  `consumed` tells how
    # many octets need not be given again.  A frame that ends within PADDING of data + size is copied to the
    # framing's own padded tail, valid until the next call.  `last`: no more octets will come after these.
    cdef int fill(self, const uint8_t* data, size_t size, bint last,
                  Frame* frames, uint32_t* count, size_t* consumed) noexcept nogil

    cdef int header(self, const uint8_t* data, size_t size) noexcept nogil
    cdef const uint8_t* frames_in(self, const uint8_t* p, const uint8_t* end,
                                  Frame* frames, uint32_t* count) noexcept nogil
    cdef size_t need(self, const uint8_t* p, size_t rest) noexcept nogil
    cdef object text(self, Text text)
    cdef uint64_t run(self, const uint8_t* data, size_t size, size_t window, list out)
