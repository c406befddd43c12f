"""Reading answers for what they say of caches; see replies.pxd."""
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memset

from dnscap.native.cache_model cimport (
    Alias, Zone, alias_of, knows_host, learn, learn_address, learn_alias, learn_host, learn_zone,
)
from dnscap.native.decoder cimport Batch
from dnscap.native.domain cimport NAME_ROOM
from dnscap.native.exchanges cimport *
from dnscap.native.interning cimport Dictionary, fold_hash
from dnscap.native.message_columns cimport MessageColumns, RecordColumns
from dnscap.native.octets cimport be16, be32, mapped_ip4
from dnscap.native.resolution_state cimport *
from dnscap.native.suffixes cimport MOST_SUFFIXES, question_of, suffixes
from dnscap.native.text cimport NAME_TEXT_ROOM, put_name
from dnscap.native.walks cimport Target, Walk, add_known, add_target

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


cdef uint64_t take_hash(Resolving* t, Dictionary dictionary, uint32_t code) noexcept nogil:
    cdef uint64_t[40] path
    cdef Hashes* h = &t.hashes
    cdef const int32_t* offsets = dictionary.names.text_offsets
    cdef uint64_t* wider
    cdef uint32_t room, n
    if code >= dictionary.names.count:
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
    n = suffixes(t.seed, <const uint8_t*>dictionary.names.text + offsets[code], offsets[code + 1] - offsets[code], path)
    h.of[code] = path[n]
    return path[n]


cdef inline uint32_t first_record(Resolving* t, const RecordColumns* c, uint32_t row) noexcept nogil:
    """Where the records of a message begin: not far behind those of the one looked at last."""
    cdef uint32_t at = t.record_at
    if at > 0 and c.message[at - 1] >= row:
        at = 0
    while at < c.count and c.message[at] < row:
        at += 1
    t.record_at = at
    return at


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
    cdef uint8_t* end
    cdef Alias* a
    cdef Target* target
    cdef bint answered = False
    reply.ttl = NO_TTL
    reply.learned = 0
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
                if reply.aliased:
                    add_known(w, hash_of(t, batch.dictionary, c.name[at]), &t.eras[t.era_count - 1], c.name[at])
        elif c.section[at] & 3 == 1 and c.type[at] == TYPE_SOA and not answered:
            reply.negative = True
            reply.ttl = min(reply.ttl, negative_ttl(c, at))
        at += 1
        seen += 1
    if last != NO_MESSAGE and not answered:
        begin = c.rdata[last]
        size = c.rdata[last + 1] - begin
        if 0 < size <= 255:
            end = put_name(text, c.rdata_octets + begin, size)
            add_target(t, w, text, <uint32_t>(end - text), False)
    if w.target_count and not answered:
        # A failure shows no aliases: follow those known from before.
        target = &w.targets[w.target_count - 1]
        for _followed in range(MOST_FOLLOWED):
            a = alias_of(t.model, target.name)
            if a == NULL:
                break
            target = add_target(t, w, a.target, a.size, False)
            if target == NULL:
                break


cdef uint8_t count_labels(Batch batch, uint32_t code) noexcept nogil:
    """Labels of a name, as far as suffixes are told apart."""
    cdef uint32_t size, n = 0, i = 0
    cdef const uint8_t* name = name_at(batch, code, &size)
    if size > 1:
        while i < size:
            if name[i] == c'\\':
                i += 1
            elif name[i] == c'.':
                n += 1
            i += 1
    return <uint8_t>min(n, <uint32_t>(MOST_SUFFIXES - 1))


cdef void learn_from(Resolving* t, Entry* e, Batch batch, uint32_t row) noexcept nogil:
    cdef const RecordColumns* c = &batch.record_columns
    cdef uint32_t at = first_record(t, c, row), seen = 0, size, k, zone = NO_MESSAGE
    cdef uint64_t[40] path
    cdef uint8_t[NAME_ROOM] folded
    cdef uint64_t[2] address
    cdef uint8_t[NAME_TEXT_ROOM] text
    cdef uint8_t* end
    cdef Zone* z = NULL
    cdef uint64_t owner, hash, _capitals
    cdef uint32_t ttl = NO_TTL
    cdef bint answered = False
    while at < c.count and c.message[at] == row and seen < MOST_READ:
        size = c.rdata[at + 1] - c.rdata[at]
        if c.section[at] & 3 == 0:
            answered = True
            if c.type[at] == TYPE_CNAME and 0 < size <= 255:
                owner = hash_of(t, batch.dictionary, c.name[at])
                end = put_name(text, c.rdata_octets + c.rdata[at], size)
                learn_alias(t.model, owner, text, <uint32_t>(end - text))
            if c.type[at] != TYPE_RRSIG:
                ttl = min(ttl, c.ttl[at])
        elif c.section[at] & 3 == 1 and c.type[at] == TYPE_SOA and not answered:
            ttl = min(ttl, negative_ttl(c, at))
        if c.type[at] == TYPE_NS and (e.outcome == OUTCOME_REFERRAL or e.qtype == TYPE_NS) and c.section[at] & 3 != 2 and 0 < size <= 255:
            if z == NULL or c.name[at] != zone:
                zone = c.name[at]
                z = learn_zone(t.model, hash_of(t, batch.dictionary, zone))
            if c.section[at] & 3 == 1:
                e.cut_labels = count_labels(batch, zone)
            hash = fold_hash(c.rdata_octets + c.rdata[at], folded, size, t.seed, &_capitals)
            if not knows_host(z, hash):
                end = put_name(text, c.rdata_octets + c.rdata[at], size)
                k = suffixes(t.seed, text, <uint32_t>(end - text), path)
                learn_host(z, hash, path, k)
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
        learn(t.model, question_of(e.name ^ 1, e.qtype), e.answered, ttl, False)
