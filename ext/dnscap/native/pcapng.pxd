"""pcapng: blocks."""
from libc.stdint cimport uint8_t, uint32_t

from dnscap.native.capture_file cimport CaptureFile
from dnscap.native.frames cimport Frame

cdef enum:
    BLOCK_SECTION = 0x0A0D0D0A
    BLOCK_HEAD = 12            # type, length, byte-order magic of a section header; also the shortest block

# Frames out of the whole blocks of [p, end), as far as there is room in the batch; returns where it stopped.
cdef const uint8_t* pcapng_blocks(CaptureFile* file, const uint8_t* p, const uint8_t* end,
                                  Frame* frames, uint32_t* count) noexcept nogil

# Size of the block at `p`; 0 if too few octets are there to tell; of its head if that is not sane.
cdef size_t pcapng_need(const CaptureFile* file, const uint8_t* p, size_t rest) noexcept nogil
