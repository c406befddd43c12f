"""TCP reassembly for DNS over TCP (RFC 7766): segments in capture order in, whole messages out.

Here it is decided what a segment means for its connection, whether it opens one, belongs to it or ends it,
and what has waited long enough.  Connections live in `connections`; each direction is put in order by
`reassembly` and framed by `stream_messages`.

Whatever a capture holds, memory stays under the limits below and each segment costs bounded time.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.connections cimport (
    close_all,
    close_conn,
    conn_enlist,
    conn_unlist,
    find,
    hash_ends,
    open_conn,
    table_close,
    table_open,
    turn,
)
from dnscap.native.events cimport EVENT_STREAM_EVICTED
from dnscap.native.flows cimport (
    ACKED,
    BLANK,
    BY_SYN,
    DONE,
    DOUBT,
    FAR,
    FRAMED,
    LARGEST_SEGMENT,
    NO_LIST,
    PARTIAL,
    PROVEN,
    SEEKING,
    TENTATIVE,
    Conn,
    Flow,
    StreamCounts,
    StreamTable,
    ahead,
    carried,
    elapsed,
    seconds,
)
from dnscap.native.reassembly cimport (
    flow_relist,
    is_duplicate,
    note,
    pass_hole,
    ripe,
    set_home,
    take_ack,
    take_data,
)
from dnscap.native.stream_messages cimport YES, begins_message, lose
from dnscap.native.tcp cimport (
    STREAM_FIN,
    STREAM_IDLE,
    STREAM_REFUSED,
    STREAM_RESET,
    TCP_ACK,
    TCP_FIN,
    TCP_RST,
    TCP_SYN,
    TURN_FIN,
    TURN_HANDSHAKE,
    TURN_REFUSED,
    TURN_RESET,
    TURN_SYN,
)

import os

cdef enum:
    MOST_CONNECTIONS = 65536   # held at a time; about 40 MB, more than a busy resolver has open
    MOST_HELD = 64 << 20       # octets of unfinished messages and waiting segments, all connections together
    IDLE_SECONDS = 120         # a connection without segments for so long is closed
    LINGER_SECONDS = 30        # a closed one is remembered so long for its stray segments
    HOLE_SECONDS = 10          # a hole that nobody acknowledged is given up after this


cdef void start_flow(Flow* f, uint32_t base, const Segment* seg) noexcept nogil:
    f.base = f.expected = f.reached = base
    f.state = FRAMED
    if seg != NULL:
        set_home(f, seg)


cdef bint same_opening(const Conn* c, const Flow* f, const Segment* seg) noexcept nogil:
    """Whether a SYN belongs to the connection that is known under its end points."""
    if f.state == BLANK:
        # Both sides may open at once (RFC 9293 section 3.5).
        return c.syns and not c.answered and not c.ending
    if f.base != seg.seq + 1:
        return False
    # The same SYN from another file, after all else: that file saw the connection from another place.
    return seg.source == c.source or not (c.ending or carried(c))


cdef void take_syn(StreamTable* t, Conn* c, Flow* f, const Segment* seg) noexcept nogil:
    if f.state == BLANK:
        if c.told != BY_SYN:
            c.told = BY_SYN
            c.client = f.side
        start_flow(f, seg.seq + 1, seg)
        if c.client == f.side:
            c.syns = 1
            c.syn_time = seg.time
    elif c.syns == 0:                                  # it came after what follows it
        c.told = BY_SYN
        c.client = f.side
        c.syns = 1
        c.syn_time = seg.time
    elif is_duplicate(f, seg):
        t.counts.duplicates += 1
    else:
        if c.client == f.side:
            c.syns += 1
            c.syn_time = seg.time
        set_home(f, seg)
        if c.ending and c.end == STREAM_REFUSED:       # refused once, tried again
            c.ending = False


cdef bint answers(const Flow* other, const Segment* seg) noexcept nogil:
    """Whether a SYN-ACK acknowledges the SYN we know, and perhaps its data (RFC 7413)."""
    return other.state != BLANK and <uint32_t>ahead(seg.ack, other.base) <= LARGEST_SEGMENT


cdef void take_syn_ack(StreamTable* t, Conn* c, Flow* f, Flow* other, const Segment* seg) noexcept nogil:
    if f.state == BLANK or (f.octets == 0 and f.base != seg.seq + 1 and answers(other, seg)):
        start_flow(f, seg.seq + 1, seg)
    if other.state == BLANK:
        start_flow(other, seg.ack, NULL)
    if c.told != BY_SYN:
        c.told = BY_SYN
        c.client = other.side
    if c.handshake < 0 and c.syns and c.client == other.side and seg.time >= c.syn_time and not c.answered:
        c.handshake = <int64_t>elapsed(seg.time, c.syn_time)


cdef bint other_connection(Conn* c, Flow* f, Flow* other, const Segment* seg, uint32_t wire) noexcept nogil:
    """Whether a segment belongs to another connection of the same end points, its SYN not seen."""
    if f.state == BLANK:
        if seg.flags & TCP_SYN and other.state != BLANK and not answers(other, seg):
            return c.ending or carried(c)
        return False
    if seg.flags & TCP_SYN:
        if f.base == seg.seq + 1 or answers(other, seg):
            return False
        return c.ending or not carried(c) or f.strays > 1
    if wire == 0 or begins_message(seg.octets, min(seg.size, wire), wire) != YES:
        return False
    # One segment may be a late one of an earlier connection.
    return c.ending or c.told != BY_SYN or f.strays > 1


cdef void take_end(StreamTable* t, Conn* c, Flow* f, const Segment* seg, uint32_t fin) noexcept nogil:
    if seg.flags & TCP_RST:
        if not c.ending:
            c.ending = True
            c.end = STREAM_RESET
            if c.syns and not c.answered and f.side != c.client:
                c.end = STREAM_REFUSED
    elif not f.fin_seen:
        if f.state == BLANK:
            f.base = f.expected = f.reached = fin
            f.state = SEEKING
        f.fin = fin
        f.fin_seen = True
        if c.flows[0].fin_seen and c.flows[1].fin_seen and not c.ending:
            c.ending = True
            c.end = STREAM_FIN


cdef void pass_time(StreamTable* t) noexcept nogil:
    """Whatever has waited long enough."""
    cdef Flow* f
    cdef uint64_t octets
    while t.flow_head[ACKED] != NULL and ripe(t, t.flow_head[ACKED].since, t.flow_head[ACKED].since_serial):
        f = t.flow_head[ACKED]
        pass_hole(t, f, f.first.seq)
        flow_relist(t, f)
    while t.flow_head[DOUBT] != NULL and elapsed(t.now, t.flow_head[DOUBT].since) >= seconds(HOLE_SECONDS):
        f = t.flow_head[DOUBT]
        pass_hole(t, f, f.first.seq)
        flow_relist(t, f)
    while t.held > t.most_held:
        f = t.flow_head[DOUBT] if t.flow_head[DOUBT] != NULL else t.flow_head[ACKED]
        if f != NULL:
            pass_hole(t, f, f.first.seq)
        else:
            f = t.flow_head[PARTIAL]
            if f == NULL:
                break
            octets = f.part_size
            t.counts.evicted_octets += octets
            note(t, f, EVENT_STREAM_EVICTED, octets)
            lose(t, f, 0)
        flow_relist(t, f)
    while t.head[DONE] != NULL and elapsed(t.now, t.head[DONE].touched) >= seconds(LINGER_SECONDS):
        close_conn(t, t.head[DONE], STREAM_FIN)
    while t.head[TENTATIVE] != NULL and elapsed(t.now, t.head[TENTATIVE].touched) >= seconds(IDLE_SECONDS):
        close_conn(t, t.head[TENTATIVE], STREAM_IDLE)
    while t.head[PROVEN] != NULL and elapsed(t.now, t.head[PROVEN].touched) >= seconds(IDLE_SECONDS):
        close_conn(t, t.head[PROVEN], STREAM_IDLE)


cdef void take_segment(StreamTable* t, const Segment* seg) noexcept nogil:
    cdef uint8_t side = 0
    cdef const uint64_t* low = &seg.src[0]
    cdef const uint64_t* high = &seg.dst[0]
    cdef uint16_t low_port = seg.src_port
    cdef uint16_t high_port = seg.dst_port
    cdef uint8_t kind = seg.flags & (TCP_SYN | TCP_ACK | TCP_RST)
    cdef uint32_t wire = max(seg.size, seg.wire_size)
    cdef uint32_t seq = seg.seq
    cdef uint64_t hash
    cdef int64_t handshake
    cdef uint32_t syns
    cdef int32_t off
    cdef bint ending
    cdef Conn* c
    cdef Flow* f
    cdef Flow* other
    if wire > LARGEST_SEGMENT:
        t.counts.oversized += 1
        return
    if seg.flags & TCP_RST:
        wire = 0               # what a RST carries is a note on why (RFC 9293 section 3.5.3)
    if low[0] != high[0]:
        side = low[0] > high[0]
    elif low[1] != high[1]:
        side = low[1] > high[1]
    else:
        side = low_port > high_port
    if side:
        low = &seg.dst[0]
        high = &seg.src[0]
        low_port = seg.dst_port
        high_port = seg.src_port
    hash = hash_ends(t, low, high, (<uint32_t>low_port << 16) | high_port)
    c = find(t, hash, low, high, low_port, high_port)
    if c != NULL:
        f = &c.flows[side]
        other = &c.flows[1 - side]
        if kind == TCP_SYN:
            if not same_opening(c, f, seg):
                close_conn(t, c, STREAM_IDLE)
                c = NULL
        else:
            off = 0
            if f.state != BLANK and (wire or seg.flags & (TCP_FIN | TCP_RST)):
                off = ahead(seq + (kind & TCP_SYN != 0), f.expected)
            if off > FAR or off < -FAR:
                f.strays += 1
            elif wire:
                f.strays = 0
            if off > FAR or off < -FAR or kind == TCP_SYN | TCP_ACK:
                if other_connection(c, f, other, seg, wire):
                    close_conn(t, c, STREAM_IDLE)
                    c = NULL
                elif off > FAR or off < -FAR or (f.state == BLANK and other.state != BLANK
                                                 and not answers(other, seg)):
                    t.counts.strays += 1
                    return
    if c == NULL:
        if wire == 0 and not (kind == TCP_SYN or kind == TCP_SYN | TCP_ACK):
            t.counts.orphans += 1
            return
        c = open_conn(t, hash, seg, side)
        if c == NULL:
            return
        f = &c.flows[side]
        other = &c.flows[1 - side]
    c.end_time = seg.time
    c.last_frame = seg.number
    syns = c.syns
    handshake = c.handshake
    if kind == TCP_SYN:
        take_syn(t, c, f, seg)
        if c.syns != syns:
            turn(t, c, seg, TURN_SYN)
    elif kind == TCP_SYN | TCP_ACK:
        take_syn_ack(t, c, f, other, seg)
        if c.handshake != handshake:
            turn(t, c, seg, TURN_HANDSHAKE)
    if seg.flags & TCP_SYN:
        seq += 1
    if not seg.flags & TCP_RST and (side != c.client or kind == TCP_ACK):
        c.answered = True      # or the client goes on as only an answered one does
    if seg.flags & TCP_ACK:
        take_ack(t, other, seg.ack)
    if wire:
        take_data(t, f, seg, seq, wire)
    if seg.flags & (TCP_FIN | TCP_RST):
        ending = c.ending
        take_end(t, c, f, seg, seq + wire)
        if c.ending and not ending:
            turn(t, c, seg, TURN_REFUSED if c.end == STREAM_REFUSED
                 else TURN_RESET if c.end == STREAM_RESET else TURN_FIN)
    if f.first != NULL or f.part_size or f.list != NO_LIST:
        flow_relist(t, f)
    if c.ending and other.list != NO_LIST:
        flow_relist(t, other)
    conn_unlist(t, c)
    conn_enlist(t, c)


@cython.final
@cython.auto_pickle(False)
cdef class Streams:
    """The TCP connections of a capture, and the DNS messages they carry.

    Parameters
    ----------
    most_connections : int
        Connections held at a time; beyond that the least recently active is given up.
    most_held : int
        Octets of unfinished messages and waiting segments held at a time.
    """

    def __cinit__(self, uint32_t most_connections=MOST_CONNECTIONS, uint64_t most_held=MOST_HELD):
        cdef bytes seed = os.urandom(16)
        if not 0 < most_connections <= 1 << 24:
            raise ValueError(f"most_connections must be from 1 to 16777216, not {most_connections}")
        self.table = table_open(most_connections, most_held, seed)
        if self.table == NULL:
            raise MemoryError

    def __dealloc__(self):
        table_close(self.table)

    cdef int segment(self, const Segment* seg, Outbox* box, EventLog* events) noexcept nogil:
        cdef StreamTable* t = self.table
        t.box = box
        t.events = events
        t.counts.segments += 1
        t.serial += 1
        if seg.time > t.now:
            t.now = seg.time
        if not t.failed:
            take_segment(t, seg)
        if not t.failed:
            pass_time(t)    # after the segment, which may be what was waited for
        return -1 if t.failed else 0

    cdef int finish(self, Outbox* box, EventLog* events) noexcept nogil:
        cdef StreamTable* t = self.table
        t.box = box
        t.events = events
        close_all(t)
        return -1 if t.failed else 0

    @property
    def held(self):
        """Octets of unfinished messages and waiting segments, with what it costs to keep them."""
        return self.table.held

    def __len__(self):
        """Connections held."""
        return self.table.count

    def counts(self):
        """What was seen and given up so far, by name."""
        cdef StreamCounts* n = &self.table.counts
        return {
            "segments": n.segments,
            "segments_orphaned": n.orphans,
            "segments_stray": n.strays,
            "segments_duplicate": n.duplicates,
            "segments_keepalive": n.keepalives,
            "segments_unplaced": n.unplaced,
            "segments_oversized": n.oversized,
            "stream_gaps": n.gaps,
            "streams_evicted": n.evicted_connections,
            "stream_octets_evicted": n.evicted_octets,
            "stream_turns_lost": n.lost_turns,
        }
