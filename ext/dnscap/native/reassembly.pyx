"""Reassembly of one direction of a connection.

Segments that come before their turn wait as `Piece`s, sorted and without overlap, until the hole before them
is filled or given up.  A hole is given up when the other side has acknowledged what is missing, so that the
capture alone lost it, or when too much waits behind it.
"""
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from dnscap.native.datagrams cimport TRANSPORT_TCP
from dnscap.native.events cimport EVENT_STREAM_GAP, Event, event_log_add
from dnscap.native.flows cimport (
    ACKED,
    BLANK,
    DOUBT,
    FAR,
    NO_LIST,
    PARTIAL,
    SEEKING,
    Flow,
    Piece,
    Stamp,
    StreamTable,
    ahead,
    flow_dst,
    flow_src,
)
from dnscap.native.stream_messages cimport lose, part_cut, take_chunk
from dnscap.native.tcp cimport Segment

cdef enum:
    MOST_WAITING = 1 << 20     # octets that wait behind a hole, one direction: a large receive window
    MOST_PIECES = 1024         # the same in segments, which bounds the search for a segment's place


cdef void flow_unlist(StreamTable* t, Flow* f) noexcept nogil:
    if f.list == NO_LIST:
        return
    if f.prev != NULL:
        f.prev.next = f.next
    else:
        t.flow_head[f.list] = f.next
    if f.next != NULL:
        f.next.prev = f.prev
    else:
        t.flow_tail[f.list] = f.prev
    f.prev = f.next = NULL
    f.list = NO_LIST


cdef void flow_relist(StreamTable* t, Flow* f) noexcept nogil:
    """Put a flow on the list where it belongs, behind the others; its wait begins anew with a new hole."""
    cdef uint8_t want = NO_LIST
    if f.first != NULL:
        want = DOUBT
        if f.conn.ending or (f.ack_seen and ahead(f.acked, f.first.seq) >= 0):
            want = ACKED
    elif f.part_size:
        want = PARTIAL
    if want == f.list and (want == NO_LIST or (want != PARTIAL and f.hole == f.expected)):
        return
    flow_unlist(t, f)
    if want == NO_LIST:
        return
    f.list = want
    f.hole = f.expected
    f.since = t.now
    f.since_serial = t.serial
    f.prev = t.flow_tail[want]
    f.next = NULL
    if f.prev != NULL:
        f.prev.next = f
    else:
        t.flow_head[want] = f
    t.flow_tail[want] = f


cdef void note(StreamTable* t, const Flow* f, uint8_t kind, uint64_t octets) noexcept nogil:
    cdef Event* e = event_log_add(t.events)
    if e == NULL:
        return                 # counted by the log
    memcpy(e.src, flow_src(f), 16)
    memcpy(e.dst, flow_dst(f), 16)
    memcpy(e.quoted_src, flow_src(f), 16)
    memcpy(e.quoted_dst, flow_dst(f), 16)
    e.quoted_src_port = f.conn.high_port if f.side else f.conn.low_port
    e.quoted_dst_port = f.conn.low_port if f.side else f.conn.high_port
    e.time = f.conn.end_time
    e.frame = f.conn.last_frame
    e.source = f.conn.source
    e.stream = f.conn.stream
    e.octets = <uint32_t>min(octets, <uint64_t>0xFFFFFFFF)
    e.kind = kind
    e.transport = TRANSPORT_TCP


cdef void piece_free(StreamTable* t, Flow* f, Piece* p) noexcept nogil:
    """Unlink and free a piece."""
    if p.prev != NULL:
        p.prev.next = p.next
    else:
        f.first = p.next
    if p.next != NULL:
        p.next.prev = p.prev
    else:
        f.last = p.prev
    f.pieces -= 1
    f.waiting -= <uint32_t>sizeof(Piece) + p.size
    t.held -= sizeof(Piece) + p.size
    free(p)


cdef Piece* piece_after(StreamTable* t, Flow* f, Piece* prev, uint32_t size) noexcept nogil:
    """A new piece with room for `size` octets, behind `prev` or first; NULL without memory."""
    cdef Piece* p = <Piece*>malloc(sizeof(Piece) + size)
    if p == NULL:
        t.failed = True
        return NULL
    p.size = size
    p.prev = prev
    p.next = prev.next if prev != NULL else f.first
    if p.prev != NULL:
        p.prev.next = p
    else:
        f.first = p
    if p.next != NULL:
        p.next.prev = p
    else:
        f.last = p
    f.pieces += 1
    f.waiting += <uint32_t>sizeof(Piece) + size
    t.held += sizeof(Piece) + size
    return p


cdef uint32_t keep(StreamTable* t, Flow* f, uint32_t seq, const uint8_t* octets, uint32_t size, uint32_t wire,
                   const Stamp* stamp) noexcept nogil:
    """Keep what is new of a segment and return how much that is; where segments overlap, the first stays."""
    cdef Piece* prev = f.last
    cdef Piece* after
    cdef Piece* p
    cdef uint32_t at = seq
    cdef uint32_t end = seq + wire
    cdef uint32_t stop, have
    cdef uint32_t fresh = 0
    while prev != NULL and ahead(prev.seq, seq) > 0:
        prev = prev.prev
    after = prev.next if prev != NULL else f.first
    if prev != NULL and ahead(prev.seq + prev.wire, at) > 0:
        at = prev.seq + prev.wire
    while ahead(end, at) > 0:
        stop = end
        if after != NULL and ahead(after.seq, end) < 0:
            stop = after.seq
        if ahead(stop, at) > 0:
            have = min(size - (at - seq), stop - at) if at - seq < size else 0
            p = piece_after(t, f, prev, have)
            if p == NULL:
                return fresh
            p.stamp = stamp[0]
            p.seq = at
            p.wire = stop - at
            if have:
                memcpy(<uint8_t*>(p + 1), octets + (at - seq), have)
            f.octets += have
            fresh += p.wire
        if stop == end or after == NULL:
            break
        at = after.seq + after.wire
        prev = after
        after = after.next
    return fresh


cdef void drain(StreamTable* t, Flow* f, const Stamp* filler) noexcept nogil:
    """Frame the pieces that are next in sequence.

    What waited for `filler` reached the application with it and so bears its stamp.  Without a filler the
    hole was given up, and each message bears the stamp of its own last segment.
    """
    cdef Piece* p = f.first
    while p != NULL and p.seq == f.expected:
        take_chunk(t, f, <const uint8_t*>(p + 1), p.size, p.wire, filler if filler != NULL else &p.stamp,
                   p.stamp.serial, False)
        piece_free(t, f, p)
        p = f.first


cdef void pass_hole(StreamTable* t, Flow* f, uint32_t target) noexcept nogil:
    """The octets up to `target` will never come: say so and go on behind them."""
    cdef uint32_t gap = target - f.expected
    t.counts.gaps += 1
    f.conn.gap += gap
    note(t, f, EVENT_STREAM_GAP, gap)
    lose(t, f, gap)
    f.expected = target
    drain(t, f, NULL)


cdef void seen_again(StreamTable* t, Flow* f, const Segment* seg) noexcept nogil:
    if is_duplicate(f, seg):
        t.counts.duplicates += 1
    else:
        f.conn.retransmissions += 1
        set_home(f, seg)


cdef void take_data(StreamTable* t, Flow* f, const Segment* seg, uint32_t seq, uint32_t wire) noexcept nogil:
    cdef const uint8_t* octets = seg.octets
    cdef uint32_t size = min(seg.size, wire)
    cdef uint32_t behind, end, target
    cdef bint again = False
    cdef bint late
    cdef Stamp stamp
    stamp.time = seg.time
    stamp.number = seg.number
    stamp.serial = t.serial
    stamp.source = seg.source
    stamp.interface = seg.interface
    stamp.ip_ttl = seg.ip_ttl
    stamp.direction = seg.direction
    end = seq + wire
    if f.state == BLANK:
        f.base = f.expected = f.reached = seq
        f.state = SEEKING
    if wire == 1 and ahead(f.expected, seq) == 1:      # RFC 9293 section 3.8.4
        t.counts.keepalives += 1
        return
    late = ahead(f.reached, seq) > 0
    while True:
        if ahead(end, f.expected) <= 0:
            seen_again(t, f, seg)
            return
        if ahead(f.expected, seq) > 0:
            behind = f.expected - seq
            octets += min(behind, size)
            size -= min(behind, size)
            wire -= behind
            seq = f.expected
            again = True
        if seq == f.expected:
            break
        target = seq
        if f.first != NULL and ahead(f.first.seq, seq) < 0:
            target = f.first.seq
        if f.ack_seen and ahead(f.acked, target) >= 0 and ripe(t, f.ack_time, f.ack_serial):
            pass_hole(t, f, target)
        elif f.first != NULL and (f.pieces >= MOST_PIECES or f.waiting + size + sizeof(Piece) > MOST_WAITING):
            # The new segment may be the first behind the hole and so end it.
            pass_hole(t, f, target)
        else:
            break
        if t.failed:
            return
    if f.first == NULL and seq == f.expected:
        f.octets += size
        take_chunk(t, f, octets, size, wire, &stamp, stamp.serial, True)
    else:
        behind = keep(t, f, seq, octets, size, wire, &stamp)
        if behind == 0:
            seen_again(t, f, seg)
            return
        again = again or behind < wire
        drain(t, f, &stamp)
    if ahead(end, f.reached) > 0:
        f.reached = end
    if again:
        seen_again(t, f, seg)
    else:
        f.conn.out_of_order += late
    set_home(f, seg)


cdef void settle_flow(StreamTable* t, Flow* f) noexcept nogil:
    """Nothing more will come: pass every hole and hand on what is left."""
    cdef int32_t gap = 0
    while f.first != NULL:
        pass_hole(t, f, f.first.seq)
    if f.state != BLANK:
        if f.fin_seen:
            gap = ahead(f.fin, f.expected)
        elif f.ack_seen:
            gap = ahead(f.acked, f.expected)
            if gap == 1:       # a FIN that is not in the capture takes one, too
                gap = 0
        if 0 < gap <= FAR:
            pass_hole(t, f, f.expected + <uint32_t>gap)
    part_cut(t, f)
    flow_unlist(t, f)


cdef void flow_free(StreamTable* t, Flow* f) noexcept nogil:
    free(f.part)
    f.part = NULL
    while f.first != NULL:
        piece_free(t, f, f.first)
