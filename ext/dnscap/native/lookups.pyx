"""Lookup assembly; see lookups.pxd.

Queries are given to lookups as they are sent, once and for good: by the client's address and the name asked for, then by
what the stubs do (stubs.pxd): the other family, the next name of a search list, retries with and without new ids, the same
over TCP.  A lookup is over when its stub can send nothing more, and is judged then (verdicts.pxd).  Lookups leave in the
order of their numbers.
"""
cimport cython
from libc.stdint cimport INT64_MIN, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcmp, memcpy, memmove, memset

import os

from dnscap.native.answers cimport answer_loops, read_answer
from dnscap.native.attempts cimport *
from dnscap.native.datagrams cimport TRANSPORT_TCP
from dnscap.native.decoder cimport Batch
from dnscap.native.exchanges cimport *
from dnscap.native.grouping cimport SERIAL, begins_anew, continues, fits, settling
from dnscap.native.lookup_columns cimport LookupBatch, write_out
from dnscap.native.stubs cimport STUB_MUSL, STUB_UNKNOWN, STUBS, fingerprint
from dnscap.native.tcp cimport STREAM_IDLE, STREAM_OPEN, STREAM_UNANSWERED, Connection, Turn
from dnscap.native.upstreams cimport (
    Upstream, UpstreamQuery, upstream_close, upstream_dial, upstream_of, upstream_open, upstream_query,
)
from dnscap.native.verdicts cimport judge

cdef enum:
    CUT_OFTEN = 20             # one part in so many of the time with a query in flight
    TYPE_AAAA = 28
    TYPE_ANY = 255
    TYPE_IXFR = 251
    TYPE_AXFR = 252
    PORT_MDNS = 5353
    PORT_LLMNR = 5355

# Limits of state; what they make us give up is counted.
cdef enum:
    MOST_LOOKUPS = 1 << 20     # open, or over and waiting for an older one: about 1 GiB at worst, 50 times what a busy resolver's clients keep open
    FEW_LOOKUPS = 1 << 12      # so few are kept open for longer, and fit the cache
    MOST_SPARE = 1 << 12
    MOST_CLIENTS = 1 << 18
    MOST_NOTES = 1 << 16       # servers with a memory; an authoritative-side capture of a resolver meets some ten thousand
    MOST_CHAIN = 64            # lookups with the same key that are looked at: a flood of one name must not cost a walk of all of them
    MOST_WAITING = 32          # connections tried without a lookup yet

cdef int64_t MS = 1000000

cdef enum:                     # nanoseconds
    SKEW = 1000000             # clocks of captures: an event may seem to come this much before its cause
cdef int64_t NEVER = INT64_MIN
cdef int64_t IDLE = 120000000000            # a silent connection is given up after this
cdef int64_t STILL_FORWARDS = 10000000000
cdef int64_t LONG_SINCE = 29000000000      # the matcher gives up by itself after 30 s

cdef enum:
    LISTS = 7
cdef int64_t[7] WAITS          # how long a lookup of each list stays open after its last event
WAITS[0] = 150 * MS            # answered: the other family asked late
WAITS[1] = 3000 * MS           # answered over TCP: how the connection ended
WAITS[2] = 6500 * MS           # a failure (musl and Go may ask again after 5 s), or an answer still out that came too late
WAITS[3] = 13000 * MS          # no answer yet, timer known to be 5 s or less
WAITS[4] = 31000 * MS          # no answer yet
WAITS[5] = 70000 * MS
WAITS[6] = 260000 * MS         # connecting: the kernel's last wait of a blocking connect

cdef struct Node:              # of the index
    uint64_t hash
    Lookup* l
    uint32_t after             # in its chain; 0 none
    uint32_t before

cdef struct Client:
    uint64_t[2] address        # all zero: free
    uint64_t latest            # number of its latest lookup
    uint32_t lookups
    uint32_t iterates          # queries without recursion desired, or passed on: a resolver
    int64_t passed             # when it was last seen to pass on a query of a client
    uint16_t last_id
    uint8_t forwards
    uint8_t fixed              # uses one id for different questions
    uint16_t[20] votes         # for each Stub: without EDNS, with

cdef struct Waiting:           # a connection without a lookup yet
    Dial dial
    uint64_t[2] client

cdef struct Assembly:
    Lookup** ring              # by number
    uint32_t ring_mask
    uint64_t first             # number of the oldest lookup in the ring
    uint64_t next              # number of the next new one
    Lookup* oldest[7]
    Lookup* newest[7]
    Node* nodes
    uint32_t node_room
    uint32_t free_node
    uint32_t* buckets
    uint32_t bucket_mask
    uint32_t node_used
    Client* clients
    uint32_t client_mask
    uint32_t client_count
    ServerNote* notes
    uint32_t* note_slots
    uint32_t note_count
    Waiting[32] waiting
    uint32_t waiting_at
    int64_t now
    int64_t begun              # first event
    int64_t busy               # time that queries waited for the answers they got, summed
    uint64_t seed
    uint64_t forced_over       # lookups closed early because of MOST_LOOKUPS
    uint64_t forgotten         # times that clients' habits were forgotten because of MOST_CLIENTS
    uint64_t passed_on         # queries of forwarders that belong to a lookup of their client
    Lookup* spare              # lookups that are over, to be used again
    uint32_t spare_count
    uint8_t loopback           # a loopback address was asked: its host may forward from another
    Upstream upstream
    Connection* ended          # connections that are over, until the clock has come to their end
    uint32_t ended_count
    uint32_t ended_room
    uint8_t failed             # no memory


cdef inline uint64_t stir(uint64_t h) noexcept nogil:
    h ^= h >> 31
    h *= <uint64_t>0x9FB21C651E98DF25
    h ^= h >> 28
    return h


cdef inline uint64_t hash_text(uint64_t seed, const uint8_t* text, uint32_t size) noexcept nogil:
    cdef uint64_t h = seed, x
    cdef uint32_t i = 0
    while i + 8 <= size:
        memcpy(&x, text + i, 8)
        h = (h ^ x) * <uint64_t>0x9E3779B97F4A7C15
        h ^= h >> 29
        i += 8
    x = size
    while i < size:
        x = x << 8 | text[i]
        i += 1
    return stir((h ^ x) * <uint64_t>0xD6E8FEB86659FD93)


cdef inline uint64_t hash_client(uint64_t seed, const uint64_t* client) noexcept nogil:
    return stir((seed ^ client[0]) * <uint64_t>0x9E3779B97F4A7C15 ^ client[1])


cdef inline uint32_t label_size(const uint8_t* name, uint32_t size) noexcept nogil:
    """Octets of the first label and its dot."""
    cdef uint32_t i = 0
    while i < size:
        if name[i] == c'\\':
            i += 2
            continue
        if name[i] == c'.':
            return i + 1
        i += 1
    return size


# ---------------------------------------------------------------- the index

cdef enum KeyKind:
    KEY_NAME = 1               # client and the name now asked for
    KEY_LABEL = 2              # client and first label: candidates of one search walk share it
    KEY_QUESTION = 3           # the name, whoever asks
    KEY_STREAM = 4


cdef bint widen_index(Assembly* t) noexcept nogil:
    cdef uint32_t room = t.node_room * 2 if t.node_room else 1024
    cdef Node* nodes = <Node*>realloc(t.nodes, <size_t>room * sizeof(Node))
    cdef uint32_t* buckets
    cdef uint32_t i, at
    if nodes == NULL:
        return False
    t.nodes = nodes
    buckets = <uint32_t*>calloc(room, sizeof(uint32_t))
    if buckets == NULL:
        return False
    free(t.buckets)
    t.buckets = buckets
    t.bucket_mask = room - 1
    for i in range(1, t.node_used):
        if nodes[i].l == NULL:
            continue
        at = <uint32_t>nodes[i].hash & t.bucket_mask
        nodes[i].before = 0
        nodes[i].after = buckets[at]
        if buckets[at]:
            nodes[buckets[at]].before = i
        buckets[at] = i
    t.node_room = room
    return True


cdef void link(Assembly* t, Lookup* l, uint64_t hash) noexcept nogil:
    cdef uint32_t i, at
    if l.node_count == 8:
        return
    for i in range(l.node_count):
        if t.nodes[l.nodes[i]].hash == hash:
            return
    if t.free_node:
        i = t.free_node
        t.free_node = t.nodes[i].after
    else:
        if t.node_used >= t.node_room and not widen_index(t):
            t.failed = 1
            return
        i = t.node_used
        t.node_used += 1
    at = <uint32_t>hash & t.bucket_mask
    t.nodes[i].hash = hash
    t.nodes[i].l = l
    t.nodes[i].before = 0
    t.nodes[i].after = t.buckets[at]
    if t.buckets[at]:
        t.nodes[t.buckets[at]].before = i
    t.buckets[at] = i
    l.nodes[l.node_count] = i
    l.node_count += 1


cdef void unlink_node(Assembly* t, uint32_t i) noexcept nogil:
    cdef Node* n = &t.nodes[i]
    if n.before:
        t.nodes[n.before].after = n.after
    else:
        t.buckets[<uint32_t>n.hash & t.bucket_mask] = n.after
    if n.after:
        t.nodes[n.after].before = n.before
    n.l = NULL
    n.after = t.free_node
    t.free_node = i


cdef void unlink_key(Assembly* t, Lookup* l, uint64_t hash) noexcept nogil:
    cdef uint32_t i
    for i in range(l.node_count):
        if t.nodes[l.nodes[i]].hash == hash:
            unlink_node(t, l.nodes[i])
            l.node_count -= 1
            l.nodes[i] = l.nodes[l.node_count]
            return


cdef void unlink_all(Assembly* t, Lookup* l) noexcept nogil:
    cdef uint32_t i
    for i in range(l.node_count):
        unlink_node(t, l.nodes[i])
    l.node_count = 0


cdef inline uint64_t name_key(const Assembly* t, const uint64_t* client, uint64_t text) noexcept nogil:
    return hash_client(text + KEY_NAME, client)


cdef inline uint64_t label_key(const Assembly* t, const uint64_t* client, const uint8_t* name, uint32_t size) noexcept nogil:
    return hash_text(hash_client(t.seed + KEY_LABEL, client), name, label_size(name, size))


cdef inline uint64_t question_key(const Assembly* t, uint64_t text) noexcept nogil:
    return text + KEY_QUESTION


cdef inline uint64_t stream_key(const Assembly* t, uint32_t stream) noexcept nogil:
    return stir((t.seed + KEY_STREAM) ^ stream)


# ---------------------------------------------------------------- clients and servers

cdef Client* client_of(Assembly* t, const uint64_t* address) noexcept nogil:
    cdef uint32_t i, j
    cdef Client* old
    cdef uint32_t mask
    i = <uint32_t>hash_client(t.seed, address) & t.client_mask
    while t.clients[i].lookups or t.clients[i].iterates:
        if t.clients[i].address[0] == address[0] and t.clients[i].address[1] == address[1]:
            return &t.clients[i]
        i = (i + 1) & t.client_mask
    if t.client_count * 2 > t.client_mask:
        if t.client_count >= MOST_CLIENTS:
            memset(t.clients, 0, (<size_t>t.client_mask + 1) * sizeof(Client))
            t.client_count = 0
            t.forgotten += 1
        else:
            old = t.clients
            mask = t.client_mask
            t.clients = <Client*>calloc((<size_t>mask + 1) * 2, sizeof(Client))
            if t.clients == NULL:
                t.clients = old
                t.failed = 1
                return NULL
            t.client_mask = mask * 2 + 1
            for j in range(mask + 1):
                if old[j].lookups or old[j].iterates:
                    i = <uint32_t>hash_client(t.seed, old[j].address) & t.client_mask
                    while t.clients[i].lookups or t.clients[i].iterates:
                        i = (i + 1) & t.client_mask
                    t.clients[i] = old[j]
            free(old)
        i = <uint32_t>hash_client(t.seed, address) & t.client_mask
        while t.clients[i].lookups or t.clients[i].iterates:
            i = (i + 1) & t.client_mask
    t.clients[i].address[0] = address[0]
    t.clients[i].address[1] = address[1]
    t.clients[i].latest = NO_LOOKUP
    t.client_count += 1
    return &t.clients[i]       # the caller counts something in it, which takes the place


cdef uint32_t note_of(Assembly* t, const uint64_t* address, bint enter) noexcept nogil:
    """Where a server is noted; NO_NOTE where it is not, or cannot be."""
    cdef uint32_t i = <uint32_t>hash_client(t.seed, address) & (2 * MOST_NOTES - 1)
    cdef ServerNote* n
    while t.note_slots[i]:
        n = &t.notes[t.note_slots[i] - 1]
        if n.address[0] == address[0] and n.address[1] == address[1]:
            return t.note_slots[i] - 1
        i = (i + 1) & (2 * MOST_NOTES - 1)
    if not enter or t.note_count == MOST_NOTES:
        return NO_NOTE
    n = &t.notes[t.note_count]
    memset(n, 0, sizeof(ServerNote))
    n.address[0] = address[0]
    n.address[1] = address[1]
    n.last_answer = -1
    t.note_count += 1
    t.note_slots[i] = t.note_count
    return t.note_count - 1


cdef inline bint is_loopback(const uint64_t* address) noexcept nogil:
    cdef const uint8_t* p = <const uint8_t*>address
    if address[0] == 0 and p[8] == 0 and p[9] == 0 and p[10] == 0xFF and p[11] == 0xFF:
        return p[12] == 127
    return address[0] == 0 and p[15] == 1 and p[8] == 0 and p[14] == 0


# ---------------------------------------------------------------- one lookup

cdef inline const uint8_t* current_name(const Lookup* l, uint32_t* size) noexcept nogil:
    cdef uint32_t i = l.candidate_count - 1
    size[0] = l.names[i + 1] - l.names[i]
    return l.text + l.names[i]


cdef bint is_current(const Lookup* l, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef uint32_t n
    cdef const uint8_t* p = current_name(l, &n)
    return n == size and memcmp(p, name, size) == 0


cdef bint add_name(Lookup* l, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef uint32_t at = l.names[l.candidate_count]
    cdef uint8_t* text
    if at + size > l.text_room:
        text = <uint8_t*>realloc(l.text, (at + size) * 2)
        if text == NULL:
            return False
        l.text = text
        l.text_room = (at + size) * 2
    memcpy(l.text + at, name, size)
    l.candidate_count += 1
    l.names[l.candidate_count] = at + size
    return True


cdef void destroy(Lookup* l) noexcept nogil:
    free(l.attempts)
    free(l.text)
    free(l.records)
    free(l.dials)
    free(l)


cdef Lookup* obtain(Assembly* t) noexcept nogil:
    """A lookup with nothing in it; the room of one that is over is used again."""
    cdef Lookup* l = t.spare
    cdef Lookup kept
    if l == NULL:
        return <Lookup*>calloc(1, sizeof(Lookup))
    t.spare = l.later
    t.spare_count -= 1
    kept.attempts = l.attempts
    kept.attempt_room = l.attempt_room
    kept.text = l.text
    kept.text_room = l.text_room
    kept.records = l.records
    kept.record_room = l.record_room
    memset(l, 0, sizeof(Lookup))
    l.attempts = kept.attempts
    l.attempt_room = kept.attempt_room
    l.text = kept.text
    l.text_room = kept.text_room
    l.records = kept.records
    l.record_room = kept.record_room
    return l


cdef void give_back(Assembly* t, Lookup* l) noexcept nogil:
    if t.spare_count >= MOST_SPARE or l.attempt_room > 32 or l.record_room > 4096:
        destroy(l)
        return
    free(l.dials)
    l.later = t.spare
    t.spare = l
    t.spare_count += 1


cdef Dial* add_dial(Assembly* t, Lookup* l) noexcept nogil:
    """Room for one more connection; NULL where there is none."""
    if l.dials == NULL:
        l.dials = <Dial*>malloc(MOST_DIALS * sizeof(Dial))
        if l.dials == NULL:
            t.failed = 1
            return NULL
    if l.dial_count == MOST_DIALS:
        return NULL
    l.dial_count += 1
    return &l.dials[l.dial_count - 1]


cdef void enlist(Assembly* t, Lookup* l, uint8_t which) noexcept nogil:
    """Put the lookup at the end of a list of those that wait equally long from now."""
    delist(t, l)
    l.list = which
    l.deadline = t.now + WAITS[which]
    l.earlier = t.newest[which]
    l.later = NULL
    if t.newest[which] != NULL:
        t.newest[which].later = l
    else:
        t.oldest[which] = l
    t.newest[which] = l


cdef void delist(Assembly* t, Lookup* l) noexcept nogil:
    if l.list == LISTS:
        return
    if l.earlier != NULL:
        l.earlier.later = l.later
    else:
        t.oldest[l.list] = l.later
    if l.later != NULL:
        l.later.earlier = l.earlier
    else:
        t.newest[l.list] = l.earlier
    l.list = LISTS


cdef void settle(Assembly* t, Lookup* l) noexcept nogil:
    """Find out where the lookup stands after an event, and how long it may still go on."""
    cdef uint32_t i, j
    cdef Attempt* a
    cdef Attempt* b
    cdef uint8_t now_at = <uint8_t>(l.candidate_count - 1)
    cdef bint complete = True, answered = True, positive = False, lost = False, tcp = False, truncated = False, cut = False, good
    cdef int64_t gap = 0, before = -1
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if before >= 0 and a.time - before > gap:
            gap = a.time - before
        before = a.time
        if a.answered < 0:
            lost = True
        if a.transport == TRANSPORT_TCP:
            tcp = True
        if a.flags & ATTEMPT_FRAGMENT:
            cut = True
        if a.candidate != now_at:
            continue
        # The verdict over a type is that of any good answer, or else of its latest attempt.
        good = False
        for j in range(l.attempt_count):
            b = &l.attempts[j]
            if b.candidate == now_at and b.qtype == a.qtype and settling(b.outcome):
                good = True
                break
        if good:
            if a.outcome == OUTCOME_ANSWER:
                positive = True
            continue
        complete = False
        b = a
        for j in range(i + 1, l.attempt_count):
            if l.attempts[j].candidate == now_at and l.attempts[j].qtype == a.qtype:
                b = &l.attempts[j]
        if b.outcome == OUTCOME_TRUNCATED:
            truncated = True
        if b.answered < 0 or b.outcome == OUTCOME_TRUNCATED:
            answered = False
    l.complete = complete
    if answered:
        l.negative = not positive
        l.step = t.now
    else:
        l.negative = 0
        l.step = -1
    if complete:
        # Where the answer is lost behind the capture, the stub asks again; room permitting, that is waited for.
        enlist(t, l, 3 if cut else 2 if lost or t.next - t.first < FEW_LOOKUPS else 1 if tcp or l.dial_count else 0)
    elif answered:
        enlist(t, l, 2)
    else:
        for i in range(l.dial_count):
            if l.dials[i].ended < 0 and truncated:
                enlist(t, l, 6)
                return
        if truncated:
            enlist(t, l, 2)
        elif gap == 0 or gap > 5500 * MS:
            enlist(t, l, 4 if gap < 14000 * MS else 5)
        else:
            enlist(t, l, 3)


cdef Attempt* add_attempt(Assembly* t, Lookup* l, const Exchange* ex, uint8_t role) noexcept nogil:
    cdef Attempt* a
    cdef uint32_t room, i
    l.queries += 1
    l.last = max(l.last, ex.time)
    if l.attempt_count == MOST_ATTEMPTS:
        return NULL
    if l.attempt_count == l.attempt_room:
        room = l.attempt_room * 2 if l.attempt_room else 6
        a = <Attempt*>realloc(l.attempts, room * sizeof(Attempt))
        if a == NULL:
            t.failed = 1
            return NULL
        l.attempts = a
        l.attempt_room = room
    a = &l.attempts[l.attempt_count]
    l.attempt_count += 1
    memset(a, 0, sizeof(Attempt))
    a.time = ex.time
    a.answered = a.opened = a.handshake = -1
    a.exchange = ex.number
    a.server[0] = ex.server[0]
    a.server[1] = ex.server[1]
    a.first = ex.first
    a.stream = ex.stream
    a.note = note_of(t, ex.server, True)
    a.port = ex.client_port
    a.server_port = ex.server_port
    a.id = ex.id
    a.qtype = ex.qtype
    a.edns_size = ex.edns_udp_size
    a.sent = ex.flags & (EXCHANGE_EDNS | EXCHANGE_DO | EXCHANGE_AD | EXCHANGE_CD | EXCHANGE_RD | EXCHANGE_COOKIE)
    a.transport = ex.transport
    a.candidate = <uint8_t>(l.candidate_count - 1)
    a.role = role
    if a.transport == TRANSPORT_TCP:
        link(t, l, stream_key(t, ex.stream))
    return a


# ---------------------------------------------------------------- events

cdef bint passed_on(Assembly* t, const Exchange* ex, const uint8_t* name, uint32_t size, uint64_t text, const Client* c) noexcept nogil:
    """Whether a forwarder sends the query for a client whose own query is in the capture too."""
    cdef uint64_t key = question_key(t, text)
    cdef uint32_t at = t.buckets[<uint32_t>key & t.bucket_mask]
    cdef uint32_t seen = 0, i
    cdef const Lookup* l
    cdef const Attempt* a
    cdef uint32_t note = note_of(t, ex.client, False)
    cdef bint serves = note != NO_NOTE and t.notes[note].asked > 0
    if not serves and not c.iterates and not t.loopback and (ex.client[0] != ex.server[0] or ex.client[1] != ex.server[1]):
        return False
    while at and seen < MOST_CHAIN:
        if t.nodes[at].hash == key:
            seen += 1
            l = t.nodes[at].l
            if (l.client[0] != ex.client[0] or l.client[1] != ex.client[1]) and is_current(l, name, size):
                for i in range(l.attempt_count):
                    a = &l.attempts[l.attempt_count - 1 - i]
                    if a.qtype != ex.qtype or a.time > ex.time + SKEW or a.answered >= 0 and a.answered < ex.time - SKEW:
                        continue
                    if a.server[0] == ex.server[0] and a.server[1] == ex.server[1]:
                        continue
                    if a.server[0] == ex.client[0] and a.server[1] == ex.client[1]:
                        return True
                    if ex.client[0] == ex.server[0] and ex.client[1] == ex.server[1]:
                        return True    # a host asks itself
                    if serves or is_loopback(a.server) and not is_loopback(ex.client) or c.iterates:
                        return True
        at = t.nodes[at].after
    return False


cdef void take_dial(Assembly* t, Lookup* l, const Exchange* ex) noexcept nogil:
    """A query over TCP for which the connection was tried before the lookup was known."""
    cdef uint32_t i, at
    cdef uint64_t key
    cdef Lookup* o
    cdef Dial* d
    cdef Waiting* w
    for i in range(MOST_WAITING):
        w = &t.waiting[i]
        if w.dial.syns and w.dial.stream == ex.stream:
            d = add_dial(t, l)
            if d == NULL:
                return
            d[0] = w.dial
            w.dial.syns = 0
            if l.attempt_count == 0:
                l.time = min(l.time, l.dials[l.dial_count - 1].time)
            return
    # Or taken for another lookup's, whose answer was truncated at the same time.
    key = stream_key(t, ex.stream)
    at = t.buckets[<uint32_t>key & t.bucket_mask]
    while at:
        o = t.nodes[at].l
        if t.nodes[at].hash == key and o != l:
            for i in range(o.dial_count):
                if o.dials[i].stream == ex.stream:
                    d = add_dial(t, l)
                    if d != NULL:
                        d[0] = o.dials[i]
                    o.dial_count -= 1
                    o.dials[i] = o.dials[o.dial_count]
                    unlink_key(t, o, key)
                    settle(t, o)
                    return
        at = t.nodes[at].after


cdef Lookup* begin(Assembly* t, const Exchange* ex, const uint8_t* name, uint32_t size, uint64_t text, Client* c) noexcept nogil:
    cdef Lookup* l
    cdef Lookup* before
    cdef Lookup** ring
    cdef uint64_t i
    cdef uint32_t mask
    if t.next - t.first > t.ring_mask:
        mask = t.ring_mask * 2 + 1
        ring = <Lookup**>malloc((<size_t>mask + 1) * sizeof(Lookup*))
        if ring == NULL:
            t.failed = 1
            return NULL
        for i in range(t.first, t.next):
            ring[i & mask] = t.ring[i & t.ring_mask]
        free(t.ring)
        t.ring = ring
        t.ring_mask = mask
    l = obtain(t)
    if l == NULL or not add_name(l, name, size):
        if l != NULL:
            destroy(l)
        t.failed = 1
        return NULL
    l.number = t.next
    l.time = l.last = ex.time
    l.next_start = l.step = -1
    l.client[0] = ex.client[0]
    l.client[1] = ex.client[1]
    l.sent = ex.flags
    l.edns_size = ex.edns_udp_size
    l.list = LISTS
    t.ring[t.next & t.ring_mask] = l
    t.next += 1
    if c.latest != NO_LOOKUP and c.latest >= t.first:
        before = t.ring[c.latest & t.ring_mask]
        if before.next_start < 0:
            before.next_start = ex.time
    if c.lookups and c.last_id == ex.id:
        c.fixed = 1
    c.last_id = ex.id
    c.latest = l.number
    c.lookups += 1
    l.text_hash = text
    link(t, l, name_key(t, l.client, text))
    link(t, l, label_key(t, l.client, name, size))
    link(t, l, question_key(t, text))
    return l


cdef Lookup* find(Assembly* t, const Exchange* ex, const uint8_t* name, uint32_t size, uint64_t text, const Client* c,
                  uint8_t* role) noexcept nogil:
    """The open lookup that a query belongs to, with its role there; NULL where it begins one."""
    cdef uint64_t key = name_key(t, ex.client, text)
    cdef uint32_t at = t.buckets[<uint32_t>key & t.bucket_mask], seen = 0
    cdef Lookup* l
    cdef Lookup* best = NULL
    cdef Lookup* serial = NULL
    cdef uint8_t r
    cdef bint anew = False
    while at and seen < MOST_CHAIN:
        if t.nodes[at].hash == key:
            seen += 1
            l = t.nodes[at].l
            if not l.closed and l.client[0] == ex.client[0] and l.client[1] == ex.client[1] and is_current(l, name, size):
                r = fits(l, ex, c.fixed)
                if r & SERIAL:
                    if serial == NULL:
                        serial = l
                elif r != ROLE_NONE and (best == NULL or r != ROLE_COMPANION and role[0] == ROLE_COMPANION):
                    best = l
                    role[0] = r
        at = t.nodes[at].after
    if best != NULL:
        return best
    key = label_key(t, ex.client, name, size)
    at = t.buckets[<uint32_t>key & t.bucket_mask]
    seen = 0
    while at and seen < MOST_CHAIN:
        if t.nodes[at].hash == key:
            seen += 1
            l = t.nodes[at].l
            if not l.closed and l.client[0] == ex.client[0] and l.client[1] == ex.client[1]:
                if continues(l, ex, name, size):
                    if best == NULL or anew or l.step < best.step:
                        best = l
                        anew = False
                elif best == NULL and l.candidate_count > 1 and begins_anew(l, ex) and l.candidate_count < MOST_CANDIDATES \
                        and l.names[1] == size and memcmp(l.text, name, size) == 0:
                    best = l
                    anew = True
        at = t.nodes[at].after
    if best == NULL:
        role[0] = ROLE_COMPANION if serial != NULL else ROLE_PRIMARY
        return serial
    unlink_key(t, best, name_key(t, best.client, best.text_hash))
    unlink_key(t, best, question_key(t, best.text_hash))
    if not add_name(best, name, size):
        t.failed = 1
        return NULL
    if anew:
        best.walk = <uint8_t>(best.candidate_count - 1)
    best.text_hash = text
    link(t, best, name_key(t, best.client, text))
    link(t, best, question_key(t, text))
    role[0] = ROLE_RETRANSMISSION if anew else ROLE_SEARCH
    return best


cdef void on_query(Assembly* t, Exchanges exchanges, uint64_t number) noexcept nogil:
    cdef Exchange* ex = exchanges.row(number)
    cdef Client* c
    cdef Lookup* l
    cdef const uint8_t* name
    cdef uint32_t size, note
    cdef uint64_t text
    cdef uint8_t role = ROLE_PRIMARY
    if ex == NULL or ex.opcode != 0 or ex.flags & EXCHANGE_NO_QUESTION or ex.query == NO_MESSAGE:
        return
    if ex.server_port == PORT_MDNS or ex.server_port == PORT_LLMNR:
        return
    if ex.qtype == TYPE_AXFR or ex.qtype == TYPE_IXFR:
        return
    c = client_of(t, ex.client)
    if c == NULL:
        return
    name = <const uint8_t*>exchanges.dictionary.names.text + exchanges.dictionary.names.text_offsets[ex.qname]
    size = exchanges.dictionary.names.text_offsets[ex.qname + 1] - exchanges.dictionary.names.text_offsets[ex.qname]
    if not ex.flags & EXCHANGE_RD:
        c.iterates += 1
        upstream_query(&t.upstream, ex, name, size)
        return
    text = hash_text(t.seed, name, size)
    l = find(t, ex, name, size, text, c, &role)
    if l == NULL:
        # What a forwarder asks besides, to follow aliases or to validate, is for its clients too.
        if passed_on(t, ex, name, size, text, c):
            c.forwards = 1
            c.passed = ex.time
            c.iterates += 1
            t.passed_on += 1
            upstream_query(&t.upstream, ex, name, size)
            return
        if c.forwards and ex.time - c.passed < STILL_FORWARDS:
            t.passed_on += 1
            upstream_query(&t.upstream, ex, name, size)
            return
        if t.next - t.first >= MOST_LOOKUPS:
            t.forced_over += 1
            over(t, t.ring[t.first & t.ring_mask], False)
        l = begin(t, ex, name, size, text, c)
        if l == NULL:
            return
    if ex.transport == TRANSPORT_TCP:
        take_dial(t, l, ex)
    add_attempt(t, l, ex, role)
    t.loopback |= is_loopback(ex.server)
    note = note_of(t, ex.server, True)
    if note != NO_NOTE:
        t.notes[note].asked += 1
        t.notes[note].silent += 1
        t.notes[note].last_asked = ex.time
    ex.lookup = l.number
    ex.role = role
    settle(t, l)


cdef inline Lookup* open_lookup(Assembly* t, uint64_t number) noexcept nogil:
    cdef Lookup* l
    if number < t.first or number >= t.next:
        return NULL
    l = t.ring[number & t.ring_mask]
    return NULL if l.closed else l


cdef inline Attempt* attempt_of(Lookup* l, uint64_t exchange) noexcept nogil:
    cdef uint32_t i
    for i in range(l.attempt_count):
        if l.attempts[l.attempt_count - 1 - i].exchange == exchange:
            return &l.attempts[l.attempt_count - 1 - i]
    return NULL


cdef void on_answer(Assembly* t, Exchanges exchanges, const Happening* h, Batch batch) noexcept nogil:
    cdef Exchange* ex = exchanges.row(h.exchange)
    cdef Lookup* l
    cdef Attempt* a
    cdef UpstreamQuery* u
    cdef uint32_t note
    if ex == NULL:
        return
    if ex.lookup == NO_LOOKUP:
        u = upstream_of(&t.upstream, h.exchange)
        if u != NULL and h.kind == HAPPENED_ANSWER:
            u.answered = h.time
            u.outcome = ex.outcome
            if h.row != NO_MESSAGE and batch is not None:
                u.loop = answer_loops(batch, h.row)
        return
    note = note_of(t, ex.server, False)
    if note != NO_NOTE and h.kind == HAPPENED_ANSWER:
        t.notes[note].answered += 1
        t.notes[note].silent = 0
        t.notes[note].answered_aaaa += ex.qtype == TYPE_AAAA
        t.notes[note].last_answer = max(t.notes[note].last_answer, h.time)
    l = open_lookup(t, ex.lookup)
    if l == NULL:
        return
    a = attempt_of(l, h.exchange)
    if a == NULL:
        return
    if h.kind == HAPPENED_ANSWER:
        a.answered = h.time
        a.outcome = ex.outcome
        a.rcode = ex.rcode
        if a.qtype == TYPE_ANY and ex.outcome == OUTCOME_NODATA and ex.answers:
            a.outcome = OUTCOME_ANSWER
        if a.outcome == OUTCOME_ANSWER:
            l.answer_count += ex.answers
        t.busy += max(h.time - a.time, <int64_t>0)
        if h.row != NO_MESSAGE and batch is not None:
            if read_answer(l, a, batch, h.row) != 0:
                t.failed = 1
    elif h.kind == HAPPENED_UNREACHABLE:
        if a.answered >= 0:
            return
        a.answered = h.time
        a.outcome = OUTCOME_UNREACHABLE
    elif a.answered < 0 and a.transport == TRANSPORT_TCP and ex.outcome == OUTCOME_UNANSWERED and h.time - a.time < LONG_SINCE:
        # Both sides closed the connection.
        a.answered = h.time
        a.outcome = OUTCOME_UNREACHABLE
        a.flags |= ATTEMPT_CLOSED
    else:
        return
    l.last = max(l.last, h.time)
    settle(t, l)


cdef void on_extra(Assembly* t, Exchanges exchanges, const Happening* h) noexcept nogil:
    """An answer to nothing that was asked: where it came to the port of a query that waits, its stub threw it away."""
    cdef Exchange* ex = exchanges.row(h.exchange)
    cdef uint64_t i = t.next
    cdef uint32_t seen = 0, j
    cdef Lookup* l
    cdef Attempt* a
    if ex == NULL or ex.outcome != OUTCOME_UNSOLICITED:
        return
    while i > t.first and seen < MOST_CHAIN:
        i -= 1
        seen += 1
        l = t.ring[i & t.ring_mask]
        if l.closed or l.client[0] != ex.client[0] or l.client[1] != ex.client[1]:
            continue
        for j in range(l.attempt_count):
            a = &l.attempts[j]
            if a.answered < 0 and a.port == ex.client_port and a.server[0] == ex.server[0] and a.server[1] == ex.server[1] \
                    and a.time <= h.time and (a.id == ex.id or a.qtype == ex.qtype):
                a.flags |= ATTEMPT_BOGUS
                return


cdef void on_turn(Assembly* t, const Turn* turn, uint8_t kind) noexcept nogil:
    """A TCP connection was tried, opened or refused."""
    cdef Lookup* l = NULL
    cdef Lookup* best = NULL
    cdef Dial* d
    cdef Client* c
    cdef Waiting* w
    cdef uint32_t i, j
    cdef uint64_t number
    cdef uint32_t at = t.buckets[<uint32_t>stream_key(t, turn.stream) & t.bucket_mask]
    if t.upstream.any:
        upstream_dial(&t.upstream, turn.client, turn.server, turn.stream, turn.time, kind == HAPPENED_CONNECTED)
    while at:
        if t.nodes[at].hash == stream_key(t, turn.stream):
            best = t.nodes[at].l
        at = t.nodes[at].after
    if kind == HAPPENED_SYN:
        if best == NULL:
            best = truncated_at(t, turn)
        if best != NULL:
            for i in range(best.dial_count):
                if best.dials[i].stream == turn.stream:
                    best.dials[i].last = turn.time
                    best.dials[i].syns = <uint8_t>min(turn.syns, <uint32_t>255)
                    best.last = max(best.last, turn.time)
                    settle(t, best)
                    return
            d = add_dial(t, best)
            if d == NULL:
                return
            link(t, best, stream_key(t, turn.stream))
        else:
            d = NULL
            for i in range(MOST_WAITING):
                if t.waiting[i].dial.syns and t.waiting[i].dial.stream == turn.stream:
                    t.waiting[i].dial.last = turn.time
                    t.waiting[i].dial.syns = <uint8_t>min(turn.syns, <uint32_t>255)
                    return
            w = &t.waiting[t.waiting_at]
            t.waiting_at = (t.waiting_at + 1) % MOST_WAITING
            w.client[0] = turn.client[0]
            w.client[1] = turn.client[1]
            d = &w.dial
        d.time = d.last = turn.time
        d.ended = -1
        d.server[0] = turn.server[0]
        d.server[1] = turn.server[1]
        d.stream = turn.stream
        d.port = turn.client_port
        d.syns = <uint8_t>max(min(turn.syns, <uint32_t>255), <uint32_t>1)
        d.refused = 0
        if best != NULL:
            best.last = max(best.last, turn.time)
            settle(t, best)
        return
    if best == NULL:
        for i in range(MOST_WAITING):
            if t.waiting[i].dial.syns and t.waiting[i].dial.stream == turn.stream:
                t.waiting[i].dial.ended = turn.time
                t.waiting[i].dial.refused = kind == HAPPENED_REFUSED
        return
    for i in range(best.dial_count):
        if best.dials[i].stream == turn.stream:
            best.dials[i].ended = turn.time
            best.dials[i].refused = kind == HAPPENED_REFUSED
            best.last = max(best.last, turn.time)
            settle(t, best)


cdef Lookup* truncated_at(Assembly* t, const Turn* turn) noexcept nogil:
    """The lookup whose truncated answer makes its client connect to the server."""
    cdef Lookup* l
    cdef Lookup* best = NULL
    cdef int64_t latest = NEVER
    cdef int16_t score
    cdef uint32_t i, k, seen = 0
    cdef uint8_t[2] lists
    lists[0] = 2
    lists[1] = 6
    # Such lookups wait in one of two lists; the latest stand last.
    for k in range(2):
        l = t.newest[lists[k]]
        seen = 0
        while l != NULL and seen < MOST_CHAIN:
            seen += 1
            if l.client[0] == turn.client[0] and l.client[1] == turn.client[1] and not l.closed:
                for i in range(l.attempt_count):
                    if l.attempts[i].outcome == OUTCOME_TRUNCATED and l.attempts[i].server[0] == turn.server[0] \
                            and l.attempts[i].server[1] == turn.server[1] and turn.time - l.attempts[i].answered < 1000 * MS:
                        # The stub connects as soon as it has read the answer; musl of old not at all.
                        if l.attempts[i].answered > latest and fingerprint(l, &score) != STUB_MUSL:
                            best = l
                            latest = l.attempts[i].answered
            l = l.earlier
    return best


cdef void carry(Assembly* t, Lookup* l, const Connection* c) noexcept nogil:
    """Truncated answers were fetched over a connection of which the capture holds no whole message."""
    cdef uint32_t i, k, count = l.attempt_count
    cdef Attempt* a
    cdef Attempt* from_
    for k in range(count):
        from_ = &l.attempts[k]
        if from_.outcome != OUTCOME_TRUNCATED or from_.candidate != l.candidate_count - 1 or l.attempt_count == l.attempt_room:
            continue
        a = &l.attempts[l.attempt_count]
        a[0] = from_[0]
        for i in range(l.dial_count):
            if l.dials[i].stream == c.stream:
                a.time = max(l.dials[i].ended, l.dials[i].time)
        a.answered = c.end_time
        a.exchange = NO_LOOKUP
        a.first = 0
        a.transport = TRANSPORT_TCP
        a.stream = c.stream
        a.outcome = OUTCOME_ANSWER
        a.flags = ATTEMPT_CUT | ATTEMPT_WANTED
        a.role = ROLE_TCP_FALLBACK
        l.attempt_count += 1
    l.answer_count += <uint32_t>min(c.octets_to_client // 28, <uint64_t>4096)
    settle(t, l)


cdef void on_closed(Assembly* t, const Connection* c) noexcept nogil:
    """A connection is over: what it lost, and which of its queries stay unanswered."""
    cdef uint32_t at = t.buckets[<uint32_t>stream_key(t, c.stream) & t.bucket_mask], i
    cdef Lookup* l
    cdef Attempt* a
    cdef bint changed, carried
    while at:
        if t.nodes[at].hash == stream_key(t, c.stream) and not t.nodes[at].l.closed:
            l = t.nodes[at].l
            changed = carried = False
            for i in range(l.attempt_count):
                if l.attempts[i].transport == TRANSPORT_TCP and l.attempts[i].stream == c.stream:
                    carried = True
            if not carried and c.octets_to_client > 12:
                carry(t, l, c)
                return
            for i in range(l.attempt_count):
                a = &l.attempts[i]
                if a.transport != TRANSPORT_TCP or a.stream != c.stream:
                    continue
                a.again = <uint8_t>min(c.retransmissions, <uint32_t>255)
                if a.flags & ATTEMPT_CLOSED and c.octets_to_client > 12 and c.responses < c.queries:
                    # It was answered; the capture does not hold the answer.
                    a.outcome = OUTCOME_ANSWER
                    a.flags = a.flags & ~ATTEMPT_CLOSED | ATTEMPT_CUT
                    changed = True
                    continue
                if a.answered < 0 and c.end != STREAM_OPEN:
                    a.answered = c.end_time
                    changed = True
                    if c.octets_to_client > 12 and c.responses < c.queries:
                        a.outcome = OUTCOME_ANSWER
                        a.flags |= ATTEMPT_CUT
                    else:
                        a.outcome = OUTCOME_UNREACHABLE
                        a.flags |= ATTEMPT_CLOSED
            if changed:
                settle(t, l)
                return
        at = t.nodes[at].after


# ---------------------------------------------------------------- ends

cdef void over(Assembly* t, Lookup* l, bint finished) noexcept nogil:
    """Judge a lookup; it leaves when all before it have left."""
    cdef Surroundings s
    cdef Client* c
    cdef int16_t score
    cdef uint8_t stub
    cdef uint32_t i, best = 0, side = 10 if l.sent & EXCHANGE_EDNS else 0
    if l.closed:
        return
    stub = fingerprint(l, &score)
    c = client_of(t, l.client)
    if c != NULL:
        if c.lookups == 0:
            c.lookups = 1
        for i in range(STUBS):
            if c.votes[side + i] > c.votes[side + best]:
                best = i
        if c.votes[side + stub] < 60000 and stub != STUB_UNKNOWN:
            c.votes[side + stub] += <uint16_t>score
        if score < 12 and c.votes[side + best] > score:
            stub = <uint8_t>best
    l.end.stub = stub
    s.notes = t.notes
    s.upstream = &t.upstream
    s.now = t.now
    s.finished = finished
    # Where queries are in flight for a small part of the time, it is unlikely that the capture ended just then.
    s.cut = finished and t.busy * CUT_OFTEN >= t.now - t.begun
    judge(l, &s)
    delist(t, l)
    unlink_all(t, l)
    l.closed = 1


cdef void expire(Assembly* t, int64_t now) noexcept nogil:
    """Close the lookups whose time is up, in the order of their deadlines."""
    cdef uint32_t i, best
    while True:
        best = LISTS
        for i in range(LISTS):
            if t.oldest[i] != NULL and t.oldest[i].deadline < now \
                    and (best == LISTS or t.oldest[i].deadline < t.oldest[best].deadline):
                best = i
        if best == LISTS:
            break
        over(t, t.oldest[best], False)


cdef inline int64_t known_at(const Connection* c) noexcept nogil:
    """When the end of a connection is known: of a silent one, after the silence."""
    return c.end_time + IDLE if c.end == STREAM_IDLE or c.end == STREAM_UNANSWERED or c.end == STREAM_OPEN else c.end_time


cdef int by_end(const void* a, const void* b) noexcept nogil:
    cdef int64_t x = known_at(<const Connection*>a)
    cdef int64_t y = known_at(<const Connection*>b)
    return -1 if x < y else 1 if x > y else 0


cdef int take_ended(Assembly* t, Batch batch) noexcept nogil:
    """Keep the connections that a batch says are over: its messages may be older than that."""
    cdef Connection* rows
    cdef uint32_t room = t.ended_count + batch.closed_count
    if batch.closed_count == 0:
        return 0
    if room > t.ended_room:
        rows = <Connection*>realloc(t.ended, 2 * <size_t>room * sizeof(Connection))
        if rows == NULL:
            t.failed = 1
            return -1
        t.ended = rows
        t.ended_room = 2 * room
    memcpy(&t.ended[t.ended_count], batch.closed, batch.closed_count * sizeof(Connection))
    t.ended_count = room
    qsort(t.ended, room, sizeof(Connection), by_end)
    return 0


cdef void pass_time(Assembly* t, int64_t now) noexcept nogil:
    cdef uint32_t i = 0
    while i < t.ended_count and known_at(&t.ended[i]) <= now:
        on_closed(t, &t.ended[i])
        i += 1
    if t.begun == NEVER:
        t.begun = now
    if i:
        t.ended_count -= i
        memmove(t.ended, t.ended + i, t.ended_count * sizeof(Connection))
    t.now = now
    expire(t, now)


cdef int leave(Lookups me) noexcept nogil:
    """Write out the lookups that are over, as far as no older one is open."""
    cdef Assembly* t = me.table
    cdef Lookup* l
    while t.first < t.next:
        l = t.ring[t.first & t.ring_mask]
        if not l.closed:
            break
        if not write_out(&me.batch.columns, l):
            return -1
        me.batch.count += 1
        give_back(t, l)
        t.first += 1
    return -1 if t.failed else 0


@cython.final
cdef class Lookups:
    """Puts exchanges together into lookups, batch by batch.

    Attributes
    ----------
    open : int
        Lookups that are not over, or wait for an older one that is not.
    """

    def __cinit__(self):
        cdef Assembly* t = <Assembly*>calloc(1, sizeof(Assembly))
        self.table = t
        self.batch = LookupBatch()
        if t == NULL:
            raise MemoryError("no memory for lookups")
        t.ring_mask = 1023
        t.ring = <Lookup**>malloc(1024 * sizeof(Lookup*))
        t.client_mask = 255
        t.clients = <Client*>calloc(256, sizeof(Client))
        t.notes = <ServerNote*>malloc(MOST_NOTES * sizeof(ServerNote))
        t.note_slots = <uint32_t*>calloc(2 * MOST_NOTES, sizeof(uint32_t))
        t.node_used = 1
        t.now = t.begun = NEVER
        t.seed = int.from_bytes(os.urandom(8), "little")
        if not upstream_open(&t.upstream) or t.ring == NULL or t.clients == NULL or t.notes == NULL or t.note_slots == NULL or not widen_index(t):
            raise MemoryError("no memory for lookups")

    def __dealloc__(self):
        cdef Assembly* t = self.table
        cdef Lookup* l
        cdef uint64_t i
        if t == NULL:
            return
        if t.ring != NULL:
            for i in range(t.first, t.next):
                destroy(t.ring[i & t.ring_mask])
        while t.spare != NULL:
            l = t.spare
            t.spare = l.later
            l.dials = NULL
            destroy(l)
        free(t.ring)
        free(t.clients)
        free(t.notes)
        free(t.note_slots)
        free(t.nodes)
        free(t.buckets)
        free(t.ended)
        upstream_close(&t.upstream)
        free(t)

    cdef int assemble(self, Exchanges exchanges, Batch batch) noexcept nogil:
        cdef Assembly* t = self.table
        cdef const Happening* h
        cdef uint32_t i
        if batch is not None and take_ended(t, batch) != 0:
            return -1
        for i in range(exchanges.happening_count):
            h = &exchanges.happenings[i]
            if h.time > t.now:
                pass_time(t, h.time)
            if h.kind == HAPPENED_QUERY:
                on_query(t, exchanges, h.exchange)
            elif h.kind == HAPPENED_EXTRA:
                on_extra(t, exchanges, h)
            elif h.kind == HAPPENED_ANSWER or h.kind == HAPPENED_UNREACHABLE or h.kind == HAPPENED_EXPIRED and batch is not None:
                on_answer(t, exchanges, h, batch)
            elif h.kind == HAPPENED_SYN or h.kind == HAPPENED_CONNECTED or h.kind == HAPPENED_REFUSED:
                on_turn(t, &exchanges.turns[h.row], h.kind)
            if t.failed:
                return -1
        exchanges.happening_count = exchanges.turn_count = 0
        return leave(self)

    cdef int tick(self, int64_t now) noexcept nogil:
        if now > self.table.now:
            pass_time(self.table, now)
        return leave(self)

    cdef int finish(self) noexcept nogil:
        cdef Assembly* t = self.table
        cdef uint64_t i
        cdef uint32_t k
        for k in range(t.ended_count):
            on_closed(t, &t.ended[k])
        t.ended_count = 0
        for i in range(t.first, t.next):
            over(t, t.ring[i & t.ring_mask], True)
        return leave(self)

    @property
    def open(self):
        return self.table.next - self.table.first

    def counts(self):
        """What limits made it give up, and queries left to their client's lookup.

        Returns
        -------
        dict of str to int
        """
        return {
            "lookups_closed_early": self.table.forced_over,
            "clients_forgotten": self.table.forgotten,
            "queries_passed_on": self.table.passed_on,
        }

    def hold(self, Exchanges exchanges not None):
        """Keep exchanges where they can be read until `feed` has seen them; call it before they are fed a batch."""
        exchanges.keep_from = 0

    def feed(self, Exchanges exchanges not None, Batch batch=None):
        """Take in what the batch that `exchanges` was fed last did; without one, what the passing of time did."""
        cdef int bad
        with nogil:
            bad = self.assemble(exchanges, batch)
        exchanges.keep_from = <uint64_t>-1
        if bad:
            raise MemoryError("no memory for lookups")

    def pass_time(self, int64_t now):
        """Capture time has come to `now` (nanoseconds since the epoch) without a message."""
        cdef int bad
        with nogil:
            bad = self.tick(now)
        if bad:
            raise MemoryError("no memory for lookups")

    def close(self):
        """The capture ends."""
        cdef int bad
        with nogil:
            bad = self.finish()
        if bad:
            raise MemoryError("no memory for lookups")

    def take(self):
        """The lookups that are over and were not taken yet.

        Returns
        -------
        LookupBatch
        """
        batch = self.batch
        self.batch = LookupBatch()
        return batch
