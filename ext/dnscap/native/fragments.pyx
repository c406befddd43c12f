"""IP fragment reassembly, both versions, bounded.

A datagram waits as a list of pieces in order of offset, without overlaps.  What a receiver does decides what
is done with odd fragments:

- A fragment that repeats octets which are there already is tolerated; only what is new in it is kept.
- One that contradicts them makes the whole datagram void, later fragments included: RFC 5722 section 4 for
  IPv6, and what Linux does for IPv4 too since overlaps serve nobody but attackers.  The exception: where
  nothing but a first fragment is held and another, different first fragment comes, the identification was
  used again (a capture filtered by port holds first fragments alone), and the earlier one has expired.
- Fragments before the last must be multiples of eight octets: an IPv6 one that is not is ignored
  (RFC 8200 section 4.5), an IPv4 one is cut down to one.

Sightings of a fragment at different places of the network wait apart: each gives its own datagram.
"""
cimport cython
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy
from libc.time cimport time

from dnscap.native.datagrams cimport (
    CUT_BY_CAPTURE, FIRST_FRAGMENT, NO_STREAM, TRANSPORT_TCP, TRANSPORT_UDP, WHOLE,
    Datagram, Outbox, outbox_add, outbox_octets,
)
from dnscap.native.events cimport (
    EVENT_FRAGMENTS_EVICTED, EVENT_FRAGMENTS_EXPIRED, EVENT_FRAGMENTS_OVERLAP, Event, EventLog, event_log_add,
)
from dnscap.native.octets cimport be16

cdef enum:
    # that wait at a time: 10 s of 1,600 fragmented answers a second whose rest never comes
    MOST_DATAGRAMS = 1 << 14
    MOST_OCTETS = 1 << 26      # held by all of them, overhead included: 64 MiB
    # of one datagram: the largest one, 64 KiB, makes 119 at the IPv4 minimum of 576 octets
    MOST_PIECES = 256
    MOST_PAYLOAD = 65535       # of one datagram: lengths in IP have 16 bits
    BUCKETS = 1 << 14
    PROTOCOL_TCP = 6
    PROTOCOL_UDP = 17

cdef int64_t FRAGMENT_WAIT = 10_000_000_000

cdef struct Piece:
    Piece* next
    uint32_t offset
    uint32_t size              # octets on the wire
    uint32_t held              # octets captured of them; they follow the struct

cdef struct Waiting:           # one datagram
    uint64_t src[2]
    uint64_t dst[2]
    uint64_t place
    int64_t time               # of the frame that came first
    int64_t first_time         # of the frame with the first fragment
    uint64_t number
    uint64_t first_number
    Piece* first
    Piece* last
    Waiting* older             # in its queue
    Waiting* newer
    Waiting* chain             # in its bucket
    uint32_t bucket
    uint32_t source
    uint32_t interface
    uint32_t id
    uint32_t total             # octets of the whole; 0 until the last fragment came
    uint32_t covered           # octets of the whole that pieces cover
    uint32_t seen              # octets of all fragments that came, where pieces are not kept
    uint32_t octets            # captured octets held
    uint32_t pieces
    uint32_t frames
    uint8_t protocol
    uint8_t ip_version
    uint8_t ip_ttl
    uint8_t direction
    uint8_t interest
    uint8_t idle               # nothing is kept: not of interest, or void

cdef struct Queue:             # by age
    Waiting* oldest
    Waiting* newest

cdef struct FragmentTable:
    Waiting* buckets[BUCKETS]
    Queue held
    Queue idle
    uint64_t seed              # so that nobody can choose addresses that share a bucket
    uint64_t octets
    uint32_t count
    uint64_t completed
    uint64_t expired
    uint64_t evicted
    uint64_t overlapping
    uint64_t malformed


cdef inline uint64_t stir(uint64_t hash, uint64_t word) noexcept nogil:
    hash = (hash ^ word) * <uint64_t>0x9E3779B97F4A7C15
    return hash ^ (hash >> 32)


cdef uint32_t bucket_of(const FragmentTable* t, const Fragment* f) noexcept nogil:
    cdef uint64_t hash = stir(t.seed, f.src[0])
    hash = stir(hash, f.src[1])
    hash = stir(hash, f.dst[0])
    hash = stir(hash, f.dst[1])
    hash = stir(hash, f.place)
    hash = stir(hash, <uint64_t>f.id << 32 | f.interface)
    return <uint32_t>(hash >> 20) & (BUCKETS - 1)


cdef inline bint belongs(const Waiting* w, const Fragment* f) noexcept nogil:
    return (
        w.id == f.id and w.src[1] == f.src[1] and w.dst[1] == f.dst[1] and w.src[0] == f.src[0]
        and w.dst[0] == f.dst[0] and w.place == f.place and w.interface == f.interface
        and w.source == f.source
        and w.ip_version == f.ip_version and w.direction == f.direction
        # RFC 791: the protocol tells IPv4 datagrams apart; RFC 8200 leaves it out for IPv6
        and (f.ip_version != 4 or w.protocol == f.protocol)
    )


cdef void enqueue(Queue* q, Waiting* w) noexcept nogil:
    w.older = q.newest
    w.newer = NULL
    if q.newest != NULL:
        q.newest.newer = w
    else:
        q.oldest = w
    q.newest = w


cdef void dequeue(Queue* q, Waiting* w) noexcept nogil:
    if w.older != NULL:
        w.older.newer = w.newer
    else:
        q.oldest = w.newer
    if w.newer != NULL:
        w.newer.older = w.older
    else:
        q.newest = w.older


cdef void drop_pieces(FragmentTable* t, Waiting* w) noexcept nogil:
    cdef Piece* piece
    while w.first != NULL:
        piece = w.first
        w.first = piece.next
        t.octets -= sizeof(Piece) + piece.held
        free(piece)
    w.last = NULL
    w.pieces = 0


cdef void remove(FragmentTable* t, Waiting* w) noexcept nogil:
    cdef Waiting** link = &t.buckets[w.bucket]
    while link[0] != w:
        link = &link[0].chain
    link[0] = w.chain
    dequeue(&t.idle if w.idle else &t.held, w)
    drop_pieces(t, w)
    free(w)
    t.count -= 1


cdef void make_idle(FragmentTable* t, Waiting* w) noexcept nogil:
    """Keep nothing of it, but know its later fragments until it expires."""
    drop_pieces(t, w)
    dequeue(&t.held, w)
    w.idle = 1
    enqueue(&t.idle, w)


cdef void note(const Waiting* w, int kind, EventLog* events) noexcept nogil:
    cdef Event* e = event_log_add(events)
    cdef const uint8_t* ports
    if e == NULL:
        return
    e.kind = <uint8_t>kind
    e.time = w.first_time
    e.frame = w.first_number
    e.source = w.source
    e.octets = w.octets
    e.transport = TRANSPORT_TCP if w.protocol == PROTOCOL_TCP else TRANSPORT_UDP
    memcpy(e.src, w.src, 16)
    memcpy(e.dst, w.dst, 16)
    memcpy(e.quoted_src, w.src, 16)
    memcpy(e.quoted_dst, w.dst, 16)
    if w.first != NULL and w.first.offset == 0 and w.first.held >= 4:
        if w.protocol == PROTOCOL_UDP or w.protocol == PROTOCOL_TCP:
            ports = <const uint8_t*>(w.first + 1)
            e.quoted_src_port = be16(ports)
            e.quoted_dst_port = be16(ports + 2)


cdef uint32_t assemble(const Waiting* w, uint8_t* out, uint32_t* frames, bint* cut) noexcept nogil:
    """Copy the captured octets up to the first that is missing; `cut` where a snap length took it."""
    cdef const Piece* piece = w.first
    cdef uint32_t size = 0
    frames[0] = 0
    cut[0] = False
    while piece != NULL and piece.offset == size:
        memcpy(out + size, piece + 1, piece.held)
        size += piece.held
        frames[0] += 1
        if piece.held < piece.size:
            cut[0] = True
            break
        piece = piece.next
    return size


cdef int give_beginning(const Waiting* w, Outbox* box) noexcept nogil:
    """Hand on what came of a DNS message whose rest did not."""
    cdef Datagram* d
    cdef uint8_t* octets
    cdef uint32_t size, frames
    cdef bint cut
    if w.interest != INTEREST_DNS or w.first == NULL or w.first.offset != 0 or w.first.held <= 8:
        return 0
    octets = outbox_octets(box, w.octets)
    if octets == NULL:
        return -1
    size = assemble(w, octets, &frames, &cut) - 8
    d = outbox_add(box)
    if d == NULL:
        return -1
    d.octets = octets + 8
    memcpy(d.src, w.src, 16)
    memcpy(d.dst, w.dst, 16)
    d.place = w.place
    d.wire_size = be16(octets + 4)
    d.wire_size = d.wire_size - 8 if d.wire_size > 8 else size
    d.size = size if size < d.wire_size else d.wire_size
    d.wholeness = WHOLE if size >= d.wire_size else (CUT_BY_CAPTURE if cut else FIRST_FRAGMENT)
    d.time = w.first_time
    d.number = w.first_number
    d.source = w.source
    d.interface = w.interface
    d.frames = frames
    d.stream = NO_STREAM
    d.src_port = be16(octets)
    d.dst_port = be16(octets + 2)
    d.transport = TRANSPORT_UDP
    d.ip_ttl = w.ip_ttl
    d.ip_version = w.ip_version
    d.direction = w.direction
    return 0


cdef int give_up(FragmentTable* t, Waiting* w, int kind, Outbox* box, EventLog* events) noexcept nogil:
    cdef int result = 0
    if not w.idle:
        if kind == EVENT_FRAGMENTS_EXPIRED:
            t.expired += 1
        else:
            t.evicted += 1
        note(w, kind, events)
        result = give_beginning(w, box)
    remove(t, w)
    return result


cdef int make_room(FragmentTable* t, const Waiting* keep, Outbox* box, EventLog* events) noexcept nogil:
    """Give up the oldest until the limits hold: first what keeps nothing, which costs nothing to forget."""
    cdef Waiting* w
    while t.count > MOST_DATAGRAMS or t.octets > MOST_OCTETS:
        w = t.idle.oldest if t.count > MOST_DATAGRAMS else NULL
        if w == NULL:
            w = t.held.oldest
        if w == keep and w != NULL:
            w = w.newer
        if w == NULL:
            return 0
        if give_up(t, w, EVENT_FRAGMENTS_EVICTED, box, events) != 0:
            return -1
    return 0


cdef Waiting* begin(FragmentTable* t, const Fragment* f, uint32_t bucket) noexcept nogil:
    cdef Waiting* w = <Waiting*>calloc(1, sizeof(Waiting))
    if w == NULL:
        return NULL
    memcpy(w.src, f.src, 16)
    memcpy(w.dst, f.dst, 16)
    w.place = f.place
    w.time = w.first_time = f.time
    w.number = w.first_number = f.number
    w.bucket = bucket
    w.source = f.source
    w.interface = f.interface
    w.id = f.id
    w.protocol = f.protocol
    w.ip_version = f.ip_version
    w.ip_ttl = f.ip_ttl
    w.direction = f.direction
    w.chain = t.buckets[bucket]
    t.buckets[bucket] = w
    enqueue(&t.held, w)
    t.count += 1
    return w


cdef Piece* place_piece(FragmentTable* t, Waiting* w, Piece* after, const Fragment* f,
                        uint32_t at, uint32_t stop) noexcept nogil:
    """Keep the octets `at` to `stop` of the datagram out of this fragment, behind the piece `after`."""
    cdef uint32_t skip = at - f.offset
    cdef uint32_t held = f.size - skip if f.size > skip else 0
    cdef Piece* piece
    if held > stop - at:
        held = stop - at
    piece = <Piece*>malloc(sizeof(Piece) + held)
    if piece == NULL:
        return NULL
    piece.offset = at
    piece.size = stop - at
    piece.held = held
    if held:
        memcpy(piece + 1, f.octets + skip, held)
    if after == NULL:
        piece.next = w.first
        w.first = piece
    else:
        piece.next = after.next
        after.next = piece
    if piece.next == NULL:
        w.last = piece
    w.pieces += 1
    w.covered += piece.size
    w.octets += held
    t.octets += sizeof(Piece) + held
    return piece


cdef bint contradicts(const Piece* piece, const Fragment* f, uint32_t at, uint32_t stop) noexcept nogil:
    """Whether the two differ in octets `at` to `stop` of the datagram, as far as both were captured."""
    if stop > piece.offset + piece.held:
        stop = piece.offset + piece.held
    if stop > f.offset + f.size:
        stop = f.offset + f.size
    if stop <= at:
        return False
    return memcmp(
        <const uint8_t*>(piece + 1) + (at - piece.offset), f.octets + (at - f.offset), stop - at,
    ) != 0


cdef int insert(FragmentTable* t, Waiting* w, const Fragment* f) noexcept nogil:
    """Add what is new in a fragment.  0; 1: it contradicts what is there; -1: no memory."""
    cdef uint32_t at = f.offset, stop = f.offset + f.wire_size, upto
    cdef Piece* before = NULL
    cdef Piece* piece = w.first
    cdef bint fresh = False
    if w.last != NULL and at >= w.last.offset + w.last.size:            # in order, as nearly always
        before = w.last
        piece = NULL
    while at < stop:
        while piece != NULL and piece.offset + piece.size <= at:
            before = piece
            piece = piece.next
        if piece != NULL and piece.offset <= at:
            upto = piece.offset + piece.size
            if upto > stop:
                upto = stop
            if contradicts(piece, f, at, upto):
                return 1
        else:
            upto = stop if piece == NULL or piece.offset > stop else piece.offset
            before = place_piece(t, w, before, f, at, upto)
            if before == NULL:
                return -1
            fresh = True
        at = upto
    if fresh:
        w.frames += 1
    return 0


cdef int64_t due_of(const FragmentTable* t) noexcept nogil:
    cdef int64_t oldest = INT64_MAX
    if t.held.oldest != NULL:
        oldest = t.held.oldest.time
    if t.idle.oldest != NULL and t.idle.oldest.time < oldest:
        oldest = t.idle.oldest.time
    return oldest + FRAGMENT_WAIT if oldest < INT64_MAX - FRAGMENT_WAIT else INT64_MAX


@cython.final
cdef class Fragments:
    """IP datagrams of which fragments have come, and not all of them."""

    def __cinit__(self):
        self.table = <FragmentTable*>calloc(1, sizeof(FragmentTable))
        if self.table == NULL:
            raise MemoryError
        self.table.seed = stir(<uint64_t>time(NULL), <uint64_t><size_t>self.table)
        self.due = INT64_MAX

    def __dealloc__(self):
        if self.table == NULL:
            return
        while self.table.held.oldest != NULL:
            remove(self.table, self.table.held.oldest)
        while self.table.idle.oldest != NULL:
            remove(self.table, self.table.idle.oldest)
        free(self.table)

    cdef int expire(self, int64_t now, Outbox* box, EventLog* events) noexcept nogil:
        cdef FragmentTable* t = self.table
        cdef int64_t limit
        cdef int result = 0
        if now < -INT64_MAX + FRAGMENT_WAIT:
            return 0
        limit = now - FRAGMENT_WAIT
        while result == 0 and t.held.oldest != NULL and t.held.oldest.time < limit:
            result = give_up(t, t.held.oldest, EVENT_FRAGMENTS_EXPIRED, box, events)
        while t.idle.oldest != NULL and t.idle.oldest.time < limit:
            remove(t, t.idle.oldest)
        self.due = due_of(t)
        return result

    cdef int finish(self, Outbox* box, EventLog* events) noexcept nogil:
        cdef FragmentTable* t = self.table
        cdef int result = 0
        while result == 0 and t.held.oldest != NULL:
            result = give_up(t, t.held.oldest, EVENT_FRAGMENTS_EXPIRED, box, events)
        while t.idle.oldest != NULL:
            remove(t, t.idle.oldest)
        self.due = due_of(t)
        return result

    cdef int add(self, const Fragment* fragment, Reassembled* out,
                 Outbox* box, EventLog* events) noexcept nogil:
        cdef int result = add_fragment(self.table, fragment, out, box, events)
        self.due = due_of(self.table)
        return result

    def counts(self):
        """What became of fragmented datagrams, and how many wait.

        Returns
        -------
        dict of str to int
        """
        cdef FragmentTable* t = self.table
        return {
            "fragments_completed": t.completed,
            "fragments_expired": t.expired,
            "fragments_evicted": t.evicted,
            "fragments_overlapping": t.overlapping,
            "fragments_malformed": t.malformed,
            "fragments_waiting": t.count,
            "fragments_octets": t.octets,
        }


cdef int add_fragment(FragmentTable* t, const Fragment* fragment, Reassembled* out,
                      Outbox* box, EventLog* events) noexcept nogil:
    cdef Fragment f = fragment[0]
    cdef uint32_t bucket, end
    cdef Waiting* w
    cdef uint8_t* octets
    cdef int result
    cdef bint cut
    out.octets = NULL
    if f.more and f.wire_size & 7:
        if f.ip_version == 6:
            t.malformed += 1
            return 0
        f.wire_size &= ~<uint32_t>7
    if f.wire_size == 0 or f.offset > MOST_PAYLOAD or f.wire_size > MOST_PAYLOAD - f.offset:
        t.malformed += 1
        return 0
    if f.size > f.wire_size:
        f.size = f.wire_size
    end = f.offset + f.wire_size
    bucket = bucket_of(t, &f)
    w = t.buckets[bucket]
    while w != NULL and not belongs(w, &f):
        w = w.chain
    if w != NULL and f.offset == 0 and not w.idle and w.pieces == 1 and w.first.offset == 0:
        if w.total == 0 and contradicts(w.first, &f, 0, w.first.size):
            # identification used again
            if give_up(t, w, EVENT_FRAGMENTS_EXPIRED, box, events) != 0:
                return -1
            w = NULL
    if w == NULL:
        w = begin(t, &f, bucket)
        if w == NULL:
            return -1
    if f.offset == 0 and not w.idle and (w.first == NULL or w.first.offset != 0):
        w.interest = f.interest
        w.protocol = f.protocol
        w.ip_ttl = f.ip_ttl
        w.first_time = f.time
        w.first_number = f.number
        if f.interest == INTEREST_NONE:
            w.seen = w.covered
            make_idle(t, w)
    if w.idle:
        # counted only, to forget it when all of it has gone by
        if not f.more:
            w.total = end
        w.seen += f.wire_size
        if w.total and w.seen >= w.total and w.interest == INTEREST_NONE:
            remove(t, w)
            return 0
        return make_room(t, w, box, events)
    # the end of the datagram may be said once, and nothing may lie behind it
    if (not f.more and w.total and w.total != end) or (w.total and end > w.total) or (
            not f.more and w.last != NULL and w.last.offset + w.last.size > end):
        result = 1
    else:
        if not f.more:
            w.total = end
        result = insert(t, w, &f)
    if result < 0:
        return -1
    if result == 1:
        t.overlapping += 1
        note(w, EVENT_FRAGMENTS_OVERLAP, events)
        w.interest = INTEREST_UNKNOWN
        make_idle(t, w)
        return make_room(t, w, box, events)
    if w.total and w.covered == w.total:
        octets = outbox_octets(box, w.octets)
        if octets == NULL:
            return -1
        out.octets = octets
        out.size = assemble(w, octets, &out.frames, &cut)
        out.frames = w.frames
        out.wire_size = w.total
        out.protocol = w.protocol
        t.completed += 1
        remove(t, w)
        return 1
    if w.pieces > MOST_PIECES:
        t.evicted += 1
        note(w, EVENT_FRAGMENTS_EVICTED, events)
        if give_beginning(w, box) != 0:
            return -1
        w.interest = INTEREST_UNKNOWN
        make_idle(t, w)
    return make_room(t, w, box, events)
