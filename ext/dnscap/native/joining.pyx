"""Which lookup a query joins; see joining.pxd.

A lookup is looked for under its client and name.  One under the first label of its name may go on, by a search list, to
another name: that is looked for only where the client has a lookup that may.  A forwarder's query is looked for under its
question, whoever asked it; lookups are entered so from the first time on that one may forward.  So is the query of a host that
asks one server over IPv4 and another over IPv6, which makes it two clients: where there are few, what one of them asks when the
other's time is up goes on with the other's lookup.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp

from dnscap.native.acquaintances cimport NO_PLACE, Client, begins_with, client_at, goes_on, is_loopback, shares_ports
from dnscap.native.assembly cimport LISTS, MOST_CHAIN, NONE_YET_UNHEARD, Place
from dnscap.native.attempts cimport *
from dnscap.native.chasing cimport CHASED, chased
from dnscap.native.closing cimport over
from dnscap.native.datagrams cimport TRANSPORT_TCP
from dnscap.native.dials cimport take_dial
from dnscap.native.exchanges cimport *
from dnscap.native.frames cimport DIRECTION_IN, DIRECTION_OUT
from dnscap.native.grouping cimport HELD_UP, NO_WALK, SERIAL, SHORT_WALK, begins_anew, common, continues, failing, fits
from dnscap.native.interning cimport prefetch
from dnscap.native.lookup_index cimport chain, hash_text, label_key, link, link_anew, name_key, question_key, stream_key, unlink_key
from dnscap.native.lookups_by_name cimport enter_name, first_of, leave_name, place_at
from dnscap.native.losses cimport load_now
from dnscap.native.many_attempts cimport widen_attempts
from dnscap.native.naming cimport Expanding, ends_so
from dnscap.native.open_lookups cimport add_name, give_back, heard_lately, is_current, obtain, open_lookup, settle, settle_too
from dnscap.native.upstreams cimport upstream_query

cdef enum:
    TYPE_AAAA = 28
    TYPE_IXFR = 251
    TYPE_AXFR = 252
    PORT_MDNS = 5353
    PORT_LLMNR = 5355

# Limits of state; what they make us give up is counted.
cdef enum:
    MOST_LOOKUPS = 1 << 20     # open, or over and waiting for an older one: 15 s of 70,000 a second
    FORESEEN = 6               # lookups of a chain that are on their way from memory while others are looked at
    MOST_OPEN = 1 << 19        # 600 octets each as a rule, 300 MB; a busy resolver's clients keep some thousand open

cdef enum:                     # nanoseconds
    SKEW = 1000000             # clocks of captures: an event may seem to come this much before its cause
    RETRY = 200000000          # the shortest timer of a stub
    TICK = 25000000            # a timer of whole seconds may seem to fire so much before its time
    SECOND = 1000000000
cdef int64_t STILL_FORWARDS = 10000000000

cdef enum:
    FEW_CLIENTS = 16           # of so many it is no coincidence that one asks what another waits for, when its timer is up
    BOTH_FAMILIES = 3


cdef void enter_questions(Assembly* t) noexcept nogil:
    """Enter all open lookups by their question."""
    cdef uint64_t i
    cdef Lookup* l
    t.questioned = 1
    t.index.most_nodes += 1
    for i in range(t.oldest_open, t.next):
        l = t.ring[i & t.ring_mask].l
        if l != NULL:
            link(&t.index, l, question_key(l.text_hash))


cdef bint passed_on(Assembly* t, const Exchange* ex, const Asked* q, const Client* c, uint32_t note, uint8_t direction) noexcept nogil:
    """Whether a forwarder sends the query for a client whose own query is in the capture too.

    What is asked on the loopback interface is passed on by its host: no packet does so that came in.  What came in from
    outside and goes out while it waits for its answer is passed on from another address of the host.
    """
    cdef uint64_t key = question_key(q.text)
    cdef uint32_t at, seen = 0, i
    cdef const Lookup* l
    cdef const Attempt* a
    cdef bint serves = note != NO_NOTE and t.known.notes[note].asked > 0
    if not serves and not c.iterates and not t.loopback and (ex.client[0] != ex.server[0] or ex.client[1] != ex.server[1]) \
            and not (t.inbound and direction == DIRECTION_OUT):
        return False
    if not t.questioned:
        enter_questions(t)
    at = chain(&t.index, key)
    while at and seen < MOST_CHAIN:
        if t.index.nodes[at].hash == key:
            seen += 1
            t.steps += 1
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
                    if serves or c.iterates or is_loopback(a.server) and not is_loopback(ex.client) and direction != DIRECTION_IN:
                        return True
                    if direction == DIRECTION_OUT and a.flags & ATTEMPT_CAME_IN:
                        return True
        at = t.index.nodes[at].after
    return False


cdef inline bint is_ipv4(const uint64_t* address) noexcept nogil:
    cdef const uint8_t* p = <const uint8_t*>address
    return address[0] == 0 and p[8] == 0 and p[9] == 0 and p[10] == 0xFF and p[11] == 0xFF


cdef uint8_t goes_over(const Lookup* l, const Exchange* ex, bint fixed, bint shares) noexcept nogil:
    """The role of a query, from an address of another family, in a lookup that has not asked over this one, or has already."""
    cdef uint32_t i
    cdef const Attempt* a
    cdef const Attempt* p = NULL
    cdef int64_t gap
    cdef bint joined = False
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if is_ipv4(a.server) == is_ipv4(ex.server):
            joined = True
        if a.candidate == l.candidate_count - 1 and a.qtype == ex.qtype and a.transport == ex.transport:
            p = a
        if a.server[0] == ex.client[0] and a.server[1] == ex.client[1]:
            return ROLE_NONE           # a forwarder
    if joined:
        return fits(l, ex, fixed, shares) & ~SERIAL
    if p == NULL or (l.sent ^ ex.flags) & (EXCHANGE_AD | EXCHANGE_CD | EXCHANGE_DO | EXCHANGE_EDNS):
        return ROLE_NONE
    gap = ex.time - p.time
    if p.answered >= 0:
        if not failing(p.outcome):
            return ROLE_NONE
        if 0 <= ex.time - p.answered <= HELD_UP:
            return ROLE_FAILOVER
    if p.id == ex.id:
        if p.port == ex.client_port and 0 <= gap < RETRY:
            return ROLE_PARALLEL       # all servers at once, from one socket
        return ROLE_FAILOVER if gap >= RETRY else ROLE_NONE
    if gap < 9 * (SECOND // 10) or HELD_UP < gap % SECOND < SECOND - TICK:
        return ROLE_NONE
    return ROLE_FAILOVER


cdef Lookup* from_other_family(Assembly* t, const Exchange* ex, const Asked* q, const Client* c, uint8_t* role) noexcept nogil:
    """The lookup that a host goes on with from its address of the other family."""
    cdef uint64_t key = question_key(q.text)
    cdef uint32_t at, seen = 0
    cdef Lookup* l
    if not t.questioned:
        enter_questions(t)
    at = chain(&t.index, key)
    while at and seen < MOST_CHAIN:
        if t.index.nodes[at].hash == key:
            seen += 1
            t.steps += 1
            l = t.index.nodes[at].l
            if is_ipv4(l.client) != is_ipv4(ex.client) and is_current(l, q.name, q.size):
                role[0] = goes_over(l, ex, c.fixed, shares_ports(c))
                if role[0] != ROLE_NONE:
                    return l
        at = t.index.nodes[at].after
    role[0] = ROLE_PRIMARY
    return NULL


cdef Lookup* begin(Assembly* t, const Exchange* ex, const Asked* q, Client* c) noexcept nogil:
    cdef Lookup* l
    cdef Lookup* before
    cdef Place* p
    cdef Place* ring
    cdef bint unheard = False
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
            give_back(t, l)
        t.failed = 1
        return NULL
    l.number = t.next
    l.time = l.last = ex.time
    l.step = -1
    l.client[0] = ex.client[0]
    l.client[1] = ex.client[1]
    l.client_hash = q.client
    l.sent = ex.flags
    l.edns_size = ex.edns_udp_size
    l.list = LISTS
    p = &t.ring[t.next & t.ring_mask]
    p.l = l
    p.u.next_start = NONE_YET_UNHEARD
    t.next += 1
    t.open += 1
    before = open_lookup(t, c.latest)
    if before != NULL:
        p = &t.ring[c.latest & t.ring_mask]
        unheard = p.u.next_start == NONE_YET_UNHEARD
        if p.u.next_start < 0:
            p.u.next_start = ex.time
    if c.silence or unheard and before.attempts[0].answered < 0:
        begins_with(c, ex, before)
    if before != NULL:
        goes_on(c, ex, l, before)
    if c.lookups and c.last_id == ex.id:
        c.fixed = 1
    c.last_id = ex.id
    for i in range(8):
        if c.ports[i] == ex.client_port:
            c.shares += 1
            break
    c.ports[c.lookups & 7] = ex.client_port
    c.latest = l.number
    c.lookups += 1
    l.text_hash = q.text
    enter_name(t, l, q.by_name)
    if t.questioned:
        link_anew(&t.index, l, question_key(q.text))
    return l


cdef inline uint64_t first_added(const Lookup* l, const uint8_t* name, uint32_t size, uint64_t seed) noexcept nogil:
    """What the first name of the lookup's walk ends in that the next one does not begin with too, by hash."""
    cdef uint32_t at = l.names[l.walk], n = l.names[l.walk + 1] - at
    cdef uint32_t base = common(l.text + at, n, name, size)
    return hash_text(seed, l.text + at + base, n - base) | 1


cdef inline bint added_first(const Lookup* l, const Expanding* e, uint64_t seed) noexcept nogil:
    """Whether the first name of the lookup's walk ends in what its client is known to add first."""
    cdef uint32_t at = l.names[l.walk]
    return e.proved and not e.several and ends_so(l.text + at, l.names[l.walk + 1] - at, e, seed)


cdef inline uint32_t foresee(const Assembly* t, uint32_t at) noexcept nogil:
    """Fetch what a lookup will be told by, some places of its chain before its turn; gives the next place."""
    cdef const Place* p = place_at(t, at)
    cdef const uint8_t* l = <const uint8_t*>p.l
    prefetch(l)
    prefetch(<const uint8_t*>p.l.client)
    prefetch(<const uint8_t*>&p.l.attempt_count)
    prefetch(<const uint8_t*>p.l.few_attempts)
    prefetch(<const uint8_t*>p.l.few_attempts + 64)
    return p.after


cdef bint sent_before(const Lookup* l, const Exchange* ex) noexcept nogil:
    """Whether the lookup sent this very query before: its question and id from its port."""
    cdef uint32_t i
    cdef const Attempt* a
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if a.id == ex.id and a.port == ex.client_port and a.qtype == ex.qtype:
            return True
    return False


cdef Lookup* find(Assembly* t, const Exchange* ex, const Asked* q, Client* c, uint8_t* role) noexcept nogil:
    """The open lookup that a query belongs to, with its role there; NULL where it begins one."""
    cdef const uint8_t* name = q.name
    cdef uint32_t size = q.size
    cdef uint64_t text = q.text
    cdef uint64_t key = q.by_name
    cdef uint32_t at = first_of(t, key), seen = 0, ahead = at, _i
    cdef const Place* p
    cdef Lookup* l
    cdef uint64_t guessed
    cdef Lookup* best = NULL
    cdef Lookup* serial = NULL
    cdef uint8_t r
    cdef bint anew = False
    cdef bint unlisted = c.expanding.several or c.expanding.unexpanded > 0 and c.expanding.walks == 0
    if at and place_at(t, at).after:   # a long chain is one of a name that is asked for in vain
        for _i in range(FORESEEN):
            if ahead:
                ahead = foresee(t, ahead)
    else:
        ahead = 0
    while at and seen < MOST_CHAIN:
        p = place_at(t, at)
        if ahead:
            ahead = foresee(t, ahead)
        if p.hash == key:
            seen += 1
            l = p.l
            if l.client[0] == ex.client[0] and l.client[1] == ex.client[1] and is_current(l, name, size):
                r = fits(l, ex, c.fixed, shares_ports(c))
                if r & SERIAL:
                    if serial == NULL:
                        serial = l
                elif r != ROLE_NONE and (best == NULL or r != ROLE_COMPANION and role[0] == ROLE_COMPANION
                                         or sent_before(l, ex) and not sent_before(best, ex)):
                    best = l
                    role[0] = r
        at = p.after
    t.steps += seen
    if best != NULL:
        return best
    if serial == NULL and ex.time - t.led_at <= CHASED:
        best = chased(&t.index, ex, q, role)
        if best != NULL:
            return best
    at = 0
    if heard_lately(t, q.client, ex.time):
        key = label_key(q.client, name, size)
        at = chain(&t.index, key)
    seen = 0
    while at and seen < MOST_CHAIN:
        if t.index.nodes[at].hash == key:
            seen += 1
            l = t.index.nodes[at].l
            if l.client[0] == ex.client[0] and l.client[1] == ex.client[1]:
                r = continues(l, ex, name, size, 0, unlisted)
                if r == NO_WALK and added_first(l, &c.expanding, t.index.seed):
                    r = continues(l, ex, name, size, c.expanding.size, unlisted)
                if r == SHORT_WALK:
                    # A list adds the same first each time; who asks for a www of many hosts has none.
                    guessed = first_added(l, name, size, t.index.seed)
                    if c.expanding.guessed and c.expanding.guessed != guessed:
                        c.expanding.several = 1
                        r = NO_WALK
                    elif not c.expanding.guessed:
                        c.expanding.guessed = guessed
                if r != NO_WALK:
                    if best == NULL or anew or l.step < best.step:
                        best = l
                        anew = False
                elif best == NULL and l.candidate_count > 1 and begins_anew(l, ex) and l.candidate_count < MOST_CANDIDATES \
                        and l.names[1] == size and memcmp(l.text, name, size) == 0:
                    best = l
                    anew = True
        at = t.index.nodes[at].after
    t.steps += seen
    if best == NULL and serial == NULL and t.families == BOTH_FAMILIES and t.known.client_count <= FEW_CLIENTS:
        best = from_other_family(t, ex, q, c, role)
        if best != NULL:
            return best
    if best == NULL:
        role[0] = ROLE_COMPANION if serial != NULL else ROLE_PRIMARY
        return serial
    leave_name(t, &t.ring[best.number & t.ring_mask])
    if t.questioned:
        unlink_key(&t.index, best, question_key(best.text_hash))
    if not add_name(best, name, size):
        t.failed = 1
        return NULL
    if anew:
        best.walk = <uint8_t>(best.candidate_count - 1)
    best.text_hash = text
    enter_name(t, best, name_key(best.client_hash, text))
    if t.questioned:
        link(&t.index, best, question_key(text))
    role[0] = ROLE_RETRANSMISSION if anew else ROLE_SEARCH
    return best


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


cdef inline Attempt* add_attempt(Assembly* t, Lookup* l, const Exchange* ex, uint8_t role, uint32_t note,
                                 uint8_t direction) noexcept nogil:
    """The query, as one more attempt of the lookup; NULL where there is no room for it.  `note`: where its server is noted."""
    cdef Attempt* a
    l.queries += 1
    l.last = max(l.last, ex.time)
    if l.attempt_count == MOST_ATTEMPTS:
        return NULL
    if l.attempt_count == l.attempt_room:
        if not widen_attempts(l, l.attempt_room * 2):
            t.failed = 1
            return NULL
    a = &l.attempts[l.attempt_count]
    l.attempt_count += 1
    a.time = ex.time
    a.answered = -1
    a.exchange = ex.number
    a.server[0] = ex.server[0]
    a.server[1] = ex.server[1]
    a.first = ex.first
    a.stream = ex.stream
    a.note = note
    a.port = ex.client_port
    a.server_port = ex.server_port
    a.id = ex.id
    a.qtype = ex.qtype
    a.edns_size = ex.edns_udp_size
    a.sent = ex.flags & (EXCHANGE_EDNS | EXCHANGE_DO | EXCHANGE_AD | EXCHANGE_CD | EXCHANGE_RD | EXCHANGE_COOKIE)
    a.transport = ex.transport
    a.candidate = <uint8_t>(l.candidate_count - 1)
    a.role = role
    a.rcode = 0
    a.flags = ATTEMPT_ALIAS if role == ROLE_CHASE else 0       # an alias led to it
    if direction == DIRECTION_IN:
        a.flags |= ATTEMPT_CAME_IN
        t.inbound = 1
    a.outcome = a.again = a.syns = a.load = 0
    if a.transport == TRANSPORT_TCP:
        link(&t.index, l, stream_key(&t.index, ex.stream))
    return a


cdef void on_query(Assembly* t, Exchanges exchanges, const Happening* h, Batch batch, const Asked* q) noexcept nogil:
    cdef Exchange told
    cdef Exchange* ex = &told
    cdef Client* c
    cdef Lookup* l
    cdef Attempt* a
    cdef uint32_t note
    cdef uint8_t role = ROLE_PRIMARY, load
    cdef Face* asker
    cdef Face* asked
    tell_query(&batch.columns, batch.dictionary.addresses.keys, h, ex)
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
    t.families |= 1 if is_ipv4(ex.client) else 2
    l = find(t, ex, q, c, &role)
    if l == NULL:
        # What a forwarder asks besides, to follow aliases or to validate, is for its clients too.
        if passed_on(t, ex, q, c, noted(t, asker, ex.client, False), batch.columns.direction[h.row]):
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
    a = add_attempt(t, l, ex, role, note, batch.columns.direction[h.row])
    if note != NO_NOTE:
        load = load_now(&t.known.notes[note], ex.time)
        if a != NULL:
            a.load = load
        t.known.notes[note].asked += 1
        t.known.notes[note].asked_aaaa += ex.qtype == TYPE_AAAA
        t.known.notes[note].silent += 1
        t.known.notes[note].last_asked = ex.time
    give_row(exchanges.table, h.exchange, l.number, role)
    settle(t, l)
