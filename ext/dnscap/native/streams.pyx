"""TCP reassembly for DNS over TCP (RFC 7766): segments in capture order in, whole messages out.

Each direction of a connection is a `Flow`.  Its octets are framed as they come: a message that lies whole
in one segment is pointed to where it is, one that is split grows in `part`.  Segments that come before
their turn wait as `Piece`s, sorted and without overlap, until the hole before them is filled or given up.
Framing is exact as long as every length prefix is known; where that knowledge is lost (joined in
mid-stream, a hole that reaches past the message it began in) the flow *seeks*: it starts again at the
first segment that looks like the beginning of a message.

Whatever a capture holds, memory stays under the limits below and each segment costs bounded time.
"""
cimport cython
from libc.stdint cimport INT64_MIN, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcpy, memset

from dnscap.native.datagrams cimport (
    CUT_BY_CAPTURE,
    NO_STREAM,
    TRANSPORT_TCP,
    WHOLE,
    Datagram,
    Outbox,
    outbox_add,
    outbox_close,
    outbox_octets,
    outbox_open,
)
from dnscap.native.events cimport (
    EVENT_STREAM_EVICTED,
    EVENT_STREAM_GAP,
    Event,
    EventLog,
    event_log_add,
    event_log_close,
    event_log_open,
)
from dnscap.native.octets cimport PADDING, be16

import os
import socket

cdef enum:
    MOST_CONNECTIONS = 65536   # held at a time; about 40 MB, more than a busy resolver has open
    MOST_HELD = 64 << 20       # octets of unfinished messages and waiting segments, all connections together
    MOST_WAITING = 1 << 20     # octets that wait behind a hole, one direction: a large receive window
    MOST_PIECES = 1024         # the same in segments, which bounds the search for a segment's place
    LARGEST_SEGMENT = 1 << 20  # payload octets; segmentation offload hands on 64 KiB, BIG TCP up to 512 KiB
    FAR = 1 << 26              # sequence distance at which a segment belongs to another connection
    LARGEST_MESSAGE = 2 + 65535
    FIRST_PART = 256           # octets first allotted to a message that is split
    HEADER = 12                # RFC 1035 section 4.1.1
    MOST_QUESTIONS = 32        # in a message at which a flow may start
    PROBE = 288                # prefix, header, longest name, type and class: what a start is judged by
    SLAB = 256                 # connections allocated at a time
    FIRST_CLOSED = 256

cdef enum:
    SECOND = 1000000000        # all times are nanoseconds of capture time
    IDLE_SECONDS = 120         # a connection without segments for so long is closed
    LINGER_SECONDS = 30        # a closed one is remembered so long for its stray segments
    MOST_TURNS = 1 << 20       # noted between two batches: a flood of SYNs alone fills no batch
    HOLE_SECONDS = 10          # a hole that nobody acknowledged is given up after this
    SYN_SECONDS = 1            # a SYN so young at the end of the capture may yet be answered (RFC 6298)
    SOON = 1000000             # captures show an ACK up to 1 ms and some frames before its data ...
    SOON_SEGMENTS = 4
    SURELY = 20000000          # ... and never by this much
    SIGHTING = 5000000         # the same segment at another interface comes within this

cdef enum FlowState:
    BLANK = 0                  # no sequence number known
    SEEKING = 1                # sequence number known, no message boundary
    TRYING = 2                 # began at a segment too short to be judged
    FRAMED = 3                 # message boundaries known

cdef enum Verdict:
    NO = 0
    YES = 1
    UNSURE = 2

cdef enum:                     # a flow that holds octets is on one of these lists, oldest first
    NO_LIST = 0
    PARTIAL = 1                # a message in progress
    DOUBT = 2                  # segments wait behind a hole
    ACKED = 3                  # so too, and the other side has acknowledged what is missing, or all is over
    FLOW_LISTS = 4

cdef enum:                     # connections, least recently active first; lists are given up in this order
    DONE = 0                   # closed by its ends
    TENTATIVE = 1              # never carried data
    PROVEN = 2
    CONN_LISTS = 3

cdef enum Told:                # how the client was found, stronger reasons last
    BY_NOTHING = 0
    BY_QR = 1
    BY_PORT = 2
    BY_SYN = 3

cdef struct Stamp:             # what a message keeps of the segment that completed it
    int64_t time
    uint64_t number
    uint64_t serial            # order of arrival over all segments
    uint32_t source
    uint32_t interface
    uint8_t ip_ttl
    uint8_t direction

cdef struct Piece:             # a segment that waits, or what other pieces left of it; its octets follow
    Piece* prev
    Piece* next
    Stamp stamp
    uint32_t seq
    uint32_t size              # octets captured
    uint32_t wire              # octets it takes in sequence

cdef struct Conn
cdef struct Flow

cdef struct Flow:              # one direction
    Conn* conn
    Flow* prev
    Flow* next
    Piece* first
    Piece* last
    uint8_t* part              # message in progress, length prefix included
    uint64_t octets            # payload octets seen, each once
    uint64_t part_serial       # last segment that carried some of `part`
    Stamp part_stamp           # latest segment that `part` waited for
    int64_t home_time          # where the latest new segment was seen: tells sightings from retransmissions
    uint64_t home_place
    int64_t ack_time
    uint64_t ack_serial
    int64_t since              # when it came on its list
    uint64_t since_serial
    uint32_t home_interface
    uint32_t base              # sequence number of the first payload octet
    uint32_t expected          # of the next octet to be framed
    uint32_t reached           # behind the last octet seen
    uint32_t acked             # highest acknowledgement by the other side beyond `expected`
    uint32_t fin               # sequence number of the FIN
    uint32_t hole              # `expected` when it came on its list
    uint32_t part_size
    uint32_t part_room
    uint32_t part_frames
    uint32_t skip              # octets to pass over: the rest of a message that has a hole in it
    uint32_t pieces
    uint32_t waiting           # octets charged for them
    uint32_t messages
    uint32_t strays            # segments from far outside the window, in a row
    uint8_t state
    uint8_t list
    uint8_t side
    uint8_t fin_seen
    uint8_t ack_seen
    uint8_t home_direction

cdef struct Conn:
    Conn* chain                # of its hash bucket, or of the free ones
    Conn* prev
    Conn* next
    Flow flows[2]              # [0] is what the lower end point sends
    uint64_t low[2]
    uint64_t high[2]
    uint64_t hash
    int64_t time
    int64_t end_time
    int64_t syn_time
    int64_t handshake
    int64_t touched
    uint64_t first_frame
    uint64_t last_frame
    uint64_t gap
    uint32_t stream
    uint32_t source
    uint32_t syns
    uint32_t retransmissions
    uint32_t out_of_order
    uint16_t low_port
    uint16_t high_port
    uint8_t ip_version
    uint8_t list
    uint8_t client             # index into `flows`
    uint8_t told
    uint8_t answered           # the handshake went beyond the SYN
    uint8_t ending             # RST, or FIN from both sides
    uint8_t end

cdef struct Slab:
    Slab* next
    Conn conns[SLAB]

cdef struct StreamCounts:
    uint64_t segments
    uint64_t orphans           # neither data nor SYN, and no connection for it
    uint64_t strays            # far outside the window, ignored
    uint64_t duplicates        # deliveries or sightings of a segment already seen
    uint64_t keepalives
    uint64_t unplaced          # data segments passed over while seeking
    uint64_t oversized         # segments no network carries
    uint64_t gaps
    uint64_t evicted_connections
    uint64_t evicted_octets    # unfinished messages given up because of MOST_HELD
    uint64_t lost_turns        # beyond MOST_TURNS

cdef struct StreamTable:
    Conn** buckets
    Slab* slabs
    Conn* unused
    Conn* head[CONN_LISTS]
    Conn* tail[CONN_LISTS]
    Flow* flow_head[FLOW_LISTS]
    Flow* flow_tail[FLOW_LISTS]
    Outbox* box                # of the call in progress
    EventLog* events
    StreamCounts counts
    uint64_t seed[2]
    uint64_t mask
    uint64_t held              # octets charged
    uint64_t most_held
    uint64_t serial
    int64_t now                # latest time seen
    uint32_t count
    uint32_t most
    uint32_t numbered          # next stream number
    bint failed                # memory ran out


# ---- arithmetic ----

cdef inline int32_t ahead(uint32_t a, uint32_t b) noexcept nogil:
    """How far `a` is ahead of `b` in sequence space, which wraps around (RFC 9293 section 3.4)."""
    return <int32_t>(a - b)


cdef inline uint64_t elapsed(int64_t later, int64_t earlier) noexcept nogil:
    """Never negative and never overflowing: captures hold any time stamps."""
    return <uint64_t>later - <uint64_t>earlier if later > earlier else 0


cdef inline uint64_t apart(int64_t a, int64_t b) noexcept nogil:
    return elapsed(a, b) if a > b else elapsed(b, a)


cdef inline uint64_t seconds(uint64_t n) noexcept nogil:
    return n * SECOND


cdef inline uint64_t mix(uint64_t x) noexcept nogil:
    x ^= x >> 30
    x *= <uint64_t>0xBF58476D1CE4E5B9
    x ^= x >> 27
    x *= <uint64_t>0x94D049BB133111EB
    return x ^ (x >> 31)


cdef inline uint64_t hash_ends(const StreamTable* t, const uint64_t* low, const uint64_t* high,
                               uint32_t ports) noexcept nogil:
    # Whoever sends the packets chooses the end points; without the seed they cannot choose the bucket.
    cdef uint64_t h = mix(t.seed[0] ^ low[0])
    h = mix((h + t.seed[1]) ^ low[1])
    h = mix((h + t.seed[1]) ^ high[0])
    h = mix((h + t.seed[1]) ^ high[1])
    return mix((h + t.seed[1]) ^ ports)


# ---- does a segment begin a message? ----

cdef bint known_class(uint32_t rrclass) noexcept nogil:
    rrclass &= 0x7FFF          # mDNS uses the top bit (RFC 6762 section 18.12)
    return rrclass == 1 or rrclass == 3 or rrclass == 4 or rrclass == 254 or rrclass == 255


cdef Verdict message_like(const uint8_t* m, uint32_t have, uint32_t length) noexcept nogil:
    """Judge the beginning of a message of `length` octets, of which `have` (at least HEADER) are here."""
    cdef uint32_t opcode = (m[2] >> 3) & 15
    cdef uint32_t questions = be16(m + 4)
    cdef uint32_t records = <uint32_t>be16(m + 6) + be16(m + 8) + be16(m + 10)
    cdef uint32_t at = HEADER
    cdef uint32_t label, kind
    if opcode == 3 or opcode > 6 or questions > MOST_QUESTIONS:
        return NO
    if questions == 0 and records == 0:
        return YES if length == HEADER else NO
    if HEADER + 5 * questions + 11 * records > length:     # least octets of a question and of a record
        return NO
    while True:
        if at >= length or at - HEADER >= 255:             # RFC 1035 section 2.3.4
            return NO
        if at >= have:
            return YES
        label = m[at]
        if label == 0:
            at += 1
            break
        if label > 63:         # no pointer either: the first name has nothing before it to point to
            return NO
        at += 1 + label
    if at + 4 > length:
        return NO
    if at + 4 > have:
        return YES
    kind = be16(m + at)
    if kind == 0:
        return NO
    if questions == 0:
        if at + 10 > length:
            return NO
        if at + 10 <= have and at + 10 + be16(m + at + 8) > length:
            return NO
        if kind == 41:         # OPT has a size where others have a class (RFC 6891 section 6.1.2)
            return YES
    return YES if known_class(be16(m + at + 2)) else NO


cdef Verdict begins_message(const uint8_t* octets, uint32_t size, uint32_t wire) noexcept nogil:
    """Whether a segment begins with a length prefix and a message; UNSURE where it is too short to tell."""
    cdef uint32_t length, left
    if size < 2:
        return UNSURE if wire == size else NO
    length = be16(octets)
    if length < HEADER:
        return NO
    if size < 2 + HEADER:
        return UNSURE if wire == size else NO
    if message_like(octets + 2, min(size - 2, length), length) == NO:
        return NO
    if size > 2 + length:      # and so must what follows it
        octets += 2 + length
        left = size - 2 - length
        if left >= 2 and be16(octets) < HEADER:
            return NO
        if left >= 2 + HEADER:
            length = be16(octets)
            return message_like(octets + 2, min(left - 2, length), length)
    return YES


# ---- lists ----

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


cdef void conn_unlist(StreamTable* t, Conn* c) noexcept nogil:
    if c.prev != NULL:
        c.prev.next = c.next
    else:
        t.head[c.list] = c.next
    if c.next != NULL:
        c.next.prev = c.prev
    else:
        t.tail[c.list] = c.prev
    c.prev = c.next = NULL


cdef void conn_enlist(StreamTable* t, Conn* c) noexcept nogil:
    c.list = TENTATIVE
    if c.ending:
        c.list = DONE
    elif c.flows[0].octets + c.flows[1].octets:
        c.list = PROVEN
    c.touched = t.now          # not the segment's time: one stamp of the future must not end them all
    c.prev = t.tail[c.list]
    c.next = NULL
    if c.prev != NULL:
        c.prev.next = c
    else:
        t.head[c.list] = c
    t.tail[c.list] = c


# ---- telling ----

cdef inline const uint64_t* flow_src(const Flow* f) noexcept nogil:
    return &f.conn.high[0] if f.side else &f.conn.low[0]


cdef inline const uint64_t* flow_dst(const Flow* f) noexcept nogil:
    return &f.conn.low[0] if f.side else &f.conn.high[0]


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


cdef void emit(StreamTable* t, Flow* f, const uint8_t* octets, uint32_t size, uint32_t wire_size,
               uint32_t frames, const Stamp* stamp, bint in_place, uint8_t wholeness) noexcept nogil:
    cdef Conn* c = f.conn
    cdef uint8_t* copy
    cdef Datagram* d
    if not in_place:
        copy = outbox_octets(t.box, size)
        if copy == NULL:
            t.failed = True
            return
        memcpy(copy, octets, size)
        octets = copy
    d = outbox_add(t.box)
    if d == NULL:
        t.failed = True
        return
    memset(d, 0, sizeof(Datagram))
    d.octets = octets
    memcpy(d.src, flow_src(f), 16)
    memcpy(d.dst, flow_dst(f), 16)
    d.size = size
    d.wire_size = wire_size
    d.time = stamp.time
    d.number = stamp.number
    d.source = stamp.source
    d.interface = stamp.interface
    d.frames = frames
    d.stream = c.stream
    d.src_port = c.high_port if f.side else c.low_port
    d.dst_port = c.low_port if f.side else c.high_port
    d.transport = TRANSPORT_TCP
    d.wholeness = wholeness
    d.ip_ttl = stamp.ip_ttl
    d.ip_version = c.ip_version
    d.direction = stamp.direction
    f.messages += 1
    if c.told == BY_NOTHING and size >= HEADER:
        c.client = f.side if octets[2] < 0x80 else 1 - f.side      # QR clear: a query
        c.told = BY_QR


# ---- framing ----

cdef void part_drop(StreamTable* t, Flow* f) noexcept nogil:
    t.held -= f.part_room
    free(f.part)
    f.part = NULL
    f.part_size = f.part_room = f.part_frames = 0


cdef void part_put(StreamTable* t, Flow* f, const uint8_t* octets, uint32_t size) noexcept nogil:
    """Add octets to the message in progress, never more than it needs."""
    cdef uint32_t room
    cdef uint8_t* part
    if f.part_size + size > f.part_room:
        room = max(max(f.part_size + size, 2 * f.part_room), <uint32_t>FIRST_PART)
        room = min(room, <uint32_t>LARGEST_MESSAGE)
        part = <uint8_t*>realloc(f.part, room)
        if part == NULL:
            t.failed = True
            return
        t.held += room - f.part_room
        f.part = part
        f.part_room = room
    memcpy(f.part + f.part_size, octets, size)
    f.part_size += size


cdef void part_cut(StreamTable* t, Flow* f) noexcept nogil:
    """Give up the message in progress: hand on what is there if that has a header."""
    if f.state == FRAMED and f.part_size >= 2 + HEADER:
        emit(t, f, f.part + 2, f.part_size - 2, be16(f.part), f.part_frames, &f.part_stamp, False,
             CUT_BY_CAPTURE)
    part_drop(t, f)


cdef void lose(StreamTable* t, Flow* f, uint32_t count) noexcept nogil:
    """The next `count` octets are not in the capture.

    Where the message in which they begin reaches past them, its end is still known and framing goes on there.
    """
    cdef uint32_t missing
    if f.skip:
        if count > f.skip:
            f.state = SEEKING
            f.skip = 0
        else:
            f.skip -= count
        return
    if f.state != FRAMED or f.part_size < 2:
        part_drop(t, f)
        if f.state != BLANK:
            f.state = SEEKING
        return
    missing = 2 + <uint32_t>be16(f.part) - f.part_size
    part_cut(t, f)
    if count > missing:
        f.state = SEEKING
    else:
        f.skip = missing - count


cdef void consume(StreamTable* t, Flow* f, const uint8_t* p, uint32_t left, const Stamp* stamp,
                  uint64_t carrier, bint in_place) noexcept nogil:
    """Frame octets that are next in sequence: 2 octets of length, then the message (RFC 7766 section 8)."""
    cdef uint32_t n, length
    while left and not t.failed:
        if f.skip:
            n = min(left, f.skip)
            f.skip -= n
            p += n
            left -= n
            continue
        if f.part_size == 0 and left >= 2:
            length = be16(p)
            if left >= 2 + length:
                if length:
                    emit(t, f, p + 2, length, length, 1, stamp, in_place, WHOLE)
                p += 2 + length
                left -= 2 + length
                continue
        if f.part_size < 2:
            n = min(left, 2 - f.part_size)
        else:
            n = min(left, 2 + <uint32_t>be16(f.part) - f.part_size)
        if f.part_frames == 0 or f.part_serial != carrier:
            f.part_frames += 1
            f.part_serial = carrier
        if f.part_frames == 1 or stamp.serial > f.part_stamp.serial:
            f.part_stamp = stamp[0]
        part_put(t, f, p, n)
        if t.failed:
            return
        p += n
        left -= n
        if f.part_size >= 2 and f.part_size == 2 + <uint32_t>be16(f.part):
            if f.part_size > 2:
                n = f.part_size - 2
                emit(t, f, f.part + 2, n, n, f.part_frames, &f.part_stamp, False, WHOLE)
            part_drop(t, f)


cdef Verdict tried(Flow* f, const uint8_t* octets, uint32_t size, uint32_t wire) noexcept nogil:
    """Judge a start together with the octets that follow it."""
    cdef uint8_t probe[PROBE]
    cdef uint32_t n = min(size, <uint32_t>(PROBE - 2 - HEADER))
    cdef uint32_t have = f.part_size
    cdef uint32_t length
    if have >= 2 + HEADER:
        return YES
    memcpy(probe, f.part, have)
    memcpy(probe + have, octets, n)
    have += n
    if have < 2:
        return UNSURE if wire == size else NO
    length = be16(probe)
    if length < HEADER:
        return NO
    if have < 2 + HEADER:
        return UNSURE if wire == size else NO
    return message_like(probe + 2, min(have - 2, length), length)


cdef void take_chunk(StreamTable* t, Flow* f, const uint8_t* octets, uint32_t size, uint32_t wire,
                     const Stamp* stamp, uint64_t carrier, bint in_place) noexcept nogil:
    """A segment, or what is left of one, is next in sequence."""
    cdef Verdict verdict
    f.expected += wire
    if f.state == TRYING:
        verdict = tried(f, octets, size, wire)
        if verdict == YES:
            f.state = FRAMED
        elif verdict == NO:
            t.counts.unplaced += 1
            part_drop(t, f)
            f.state = SEEKING
    if f.state == SEEKING:
        verdict = begins_message(octets, size, wire)
        if verdict == NO:
            t.counts.unplaced += 1
            f.conn.gap += wire - size
            return
        f.state = FRAMED if verdict == YES else TRYING
    consume(t, f, octets, size, stamp, carrier, in_place)
    if wire > size:            # the snap length took the end
        f.conn.gap += wire - size
        lose(t, f, wire - size)


# ---- order ----

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


cdef inline bint ripe(const StreamTable* t, int64_t since, uint64_t serial) noexcept nogil:
    """Whether what an ACK covers would have been seen by now, were it in the capture."""
    cdef uint64_t waited = elapsed(t.now, since)
    return waited >= SURELY or (waited >= SOON and t.serial - serial >= SOON_SEGMENTS)


cdef bint is_duplicate(const Flow* f, const Segment* seg) noexcept nogil:
    """A segment seen again is a second delivery or sighting of it, not a transmission."""
    cdef uint64_t gap = apart(seg.time, f.home_time)
    if f.home_place != seg.place or f.home_interface != seg.interface or f.home_direction != seg.direction:
        return gap < SIGHTING
    return gap < SOON


cdef void set_home(Flow* f, const Segment* seg) noexcept nogil:
    f.home_time = seg.time
    f.home_place = seg.place
    f.home_interface = seg.interface
    f.home_direction = seg.direction


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


cdef void take_ack(StreamTable* t, Flow* f, uint32_t ack) noexcept nogil:
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


# ---- connections ----

cdef Conn* find(StreamTable* t, uint64_t hash, const uint64_t* low, const uint64_t* high, uint16_t low_port,
                uint16_t high_port) noexcept nogil:
    cdef Conn* c = t.buckets[hash & t.mask]
    while c != NULL:
        if (c.hash == hash and c.low_port == low_port and c.high_port == high_port and c.low[0] == low[0]
                and c.low[1] == low[1] and c.high[0] == high[0] and c.high[1] == high[1]):
            return c
        c = c.chain
    return NULL


cdef uint8_t end_of(const StreamTable* t, const Conn* c, uint8_t reason) noexcept nogil:
    if c.ending:
        return c.end
    if reason == STREAM_EVICTED:
        return STREAM_EVICTED
    if c.syns and not c.answered:
        # One sent at the very end of the capture may well have been answered.
        if reason == STREAM_OPEN and elapsed(t.now, c.time) < seconds(SYN_SECONDS):
            return STREAM_OPEN
        return STREAM_UNANSWERED
    if c.flows[0].fin_seen or c.flows[1].fin_seen:
        return STREAM_FIN
    return reason


cdef void close_conn(Streams me, Conn* c, uint8_t reason) noexcept nogil:
    """Settle both directions, make the connection a row of `closed`, forget it."""
    cdef StreamTable* t = me.table
    cdef Connection* rows
    cdef Connection* row
    cdef uint32_t room
    cdef Conn** link
    cdef Flow* up = &c.flows[c.client]
    cdef Flow* down = &c.flows[1 - c.client]
    settle_flow(t, up)
    settle_flow(t, down)
    up = &c.flows[c.client]    # the last messages may have told which side is which
    down = &c.flows[1 - c.client]
    if me.closed_count == me.closed_room:
        room = 2 * me.closed_room if me.closed_room else FIRST_CLOSED
        rows = NULL
        if room > me.closed_room:
            rows = <Connection*>realloc(me.closed, <size_t>room * sizeof(Connection))
        if rows == NULL:
            t.failed = True
        else:
            me.closed = rows
            me.closed_room = room
    if me.closed_count < me.closed_room:
        row = &me.closed[me.closed_count]
        me.closed_count += 1
        memset(row, 0, sizeof(Connection))
        memcpy(row.client, flow_src(up), 16)
        memcpy(row.server, flow_dst(up), 16)
        row.client_port = c.high_port if c.client else c.low_port
        row.server_port = c.low_port if c.client else c.high_port
        row.time = c.time
        row.end_time = c.end_time
        row.handshake = c.handshake
        row.first_frame = c.first_frame
        row.last_frame = c.last_frame
        row.octets_to_server = up.octets
        row.octets_to_client = down.octets
        row.gap_octets = c.gap
        row.stream = c.stream
        row.source = c.source
        row.syns = c.syns
        row.retransmissions = c.retransmissions
        row.out_of_order = c.out_of_order
        row.queries = up.messages
        row.responses = down.messages
        row.end = end_of(t, c, reason)
        row.ip_version = c.ip_version
    link = &t.buckets[c.hash & t.mask]
    while link[0] != c:
        link = &link[0].chain
    link[0] = c.chain
    conn_unlist(t, c)
    c.chain = t.unused
    t.unused = c
    t.count -= 1


cdef void evict(Streams me) noexcept nogil:
    """Make room for a connection: closed ones first, then those that never carried data."""
    cdef StreamTable* t = me.table
    cdef Conn* c
    cdef int i
    for i in range(CONN_LISTS):
        c = t.head[i]
        if c != NULL:
            if i != DONE:
                t.counts.evicted_connections += 1
                note(t, &c.flows[c.client], EVENT_STREAM_EVICTED,
                     c.flows[0].waiting + c.flows[1].waiting + c.flows[0].part_size + c.flows[1].part_size)
            close_conn(me, c, STREAM_EVICTED)
            return


cdef bint more_slabs(StreamTable* t) noexcept nogil:
    cdef Slab* slab = <Slab*>malloc(sizeof(Slab))
    cdef int i
    if slab == NULL:
        t.failed = True
        return False
    slab.next = t.slabs
    t.slabs = slab
    for i in range(SLAB):
        slab.conns[i].chain = t.unused
        t.unused = &slab.conns[i]
    return True


cdef inline bint dns_port(uint16_t port) noexcept nogil:
    return port == 53 or port == 5353 or port == 5355


cdef Conn* open_conn(Streams me, uint64_t hash, const Segment* seg, uint8_t side) noexcept nogil:
    cdef StreamTable* t = me.table
    cdef Conn* c
    cdef int i
    cdef bint low_serves, high_serves
    if t.count >= t.most:
        evict(me)
    if t.unused == NULL and not more_slabs(t):
        return NULL
    c = t.unused
    t.unused = c.chain
    memset(c, 0, sizeof(Conn))
    if side:
        memcpy(c.low, seg.dst, 16)
        memcpy(c.high, seg.src, 16)
        c.low_port = seg.dst_port
        c.high_port = seg.src_port
    else:
        memcpy(c.low, seg.src, 16)
        memcpy(c.high, seg.dst, 16)
        c.low_port = seg.src_port
        c.high_port = seg.dst_port
    c.hash = hash
    c.time = seg.time
    c.handshake = -1
    c.first_frame = seg.number
    c.source = seg.source
    c.ip_version = seg.ip_version
    c.stream = t.numbered
    t.numbered += 1
    if t.numbered == NO_STREAM:
        t.numbered = 0
    for i in range(2):
        c.flows[i].conn = c
        c.flows[i].side = <uint8_t>i
    # Until a SYN or a message tells better.
    c.client = side
    low_serves = dns_port(c.low_port)
    high_serves = dns_port(c.high_port)
    if low_serves == high_serves:
        low_serves = c.low_port < 1024
        high_serves = c.high_port < 1024
    if low_serves != high_serves:
        c.client = 0 if high_serves else 1
        c.told = BY_PORT
    c.chain = t.buckets[hash & t.mask]
    t.buckets[hash & t.mask] = c
    t.count += 1
    conn_enlist(t, c)
    return c


cdef void turn(Streams me, const Conn* c, const Segment* seg, uint8_t kind) noexcept nogil:
    """Note that a connection was tried, opened or ended."""
    cdef uint32_t room
    cdef Turn* rows
    cdef const Flow* up = &c.flows[c.client]
    if me.turn_count == me.turn_room:
        room = 2 * me.turn_room if me.turn_room else FIRST_CLOSED
        rows = <Turn*>realloc(me.turns, <size_t>room * sizeof(Turn)) if room <= MOST_TURNS else NULL
        if rows == NULL:
            me.table.counts.lost_turns += 1
            return
        me.turns = rows
        me.turn_room = room
    rows = &me.turns[me.turn_count]
    me.turn_count += 1
    rows.time = seg.time
    rows.handshake = c.handshake
    rows.frame = seg.number
    memcpy(rows.client, flow_src(up), 16)
    memcpy(rows.server, flow_dst(up), 16)
    rows.client_port = c.high_port if c.client else c.low_port
    rows.server_port = c.low_port if c.client else c.high_port
    rows.stream = c.stream
    rows.source = seg.source
    rows.syns = c.syns
    rows.kind = kind


cdef void start_flow(Flow* f, uint32_t base, const Segment* seg) noexcept nogil:
    f.base = f.expected = f.reached = base
    f.state = FRAMED
    if seg != NULL:
        set_home(f, seg)


cdef bint carried(const Conn* c) noexcept nogil:
    return c.flows[0].octets + c.flows[1].octets != 0


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


cdef void pass_time(Streams me) noexcept nogil:
    """Whatever has waited long enough."""
    cdef StreamTable* t = me.table
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
        close_conn(me, t.head[DONE], STREAM_FIN)
    while t.head[TENTATIVE] != NULL and elapsed(t.now, t.head[TENTATIVE].touched) >= seconds(IDLE_SECONDS):
        close_conn(me, t.head[TENTATIVE], STREAM_IDLE)
    while t.head[PROVEN] != NULL and elapsed(t.now, t.head[PROVEN].touched) >= seconds(IDLE_SECONDS):
        close_conn(me, t.head[PROVEN], STREAM_IDLE)


cdef void take_segment(Streams me, const Segment* seg) noexcept nogil:
    cdef StreamTable* t = me.table
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
                close_conn(me, c, STREAM_IDLE)
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
                    close_conn(me, c, STREAM_IDLE)
                    c = NULL
                elif off > FAR or off < -FAR or (f.state == BLANK and other.state != BLANK
                                                 and not answers(other, seg)):
                    t.counts.strays += 1
                    return
    if c == NULL:
        if wire == 0 and not (kind == TCP_SYN or kind == TCP_SYN | TCP_ACK):
            t.counts.orphans += 1
            return
        c = open_conn(me, hash, seg, side)
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
            turn(me, c, seg, TURN_SYN)
    elif kind == TCP_SYN | TCP_ACK:
        take_syn_ack(t, c, f, other, seg)
        if c.handshake != handshake:
            turn(me, c, seg, TURN_HANDSHAKE)
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
            turn(me, c, seg, TURN_REFUSED if c.end == STREAM_REFUSED
                 else TURN_RESET if c.end == STREAM_RESET else TURN_FIN)
    if f.first != NULL or f.part_size or f.list != NO_LIST:
        flow_relist(t, f)
    if c.ending and other.list != NO_LIST:
        flow_relist(t, other)
    conn_unlist(t, c)
    conn_enlist(t, c)


cdef struct Numbered:
    uint32_t stream
    Conn* conn


cdef int by_number(const void* a, const void* b) noexcept nogil:
    cdef uint32_t x = (<const Numbered*>a).stream
    cdef uint32_t y = (<const Numbered*>b).stream
    return (x > y) - (x < y)


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
        cdef uint64_t buckets = 16
        cdef bytes seed = os.urandom(16)
        if not 0 < most_connections <= 1 << 24:
            raise ValueError(f"most_connections must be from 1 to 16777216, not {most_connections}")
        self.table = <StreamTable*>calloc(1, sizeof(StreamTable))
        if self.table == NULL:
            raise MemoryError
        while buckets < 2 * <uint64_t>most_connections:
            buckets *= 2
        self.table.buckets = <Conn**>calloc(buckets, sizeof(Conn*))
        if self.table.buckets == NULL:
            raise MemoryError
        memcpy(self.table.seed, <const char*>seed, 16)
        self.table.mask = buckets - 1
        self.table.most = most_connections
        self.table.most_held = most_held
        self.table.now = INT64_MIN

    def __dealloc__(self):
        cdef StreamTable* t = self.table
        cdef Slab* slab
        cdef Conn* c
        cdef int i, side
        if t != NULL:
            for i in range(CONN_LISTS):
                c = t.head[i]
                while c != NULL:
                    for side in range(2):
                        free(c.flows[side].part)
                        while c.flows[side].first != NULL:
                            piece_free(t, &c.flows[side], c.flows[side].first)
                    c = c.next
            while t.slabs != NULL:
                slab = t.slabs
                t.slabs = slab.next
                free(slab)
            free(t.buckets)
            free(t)
        free(self.closed)
        free(self.turns)

    cdef int segment(self, const Segment* seg, Outbox* box, EventLog* events) noexcept nogil:
        cdef StreamTable* t = self.table
        t.box = box
        t.events = events
        t.counts.segments += 1
        t.serial += 1
        if seg.time > t.now:
            t.now = seg.time
        if not t.failed:
            take_segment(self, seg)
        if not t.failed:
            pass_time(self)    # after the segment, which may be what was waited for
        return -1 if t.failed else 0

    cdef int finish(self, Outbox* box, EventLog* events) noexcept nogil:
        cdef StreamTable* t = self.table
        cdef Numbered* left
        cdef Conn* c
        cdef uint32_t n = 0
        cdef uint32_t i
        t.box = box
        t.events = events
        if t.count:
            left = <Numbered*>malloc(t.count * sizeof(Numbered))
            if left == NULL:
                return -1
            for i in range(CONN_LISTS):
                c = t.head[i]
                while c != NULL:
                    left[n].stream = c.stream
                    left[n].conn = c
                    n += 1
                    c = c.next
            qsort(left, n, sizeof(Numbered), by_number)
            for i in range(n):
                close_conn(self, left[i].conn, STREAM_OPEN)
            free(left)
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
            "orphans": n.orphans,
            "strays": n.strays,
            "duplicates": n.duplicates,
            "keepalives": n.keepalives,
            "unplaced": n.unplaced,
            "oversized": n.oversized,
            "gaps": n.gaps,
            "evicted_connections": n.evicted_connections,
            "evicted_octets": n.evicted_octets,
            "lost_turns": n.lost_turns,
        }

    def feed(self, segments, events=None):
        """Take segments in capture order and return the messages they complete.

        Parameters
        ----------
        segments : iterable of dict
            Each with `src`, `dst`, `src_port`, `dst_port`, `seq` and `flags` (see `TCP_FLAGS`); where not
            zero or empty also `payload`, `wire_size`, `ack`, `time` (ns), `number`, `source`, `interface`,
            `place`, `direction`, `ip_ttl`.
        events : list, optional
            Gaps and evictions are appended to it.

        Returns
        -------
        list of dict
        """
        cdef Outbox box
        cdef EventLog log
        cdef Segment seg
        cdef bytearray held = bytearray()
        cdef uint8_t[::1] view
        cdef bytes payload
        cdef list out = []
        cdef int status = 0
        if outbox_open(&box) != 0:
            raise MemoryError
        event_log_open(&log)
        try:
            for row in segments:
                payload = row.get("payload", b"")
                held = bytearray(payload + bytes(PADDING))
                view = held
                memset(&seg, 0, sizeof(Segment))
                seg.octets = &view[0]
                seg.size = <uint32_t>len(payload)
                seg.wire_size = row.get("wire_size", seg.size)
                seg.ip_version = read_address(row["src"], seg.src)
                read_address(row["dst"], seg.dst)
                seg.src_port = row["src_port"]
                seg.dst_port = row["dst_port"]
                seg.seq = row["seq"]
                seg.ack = row.get("ack", 0)
                seg.flags = row["flags"]
                seg.place = row.get("place", 0)
                seg.time = row.get("time", 0)
                seg.number = row.get("number", 0)
                seg.source = row.get("source", 0)
                seg.interface = row.get("interface", 0)
                seg.direction = row.get("direction", 0)
                seg.ip_ttl = row.get("ip_ttl", 64)
                with nogil:
                    status = self.segment(&seg, &box, &log)
                if status != 0:
                    raise MemoryError
                take_box(&box, out)
            take_log(&log, events)
        finally:
            outbox_close(&box)
            event_log_close(&log)
        return out

    def finish_all(self, events=None):
        """Close every connection and return the messages that were still held; see `feed`."""
        cdef Outbox box
        cdef EventLog log
        cdef list out = []
        cdef int status
        if outbox_open(&box) != 0:
            raise MemoryError
        event_log_open(&log)
        try:
            with nogil:
                status = self.finish(&box, &log)
            if status != 0:
                raise MemoryError
            take_box(&box, out)
            take_log(&log, events)
        finally:
            outbox_close(&box)
            event_log_close(&log)
        return out

    def connections(self):
        """The connections closed since the last call, as dicts with the names of the connections table."""
        cdef list out = []
        cdef Connection* c
        cdef uint32_t i
        for i in range(self.closed_count):
            c = &self.closed[i]
            out.append({
                "stream": c.stream,
                "client": write_address(c.client),
                "client_port": c.client_port,
                "server": write_address(c.server),
                "server_port": c.server_port,
                "time": c.time,
                "end_time": c.end_time,
                "handshake": None if c.handshake < 0 else c.handshake,
                "first_frame": c.first_frame,
                "last_frame": c.last_frame,
                "octets_to_server": c.octets_to_server,
                "octets_to_client": c.octets_to_client,
                "gap_octets": c.gap_octets,
                "source": c.source,
                "syns": c.syns,
                "retransmissions": c.retransmissions,
                "out_of_order": c.out_of_order,
                "queries": c.queries,
                "responses": c.responses,
                "end": STREAM_ENDS[c.end],
                "ip_version": c.ip_version,
            })
        self.closed_count = 0
        return out


TCP_FLAGS = {"FIN": TCP_FIN, "SYN": TCP_SYN, "RST": TCP_RST, "ACK": TCP_ACK}
STREAM_ENDS = ("open", "fin", "reset", "refused", "unanswered", "idle", "evicted")


cdef int read_address(str text, uint64_t* out) except -1:
    """Store an address as IPv6 or ::ffff:a.b.c.d; return its IP version."""
    cdef bytes packed
    if ":" in text:
        packed = socket.inet_pton(socket.AF_INET6, text)
        memcpy(out, <const char*>packed, 16)
        return 6
    packed = b"\0" * 10 + b"\xff\xff" + socket.inet_pton(socket.AF_INET, text)
    memcpy(out, <const char*>packed, 16)
    return 4


cdef str write_address(const uint64_t* address):
    cdef bytes packed = (<const char*>address)[:16]
    if packed.startswith(b"\0" * 10 + b"\xff\xff"):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed)


cdef int take_box(Outbox* box, list out) except -1:
    cdef Datagram* d
    cdef uint32_t i
    for i in range(box.count):
        d = &box.rows[i]
        out.append({
            "octets": (<const char*>d.octets)[:d.size],
            "wire_size": d.wire_size,
            "stream": d.stream,
            "number": d.number,
            "time": d.time,
            "frames": d.frames,
            "cut": d.wholeness == CUT_BY_CAPTURE,
            "src": write_address(d.src),
            "src_port": d.src_port,
            "dst": write_address(d.dst),
            "dst_port": d.dst_port,
            "source": d.source,
            "interface": d.interface,
            "direction": d.direction,
            "ip_ttl": d.ip_ttl,
            "ip_version": d.ip_version,
        })
    box.count = 0
    return 0


cdef int take_log(EventLog* log, object out) except -1:
    cdef Event* e
    cdef uint32_t i
    if out is not None:
        for i in range(log.count):
            e = &log.rows[i]
            out.append({
                "kind": "stream-gap" if e.kind == EVENT_STREAM_GAP else "stream-evicted",
                "stream": e.stream,
                "octets": e.octets,
                "time": e.time,
                "frame": e.frame,
                "src": write_address(e.quoted_src),
                "src_port": e.quoted_src_port,
                "dst": write_address(e.quoted_dst),
                "dst_port": e.quoted_dst_port,
            })
    return 0
