"""Packed lookups; see packed.pxd.

A row is its distance from the start of its block, the head of a LookupRow, a Shape, the rest of the LookupRow where that says
more than the head, and lists and texts.  Rows lie in blocks in the order in which their lookups were over, and leave in the
order of their numbers, which is nearly the same: a block is given back when its last row has left.
"""
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

from dnscap.native.attempts cimport *
from dnscap.native.lookup_columns cimport LookupColumns, LookupRow, put_i32, put_octets

cdef enum:
    BLOCK = 1 << 17            # octets; a row is much smaller whatever it holds (see `most_octets`)
    MOST_SPARE = 1 << 10       # blocks kept to be used again, 128 MB: given back one by one they would leave holes

cdef LookupRow sample
cdef size_t HEAD = <size_t>(<char*>&sample.duration_min - <char*>&sample)   # octets of a LookupRow that every row has

cdef struct Block:
    Block* after               # among the spare ones
    uint32_t live              # rows in it that have not left
    uint32_t used              # octets

cdef struct Shape:
    uint16_t name_size         # of the name as the application gave it
    uint16_t record_size
    uint8_t name               # candidate that begins with it
    uint8_t final
    uint8_t candidates
    uint8_t shown              # of them: those of the first walk
    uint8_t servers
    uint8_t types
    uint8_t causes
    uint8_t whole              # the rest of the LookupRow is there


cdef void packed_close(Packed* p) noexcept nogil:
    cdef Block* b
    free(p.filling)
    while p.spare != NULL:
        b = p.spare
        p.spare = b.after
        free(b)
    p.filling = NULL


cdef inline size_t most_octets(const Lookup* l) noexcept nogil:
    """What a row takes at most: with the limits of attempts.pxd, 80 KiB for names, records and servers."""
    return sizeof(LookupRow) + sizeof(Shape) + 2 * <size_t>l.candidate_count + l.names[l.candidate_count] + 18 * <size_t>l.attempt_count \
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
        b = <Block*>malloc(BLOCK)
        if b == NULL:
            return NULL
        p.octets += BLOCK
    b.live = 0
    b.used = sizeof(Block)
    p.filling = b
    return <uint8_t*>b + b.used


cdef void let_go(Packed* p, const uint8_t* row) noexcept nogil:
    cdef uint64_t distance
    cdef Block* b
    memcpy(&distance, row, 8)
    b = <Block*>(row - distance)
    b.live -= 1
    if b.live or b == p.filling:
        return
    if p.spare_count < MOST_SPARE:
        b.after = p.spare
        p.spare = b
        p.spare_count += 1
    else:
        free(b)
        p.octets -= BLOCK


cdef inline uint8_t* copy(uint8_t* to, const void* octets, size_t size) noexcept nogil:
    memcpy(to, octets, size)
    return to + size


cdef const uint8_t* pack(Packed* p, const Lookup* l) noexcept nogil:
    cdef LookupRow row
    cdef Shape shape
    cdef uint32_t i, j, at
    cdef uint16_t n
    cdef uint8_t* start = room_for(p, most_octets(l))
    cdef uint8_t* to = start
    cdef uint8_t* list
    cdef uint64_t distance
    cdef const Conclusion* end = l.end
    if start == NULL:
        return NULL
    row.lookup = l.number
    row.time = l.time
    row.duration = end.duration
    row.client[0] = l.client[0]
    row.client[1] = l.client[1]
    row.queries = l.queries
    row.wasted = end.wasted
    row.retransmissions = end.retransmissions
    row.failovers = end.failovers
    row.end_basis = end.end_basis
    row.outcome = end.outcome
    row.name_certain = end.name_certain
    row.tcp_fallback = end.tcp_fallback
    row.edns_fallback = end.edns_fallback
    row.stub = end.stub
    row.padding[0] = row.padding[1] = 0
    row.duration_min = end.duration_min
    row.duration_max = end.duration_max
    memcpy(row.budget, end.budget, sizeof(row.budget))
    shape.whole = end.duration_min != end.duration or end.duration_max != end.duration \
        or end.budget[BUCKET_ANSWER] != end.duration
    distance = <uint64_t>(start - <uint8_t*>p.filling)
    to = copy(to, &distance, 8)
    to = copy(to, &row, HEAD)
    list = to
    to += sizeof(Shape)
    if shape.whole:
        to = copy(to, <const uint8_t*>&row + HEAD, sizeof(LookupRow) - HEAD)
    shape.name_size = end.name_size
    shape.name = end.name
    shape.final = end.final
    shape.candidates = l.candidate_count
    shape.shown = l.walk if l.walk else l.candidate_count      # what follows is the same walk again
    shape.servers = shape.types = 0
    shape.causes = end.cause_count
    for i in range(l.candidate_count):
        n = l.names[i + 1] - l.names[i]
        to = copy(to, &n, 2)
    to = copy(to, l.text, l.names[l.candidate_count])
    to = distinct(to, l, True, &shape.servers)
    to = distinct(to, l, False, &shape.types)
    to = copy(to, end.causes, end.cause_count)
    # Records of the name that was answered; those of other candidates led nowhere.
    at = 0
    j = 0
    while at < l.record_size:
        memcpy(&n, l.records + at + 2, 2)
        if l.records[at + 4] == end.final:
            to = copy(to, l.records + at, 6 + n)
            j += 6 + n
        at += 6 + n
    shape.record_size = <uint16_t>j
    memcpy(list, &shape, sizeof(Shape))
    to += -<size_t>to & 7
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


cdef bint unpack(LookupColumns* c, uint64_t number, const uint8_t* at) noexcept nogil:
    cdef LookupRow row
    cdef Shape shape
    cdef uint32_t[33] names
    cdef uint32_t i
    cdef uint16_t n
    cdef const uint8_t* text
    cdef bint good
    at += 8
    memcpy(&row, at, HEAD)
    memcpy(&shape, at + HEAD, sizeof(Shape))
    at += HEAD + sizeof(Shape)
    if shape.whole:
        memcpy(<uint8_t*>&row + HEAD, at, sizeof(LookupRow) - HEAD)
        at += sizeof(LookupRow) - HEAD
    else:
        row.duration_min = row.duration_max = row.duration
        memset(row.budget, 0, sizeof(row.budget))
        row.budget[BUCKET_ANSWER] = row.duration
    row.lookup = number
    good = put_octets(&c.rows, &row, sizeof(row))
    names[0] = 0
    for i in range(shape.candidates):
        memcpy(&n, at, 2)
        names[i + 1] = names[i] + n
        at += 2
    text = at
    at += names[shape.candidates]
    good &= put_octets(&c.name, text + names[shape.name], shape.name_size)
    good &= put_i32(&c.name_ends, c.name.size)
    good &= put_octets(&c.final_name, text + names[shape.final], names[shape.final + 1] - names[shape.final])
    good &= put_i32(&c.final_ends, c.final_name.size)
    for i in range(shape.shown):
        good &= put_octets(&c.candidates, text + names[i], names[i + 1] - names[i])
        good &= put_i32(&c.candidate_ends, c.candidates.size)
    good &= put_i32(&c.candidate_lists, c.candidate_ends.size // 4 - 1)
    good &= put_octets(&c.servers, at, 16 * shape.servers)
    good &= put_i32(&c.server_lists, c.servers.size // 16)
    at += 16 * shape.servers
    good &= put_octets(&c.types, at, 2 * shape.types)
    good &= put_i32(&c.type_lists, c.types.size // 2)
    at += 2 * shape.types
    good &= put_octets(&c.causes, at, shape.causes)
    good &= put_i32(&c.cause_lists, c.causes.size)
    good &= put_octets(&c.records, at + shape.causes, shape.record_size)
    good &= put_i32(&c.record_lists, c.records.size)
    return good
