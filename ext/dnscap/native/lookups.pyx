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
from cpython.bytes cimport PyBytes_FromStringAndSize

import os

from dnscap.native.attempts cimport *
from dnscap.native.datagrams cimport NO_STREAM, TRANSPORT_TCP, TRANSPORT_UDP
from dnscap.native.decoder cimport Batch
from dnscap.native.exchanges cimport *
from dnscap.native.frames cimport *
from dnscap.native.stubs cimport STUB_DIG, STUB_MUSL, STUB_UNKNOWN, STUBS, fingerprint
from dnscap.native.tcp cimport STREAM_IDLE, STREAM_OPEN, STREAM_UNANSWERED, Connection, Turn
from dnscap.native.text cimport Text, text_close, text_open, text_reserve
from dnscap.native.upstreams cimport (
    Upstream, UpstreamQuery, upstream_close, upstream_dial, upstream_of, upstream_open, upstream_query,
)
from dnscap.native.verdicts cimport judge

cdef extern from "status.h" nogil:
    const int STATUS_FIRST_FRAGMENT

cdef enum:
    CUT_OFTEN = 20
    SERIAL = 0x40              # of a role that `fits` gives: only a guess, by time
    LARGE = 24                 # addresses that do not fit the first buffer of glibc's getaddrinfo
    TYPE_A = 1
    TYPE_CNAME = 5
    TYPE_AAAA = 28
    TYPE_HTTPS = 65
    TYPE_ANY = 255
    TYPE_IXFR = 251
    TYPE_AXFR = 252
    PORT_MDNS = 5353
    PORT_LLMNR = 5355

# Limits of state; what they make us give up is counted.
cdef enum:
    MOST_LOOKUPS = 1 << 20     # open, or over and waiting for an older one: about 1 GiB at worst, 50 times what a busy resolver's clients keep open
    FEW_LOOKUPS = 1 << 15      # so few are kept open for longer
    MOST_CLIENTS = 1 << 18
    MOST_NOTES = 1 << 16       # servers with a memory; an authoritative-side capture of a resolver meets some ten thousand
    MOST_CHAIN = 64            # lookups with the same key that are looked at: a flood of one name must not cost a walk of all of them
    MOST_WAITING = 32          # connections tried without a lookup yet

cdef int64_t MS = 1000000

cdef enum:                     # nanoseconds
    SKEW = 1000000             # clocks of captures: an event may seem to come this much before its cause
    AT_ONCE = 40000000         # a stub that goes on by itself does so within this, on a busy machine
    NEXT_NAME = 5000000        # the next name of a search list, where the names alone do not tell
    TOGETHER = 20000000        # threads of one lookup start within this
    RETRY = 200000000          # the shortest timer of a stub that uses a new id for each try
    TICK = 25000000            # tolerance of a timer of whole seconds
    FORWARDED = 20000000       # a forwarder passes a query on within this
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


cdef uint32_t common(const uint8_t* a, uint32_t na, const uint8_t* b, uint32_t nb) noexcept nogil:
    """Octets of the whole labels, last dot included, with which both names begin."""
    cdef uint32_t i = 0, whole = 0
    while i < na and i < nb and a[i] == b[i]:
        i += 1
        if a[i - 1] == c'.' and not (i > 1 and a[i - 2] == c'\\'):
            whole = i
    return whole


cdef inline bint ends_with(const uint8_t* name, uint32_t size, const uint8_t* suffix, uint32_t n) noexcept nogil:
    if n > size or memcmp(name + size - n, suffix, n) != 0:
        return False
    return n == size or n == 0 or name[size - n - 1] == c'.'


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


cdef inline uint64_t name_key(const Assembly* t, const uint64_t* client, const uint8_t* name, uint32_t size) noexcept nogil:
    return hash_text(hash_client(t.seed + KEY_NAME, client), name, size)


cdef inline uint64_t label_key(const Assembly* t, const uint64_t* client, const uint8_t* name, uint32_t size) noexcept nogil:
    return hash_text(hash_client(t.seed + KEY_LABEL, client), name, label_size(name, size))


cdef inline uint64_t question_key(const Assembly* t, const uint8_t* name, uint32_t size) noexcept nogil:
    return hash_text(t.seed + KEY_QUESTION, name, size)


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
    free(l)


cdef inline bint address_type(uint16_t qtype) noexcept nogil:
    return qtype == TYPE_A or qtype == TYPE_AAAA or qtype == TYPE_HTTPS


cdef inline bint failing(uint8_t outcome) noexcept nogil:
    return OUTCOME_SERVFAIL <= outcome <= OUTCOME_OTHER_RCODE or outcome == OUTCOME_REFERRAL or outcome == OUTCOME_UNREACHABLE


cdef inline bint settling(uint8_t outcome) noexcept nogil:
    return outcome == OUTCOME_ANSWER or outcome == OUTCOME_NODATA or outcome == OUTCOME_NXDOMAIN


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


cdef uint8_t fits(Assembly* t, const Lookup* l, const Exchange* ex, bint fixed) noexcept nogil:
    """The role that a query for the lookup's current name would have in it; ROLE_NONE where it is not one of its own."""
    cdef uint32_t i
    cdef const Attempt* a
    cdef const Attempt* p = NULL       # latest of the same type
    cdef const Attempt* same = NULL    # latest of the same type and id
    cdef const Attempt* begun = NULL   # first for this name
    cdef uint8_t now_at = <uint8_t>(l.candidate_count - 1)
    cdef uint16_t bits = EXCHANGE_AD | EXCHANGE_CD | EXCHANGE_DO
    cdef bint keeps = False, one_port = False, stream = False, refused = False, truncated = False, plain, alike
    cdef int64_t gap, rest
    cdef uint32_t lost = 0
    cdef bint unanswered = False
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if i and a.port == l.attempts[0].port and a.qtype != l.attempts[0].qtype and a.transport == TRANSPORT_UDP:
            keeps = True               # stubs that ask both families from one port keep their ids
        if a.candidate != now_at:
            continue
        if a.answered < 0:
            unanswered = True
        if begun == NULL:
            begun = a
        if a.qtype == ex.qtype:
            if p != NULL and p.id == a.id and a.transport == p.transport:
                keeps = True
            p = a
            lost += a.answered < 0
            if a.id == ex.id:
                same = a
            if a.outcome == OUTCOME_TRUNCATED:
                truncated = True
        if a.port == ex.client_port and a.transport == ex.transport and a.server_port == ex.server_port:
            one_port = True
        if a.transport == TRANSPORT_TCP and ex.transport == TRANSPORT_TCP and a.stream == ex.stream:
            stream = True
    if begun == NULL:
        return ROLE_NONE
    for i in range(l.dial_count):
        if l.dials[i].refused or l.dials[i].ended < 0:
            refused = True
    plain = l.sent & EXCHANGE_EDNS and not ex.flags & EXCHANGE_EDNS
    alike = (l.sent ^ ex.flags) & bits == 0 and ((l.sent ^ ex.flags) & EXCHANGE_EDNS == 0)
    if same != NULL:
        # Once all is answered, the same id is no proof where the client always uses the same.
        if l.complete and ex.time - l.step > AT_ONCE and not unanswered and (fixed or ex.time - same.time < RETRY):
            return ROLE_NONE
        if ex.transport == TRANSPORT_TCP and same.transport == TRANSPORT_UDP:
            return ROLE_TCP_FALLBACK
        if plain and same.sent & EXCHANGE_EDNS:
            return ROLE_EDNS_FALLBACK
        if same.server[0] != ex.server[0] or same.server[1] != ex.server[1]:
            if same.answered < 0 and ex.time - same.time < TOGETHER:
                return ROLE_PARALLEL
            return ROLE_FAILOVER
        return ROLE_RETRANSMISSION
    if p != NULL:
        if begins_anew(l, ex):
            return ROLE_RETRANSMISSION
        if ex.transport == TRANSPORT_TCP:
            if truncated and (ex.time - p.time < 3000 * MS):
                return ROLE_TCP_FALLBACK
            if p.transport != TRANSPORT_TCP or not alike or p.answered >= 0 and not p.flags & ATTEMPT_CLOSED and not failing(p.outcome):
                return ROLE_NONE
            return ROLE_RETRANSMISSION
        if settling(p.outcome) and not p.flags & ATTEMPT_FRAGMENT or l.complete and not p.flags & ATTEMPT_FRAGMENT:
            return ROLE_NONE
        if keeps and not plain or not alike and not plain:
            return ROLE_NONE
        gap = ex.time - p.time
        if plain and p.answered < 0 and lost < 2:
            return ROLE_NONE           # who tries without EDNS because of silence has tried with it before
        if p.answered < 0 or p.flags & ATTEMPT_FRAGMENT:
            if gap < RETRY and not p.flags & ATTEMPT_BOGUS:
                return ROLE_NONE
        elif p.outcome == OUTCOME_TRUNCATED and not refused:
            return ROLE_NONE
        elif ex.time - p.answered > AT_ONCE:
            # Some go on waiting after a failure, and ask again when their timer of whole seconds is up.
            rest = gap % (1000 * MS)
            if gap < 900 * MS or TICK < rest < 1000 * MS - TICK or begun.sent & EXCHANGE_COOKIE and begun.sent & EXCHANGE_AD:
                return ROLE_NONE
        elif not plain and begun.sent & EXCHANGE_AD and begun.edns_size != 1200 and p.server[0] == ex.server[0] \
                and p.server[1] == ex.server[1]:
            return ROLE_NONE           # a tool that was run again
        if plain:
            return ROLE_EDNS_FALLBACK
        if p.server[0] != ex.server[0] or p.server[1] != ex.server[1]:
            return ROLE_FAILOVER
        return ROLE_RETRANSMISSION
    if not address_type(ex.qtype) or not address_type(begun.qtype) or not alike:
        return ROLE_NONE
    if stream:
        return ROLE_COMPANION
    if begun.sent & EXCHANGE_EDNS and begun.sent & EXCHANGE_AD and begun.edns_size != 1200:
        return ROLE_NONE               # tools ask one question a run
    if one_port and (not l.complete or ex.time - l.step <= AT_ONCE):
        return ROLE_COMPANION
    if one_port and not fixed and ex.time - begun.time >= RETRY:
        return ROLE_COMPANION          # asked again; the first time it was lost before it came here
    if ex.time - begun.time <= TOGETHER:
        return ROLE_COMPANION | (SERIAL if l.complete else 0)
    if l.step >= 0 and ex.time - l.step <= AT_ONCE:
        return ROLE_COMPANION | SERIAL
    return ROLE_NONE


cdef inline bint begins_anew(const Lookup* l, const Exchange* ex) noexcept nogil:
    """Whether glibc asks everything again with a larger buffer, because the addresses did not fit."""
    return l.complete and l.answer_count >= LARGE and ex.time - l.step <= AT_ONCE \
        and (not l.sent & EXCHANGE_EDNS or l.edns_size == 1200) \
        and (l.sent ^ ex.flags) & (EXCHANGE_AD | EXCHANGE_CD | EXCHANGE_DO | EXCHANGE_EDNS) == 0


cdef bint continues(Assembly* t, const Lookup* l, const Exchange* ex, const uint8_t* name, uint32_t size) noexcept nogil:
    """Whether a query is for the next name of the lookup's walk over a search list."""
    cdef uint32_t i, n, n0, base, least, walk
    cdef const uint8_t* c
    cdef const uint8_t* c0 = l.text + l.names[l.walk]
    cdef bint asked = False
    if not l.negative or l.step < 0 or l.candidate_count == MOST_CANDIDATES:
        return False
    if ex.time - l.step > AT_ONCE or ex.time < l.step - SKEW:
        return False
    if (l.sent ^ ex.flags) & (EXCHANGE_AD | EXCHANGE_CD | EXCHANGE_DO | EXCHANGE_EDNS):
        return False
    for i in range(l.attempt_count):
        if l.attempts[i].qtype == ex.qtype:
            asked = True
    if not asked:
        return False
    n0 = l.names[l.walk + 1] - l.names[l.walk]
    walk = n0
    least = common(c0, n0, name, size)
    for i in range(l.walk, l.candidate_count):
        c = l.text + l.names[i]
        n = l.names[i + 1] - l.names[i]
        if n == size and memcmp(c, name, size) == 0:
            return False
        walk = min(walk, common(c0, n0, c, n))
    if least < 2:
        return False
    if l.candidate_count > l.walk + 1 and least >= walk:
        return True                    # begins as all names of the walk do
    # The name itself among them, or suffixes that lie in one another, as in Kubernetes.
    for i in range(l.walk, l.candidate_count):
        c = l.text + l.names[i]
        n = l.names[i + 1] - l.names[i]
        base = common(c, n, name, size)
        if base == n or base == size or ends_with(c + base, n - base, name + base, size - base):
            return True
    if l.candidate_count > l.walk + 1 or ex.time - l.step > NEXT_NAME:
        return False
    # Two suffixes of their own; names that end alike are rather two names under one suffix.
    return alike_labels(c0, n0, name, size) < 3


cdef uint32_t alike_labels(const uint8_t* a, uint32_t na, const uint8_t* b, uint32_t nb) noexcept nogil:
    """How many labels both names have in common at their end."""
    cdef uint32_t i = 1, count = 0
    while i < na and i < nb:
        if a[na - 1 - i] != b[nb - 1 - i]:
            return count
        if a[na - 1 - i] == c'.':
            count += 1
        i += 1
    return count


# ---------------------------------------------------------------- events

cdef bint passed_on(Assembly* t, const Exchange* ex, const uint8_t* name, uint32_t size, const Client* c) noexcept nogil:
    """Whether a forwarder sends the query for a client whose own query is in the capture too."""
    cdef uint32_t at = t.buckets[<uint32_t>question_key(t, name, size) & t.bucket_mask]
    cdef uint32_t seen = 0, i
    cdef uint64_t key = question_key(t, name, size)
    cdef const Lookup* l
    cdef const Attempt* a
    cdef uint32_t note = note_of(t, ex.client, False)
    cdef bint serves = note != NO_NOTE and t.notes[note].asked > 0
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
    cdef Waiting* w
    for i in range(MOST_WAITING):
        w = &t.waiting[i]
        if w.dial.syns and w.dial.stream == ex.stream and l.dial_count < MOST_DIALS:
            l.dials[l.dial_count] = w.dial
            l.dial_count += 1
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
                    if l.dial_count < MOST_DIALS:
                        l.dials[l.dial_count] = o.dials[i]
                        l.dial_count += 1
                    o.dial_count -= 1
                    o.dials[i] = o.dials[o.dial_count]
                    unlink_key(t, o, key)
                    settle(t, o)
                    return
        at = t.nodes[at].after


cdef Lookup* begin(Assembly* t, const Exchange* ex, const uint8_t* name, uint32_t size, Client* c) noexcept nogil:
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
    l = <Lookup*>calloc(1, sizeof(Lookup))
    if l == NULL or not add_name(l, name, size):
        free(l)
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
    link(t, l, name_key(t, l.client, name, size))
    link(t, l, label_key(t, l.client, name, size))
    link(t, l, question_key(t, name, size))
    return l


cdef Lookup* find(Assembly* t, const Exchange* ex, const uint8_t* name, uint32_t size, const Client* c,
                  uint8_t* role) noexcept nogil:
    """The open lookup that a query belongs to, with its role there; NULL where it begins one."""
    cdef uint64_t key = name_key(t, ex.client, name, size)
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
                r = fits(t, l, ex, c.fixed)
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
                if continues(t, l, ex, name, size):
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
    unlink_key(t, best, name_key(t, best.client, best.text + best.names[best.candidate_count - 1],
                                 best.names[best.candidate_count] - best.names[best.candidate_count - 1]))
    unlink_key(t, best, question_key(t, best.text + best.names[best.candidate_count - 1],
                                     best.names[best.candidate_count] - best.names[best.candidate_count - 1]))
    if not add_name(best, name, size):
        t.failed = 1
        return NULL
    if anew:
        best.walk = <uint8_t>(best.candidate_count - 1)
    link(t, best, name_key(t, best.client, name, size))
    link(t, best, question_key(t, name, size))
    role[0] = ROLE_RETRANSMISSION if anew else ROLE_SEARCH
    return best


cdef void on_query(Assembly* t, Exchanges exchanges, uint64_t number) noexcept nogil:
    cdef Exchange* ex = exchanges.row(number)
    cdef Client* c
    cdef Lookup* l
    cdef const uint8_t* name
    cdef uint32_t size, note
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
    l = find(t, ex, name, size, c, &role)
    if l == NULL:
        # What a forwarder asks besides, to follow aliases or to validate, is for its clients too.
        if passed_on(t, ex, name, size, c):
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
        l = begin(t, ex, name, size, c)
        if l == NULL:
            return
    if ex.transport == TRANSPORT_TCP:
        take_dial(t, l, ex)
    add_attempt(t, l, ex, role)
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


cdef bint add_record(Lookup* l, uint16_t type_, uint8_t candidate, const uint8_t* rdata, uint32_t size) noexcept nogil:
    cdef uint8_t* p
    cdef uint32_t room
    cdef uint16_t s
    if l.record_count >= MOST_RECORDS or l.record_size + size + 6 > MOST_RECORD_OCTETS or size > 0xFFFF:
        return True
    if l.record_size + size + 6 > l.record_room:
        room = (l.record_size + size + 6) * 2
        p = <uint8_t*>realloc(l.records, room)
        if p == NULL:
            return False
        l.records = p
        l.record_room = room
    p = l.records + l.record_size
    s = <uint16_t>size
    memcpy(p, &type_, 2)
    memcpy(p + 2, &s, 2)
    p[4] = candidate
    p[5] = 0
    memcpy(p + 6, rdata, size)
    l.record_size += size + 6
    l.record_count += 1
    return True


cdef bint known_record(const Lookup* l, uint16_t type_, uint8_t candidate, const uint8_t* rdata, uint32_t size) noexcept nogil:
    cdef uint32_t at = 0
    cdef uint16_t kind, n
    while at < l.record_size:
        memcpy(&kind, l.records + at, 2)
        memcpy(&n, l.records + at + 2, 2)
        if kind == type_ and n == size and l.records[at + 4] == candidate and memcmp(l.records + at + 6, rdata, n) == 0:
            return True
        at += 6 + n
    return False


cdef void read_answer(Assembly* t, Lookup* l, Attempt* a, Batch batch, uint32_t row) noexcept nogil:
    """Keep the records of an answer, and what they say: aliases, loops."""
    cdef uint32_t low = first_record(batch, row), start, size, aliases = 0
    cdef uint16_t kind
    cdef const uint8_t* rdata
    if batch.columns.status[row] == STATUS_FIRST_FRAGMENT:
        a.flags |= ATTEMPT_FRAGMENT | ATTEMPT_CUT
    elif batch.columns.frames[row] > 1 and a.transport == TRANSPORT_UDP:
        a.flags |= ATTEMPT_IN_FRAGMENTS
    if batch.columns.direction[row] == DIRECTION_IN:
        a.flags |= ATTEMPT_TAKEN_IN
    while low < batch.record_columns.count and batch.record_columns.message[low] == row:
        if batch.record_columns.section[low] & 3 == 0:
            kind = batch.record_columns.type[low]
            start = batch.record_columns.rdata[low]
            size = batch.record_columns.rdata[low + 1] - start
            rdata = batch.record_columns.rdata_octets + start
            if kind == a.qtype or a.qtype == TYPE_ANY:
                a.flags |= ATTEMPT_WANTED
            if kind == TYPE_CNAME and a.qtype != TYPE_CNAME:
                aliases += 1
                a.flags |= ATTEMPT_ALIAS
                if aliases <= 16 and loops(batch, low, row, a.qtype):
                    a.flags |= ATTEMPT_LOOP
            if kind == a.qtype or kind == TYPE_CNAME or a.qtype == TYPE_ANY:
                if kind == TYPE_A and size == 4 or kind == TYPE_AAAA and size == 16 or l.record_size < 4096:
                    if l.record_count > 64 or not known_record(l, kind, a.candidate, rdata, size):
                        if not add_record(l, kind, a.candidate, rdata, size):
                            t.failed = 1
        low += 1


cdef bint answer_loops(Batch batch, uint32_t row) noexcept nogil:
    """Whether the aliases of an answer lead back to one of them."""
    cdef uint32_t low = first_record(batch, row), seen = 0
    while low < batch.record_columns.count and batch.record_columns.message[low] == row and seen < 16:
        if batch.record_columns.section[low] & 3 == 0 and batch.record_columns.type[low] == TYPE_CNAME and loops(batch, low, row, 0):
            return True
        low += 1
        seen += 1
    return False


cdef uint32_t first_record(Batch batch, uint32_t row) noexcept nogil:
    """Where the records of a message begin."""
    cdef uint32_t low = 0, high = batch.record_columns.count, middle
    while low < high:
        middle = (low + high) // 2
        if batch.record_columns.message[middle] < row:
            low = middle + 1
        else:
            high = middle
    return low


cdef bint loops(Batch batch, uint32_t at, uint32_t row, uint16_t qtype) noexcept nogil:
    """Whether the target of the alias at `at` is the owner of it or of an alias before it."""
    cdef uint32_t i = at, n, size = batch.record_columns.rdata[at + 1] - batch.record_columns.rdata[at]
    cdef const uint8_t* target = batch.record_columns.rdata_octets + batch.record_columns.rdata[at]
    cdef const uint8_t* owner
    while True:
        n = batch.record_columns.name[i]
        owner = <const uint8_t*>batch.dictionary.names.text + batch.dictionary.names.text_offsets[n]
        if spells(target, size, owner, batch.dictionary.names.text_offsets[n + 1] - batch.dictionary.names.text_offsets[n]):
            return True
        if i == 0 or at - i > 16 or batch.record_columns.message[i - 1] != row:
            return False
        i -= 1


cdef bint spells(const uint8_t* wire, uint32_t size, const uint8_t* text, uint32_t n) noexcept nogil:
    """Whether a wire-format name is the one in presentation format; names with escapes are taken to differ."""
    cdef uint32_t i = 0, at = 0, k
    cdef uint8_t c
    while at < size and wire[at]:
        if at + 1 + wire[at] > size or i + wire[at] + 1 > n:
            return False
        for k in range(wire[at]):
            c = wire[at + 1 + k]
            if c >= c'A' and c <= c'Z':
                c += 32
            if text[i] != c:
                return False
            i += 1
        if text[i] != c'.':
            return False
        i += 1
        at += wire[at] + 1
    return i == n


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
            read_answer(t, l, a, batch, h.row)
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
            if best.dial_count == MOST_DIALS:
                return
            d = &best.dials[best.dial_count]
            best.dial_count += 1
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
        if score < 10 and c.votes[side + best] > score:
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


cdef inline bint put_i32(Text* out, uint64_t number) noexcept nogil:
    cdef int32_t n = <int32_t>number
    if text_reserve(out, 4) != 0:
        return False
    memcpy(out.octets + out.size, &n, 4)
    out.size += 4
    return True


cdef inline bint put_octets(Text* out, const void* octets, size_t size) noexcept nogil:
    if text_reserve(out, size) != 0:
        return False
    memcpy(out.octets + out.size, octets, size)
    out.size += size
    return True


cdef bint write_out(LookupColumns* c, Lookup* l) noexcept nogil:
    cdef LookupRow row
    cdef uint32_t i, j, at, start
    cdef uint16_t n
    cdef bint known, good = True
    memset(&row, 0, sizeof(row))
    row.lookup = l.number
    row.time = l.time
    row.duration = l.end.duration
    row.duration_min = l.end.duration_min
    row.duration_max = l.end.duration_max
    for i in range(8):
        row.budget[i] = l.end.budget[i]
    row.client[0] = l.client[0]
    row.client[1] = l.client[1]
    row.queries = l.queries
    row.wasted = l.end.wasted
    row.retransmissions = l.end.retransmissions
    row.failovers = l.end.failovers
    row.end_basis = l.end.end_basis
    row.outcome = l.end.outcome
    row.name_certain = l.end.name_certain
    row.tcp_fallback = l.end.tcp_fallback
    row.edns_fallback = l.end.edns_fallback
    row.stub = l.end.stub
    good &= put_octets(&c.rows, &row, sizeof(row))
    good &= put_octets(&c.name, l.text + l.names[l.end.name], l.end.name_size)
    good &= put_i32(&c.name_ends, c.name.size)
    i = l.end.final
    good &= put_octets(&c.final_name, l.text + l.names[i], l.names[i + 1] - l.names[i])
    good &= put_i32(&c.final_ends, c.final_name.size)
    for i in range(l.candidate_count):
        if i >= l.walk and l.walk:
            break              # the same walk again
        good &= put_octets(&c.candidates, l.text + l.names[i], l.names[i + 1] - l.names[i])
        good &= put_i32(&c.candidate_ends, c.candidates.size)
    good &= put_i32(&c.candidate_lists, c.candidate_ends.size // 4 - 1)
    start = <uint32_t>c.servers.size
    for i in range(l.attempt_count):
        known = False
        at = start
        while at < c.servers.size:
            if memcmp(c.servers.octets + at, l.attempts[i].server, 16) == 0:
                known = True
                break
            at += 16
        if not known:
            good &= put_octets(&c.servers, l.attempts[i].server, 16)
    good &= put_i32(&c.server_lists, c.servers.size // 16)
    start = <uint32_t>c.types.size
    for i in range(l.attempt_count):
        known = False
        at = start
        while at < c.types.size:
            if memcmp(c.types.octets + at, &l.attempts[i].qtype, 2) == 0:
                known = True
                break
            at += 2
        if not known:
            good &= put_octets(&c.types, &l.attempts[i].qtype, 2)
    good &= put_i32(&c.type_lists, c.types.size // 2)
    good &= put_octets(&c.causes, l.end.causes, l.end.cause_count)
    good &= put_i32(&c.cause_lists, c.causes.size)
    # Records of the name that was answered; those of other candidates led nowhere.
    at = 0
    while at < l.record_size:
        memcpy(&n, l.records + at + 2, 2)
        if l.records[at + 4] == l.end.final:
            good &= put_octets(&c.records, l.records + at, 6 + n)
        at += 6 + n
    good &= put_i32(&c.record_lists, c.records.size)
    return good


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
        destroy(l)
        t.first += 1
    return -1 if t.failed else 0


@cython.final
cdef class LookupBatch:
    """Lookups that are over, in native columns.

    Attributes
    ----------
    count : int
        How many.
    """

    def __cinit__(self):
        cdef Text* columns = <Text*>&self.columns
        cdef uint32_t i
        for i in range(sizeof(LookupColumns) // sizeof(Text)):
            if text_open(&columns[i], 256) != 0:
                raise MemoryError("no memory for lookups")
        for i in (2, 4, 6, 7, 9, 11, 13, 15):
            put_i32(&columns[i], 0)

    def __dealloc__(self):
        cdef Text* columns = <Text*>&self.columns
        cdef uint32_t i
        for i in range(sizeof(LookupColumns) // sizeof(Text)):
            text_close(&columns[i])

    def column(self, str name):
        """A native column as octets; ``rows`` holds LookupRow structs, names ending in ``ends`` or ``lists`` offsets of 4 octets."""
        cdef Text* columns = <Text*>&self.columns
        cdef Text* c = &columns[COLUMN_ORDER.index(name)]
        return PyBytes_FromStringAndSize(<char*>c.octets, c.size)

    @property
    def row_size(self):
        """Octets of a LookupRow."""
        return sizeof(LookupRow)


cdef list COLUMN_ORDER = [
    "rows", "name", "name_ends", "final_name", "final_ends", "candidates", "candidate_ends", "candidate_lists",
    "servers", "server_lists", "types", "type_lists", "causes", "cause_lists", "records", "record_lists",
]


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
        cdef uint64_t i
        if t == NULL:
            return
        if t.ring != NULL:
            for i in range(t.first, t.next):
                destroy(t.ring[i & t.ring_mask])
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
