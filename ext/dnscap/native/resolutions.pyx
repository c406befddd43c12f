"""The resolution stage; see resolutions.pxd.

Exchanges that matter stand in a ring by their number: those of clients at a server that offers recursion, and those that a
resolver or forwarder sent on.  Client-side ones are chained by question, upstream ones by name, newest first; a link that
leads to what is no longer there ends its chain.  A client's exchange is judged when it is answered (cache_verdicts.pyx), or,
where nothing upstream of its server is seen, as late as the ring allows (countdowns.pyx), so that later answers help.  Rows
leave in the order of the queries.
"""
cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memmove, memset

from dnscap.native.cache_model cimport CacheModel, fetch_known, model_close, model_open
from dnscap.native.cache_verdicts cimport ANY_TYPE, at_server, expect, judge_inside, learn_reply, note_refresh
from dnscap.native.countdowns cimport judge_outside, note_latency
from dnscap.native.decoder cimport Batch
from dnscap.native.exchange_state cimport EARLY
from dnscap.native.exchanges cimport *
from dnscap.native.domain cimport STATUS_FIRST_FRAGMENT, STATUS_TRUNCATED_CAPTURE
from dnscap.native.interning cimport Dictionary, big_alloc, prefetch, unlikely
from dnscap.native.message_columns cimport HAS_NAME, HAS_TYPE, MessageColumns
from dnscap.native.replies cimport Reply, hash_of, learn_from, read_reply
from dnscap.native.resolution_columns cimport ResolutionBatch, write_row
from dnscap.native.resolution_state cimport *
from dnscap.native.resolvers cimport host_at, host_of, hosts_close, hosts_open, may_ask_for, note_link, passes_on, seen_upstream
from dnscap.native.suffixes cimport question_of
from dnscap.native.walks cimport LONGEST, close_targets, open_targets, upstream_between

cdef enum:
    FIRST_ROOM = 1 << 13
    MOST_ENTRIES = 1 << 16     # exchanges remembered, some 12 MiB: six seconds of a resolver under 10,000 queries a second
    OUTSIDE_ENTRIES = 1 << 13  # so many later ones may help to judge what is seen from outside only
    AHEAD = 16                 # happenings whose entries are fetched before they are needed,
    FAR_AHEAD = 32             # whose names are,
    NEAR = 6                   # and whose chains are
    MOST_PASSED = 16           # questions of one chain looked at
    FLAG_AA = 0x0400
    FLAG_RD = 0x0100
    FLAG_RA = 0x0080
    TYPE_A = 1
    TYPE_IXFR = 251
    TYPE_AXFR = 252

cdef int64_t LINGER = 5000000          # a refresh follows the answer within this
cdef int64_t OPEN = 10000000000        # a question is taken as open for so long
cdef int64_t OUTSIDE_WAIT = 10000000000
cdef int64_t SKEW = 50000
cdef int64_t RETRIED = 250000000       # no stub sends again before
cdef int64_t PROMPT = 5000000          # an answer out of the cache comes within this


cdef Entry* open_ring(uint64_t room) noexcept nogil:
    cdef Entry* ring = <Entry*>big_alloc(room * sizeof(Entry))
    cdef uint64_t i
    if ring == NULL:
        return NULL
    for i in range(room):
        ring[i].number = <uint64_t>-1
        ring[i].waited = NULL
    return ring


cdef bint grow(Resolving* t) noexcept nogil:
    cdef uint64_t room = (t.mask + 1) * 4, i
    cdef Entry* ring
    cdef Entry* e
    room = min(room, <uint64_t>MOST_ENTRIES)
    ring = open_ring(room)
    if ring == NULL:
        t.failed = 1
        return False
    for i in range(t.mask + 1):
        e = &t.ring[i]
        if e.number != <uint64_t>-1:
            ring[e.number & (room - 1)] = e[0]
    free(t.ring)
    t.ring = ring
    t.mask = room - 1
    return True


cdef void leave(Resolutions self, Entry* e) noexcept nogil:
    """A client's exchange becomes a row."""
    cdef Resolving* t = self.table
    cdef bint seen = seen_upstream(t, e.server_host), turned = True
    if not seen and t.outside and e.kind & ENTRY_ANSWERED and e.kind & ENTRY_WAITED == 0:
        e.cache = CACHE_UNKNOWN
        e.probability = 0
        e.evidence &= SAID_NXDOMAIN_KNOWN
        judge_outside(t, e)
    if seen or t.outside:
        if unlikely(<void*>self.batch.dictionary != era_of(t, e.number).dictionary):
            with gil:
                turned = turn_page(self, e.number)
        if not (turned and write_row(&self.batch.columns, e, t.given, seen)):
            t.failed = 1
        t.given += 1
        self.batch.count += 1
    free(e.waited)
    e.waited = NULL


cdef bint turn_page(Resolutions self, uint64_t number) noexcept:
    """The rows that follow have their names in the dictionary of the exchange `number`: another batch.  False without memory."""
    try:
        if self.batch.count:
            self.full.append(self.batch)
            self.batch = ResolutionBatch()
        self.batch.dictionary = <Dictionary>era_of(self.table, number).dictionary
    except MemoryError:
        return False
    return True


cdef void advance(Resolutions self, uint64_t least) noexcept nogil:
    """Give out what is judged, oldest first; whatever is older than `least` goes as it is."""
    cdef Resolving* t = self.table
    cdef Entry* e
    while t.first < t.next:
        e = entry_of(t, t.first)
        if e != NULL and e.kind & ENTRY_CLIENT:
            if t.first >= least:
                if e.kind & ENTRY_DONE == 0 or e.kind & ENTRY_ANSWERED and t.now < e.answered + LINGER:
                    return
                if e.kind & ENTRY_ANSWERED and t.next - t.first < OUTSIDE_ENTRIES and t.now < e.answered + OUTSIDE_WAIT \
                        and not seen_upstream(t, e.server_host):
                    return
            elif e.kind & ENTRY_DONE == 0:
                t.cut_short += 1
            leave(self, e)
        t.first += 1


cdef void closed(Resolving* t, const Entry* e, int64_t time) noexcept nogil:
    """It waits no more, from that time on."""
    cdef QuestionHead* q
    cdef NameHead* n
    if e.kind & ENTRY_CLIENT:
        q = &t.questions[question_of(e.name, e.qtype) & (HEADS - 1)]
        q.open -= 1
        q.until = max(q.until, time)
    if e.kind & ENTRY_UPSTREAM:
        n = &t.upstream[e.name & (HEADS - 1)]
        n.open -= 1
        n.until = max(n.until, time)
        n.over = max(n.over, time + EARLY if e.answered >= 0 else e.time + LONGEST)


cdef inline void end(Resolving* t, Entry* e, int64_t time) noexcept nogil:
    if e.kind & ENTRY_CLOSED == 0:
        closed(t, e, time)
        e.kind |= ENTRY_CLOSED


cdef Entry* enter(Resolutions self, uint64_t number) noexcept nogil:
    """A place in the ring; the oldest make room."""
    cdef Resolving* t = self.table
    cdef Entry* e
    if t.first == t.next:
        t.first = number
    while number - t.first > t.mask:
        if t.mask + 1 < MOST_ENTRIES:
            if not grow(t):
                return NULL
        else:
            advance(self, number - t.mask)
    t.next = number + 1
    e = &t.ring[number & t.mask]
    if e.number != <uint64_t>-1 and e.kind & ENTRY_CLOSED == 0:
        closed(t, e, t.now)
    memset(e, 0, sizeof(Entry))
    e.number = number
    e.answered = -1
    e.ttl = NO_TTL
    return e


cdef inline bint asks_same(const Entry* a, const Entry* b) noexcept nogil:
    return a.name == b.name and a.qtype == b.qtype


cdef bint minimised_for(Resolving* t, const Entry* e) noexcept nogil:
    """Whether a query for addresses is the last step of QNAME minimisation on the way to another type (RFC 9156 section 2.3)."""
    cdef uint16_t[6] others
    cdef const Entry* o
    cdef uint64_t key
    cdef uint32_t i, seen
    if e.qtype != TYPE_A:
        return False
    others[0], others[1], others[2], others[3], others[4], others[5] = 28, 65, 15, 16, 33, 12
    for i in range(6):
        key = question_of(e.name, others[i])
        o = entry_at(t, t.questions[key & (HEADS - 1)].newest, e.number)
        seen = 0
        while o != NULL and seen < MOST_PASSED:
            seen += 1
            if o.name == e.name and o.qtype == others[i] and o.kind & ENTRY_CLIENT and o.answered < 0 and o.kind & ENTRY_DONE == 0:
                return True
            o = entry_at(t, o.older_key, o.number)
    return False


cdef void on_query(Resolutions self, const Happening* h, Batch batch) noexcept nogil:
    cdef Resolving* t = self.table
    cdef const MessageColumns* c
    cdef const uint64_t* keys
    cdef Entry* e
    cdef Entry* o
    cdef uint64_t key
    cdef uint32_t seen = 0, r = h.row
    cdef bint refreshes = False, explained = False
    cdef QuestionHead* head
    cdef NameHead* up
    if r == NO_MESSAGE or batch is None or h.exchange < t.next:
        return
    c = &batch.columns
    if c.flags[r] >> 11 & 15 or c.presence[r] & HAS_TYPE == 0 or c.presence[r] & HAS_NAME == 0:
        return
    if c.qtype[r] == TYPE_AXFR or c.qtype[r] == TYPE_IXFR:
        return
    e = enter(self, h.exchange)
    if e == NULL:
        return
    e.time = e.since = c.time[r]
    keys = batch.dictionary.addresses.keys
    e.client[0] = keys[2 * c.src[r]]
    e.client[1] = keys[2 * c.src[r] + 1]
    e.server[0] = keys[2 * c.dst[r]]
    e.server[1] = keys[2 * c.dst[r] + 1]
    e.client_port = c.src_port[r]
    e.qtype = c.qtype[r]
    e.direction = c.direction[r]
    e.qname = c.qname[r]
    e.name = hash_of(t, batch.dictionary, e.qname)
    key = question_of(e.name, e.qtype)
    if c.flags[r] & FLAG_RD:
        e.kind = ENTRY_CLIENT | ENTRY_RECURSIVE
        e.server_host = host_at(t, c.dst[r], e.server, True)
        e.client_host = host_at(t, c.src[r], e.client, False)
        if e.client_host != NO_HOST and (t.hosts[e.client_host].offers or t.hosts[e.client_host].forwards):
            e.kind |= ENTRY_UPSTREAM
    else:
        e.kind = ENTRY_UPSTREAM
        e.server_host = NO_HOST
        e.client_host = host_at(t, c.src[r], e.client, True)
        if e.client_host != NO_HOST:
            t.hosts[e.client_host].iterates += 1
        t.any_upstream = 1
    head = &t.questions[key & (HEADS - 1)]
    # Whoever else asked the same: who waits, whom it was passed on for, whose answer it refreshes.
    o = entry_at(t, head.newest, e.number) if head.open or head.until >= e.time - LINGER else NULL
    while o != NULL and seen < MOST_PASSED:
        seen += 1
        if o.time < e.time - OPEN or asks_same(o, e) and o.kind & ENTRY_ANSWERED and o.answered < e.time - LINGER:
            break              # older ones are over as well
        if asks_same(o, e) and o.kind & ENTRY_CLIENT:
            if o.server[0] == e.server[0] and o.server[1] == e.server[1]:
                if e.kind & ENTRY_CLIENT and o.answered < 0 and o.kind & ENTRY_DONE == 0 and e.time - o.time < OPEN:
                    e.kind |= ENTRY_JOINED
                    e.joined = <uint32_t>o.number
                    e.since = min(e.since, o.since)
                    break
            elif o.answered < 0 and o.kind & ENTRY_DONE == 0 and e.time - o.time < OPEN:
                if e.kind & ENTRY_CLIENT and passes_on(t, o, e):
                    if e.client_host == NO_HOST:
                        e.client_host = host_of(t, e.client, True)
                    e.kind |= ENTRY_UPSTREAM
                    if e.client_host != NO_HOST:
                        t.hosts[e.client_host].forwards += 1   # and what it asks to follow aliases is for others too
                    note_link(t, e.client_host, o.server_host)
                explained |= e.kind & ENTRY_UPSTREAM != 0 and may_ask_for(t, e.client_host, o.server_host)
            elif o.kind & ENTRY_DONE and not refreshes and not explained and o.kind & ENTRY_WAITED == 0 \
                    and o.answered >= 0 and o.outcome <= OUTCOME_NXDOMAIN and e.time >= o.answered - SKEW \
                    and e.time < o.answered + LINGER and (e.kind & ENTRY_UPSTREAM and may_ask_for(t, e.client_host, o.server_host)
                                                          or passes_on(t, o, e)):
                if e.kind & ENTRY_UPSTREAM == 0:
                    if e.client_host == NO_HOST:
                        e.client_host = host_of(t, e.client, True)
                    e.kind |= ENTRY_UPSTREAM
                refreshes = True
                if minimised_for(t, e):
                    break
                e.kind |= ENTRY_REFRESHED
                note_refresh(t, o)
        o = entry_at(t, o.older_key, o.number)
    if e.kind & ENTRY_CLIENT:
        e.older_key = head.newest
        head.newest = <uint32_t>e.number
        head.open += 1
    if e.kind & ENTRY_UPSTREAM:
        up = &t.upstream[e.name & (HEADS - 1)]
        e.older_name = up.newest
        up.newest = <uint32_t>e.number
        e.older_over = INT64_MAX if up.open else up.over
        up.open += 1
        t.any_upstream = 1


cdef Entry* sent_again(Resolving* t, const Entry* e, int64_t time) noexcept nogil:
    """The same question sent again by the client of `e` just before an answer that came at `time`; NULL where it was not."""
    cdef Entry* o = entry_at(t, t.questions[question_of(e.name, e.qtype) & (HEADS - 1)].newest, t.next)
    cdef uint32_t seen = 0
    while o != NULL and o.number > e.number and seen < MOST_PASSED:
        seen += 1
        if asks_same(o, e) and o.answered < 0 and o.kind & ENTRY_DONE == 0 and o.client_port == e.client_port \
                and o.client[0] == e.client[0] and o.client[1] == e.client[1] and o.server[0] == e.server[0] \
                and o.server[1] == e.server[1] and o.time <= time and time - o.time < PROMPT:
            return o
        o = entry_at(t, o.older_key, o.number)
    return NULL


cdef void note_denial(Denials* d, const Entry* e) noexcept nogil:
    cdef uint32_t i = d.count % DENIALS
    if d.count >= DENIALS:
        d.before = max(d.before, d.answered[i])
    d.answered[i] = e.answered
    d.numbers[i] = e.number
    d.count += 1


cdef void on_answer(Resolutions self, const Happening* h, Batch batch) noexcept nogil:
    cdef Resolving* t = self.table
    cdef Entry* e = entry_of(t, h.exchange)
    cdef Entry* again
    cdef const MessageColumns* c
    cdef Reply reply
    if e == NULL or e.kind & ENTRY_DONE or e.answered >= 0 or h.row == NO_MESSAGE or batch is None:
        return
    if e.kind & ENTRY_CLIENT and h.time - e.time > RETRIED:
        again = sent_again(t, e, h.time)
        if again != NULL and not upstream_between(t, e, again.time, h.time):
            # Nothing came from upstream in the meantime: it is the later transmission that brought the answer.
            end(t, e, h.time)
            e.kind |= ENTRY_DONE
            e = again
            e.since = e.time
            e.kind &= ~ENTRY_JOINED
    e.answered = h.time
    e.outcome = h.outcome
    c = &batch.columns
    e.rcode = c.rcode[h.row]
    if c.flags[h.row] & FLAG_AA:
        e.flags |= EXCHANGE_AA
    if c.flags[h.row] & FLAG_RA:
        e.flags |= EXCHANGE_RA
    if c.status[h.row] == STATUS_TRUNCATED_CAPTURE or c.status[h.row] == STATUS_FIRST_FRAGMENT:
        e.flags |= EXCHANGE_CUT
    e.kind |= ENTRY_ANSWERED
    end(t, e, h.time)
    if e.kind & ENTRY_UPSTREAM:
        learn_from(t, e, batch, h.row)
        if e.outcome == OUTCOME_NXDOMAIN:
            note_denial(&t.denials, e)
    if e.kind & ENTRY_CLIENT:
        e.kind |= ENTRY_DONE
        if e.flags & EXCHANGE_RA == 0 and e.flags & EXCHANGE_AA and (e.server_host == NO_HOST or t.hosts[e.server_host].offers == 0):
            e.kind &= ~ENTRY_CLIENT    # an authoritative server
            return
        if e.server_host != NO_HOST and e.flags & EXCHANGE_RA:
            t.hosts[e.server_host].offers += 1
        self.walk.target_count = 0
        if not t.outside and not t.any_upstream:
            return             # nothing can come of it
        read_reply(t, e, batch, h.row, &reply, &self.walk)
        expect(t, e, &reply)
        judge_inside(t, &self.walk, e, &reply)
        learn_reply(t, e)
        if t.outside:
            note_latency(t, e)


cdef void on_end(Resolving* t, const Happening* h) noexcept nogil:
    """It will not be answered."""
    cdef Entry* e = entry_of(t, h.exchange)
    if e != NULL and e.kind & ENTRY_DONE == 0:
        end(t, e, h.time)
        e.kind |= ENTRY_DONE


cdef inline void foresee(Resolving* t, const Happening* h, const MessageColumns* c) noexcept nogil:
    """Fetch what a query or an answer will be judged by, as far as its name is known."""
    cdef const uint8_t* e = <const uint8_t*>&t.ring[h.exchange & t.mask]
    cdef uint64_t name
    cdef uint32_t code, server
    if h.kind > HAPPENED_ANSWER or h.row == NO_MESSAGE:
        return
    prefetch(e)
    prefetch(e + 64)
    prefetch(e + sizeof(Entry) - 1)
    code = c.qname[h.row]
    if code >= t.hashes.room:
        return
    name = t.hashes.of[code]
    prefetch(&t.upstream[name & (HEADS - 1)])
    prefetch(&t.questions[question_of(name, c.qtype[h.row]) & (HEADS - 1)])
    if h.kind == HAPPENED_ANSWER:
        fetch_known(t.model, question_of(name ^ 1, c.qtype[h.row]))
        code = c.src[h.row]
        server = t.places.of[code].host if code < t.places.room else 0
        if server:
            fetch_known(t.model, question_of(at_server(name, server - 1), c.qtype[h.row]))
            if h.outcome == OUTCOME_NXDOMAIN:
                fetch_known(t.model, question_of(at_server(name, server - 1), ANY_TYPE))


cdef inline void foresee_chain(Resolving* t, const Happening* h, const MessageColumns* c) noexcept nogil:
    """Fetch the first entry that will be looked at."""
    cdef const QuestionHead* q
    cdef const NameHead* n
    cdef uint64_t name
    cdef uint32_t code
    if h.kind > HAPPENED_ANSWER or h.row == NO_MESSAGE:
        return
    code = c.qname[h.row]
    if code >= t.hashes.room:
        return
    name = t.hashes.of[code]
    if h.kind == HAPPENED_QUERY:
        q = &t.questions[question_of(name, c.qtype[h.row]) & (HEADS - 1)]
        if q.open or q.until >= h.time - LINGER:
            prefetch(&t.ring[q.newest & t.mask])
            prefetch(<const uint8_t*>&t.ring[q.newest & t.mask] + 64)
    else:
        n = &t.upstream[name & (HEADS - 1)]
        if n.open:
            prefetch(&t.ring[n.newest & t.mask])


@cython.final
cdef class Resolutions:
    """Joins what clients asked of resolvers to what these asked upstream; tells what came out of caches.

    Parameters
    ----------
    outside : bool
        Whether answers of servers whose upstream side is not in the capture are judged too; they are left out otherwise.
    """

    def __cinit__(self, bint outside=True):
        cdef Resolving* t = <Resolving*>calloc(1, sizeof(Resolving))
        self.table = t
        self.batch = ResolutionBatch()
        if t == NULL:
            raise MemoryError("no memory for resolutions")
        # The same each time, so that results are: what names of one bucket could do is bounded by MOST_PASSED and MOST_STEPS.
        t.seed = <uint64_t>0x9FB21C651E98DF25
        t.outside = outside
        t.now = INT64_MIN
        t.ring = open_ring(FIRST_ROOM)
        t.mask = FIRST_ROOM - 1
        t.denials.before = INT64_MIN
        self.full = []
        self.dictionaries = []
        t.questions = <QuestionHead*>calloc(HEADS, sizeof(QuestionHead))
        t.upstream = <NameHead*>calloc(HEADS, sizeof(NameHead))
        t.model = <CacheModel*>calloc(1, sizeof(CacheModel))
        if t.ring == NULL or t.questions == NULL or t.upstream == NULL or t.model == NULL \
                or not (hosts_open(t) and model_open(t.model) and open_targets(&self.walk)):
            raise MemoryError("no memory for resolutions")

    def __dealloc__(self):
        cdef Resolving* t = self.table
        cdef uint64_t i
        if t == NULL:
            return
        if t.ring != NULL:
            for i in range(t.mask + 1):
                free(t.ring[i].waited)
        free(t.ring)
        free(t.questions)
        free(t.upstream)
        free(t.eras)
        free(t.hashes.of)
        if t.model != NULL:
            model_close(t.model)
        free(t.model)
        hosts_close(t)
        close_targets(&self.walk)
        free(t)

    cdef int follow(self, Exchanges exchanges, Batch batch) noexcept nogil:
        cdef Resolving* t = self.table
        cdef const Happening* h
        cdef const MessageColumns* c = NULL
        cdef uint32_t i, code, count = exchanges.happening_count
        cdef bint known = True
        if batch is not None and (t.era_count == 0 or <void*>batch.dictionary != t.eras[t.era_count - 1].dictionary):
            with gil:
                known = begin_era(self, batch.dictionary)
            if not known:
                return -1
        if batch is not None:
            c = &batch.columns
        t.record_at = 0
        for i in range(count):
            h = &exchanges.happenings[i]
            if batch is not None and i + FAR_AHEAD < count:
                code = c.qname[h[FAR_AHEAD].row] if h[FAR_AHEAD].kind <= HAPPENED_ANSWER and h[FAR_AHEAD].row != NO_MESSAGE else 0
                if code < t.hashes.room:
                    prefetch(&t.hashes.of[code])
                prefetch(&batch.dictionary.addresses.keys[2 * <size_t>c.src[h[AHEAD].row if h[AHEAD].kind == HAPPENED_QUERY else 0]])
                foresee(t, h + AHEAD, c)
                foresee_chain(t, h + NEAR, c)
            t.now = max(t.now, h.time)
            if h.kind == HAPPENED_QUERY:
                on_query(self, h, batch)
            elif h.kind == HAPPENED_ANSWER:
                on_answer(self, h, batch)
            elif h.kind == HAPPENED_EXPIRED or h.kind == HAPPENED_UNREACHABLE:
                on_end(t, h)
            if t.failed:
                return -1
            if h.kind != HAPPENED_QUERY:
                advance(self, 0)
        return -1 if t.failed else 0

    cdef int finish(self) noexcept nogil:
        advance(self, <uint64_t>-1)
        return -1 if self.table.failed else 0

    @property
    def open(self):
        """Exchanges remembered: those that wait for an answer, or for what may still help to judge them."""
        return self.table.next - self.table.first

    def counts(self):
        """What limits made it give up.

        Returns
        -------
        dict of str to int
        """
        return {"resolutions_cut_short": self.table.cut_short, "resolvers_not_told_apart": self.table.hosts_refused}

    def hold(self, Exchanges exchanges not None):
        """Keep exchanges where they can be read until `feed` has seen them; call it before they are fed a batch."""
        exchanges.keep_from = 0

    def let_go(self, Exchanges exchanges not None):
        """Keep exchanges no more; what happened to them is used up.  Where no lookups are put together."""
        exchanges.keep_from = <uint64_t>-1
        exchanges.happening_count = exchanges.turn_count = 0

    def feed(self, Exchanges exchanges not None, Batch batch=None):
        """Take in what the batch that `exchanges` was fed last did, before lookups use it up."""
        cdef int bad
        with nogil:
            bad = self.follow(exchanges, batch)
        if bad:
            raise MemoryError("no memory for resolutions")

    def pass_time(self, int64_t now):
        """Capture time has come to `now` (nanoseconds since the epoch) without a message."""
        with nogil:
            self.table.now = max(self.table.now, now)
            advance(self, 0)
        if self.table.failed:
            raise MemoryError("no memory for resolutions")

    def close(self):
        """The capture ends."""
        cdef int bad
        with nogil:
            bad = self.finish()
        if bad:
            raise MemoryError("no memory for resolutions")

    def take(self):
        """The resolutions that are judged and were not taken yet; call it until it gives none.

        Returns
        -------
        ResolutionBatch
        """
        if self.full:
            return self.full.pop(0)
        batch = self.batch
        self.batch = ResolutionBatch()
        return batch


cdef bint begin_era(Resolutions self, Dictionary dictionary) noexcept:
    """Another dictionary: its codes mean other names and addresses.  False without memory."""
    cdef Resolving* t = self.table
    cdef Era* wider
    cdef uint32_t gone = 0, room
    while gone + 1 < t.era_count and t.eras[gone + 1].first <= t.first:
        gone += 1
    if gone:
        memmove(t.eras, t.eras + gone, (t.era_count - gone) * sizeof(Era))
        t.era_count -= gone
    if t.era_count == t.era_room:
        room = t.era_room * 2 + 4
        wider = <Era*>realloc(t.eras, room * sizeof(Era))
        if wider == NULL:
            return False
        t.eras = wider
        t.era_room = room
    try:
        del self.dictionaries[:gone]
        self.dictionaries.append(dictionary)
    except MemoryError:
        return False
    t.eras[t.era_count].first = t.next
    t.eras[t.era_count].text = dictionary.names.text
    t.eras[t.era_count].offsets = dictionary.names.text_offsets
    t.eras[t.era_count].dictionary = <void*>dictionary
    t.era_count += 1
    if t.hashes.of != NULL:
        memset(t.hashes.of, 0, t.hashes.room * sizeof(uint64_t))
    if t.places.of != NULL:
        memset(t.places.of, 0, t.places.room * sizeof(Place))
    return True
