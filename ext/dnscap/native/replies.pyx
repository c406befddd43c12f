"""Reading answers for what they say of caches; see replies.pxd."""
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memset

from dnscap.native.cache_model cimport (
    Alias, Known, Zone, alias_of, learn, learn_address, learn_alias, learn_host, learn_zone,
)
from dnscap.native.decoder cimport Batch
from dnscap.native.exchanges cimport *
from dnscap.native.messages cimport MessageColumns, RecordColumns
from dnscap.native.octets cimport be16, be32, mapped_ip4
from dnscap.native.resolution_state cimport *
from dnscap.native.suffixes cimport question_of, suffixes
from dnscap.native.text cimport NAME_TEXT_ROOM, put_name
from dnscap.native.walks cimport Target, Walk, add_target

from libc.string cimport memcpy

cdef enum:
    MOST_READ = 64             # records of an answer looked at: lifetimes and aliases stand at the front
    MOST_FOLLOWED = 8          # aliases known from before
    TYPE_A = 1
    TYPE_NS = 2
    TYPE_CNAME = 5
    TYPE_SOA = 6
    TYPE_AAAA = 28
    TYPE_RRSIG = 46
    OPTION_EDE = 15
    EDE_STALE = 3              # RFC 8914 section 4.4
    EDE_STALE_NXDOMAIN = 19    # section 4.20


cdef uint64_t hash_of(Resolving* t, Hashes* h, const char* text, const int32_t* offsets, uint32_t count, uint32_t code) noexcept nogil:
    cdef uint64_t[40] path
    cdef uint64_t* wider
    cdef uint32_t room, n
    if code >= count:
        return 0
    if code >= h.room:
        room = max(h.room * 2, <uint32_t>4096)
        while room <= code:
            room *= 2
        wider = <uint64_t*>realloc(h.of, <size_t>room * sizeof(uint64_t))
        if wider == NULL:
            t.failed = 1
            return 0
        memset(wider + h.room, 0, (room - h.room) * sizeof(uint64_t))
        h.of = wider
        h.room = room
    if h.of[code] == 0:
        n = suffixes(t.seed, <const uint8_t*>text + offsets[code], offsets[code + 1] - offsets[code], path)
        h.of[code] = path[n]
    return h.of[code]


cdef inline uint32_t first_record(Resolving* t, const RecordColumns* c, uint32_t row) noexcept nogil:
    """Where the records of a message begin: not far behind those of the one looked at last."""
    cdef uint32_t low = t.record_at, high, step = 8, middle
    if low >= c.count or c.message[low] > row:
        low = 0
    high = low
    while high < c.count and c.message[high] < row:
        low = high
        high += step
        step *= 2
    high = min(high, c.count)
    while low < high:
        middle = (low + high) // 2
        if c.message[middle] < row:
            low = middle + 1
        else:
            high = middle
    t.record_at = low
    return low


cdef bint stale_error(const MessageColumns* c, uint32_t row) noexcept nogil:
    cdef uint32_t at = c.options[row], end = c.options[row + 1], size
    cdef uint16_t code
    while at + 4 <= end:
        size = be16(c.options_octets + at + 2)
        if at + 4 + size > end:
            return False
        if be16(c.options_octets + at) == OPTION_EDE and size >= 2:
            code = be16(c.options_octets + at + 4)
            if code == EDE_STALE or code == EDE_STALE_NXDOMAIN:
                return True
        at += 4 + size
    return False


cdef inline uint32_t negative_ttl(const RecordColumns* c, uint32_t at) noexcept nogil:
    """RFC 2308 section 5: the lesser of the SOA's TTL and its MINIMUM field."""
    cdef uint32_t end = c.rdata[at + 1]
    if end - c.rdata[at] < 22:
        return c.ttl[at]
    return min(c.ttl[at], be32(c.rdata_octets + end - 4))


cdef inline const uint8_t* name_at(Batch batch, uint32_t code, uint32_t* size) noexcept nogil:
    cdef const int32_t* offsets = batch.dictionary.names.text_offsets
    size[0] = <uint32_t>(offsets[code + 1] - offsets[code])
    return <const uint8_t*>batch.dictionary.names.text + offsets[code]


cdef void read_reply(Resolving* t, const Entry* e, Batch batch, uint32_t row, Reply* reply, Walk* w) noexcept nogil:
    cdef const RecordColumns* c = &batch.record_columns
    cdef uint32_t at = first_record(t, c, row), seen = 0, last = NO_MESSAGE, size, begin, _followed
    cdef uint8_t[NAME_TEXT_ROOM] text
    cdef const uint8_t* name
    cdef uint8_t* end
    cdef Alias* a
    cdef Target* target
    cdef bint answered = False
    reply.ttl = NO_TTL
    reply.aliased = reply.negative = False
    reply.stale_error = batch.columns.options[row] != batch.columns.options[row + 1] and stale_error(&batch.columns, row)
    while at < c.count and c.message[at] == row and seen < MOST_READ:
        if c.section[at] & 3 == 0:
            if c.type[at] != TYPE_RRSIG:
                reply.ttl = min(reply.ttl, c.ttl[at])
                if c.type[at] == TYPE_CNAME and e.qtype != TYPE_CNAME:
                    reply.aliased = True
                    last = at
                else:
                    answered = True
                if reply.aliased and w != NULL:
                    name = name_at(batch, c.name[at], &size)
                    add_target(t, w, name, size, False)
        elif c.section[at] & 3 == 1 and c.type[at] == TYPE_SOA and not answered:
            reply.negative = True
            reply.ttl = min(reply.ttl, negative_ttl(c, at))
        at += 1
        seen += 1
    if last != NO_MESSAGE and not answered and w != NULL:
        begin = c.rdata[last]
        size = c.rdata[last + 1] - begin
        if 0 < size <= 255:
            end = put_name(text, c.rdata_octets + begin, size)
            add_target(t, w, text, <uint32_t>(end - text), False)
    if w != NULL and w.target_count and not answered:
        # A failure shows no aliases: follow those known from before.
        target = &w.targets[w.target_count - 1]
        for _followed in range(MOST_FOLLOWED):
            a = alias_of(t.model, target.path[target.labels])
            if a == NULL:
                break
            target = add_target(t, w, a.target, a.size, False)
            if target == NULL:
                break


cdef void learn_from(Resolving* t, Entry* e, Batch batch, uint32_t row) noexcept nogil:
    cdef const RecordColumns* c = &batch.record_columns
    cdef uint32_t at = first_record(t, c, row), seen = 0, size, n, k
    cdef uint64_t[40] path
    cdef uint64_t[2] address
    cdef uint8_t[NAME_TEXT_ROOM] text
    cdef const uint8_t* name
    cdef uint8_t* end
    cdef Zone* z = NULL
    cdef uint64_t owner
    cdef Known* known
    cdef uint32_t ttl = NO_TTL
    cdef bint answered = False
    while at < c.count and c.message[at] == row and seen < MOST_READ:
        size = c.rdata[at + 1] - c.rdata[at]
        if c.section[at] & 3 == 0:
            answered = True
            if c.type[at] == TYPE_CNAME and 0 < size <= 255:
                owner = hash_of(t, &t.hashes, batch.dictionary.names.text, batch.dictionary.names.text_offsets,
                                batch.dictionary.names.count, c.name[at])
                end = put_name(text, c.rdata_octets + c.rdata[at], size)
                learn_alias(t.model, owner, text, <uint32_t>(end - text))
            if c.type[at] != TYPE_RRSIG:
                ttl = min(ttl, c.ttl[at])
        elif c.section[at] & 3 == 1 and c.type[at] == TYPE_SOA and not answered:
            ttl = min(ttl, negative_ttl(c, at))
        if c.type[at] == TYPE_NS and (e.outcome == OUTCOME_REFERRAL or e.qtype == TYPE_NS) and c.section[at] & 3 != 2 and 0 < size <= 255:
            name = name_at(batch, c.name[at], &n)
            k = suffixes(t.seed, name, n, path)
            if z == NULL or z.name != path[k]:
                z = learn_zone(t.model, path[k])
            if c.section[at] & 3 == 1:
                e.cut_labels = <uint8_t>k
            end = put_name(text, c.rdata_octets + c.rdata[at], size)
            k = suffixes(t.seed, text, <uint32_t>(end - text), path)
            learn_host(z, path, k)
        elif z != NULL and c.section[at] & 3 == 2 and (c.type[at] == TYPE_A and size == 4 or c.type[at] == TYPE_AAAA and size == 16):
            if size == 4:
                address[0] = 0
                address[1] = mapped_ip4(c.rdata_octets + c.rdata[at])
            else:
                memcpy(address, c.rdata_octets + c.rdata[at], 16)
            learn_address(z, address)
        at += 1
        seen += 1
    if ttl != NO_TTL:
        known = learn(t.model, question_of(e.name ^ 1, e.qtype), e.answered)
        if e.answered >= known.learned:
            known.learned = e.answered
            known.ttl = ttl
        known.full = max(known.full, ttl)
        known.seen += 1
