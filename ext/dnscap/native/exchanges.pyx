"""Matching of responses to queries; see exchanges.pxd.

Rows of the ring are found over two kinds of chains, newest row first: rows of one *key* (client and server address and
port, or connection; id; folded question), and rows of the same *ends* (the key without its question; on TCP the
connection alone), for responses that repeat no question or the wrong one, ICMP errors and RST.  A key stands in its
chain once, with its newest row.  Links are the low 32 bits of row numbers and always lead to older rows, so a row that
leaves the ring need not be unlinked: a link to what is no longer there ends the chain.

Transmissions of one key form a *group*, which only exists from the second transmission on.  Its responses pair with its
transmissions in order.  Once every transmission is answered the pairing is certain; if one remains without, the pairing
of those answered after it had been sent is not, and is marked so when the wait is over.

All decisions rest on capture time, never on where a batch of messages ends.
"""
cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memmove, memset

import os

from dnscap.native.datagrams cimport NO_STREAM, TRANSPORT_TCP, TRANSPORT_UDP
from dnscap.native.decoder cimport Batch
from dnscap.native.domain cimport (
    STATUS_FIRST_FRAGMENT,
    STATUS_OK,
    STATUS_TRAILING_OCTETS,
    STATUS_TRUNCATED_CAPTURE,
)
from dnscap.native.events cimport EVENT_ICMP_ERROR, Event
from dnscap.native.interning cimport (
    ENTRY_ALIGN,
    NO_CODE,
    AddressTable,
    Dictionary,
    Entry,
    NameTable,
    big_alloc,
    big_grow,
    entry_octets,
    find_address,
    address_tag,
    fold_hash,
    intern_name,
    likely,
    mix128,
    prefetch,
    unlikely,
)
from dnscap.native.messages cimport (
    HAS_CAPITALS,
    HAS_EDNS,
    HAS_HEADER,
    HAS_NAME,
    HAS_TYPE,
    MessageColumns,
    RecordColumns,
)
from dnscap.native.octets cimport be16
from dnscap.native.tcp cimport (
    TURN_FIN,
    TURN_HANDSHAKE,
    TURN_REFUSED,
    TURN_SYN,
    Turn,
)

cdef extern from *:
    """
    /* Nanoseconds of capture time. */
    #define DNSCAP_OPEN_WAIT INT64_C(30000000000)   /* the longest a stub waits for one answer (glibc's limit for timeout:) */
    #define DNSCAP_LINGER INT64_C(6000000000)       /* an answered query is remembered so long for further responses, and
                                                       for one more transmission: a stub that missed the answer asks
                                                       again after 5 s */
    #define DNSCAP_EARLY INT64_C(1000000)           /* queues of a network card may put an answer so far before its query */
    #define DNSCAP_STUB_WAIT INT64_C(5000000000)    /* most stubs wait so long: younger queries at the end are unfinished */
    #define DNSCAP_ICMP_WAIT INT64_C(1000000000)    /* a further response is kept so long for the ICMP error it may meet */
    """
    const int64_t OPEN_WAIT "DNSCAP_OPEN_WAIT"
    const int64_t LINGER "DNSCAP_LINGER"
    const int64_t EARLY "DNSCAP_EARLY"
    const int64_t STUB_WAIT "DNSCAP_STUB_WAIT"
    const int64_t ICMP_WAIT "DNSCAP_ICMP_WAIT"

cdef enum:
    STRIDE = 64
    FIRST_ROOM = 1 << 12
    MORE_ROOM = 4              # times as many rows when the ring grows: memory is only touched as it fills
    BUCKETS = 4                # of keys, a row: the walk to the end of a chain that a new query makes is over at once
    ENDS_BUCKETS = 1 << 17     # so few that they stay in the cache: chains by ends are seldom walked
    MOST_ROWS = 1 << 20        # rows in the ring, about 240 MiB; beyond that the oldest is given up
    MOST_STEPS = 1 << 12       # rows of other ends passed in one chain
    MOST_WALK = 64             # rows of the same ends looked at for a response without a question
    MOST_NOTES = 1 << 16       # turns of connections and ICMP errors that wait for the clock
    MOST_RENEWED = 1 << 18     # names, or addresses, that live rows may bring into a new dictionary
    RENEWED_OCTETS = 48 << 20  # and octets of names
    STREAMS = 1 << 16          # connections whose handshake time is remembered: as many as reassembly holds
    MOST_OUT = 1 << 28         # rows that left and were not taken
    NO_GROUP = 0xFFFFFFFF

    PORT_MDNS = 5353
    PORT_LLMNR = 5355
    TYPE_NS = 2
    TYPE_IXFR = 251
    TYPE_AXFR = 252
    OPTION_COOKIE = 10
    SECTION_AUTHORITY = 1

    FLAG_QR = 0x8000
    FLAG_AA = 0x0400
    FLAG_TC = 0x0200
    FLAG_RD = 0x0100
    FLAG_RA = 0x0080
    FLAG_AD = 0x0020
    FLAG_CD = 0x0010

    ICMP_TOO_BIG_4 = 3 << 8 | 4
    ICMP_TOO_BIG_6 = 2 << 8
    ICMP_EXCEEDED_4 = 11 << 8 | 1      # fragment reassembly time
    ICMP_EXCEEDED_6 = 3 << 8 | 1

    IN_KEY = 1                 # Side.linked
    IN_ENDS = 2

cdef enum MessageKind:
    SKIPPED = 0
    QUERY = 1
    RESPONSE = 2

cdef enum NoteKind:
    NOTE_TURN = 0
    NOTE_ICMP = 1

cdef struct Side:              # what only the matcher needs to know of a row; links to itself lead nowhere
    uint64_t key
    uint64_t ends
    int64_t release            # clock from which it may leave, once it is final
    uint32_t next_key          # of its bucket
    uint32_t next_ends
    uint32_t group
    uint32_t later             # next transmission of its group
    uint32_t extra             # last further response to it, which has a row of its own
    uint8_t linked
    uint8_t would_be           # outcome of a response whose query may still come
    uint8_t transfer           # zone transfer: many responses are one answer

cdef struct Group:
    int64_t last_response      # of the segment
    uint32_t newest            # rows by the low 32 bits of their numbers
    uint32_t pending           # oldest open one, where `open` is not 0
    uint32_t open
    uint32_t segment           # first transmission since all were answered
    uint32_t answered          # transmissions of the segment with a response
    uint32_t last_answered
    uint32_t first
    uint32_t transmissions
    uint32_t next_unused

cdef struct Note:              # of a connection or an ICMP error, until the clock has come to it
    int64_t time
    uint64_t frame
    Turn turn                  # of an ICMP error: the quoted end points, `syns` the id
    uint16_t code
    uint8_t kind               # a NoteKind
    uint8_t transport
    uint8_t from_client        # ICMP: the quoted packet is a response

cdef struct Rtt:
    int64_t handshake
    uint32_t stream

cdef struct ExchangeTable:
    Exchange* rows             # ring: number & mask
    Side* sides
    uint32_t* key_heads
    uint32_t[ENDS_BUCKETS] ends_heads
    uint64_t mask
    uint64_t bucket_mask
    uint64_t head              # oldest row in the ring
    uint64_t base              # oldest row that the chains may reach
    uint64_t tail              # number of the next row
    uint64_t cursor            # rows before it are not open
    int64_t cursor_time        # clock at which the row there must be looked at
    int64_t now
    Group* groups
    uint32_t group_count
    uint32_t group_room
    uint32_t unused_group
    Note* notes
    uint32_t note_at
    uint32_t note_count
    uint32_t note_room
    uint32_t* name_codes       # code in the batch's dictionary -> code in ours
    uint32_t* name_refs        # and where its entry is
    uint32_t names_known
    uint32_t names_room
    size_t arena_at
    uint32_t* address_codes
    uint32_t addresses_known
    uint32_t addresses_room
    ExchangeColumns out
    uint64_t[4] seed
    Rtt[STREAMS] rtts
    uint64_t most_rows
    uint32_t most_names
    uint64_t evicted           # open queries given up because of a limit
    uint64_t renewed           # dictionaries begun
    uint64_t multicast         # mDNS and LLMNR messages passed over
    uint64_t sightings         # passed over
    bint failed                # memory ran out

cdef struct Stride:            # what is worked out ahead for a few messages
    uint64_t[STRIDE] key
    uint64_t[STRIDE] ends
    uint32_t[STRIDE] client
    uint32_t[STRIDE] server
    uint32_t[STRIDE] qname
    uint8_t[STRIDE] kind

# Columns of one width, in the order of ExchangeColumns.
cdef enum:
    COLUMNS_8 = 8
    COLUMNS_4 = 9
    COLUMNS_2 = 7
    COLUMNS_1 = 3


cdef inline uint64_t elapsed(int64_t later, int64_t earlier) noexcept nogil:
    """Nanoseconds from one time to another, 0 where they are the other way round; times may be any number."""
    return <uint64_t>later - <uint64_t>earlier if later > earlier else 0


cdef inline int64_t span(int64_t later, int64_t earlier) noexcept nogil:
    cdef uint64_t n = elapsed(later, earlier)
    return <int64_t>n if n < <uint64_t>INT64_MAX else INT64_MAX


cdef inline int64_t plus(int64_t time, int64_t wait) noexcept nogil:
    return time + wait if time < INT64_MAX - wait else INT64_MAX


# ---------------------------------------------------------------- rows and chains

cdef inline bint alive(const ExchangeTable* t, uint32_t link) noexcept nogil:
    return <uint32_t>(link - <uint32_t>t.base) < <uint32_t>(t.tail - t.base)


cdef inline bint leads_on(const ExchangeTable* t, uint32_t here, uint32_t link) noexcept nogil:
    """Whether a link leads to an older row that is still there."""
    return <uint32_t>(link - <uint32_t>t.base) < <uint32_t>(here - <uint32_t>t.base)


cdef inline Exchange* row_at(const ExchangeTable* t, uint32_t link) noexcept nogil:
    return &t.rows[link & t.mask]


cdef inline Side* side_at(const ExchangeTable* t, uint32_t link) noexcept nogil:
    return &t.sides[link & t.mask]


cdef inline void hash_row(const ExchangeTable* t, uint32_t client, uint32_t server, uint16_t client_port, uint16_t server_port,
                          uint16_t id, uint8_t transport, uint32_t stream, uint32_t qname, uint16_t qtype, uint16_t qclass,
                          uint64_t* key, uint64_t* ends) noexcept nogil:
    cdef uint64_t whom = <uint64_t>client << 32 | server
    cdef uint64_t what = <uint64_t>qname << 32 | <uint32_t>qtype << 16 | qclass
    cdef uint64_t h
    if transport == TRANSPORT_TCP:
        ends[0] = mix128(<uint64_t>stream << 8 ^ t.seed[2], t.seed[0])
        h = ends[0] ^ id
    else:
        ends[0] = mix128(whom ^ t.seed[0], (<uint64_t>client_port << 32 | <uint32_t>server_port << 16 | id) ^ t.seed[1])
        h = ends[0]
    h = mix128(h ^ t.seed[2], what ^ t.seed[3])
    key[0] = h ^ h >> 32


cdef inline uint32_t find_key(const ExchangeTable* t, uint64_t key, uint32_t* found) noexcept nogil:
    """Newest row of a key: 1 and its number, or 0."""
    cdef uint32_t at = t.key_heads[key & t.bucket_mask], next
    if not alive(t, at):
        return 0
    while True:
        if t.sides[at & t.mask].key == key:
            found[0] = at
            return 1
        next = t.sides[at & t.mask].next_key
        if not leads_on(t, at, next):
            return 0
        at = next


cdef inline uint32_t find_ends(const ExchangeTable* t, uint64_t ends, uint32_t* found) noexcept nogil:
    """Newest row of the ends: 1 and its number, or 0."""
    cdef uint32_t at = t.ends_heads[ends & (ENDS_BUCKETS - 1)]
    found[0] = at
    if not alive(t, at):
        return 0
    return t.sides[at & t.mask].ends == ends or older_ends(t, ends, found)


cdef uint32_t older_ends(const ExchangeTable* t, uint64_t ends, uint32_t* found) noexcept nogil:
    """The row before `found` of the same ends.  Rows of other ends in between are passed, though not without limit."""
    cdef uint32_t at = found[0], next, _k
    for _k in range(MOST_STEPS):
        next = t.sides[at & t.mask].next_ends
        if not leads_on(t, at, next):
            return 0
        at = next
        if t.sides[at & t.mask].ends == ends:
            found[0] = at
            return 1
    return 0


cdef void link_key(ExchangeTable* t, uint32_t n) noexcept nogil:
    """Put a row first in the chain of its key's bucket, in the place of an older row of the same key."""
    cdef Side* s = side_at(t, n)
    cdef uint32_t* head = &t.key_heads[s.key & t.bucket_mask]
    cdef uint32_t at = head[0], before = n, next
    s.linked |= IN_KEY
    s.next_key = at
    if alive(t, at) and at != n:
        while True:
            next = side_at(t, at).next_key
            if side_at(t, at).key == s.key:
                if not leads_on(t, at, next):
                    next = before      # leads nowhere: not older
                side_at(t, before).next_key = next
                break
            if not leads_on(t, at, next):
                break
            before = at
            at = next
    else:
        s.next_key = n
    head[0] = n


cdef inline void link_new_key(ExchangeTable* t, uint32_t n) noexcept nogil:
    """The same for a key of which there is no row."""
    cdef Side* s = side_at(t, n)
    cdef uint32_t* head = &t.key_heads[s.key & t.bucket_mask]
    s.linked |= IN_KEY
    s.next_key = head[0]
    head[0] = n


cdef inline void link_ends(ExchangeTable* t, uint32_t n) noexcept nogil:
    cdef Side* s = side_at(t, n)
    cdef uint32_t* head = &t.ends_heads[s.ends & (ENDS_BUCKETS - 1)]
    s.linked |= IN_ENDS
    s.next_ends = head[0]
    head[0] = n


cdef void relink(ExchangeTable* t) noexcept nogil:
    """Build the chains anew from the rows."""
    cdef uint64_t n
    cdef uint8_t linked
    memset(t.key_heads, 0xFF, (t.bucket_mask + 1) * sizeof(uint32_t))
    memset(t.ends_heads, 0xFF, ENDS_BUCKETS * sizeof(uint32_t))
    for n in range(t.base, t.tail):
        linked = t.sides[n & t.mask].linked
        if linked & IN_KEY:
            link_key(t, <uint32_t>n)
        if linked & IN_ENDS:
            link_ends(t, <uint32_t>n)


cdef int open_ring(ExchangeTable* t, uint64_t room) noexcept nogil:
    """A ring of `room` rows, with the rows of the present one."""
    cdef Exchange* rows = <Exchange*>big_alloc(room * sizeof(Exchange))
    cdef Side* sides = <Side*>big_alloc(room * sizeof(Side))
    cdef uint32_t* key_heads = <uint32_t*>big_alloc(room * BUCKETS * sizeof(uint32_t))
    cdef uint64_t n
    if rows == NULL or sides == NULL or key_heads == NULL:
        free(rows)
        free(sides)
        free(key_heads)
        return -1
    for n in range(t.head, t.tail):
        rows[n & (room - 1)] = t.rows[n & t.mask]
        sides[n & (room - 1)] = t.sides[n & t.mask]
    free(t.rows)
    free(t.sides)
    free(t.key_heads)
    t.rows = rows
    t.sides = sides
    t.key_heads = key_heads
    t.mask = room - 1
    t.bucket_mask = room * BUCKETS - 1
    relink(t)
    return 0


cdef int happened(Exchanges self, int64_t time, uint64_t exchange, uint32_t row, uint8_t kind) noexcept nogil:
    cdef Happening* h
    cdef const Exchange* x
    cdef uint32_t room
    if self.happening_count == self.happening_room:
        room = self.happening_room * 2 if self.happening_room else 1 << 12
        h = <Happening*>realloc(self.happenings, <size_t>room * sizeof(Happening)) if room else NULL
        if h == NULL:
            self.table.failed = True
            return -1
        self.happenings = h
        self.happening_room = room
    h = &self.happenings[self.happening_count]
    self.happening_count += 1
    h.time = time
    h.exchange = exchange
    h.row = row
    h.first = 0
    h.rcode = h.answers = 0
    h.kind = kind
    h.outcome = OUTCOME_OPEN
    if kind <= HAPPENED_EXTRA:
        x = row_at(self.table, <uint32_t>exchange)
        h.first = x.first
        h.rcode = x.rcode
        h.answers = x.answers
        h.outcome = x.outcome
    return 0


# ---------------------------------------------------------------- rows leave

cdef int grow_out(ExchangeColumns* c, uint64_t rows) noexcept nogil:
    """Make room for so many more rows."""
    cdef uint64_t room = c.room * 2 if c.room else 1 << 12
    cdef void** columns = <void**>c
    cdef uint32_t k
    cdef size_t width
    cdef void* wider
    while room < c.count + rows:
        room *= 2
    if room > MOST_OUT:
        return -1
    for k in range(COLUMNS_8 + COLUMNS_4 + COLUMNS_2 + COLUMNS_1):
        width = 1
        if k < COLUMNS_8:
            width = 8
        elif k < COLUMNS_8 + COLUMNS_4:
            width = 4
        elif k < COLUMNS_8 + COLUMNS_4 + COLUMNS_2:
            width = 2
        wider = big_grow(columns[k], c.count * width, room * width)
        if wider == NULL:
            return -1
        columns[k] = wider
    c.room = <uint32_t>room
    return 0


cdef void free_out(ExchangeColumns* c) noexcept nogil:
    cdef void** columns = <void**>c
    cdef uint32_t k
    for k in range(COLUMNS_8 + COLUMNS_4 + COLUMNS_2 + COLUMNS_1):
        free(columns[k])
    memset(c, 0, sizeof(ExchangeColumns))


cdef void put_out(ExchangeTable* t) noexcept nogil:
    """The oldest row leaves the ring."""
    cdef ExchangeColumns* c = &t.out
    cdef const Exchange* x = &t.rows[t.head & t.mask]
    cdef const Side* s = &t.sides[t.head & t.mask]
    cdef uint32_t k
    if s.group != NO_GROUP and t.groups[s.group].newest == <uint32_t>t.head:
        t.groups[s.group].next_unused = t.unused_group
        t.unused_group = s.group
    t.head += 1
    if t.base < t.head:
        t.base = t.head
    if c.count == c.room and grow_out(c, 1) != 0:
        t.failed = True
        return
    k = c.count
    c.count += 1
    c.time[k] = x.time
    c.latency[k] = x.latency
    c.latency_min[k] = x.latency_min
    c.latency_max[k] = x.latency_max
    c.tcp_rtt[k] = x.tcp_rtt
    c.query_frame[k] = x.query_frame
    c.response_frame[k] = x.response_frame
    c.lookup[k] = x.lookup
    c.query[k] = x.query
    c.response[k] = x.response
    c.client[k] = x.client_code
    c.server[k] = x.server_code
    c.qname[k] = x.qname
    c.responses[k] = x.responses
    c.transmission[k] = x.transmission
    c.query_size[k] = x.query_size
    c.response_size[k] = x.response_size
    c.client_port[k] = x.client_port
    c.server_port[k] = x.server_port
    c.id[k] = x.id
    c.qtype[k] = x.qtype
    c.qclass[k] = x.qclass
    c.rcode[k] = x.rcode
    c.flags[k] = x.flags
    c.outcome[k] = x.outcome
    c.transport[k] = x.transport
    c.role[k] = x.role


cdef inline bint may_leave(const ExchangeTable* t) noexcept nogil:
    """Whether nothing that can still come changes the oldest row."""
    cdef const Exchange* x = &t.rows[t.head & t.mask]
    cdef const Side* s = &t.sides[t.head & t.mask]
    cdef const Group* g
    if x.outcome == OUTCOME_OPEN:
        return False
    if t.head < t.base:
        return True
    if s.release >= t.now:
        return False
    if s.group != NO_GROUP:
        g = &t.groups[s.group]
        return g.open == 0 or <int32_t>(<uint32_t>t.head - g.segment) < 0
    return True


cdef void release(Exchanges self) noexcept nogil:
    cdef ExchangeTable* t = self.table
    while t.head < t.tail and t.head < self.keep_from and may_leave(t):
        put_out(t)


cdef void force_out(Exchanges self) noexcept nogil:
    """Give up the oldest row whatever it waits for."""
    cdef ExchangeTable* t = self.table
    cdef uint32_t n = <uint32_t>t.head
    cdef Exchange* x = row_at(t, n)
    cdef Side* s = side_at(t, n)
    cdef Group* g
    if x.outcome == OUTCOME_OPEN:
        t.evicted += 1
        close_row(t, n, OUTCOME_UNANSWERED, t.now)
        happened(self, t.now, t.head, NO_MESSAGE, HAPPENED_EXPIRED)
    if s.group != NO_GROUP:
        g = &t.groups[s.group]
        if g.open and <int32_t>(n - g.segment) >= 0:
            settle(x, True, g)
            g.segment = s.later
    put_out(t)


# ---------------------------------------------------------------- groups

cdef void settle(Exchange* x, bint ambiguous, const Group* g) noexcept nogil:
    """Say what is certain of one transmission of a segment.

    `latency_min` and `latency_max` hold what the response's time allows: they differ where the query had been sent again
    before it came.
    """
    if x.response != NO_MESSAGE and x.latency >= 0:
        if x.latency_min >= 0 and x.latency_min < x.latency_max:
            if ambiguous:
                x.flags |= EXCHANGE_AMBIGUOUS
                x.latency = -1
                return
            x.flags |= EXCHANGE_LATE
        x.latency_min = x.latency_max = -1
    elif ambiguous and g.answered and x.time <= g.last_response and x.outcome != OUTCOME_UNREACHABLE:
        x.flags |= EXCHANGE_AMBIGUOUS


cdef void decide(ExchangeTable* t, Group* g) noexcept nogil:
    """No transmission of the group waits any more."""
    cdef uint32_t n = g.segment
    cdef uint32_t count = <uint32_t>1
    cdef bint ambiguous = False
    while n != g.newest:
        count += 1
        n = side_at(t, n).later
    ambiguous = g.answered < count
    n = g.segment
    while True:
        settle(row_at(t, n), ambiguous, g)
        if n == g.newest:
            break
        n = side_at(t, n).later
    g.segment = g.newest
    g.answered = 0


cdef void not_open(ExchangeTable* t, uint32_t n) noexcept nogil:
    """A transmission has stopped waiting."""
    cdef Side* s = side_at(t, n)
    cdef Group* g
    cdef uint32_t at
    if s.group == NO_GROUP:
        return
    g = &t.groups[s.group]
    g.open -= 1
    if g.open == 0:
        decide(t, g)
        return
    at = g.pending
    while row_at(t, at).outcome != OUTCOME_OPEN and at != side_at(t, at).later:
        at = side_at(t, at).later
    g.pending = at


cdef void close_row(ExchangeTable* t, uint32_t n, uint8_t outcome, int64_t until) noexcept nogil:
    """An open row is final without an answer."""
    row_at(t, n).outcome = outcome
    side_at(t, n).release = until
    not_open(t, n)


cdef int join_group(ExchangeTable* t, uint32_t old, uint32_t n) noexcept nogil:
    """Row `n` is a further transmission of what row `old` was the last one of."""
    cdef Side* s = side_at(t, old)
    cdef Exchange* x = row_at(t, old)
    cdef Group* g
    cdef uint32_t room
    if s.group == NO_GROUP:
        if t.unused_group != NO_GROUP:
            s.group = t.unused_group
            t.unused_group = t.groups[s.group].next_unused
        else:
            if t.group_count == t.group_room:
                room = t.group_room * 2 if t.group_room else 256
                g = <Group*>realloc(t.groups, <size_t>room * sizeof(Group))
                if g == NULL:
                    t.failed = True
                    return -1
                t.groups = g
                t.group_room = room
            s.group = t.group_count
            t.group_count += 1
        g = &t.groups[s.group]
        memset(g, 0, sizeof(Group))
        g.first = g.newest = g.segment = g.pending = old
        g.open = x.outcome == OUTCOME_OPEN
        g.last_answered = old
        g.transmissions = x.transmission
    g = &t.groups[s.group]
    if g.open == 0:
        g.segment = g.pending = n
        g.answered = 0
    g.open += 1
    g.newest = n
    g.transmissions += 1
    s.later = n
    side_at(t, n).group = s.group
    row_at(t, n).transmission = g.transmissions
    row_at(t, n).first = x.first
    return 0


# ---------------------------------------------------------------- new rows

cdef int make_room(Exchanges self) noexcept nogil:
    cdef ExchangeTable* t = self.table
    release(self)
    if t.tail - t.head <= t.mask:
        return 0
    if t.mask + 1 < t.most_rows:
        return open_ring(t, min((t.mask + 1) * MORE_ROOM, t.most_rows))
    force_out(self)
    return 0


cdef Exchange* new_row(Exchanges self, const MessageColumns* c, uint32_t r, const Stride* w, uint32_t i,
                       bint response) noexcept nogil:
    """A row with the end points and the question of a message; NULL without memory."""
    cdef ExchangeTable* t = self.table
    cdef Exchange* x
    cdef Side* s
    cdef uint32_t n
    cdef const uint64_t* keys = self.dictionary.addresses.keys
    if t.tail - t.head > t.mask and make_room(self) != 0:
        t.failed = True
        return NULL
    n = <uint32_t>t.tail
    x = &t.rows[n & t.mask]
    s = &t.sides[n & t.mask]
    x.number = t.tail
    t.tail += 1
    x.time = c.time[r]
    x.response_time = 0
    x.latency = x.latency_min = x.latency_max = x.tcp_rtt = -1
    x.query_frame = x.response_frame = 0
    x.lookup = NO_LOOKUP
    x.client_code = w.client[i]
    x.server_code = w.server[i]
    x.client[0] = keys[2 * x.client_code]
    x.client[1] = keys[2 * x.client_code + 1]
    x.server[0] = keys[2 * x.server_code]
    x.server[1] = keys[2 * x.server_code + 1]
    x.query = x.response = NO_MESSAGE
    x.qname = w.qname[i]
    x.stream = c.stream[r]
    x.responses = 0
    x.transmission = 1
    x.first = n
    x.query_size = x.response_size = 0
    x.source = c.source[r]
    x.client_port = c.dst_port[r] if response else c.src_port[r]
    x.server_port = c.src_port[r] if response else c.dst_port[r]
    x.id = c.id[r]
    x.qtype = c.qtype[r]
    x.qclass = c.qclass[r]
    x.rcode = 0
    x.edns_udp_size = 0
    x.answers = 0
    x.flags = 0
    x.outcome = OUTCOME_OPEN
    x.transport = c.transport[r]
    x.role = 0
    x.opcode = c.flags[r] >> 11 & 15
    if unlikely(c.presence[r] & HAS_TYPE == 0):
        x.qtype = x.qclass = 0
        x.flags = EXCHANGE_NO_QUESTION
    if unlikely(x.transport == TRANSPORT_TCP and t.rtts[x.stream & (STREAMS - 1)].stream == x.stream):
        x.tcp_rtt = t.rtts[x.stream & (STREAMS - 1)].handshake
    s.key = w.key[i]
    s.ends = w.ends[i]
    s.release = INT64_MIN
    s.next_key = s.next_ends = s.later = s.extra = n
    s.group = NO_GROUP
    s.linked = 0
    s.would_be = 0
    s.transfer = x.transport == TRANSPORT_TCP and (x.qtype == TYPE_AXFR or x.qtype == TYPE_IXFR)
    return x


cdef bint has_cookie(const MessageColumns* c, uint32_t r) noexcept nogil:
    cdef uint32_t at = c.options[r], end = c.options[r + 1]
    while at + 4 <= end:
        if be16(c.options_octets + at) == OPTION_COOKIE:
            return True
        at += 4 + be16(c.options_octets + at + 2)
    return False


cdef inline void take_query(Exchange* x, const MessageColumns* c, uint32_t r, uint32_t message) noexcept nogil:
    cdef uint32_t flags = x.flags
    cdef uint32_t header = c.flags[r]
    cdef uint32_t presence = c.presence[r]
    x.query = message
    x.time = c.time[r]
    x.query_frame = c.frame[r]
    x.query_size = c.size[r]
    flags |= (header & FLAG_RD) >> 2 | (header & FLAG_AD) >> 1 | (header & FLAG_CD) << 1
    if presence & HAS_EDNS:
        x.edns_udp_size = c.edns_udp_size[r]
        flags |= EXCHANGE_EDNS
        if c.edns_flags[r] & 0x8000:
            flags |= EXCHANGE_DO
        if c.options[r] != c.options[r + 1] and has_cookie(c, r):
            flags |= EXCHANGE_COOKIE
    if presence & HAS_CAPITALS:
        flags |= EXCHANGE_MIXED_CASE
    x.flags = <uint16_t>flags


cdef inline void take_response(Exchange* x, const MessageColumns* c, uint32_t r, uint32_t message) noexcept nogil:
    cdef uint32_t header = c.flags[r]
    cdef int status = c.status[r]
    x.response = message
    x.response_time = c.time[r]
    x.response_frame = c.frame[r]
    x.response_size = c.size[r]
    x.rcode = c.rcode[r]
    x.answers = c.ancount[r]
    x.responses += 1
    if header & FLAG_RA:
        x.flags |= EXCHANGE_RA
    if header & FLAG_AA:
        x.flags |= EXCHANGE_AA
    if unlikely(status != STATUS_OK):
        if status == STATUS_TRUNCATED_CAPTURE or status == STATUS_FIRST_FRAGMENT:
            x.flags |= EXCHANGE_CUT
        elif status != STATUS_TRAILING_OCTETS:
            x.flags |= EXCHANGE_BOGUS
    if x.flags & EXCHANGE_EDNS and c.presence[r] & HAS_EDNS == 0 and x.flags & EXCHANGE_CUT == 0:
        x.flags |= EXCHANGE_NO_OPT_BACK


cdef bint has_delegation(Batch batch, uint32_t r) noexcept nogil:
    """Whether the authority section of a message names servers; true where records were not decoded."""
    cdef const RecordColumns* c = &batch.record_columns
    cdef uint32_t low = 0, high = c.count, mid
    if c.count == 0:
        return True
    while low < high:
        mid = low + (high - low) // 2
        if c.message[mid] < r:
            low = mid + 1
        else:
            high = mid
    while low < c.count and c.message[low] == r:
        if c.section[low] & 3 == SECTION_AUTHORITY and c.type[low] == TYPE_NS:
            return True
        low += 1
    return False


cdef inline uint8_t outcome_of(Batch batch, uint32_t r) noexcept nogil:
    cdef const MessageColumns* c = &batch.columns
    cdef uint32_t header = c.flags[r]
    cdef uint32_t rcode = c.rcode[r]
    if likely(rcode == 0):
        if header & FLAG_TC and c.transport[r] == TRANSPORT_UDP:
            return OUTCOME_TRUNCATED
        if c.ancount[r] or header & 0x7800:    # NOTIFY and UPDATE have nothing to answer with
            return OUTCOME_ANSWER
        if header & (FLAG_AA | FLAG_RA) == 0 and c.nscount[r] and has_delegation(batch, r):
            return OUTCOME_REFERRAL
        return OUTCOME_NODATA
    if rcode == 3:
        return OUTCOME_NXDOMAIN
    if rcode == 2:
        return OUTCOME_SERVFAIL
    if rcode == 5:
        return OUTCOME_REFUSED
    if rcode == 1:
        return OUTCOME_FORMERR
    if rcode == 4:
        return OUTCOME_NOTIMP
    return OUTCOME_OTHER_RCODE


# ---------------------------------------------------------------- matching

cdef void pair(Exchanges self, Batch batch, uint32_t r, uint32_t n) noexcept nogil:
    """The response in row `r` of the batch answers the query of row `n`."""
    cdef ExchangeTable* t = self.table
    cdef Exchange* x = row_at(t, n)
    cdef Side* s = side_at(t, n)
    cdef const MessageColumns* c = &batch.columns
    cdef Group* g
    cdef bint was_open = x.outcome == OUTCOME_OPEN
    take_response(x, c, r, <uint32_t>(batch.first_message + r))
    x.outcome = outcome_of(batch, r)
    x.latency = span(x.response_time, x.time)
    s.release = plus(x.response_time, LINGER)
    if unlikely(s.group != NO_GROUP):
        g = &t.groups[s.group]
        x.latency_max = x.latency
        x.latency_min = span(x.response_time, row_at(t, g.newest).time)
        g.answered += 1
        g.last_response = x.response_time
        g.last_answered = n
        if was_open:
            not_open(t, n)
        else:
            settle(x, False, g)
    happened(self, x.response_time, x.number, r, HAPPENED_ANSWER)


cdef void further(Exchanges self, Batch batch, uint32_t r, const Stride* w, uint32_t i, uint32_t n) noexcept nogil:
    """A response to a query that has its answer."""
    cdef ExchangeTable* t = self.table
    cdef const MessageColumns* c = &batch.columns
    cdef Exchange* x = row_at(t, n)
    cdef Exchange* y
    x.responses += 1
    if side_at(t, n).transfer:
        side_at(t, n).release = plus(c.time[r], LINGER)
        return
    y = new_row(self, c, r, w, i, True)
    if y == NULL:
        return
    take_response(y, c, r, <uint32_t>(batch.first_message + r))
    y.outcome = OUTCOME_DUPLICATE
    if alive(t, n):            # making room may have put the original out
        x = row_at(t, n)
        y.transmission = x.transmission
        y.first = x.first
        side_at(t, n).extra = <uint32_t>y.number
    side_at(t, <uint32_t>y.number).release = plus(y.time, ICMP_WAIT)
    happened(self, y.time, y.number, r, HAPPENED_EXTRA)


cdef void unsolicited(Exchanges self, Batch batch, uint32_t r, const Stride* w, uint32_t i) noexcept nogil:
    """A response without a query, as yet."""
    cdef ExchangeTable* t = self.table
    cdef Exchange* x = new_row(self, &batch.columns, r, w, i, True)
    cdef Side* s
    if x == NULL:
        return
    take_response(x, &batch.columns, r, <uint32_t>(batch.first_message + r))
    x.outcome = OUTCOME_UNSOLICITED
    s = side_at(t, <uint32_t>x.number)
    s.would_be = outcome_of(batch, r)
    s.release = plus(x.time, EARLY)
    link_key(t, <uint32_t>x.number)
    link_ends(t, <uint32_t>x.number)
    happened(self, x.time, x.number, r, HAPPENED_EXTRA)


cdef inline bint takes_answer(const ExchangeTable* t, uint32_t n, int64_t time) noexcept nogil:
    """Whether a row is a query that a response at `time` may answer."""
    cdef const Exchange* x = row_at(t, n)
    if x.query == NO_MESSAGE or x.response != NO_MESSAGE:
        return False
    if time < x.time and elapsed(x.time, time) > <uint64_t>EARLY:
        return False
    # A connection that ended, or an ICMP error, was not the last word.
    return x.outcome == OUTCOME_OPEN or t.now <= side_at(t, n).release


cdef inline bint was_answered(const ExchangeTable* t, uint32_t n) noexcept nogil:
    """Whether a row is a query that has its answer, so short a time ago that a further one is expected."""
    cdef const Exchange* x = row_at(t, n)
    return x.query != NO_MESSAGE and x.response != NO_MESSAGE and t.now <= side_at(t, n).release


cdef uint32_t answer_row(const ExchangeTable* t, uint32_t n, int64_t time, uint32_t* found) noexcept nogil:
    """Which row of the key of `n`, its newest, a response goes to: 1 to pair, 2 as a further one, 0 none."""
    cdef const Group* g
    cdef uint32_t group = side_at(t, n).group
    found[0] = n
    if unlikely(group != NO_GROUP):
        g = &t.groups[group]
        if g.open:
            if takes_answer(t, g.pending, time):
                found[0] = g.pending
                return 1
            return 0
        if not takes_answer(t, n, time) and alive(t, g.last_answered):
            found[0] = g.last_answered
    if takes_answer(t, found[0], time):
        return 1
    return 2 if was_answered(t, found[0]) else 0


cdef uint32_t by_ends(const ExchangeTable* t, uint64_t ends, uint16_t id, int64_t time, uint32_t* found) noexcept nogil:
    """As `answer_row`, for a response that does not tell its question: the oldest open query, else the newest answered."""
    cdef uint32_t at, _k, best = 0, which = 0, candidate, verdict
    if not find_ends(t, ends, &at):
        return 0
    for _k in range(MOST_WALK):
        if row_at(t, at).id == id:
            verdict = answer_row(t, at, time, &candidate)
            if verdict == 1 or (verdict == 2 and best == 0):
                best = verdict
                which = candidate
        if not older_ends(t, ends, &at):
            break
    found[0] = which
    return best


cdef void match_response(Exchanges self, Batch batch, uint32_t r, const Stride* w, uint32_t i) noexcept nogil:
    cdef ExchangeTable* t = self.table
    cdef const MessageColumns* c = &batch.columns
    cdef int64_t time = c.time[r]
    cdef uint32_t n = 0, at, _k, verdict = 0
    cdef bint questioned = c.presence[r] & HAS_TYPE != 0
    cdef int status
    if likely(questioned):
        if find_key(t, w.key[i], &n):
            verdict = answer_row(t, n, time, &n)
            if likely(verdict == 1):
                pair(self, batch, r, n)
                return
            if verdict == 2:
                further(self, batch, r, w, i, n)
                return
            if row_at(t, n).outcome == OUTCOME_OPEN:
                unsolicited_again(self, batch, r, w, i)
                return
    else:
        status = c.status[r]
        if c.qdcount[r] == 0 or status == STATUS_TRUNCATED_CAPTURE or status == STATUS_FIRST_FRAGMENT:
            verdict = by_ends(t, w.ends[i], c.id[r], time, &n)
            if verdict == 1:
                pair(self, batch, r, n)
                return
            if verdict == 2:
                further(self, batch, r, w, i, n)
                return
            unsolicited(self, batch, r, w, i)
            return
    # A question that was not asked.  Where the query is known only in part it may have been.
    if find_ends(t, w.ends[i], &at):
        for _k in range(MOST_WALK):
            if row_at(t, at).id == c.id[r] and row_at(t, at).outcome == OUTCOME_OPEN:
                if row_at(t, at).flags & EXCHANGE_NO_QUESTION and takes_answer(t, at, time):
                    pair(self, batch, r, at)
                    return
                row_at(t, at).flags |= EXCHANGE_BOGUS
                break
            if not older_ends(t, w.ends[i], &at):
                break
    unsolicited(self, batch, r, w, i)


cdef void unsolicited_again(Exchanges self, Batch batch, uint32_t r, const Stride* w, uint32_t i) noexcept nogil:
    """A response older than the query it would answer: it must not take the query's place in the chain."""
    cdef Exchange* x = new_row(self, &batch.columns, r, w, i, True)
    if x == NULL:
        return
    take_response(x, &batch.columns, r, <uint32_t>(batch.first_message + r))
    x.outcome = OUTCOME_UNSOLICITED
    happened(self, x.time, x.number, r, HAPPENED_EXTRA)


cdef void match_query(Exchanges self, Batch batch, uint32_t r, const Stride* w, uint32_t i) noexcept nogil:
    cdef ExchangeTable* t = self.table
    cdef const MessageColumns* c = &batch.columns
    cdef int64_t time = c.time[r]
    cdef uint32_t old = 0, n, row
    cdef uint32_t message = <uint32_t>(batch.first_message + r)
    cdef Exchange* x
    cdef Exchange* y
    cdef bint again = False
    cdef uint32_t found = find_key(t, w.key[i], &old)
    if unlikely(found):
        y = row_at(t, old)
        if y.query == NO_MESSAGE:
            if y.outcome == OUTCOME_UNSOLICITED and time >= y.time and t.now <= side_at(t, old).release:
                # Its answer was seen first.
                take_query(y, c, r, message)
                y.outcome = side_at(t, old).would_be
                y.latency = 0
                side_at(t, old).release = plus(y.response_time, LINGER)
                row = NO_MESSAGE
                if y.response >= <uint32_t>batch.first_message:
                    row = y.response - <uint32_t>batch.first_message
                happened(self, y.time, y.number, r, HAPPENED_QUERY)
                happened(self, y.response_time, y.number, row, HAPPENED_ANSWER)
                return
        else:
            again = y.outcome == OUTCOME_OPEN or t.now <= side_at(t, old).release
    x = new_row(self, c, r, w, i, False)
    if x == NULL:
        return
    take_query(x, c, r, message)
    n = <uint32_t>x.number
    if unlikely(found):
        if again and alive(t, old):
            join_group(t, old, n)
        link_key(t, n)
    else:
        link_new_key(t, n)
    link_ends(t, n)
    if t.cursor_time == INT64_MAX:
        t.cursor_time = plus(time, OPEN_WAIT)
    happened(self, time, x.number, r, HAPPENED_QUERY)


# ---------------------------------------------------------------- time

cdef void expire(Exchanges self) noexcept nogil:
    """Give up on queries that waited too long.  Each row is passed once."""
    cdef ExchangeTable* t = self.table
    cdef Exchange* x
    if t.cursor < t.head:
        t.cursor = t.head
    while t.cursor < t.tail:
        x = &t.rows[t.cursor & t.mask]
        if x.outcome == OUTCOME_OPEN:
            if elapsed(t.now, x.time) < <uint64_t>OPEN_WAIT:
                t.cursor_time = plus(x.time, OPEN_WAIT)
                return
            close_row(t, <uint32_t>t.cursor, OUTCOME_UNANSWERED, INT64_MIN)
            happened(self, plus(x.time, OPEN_WAIT), x.number, NO_MESSAGE, HAPPENED_EXPIRED)
        t.cursor += 1
    t.cursor_time = INT64_MAX


cdef void close_all(Exchanges self) noexcept nogil:
    """The capture, or this stretch of time, ends."""
    cdef ExchangeTable* t = self.table
    cdef Exchange* x
    cdef uint64_t n
    for n in range(t.base, t.tail):
        x = &t.rows[n & t.mask]
        if x.outcome == OUTCOME_OPEN:
            close_row(t, <uint32_t>n,
                      OUTCOME_UNFINISHED if elapsed(t.now, x.time) < <uint64_t>STUB_WAIT else OUTCOME_UNANSWERED, INT64_MIN)
            happened(self, t.now, n, NO_MESSAGE, HAPPENED_EXPIRED)
    if t.out.count + (t.tail - t.head) > t.out.room and grow_out(&t.out, t.tail - t.head) != 0:
        t.failed = True
    t.base = t.cursor = t.tail
    t.cursor_time = INT64_MAX


cdef inline void clock(Exchanges self, int64_t time) noexcept nogil:
    cdef ExchangeTable* t = self.table
    if likely(time >= t.now):
        t.now = time
        if unlikely(time >= t.cursor_time):
            expire(self)
    elif unlikely(elapsed(t.now, time) > <uint64_t>OPEN_WAIT and t.now != INT64_MIN):
        # Another file of the same minutes, or one packet with a wrong time: begin again.
        close_all(self)
        t.now = time


# ---------------------------------------------------------------- connections and ICMP errors

cdef int add_note(ExchangeTable* t, const Note* note) noexcept nogil:
    cdef uint32_t room
    cdef Note* notes
    if t.note_count == t.note_room:
        if t.note_at > t.note_count // 2:
            memmove(t.notes, t.notes + t.note_at, (t.note_count - t.note_at) * sizeof(Note))
            t.note_count -= t.note_at
            t.note_at = 0
        else:
            room = t.note_room * 2 if t.note_room else 256
            notes = <Note*>realloc(t.notes, <size_t>room * sizeof(Note))
            if notes == NULL:
                t.failed = True
                return -1
            t.notes = notes
            t.note_room = room
    t.notes[t.note_count] = note[0]
    t.note_count += 1
    return 0


cdef void note_icmp(Note* note, const Event* e) noexcept nogil:
    memset(note, 0, sizeof(Note))
    note.kind = NOTE_ICMP
    note.time = e.time
    note.frame = e.frame
    note.code = e.code
    note.transport = e.transport
    note.turn.stream = e.stream
    note.turn.syns = be16(e.quote) if e.quote_size >= 2 else 0x10000
    note.from_client = e.quote_size >= 3 and e.quote[2] & 0x80
    if note.from_client:
        memcpy(note.turn.client, e.quoted_dst, 16)
        memcpy(note.turn.server, e.quoted_src, 16)
        note.turn.client_port = e.quoted_dst_port
        note.turn.server_port = e.quoted_src_port
    else:
        memcpy(note.turn.client, e.quoted_src, 16)
        memcpy(note.turn.server, e.quoted_dst, 16)
        note.turn.client_port = e.quoted_src_port
        note.turn.server_port = e.quoted_dst_port


cdef int gather_notes(Exchanges self, Batch batch) noexcept nogil:
    """Turns and ICMP errors of the batch, each in frame order, as one list in order of time."""
    cdef ExchangeTable* t = self.table
    cdef Note note
    cdef uint32_t i = 0, j = 0
    cdef const Turn* turn
    cdef const Event* e
    while i < batch.turn_count or j < batch.event_count:
        turn = &batch.turns[i] if i < batch.turn_count else NULL
        e = &batch.event_rows[j] if j < batch.event_count else NULL
        if e != NULL and e.kind != EVENT_ICMP_ERROR:
            j += 1
            continue
        if turn != NULL and (e == NULL or turn.time < e.time or (turn.time == e.time and turn.frame <= e.frame)):
            i += 1
            note.kind = NOTE_TURN
            note.time = turn.time
            note.frame = turn.frame
            note.turn = turn[0]
        else:
            j += 1
            note_icmp(&note, e)
        if t.note_count - t.note_at >= MOST_NOTES:
            take_note(self)
        if add_note(t, &note) != 0:
            return -1
    return 0


cdef void unreachable(Exchanges self, uint32_t n, int64_t time, uint8_t outcome) noexcept nogil:
    cdef ExchangeTable* t = self.table
    close_row(t, n, outcome, plus(time, LINGER))
    happened(self, time, row_at(t, n).number, NO_MESSAGE,
             HAPPENED_UNREACHABLE if outcome == OUTCOME_UNREACHABLE else HAPPENED_EXPIRED)


cdef void end_stream(Exchanges self, uint32_t stream, int64_t time, uint8_t outcome) noexcept nogil:
    """Nothing more comes on a connection: its open queries are final."""
    cdef ExchangeTable* t = self.table
    cdef uint64_t key, ends
    cdef uint32_t at
    hash_row(t, 0, 0, 0, 0, 0, TRANSPORT_TCP, stream, 0, 0, 0, &key, &ends)
    if not find_ends(t, ends, &at):
        return
    while True:
        if row_at(t, at).outcome == OUTCOME_OPEN and row_at(t, at).stream == stream:
            unreachable(self, at, time, outcome)
        if not older_ends(t, ends, &at):
            return


cdef int keep_turn(Exchanges self, const Turn* turn, uint8_t kind) noexcept nogil:
    cdef uint32_t room
    cdef Turn* turns
    if turn.server_port == PORT_MDNS or turn.server_port == PORT_LLMNR:
        return 0
    if self.turn_count == self.turn_room:
        room = self.turn_room * 2 if self.turn_room else 256
        turns = <Turn*>realloc(self.turns, <size_t>room * sizeof(Turn))
        if turns == NULL:
            self.table.failed = True
            return -1
        self.turns = turns
        self.turn_room = room
    self.turns[self.turn_count] = turn[0]
    self.turn_count += 1
    return happened(self, turn.time, NO_LOOKUP, self.turn_count - 1, kind)


cdef uint32_t known_address(const AddressTable* t, const uint64_t* address) noexcept nogil:
    """The code of an address, or NO_CODE: what an ICMP error quotes may never have been seen."""
    cdef uint32_t tag = address_tag(t, address[0], address[1])
    cdef uint32_t i = tag & t.mask, code
    while t.slots[i].ref != 0:
        code = t.slots[i].ref - 1
        if t.slots[i].tag == tag and t.keys[2 * code] == address[0] and t.keys[2 * code + 1] == address[1]:
            return code
        i = (i + 1) & t.mask
    return NO_CODE


cdef void take_icmp(Exchanges self, const Note* note) noexcept nogil:
    cdef ExchangeTable* t = self.table
    cdef const Turn* q = &note.turn
    cdef uint64_t key, ends
    cdef uint32_t client, server, at, _k
    cdef uint16_t id
    cdef Exchange* x
    if note.transport == TRANSPORT_TCP:
        if q.stream != NO_STREAM and not note.from_client and not passing(note.code):
            end_stream(self, q.stream, note.time, OUTCOME_UNREACHABLE)
        return
    if q.syns > 0xFFFF or passing(note.code):
        return                 # the quote stops before the id, as routers are allowed to
    id = <uint16_t>q.syns
    client = known_address(&self.dictionary.addresses, q.client)
    server = known_address(&self.dictionary.addresses, q.server)
    if client == NO_CODE or server == NO_CODE:
        return
    hash_row(t, client, server, q.client_port, q.server_port, id, TRANSPORT_UDP, NO_STREAM, 0, 0, 0, &key, &ends)
    if not find_ends(t, ends, &at):
        return
    for _k in range(MOST_WALK):
        x = row_at(t, at)
        if note.from_client:
            if x.response != NO_MESSAGE and t.now <= side_at(t, at).release:
                # The socket was closed: about the last response, which is a further one where there were several.
                if side_at(t, at).extra != at and alive(t, side_at(t, at).extra) \
                        and t.now <= side_at(t, side_at(t, at).extra).release:
                    row_at(t, side_at(t, at).extra).flags |= EXCHANGE_LATE
                else:
                    x.flags |= EXCHANGE_LATE
                return
        elif x.outcome == OUTCOME_OPEN:
            unreachable(self, at, note.time, OUTCOME_UNREACHABLE)
            return
        if not older_ends(t, ends, &at):
            return


cdef inline bint passing(uint16_t code) noexcept nogil:
    """An ICMP error that does not say that its packet cannot arrive."""
    return code == ICMP_TOO_BIG_4 or code == ICMP_TOO_BIG_6 or code == ICMP_EXCEEDED_4 or code == ICMP_EXCEEDED_6


cdef void take_note(Exchanges self) noexcept nogil:
    cdef ExchangeTable* t = self.table
    cdef const Note* note = &t.notes[t.note_at]
    cdef const Turn* turn = &note.turn
    cdef Rtt* rtt
    t.note_at += 1
    if note.time > t.now:
        clock(self, note.time)
    if note.kind == NOTE_ICMP:
        take_icmp(self, note)
    elif turn.kind == TURN_SYN:
        keep_turn(self, turn, HAPPENED_SYN)
    elif turn.kind == TURN_HANDSHAKE:
        rtt = &t.rtts[turn.stream & (STREAMS - 1)]
        rtt.stream = turn.stream
        rtt.handshake = turn.handshake
        keep_turn(self, turn, HAPPENED_CONNECTED)
    elif turn.kind == TURN_FIN:
        end_stream(self, turn.stream, turn.time, OUTCOME_UNANSWERED)
    else:
        if turn.kind == TURN_REFUSED:
            keep_turn(self, turn, HAPPENED_REFUSED)
        end_stream(self, turn.stream, turn.time, OUTCOME_UNREACHABLE)


# ---------------------------------------------------------------- names and addresses

cdef int grow_codes(uint32_t** codes, uint32_t room) noexcept nogil:
    cdef uint32_t* wider = <uint32_t*>realloc(codes[0], <size_t>room * sizeof(uint32_t))
    if wider == NULL:
        return -1
    codes[0] = wider
    return 0


cdef int know_codes(ExchangeTable* t, Dictionary dictionary) noexcept nogil:
    """Note where the entries of new names of the batch's dictionary are: they lie in the arena in order of their codes."""
    cdef NameTable* names = &dictionary.names
    cdef const Entry* e
    cdef uint32_t room
    if names.count > t.names_room:
        room = t.names_room * 2 if t.names_room * 2 > names.count else names.count
        if grow_codes(&t.name_codes, room) != 0 or grow_codes(&t.name_refs, room) != 0:
            return -1
        t.names_room = room
    while t.names_known < names.count:
        e = <const Entry*>(names.arena + t.arena_at)
        t.name_refs[t.names_known] = <uint32_t>(t.arena_at // ENTRY_ALIGN)
        t.name_codes[t.names_known] = NO_CODE
        t.arena_at += (sizeof(Entry) + e.size + ENTRY_ALIGN - 1) & ~<size_t>(ENTRY_ALIGN - 1)
        t.names_known += 1
    if dictionary.addresses.count > t.addresses_room:
        room = t.addresses_room * 2 if t.addresses_room * 2 > dictionary.addresses.count else dictionary.addresses.count
        if grow_codes(&t.address_codes, room) != 0:
            return -1
        t.addresses_room = room
    while t.addresses_known < dictionary.addresses.count:
        t.address_codes[t.addresses_known] = NO_CODE
        t.addresses_known += 1
    return 0


cdef uint32_t carry_name(Dictionary into, Dictionary dictionary, uint32_t ref) noexcept nogil:
    """The code of another dictionary's name, entered if new."""
    cdef uint8_t[320] folded
    cdef const Entry* e = <const Entry*>(dictionary.names.arena + <size_t>ref * ENTRY_ALIGN)
    cdef uint64_t capitals
    cdef uint64_t hash = fold_hash(entry_octets(e), folded, e.size, into.names.seed, &capitals)
    return intern_name(&into.names, folded, e.size, <uint32_t>hash, True)


cdef inline uint32_t own_name(Exchanges self, uint32_t code) noexcept nogil:
    cdef ExchangeTable* t = self.table
    if unlikely(code >= t.names_known):
        return NO_CODE
    if unlikely(t.name_codes[code] == NO_CODE):
        t.name_codes[code] = carry_name(self.dictionary, self.translated, t.name_refs[code])
    return t.name_codes[code]


cdef uint32_t carry_address(Exchanges self, uint32_t code) noexcept nogil:
    cdef ExchangeTable* t = self.table
    cdef const uint64_t* key = self.translated.addresses.keys + 2 * code
    t.address_codes[code] = find_address(&self.dictionary.addresses, key[0], key[1],
                                         address_tag(&self.dictionary.addresses, key[0], key[1]))
    return t.address_codes[code]


cdef inline uint32_t own_address(Exchanges self, uint32_t code) noexcept nogil:
    cdef uint32_t own
    if unlikely(code >= self.table.addresses_known):
        return NO_CODE
    own = self.table.address_codes[code]
    return own if likely(own != NO_CODE) else carry_address(self, code)


cdef int close_out(Exchanges self) except -1:
    """The rows that left so far become a batch."""
    cdef ExchangeBatch batch
    if self.table.out.count:
        batch = ExchangeBatch()
        batch.columns = self.table.out
        batch.dictionary = self.dictionary
        batch.first_exchange = self.table.head - self.table.out.count
        memset(&self.table.out, 0, sizeof(ExchangeColumns))
        self.ready.append(batch)
    return 0


cdef int renew(Exchanges self) except -1:
    """Begin a new dictionary with what live rows refer to.  Rows whose names do not fit are given up, oldest first."""
    cdef ExchangeTable* t = self.table
    cdef Dictionary old = self.dictionary
    cdef Dictionary new = Dictionary()
    cdef uint32_t* refs
    cdef uint32_t k
    cdef size_t at = ENTRY_ALIGN
    cdef const Entry* e
    cdef uint64_t n, first
    cdef Exchange* x
    release(self)
    refs = <uint32_t*>big_alloc(<size_t>(old.names.count + 1) * sizeof(uint32_t))
    if refs == NULL:
        raise MemoryError("no memory for names")
    for k in range(old.names.count):
        e = <const Entry*>(old.names.arena + at)
        refs[k] = <uint32_t>(at // ENTRY_ALIGN)
        at += (sizeof(Entry) + e.size + ENTRY_ALIGN - 1) & ~<size_t>(ENTRY_ALIGN - 1)
    first = t.tail
    while first > t.head:
        if new.names.count >= min(MOST_RENEWED, t.most_names // 2) or new.addresses.count + 2 > MOST_RENEWED \
                or new.names.used > RENEWED_OCTETS:
            break
        first -= 1
        x = &t.rows[first & t.mask]
        if x.qname != NO_CODE:
            x.qname = carry_name(new, old, refs[x.qname])
        x.client_code = find_address(&new.addresses, x.client[0], x.client[1],
                                     address_tag(&new.addresses, x.client[0], x.client[1]))
        x.server_code = find_address(&new.addresses, x.server[0], x.server[1],
                                     address_tag(&new.addresses, x.server[0], x.server[1]))
    free(refs)
    while t.head < first:
        force_out(self)
    close_out(self)
    self.dictionary = new
    for n in range(t.head, t.tail):
        x = &t.rows[n & t.mask]
        hash_row(t, x.client_code, x.server_code, x.client_port, x.server_port, x.id, x.transport, x.stream, x.qname, x.qtype,
                 x.qclass, &t.sides[n & t.mask].key, &t.sides[n & t.mask].ends)
    relink(t)
    for k in range(t.names_known):
        t.name_codes[k] = NO_CODE
    for k in range(t.addresses_known):
        t.address_codes[k] = NO_CODE
    t.renewed += 1
    return 0


# ---------------------------------------------------------------- strides

cdef void prepare(Exchanges self, Batch batch, Stride* w, uint32_t first, uint32_t count) noexcept nogil:
    """Codes and hashes of a few messages; then the cache lines that matching will touch."""
    cdef ExchangeTable* t = self.table
    cdef const MessageColumns* c = &batch.columns
    cdef uint32_t i, r, at
    cdef uint16_t client_port, server_port
    cdef bint questioned
    for i in range(count):
        prefetch(&t.name_codes[c.qname[first + i]])
    for i in range(count):
        r = first + i
        w.kind[i] = SKIPPED
        if unlikely(c.presence[r] & HAS_HEADER == 0):
            continue
        if unlikely(c.sighting_of[r] != NO_CODE):
            t.sightings += 1
            continue
        if c.flags[r] & FLAG_QR:
            w.kind[i] = RESPONSE
            w.client[i] = own_address(self, c.dst[r])
            w.server[i] = own_address(self, c.src[r])
            client_port = c.dst_port[r]
            server_port = c.src_port[r]
        else:
            w.kind[i] = QUERY
            w.client[i] = own_address(self, c.src[r])
            w.server[i] = own_address(self, c.dst[r])
            client_port = c.src_port[r]
            server_port = c.dst_port[r]
        if unlikely(server_port == PORT_MDNS or server_port == PORT_LLMNR):
            t.multicast += 1
            w.kind[i] = SKIPPED
            continue
        if unlikely(w.client[i] == NO_CODE or w.server[i] == NO_CODE):
            t.failed = True
            w.kind[i] = SKIPPED
            continue
        questioned = c.presence[r] & HAS_TYPE != 0
        w.qname[i] = own_name(self, c.qname[r]) if c.presence[r] & HAS_NAME else NO_CODE
        hash_row(t, w.client[i], w.server[i], client_port, server_port, c.id[r], c.transport[r], c.stream[r], w.qname[i],
                 c.qtype[r] if questioned else 0, c.qclass[r] if questioned else 0, &w.key[i], &w.ends[i])
        prefetch(&t.key_heads[w.key[i] & t.bucket_mask])
    for i in range(count):
        if w.kind[i] == SKIPPED:
            continue
        at = t.key_heads[w.key[i] & t.bucket_mask]
        if alive(t, at):
            prefetch(&t.sides[at & t.mask])
            if w.kind[i] == RESPONSE:
                prefetch(&t.rows[at & t.mask])
                prefetch(<const uint8_t*>&t.rows[at & t.mask] + 64)
                prefetch(<const uint8_t*>&t.rows[at & t.mask] + 128)


cdef int match_batch(Exchanges self, Batch batch) noexcept nogil:
    cdef ExchangeTable* t = self.table
    cdef const MessageColumns* c = &batch.columns
    cdef Stride w
    cdef uint32_t first = 0, count, i, r
    cdef const Note* note
    if know_codes(t, self.translated) != 0 or gather_notes(self, batch) != 0:
        return -1
    while first < c.count:
        count = c.count - first if c.count - first < STRIDE else STRIDE
        if unlikely(not self.dictionary.has_room(STRIDE, 4 * STRIDE) or self.dictionary.names.count > t.most_names):
            with gil:
                try:
                    renew(self)
                except MemoryError:
                    return -1
        prepare(self, batch, &w, first, count)
        for i in range(count):
            r = first + i
            while unlikely(t.note_at < t.note_count):
                note = &t.notes[t.note_at]
                if note.time > c.time[r] or (note.time == c.time[r] and note.frame > c.frame[r]):
                    break
                take_note(self)
            clock(self, c.time[r])
            if w.kind[i] == QUERY:
                match_query(self, batch, r, &w, i)
            elif w.kind[i] == RESPONSE:
                match_response(self, batch, r, &w, i)
        if unlikely(t.failed):
            return -1
        first += count
    release(self)
    return -1 if t.failed else 0


# ---------------------------------------------------------------- the door

cdef uint64_t NOTHING = 0      # what the buffer of an empty column points to

cdef dict FORMATS = {
    "time": b"q", "latency": b"q", "latency_min": b"q", "latency_max": b"q", "tcp_rtt": b"q", "query_frame": b"Q",
    "response_frame": b"Q", "lookup": b"Q", "query": b"I", "response": b"I", "client": b"I", "server": b"I", "qname": b"I",
    "responses": b"I", "transmission": b"I", "query_size": b"I", "response_size": b"I", "client_port": b"H",
    "server_port": b"H", "id": b"H", "qtype": b"H", "qclass": b"H", "rcode": b"H", "flags": b"H", "outcome": b"B",
    "transport": b"B", "role": b"B",
}
cdef list ORDER = list(FORMATS)
cdef dict WIDTHS = {b"B": 1, b"H": 2, b"I": 4, b"Q": 8, b"q": 8}


@cython.final
cdef class ExchangeColumn:
    """A column in native memory as a read-only buffer; keeps its batch alive."""

    cdef ExchangeBatch owner
    cdef const void* data
    cdef Py_ssize_t count
    cdef Py_ssize_t width
    cdef bytes kind

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        buffer.buf = <void*>self.data
        buffer.obj = self
        buffer.len = self.count * self.width
        buffer.itemsize = self.width
        buffer.readonly = 1
        buffer.ndim = 1
        buffer.format = <char*>self.kind
        buffer.shape = &self.count
        buffer.strides = &self.width
        buffer.suboffsets = NULL
        buffer.internal = NULL


@cython.final
cdef class ExchangeBatch:
    """Exchanges that are final, in native columns.

    Attributes
    ----------
    first_exchange : int
        Number of the first row.
    exchanges : int
        Rows.
    dictionary : Dictionary
        What the codes of names and addresses mean.
    """

    def __dealloc__(self):
        free_out(&self.columns)

    @property
    def exchanges(self):
        return self.columns.count

    def column(self, str name):
        """A column as a buffer, by native name."""
        cdef void** columns = <void**>&self.columns
        cdef ExchangeColumn column = ExchangeColumn()
        cdef const void* data = columns[ORDER.index(name)]
        column.owner = self
        column.data = data if data != NULL else <const void*>&NOTHING
        column.count = self.columns.count
        column.kind = FORMATS[name]
        column.width = WIDTHS[FORMATS[name]]
        return column


@cython.final
cdef class Exchanges:
    """Matcher of responses to queries, for the messages of one capture in order.

    Parameters
    ----------
    most_rows : int
        Exchanges held at a time, rounded up to a power of two.  Beyond that the oldest is given up.
    most_names : int
        Distinct names held at a time, or fewer where memory for them is used up.
    """

    def __cinit__(self, uint64_t most_rows=MOST_ROWS, uint32_t most_names=0xFFFFFFFF):
        cdef bytes seed = os.urandom(32)
        cdef const uint8_t* octets = seed
        cdef uint64_t room = 16
        cdef uint32_t k
        if most_rows > <uint64_t>1 << 28:
            raise ValueError(f"most_rows must be at most {1 << 28}, not {most_rows}")
        while room < most_rows:
            room *= 2
        self.dictionary = Dictionary()
        self.ready = []
        self.keep_from = <uint64_t>-1
        self.table = <ExchangeTable*>calloc(1, sizeof(ExchangeTable))
        if self.table == NULL or open_ring(self.table, min(<uint64_t>FIRST_ROOM, room)) != 0 \
                or grow_codes(&self.table.name_codes, FIRST_ROOM) != 0 or grow_codes(&self.table.name_refs, FIRST_ROOM) != 0:
            raise MemoryError("no memory for exchanges")
        # Which queries share a bucket must not be the choice of whoever sends them.
        memcpy(self.table.seed, octets, 32)
        self.table.most_rows = room
        self.table.most_names = most_names
        self.table.names_room = FIRST_ROOM
        self.table.now = INT64_MIN
        self.table.cursor_time = INT64_MAX
        self.table.unused_group = NO_GROUP
        for k in range(STREAMS):
            self.table.rtts[k].stream = NO_STREAM

    def __dealloc__(self):
        cdef ExchangeTable* t = self.table
        free(self.happenings)
        free(self.turns)
        if t != NULL:
            free(t.rows)
            free(t.sides)
            free(t.key_heads)
            free(t.groups)
            free(t.notes)
            free(t.name_codes)
            free(t.name_refs)
            free(t.address_codes)
            free_out(&t.out)
            free(t)

    cdef int match(self, Batch batch) noexcept nogil:
        cdef ExchangeTable* t = self.table
        self.happening_count = 0
        self.turn_count = 0
        if <void*>self.translated != <void*>batch.dictionary:
            with gil:
                self.translated = batch.dictionary
            t.names_known = t.addresses_known = 0
            t.arena_at = ENTRY_ALIGN
        return match_batch(self, batch)

    cdef int tick(self, int64_t now) noexcept nogil:
        cdef ExchangeTable* t = self.table
        while t.note_at < t.note_count and t.notes[t.note_at].time <= now:
            take_note(self)
        if now >= t.now:
            clock(self, now)
        release(self)
        return -1 if t.failed else 0

    cdef int finish(self) noexcept nogil:
        cdef ExchangeTable* t = self.table
        while t.note_at < t.note_count:
            take_note(self)
        close_all(self)
        release(self)
        return -1 if t.failed else 0

    cdef void tell(self, const Happening* h, Batch batch, Exchange* into) noexcept nogil:
        cdef const MessageColumns* c = &batch.columns
        cdef const uint64_t* keys = batch.dictionary.addresses.keys
        cdef uint32_t r = h.row
        cdef bint response = c.flags[r] & FLAG_QR != 0
        cdef const uint64_t* client = keys + 2 * <size_t>(c.dst[r] if response else c.src[r])
        cdef const uint64_t* server = keys + 2 * <size_t>(c.src[r] if response else c.dst[r])
        memset(into, 0, sizeof(Exchange))
        into.number = h.exchange
        into.time = c.time[r]
        into.client[0] = client[0]
        into.client[1] = client[1]
        into.server[0] = server[0]
        into.server[1] = server[1]
        into.qname = c.qname[r] if c.presence[r] & HAS_NAME else NO_CODE
        into.stream = c.stream[r]
        into.first = h.first
        into.client_port = c.dst_port[r] if response else c.src_port[r]
        into.server_port = c.src_port[r] if response else c.dst_port[r]
        into.id = c.id[r]
        into.transport = c.transport[r]
        into.opcode = c.flags[r] >> 11 & 15
        if c.presence[r] & HAS_TYPE:
            into.qtype = c.qtype[r]
            into.qclass = c.qclass[r]
        else:
            into.flags = EXCHANGE_NO_QUESTION
        if not response:
            take_query(into, c, r, <uint32_t>(batch.first_message + r))

    cdef uint64_t lookup_of(self, uint64_t number) noexcept nogil:
        cdef ExchangeTable* t = self.table
        return t.rows[number & t.mask].lookup if t.head <= number < t.tail else NO_LOOKUP

    cdef void give(self, uint64_t number, uint64_t lookup, uint8_t role) noexcept nogil:
        cdef ExchangeTable* t = self.table
        if t.head <= number < t.tail:
            t.rows[number & t.mask].lookup = lookup
            t.rows[number & t.mask].role = role

    def feed(self, Batch batch not None):
        """Match the messages of a batch."""
        cdef int bad
        with nogil:
            bad = self.match(batch)
        if bad:
            raise MemoryError("no memory to match queries and responses")

    def pass_time(self, int64_t now):
        """Capture time has come to `now` (nanoseconds since the epoch) without a message."""
        cdef int bad
        with nogil:
            bad = self.tick(now)
        if bad:
            raise MemoryError("no memory to match queries and responses")

    def end(self):
        """The capture ends: queries that wait become unfinished, or unanswered."""
        cdef int bad
        with nogil:
            bad = self.finish()
        if bad:
            raise MemoryError("no memory to match queries and responses")

    def take(self):
        """Rows that are final and not yet taken.

        Returns
        -------
        list of ExchangeBatch
        """
        release(self)
        close_out(self)
        ready = self.ready
        self.ready = []
        return ready

    @property
    def live(self):
        """Rows that may still change."""
        return self.table.tail - self.table.head

    def counts(self):
        """What was passed over or given up, by name."""
        cdef ExchangeTable* t = self.table
        return {
            "exchanges": t.tail,
            "exchanges_evicted": t.evicted,
            "dictionaries": t.renewed + 1,
            "multicast_messages": t.multicast,
            "sightings": t.sightings,
        }
