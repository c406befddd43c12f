"""Reassembly of one direction of a connection: segments in any order in, octets in sequence out."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from dnscap.native.flows cimport BLANK, FAR, Flow, StreamTable, ahead, apart, elapsed
from dnscap.native.tcp cimport Segment

cdef enum:
    SOON = 1000000             # captures show an ACK up to 1 ms and some frames before its data ...
    SOON_SEGMENTS = 4
    SURELY = 20000000          # ... and never by this much
    SIGHTING = 5000000         # the same segment at another interface comes within this

# A segment that has data, its sequence number past a SYN; `wire` is not 0.
cdef void take_data(StreamTable* t, Flow* f, const Segment* seg, uint32_t seq, uint32_t wire) noexcept nogil

# The octets up to `target` will never come: say so and go on behind them.
cdef void pass_hole(StreamTable* t, Flow* f, uint32_t target) noexcept nogil

# Nothing more will come: pass every hole and hand on what is left.
cdef void settle_flow(StreamTable* t, Flow* f) noexcept nogil

# Forget the octets that wait and the message in progress.
cdef void flow_free(StreamTable* t, Flow* f) noexcept nogil

# Put a flow on the list where it belongs, behind the others; its wait begins anew with a new hole.
cdef void flow_relist(StreamTable* t, Flow* f) noexcept nogil

# An event about a flow.
cdef void note(StreamTable* t, const Flow* f, uint8_t kind, uint64_t octets) noexcept nogil

cdef inline bint ripe(const StreamTable* t, int64_t since, uint64_t serial) noexcept nogil:
    """Whether what an ACK covers would have been seen by now, were it in the capture."""
    cdef uint64_t waited = elapsed(t.now, since)
    return waited >= SURELY or (waited >= SOON and t.serial - serial >= SOON_SEGMENTS)

cdef inline bint is_duplicate(const Flow* f, const Segment* seg) noexcept nogil:
    """A segment seen again is a second delivery or sighting of it, not a transmission."""
    cdef uint64_t gap = apart(seg.time, f.home_time)
    if f.home_place != seg.place or f.home_interface != seg.interface or f.home_direction != seg.direction:
        return gap < SIGHTING
    return gap < SOON

cdef inline void set_home(Flow* f, const Segment* seg) noexcept nogil:
    f.home_time = seg.time
    f.home_place = seg.place
    f.home_interface = seg.interface
    f.home_direction = seg.direction

cdef inline void take_ack(StreamTable* t, Flow* f, uint32_t ack) noexcept nogil:
    """The other side has everything before `ack`; what is missing of that was lost to the capture alone."""
    cdef int32_t beyond
    if f.state == BLANK:
        return
    if f.ack_seen and ahead(f.acked, f.expected) <= 0:
        f.ack_seen = False
    beyond = ahead(ack, f.expected)
    if beyond <= 0 or beyond > FAR or (f.ack_seen and ahead(ack, f.acked) <= 0):
        return
    f.acked = ack
    f.ack_seen = True
    f.ack_time = t.now
    f.ack_serial = t.serial
    if f.first != NULL:
        flow_relist(t, f)
