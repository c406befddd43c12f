"""What a frame is: one captured link-layer unit, as file framing and live capture hand it on."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    FRAME_BATCH = 128          # frames a stage handles at a time: their headers stay in the first-level cache

cdef enum Direction:
    DIRECTION_UNKNOWN = 0
    DIRECTION_IN = 1
    DIRECTION_OUT = 2

cdef struct Frame:
    const uint8_t* octets      # `size` octets, and PADDING more that may be read
    int64_t time               # nanoseconds since the epoch, bounded by `bounded_time`
    uint64_t number            # 1-based in its file, as Wireshark counts
    uint32_t size              # captured octets
    uint32_t wire_size         # octets on the wire; never less than `size`
    uint32_t source            # row of the sources table (file section or interface)
    uint16_t link              # LINKTYPE_ value
    uint8_t direction          # a Direction
    uint8_t reserved

cdef inline int64_t bounded_time(int64_t time) noexcept nogil:
    """The time, or the end of what frames may have: 4 years before the epoch, and 141 after it.

    So later stages need not fear to take the difference of two times, the double of that, or a time with any TTL added.
    """
    cdef int64_t earliest = -(<int64_t>1 << 57), latest = (<int64_t>1 << 62) - 1 - (<int64_t>1 << 57)
    if time > latest:
        return latest
    return time if time > earliest else earliest
