"""Frames written as pcapng blocks, one after another in memory: what live capture hands on and what it saves."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    # Interfaces of one recording.  A host that runs containers for weeks makes new ones all the time; frames of
    # those beyond are put down to the first, "any".
    MOST_INTERFACES = 4096

cdef struct Recording:
    uint8_t* octets
    size_t size
    size_t room
    int64_t last_time          # of the latest frame, nanoseconds since the epoch
    uint64_t frames            # written so far
    uint64_t lost              # frames for which there was no memory
    uint32_t interfaces        # interface description blocks written so far

cdef void recording_close(Recording* r) noexcept nogil
# Each of these appends one block: 0, or -1 without memory, and nothing is appended then.
cdef int record_section(Recording* r) noexcept nogil
cdef int record_interface(Recording* r, const char* name, size_t name_size, const char* filter, size_t filter_size,
                          uint16_t link, uint32_t snaplen) noexcept nogil
cdef int record_frame(Recording* r, uint32_t interface, int64_t time, const uint8_t* octets, uint32_t captured,
                      uint32_t wire) noexcept nogil
cdef int record_statistics(Recording* r, uint32_t interface, int64_t time, uint64_t received, uint64_t dropped,
                           uint64_t interface_dropped) noexcept nogil
