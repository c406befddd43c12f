"""Lookup assembly; see lookups.pxd.

Queries are given to lookups as they are sent, once and for good: by the client's address and the name asked for, then by
what the stubs do (stubs.pxd): the other family, the next name of a search list, retries with and without new ids, the same
over TCP.  A lookup is over when its stub can send nothing more, and is judged then (verdicts.pxd).  Lookups leave in the
order of their numbers.
"""
cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, int16_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memset

import os

from dnscap.native.acquaintances cimport (
    NO_PLACE, Client, acquaintances_close, acquaintances_open, begins_with, client_at, is_loopback, note_of, recognise, vote,
)
from dnscap.native.answers cimport answer_loops, read_answer
from dnscap.native.assembly cimport LISTS, MOST_CHAIN, Asked, Assembly, Face, Place
from dnscap.native.at_once cimport answered_at_once
from dnscap.native.attempts cimport *
from dnscap.native.chasing cimport await_chase, chases
from dnscap.native.datagrams cimport TRANSPORT_TCP
from dnscap.native.decoder cimport Batch
from dnscap.native.dials cimport known_at, on_closed, on_turn, take_dial, take_ended
from dnscap.native.exchanges cimport *
from dnscap.native.grouping cimport SERIAL, begins_anew, continues, fits
from dnscap.native.interning cimport NO_CODE, prefetch
from dnscap.native.losses cimport load_now, weigh_pair
from dnscap.native.lookup_index cimport (
    chain, hash_text, index_close, index_open, label_key, link, name_key, question_key, unlink_all, unlink_key,
)
from dnscap.native.lookup_columns cimport LookupBatch
from dnscap.native.messages cimport HAS_NAME, MessageColumns
from dnscap.native.naming cimport find_name, learn_name
from dnscap.native.open_lookups cimport (
    add_attempt, add_name, delist, destroy, give_back, is_current, obtain, open_lookup, prefetch_lookup,
    settle, settle_too,
)
from dnscap.native.packed cimport let_go, pack, packed_close, unpack
from dnscap.native.stubs cimport fingerprint
from dnscap.native.upstreams cimport (
    UpstreamQuery, upstream_answer, upstream_close, upstream_of, upstream_open, upstream_query,
)
from dnscap.native.verdicts cimport judge, weigh_losses

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
    MOST_LOOKUPS = 1 << 20     # open, or over and waiting for an older one: 15 s of 70,000 a second
    MOST_OPEN = 1 << 19        # 600 octets each as a rule, 300 MB; a busy resolver's clients keep some thousand open
    MOST_TAKEN = 1 << 14       # lookups of a batch

cdef enum:                     # nanoseconds
    SKEW = 1000000             # clocks of captures: an event may seem to come this much before its cause
cdef int64_t WENT_ON = 100000000           # a stub that goes on by itself has done so by then
cdef int64_t NEVER = INT64_MIN
cdef int64_t STILL_FORWARDS = 10000000000
cdef int64_t LONG_SINCE = 29000000000      # the matcher gives up by itself after 30 s

cdef enum:
    FAR = 16                   # happenings that are looked at ahead
    AHEAD = 32                 # a power of two, and more
    NEAR = 6                   # rows that are taken

cdef struct Ahead:
    uint64_t lookup            # of an answer; of a query, its client's latest
    Asked asked                # by a query; before its name is there, the code of it in place of the size

# ---------------------------------------------------------------- events

cdef bint passed_on(Assembly* t, const Exchange* ex, const Asked* q, const Client* c, uint32_t note) noexcept nogil:
    """Whether a forwarder sends the query for a client whose own query is in the capture too."""
    cdef uint64_t key = question_key(&t.index, q.text)
    cdef uint32_t at = t.index.buckets[<uint32_t>key & t.index.bucket_mask]
    cdef uint32_t seen = 0, i
    cdef const Lookup* l
    cdef const Attempt* a
    cdef bint serves = note != NO_NOTE and t.known.notes[note].asked > 0
    if not serves and not c.iterates and not t.loopback and (ex.client[0] != ex.server[0] or ex.client[1] != ex.server[1]):
        return False
    while at and seen < MOST_CHAIN:
        if t.index.nodes[at].hash == key:
            seen += 1
            l = t.index.nodes[at].l
            if (l.client[0] != ex.client[0] or l.client[1] != ex.client[1]) and is_current(l, q.name, q.size):
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
        at = t.index.nodes[at].after
    return False


cdef Lookup* begin(Assembly* t, const Exchange* ex, const Asked* q, Client* c) noexcept nogil:
    cdef Lookup* l
    cdef Lookup* before
    cdef Place* ring
    cdef uint64_t i
    cdef uint32_t mask
    if t.next - t.first > t.ring_mask:
        mask = t.ring_mask * 2 + 1
        ring = <Place*>malloc((<size_t>mask + 1) * sizeof(Place))
        if ring == NULL:
            t.failed = 1
            return NULL
        for i in range(t.first, t.next):
            ring[i & mask] = t.ring[i & t.ring_mask]
        free(t.ring)
        t.ring = ring
        t.ring_mask = mask
    l = obtain(t)
    if l == NULL or not add_name(l, q.name, q.size):
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
    t.ring[t.next & t.ring_mask].l = l
    t.ring[t.next & t.ring_mask].row = NULL
    t.next += 1
    t.open += 1
    before = open_lookup(t, c.latest)
    if before != NULL and before.next_start < 0:
        before.next_start = ex.time
    if c.silence or before != NULL and before.attempts[0].answered < 0:
        begins_with(c, ex, before)
    if c.lookups and c.last_id == ex.id:
        c.fixed = 1
    c.last_id = ex.id
    c.latest = l.number
    c.lookups += 1
    l.text_hash = q.text
    link(&t.index, l, q.by_name)
    link(&t.index, l, question_key(&t.index, q.text))
    return l


cdef Lookup* find(Assembly* t, const Exchange* ex, const Asked* q, const Client* c, uint8_t* role) noexcept nogil:
    """The open lookup that a query belongs to, with its role there; NULL where it begins one."""
    cdef const uint8_t* name = q.name
    cdef uint32_t size = q.size
    cdef uint64_t text = q.text
    cdef uint64_t key = q.by_name
    cdef uint32_t at = t.index.buckets[<uint32_t>key & t.index.bucket_mask], seen = 0
    cdef Lookup* l
    cdef Lookup* best = NULL
    cdef Lookup* serial = NULL
    cdef Lookup* chasing = NULL
    cdef uint8_t r, chase = ROLE_NONE
    cdef bint anew = False
    while at and seen < MOST_CHAIN:
        if t.index.nodes[at].hash == key:
            seen += 1
            l = t.index.nodes[at].l
            if l.client[0] == ex.client[0] and l.client[1] == ex.client[1] and is_current(l, name, size):
                r = fits(l, ex, c.fixed)
                if r & SERIAL:
                    if serial == NULL:
                        serial = l
                elif r != ROLE_NONE and (best == NULL or r != ROLE_COMPANION and role[0] == ROLE_COMPANION):
                    best = l
                    role[0] = r
            elif chasing == NULL and l.client[0] == ex.client[0] and l.client[1] == ex.client[1]:
                chase = chases(l, ex, name, size)
                if chase != ROLE_NONE:
                    chasing = l
        at = t.index.nodes[at].after
    if best != NULL:
        return best
    if chasing != NULL and serial == NULL:
        role[0] = chase
        return chasing
    key = q.by_label
    at = t.index.buckets[<uint32_t>key & t.index.bucket_mask]
    seen = 0
    while at and seen < MOST_CHAIN:
        if t.index.nodes[at].hash == key:
            seen += 1
            l = t.index.nodes[at].l
            if l.client[0] == ex.client[0] and l.client[1] == ex.client[1]:
                if continues(l, ex, name, size):
                    if best == NULL or anew or l.step < best.step:
                        best = l
                        anew = False
                elif best == NULL and l.candidate_count > 1 and begins_anew(l, ex) and l.candidate_count < MOST_CANDIDATES \
                        and l.names[1] == size and memcmp(l.text, name, size) == 0:
                    best = l
                    anew = True
        at = t.index.nodes[at].after
    if best == NULL:
        role[0] = ROLE_COMPANION if serial != NULL else ROLE_PRIMARY
        return serial
    unlink_key(&t.index, best, name_key(&t.index, best.client, best.text_hash))
    unlink_key(&t.index, best, question_key(&t.index, best.text_hash))
    if not add_name(best, name, size):
        t.failed = 1
        return NULL
    if anew:
        best.walk = <uint8_t>(best.candidate_count - 1)
    best.text_hash = text
    link(&t.index, best, name_key(&t.index, best.client, text))
    link(&t.index, best, question_key(&t.index, text))
    role[0] = ROLE_RETRANSMISSION if anew else ROLE_SEARCH
    return best


cdef inline uint32_t noted(Assembly* t, Face* f, const uint64_t* address, bint enter) noexcept nogil:
    """Where a server is noted; NO_NOTE where it is not, or cannot be."""
    if f.note == NO_NOTE and (enter or f.missed != t.known.note_count + 1):
        f.note = note_of(&t.known, address, enter)
        f.missed = t.known.note_count + 1
    return f.note


cdef bint meet(Assembly* t, uint32_t addresses) noexcept nogil:
    """Room for what is known of the addresses of a batch; False without memory."""
    cdef Face* faces
    cdef uint32_t i, room = t.face_room if t.face_room else 256
    if addresses > t.face_room:
        while room < addresses:
            room *= 2
        faces = <Face*>realloc(t.faces, room * sizeof(Face))
        if faces == NULL:
            return False
        t.faces = faces
        t.face_room = room
    for i in range(t.face_count, addresses):
        t.faces[i].place = NO_PLACE
        t.faces[i].note = NO_NOTE
        t.faces[i].missed = 0
    t.face_count = max(t.face_count, addresses)
    return True


cdef void on_query(Assembly* t, Exchanges exchanges, const Happening* h, Batch batch, const Asked* q) noexcept nogil:
    cdef Exchange told
    cdef Exchange* ex = &told
    cdef Client* c
    cdef Lookup* l
    cdef uint32_t note, load
    cdef Attempt* a
    cdef uint8_t role = ROLE_PRIMARY
    cdef Face* asker
    cdef Face* asked
    exchanges.tell(h, batch, ex)
    if ex.opcode != 0 or ex.flags & EXCHANGE_NO_QUESTION:
        return
    if ex.server_port == PORT_MDNS or ex.server_port == PORT_LLMNR:
        return
    if ex.qtype == TYPE_AXFR or ex.qtype == TYPE_IXFR:
        return
    if t.next - t.oldest_open >= MOST_LOOKUPS or t.open >= MOST_OPEN:
        t.forced_over += 1
        over(t, t.ring[t.oldest_open & t.ring_mask].l, False)
    asker = &t.faces[batch.columns.src[h.row]]
    asked = &t.faces[batch.columns.dst[h.row]]
    c = client_at(&t.known, ex.client, &asker.place, &asker.moves)
    if c == NULL:
        return
    if not ex.flags & EXCHANGE_RD:
        c.iterates += 1
        upstream_query(&t.upstream, ex, q.name, q.size)
        return
    l = find(t, ex, q, c, &role)
    if l == NULL:
        # What a forwarder asks besides, to follow aliases or to validate, is for its clients too.
        if passed_on(t, ex, q, c, noted(t, asker, ex.client, False)):
            c.forwards = 1
            c.passed = ex.time
            c.iterates += 1
            t.passed_on += 1
            upstream_query(&t.upstream, ex, q.name, q.size)
            return
        if c.forwards and ex.time - c.passed < STILL_FORWARDS:
            t.passed_on += 1
            upstream_query(&t.upstream, ex, q.name, q.size)
            return
        l = begin(t, ex, q, c)
        if l == NULL:
            return
        l.client_place = asker.place
        l.client_moves = asker.moves
    if ex.transport == TRANSPORT_TCP:
        settle_too(t, take_dial(t, l, ex))
    note = asked.note
    if note == NO_NOTE:
        note = noted(t, asked, ex.server, True)
        t.loopback |= is_loopback(ex.server)
    a = add_attempt(t, l, ex, role, note)
    if note != NO_NOTE:
        load = load_now(&t.known.notes[note], ex.time)
        if a != NULL:
            a.load = <uint8_t>load
        t.known.notes[note].asked += 1
        t.known.notes[note].asked_aaaa += ex.qtype == TYPE_AAAA
        t.known.notes[note].silent += 1
        t.known.notes[note].last_asked = ex.time
    exchanges.give(h.exchange, l.number, role)
    settle(t, l)


cdef inline Attempt* attempt_of(Lookup* l, uint64_t exchange) noexcept nogil:
    cdef uint32_t i
    for i in range(l.attempt_count):
        if l.attempts[l.attempt_count - 1 - i].exchange == exchange:
            return &l.attempts[l.attempt_count - 1 - i]
    return NULL


cdef void on_answer(Assembly* t, Exchanges exchanges, const Happening* h, Batch batch, uint64_t lookup) noexcept nogil:
    cdef Lookup* l
    cdef Attempt* a
    cdef UpstreamQuery* u
    cdef uint32_t note
    if lookup == NO_LOOKUP:
        lookup = exchanges.lookup_of(h.exchange)
    if lookup == NO_LOOKUP:
        u = upstream_of(&t.upstream, h.exchange)
        if u != NULL and h.kind == HAPPENED_ANSWER:
            upstream_answer(&t.upstream, u, h.time, h.outcome)
            if h.row != NO_MESSAGE and batch is not None:
                u.loop = answer_loops(batch, h.row, &t.near)
        return
    if h.kind == HAPPENED_ANSWER and h.row != NO_MESSAGE and batch is not None:
        note = noted(t, &t.faces[batch.columns.src[h.row]], batch.dictionary.addresses.keys + 2 * <size_t>batch.columns.src[h.row], False)
        if note != NO_NOTE:
            t.known.notes[note].answered += 1
            t.known.notes[note].silent = 0
            t.known.notes[note].answered_aaaa += batch.columns.qtype[h.row] == TYPE_AAAA
            t.known.notes[note].last_answer = max(t.known.notes[note].last_answer, h.time)
    l = open_lookup(t, lookup)
    if l == NULL:
        return
    a = attempt_of(l, h.exchange)
    if a == NULL:
        return
    if h.kind == HAPPENED_ANSWER:
        a.answered = h.time
        a.outcome = h.outcome
        a.rcode = h.rcode
        if a.qtype == TYPE_ANY and h.outcome == OUTCOME_NODATA and h.answers:
            a.outcome = OUTCOME_ANSWER
        if a.outcome == OUTCOME_ANSWER:
            l.answer_count += h.answers
        t.busy += max(h.time - a.time, <int64_t>0)
        if h.row != NO_MESSAGE and batch is not None:
            if read_answer(l, a, batch, h.row, &t.near) != 0:
                t.failed = 1
            if a.flags & (ATTEMPT_ALIAS | ATTEMPT_WANTED) == ATTEMPT_ALIAS:
                await_chase(t, l, a)
    elif h.kind == HAPPENED_UNREACHABLE:
        if a.answered >= 0:
            return
        a.answered = h.time
        a.outcome = OUTCOME_UNREACHABLE
    elif a.answered < 0 and a.transport == TRANSPORT_TCP and h.outcome == OUTCOME_UNANSWERED and h.time - a.time < LONG_SINCE:
        # Both sides closed the connection.
        a.answered = h.time
        a.outcome = OUTCOME_UNREACHABLE
        a.flags |= ATTEMPT_CLOSED
    else:
        return
    l.last = max(l.last, h.time)
    settle(t, l)


cdef void on_extra(Assembly* t, Exchanges exchanges, const Happening* h, Batch batch) noexcept nogil:
    """An answer to nothing that was asked: where it came to the port of a query that waits, its stub threw it away."""
    cdef Exchange told
    cdef Exchange* ex = &told
    cdef uint64_t i = t.next
    cdef uint32_t seen = 0, j
    cdef Lookup* l
    cdef Attempt* a
    if h.outcome != OUTCOME_UNSOLICITED:
        return
    exchanges.tell(h, batch, ex)
    while i > t.oldest_open and seen < MOST_CHAIN:
        i -= 1
        seen += 1
        l = t.ring[i & t.ring_mask].l
        if l == NULL or l.client[0] != ex.client[0] or l.client[1] != ex.client[1]:
            continue
        for j in range(l.attempt_count):
            a = &l.attempts[j]
            if a.answered < 0 and a.port == ex.client_port and a.server[0] == ex.server[0] and a.server[1] == ex.server[1] \
                    and a.time <= h.time and (a.id == ex.id or a.qtype == ex.qtype):
                a.flags |= ATTEMPT_BOGUS
                return


# ---------------------------------------------------------------- ends

cdef void over(Assembly* t, Lookup* l, bint finished) noexcept nogil:
    """Close a lookup; it leaves when all before it have left."""
    cdef Place* place = &t.ring[l.number & t.ring_mask]
    if t.judged:
        conclude(t, l, finished)
        place.row = pack(&t.packed, l)
        if place.row == NULL:
            t.failed = 1
    delist(t, l)
    unlink_all(&t.index, l)
    place.l = NULL
    give_back(t, l)
    t.open -= 1
    while t.oldest_open < t.next and t.ring[t.oldest_open & t.ring_mask].l == NULL:
        t.oldest_open += 1
    if not t.judged:
        t.first = t.oldest_open


cdef void conclude(Assembly* t, Lookup* l, bint finished) noexcept nogil:
    """Judge a lookup."""
    cdef Surroundings s
    cdef int16_t score
    cdef uint8_t stub
    memset(&t.end, 0, sizeof(t.end))
    l.end = &t.end
    if finished:
        stub = fingerprint(l, &score)
    else:
        stub = learn(t, l, &score)
    l.end.stub = recognise(&t.known, l, stub, score)
    if t.short_cuts and answered_at_once(l):
        call(t, l, finished)
        return
    s.notes = t.known.notes
    s.upstream = &t.upstream
    s.now = t.now
    s.finished = finished
    # Where queries are in flight for a small part of the time, it is unlikely that the capture ended just then.
    s.cut = finished and t.busy * CUT_OFTEN >= t.now - t.begun
    judge(l, &s)
    call(t, l, finished)


cdef uint8_t learn(Assembly* t, Lookup* l, int16_t* score) noexcept nogil:
    """Let a lookup that is over tell of its client and servers what it can."""
    cdef uint8_t stub = vote(&t.known, l, score)
    cdef Client* c = client_at(&t.known, l.client, &l.client_place, &l.client_moves)
    if c != NULL:
        learn_name(l, &c.expanding, t.index.seed, stub, t.now - l.last > WENT_ON)
    if l.attempt_count > 2 or l.attempt_count == 2 and l.attempts[0].qtype == l.attempts[1].qtype:
        weigh_losses(l, t.known.notes)
    elif l.attempt_count == 2 and l.attempts[0].note != NO_NOTE and t.known.notes[l.attempts[0].note].broken:
        weigh_pair(l, t.known.notes)
    return stub


cdef inline void call(Assembly* t, Lookup* l, bint finished) noexcept nogil:
    cdef Client* c = client_at(&t.known, l.client, &l.client_place, &l.client_moves)
    if c != NULL:
        find_name(l, &c.expanding, t.index.seed, not finished or t.now - l.last > WENT_ON)


cdef void expire(Assembly* t, int64_t now) noexcept nogil:
    """Close the lookups whose time is up, in the order of their deadlines."""
    cdef uint32_t i, best
    cdef Lookup* l
    if now <= t.due:
        return
    while True:
        best = LISTS
        for i in range(LISTS):
            if t.oldest[i] != NULL and t.oldest[i].deadline < now \
                    and (best == LISTS or t.oldest[i].deadline < t.oldest[best].deadline):
                best = i
        if best == LISTS:
            break
        l = t.oldest[best]
        if l.later != NULL:
            for i in range(l.later.node_count):
                prefetch(&t.index.nodes[l.later.nodes[i]])
            if l.later.later != NULL:
                prefetch_lookup(l.later.later)
        over(t, l, False)
    t.due = INT64_MAX
    for i in range(LISTS):
        if t.oldest[i] != NULL:
            t.due = min(t.due, t.oldest[i].deadline)


cdef void pass_time(Assembly* t, int64_t now) noexcept nogil:
    while t.ended_due <= now:
        settle_too(t, on_closed(t, &t.ended[t.ended_at]))
        t.ended_at += 1
        t.ended_due = known_at(&t.ended[t.ended_at]) if t.ended_at < t.ended_count else INT64_MAX
    if t.begun == NEVER:
        t.begun = now
    t.now = now
    expire(t, now)


cdef int state(const Assembly* t) noexcept nogil:
    return -1 if t.failed or t.index.failed or t.known.failed else 0


cdef bint take_over(Assembly* t, LookupBatch batch) noexcept nogil:
    """Write out the lookups that are over, as far as no older one is open and a batch goes; False without memory."""
    cdef Place* place
    while t.first < t.oldest_open and batch.count < MOST_TAKEN:
        if t.first + NEAR < t.oldest_open:
            place = &t.ring[(t.first + NEAR) & t.ring_mask]
            prefetch(place.row)
            prefetch(place.row + 64)
            prefetch(place.row + 128)
        place = &t.ring[t.first & t.ring_mask]
        if not unpack(&batch.columns, t.first, place.row):
            return False
        let_go(&t.packed, place.row)
        batch.count += 1
        t.first += 1
    return True


cdef inline void glance(Assembly* t, Exchanges exchanges, Batch batch, uint32_t i, Ahead* ahead) noexcept nogil:
    """Have what a happening will need on its way from memory when its turn comes.

    Each is looked at four times before: `FAR` happenings ahead is the first look, each later one follows what that brought.
    """
    cdef const Happening* h
    cdef const MessageColumns* c
    cdef const uint64_t* client
    cdef Ahead* a
    cdef Lookup* l
    cdef uint32_t code
    if batch is None:
        if i < exchanges.happening_count:
            ahead[i & (AHEAD - 1)].lookup = NO_LOOKUP
        return
    c = &batch.columns
    if i < exchanges.happening_count:
        h = &exchanges.happenings[i]
        a = &ahead[i & (AHEAD - 1)]
        a.lookup = NO_LOOKUP
        if h.kind == HAPPENED_QUERY:
            code = c.qname[h.row] if c.presence[h.row] & HAS_NAME else NO_CODE
            a.asked.size = code
            if code != NO_CODE:
                prefetch(&batch.dictionary.names.text_offsets[code])
            prefetch(&t.faces[c.src[h.row]])
    if i >= FAR // 2 and i - FAR // 2 < exchanges.happening_count:
        h = &exchanges.happenings[i - FAR // 2]
        a = &ahead[(i - FAR // 2) & (AHEAD - 1)]
        if h.kind == HAPPENED_QUERY:
            code = a.asked.size
            if code == NO_CODE:
                a.asked.name = NULL
                a.asked.size = 0
            else:
                a.asked.name = <const uint8_t*>batch.dictionary.names.text + batch.dictionary.names.text_offsets[code]
                a.asked.size = batch.dictionary.names.text_offsets[code + 1] - batch.dictionary.names.text_offsets[code]
                prefetch(a.asked.name)
            if t.faces[c.src[h.row]].place != NO_PLACE and t.faces[c.src[h.row]].place <= t.known.client_mask:
                prefetch(&t.known.clients[t.faces[c.src[h.row]].place])
        elif h.kind <= HAPPENED_EXPIRED:
            a.lookup = exchanges.lookup_of(h.exchange)
            if a.lookup != NO_LOOKUP:
                prefetch(&t.ring[a.lookup & t.ring_mask])
    if i >= 3 * FAR // 4 and i - 3 * FAR // 4 < exchanges.happening_count:
        h = &exchanges.happenings[i - 3 * FAR // 4]
        a = &ahead[(i - 3 * FAR // 4) & (AHEAD - 1)]
        if h.kind == HAPPENED_QUERY:
            client = batch.dictionary.addresses.keys + 2 * <size_t>c.src[h.row]
            a.asked.text = hash_text(t.index.seed, a.asked.name, a.asked.size)
            a.asked.by_name = name_key(&t.index, client, a.asked.text)
            a.asked.by_label = label_key(&t.index, client, a.asked.name, a.asked.size)
            prefetch(&t.index.buckets[<uint32_t>a.asked.by_name & t.index.bucket_mask])
            prefetch(&t.index.buckets[<uint32_t>a.asked.by_label & t.index.bucket_mask])
            prefetch(&t.index.buckets[<uint32_t>question_key(&t.index, a.asked.text) & t.index.bucket_mask])
            code = t.faces[c.src[h.row]].place
            if code != NO_PLACE and code <= t.known.client_mask:
                a.lookup = t.known.clients[code].latest
                prefetch(&t.ring[a.lookup & t.ring_mask])
        elif a.lookup != NO_LOOKUP:
            l = open_lookup(t, a.lookup)
            if l != NULL:
                prefetch_lookup(l)
    if i >= 7 * FAR // 8 and i - 7 * FAR // 8 < exchanges.happening_count:
        h = &exchanges.happenings[i - 7 * FAR // 8]
        a = &ahead[(i - 7 * FAR // 8) & (AHEAD - 1)]
        if h.kind == HAPPENED_QUERY:
            prefetch(&t.index.nodes[chain(&t.index, a.asked.by_name)])
            prefetch(&t.index.nodes[chain(&t.index, a.asked.by_label)])
            prefetch(&t.index.nodes[chain(&t.index, question_key(&t.index, a.asked.text))])
            l = open_lookup(t, a.lookup)
            if l != NULL:
                prefetch(l)


@cython.final
cdef class Lookups:
    """Puts exchanges together into lookups, batch by batch.

    Parameters
    ----------
    judged : bool
        Whether lookups are wanted; otherwise exchanges are only told theirs, and there are none to take.
    short_cuts : bool
        Whether simple lookups may be judged without weighing what must be nothing; the verdicts are the same.

    Attributes
    ----------
    open : int
        Lookups that are not over, or wait for an older one that is not.
    """

    def __cinit__(self, bint judged=True, bint short_cuts=True):
        cdef Assembly* t = <Assembly*>calloc(1, sizeof(Assembly))
        self.table = t
        if t == NULL:
            raise MemoryError("no memory for lookups")
        t.ring_mask = 1023
        t.ring = <Place*>malloc(1024 * sizeof(Place))
        t.now = t.begun = NEVER
        t.due = t.ended_due = INT64_MAX
        t.judged = judged
        t.short_cuts = short_cuts
        seed = int.from_bytes(os.urandom(8), "little")
        if t.ring == NULL or not (index_open(&t.index, seed) and acquaintances_open(&t.known, seed) and upstream_open(&t.upstream)):
            raise MemoryError("no memory for lookups")

    def __dealloc__(self):
        cdef Assembly* t = self.table
        cdef Lookup* l
        cdef uint64_t i
        if t == NULL:
            return
        if t.ring != NULL:
            for i in range(t.first, t.next):
                if t.ring[i & t.ring_mask].l != NULL:
                    destroy(t.ring[i & t.ring_mask].l)
                elif t.ring[i & t.ring_mask].row != NULL:
                    let_go(&t.packed, t.ring[i & t.ring_mask].row)
            packed_close(&t.packed)
        while t.spare != NULL:
            l = t.spare
            t.spare = l.later
            free(l)
        free(t.ring)
        index_close(&t.index)
        acquaintances_close(&t.known)
        free(t.ended)
        free(t.faces)
        upstream_close(&t.upstream)
        free(t)

    cdef int assemble(self, Exchanges exchanges, Batch batch) noexcept nogil:
        cdef Assembly* t = self.table
        cdef const Happening* h
        cdef Ahead[32] ahead
        cdef uint32_t i
        t.near = 0
        if batch is not None and (take_ended(t, batch) != 0 or not meet(t, batch.dictionary.addresses.count)):
            return -1
        for i in range(FAR):
            glance(t, exchanges, batch, i, ahead)
        for i in range(exchanges.happening_count):
            h = &exchanges.happenings[i]
            glance(t, exchanges, batch, i + FAR, ahead)
            if h.time > t.now:
                if h.time >= t.ended_due or h.time > t.due or t.begun == NEVER:
                    pass_time(t, h.time)
                else:
                    t.now = h.time
            if h.kind == HAPPENED_QUERY:
                on_query(t, exchanges, h, batch, &ahead[i & (AHEAD - 1)].asked)
            elif h.kind == HAPPENED_EXTRA:
                on_extra(t, exchanges, h, batch)
            elif h.kind == HAPPENED_ANSWER or h.kind == HAPPENED_UNREACHABLE or h.kind == HAPPENED_EXPIRED and batch is not None:
                on_answer(t, exchanges, h, batch, ahead[i & (AHEAD - 1)].lookup)
            elif h.kind == HAPPENED_SYN or h.kind == HAPPENED_CONNECTED or h.kind == HAPPENED_REFUSED:
                settle_too(t, on_turn(t, &exchanges.turns[h.row], h.kind))
            if state(t) != 0:
                return -1
        exchanges.happening_count = exchanges.turn_count = 0
        return 0

    cdef int tick(self, int64_t now) noexcept nogil:
        if now > self.table.now:
            pass_time(self.table, now)
        return state(self.table)

    cdef int finish(self) noexcept nogil:
        cdef Assembly* t = self.table
        cdef uint64_t i
        cdef uint32_t k
        cdef int16_t score
        for k in range(t.ended_at, t.ended_count):
            settle_too(t, on_closed(t, &t.ended[k]))
        t.ended_count = t.ended_at = 0
        t.ended_due = INT64_MAX
        for i in range(t.oldest_open, t.next):
            if t.judged and t.ring[i & t.ring_mask].l != NULL:
                learn(t, t.ring[i & t.ring_mask].l, &score)
        for i in range(t.oldest_open, t.next):
            if t.ring[i & t.ring_mask].l != NULL:
                over(t, t.ring[i & t.ring_mask].l, True)
        return state(t)

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
            "clients_forgotten": self.table.known.forgotten,
            "queries_passed_on": self.table.passed_on,
        }

    def hold(self, Exchanges exchanges not None):
        """Keep exchanges where they can be read until `feed` has seen them; call it before they are fed a batch."""
        exchanges.keep_from = 0

    def feed(self, Exchanges exchanges not None, Batch batch=None):
        """Take in what the batch that `exchanges` was fed last did; without one, what the passing of time did."""
        cdef int bad
        if batch is not None and batch.dictionary is not self.dictionary:
            self.dictionary = batch.dictionary     # held, so that no other takes its place unseen
            self.table.face_count = 0
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
        """Some of the lookups that are over and were not taken yet, in order; none when all were.

        Returns
        -------
        LookupBatch
        """
        cdef LookupBatch batch = LookupBatch()
        cdef bint good
        with nogil:
            good = take_over(self.table, batch)
        if not good:
            raise MemoryError("no memory for lookups")
        return batch
