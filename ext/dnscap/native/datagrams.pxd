"""What the network stages hand to the message decoder: one payload that should be a DNS message.

An `Outbox` collects the payloads of one frame batch in frame order.  Payloads that lie whole in
a captured frame point into it; reassembled ones live in the outbox's own arena until `outbox_clear`.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum Transport:
    TRANSPORT_UDP = 0
    TRANSPORT_TCP = 1

cdef enum Wholeness:
    WHOLE = 0
    CUT_BY_CAPTURE = 1         # the snap length (or a lying length) took the end
    FIRST_FRAGMENT = 2         # later IP fragments never came

cdef enum:
    NO_STREAM = 0xFFFFFFFF

cdef struct Datagram:
    const uint8_t* octets      # `size` octets, and PADDING more that may be read
    uint64_t src[2]            # IPv6, or IPv4 as ::ffff:a.b.c.d; octets in network order
    uint64_t dst[2]
    uint64_t place             # mix of MAC addresses and VLAN: tells sightings of a packet apart
    uint32_t size              # octets here
    uint32_t wire_size         # octets the transport promises (UDP length, TCP length prefix)
    int64_t time               # of the frame that completed it
    uint64_t number            # of that frame in its file
    uint32_t source            # row of the sources table
    uint32_t interface         # interface index told by the frame itself (SLL2), else 0
    uint32_t frames            # how many frames carried it
    uint32_t stream            # connection number, NO_STREAM on UDP
    uint16_t src_port
    uint16_t dst_port
    uint8_t transport          # a Transport
    uint8_t wholeness          # a Wholeness
    uint8_t ip_ttl             # TTL or hop limit
    uint8_t ip_version         # 4 or 6
    uint8_t direction          # a Direction (frames.pxd)

cdef struct ArenaBlock:
    ArenaBlock* next
    size_t used
    size_t room                # octets follow the struct

cdef struct Outbox:
    Datagram* rows
    uint32_t count
    uint32_t room
    ArenaBlock* arena

cdef int outbox_open(Outbox* box) noexcept nogil           # 0, or -1 without memory
cdef void outbox_close(Outbox* box) noexcept nogil
cdef void outbox_clear(Outbox* box) noexcept nogil         # forget rows and arena; keep one block
cdef int outbox_grow(Outbox* box) noexcept nogil
# Stable until outbox_clear, PADDING zero octets follow; NULL without memory.
cdef uint8_t* outbox_octets(Outbox* box, size_t size) noexcept nogil

cdef inline Datagram* outbox_add(Outbox* box) noexcept nogil:
    """A new row, its fields not set; NULL without memory."""
    if box.count == box.room and outbox_grow(box) != 0:
        return NULL
    box.count += 1
    return &box.rows[box.count - 1]

cdef inline Datagram* outbox_room(Outbox* box, uint32_t more) noexcept nogil:
    """The next row, with at least `more` behind the last one that stay where they are; NULL without memory."""
    while box.room - box.count < more:
        if outbox_grow(box) != 0:
            return NULL
    return &box.rows[box.count]
