"""The table of TCP connections: open and close, and make room where a limit is met."""
from libc.stdint cimport INT64_MIN, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcpy, memset

from dnscap.native.datagrams cimport NO_STREAM
from dnscap.native.events cimport EVENT_STREAM_EVICTED
from dnscap.native.flows cimport (
    BY_PORT,
    CONN_LISTS,
    DONE,
    SLAB,
    Conn,
    Flow,
    Slab,
    StreamTable,
    elapsed,
    flow_dst,
    flow_src,
    seconds,
)
from dnscap.native.reassembly cimport flow_free, note, settle_flow
from dnscap.native.tcp cimport (
    STREAM_EVICTED,
    STREAM_FIN,
    STREAM_OPEN,
    STREAM_UNANSWERED,
    Connection,
    Segment,
    Turn,
)

cdef enum:
    FIRST_CLOSED = 256         # rows, and of turns, too
    MOST_TURNS = 1 << 20       # noted between two batches: a flood of SYNs alone fills no batch
    SYN_SECONDS = 1            # a SYN so young at the end of the capture may yet be answered (RFC 6298)


cdef StreamTable* table_open(uint32_t most_connections, uint64_t most_held,
                             const uint8_t* seed) noexcept nogil:
    cdef uint64_t buckets = 16
    cdef StreamTable* t = <StreamTable*>calloc(1, sizeof(StreamTable))
    if t == NULL:
        return NULL
    while buckets < 2 * <uint64_t>most_connections:
        buckets *= 2
    t.buckets = <Conn**>calloc(buckets, sizeof(Conn*))
    if t.buckets == NULL:
        free(t)
        return NULL
    memcpy(t.seed, seed, 16)
    t.mask = buckets - 1
    t.most = most_connections
    t.most_held = most_held
    t.now = INT64_MIN
    return t


cdef void table_close(StreamTable* t) noexcept nogil:
    cdef Slab* slab
    cdef Conn* c
    cdef int i
    if t == NULL:
        return
    for i in range(CONN_LISTS):
        c = t.head[i]
        while c != NULL:
            flow_free(t, &c.flows[0])
            flow_free(t, &c.flows[1])
            c = c.next
    while t.slabs != NULL:
        slab = t.slabs
        t.slabs = slab.next
        free(slab)
    free(t.buckets)
    free(t.closed)
    free(t.turns)
    free(t)


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


cdef Conn* open_conn(StreamTable* t, uint64_t hash, const Segment* seg, uint8_t side) noexcept nogil:
    cdef Conn* c
    cdef int i
    cdef bint low_serves, high_serves
    if t.count >= t.most:
        evict(t)
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


cdef void close_conn(StreamTable* t, Conn* c, uint8_t reason) noexcept nogil:
    """Settle both directions, make the connection a row of `closed`, forget it."""
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
    if t.closed_count == t.closed_room:
        room = 2 * t.closed_room if t.closed_room else FIRST_CLOSED
        rows = NULL
        if room > t.closed_room:
            rows = <Connection*>realloc(t.closed, <size_t>room * sizeof(Connection))
        if rows == NULL:
            t.failed = True
        else:
            t.closed = rows
            t.closed_room = room
    if t.closed_count < t.closed_room:
        row = &t.closed[t.closed_count]
        t.closed_count += 1
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


cdef void evict(StreamTable* t) noexcept nogil:
    """Make room for a connection: closed ones first, then those that never carried data."""
    cdef Conn* c
    cdef int i
    for i in range(CONN_LISTS):
        c = t.head[i]
        if c != NULL:
            if i != DONE:
                t.counts.evicted_connections += 1
                note(t, &c.flows[c.client], EVENT_STREAM_EVICTED,
                     c.flows[0].waiting + c.flows[1].waiting + c.flows[0].part_size + c.flows[1].part_size)
            close_conn(t, c, STREAM_EVICTED)
            return


cdef void turn(StreamTable* t, const Conn* c, const Segment* seg, uint8_t kind) noexcept nogil:
    """Note that a connection was tried, opened or ended."""
    cdef uint32_t room
    cdef Turn* rows
    cdef const Flow* up = &c.flows[c.client]
    if t.turn_count == t.turn_room:
        room = 2 * t.turn_room if t.turn_room else FIRST_CLOSED
        rows = <Turn*>realloc(t.turns, <size_t>room * sizeof(Turn)) if room <= MOST_TURNS else NULL
        if rows == NULL:
            t.counts.lost_turns += 1
            return
        t.turns = rows
        t.turn_room = room
    rows = &t.turns[t.turn_count]
    t.turn_count += 1
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


cdef struct Numbered:
    uint32_t stream
    Conn* conn


cdef int by_number(const void* a, const void* b) noexcept nogil:
    cdef uint32_t x = (<const Numbered*>a).stream
    cdef uint32_t y = (<const Numbered*>b).stream
    return (x > y) - (x < y)


cdef void close_all(StreamTable* t) noexcept nogil:
    cdef Numbered* left
    cdef Conn* c
    cdef uint32_t n = 0
    cdef uint32_t i
    if t.count:
        left = <Numbered*>malloc(t.count * sizeof(Numbered))
        if left == NULL:
            t.failed = True
            return
        for i in range(CONN_LISTS):
            c = t.head[i]
            while c != NULL:
                left[n].stream = c.stream
                left[n].conn = c
                n += 1
                c = c.next
        qsort(left, n, sizeof(Numbered), by_number)
        for i in range(n):
            close_conn(t, left[i].conn, STREAM_OPEN)
        free(left)
