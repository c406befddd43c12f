"""Packed lookups; see packed.pxd.

A row is a Head, a Rest where that says more, sizes of the candidates' names (2 octets each), the names, servers (16), types (2),
causes (1), and the records of the answer.  Rows lie in blocks in the order in which their lookups were over, and leave in the
order of their numbers, which is nearly the same: a block is given back when its last row has left.  Blocks lie at multiples of
their size, so that a row tells where its own begins.
"""
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy, memset

from dnscap.native.attempts cimport *
from dnscap.native.interning cimport map_block, unmap_block

cdef enum:
    BLOCK = 1 << 21            # octets: a large page; a row is much smaller whatever it holds (see `most_octets`)
    MOST_SPARE = 1 << 6        # blocks kept to be used again, 128 MB

cdef struct Block:
    Block* after               # among the spare ones
    uint32_t live              # rows in it that have not left
    uint32_t used              # octets


cdef void packed_close(Packed* p) noexcept nogil:
    cdef Block* b
    unmap_block(p.filling, BLOCK)
    while p.spare != NULL:
        b = p.spare
        p.spare = b.after
        unmap_block(b, BLOCK)
    p.filling = NULL


cdef inline size_t most_octets(const Lookup* l) noexcept nogil:
    """What a row takes at most: with the limits of attempts.pxd, 80 KiB for names, records and servers."""
    return sizeof(Head) + sizeof(Rest) + 2 * <size_t>l.candidate_count + l.names[l.candidate_count] + 18 * <size_t>l.attempt_count \
        + MOST_CAUSES + l.record_size + 16


cdef uint8_t* room_for(Packed* p, size_t size) noexcept nogil:
    cdef Block* b = p.filling
    if b != NULL and b.used + size <= BLOCK:
        return <uint8_t*>b + b.used
    if size + sizeof(Block) > BLOCK:
        return NULL
    if b != NULL and b.live == 0:
        b.used = sizeof(Block)
        return <uint8_t*>b + b.used
    if p.spare != NULL:
        b = p.spare
        p.spare = b.after
        p.spare_count -= 1
    else:
        b = <Block*>map_block(BLOCK)
        if b == NULL:
            return NULL
        p.octets += BLOCK
    b.live = 0
    b.used = sizeof(Block)
    p.filling = b
    return <uint8_t*>b + b.used


cdef void let_go(Packed* p, const uint8_t* row) noexcept nogil:
    cdef Block* b = <Block*>(<size_t>row & ~<size_t>(BLOCK - 1))
    b.live -= 1
    if b.live or b == p.filling:
        return
    if p.spare_count < MOST_SPARE:
        b.after = p.spare
        p.spare = b
        p.spare_count += 1
    else:
        unmap_block(b, BLOCK)
        p.octets -= BLOCK


cdef inline uint8_t* copy(uint8_t* to, const void* octets, size_t size) noexcept nogil:
    memcpy(to, octets, size)
    return to + size


cdef const uint8_t* pack(Packed* p, const Lookup* l) noexcept nogil:
    cdef uint8_t* start = room_for(p, most_octets(l))
    cdef uint8_t* to = start + sizeof(Head)
    cdef Head* head = <Head*>start
    cdef Rest* rest
    cdef uint32_t i, at
    cdef uint16_t n
    cdef const uint8_t* records
    cdef const Conclusion* end = l.end
    if start == NULL:
        return NULL
    head.time = l.time
    head.client[0] = l.client[0]
    head.client[1] = l.client[1]
    head.queries = l.queries
    head.name_size = end.name_size
    head.name = end.name
    head.final = end.final
    head.candidates = l.candidate_count
    head.shown = l.walk if l.walk else l.candidate_count       # what follows is the same walk again
    head.servers = head.types = 0
    head.causes = end.cause_count
    head.end_basis = end.end_basis
    head.outcome = end.outcome
    head.name_certain = end.name_certain
    head.tcp_fallback = end.tcp_fallback
    head.edns_fallback = end.edns_fallback
    head.stub = end.stub
    head.duration = <uint32_t>end.duration
    head.whole = head.duration != end.duration or end.duration_min != end.duration or end.duration_max != end.duration \
        or end.budget[BUCKET_ANSWER] != end.duration or end.wasted or end.retransmissions or end.failovers
    if head.whole:
        rest = <Rest*>to
        rest.duration = end.duration
        rest.duration_min = end.duration_min
        rest.duration_max = end.duration_max
        memcpy(rest.budget, end.budget, sizeof(rest.budget))
        rest.wasted = end.wasted
        rest.retransmissions = end.retransmissions
        rest.failovers = end.failovers
        to += sizeof(Rest)
    for i in range(l.candidate_count):
        n = l.names[i + 1] - l.names[i]
        to = copy(to, &n, 2)
    to = copy(to, l.text, l.names[l.candidate_count])
    if l.attempt_count == 1:
        head.servers = head.types = 1
        to = copy(to, l.attempts[0].server, 16)
        to = copy(to, &l.attempts[0].qtype, 2)
    else:
        to = distinct(to, l, True, &head.servers)
        to = distinct(to, l, False, &head.types)
    if end.cause_count:
        to = copy(to, end.causes, end.cause_count)
    records = to
    if l.candidate_count == 1:
        to = copy(to, l.records, l.record_size)
    else:
        # Records of the name that was answered; those of other candidates led nowhere.
        at = 0
        while at < l.record_size:
            memcpy(&n, l.records + at + 2, 2)
            if l.records[at + 4] == end.final:
                to = copy(to, l.records + at, 6 + n)
            at += 6 + n
    head.record_size = <uint16_t>(to - records)
    to += -<size_t>to & 7
    head.size = <uint32_t>(to - start)
    p.filling.used = <uint32_t>(to - <uint8_t*>p.filling)
    p.filling.live += 1
    return start


cdef const uint8_t* pack_at_once(Packed* p, const Lookup* l, uint8_t stub, uint8_t outcome, bint name_certain, uint32_t duration) noexcept nogil:
    cdef uint8_t* start = room_for(p, most_octets(l))
    cdef uint8_t* to = start + sizeof(Head)
    cdef Head* head = <Head*>start
    cdef const Attempt* a = &l.attempts[0]
    cdef const Attempt* b = &l.attempts[1]
    cdef uint16_t n = l.names[1]
    if start == NULL:
        return NULL
    memset(head, 0, sizeof(Head))
    head.time = l.time
    head.client[0] = l.client[0]
    head.client[1] = l.client[1]
    head.duration = duration
    head.queries = l.queries
    head.record_size = <uint16_t>l.record_size
    head.name_size = n
    head.candidates = head.shown = head.servers = head.types = 1
    head.outcome = outcome
    head.name_certain = name_certain
    head.stub = stub
    memcpy(to, &n, 2)
    to = copy(to + 2, l.text, n)
    memcpy(to, a.server, 16)
    to += 16
    if l.attempt_count == 1:
        memcpy(to, &a.qtype, 2)
        to += 2
    else:                      # of another type
        if a.server[0] != b.server[0] or a.server[1] != b.server[1]:
            head.servers = 2
            memcpy(to, b.server, 16)
            to += 16
        head.types = 2
        memcpy(to, &a.qtype, 2)
        memcpy(to + 2, &b.qtype, 2)
        to += 4
    to = copy(to, l.records, l.record_size)
    to += -<size_t>to & 7
    head.size = <uint32_t>(to - start)
    p.filling.used = <uint32_t>(to - <uint8_t*>p.filling)
    p.filling.live += 1
    return start


cdef inline uint8_t* distinct(uint8_t* to, const Lookup* l, bint servers, uint8_t* count) noexcept nogil:
    """Servers, or types, in the order in which they were first asked (for); at most one an attempt."""
    cdef uint32_t i
    cdef size_t size = 16 if servers else 2
    cdef const uint8_t* value
    cdef uint8_t* start = to
    cdef uint8_t* at
    for i in range(l.attempt_count):
        value = <const uint8_t*>l.attempts[i].server if servers else <const uint8_t*>&l.attempts[i].qtype
        at = start
        while at < to and memcmp(at, value, size) != 0:
            at += size
        if at == to:
            to = copy(to, value, size)
            count[0] += 1
    return to
