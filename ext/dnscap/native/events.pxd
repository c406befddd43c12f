"""What happened around the messages: ICMP errors, gaps, fragments that never came together."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum EventKind:
    EVENT_ICMP_ERROR = 0            # an ICMP error that quotes a DNS packet; code = type << 8 | code
    EVENT_ARP_FAILURE = 1           # an ARP request for an address repeated without a reply
    EVENT_FRAGMENTS_EXPIRED = 2     # a fragmented datagram never completed; octets = what had come
    EVENT_FRAGMENTS_OVERLAP = 3     # fragments that overlap (RFC 5722): the datagram was dropped
    EVENT_STREAM_GAP = 4            # octets of a TCP stream that the capture does not hold; octets = how many
    EVENT_STREAM_EVICTED = 5        # a connection or its buffered octets given up because of a limit
    EVENT_FRAGMENTS_EVICTED = 6     # a fragmented datagram given up because of a limit

cdef enum:
    QUOTE_ROOM = 292                # octets of a quoted DNS message kept: header, longest name, type and class

cdef struct Event:
    int64_t time
    uint64_t frame                  # number of the frame in its file
    uint64_t src[2]                 # who sent the frame (ICMP: the router or host that reports)
    uint64_t dst[2]
    uint64_t quoted_src[2]          # end points of the packet concerned: the quoted one, the datagram's, the connection's
    uint64_t quoted_dst[2]
    uint32_t source
    uint32_t stream                 # connection number, or NO_STREAM
    uint32_t octets
    uint16_t quoted_src_port
    uint16_t quoted_dst_port
    uint16_t code
    uint16_t quote_size             # octets in `quote`; 0 without
    uint8_t kind                    # an EventKind
    uint8_t transport
    uint8_t quote[QUOTE_ROOM]       # start of the quoted DNS message

cdef struct EventLog:
    Event* rows
    uint32_t count
    uint32_t room
    uint64_t lost                   # events not kept because MOST_EVENTS stood waiting

cdef int event_log_open(EventLog* log) noexcept nogil
cdef void event_log_close(EventLog* log) noexcept nogil
# A zeroed row with stream = NO_STREAM; NULL when it may not grow (counted in `lost`).
cdef Event* event_log_add(EventLog* log) noexcept nogil
