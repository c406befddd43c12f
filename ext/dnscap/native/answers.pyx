"""Answers of lookups; see answers.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from dnscap.native.acquaintances cimport is_loopback
from dnscap.native.assembly cimport MOST_CHAIN, NONE_YET, NONE_YET_UNHEARD, Place
from dnscap.native.attempts cimport *
from dnscap.native.chasing cimport await_chase, spells
from dnscap.native.datagrams cimport TRANSPORT_TCP, TRANSPORT_UDP
from dnscap.native.domain cimport STATUS_FIRST_FRAGMENT
from dnscap.native.exchanges cimport *
from dnscap.native.frames cimport DIRECTION_IN
from dnscap.native.joining cimport noted
from dnscap.native.many_attempts cimport changed
from dnscap.native.open_lookups cimport open_lookup, settle, wider
from dnscap.native.upstreams cimport UpstreamQuery, upstream_alias, upstream_answer, upstream_of

cdef enum:
    TYPE_A = 1
    TYPE_CNAME = 5
    TYPE_AAAA = 28
    TYPE_ANY = 255
    MOST_ALIASES = 16          # of an answer that are looked at for a loop; resolvers follow no more
    OTHER_OCTETS = 4096        # records that are no addresses are kept up to this

cdef int64_t LONG_SINCE = 29000000000      # the matcher gives up by itself after 30 s


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
        if i == 0 or at - i > MOST_ALIASES or batch.record_columns.message[i - 1] != row:
            return False
        i -= 1


cdef inline uint32_t first_record(Batch batch, uint32_t row, uint32_t* near) noexcept nogil:
    """Where the records of a message begin; `near` is where those of a message a little before or after did."""
    cdef const uint32_t* message = batch.record_columns.message
    cdef uint32_t count = batch.record_columns.count, low = near[0], high, middle, step = 1
    if low > count or low and message[low - 1] >= row:
        low = 0
        high = count
    else:
        high = low
        while high < count and message[high] < row:
            low = high + 1
            high = high + step if count - high > step else count
            step *= 2
    while low < high:
        middle = low + (high - low) // 2
        if message[middle] < row:
            low = middle + 1
        else:
            high = middle
    near[0] = low
    return low


cdef void follow_aliases(UpstreamQuery* u, Batch batch, uint32_t row, uint32_t* near) noexcept nogil:
    """Note where the aliases of an answer lead, and whether back to one of them."""
    cdef uint32_t low = first_record(batch, row, near), seen = 0, at
    while low < batch.record_columns.count and batch.record_columns.message[low] == row and seen < MOST_ALIASES:
        if batch.record_columns.section[low] & 3 == 0 and batch.record_columns.type[low] == TYPE_CNAME:
            at = batch.record_columns.rdata[low]
            upstream_alias(u, batch.record_columns.rdata_octets + at, batch.record_columns.rdata[low + 1] - at)
            if loops(batch, low, row, 0):
                u.loop = 1
                return
        low += 1
        seen += 1


cdef inline bint same_rdata(const uint8_t* a, const uint8_t* b, uint32_t size) noexcept nogil:
    cdef uint32_t x, y
    if size == 4:
        memcpy(&x, a, 4)
        memcpy(&y, b, 4)
        return x == y
    return memcmp(a, b, size) == 0


cdef inline bint known_record(const Lookup* l, uint16_t type_, uint8_t candidate, const uint8_t* rdata, uint32_t size) noexcept nogil:
    cdef uint32_t at = 0
    cdef uint16_t kind, n
    while at < l.record_size:
        memcpy(&kind, l.records + at, 2)
        memcpy(&n, l.records + at + 2, 2)
        if kind == type_ and n == size and l.records[at + 4] == candidate and same_rdata(l.records + at + 6, rdata, n):
            return True
        at += 6 + n
    return False


cdef inline bint add_record(Lookup* l, uint16_t type_, uint8_t candidate, const uint8_t* rdata, uint32_t size) noexcept nogil:
    cdef uint8_t* p
    cdef uint32_t room
    cdef uint16_t s
    if l.record_count >= MOST_RECORDS or l.record_size + size + 6 > MOST_RECORD_OCTETS or size > 0xFFFF:
        return True
    if l.record_size + size + 6 > l.record_room:
        room = (l.record_size + size + 6) * 2
        p = <uint8_t*>wider(l.records, l.few_record_octets, l.record_size, room)
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
    if size == 4:
        memcpy(p + 6, rdata, 4)
    elif size == 16:
        memcpy(p + 6, rdata, 16)
    else:
        memcpy(p + 6, rdata, size)
    l.record_size += size + 6
    l.record_count += 1
    return True


cdef inline int read_answer(Lookup* l, Attempt* a, Batch batch, uint32_t row, uint32_t* near) noexcept nogil:
    """Keep the records of an answer, and what they say: aliases, loops."""
    cdef uint32_t low = first_record(batch, row, near), start, size, aliases = 0
    cdef uint16_t kind
    cdef const uint8_t* rdata
    if batch.columns.status[row] == STATUS_FIRST_FRAGMENT:
        a.flags |= ATTEMPT_FRAGMENT | ATTEMPT_CUT
    elif batch.columns.frames[row] > 1 and a.transport == TRANSPORT_UDP:
        a.flags |= ATTEMPT_IN_FRAGMENTS
    if batch.columns.direction[row] == DIRECTION_IN or is_loopback(l.client):
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
                if aliases <= MOST_ALIASES and loops(batch, low, row, a.qtype):
                    a.flags |= ATTEMPT_LOOP
            if kind == a.qtype or kind == TYPE_CNAME or a.qtype == TYPE_ANY:
                if kind == TYPE_A and size == 4 or kind == TYPE_AAAA and size == 16 or l.record_size < OTHER_OCTETS:
                    if l.record_count > 64 or not known_record(l, kind, a.candidate, rdata, size):
                        if not add_record(l, kind, a.candidate, rdata, size):
                            return -1
        low += 1
    return 0


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
    cdef Place* p
    cdef uint32_t note
    if lookup == NO_LOOKUP:
        lookup = lookup_in(exchanges.table, h.exchange)
    if lookup == NO_LOOKUP:
        u = upstream_of(&t.upstream, h.exchange)
        if u != NULL and h.kind == HAPPENED_ANSWER:
            upstream_answer(&t.upstream, u, h.time, h.outcome)
            if h.row != NO_MESSAGE and batch is not None:
                follow_aliases(u, batch, h.row, &t.near)
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
    changed(l)
    if h.kind == HAPPENED_ANSWER:
        a.answered = h.time
        p = &t.ring[lookup & t.ring_mask]
        if a == l.attempts and p.u.next_start == NONE_YET_UNHEARD:
            p.u.next_start = NONE_YET
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
                await_chase(t, &exchanges.table.index, l, a)
    elif h.kind == HAPPENED_REJECTED:
        a.flags |= ATTEMPT_REJECTED
        return
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
        t.steps += 1
        l = t.ring[i & t.ring_mask].l
        if l == NULL or l.client[0] != ex.client[0] or l.client[1] != ex.client[1]:
            continue
        for j in range(l.attempt_count):
            a = &l.attempts[j]
            if a.answered < 0 and a.port == ex.client_port and a.server[0] == ex.server[0] and a.server[1] == ex.server[1] \
                    and a.time <= h.time and (a.id == ex.id or a.qtype == ex.qtype):
                a.flags |= ATTEMPT_BOGUS
                return
