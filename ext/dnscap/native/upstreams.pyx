"""What a resolver asked upstream; see upstreams.pxd.

Queries of a resolver (recursion not desired) and of a forwarder (passed on) are kept in slots by exchange number.  A lookup
that was slow or failed looks at those of its own time whose names have to do with its own: the name itself, a zone above
it, a host of its zone, or the same of an alias that its answer led through.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from dnscap.native.attempts cimport *
from dnscap.native.datagrams cimport TRANSPORT_TCP
from dnscap.native.exchanges cimport (
    EXCHANGE_EDNS, EXCHANGE_RD, OUTCOME_ANSWER, OUTCOME_FORMERR, OUTCOME_NOTIMP,
    OUTCOME_OPEN, OUTCOME_REFUSED, OUTCOME_SERVFAIL, OUTCOME_TRUNCATED, Exchange,
)
from dnscap.native.text cimport put_name

cdef enum:
    TYPE_CNAME = 5
    TYPE_DS = 43
    TYPE_DNSKEY = 48
    MOST_LOOKED = 2048         # slots a verdict looks back over
    MOST_RELATED = 160         # and queries it weighs
    IGNORED = 3                # queries with EDNS left unanswered before EDNS is taken for the reason
    MOST_TAILS = 9             # of a lookup's name and aliases: real chains have fewer
    SEVERAL = 3                # servers, that tell how far away all are: of the root, a top-level domain, a zone

cdef enum:                     # nanoseconds
    BEFORE = 500000            # a query may be passed on this much before it was seen to come
    SLOW = 100000000           # one answer that took longer is slow by itself
    RETRIED = 200000000        # a wait for an answer that never comes is at least this long (unbound 376 ms, BIND 800 ms)

cdef int64_t DISCARDED = 1900000000  # unbound sends no answer that took longer (its discard-timeout): the client has to ask again
cdef int64_t EARLIER = 3000000000  # begun so long before, for another client of the same resolver


cdef struct Led:               # where aliases from upstream lead: hashes of the last two labels
    uint32_t[9] tails
    uint32_t count


cdef bint upstream_open(Upstream* u) noexcept nogil:
    memset(u, 0, sizeof(Upstream))
    u.slots = <UpstreamQuery*>calloc(UPSTREAM_SLOTS, sizeof(UpstreamQuery))
    u.marks = <UpstreamMark*>calloc(UPSTREAM_SLOTS, sizeof(UpstreamMark))
    return u.slots != NULL and u.marks != NULL


cdef void upstream_close(Upstream* u) noexcept nogil:
    free(u.slots)
    free(u.marks)
    u.slots = NULL
    u.marks = NULL


cdef uint32_t tail_of(const uint8_t* name, uint32_t size) noexcept nogil:
    """Hash of the last two labels of a name as `near` counts labels; 0 where it has fewer."""
    cdef uint32_t i = 1, labels = 0, h = 2166136261
    while i < size:
        if name[size - 1 - i] == c'.':
            labels += 1
            if labels == 2:
                return h | 1
        h = (h ^ name[size - 1 - i]) * 16777619
        i += 1
    return h | 1 if labels == 1 else 0


cdef inline uint32_t chain_of(uint32_t tail) noexcept nogil:
    return 1 + tail % (UPSTREAM_CHAINS - 1) if tail else 0


cdef inline UpstreamServer* server_at(const Upstream* u, const uint64_t* address) noexcept nogil:
    cdef uint64_t hash = (address[0] ^ (address[1] << 1)) * <uint64_t>0x9e3779b97f4a7c15
    return <UpstreamServer*>&u.servers[hash >> 56]


cdef bint drops_edns(const Upstream* u, const UpstreamQuery* q) noexcept nogil:
    """Whether the server answers queries without EDNS (RFC 6891), and left all that had it without an answer."""
    cdef const UpstreamServer* x = server_at(u, q.server)
    return q.edns and x.address[0] == q.server[0] and x.address[1] == q.server[1] and x.without > 0 and x.with_edns == 0 \
        and x.asked >= IGNORED


cdef void upstream_query(Upstream* u, const Exchange* ex, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef UpstreamQuery* q = &u.slots[ex.number & (UPSTREAM_SLOTS - 1)]
    cdef UpstreamMark* mark = &u.marks[ex.number & (UPSTREAM_SLOTS - 1)]
    cdef uint64_t* head
    cdef uint32_t kept = min(size, <uint32_t>UPSTREAM_NAME)
    cdef UpstreamServer* x = server_at(u, ex.server)
    if ex.transport != TRANSPORT_TCP:
        if x.address[0] != ex.server[0] or x.address[1] != ex.server[1]:
            memset(x, 0, sizeof(UpstreamServer))
            x.address[0] = ex.server[0]
            x.address[1] = ex.server[1]
        x.asked += ex.flags & EXCHANGE_EDNS != 0
    q.exchange = ex.number
    q.time = ex.time
    q.answered = -1
    q.client[0] = ex.client[0]
    q.client[1] = ex.client[1]
    q.server[0] = ex.server[0]
    q.server[1] = ex.server[1]
    q.name_size = <uint16_t>size
    q.qtype = ex.qtype
    q.outcome = OUTCOME_OPEN
    q.transport = ex.transport
    q.edns = ex.flags & EXCHANGE_EDNS != 0
    q.forwarded = ex.flags & EXCHANGE_RD != 0
    q.loop = 0
    q.alias_count = 0
    memcpy(q.name, name + size - kept, kept)
    mark.exchange = ex.number
    mark.time = ex.time
    mark.tail = tail_of(name, size) if kept == size else 0
    head = &u.heads[chain_of(mark.tail)]
    mark.back = <uint32_t>min(ex.number + 1 - head[0], <uint64_t>UPSTREAM_SLOTS) if head[0] and head[0] <= ex.number else UPSTREAM_SLOTS
    head[0] = ex.number + 1
    u.latest = max(u.latest, ex.number)
    u.any = 1
    u.keys |= ex.qtype == TYPE_DNSKEY


cdef void upstream_answer(Upstream* u, UpstreamQuery* q, int64_t time, uint8_t outcome) noexcept nogil:
    cdef UpstreamServer* x = server_at(u, q.server)
    q.answered = time
    q.outcome = outcome
    if q.transport != TRANSPORT_TCP and x.address[0] == q.server[0] and x.address[1] == q.server[1]:
        if not x.answered:
            x.answered = 1
            u.answering += 1
        if u.quickest == 0 or time - q.time < u.quickest:
            u.quickest = max(time - q.time, <int64_t>1)
        if q.edns:
            x.with_edns += 1
        else:
            x.without += 1


cdef void upstream_alias(UpstreamQuery* q, const uint8_t* target, uint32_t size) noexcept nogil:
    cdef uint8_t text[1052]
    cdef uint8_t* end
    cdef uint32_t tail, i
    if size == 0 or size > 255 or q.alias_count == UPSTREAM_ALIASES:
        return
    end = put_name(text, target, size)
    tail = tail_of(text, <uint32_t>(end - text))
    for i in range(q.alias_count):
        if q.aliases[i] == tail:
            return
    if tail:
        q.aliases[q.alias_count] = tail
        q.alias_count += 1


cdef inline bint distant(const Upstream* u, int64_t latency) noexcept nogil:
    """Whether no server at all answers much sooner: it is the way that is long."""
    return u.answering >= SEVERAL and latency < 2 * u.quickest


cdef UpstreamQuery* upstream_of(Upstream* u, uint64_t exchange) noexcept nogil:
    cdef UpstreamQuery* q = &u.slots[exchange & (UPSTREAM_SLOTS - 1)]
    return q if q.exchange == exchange and q.time != 0 else NULL


cdef void upstream_dial(Upstream* u, const uint64_t* client, const uint64_t* server, uint32_t stream, int64_t time,
                        bint open) noexcept nogil:
    cdef uint32_t i
    cdef UpstreamDial* d
    for i in range(UPSTREAM_DIALS):
        if u.dials[i].used and u.dials[i].stream == stream:
            u.dials[i].open |= open
            return
    d = &u.dials[u.dial_at]
    u.dial_at = (u.dial_at + 1) % UPSTREAM_DIALS
    d.client[0] = client[0]
    d.client[1] = client[1]
    d.server[0] = server[0]
    d.server[1] = server[1]
    d.time = time
    d.stream = stream
    d.open = open
    d.used = 1


cdef uint32_t labels_alike(const uint8_t* a, uint32_t na, const uint8_t* b, uint32_t nb, bint* whole) noexcept nogil:
    """How many labels both names have in common at their end; `whole` where that is all of `a`."""
    cdef uint32_t i = 1, count = 0
    whole[0] = False
    if na == 1:
        whole[0] = True        # the root
        return 0
    while True:
        if i == na:
            whole[0] = i == nb or b[nb - 1 - i] == c'.'
            return count + whole[0]
        if i == nb:
            return count + (a[na - 1 - i] == c'.')
        if a[na - 1 - i] != b[nb - 1 - i]:
            return count
        if a[na - 1 - i] == c'.':
            count += 1
        i += 1


cdef bint near(const UpstreamQuery* q, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef bint whole
    cdef uint32_t kept = min(<uint32_t>q.name_size, <uint32_t>UPSTREAM_NAME)
    cdef uint32_t alike = labels_alike(q.name, kept, name, size, &whole)
    return whole or alike >= 2


cdef bint relates(const UpstreamQuery* q, const Lookup* l) noexcept nogil:
    cdef uint32_t i = l.candidate_count - 1, at = 0
    cdef uint16_t kind, n
    cdef uint8_t text[1052]
    cdef uint8_t* end
    if near(q, l.text + l.names[i], l.names[i + 1] - l.names[i]):
        return True
    while at < l.record_size:
        memcpy(&kind, l.records + at, 2)
        memcpy(&n, l.records + at + 2, 2)
        if kind == TYPE_CNAME and n <= 255 and n > 0:
            end = put_name(text, l.records + at + 6, n)
            if near(q, text, <uint32_t>(end - text)):
                return True
        at += 6 + n
    return False


cdef inline uint32_t add_head(const Upstream* u, uint32_t tail, uint32_t* chains, uint64_t* at, uint32_t count) noexcept nogil:
    cdef uint32_t chain = chain_of(tail), i
    for i in range(count):
        if chains[i] == chain:
            return count
    chains[count] = chain
    at[count] = u.heads[chain]
    if at[count] and u.marks[(at[count] - 1) & (UPSTREAM_SLOTS - 1)].exchange != at[count] - 1:
        at[count] = 0
    return count + 1


cdef uint32_t heads_of(const Upstream* u, const Lookup* l, uint32_t* chains, uint64_t* at) noexcept nogil:
    """Where the chains begin in which queries stand that `relates` to the lookup, by its name and its first few aliases."""
    cdef uint32_t i = l.candidate_count - 1, place = 0, count
    cdef uint16_t kind, n
    cdef uint8_t text[1052]
    cdef uint8_t* end
    count = add_head(u, 0, chains, at, 0)
    count = add_head(u, tail_of(l.text + l.names[i], l.names[i + 1] - l.names[i]), chains, at, count)
    while place < l.record_size and count < MOST_TAILS:
        memcpy(&kind, l.records + place, 2)
        memcpy(&n, l.records + place + 2, 2)
        if kind == TYPE_CNAME and n <= 255 and n > 0:
            end = put_name(text, l.records + place + 6, n)
            count = add_head(u, tail_of(text, <uint32_t>(end - text)), chains, at, count)
        place += 6 + n
    return count


cdef inline bint led_to(const Led* led, uint32_t tail) noexcept nogil:
    """Whether an alias from upstream leads to names that end so."""
    cdef uint32_t i
    for i in range(led.count):
        if led.tails[i] == tail:
            return tail != 0
    return False


cdef inline uint32_t tail_at(const Upstream* u, const UpstreamQuery* q) noexcept nogil:
    return u.marks[q.exchange & (UPSTREAM_SLOTS - 1)].tail


cdef uint32_t gather(const Upstream* u, const Lookup* l, int64_t begin, int64_t end, const Led* led,
                     const UpstreamQuery** found) noexcept nogil:
    """The queries of the time of a lookup that have to do with it, latest first."""
    cdef uint64_t[9] at
    cdef uint32_t[9] chains
    cdef uint32_t count = 0, i, heads = heads_of(u, l, chains, at)
    cdef uint64_t number
    cdef const UpstreamMark* mark
    cdef const UpstreamQuery* q
    for i in range(led.count):
        if heads < MOST_TAILS:
            heads = add_head(u, led.tails[i], chains, at, heads)
    while count < MOST_RELATED:
        # The latest of those that the chains have come to.
        number = 0
        for i in range(heads):
            number = max(number, at[i])
        if number == 0 or u.latest + 1 - number >= MOST_LOOKED:
            break
        mark = &u.marks[(number - 1) & (UPSTREAM_SLOTS - 1)]
        if mark.time < begin - EARLIER:
            break
        q = &u.slots[(number - 1) & (UPSTREAM_SLOTS - 1)]
        if q.time <= end and not (q.time < begin - BEFORE and q.answered >= 0 and q.answered < begin) \
                and (relates(q, l) or led_to(led, mark.tail)):
            found[count] = q
            count += 1
        for i in range(heads):
            if at[i] == number:
                at[i] = number - mark.back if number > mark.back else 0
                if at[i] and u.marks[(at[i] - 1) & (UPSTREAM_SLOTS - 1)].exchange != at[i] - 1:
                    at[i] = 0      # its slot was given to another
    return count


cdef bint lead_on(const Upstream* u, const UpstreamQuery** found, uint32_t count, int64_t end, Led* led) noexcept nogil:
    """Note where aliases that came from upstream lead; whether anywhere else than before."""
    cdef uint32_t i, j, before = led.count
    cdef const UpstreamQuery* q
    for i in range(count):
        q = found[i]
        if q.answered < 0 or q.answered > end:
            continue
        for j in range(q.alias_count):
            if led.count < MOST_TAILS - 2 and q.aliases[j] != tail_at(u, q) and not led_to(led, q.aliases[j]):
                led.tails[led.count] = q.aliases[j]
                led.count += 1
    return led.count > before


cdef inline bint same_name(const UpstreamQuery* a, const UpstreamQuery* b) noexcept nogil:
    return a.name_size == b.name_size and a.qtype == b.qtype and memcmp(a.name, b.name, min(<uint32_t>a.name_size, <uint32_t>UPSTREAM_NAME)) == 0


cdef bint asks_for(const UpstreamQuery* q, const Lookup* l) noexcept nogil:
    """Whether the query is for the very name of the lookup."""
    cdef uint32_t i = l.candidate_count - 1
    cdef uint32_t size = l.names[i + 1] - l.names[i], kept = min(size, <uint32_t>UPSTREAM_NAME)
    return q.name_size == size and memcmp(q.name, l.text + l.names[i + 1] - kept, kept) == 0


cdef inline bint keyed(const UpstreamQuery* q) noexcept nogil:
    """Whether keys were asked for, and given."""
    return (q.qtype == TYPE_DNSKEY or q.qtype == TYPE_DS) and q.outcome == OUTCOME_ANSWER


cdef inline void cover(int64_t* cost, int64_t* reach, uint32_t cause, int64_t begin, int64_t end, int64_t low, int64_t high) noexcept nogil:
    """Add what the span, in order of begin, covers and earlier ones of its cause did not."""
    begin = max(begin, max(low, reach[cause]))
    end = min(end, high)
    if end > begin:
        cost[cause] += end - begin
        reach[cause] = end


cdef const UpstreamQuery* cut_before(const UpstreamQuery** found, uint32_t i, uint32_t count) noexcept nogil:
    """The same question, sent before and answered truncated; NULL without."""
    cdef uint32_t j
    for j in range(i + 1, count):
        if found[j].outcome == OUTCOME_TRUNCATED and found[j].answered >= 0 and found[j].answered <= found[i].time and same_name(found[i], found[j]):
            return found[j]
    return NULL


cdef bint upstream_causes(const Upstream* u, const Lookup* l, int64_t begin, int64_t end, bint failed, int64_t* cost,
                          uint8_t* forced) noexcept nogil:
    cdef const UpstreamQuery* found[160]
    cdef const UpstreamQuery* q
    cdef const UpstreamQuery* r
    cdef Led led
    cdef uint32_t count = 0, i, j, k, good = 0, keys = 0, refused = 0, servfail = 0, silent = 0, blocked = 0
    cdef uint32_t own = 0, loops = 0, fallbacks = 0
    cdef int64_t[39] reach
    cdef int64_t next_at, slowest = 0, all_time = 0, until
    cdef uint32_t cause
    cdef bint plain, answered_tcp, tried, alias
    if not u.any:
        return False
    for i in range(CAUSES):
        reach[i] = begin
    led.count = 0
    count = gather(u, l, begin, end, &led, found)
    while lead_on(u, found, count, end, &led):
        count = gather(u, l, begin, end, &led, found)
    if count == 0:
        return False
    # Oldest first from here: found[count - 1] ... found[0].
    for k in range(count):
        i = count - 1 - k
        q = found[i]
        next_at = end
        plain = False
        for j in range(i):
            r = found[i - 1 - j]
            if same_name(q, r):
                if next_at == end:
                    next_at = max(r.time, q.time)
                if q.edns and not r.edns and r.answered >= 0:
                    plain = True
        if asks_for(q, l):
            own += 1
        loops += q.loop
        alias = led_to(&led, tail_at(u, q))
        if q.qtype == TYPE_DNSKEY or q.qtype == TYPE_DS:
            keys += 1
        if q.answered < 0 or q.answered > end:
            until = min(next_at, q.answered if q.answered >= 0 else end)
            if until - max(q.time, begin) < RETRIED and not (next_at == end and end - q.time >= SLOW):
                continue
            silent += 1
            if alias:
                good = 0           # of the name, which leads to what is not
            cause = CAUSE_DEAD_AUTHORITATIVE
            if q.forwarded:
                cause = CAUSE_FORWARDER_UPSTREAM_TIMEOUT
            elif plain or drops_edns(u, q):
                cause = CAUSE_UPSTREAM_EDNS_DROPPED
            elif q.answered >= 0:
                cause = CAUSE_SLOW_AUTHORITATIVE
            cover(cost, reach, cause, q.time, next_at if next_at > q.time else end, begin, end)
            continue
        if next_at < q.answered and q.answered - q.time >= SLOW and not q.forwarded and not distant(u, q.answered - q.time):
            cover(cost, reach, CAUSE_SLOW_AUTHORITATIVE, q.time, q.answered, begin, end)
            slowest = max(slowest, q.answered - q.time)
            continue
        if q.outcome == OUTCOME_ANSWER and (alias or asks_for(q, l)):
            good += 1
        if alias and (q.outcome == OUTCOME_REFUSED or q.outcome == OUTCOME_SERVFAIL):
            good = 0
        if q.outcome == OUTCOME_REFUSED:
            refused += 1
            cover(cost, reach, CAUSE_UPSTREAM_REFUSED, q.time, q.answered, begin, end)
        elif q.outcome == OUTCOME_SERVFAIL:
            servfail += 1
            cover(cost, reach, CAUSE_UPSTREAM_SERVFAIL, q.time, q.answered, begin, end)
        elif q.outcome == OUTCOME_FORMERR or q.outcome == OUTCOME_NOTIMP:
            if plain:
                fallbacks += 1
                cover(cost, reach, CAUSE_FORWARDER_EDNS_FALLBACK if q.forwarded else CAUSE_UPSTREAM_EDNS_FALLBACK, q.time,
                      next_at, begin, end)
        elif q.outcome == OUTCOME_TRUNCATED:
            # Fetched over TCP?
            answered_tcp = tried = False
            for j in range(i):
                r = found[i - 1 - j]
                if r.transport == TRANSPORT_TCP and same_name(q, r) and r.answered >= 0:
                    answered_tcp = True
            for j in range(UPSTREAM_DIALS):
                if u.dials[j].used and u.dials[j].server[0] == q.server[0] and u.dials[j].server[1] == q.server[1] \
                        and u.dials[j].time >= q.answered - BEFORE and u.dials[j].time < q.answered + SLOW and not u.dials[j].open:
                    tried = True
            if not answered_tcp:
                cover(cost, reach, CAUSE_UPSTREAM_TRUNCATION, q.answered, next_at, begin, end)
                if tried:
                    blocked += 1
                    cover(cost, reach, CAUSE_UPSTREAM_TCP_BLOCKED, q.answered, next_at, begin, end)
        elif q.forwarded:
            pass                   # a resolver that is slow, for all that is seen of it
        elif q.transport == TRANSPORT_TCP and cut_before(found, i, count) != NULL:
            cover(cost, reach, CAUSE_UPSTREAM_TRUNCATION, cut_before(found, i, count).answered, q.answered, begin, end)
        elif q.answered - q.time >= SLOW and not distant(u, q.answered - q.time):
            slowest = max(slowest, q.answered - q.time)
            cover(cost, reach, CAUSE_SLOW_AUTHORITATIVE, q.time, q.answered, begin, end)
        else:
            cover(cost, reach, CAUSE_COLD_RECURSION, q.time, q.answered, begin, end)
    if failed:
        if loops:
            forced[CAUSE_CNAME_LOOP] = 1
            return True
        if refused and good == 0 and own and refused >= servfail:
            forced[CAUSE_UPSTREAM_REFUSED] = 1
            return True
        if servfail and good == 0:
            forced[CAUSE_UPSTREAM_SERVFAIL] = 1
            return True
        if keys and silent == 0 and (good or servfail + refused + blocked + fallbacks == 0 and keyed(found[0])):
            # The data was there, or the zone's keys were the last that was fetched, and yet the answer is a failure: validation.
            forced[CAUSE_DNSSEC_BOGUS] = 1
            return True
        if l.end.outcome == LOOKUP_SERVFAIL and good and silent + servfail + refused + blocked + fallbacks == 0:
            if not u.keys:
                return False   # nothing here tells why
            # The keys were known, or known not to fit.
            forced[CAUSE_DNSSEC_BOGUS] = 1
            return True
        if blocked:
            forced[CAUSE_UPSTREAM_TRUNCATION] = 1
            forced[CAUSE_UPSTREAM_TCP_BLOCKED] = 1
            return True
    elif silent and good == 0 and own and l.answer_count and cost[CAUSE_DEAD_AUTHORITATIVE] >= SLOW:
        # Answered though nothing came from upstream: out of a cache whose time was up.
        cost[CAUSE_SERVE_STALE] += cost[CAUSE_DEAD_AUTHORITATIVE]
    for i in range(CAUSE_COLD_RECURSION, CAUSES):
        all_time += cost[i]
    if failed and own and (all_time >= SLOW or slowest >= SLOW):
        return True
    return all_time * 2 >= end - begin or all_time >= DISCARDED
