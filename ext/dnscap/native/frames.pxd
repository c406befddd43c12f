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
    int64_t time               # nanoseconds since the epoch
    uint64_t number            # 1-based in its file, as Wireshark counts
    uint32_t size              # captured octets
    uint32_t wire_size         # octets on the wire; never less than `size`
    uint32_t source            # row of the sources table (file section or interface)
    uint16_t link              # LINKTYPE_ value
    uint8_t direction          # a Direction
    uint8_t reserved
