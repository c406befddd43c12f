"""Pairing of responses with queries; see exchange_matching.pxd."""
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.datagrams cimport TRANSPORT_TCP, TRANSPORT_UDP
from dnscap.native.decoder cimport Batch
from dnscap.native.domain cimport (
    STATUS_FIRST_FRAGMENT,
    STATUS_OK,
    STATUS_TRAILING_OCTETS,
    STATUS_TRUNCATED_CAPTURE,
)
from dnscap.native.edns cimport OPTION_COOKIE
from dnscap.native.exchange_index cimport (
    ENDS_BUCKETS,
    KEPT,
    KeySlot,
    due_at,
    find_ends,
    hash_ends,
    hash_key,
    hash_stream,
    index_grow,
    link_ends,
    older_ends,
    slot_of,
    sweep,
    tick_of,
)
from dnscap.native.exchange_notes cimport STREAMS, take_note
from dnscap.native.exchange_rows cimport (
    ROW_GROUPED,
    ROW_REPEATED,
    ROW_TRANSFER,
    Page,
    PagePool,
    RowColumns,
    alive,
    columns_of,
    open_page,
    page_of,
    place,
    set_bounds,
    set_rtt,
    whole_number,
)
from dnscap.native.exchange_state cimport (
    EARLY, ICMP_WAIT, LINGER, OPEN_WAIT, Group, Note, elapsed, happened, happened_now, plus, span,
)
from dnscap.native.exchange_transmissions cimport group_of, join_group, settle, stop_waiting
from dnscap.native.exchange_translations cimport came, enter_alias, expect_sighting, is_alias, is_expected
from dnscap.native.exchange_waiting cimport clock, give_up
from dnscap.native.exchange_words cimport *
from dnscap.native.interning cimport NO_CODE, likely, prefetch, unlikely
from dnscap.native.message_columns cimport HAS_DELEGATION, HAS_EDNS, HAS_HEADER, HAS_NAME, HAS_TYPE, MessageColumns
from dnscap.native.octets cimport be16

cdef enum:
    STRIDE = 64
    MOST_WALK = 64             # rows of the same ends looked at for a response without a question

    PORT_MDNS = 5353
    PORT_LLMNR = 5355
    TYPE_IXFR = 251
    TYPE_AXFR = 252

    FLAG_QR = 0x8000
    FLAG_AA = 0x0400
    FLAG_TC = 0x0200
    FLAG_RA = 0x0080

cdef enum MessageKind:
    SKIPPED = 0
    QUERY = 1
    RESPONSE = 2
    QUERY_AGAIN = 3            # another sighting
    RESPONSE_AGAIN = 4

cdef enum Verdict:             # what becomes of a response
    VERDICT_NONE = 0
    VERDICT_PAIR = 1
    VERDICT_FURTHER = 2

cdef struct Stride:            # what is worked out ahead for a few messages
    uint64_t[STRIDE] key
    uint64_t[STRIDE] ends
    uint8_t[STRIDE] kind


# ---------------------------------------------------------------- new rows

cdef inline int64_t new_row(Matcher* t, PagePool pool, const MessageColumns* c, uint32_t r, uint64_t ends,
                            bint response) noexcept nogil:
    """The number of a row with the end points and the question of a message; -1 without memory."""
    cdef uint64_t n = t.rows.tail
    cdef RowColumns* x
    cdef uint32_t k = place(n)
    cdef bint questioned = c.presence[r] & HAS_TYPE != 0
    if unlikely(n - t.rows.base >= t.most_rows):
        give_up(t, n - t.most_rows + 1)
    if unlikely(k == 0 and open_page(&t.rows, pool) != 0):
        t.failed = True
        return -1
    t.rows.tail = n + 1
    x = columns_of(&t.rows, n)
    x.time[k] = c.time[r]
    x.latency[k] = -1
    x.query_frame[k] = x.response_frame[k] = 0
    x.lookup[k] = NO_LOOKUP
    x.release[k] = INT64_MIN
    x.ends[k] = ends
    x.query[k] = x.response[k] = NO_MESSAGE
    if response:
        x.client[k] = c.dst[r]
        x.server[k] = c.src[r]
        x.client_port[k] = c.dst_port[r]
        x.server_port[k] = c.src_port[r]
    else:
        x.client[k] = c.src[r]
        x.server[k] = c.dst[r]
        x.client_port[k] = c.src_port[r]
        x.server_port[k] = c.dst_port[r]
    x.qname[k] = c.qname[r] if c.presence[r] & HAS_NAME else NO_CODE
    x.responses[k] = 0
    x.transmission[k] = 1
    x.query_size[k] = x.response_size[k] = 0
    x.next_ends[k] = <uint32_t>n
    x.id[k] = c.id[r]
    x.qtype[k] = c.qtype[r] if questioned else 0
    x.qclass[k] = c.qclass[r] if questioned else 0
    x.rcode[k] = 0
    x.flags[k] = 0 if questioned else EXCHANGE_NO_QUESTION
    x.outcome[k] = OUTCOME_OPEN
    x.transport[k] = c.transport[r]
    x.role[k] = 0
    x.state[k] = 0
    if unlikely(c.transport[r] == TRANSPORT_TCP):
        if x.qtype[k] == TYPE_AXFR or x.qtype[k] == TYPE_IXFR:
            x.state[k] = ROW_TRANSFER
        if t.rtts != NULL and t.rtts[c.stream[r] & (STREAMS - 1)].stream == c.stream[r]:
            set_rtt(page_of(&t.rows, n), k, t.rtts[c.stream[r] & (STREAMS - 1)].handshake)
    return <int64_t>n


cdef bint has_cookie(const MessageColumns* c, uint32_t r) noexcept nogil:
    cdef uint32_t at = c.options[r], end = c.options[r + 1]
    while at + 4 <= end:
        if be16(c.options_octets + at) == OPTION_COOKIE:
            return True
        at += 4 + be16(c.options_octets + at + 2)
    return False


cdef inline void take_query(RowColumns* x, uint32_t k, const MessageColumns* c, uint32_t r, uint32_t message) noexcept nogil:
    x.query[k] = message
    x.time[k] = c.time[r]
    x.query_frame[k] = c.frame[r]
    x.query_size[k] = c.size[r]
    x.flags[k] |= <uint16_t>query_flags(c, r)


cdef inline bint is_cut(const MessageColumns* c, uint32_t r) noexcept nogil:
    """Whether the capture holds a message only in part."""
    return c.status[r] == STATUS_TRUNCATED_CAPTURE or c.status[r] == STATUS_FIRST_FRAGMENT


cdef inline void take_response(RowColumns* x, uint32_t k, const MessageColumns* c, uint32_t r, uint32_t message) noexcept nogil:
    cdef uint32_t header = c.flags[r]
    cdef uint32_t flags = x.flags[k]
    cdef int status = c.status[r]
    x.response[k] = message
    x.response_frame[k] = c.frame[r]
    x.response_size[k] = c.size[r]
    x.rcode[k] = c.rcode[r]
    x.responses[k] += 1
    flags |= header & FLAG_RA | (header & FLAG_AA) >> 2
    if unlikely(status != STATUS_OK):
        if is_cut(c, r):
            flags |= EXCHANGE_CUT
        elif status != STATUS_TRAILING_OCTETS:
            flags |= EXCHANGE_BOGUS
    if flags & EXCHANGE_EDNS and c.presence[r] & HAS_EDNS == 0 and flags & EXCHANGE_CUT == 0:
        flags |= EXCHANGE_NO_OPT_BACK
    x.flags[k] = <uint16_t>flags


cdef inline uint8_t outcome_of(const MessageColumns* c, uint32_t r) noexcept nogil:
    cdef uint32_t header = c.flags[r]
    cdef uint32_t rcode = c.rcode[r]
    if likely(rcode == 0):
        if header & FLAG_TC and c.transport[r] == TRANSPORT_UDP:
            return OUTCOME_TRUNCATED
        if c.ancount[r] or header & 0x7800:    # NOTIFY and UPDATE have nothing to answer with
            return OUTCOME_ANSWER
        if header & (FLAG_AA | FLAG_RA) == 0 and (c.presence[r] & HAS_DELEGATION or c.nscount[r] and is_cut(c, r)):
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


# ---------------------------------------------------------------- which row a response goes to

cdef inline bint takes_answer(const Matcher* t, uint32_t n, int64_t time) noexcept nogil:
    """Whether a row is a query that a response at `time` may answer."""
    cdef const RowColumns* x = columns_of(&t.rows, n)
    cdef uint32_t k = place(n)
    if x.query[k] == NO_MESSAGE or x.response[k] != NO_MESSAGE:
        return False
    if time < x.time[k] and elapsed(x.time[k], time) > <uint64_t>EARLY:
        return False
    # A connection that ended, or an ICMP error, was not the last word.
    return x.outcome[k] == OUTCOME_OPEN or t.now <= x.release[k]


cdef inline bint was_answered(const Matcher* t, uint32_t n) noexcept nogil:
    """Whether a row is a query that has its answer, so short a time ago that a further one is expected."""
    cdef const RowColumns* x = columns_of(&t.rows, n)
    cdef uint32_t k = place(n)
    return x.query[k] != NO_MESSAGE and x.response[k] != NO_MESSAGE and t.now <= x.release[k]


cdef inline uint32_t answer_row(const Matcher* t, uint32_t n, int64_t time, uint32_t* found) noexcept nogil:
    """Which row of the key of `n`, its newest, a response goes to, and how."""
    cdef const Group* g
    found[0] = n
    if unlikely(columns_of(&t.rows, n).state[place(n)] & ROW_GROUPED):
        g = group_of(t, n)
        if g.open:
            if takes_answer(t, g.pending, time):
                found[0] = g.pending
                return VERDICT_PAIR
            return VERDICT_NONE
        if not takes_answer(t, n, time) and alive(&t.rows, g.last_answered):
            found[0] = g.last_answered
    if takes_answer(t, found[0], time):
        return VERDICT_PAIR
    return VERDICT_FURTHER if was_answered(t, found[0]) else VERDICT_NONE


cdef uint32_t by_ends(const Matcher* t, uint64_t ends, uint16_t id, int64_t time, uint32_t* found) noexcept nogil:
    """As `answer_row`, for a response that does not tell its question: the oldest open query, else the newest answered."""
    cdef uint32_t at, _k, best = VERDICT_NONE, candidate, verdict
    if not find_ends(&t.index, &t.rows, ends, &at):
        return VERDICT_NONE
    for _k in range(MOST_WALK):
        if columns_of(&t.rows, at).id[place(at)] == id:
            verdict = answer_row(t, at, time, &candidate)
            if verdict == VERDICT_PAIR or (verdict == VERDICT_FURTHER and best == VERDICT_NONE):
                best = verdict
                found[0] = candidate
        if not older_ends(&t.rows, ends, &at):
            break
    return best


# ---------------------------------------------------------------- responses

cdef inline void enter_key(KeySlot* s, Matcher* t, uint64_t key, uint32_t n, uint32_t due) noexcept nogil:
    t.index.count += s.key == 0
    s.key = key
    s.row = n
    s.due = due


cdef inline void pair(Matcher* t, Batch batch, uint32_t r, uint32_t n, KeySlot* s) noexcept nogil:
    """The response in row `r` of the batch answers the query of row `n`; `s` is its entry where it was found by key."""
    cdef Page* p = page_of(&t.rows, n)
    cdef RowColumns* x = &p.c
    cdef uint32_t k = place(n)
    cdef const MessageColumns* c = &batch.columns
    cdef Group* g = NULL
    cdef int64_t time = c.time[r]
    cdef bint was_open = x.outcome[k] == OUTCOME_OPEN
    take_response(x, k, c, r, <uint32_t>(batch.first_message + r))
    x.outcome[k] = outcome_of(c, r)
    x.latency[k] = span(time, x.time[k])
    x.release[k] = plus(time, LINGER)
    if likely(x.state[k] == 0):
        if likely(s != NULL):
            s.due = due_at(x.release[k])
    elif x.state[k] & ROW_GROUPED:
        g = group_of(t, n)
        set_bounds(p, k, span(time, columns_of(&t.rows, g.newest).time[place(g.newest)]), x.latency[k])
        g.answered += 1
        g.last_response = time
        g.last_answered = n
        if was_open:
            stop_waiting(t, n)
        else:
            settle(t, n, False, g)
    if t.telling:
        happened_now(t, time, whole_number(&t.rows, n), r, g.first if x.state[k] & ROW_GROUPED else n, HAPPENED_ANSWER,
                     x.outcome[k], x.rcode[k], c.ancount[r])


cdef void further(Matcher* t, PagePool pool, Batch batch, uint32_t r, uint64_t ends, uint32_t n) noexcept nogil:
    """A response to a query that has its answer."""
    cdef const MessageColumns* c = &batch.columns
    cdef RowColumns* x = columns_of(&t.rows, n)
    cdef RowColumns* y
    cdef int64_t extra
    cdef uint32_t k
    x.responses[place(n)] += 1
    if x.state[place(n)] & ROW_TRANSFER:
        x.release[place(n)] = plus(c.time[r], LINGER)
        return
    extra = new_row(t, pool, c, r, ends, True)
    if extra < 0:
        return
    y = columns_of(&t.rows, extra)
    k = place(extra)
    take_response(y, k, c, r, <uint32_t>(batch.first_message + r))
    y.outcome[k] = OUTCOME_DUPLICATE
    if alive(&t.rows, n):      # it may just have been given up
        y.transmission[k] = x.transmission[place(n)]
        x.extra[place(n)] = <uint32_t>extra
        x.state[place(n)] |= ROW_REPEATED
    y.release[k] = plus(c.time[r], ICMP_WAIT)
    happened(t, c.time[r], extra, r, HAPPENED_EXTRA, 0)


cdef int64_t unsolicited(Matcher* t, PagePool pool, Batch batch, uint32_t r, uint64_t ends) noexcept nogil:
    """A row for a response without a query, as yet; -1 without memory."""
    cdef const MessageColumns* c = &batch.columns
    cdef int64_t n = new_row(t, pool, c, r, ends, True)
    cdef RowColumns* x
    if n < 0:
        return -1
    x = columns_of(&t.rows, n)
    take_response(x, place(n), c, r, <uint32_t>(batch.first_message + r))
    x.outcome[place(n)] = OUTCOME_UNSOLICITED
    happened(t, c.time[r], n, r, HAPPENED_EXTRA, 0)
    return n


cdef void await_query(Matcher* t, PagePool pool, Batch batch, uint32_t r, uint64_t key, uint64_t ends) noexcept nogil:
    """A response without a query, which may still come."""
    cdef const MessageColumns* c = &batch.columns
    cdef int64_t n
    cdef RowColumns* x
    if unlikely(t.index.count * 2 > t.index.mask and index_grow(&t.index, &t.rows, tick_of(t.now)) != 0):
        t.failed = True
        return
    sweep(&t.index, &t.rows, tick_of(t.now))
    n = unsolicited(t, pool, batch, r, ends)
    if n < 0:
        return
    x = columns_of(&t.rows, n)
    x.would_be[place(n)] = outcome_of(c, r)
    x.answers[place(n)] = c.ancount[r]
    x.release[place(n)] = plus(c.time[r], EARLY)
    enter_key(slot_of(&t.index, key), t, key, <uint32_t>n, due_at(x.release[place(n)]))
    link_ends(&t.index, &t.rows, <uint32_t>n, ends)


cdef void match_unasked(Matcher* t, PagePool pool, Batch batch, uint32_t r, uint64_t key, uint64_t ends) noexcept nogil:
    """A response to a question that was not asked.  Where the query is known only in part it may have been."""
    cdef const MessageColumns* c = &batch.columns
    cdef RowColumns* x
    cdef uint32_t at, _k
    if find_ends(&t.index, &t.rows, ends, &at):
        for _k in range(MOST_WALK):
            x = columns_of(&t.rows, at)
            if x.id[place(at)] == c.id[r] and x.outcome[place(at)] == OUTCOME_OPEN:
                if x.flags[place(at)] & EXCHANGE_NO_QUESTION and takes_answer(t, at, c.time[r]):
                    pair(t, batch, r, at, NULL)
                    return
                x.flags[place(at)] |= EXCHANGE_BOGUS
                break
            if not older_ends(&t.rows, ends, &at):
                break
    await_query(t, pool, batch, r, key, ends)


cdef void match_response(Matcher* t, PagePool pool, Batch batch, uint32_t r, uint64_t key, uint64_t ends) noexcept nogil:
    cdef const MessageColumns* c = &batch.columns
    cdef KeySlot* s = NULL
    cdef uint32_t n = 0, verdict
    if likely(c.presence[r] & HAS_TYPE != 0):
        s = slot_of(&t.index, key)
        if unlikely(s.key == 0 or not alive(&t.rows, s.row)):
            match_unasked(t, pool, batch, r, key, ends)
            return
        if unlikely(is_alias(s)):
            t.sightings += 1
            expect_sighting(t, <uint32_t>(batch.first_message + r))
            return
        verdict = answer_row(t, s.row, c.time[r], &n)
        if verdict == VERDICT_NONE:
            if columns_of(&t.rows, s.row).outcome[place(s.row)] == OUTCOME_OPEN:
                # Older than the query it would answer: it must not take the query's place.
                unsolicited(t, pool, batch, r, ends)
            else:
                match_unasked(t, pool, batch, r, key, ends)
            return
    else:
        if c.qdcount[r] != 0 and not is_cut(c, r):
            match_unasked(t, pool, batch, r, key, ends)
            return
        verdict = by_ends(t, ends, c.id[r], c.time[r], &n)
        if verdict == VERDICT_NONE:
            s = slot_of(&t.index, key)
            if s.key != 0 and alive(&t.rows, s.row) and is_alias(s):
                t.sightings += 1
                expect_sighting(t, <uint32_t>(batch.first_message + r))
                return
            await_query(t, pool, batch, r, key, ends)
            return
    if likely(verdict == VERDICT_PAIR):
        pair(t, batch, r, n, s)
    else:
        further(t, pool, batch, r, ends, n)


cdef void match_again(Matcher* t, PagePool pool, Batch batch, uint32_t r, uint64_t key, uint64_t ends,
                      bint response) noexcept nogil:
    """Another sighting of a message: what matters is whether a NAT is between the two."""
    cdef const MessageColumns* c = &batch.columns
    cdef uint32_t first = c.sighting_of[r]
    cdef const KeySlot* s
    if not response:
        enter_alias(t, first, key, hash_key(&t.index, ends, c.id[r], 0, 0, 0), ends)
    elif is_expected(t, first):
        s = slot_of(&t.index, key)
        if c.presence[r] & HAS_TYPE == 0 or s.key != 0 and alive(&t.rows, s.row) and not is_alias(s):
            came(t, first)
            match_response(t, pool, batch, r, key, ends)
            return
    t.sightings += 1


# ---------------------------------------------------------------- queries

cdef bint take_early(Matcher* t, Batch batch, uint32_t r, KeySlot* s) noexcept nogil:
    """Whether a query's answer was seen before it: then they are paired."""
    cdef const MessageColumns* c = &batch.columns
    cdef RowColumns* x = columns_of(&t.rows, s.row)
    cdef uint32_t k = place(s.row), row = NO_MESSAGE
    cdef int64_t answered = x.time[k]
    cdef uint64_t n = whole_number(&t.rows, s.row)
    if x.outcome[k] != OUTCOME_UNSOLICITED or c.time[r] < answered or t.now > x.release[k]:
        return False
    take_query(x, k, c, r, <uint32_t>(batch.first_message + r))
    x.outcome[k] = x.would_be[k]
    x.latency[k] = 0
    x.release[k] = plus(answered, LINGER)
    s.due = due_at(x.release[k])
    if x.response[k] >= <uint32_t>batch.first_message:
        row = x.response[k] - <uint32_t>batch.first_message
    happened(t, c.time[r], n, r, HAPPENED_QUERY, 0)
    happened(t, answered, n, row, HAPPENED_ANSWER, x.answers[k])
    return True


cdef inline void match_query(Matcher* t, PagePool pool, Batch batch, uint32_t r, uint64_t key, uint64_t ends) noexcept nogil:
    cdef const MessageColumns* c = &batch.columns
    cdef uint32_t old = 0, due
    cdef bint again = False
    cdef RowColumns* x
    cdef KeySlot* s
    cdef int64_t n
    if unlikely(t.index.count * 2 > t.index.mask and index_grow(&t.index, &t.rows, tick_of(t.now)) != 0):
        t.failed = True
        return
    sweep(&t.index, &t.rows, tick_of(t.now))
    s = slot_of(&t.index, key)
    if unlikely(s.key != 0 and alive(&t.rows, s.row) and not is_alias(s)):
        old = s.row
        x = columns_of(&t.rows, old)
        if x.query[place(old)] == NO_MESSAGE:
            if take_early(t, batch, r, s):
                return
        else:
            again = x.outcome[place(old)] == OUTCOME_OPEN or t.now <= x.release[place(old)]
    n = new_row(t, pool, c, r, ends, False)
    if unlikely(n < 0):
        return
    x = columns_of(&t.rows, n)
    take_query(x, place(n), c, r, <uint32_t>(batch.first_message + r))
    # Until it is given up, and as long as an ICMP error and an answer after it could put that off.
    due = due_at(plus(t.now, OPEN_WAIT + 2 * LINGER))
    if unlikely(again and alive(&t.rows, old)):
        join_group(t, old, <uint32_t>n)
        due = KEPT
    elif unlikely(x.state[place(n)] & ROW_TRANSFER):
        due = KEPT
    enter_key(s, t, key, <uint32_t>n, due)
    link_ends(&t.index, &t.rows, <uint32_t>n, ends)
    if unlikely(t.cursor_time == INT64_MAX):
        t.cursor_time = plus(c.time[r], OPEN_WAIT)
    if not t.telling:
        return
    if likely(x.state[place(n)] & ROW_GROUPED == 0):
        happened_now(t, c.time[r], n, r, <uint32_t>n, HAPPENED_QUERY, OUTCOME_OPEN, 0, 0)
    else:
        happened(t, c.time[r], n, r, HAPPENED_QUERY, 0)


# ---------------------------------------------------------------- strides

cdef void prepare(Matcher* t, Batch batch, Stride* w, uint32_t first, uint32_t count) noexcept nogil:
    """Hashes of a few messages; then the cache lines that matching will touch."""
    cdef const MessageColumns* c = &batch.columns
    cdef const uint64_t* names = t.wire.names
    cdef const uint64_t* addresses = t.wire.addresses
    cdef uint32_t i, r, client, server
    cdef uint64_t ends
    cdef uint16_t client_port, server_port
    cdef bint questioned
    cdef const KeySlot* s
    for i in range(count):
        r = first + i
        if c.qname[r] < t.wire.names_known:
            prefetch(&names[c.qname[r]])
        prefetch(&addresses[c.src[r]])
        prefetch(&addresses[c.dst[r]])
    for i in range(count):
        r = first + i
        w.kind[i] = SKIPPED
        if unlikely(c.presence[r] & HAS_HEADER == 0):
            continue
        if c.flags[r] & FLAG_QR:
            w.kind[i] = RESPONSE
            client = c.dst[r]
            server = c.src[r]
            client_port = c.dst_port[r]
            server_port = c.src_port[r]
        else:
            w.kind[i] = QUERY
            client = c.src[r]
            server = c.dst[r]
            client_port = c.src_port[r]
            server_port = c.dst_port[r]
        if unlikely(server_port == PORT_MDNS or server_port == PORT_LLMNR):
            t.multicast += 1
            w.kind[i] = SKIPPED
            continue
        if unlikely(client >= t.wire.addresses_known or server >= t.wire.addresses_known):
            w.kind[i] = SKIPPED    # the decoder had no memory for them
            continue
        questioned = c.presence[r] & HAS_TYPE != 0
        if unlikely(c.transport[r] == TRANSPORT_TCP):
            ends = hash_stream(&t.index, c.stream[r])
        else:
            ends = hash_ends(&t.index, addresses[client], addresses[server], client_port, server_port, c.id[r])
        w.ends[i] = ends
        w.key[i] = hash_key(&t.index, ends, c.id[r], names[c.qname[r]] if c.presence[r] & HAS_NAME else 0,
                            c.qtype[r] if questioned else 0, c.qclass[r] if questioned else 0)
        if unlikely(c.sighting_of[r] != NO_CODE):
            w.kind[i] += QUERY_AGAIN - QUERY
        prefetch(&t.index.slots[w.key[i] & t.index.mask])
        prefetch(&t.index.ends_heads[ends & (ENDS_BUCKETS - 1)])
    for i in range(count):
        if w.kind[i] == RESPONSE:
            s = &t.index.slots[w.key[i] & t.index.mask]
            if s.key == w.key[i] and alive(&t.rows, s.row):
                prefetch(&columns_of(&t.rows, s.row).flags[place(s.row)])
                prefetch(&columns_of(&t.rows, s.row).response[place(s.row)])
                prefetch(&columns_of(&t.rows, s.row).outcome[place(s.row)])
                prefetch(&columns_of(&t.rows, s.row).time[place(s.row)])


cdef int match_rows(Matcher* t, Batch batch, PagePool pool, uint32_t first, uint32_t end) noexcept nogil:
    cdef const MessageColumns* c = &batch.columns
    cdef Stride w
    cdef uint32_t count, i, r
    cdef const Note* note
    while first < end:
        count = end - first if end - first < STRIDE else STRIDE
        prepare(t, batch, &w, first, count)
        for i in range(count):
            r = first + i
            while unlikely(t.note_at < t.note_count):
                note = &t.notes[t.note_at]
                if note.time > c.time[r] or (note.time == c.time[r] and note.frame > c.frame[r]):
                    break
                take_note(t)
            clock(t, c.time[r])
            if w.kind[i] == QUERY:
                match_query(t, pool, batch, r, w.key[i], w.ends[i])
            elif w.kind[i] == RESPONSE:
                match_response(t, pool, batch, r, w.key[i], w.ends[i])
            elif unlikely(w.kind[i] != SKIPPED):
                match_again(t, pool, batch, r, w.key[i], w.ends[i], w.kind[i] == RESPONSE_AGAIN)
        if unlikely(t.failed):
            return -1
        first += count
    return 0
