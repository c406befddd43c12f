"""TCP reassembly under fuzzing.

Input: segments, one after another: flags, step, size, cut, gap, payload[size].  `flags` has the TCP flags in
bits 0 to 3, the direction in bit 4, one of four connections in bits 5 and 6.  `step` moves the sequence
number away from where the last segment of that direction ended, `cut` octets follow on the wire that were not
captured, `gap` is the time since the last segment.
"""
from libc.stdint cimport int16_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from dnscap.native.datagrams cimport Outbox, outbox_clear
from dnscap.native.events cimport EventLog
from dnscap.native.octets cimport Octets, left, take
from dnscap.native.streams cimport Streams
from dnscap.native.tcp cimport (
    STREAM_EVICTED,
    TCP_ACK,
    TCP_FIN,
    TCP_RST,
    TCP_SYN,
    Connection,
    Segment,
)

from fuzz.feeding cimport (
    check_events,
    check_outbox,
    empty_log,
    empty_outbox,
    next8,
    next16,
    offer,
    padded_copy,
)

# From one input to the next, each long after the one before: its tables are large.
cdef Streams kept
cdef int64_t now = 0
cdef uint32_t inputs = 0

cdef enum:
    INPUTS_EACH = 64
    # Small, so that an input of a few segments meets them.
    MOST_CONNECTIONS = 3
    MOST_HELD = 2048
    TO_CLIENT = 16


cdef int run(const uint8_t* data, size_t size) except -1:
    global kept, now, inputs
    cdef Streams streams
    cdef Octets input
    cdef Outbox* box = empty_outbox()
    cdef EventLog* events = empty_log()
    cdef uint32_t following[4][2]
    cdef uint64_t number = 0, seen = 0
    cdef uint8_t* payload = NULL
    cdef int i

    if inputs % INPUTS_EACH == 0:
        now = 1_700_000_000_000_000_000
        kept = Streams(MOST_CONNECTIONS, MOST_HELD)
    inputs += 1
    streams = kept
    now += 3600 * <int64_t>1_000_000_000
    input.at = data
    input.end = data + size
    for i in range(4):
        # Near the end of the sequence space, so that it wraps.
        following[i][0] = 0xFFFFFFF0
        following[i][1] = 0xFFFFFF00 + <uint32_t>i
    try:
        while left(&input):
            number += 1
            payload = feed(streams, &input, following, &now, number, box, events)
            check_outbox(box, &seen)
            check_events(events, &seen)
            outbox_clear(box)
            events.count = 0
            # Messages may point into the segment that completed them, but nothing may once they are cleared.
            free(payload)
            payload = NULL
        if streams.finish(box, events) != 0:
            raise MemoryError
        check_outbox(box, &seen)
        check_events(events, &seen)
        if len(streams) or streams.held:
            raise AssertionError("something is held of connections that are all closed")
        check_closed(streams)
        streams.table.closed_count = 0
    finally:
        free(payload)
    return 0


cdef uint8_t* feed(Streams streams, Octets* input, uint32_t[2]* following, int64_t* now, uint64_t number,
                   Outbox* box, EventLog* events) except NULL:
    """Feed one segment and give its payload, to be freed once the messages have been looked at."""
    cdef Segment seg
    cdef uint8_t flags = next8(input)
    cdef int16_t step = <int16_t>next16(input)
    cdef size_t wanted = next8(input)
    cdef uint8_t cut = next8(input)
    cdef uint8_t gap = next8(input)
    cdef size_t size = min(wanted, left(input))
    cdef int which = (flags >> 5) & 3
    cdef bint back = (flags & TO_CLIENT) != 0
    cdef uint32_t* here = &following[which][back]
    cdef uint8_t* payload = padded_copy(take(input, size), size)

    if payload == NULL:
        raise MemoryError
    # Mostly milliseconds; long silences too, so that waits and idle connections run out.
    now[0] += gap * <int64_t>1_000_000 if gap < 240 else (gap - 230) * <int64_t>60_000_000_000
    memset(&seg, 0, sizeof(seg))
    seg.octets = payload
    seg.size = <uint32_t>size
    seg.wire_size = <uint32_t>size + cut
    seg.src[1] = 1 if back else 2
    seg.dst[1] = 2 if back else 1
    seg.src_port = 53 if back else <uint8_t>(100 + which)
    seg.dst_port = <uint8_t>(100 + which) if back else 53
    seg.time = now[0]
    seg.number = number
    seg.seq = here[0] + <uint32_t>step
    seg.ack = following[which][not back]
    seg.flags = ((TCP_FIN if flags & 1 else 0) | (TCP_SYN if flags & 2 else 0)
                 | (TCP_RST if flags & 4 else 0) | (TCP_ACK if flags & 8 else 0))
    seg.ip_version = 4
    seg.ip_ttl = 64
    here[0] = seg.seq + seg.wire_size + (flags & 1) + ((flags >> 1) & 1)
    if streams.segment(&seg, box, events) != 0:
        free(payload)
        raise MemoryError
    return payload


cdef int check_closed(Streams streams) except -1:
    cdef uint32_t i
    cdef const Connection* row
    for i in range(streams.table.closed_count):
        row = &streams.table.closed[i]
        if row.end > STREAM_EVICTED:
            raise AssertionError("no such end")
        if row.end_time < row.time or row.last_frame < row.first_frame or row.first_frame == 0:
            raise AssertionError("a connection that ends before it begins")
        if row.handshake < -1:
            raise AssertionError("a handshake that takes less than no time")
    return 0


ENTRY = offer(run)
