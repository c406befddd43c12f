"""What servers say of names; see names_seen.pxd.

Responses of a batch become jobs, one an RRset (or an absence, a failure, a signature), a block at a time: the keys of a
block are looked for before any of its rows is touched, so that neither waits for memory.  When the table is full, it
goes on with one name in four, then in sixteen, and so on, and with those that come again and again: a flood of random
names passes by and leaves the others where they are.
"""
cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp

import os

from dnscap.native.decoder cimport Batch
from dnscap.native.interning cimport (
    ENTRY_ALIGN, NO_CODE, Dictionary, Entry, NameTable, address_tag, entry_octets, find_address, fold_hash,
    intern_name, prefetch, same_octets, unlikely)
from dnscap.native.messages cimport HAS_HEADER, HAS_NAME, HAS_TYPE, MessageColumns, RecordColumns
from dnscap.native.names_table cimport (
    NO_RRSET, NO_VERSION, SECTION_ANSWER, SEEN_ASKED, SEEN_AUTHORITATIVE, SEEN_MORE, SEEN_NO_SOA, SEEN_NXDOMAIN,
    SEEN_RECURSIVE, TRIALS, VERSION_CLIENTS, Seen, SeenTable, Version, add_row, find_row, keep_rrset, key_hash, key_of,
    lay_by, note_client, raw_hash, settle_current, table_close, table_open, value_of, version_of)
from dnscap.native.octets cimport be16, be32, load64
from dnscap.native.rdata cimport CLASS_IN, TYPE_A, TYPE_AAAA

cdef enum:
    MOST_ROWS = 1 << 16            # names, types and servers told apart: some 20 MiB of rows
    MOST_THINNED = 24              # one name in sixteen million: beyond that nothing new is taken in
    BLOCK = 256                    # jobs a block
    BLOCK_ROOM = BLOCK + 64        # a message may begin in a block that it then overfills
    MOST_OF_MESSAGE = 60           # jobs of one message: no honest one has so many RRsets
    UNKNOWN = 0xFFFFFFFE           # a code not yet looked for; NO_CODE is one that there is no room for
    SHUNNED = 0xFFFFFF00           # a name that is not followed, and from here on how often it was seen
    POPULAR = 8                    # seen so often, a name is followed whether it is one of the sample or not
    THINNER = 2                    # bits of hash that a full table demands in addition: one name in four stays
    LONGEST_TTL = 0x7FFFFFFF       # larger ones count as 0 (RFC 2181 section 8)
    MDNS = 5353
    LLMNR = 5355

    FLAG_QR = 0x8000
    FLAG_AA = 0x0400
    FLAG_TC = 0x0200
    FLAG_RD = 0x0100
    FLAG_RA = 0x0080
    FLAG_CD = 0x0010
    OPCODE = 0x7800

    RCODE_SERVFAIL = 2
    RCODE_NXDOMAIN = 3
    RCODE_REFUSED = 5

    TYPE_NS = 2
    TYPE_CNAME = 5
    TYPE_SOA = 6
    TYPE_DS = 43
    TYPE_RRSIG = 46
    TYPE_ANY = 255
    OPTION_EDE = 15

    SECOND = 1000000000

cdef int64_t[TRIALS] TRIED = [60 * <int64_t>SECOND, 300 * <int64_t>SECOND, 3600 * <int64_t>SECOND]

cdef enum JobKind:
    JOB_RRSET = 0
    JOB_NEGATIVE = 1
    JOB_FAILURE = 2
    JOB_SIGNATURE = 3

cdef struct Job:
    uint64_t key
    uint32_t place                 # of the row, + 1; 0 none
    uint32_t message               # row of the batch
    uint32_t start                 # records
    uint32_t end
    uint32_t zone                  # of negative answers: own code; NO_CODE without SOA
    uint32_t negative_ttl
    uint8_t kind


# ---------------------------------------------------------------- names and addresses

cdef int widen_codes(uint32_t** codes, uint32_t room) noexcept nogil:
    cdef uint32_t* wider = <uint32_t*>realloc(codes[0], <size_t>room * sizeof(uint32_t))
    if wider == NULL:
        return -1
    codes[0] = wider
    return 0


cdef int know_codes(NamesSeen self) noexcept nogil:
    """Note where the names of the batch's dictionary lie: in its arena, in the order of their codes."""
    cdef NameTable* names = &self.translated.names
    cdef const Entry* e
    cdef uint32_t room
    if names.count > self.names_room:
        room = names.count + names.count // 2 + 64
        if widen_codes(&self.name_codes, room) != 0 or widen_codes(&self.name_refs, room) != 0:
            return -1
        self.names_room = room
    while self.names_known < names.count:
        e = <const Entry*>(names.arena + self.arena_at)
        self.name_refs[self.names_known] = <uint32_t>(self.arena_at // ENTRY_ALIGN)
        self.name_codes[self.names_known] = UNKNOWN
        self.arena_at += (sizeof(Entry) + e.size + ENTRY_ALIGN - 1) & ~<size_t>(ENTRY_ALIGN - 1)
        self.names_known += 1
    if self.translated.addresses.count > self.addresses_room:
        room = self.translated.addresses.count + self.translated.addresses.count // 2 + 64
        if widen_codes(&self.address_codes, room) != 0:
            return -1
        self.addresses_room = room
    while self.addresses_known < self.translated.addresses.count:
        self.address_codes[self.addresses_known] = UNKNOWN
        self.addresses_known += 1
    return 0


cdef uint32_t take_name(Dictionary into, const uint8_t* name, uint32_t size, bint verified) noexcept nogil:
    """Code of an expanded name that PADDING octets follow, entered if new."""
    cdef uint8_t[320] folded
    cdef uint64_t capitals, hash
    if size == 0 or size > 255:
        return NO_CODE
    hash = fold_hash(name, folded, size, into.names.seed, &capitals)
    return intern_name(&into.names, folded, size, <uint32_t>hash, verified)


cdef inline bint is_sampled(NamesSeen self, const Entry* e) noexcept nogil:
    """Whether a name is one of the sample: by its octets, so that all servers and types of a name go together.

    Without a random seed, so that two runs follow the same names; whoever evades it has evaded a statistic.
    """
    cdef uint64_t hash = raw_hash(entry_octets(e), e.size, <uint64_t>0x9E3779B97F4A7C15)
    return (hash ^ hash >> 32) & ((<uint64_t>1 << self.thinned) - 1) == 0 or is_challenge(e)


cdef inline bint is_challenge(const Entry* e) noexcept nogil:
    """Names of ACME challenges (RFC 8555 section 8.4): few, and always a question of who sees what."""
    return e.size > 16 and memcmp(entry_octets(e), b"\x0f_acme-challenge", 16) == 0


cdef bint is_known(NamesSeen self, const Entry* e) noexcept nogil:
    """Whether a name is among those that are followed."""
    cdef NameTable* t = &self.dictionary.names
    cdef const Entry* known
    cdef uint8_t[320] folded
    cdef uint64_t capitals, hash = fold_hash(entry_octets(e), folded, e.size, t.seed, &capitals)
    cdef uint32_t tag = <uint32_t>hash, i = tag & t.mask
    while t.slots[i].ref != 0:
        if t.slots[i].tag == tag:
            known = <const Entry*>(t.arena + <size_t>t.slots[i].ref * ENTRY_ALIGN)
            if known.size == e.size and same_octets(entry_octets(known), folded, e.size):
                return True
        i = (i + 1) & t.mask
    return False


cdef uint32_t meet_name(NamesSeen self, uint32_t code) noexcept nogil:
    """Own code of a name that has none yet; NO_CODE where it is not followed."""
    cdef const Entry* e = <const Entry*>(self.translated.names.arena + <size_t>self.name_refs[code] * ENTRY_ALIGN)
    if self.name_codes[code] == UNKNOWN and self.thinned and not is_sampled(self, e) and not is_known(self, e):
        self.name_codes[code] = SHUNNED
    if SHUNNED <= self.name_codes[code] < SHUNNED + POPULAR:
        self.name_codes[code] += 1
        return NO_CODE
    self.name_codes[code] = take_name(self.dictionary, entry_octets(e), e.size, True)
    return self.name_codes[code]


cdef inline uint32_t own_name(NamesSeen self, uint32_t code) noexcept nogil:
    if unlikely(code >= self.names_known):
        return NO_CODE
    if unlikely(self.name_codes[code] >= SHUNNED and self.name_codes[code] != NO_CODE):
        return meet_name(self, code)
    return self.name_codes[code]


cdef inline uint32_t own_address(NamesSeen self, uint32_t code) noexcept nogil:
    cdef const uint64_t* key
    if unlikely(code >= self.addresses_known):
        return NO_CODE
    if unlikely(self.address_codes[code] == UNKNOWN):
        key = self.translated.addresses.keys + 2 * <size_t>code
        self.address_codes[code] = find_address(&self.dictionary.addresses, key[0], key[1],
                                                address_tag(&self.dictionary.addresses, key[0], key[1]))
    return self.address_codes[code]


# ---------------------------------------------------------------- what a response says of a name

cdef void take_rrset(NamesSeen self, const Job* job, const MessageColumns* c, const RecordColumns* q) noexcept nogil:
    cdef SeenTable* t = &self.table
    cdef Seen* s = &t.rows[job.place - 1]
    cdef Version* v
    cdef uint32_t r = job.message, ttl = LONGEST_TTL, x, k, was = s.current
    cdef int64_t time = c.time[r]
    cdef uint64_t value = value_of(q, job.start, job.end)
    cdef uint16_t flags = c.flags[r]
    cdef bint new
    for x in range(job.start, job.end):
        k = q.ttl[x] if q.ttl[x] <= LONGEST_TTL else 0
        ttl = k if k < ttl else ttl
    if s.answers == 0:
        s.first = s.last = time
        s.ttl_min = s.ttl_max = ttl
    else:
        s.first = time if time < s.first else s.first
        s.last = time if time > s.last else s.last
        s.ttl_min = ttl if ttl < s.ttl_min else s.ttl_min
        s.ttl_max = ttl if ttl > s.ttl_max else s.ttl_max
    s.answers += 1
    s.ttl_last = ttl
    s.expires = time + <int64_t>ttl * SECOND
    if flags & FLAG_AA and not (flags & FLAG_RA and flags & FLAG_RD):
        # A resolver that answers for local data sets AA too; whoever was asked to recurse may have done so.
        s.flags |= SEEN_AUTHORITATIVE
        s.ttl_own = ttl if ttl > s.ttl_own else s.ttl_own
    if flags & FLAG_RA:
        s.flags |= SEEN_RECURSIVE
    if flags & FLAG_RD:
        s.flags |= SEEN_ASKED
        s.asked += 1
        for k in range(TRIALS):
            if time < s.until[k]:
                s.hits[k] += 1
            else:
                s.until[k] = time + TRIED[k]
    if flags & FLAG_CD:
        s.checked_off += 1
    v = version_of(t, s, value, &new)
    if unlikely(v == NULL):
        self.values_dropped += 1
        s.changes += 1
        s.flags |= SEEN_MORE
        s.current = NO_VERSION
        return
    if s.current != was and s.answers > 1:
        s.changes += 1
    if new:
        v.first = v.last = time
        v.first_frame = c.frame[r]
        v.rrset = lay_by(t, q, job.start, job.end, value)
        if v.rrset == NO_RRSET:
            self.values_dropped += 1
    v.answers += 1
    if time >= v.last:
        v.last = time
        v.last_frame = c.frame[r]
        v.ttl_last = ttl
    if time + <int64_t>ttl * SECOND > v.expires:
        v.expires = time + <int64_t>ttl * SECOND
    v.ttl_max = ttl if ttl > v.ttl_max else v.ttl_max
    if v.client_count <= VERSION_CLIENTS:
        note_client(v, own_address(self, c.dst[r]))


cdef void take_negative(NamesSeen self, const Job* job, const MessageColumns* c) noexcept nogil:
    cdef Seen* s = &self.table.rows[job.place - 1]
    cdef uint32_t r = job.message
    cdef int64_t time = c.time[r]
    if s.negatives == 0 or time < s.first_negative:
        s.first_negative = time
        s.negative_frame = c.frame[r]
    s.last_negative = time if time > s.last_negative else s.last_negative
    s.negatives += 1
    s.flags &= ~<uint8_t>(SEEN_NXDOMAIN | SEEN_NO_SOA)
    if c.rcode[r] == RCODE_NXDOMAIN:
        s.flags |= SEEN_NXDOMAIN
    if c.flags[r] & FLAG_AA and not (c.flags[r] & FLAG_RA and c.flags[r] & FLAG_RD):
        s.flags |= SEEN_AUTHORITATIVE
    if c.flags[r] & FLAG_RA:
        s.flags |= SEEN_RECURSIVE
    if c.flags[r] & FLAG_RD:
        s.flags |= SEEN_ASKED
    if job.zone == NO_CODE:
        s.flags |= SEEN_NO_SOA
        s.negative_ttl = 0
        s.negative_until = time
    else:
        s.negative_ttl = job.negative_ttl
        s.negative_until = time + <int64_t>job.negative_ttl * SECOND
    s.zone = job.zone


cdef void take_failure(NamesSeen self, const Job* job, const MessageColumns* c) noexcept nogil:
    cdef Seen* s = &self.table.rows[job.place - 1]
    cdef uint32_t r = job.message, at, end, size
    if s.servfails == 0 and s.refused == 0:
        s.failed_frame = c.frame[r]
    s.failed = c.time[r]
    if c.flags[r] & FLAG_RA:
        s.flags |= SEEN_RECURSIVE
    if c.rcode[r] == RCODE_REFUSED:
        s.refused += 1
        return
    if not c.flags[r] & FLAG_CD:
        s.servfails += 1
    at = c.options[r]
    end = c.options[r + 1]
    while at < end and end - at >= 4:
        size = be16(c.options_octets + at + 2)
        if size > end - at - 4:
            break
        if be16(c.options_octets + at) == OPTION_EDE and size >= 2:
            s.ede = <uint16_t>(be16(c.options_octets + at + 4) + 1)
            break
        at += 4 + size


cdef void take_signature(NamesSeen self, const Job* job, const MessageColumns* c, const RecordColumns* q) noexcept nogil:
    """Of several signatures the one that holds longest counts."""
    cdef Seen* s = &self.table.rows[job.place - 1]
    cdef const uint8_t* p = q.rdata_octets + q.rdata[job.start]
    cdef uint32_t until = be32(p + 8)
    if s.signed_at != c.time[job.message] or <int>(until - s.signed_until) > 0:
        s.signed_until = until
        s.signed_from = be32(p + 12)
    s.signed_at = c.time[job.message]


# ---------------------------------------------------------------- a batch

cdef inline bint is_telling(const MessageColumns* c, uint32_t r) noexcept nogil:
    """Whether a message is a whole response whose records say something of names."""
    return (c.flags[r] & (FLAG_QR | OPCODE | FLAG_TC) == FLAG_QR
            and c.presence[r] & (HAS_HEADER | HAS_NAME | HAS_TYPE) == HAS_HEADER | HAS_NAME | HAS_TYPE
            and c.status[r] == 0 and c.sighting_of[r] == NO_CODE and c.qclass[r] == CLASS_IN
            and c.src_port[r] != MDNS and c.src_port[r] != LLMNR)


cdef uint32_t last_alias(NamesSeen self, const RecordColumns* q, uint32_t start, uint32_t end, uint32_t name) noexcept nogil:
    """Own code of the name to which the aliases of an answer lead from `name`."""
    cdef uint32_t x
    for x in range(start, end):
        if q.type[x] == TYPE_CNAME and q.section[x] & 3 == 0 and own_name(self, q.name[x]) == name:
            name = take_name(self.dictionary, q.rdata_octets + q.rdata[x], q.rdata[x + 1] - q.rdata[x], False)
            if name == NO_CODE:
                break
    return name


cdef uint32_t plan(NamesSeen self, const MessageColumns* c, const RecordColumns* q, uint32_t r, uint32_t start,
                   uint32_t end, Job* jobs) noexcept nogil:
    """Jobs out of one response with the records start:end; how many."""
    cdef uint32_t count = 0, x = start, y, name, soa = NO_CODE, server, section, rtype
    cdef uint16_t flags = c.flags[r], rcode = c.rcode[r], qtype = c.qtype[r]
    cdef bint positive = False, own = not flags & FLAG_RA or (flags & FLAG_AA and not flags & FLAG_RD)
    cdef bint referral = False
    cdef Job* job
    server = own_address(self, c.src[r])
    if unlikely(server == NO_CODE):
        self.rows_dropped += 1
        return 0
    if unlikely(rcode == RCODE_SERVFAIL or rcode == RCODE_REFUSED):
        name = own_name(self, c.qname[r])
        if name == NO_CODE:
            self.rows_dropped += 1
            return 0
        jobs[0].kind = JOB_FAILURE
        jobs[0].message = r
        jobs[0].key = key_of(name, qtype, server, SECTION_ANSWER)
        return 1
    if rcode != 0 and rcode != RCODE_NXDOMAIN:
        return 0
    while x < end and count < MOST_OF_MESSAGE:
        y = x + 1
        rtype = q.type[x]
        section = q.section[x] & 3
        while y < end and q.name[y] == q.name[x] and q.type[y] == rtype and q.section[y] & 3 == section:
            y += 1
        if section == 0:
            if rtype == qtype or (qtype == TYPE_ANY and rtype != TYPE_RRSIG):
                positive = True
        elif section == 1:
            if rtype == TYPE_SOA:
                soa = x
            elif rtype == TYPE_NS and not flags & FLAG_AA:
                referral = True
            if not own or not (rtype == TYPE_NS or rtype == TYPE_DS or rtype == TYPE_SOA or rtype == TYPE_RRSIG) or (
                    rtype == TYPE_SOA and not flags & FLAG_AA):
                x = y
                continue
        elif not own or not (rtype == TYPE_A or rtype == TYPE_AAAA):
            x = y
            continue
        if q.rclass[x] != CLASS_IN:
            x = y
            continue
        name = own_name(self, q.name[x])
        if unlikely(name == NO_CODE):
            self.rows_dropped += 1
            x = y
            continue
        if rtype == TYPE_RRSIG:
            while x < y and count < MOST_OF_MESSAGE:
                if q.rdata[x + 1] - q.rdata[x] >= 18:
                    job = &jobs[count]
                    job.kind = JOB_SIGNATURE
                    job.message = r
                    job.start = x
                    job.key = key_of(name, be16(q.rdata_octets + q.rdata[x]), server, section + 1)
                    count += 1
                x += 1
            x = y
            continue
        job = &jobs[count]
        job.kind = JOB_RRSET
        job.message = r
        job.start = x
        job.end = y
        job.key = key_of(name, rtype, server, section + 1)
        count += 1
        x = y
    if positive and rcode == 0:
        return count
    if rcode == 0 and (referral or (soa == NO_CODE and (c.ancount[r] != 0 or c.nscount[r] != 0))):
        return count
    # the name, or the last of its aliases, does not exist or has nothing of this type
    name = own_name(self, c.qname[r])
    if name != NO_CODE and c.ancount[r] != 0:
        name = last_alias(self, q, start, end, name)
    if name == NO_CODE:
        self.rows_dropped += 1
        return count
    job = &jobs[count]
    job.kind = JOB_NEGATIVE
    job.message = r
    job.key = key_of(name, qtype, server, SECTION_ANSWER)
    job.zone = NO_CODE
    job.negative_ttl = 0
    if soa != NO_CODE:
        job.zone = own_name(self, q.name[soa])
        x = q.rdata[soa + 1]
        if x - q.rdata[soa] >= 22:
            # min(SOA TTL, SOA MINIMUM): RFC 2308 section 5
            y = be32(q.rdata_octets + x - 4)
            job.negative_ttl = y if y < q.ttl[soa] else q.ttl[soa]
            if job.negative_ttl > LONGEST_TTL:
                job.negative_ttl = 0
    return count + 1


cdef void carry_out(NamesSeen self, const MessageColumns* c, const RecordColumns* q, Job* jobs, uint32_t count) noexcept nogil:
    cdef SeenTable* t = &self.table
    cdef Job* job
    cdef uint32_t k
    for k in range(count):
        prefetch(&t.slots[key_hash(t, jobs[k].key) & t.mask])
    for k in range(count):
        job = &jobs[k]
        job.place = find_row(t, job.key)
        if job.place == 0 and job.kind != JOB_SIGNATURE:
            if t.count < self.most_rows:
                job.place = add_row(t, job.key)
            if job.place == 0:
                self.rows_dropped += 1
        if job.place:
            prefetch(&t.rows[job.place - 1])
            prefetch(<uint8_t*>&t.rows[job.place - 1] + 64)
    for k in range(count):
        job = &jobs[k]
        if job.place and t.rows[job.place - 1].current:
            prefetch(&t.versions[t.rows[job.place - 1].current])
    for k in range(count):
        job = &jobs[k]
        if unlikely(job.place == 0):
            continue
        if job.kind == JOB_RRSET:
            take_rrset(self, job, c, q)
        elif job.kind == JOB_NEGATIVE:
            take_negative(self, job, c)
        elif job.kind == JOB_FAILURE:
            take_failure(self, job, c)
        else:
            take_signature(self, job, c, q)


cdef int see(NamesSeen self, Batch batch, const uint8_t* kept) noexcept nogil:
    cdef const MessageColumns* c = &batch.columns
    cdef const RecordColumns* q = &batch.record_columns
    cdef Job[BLOCK_ROOM] jobs
    cdef uint32_t r, x = 0, start, count = 0
    cdef bint bad
    if know_codes(self) != 0:
        return -1
    for r in range(c.count):
        start = x
        while x < q.count and q.message[x] == r:
            x += 1
        if not is_telling(c, r) or (kept != NULL and not kept[r]):
            continue
        self.responses += 1
        if count == 0 and unlikely(is_full(self)):
            with gil:
                try:
                    thin_out(self)
                    bad = False
                except MemoryError:
                    bad = True
            if bad:
                return -1
        count += plan(self, c, q, r, start, x, &jobs[count])
        if count >= BLOCK:
            carry_out(self, c, q, jobs, count)
            count = 0
    carry_out(self, c, q, jobs, count)
    return 0


cdef inline bint is_full(NamesSeen self) noexcept nogil:
    if self.thinned >= MOST_THINNED:
        return False
    return self.table.count + BLOCK_ROOM > self.most_rows or not self.dictionary.has_room(2 * BLOCK_ROOM, 2 * BLOCK_ROOM)


cdef int thin_out(NamesSeen self) except -1:
    """Give up names that are neither of the smaller sample nor popular."""
    cdef NamesSeen thinner = NamesSeen(self.most_rows)
    self.thinned += THINNER
    thinner.thinned = self.thinned
    absorb(thinner, self)
    self.rows_dropped += thinner.rows_dropped
    self.values_dropped += thinner.values_dropped
    self.table, thinner.table = thinner.table, self.table
    self.dictionary = thinner.dictionary
    for k in range(self.names_known):
        self.name_codes[k] = UNKNOWN
    for k in range(self.addresses_known):
        self.address_codes[k] = UNKNOWN
    return 0


# ---------------------------------------------------------------- merging

cdef int absorb(NamesSeen into, NamesSeen other) except -1:
    """Add what another saw of names that are followed."""
    cdef SeenTable* t = &into.table
    cdef SeenTable* o = &other.table
    cdef NameTable* names = &other.dictionary.names
    cdef const Entry* e
    cdef const uint64_t* keys = other.dictionary.addresses.keys
    cdef size_t at = ENTRY_ALIGN
    cdef uint32_t k, name, server, place
    cdef uint64_t key, seen
    cdef Seen* s
    cdef uint32_t* refs = <uint32_t*>malloc((<size_t>names.count + 1) * sizeof(uint32_t))
    if refs == NULL:
        raise MemoryError("no memory to merge names")
    for k in range(names.count):
        e = <const Entry*>(names.arena + at)
        refs[k] = <uint32_t>(at // ENTRY_ALIGN)
        at += (sizeof(Entry) + e.size + ENTRY_ALIGN - 1) & ~<size_t>(ENTRY_ALIGN - 1)
    for k in range(o.count):
        s = &o.rows[k]
        e = <const Entry*>(names.arena + <size_t>refs[s.key >> 37] * ENTRY_ALIGN)
        seen = <uint64_t>s.answers + s.negatives + s.servfails + s.refused
        if into.thinned and seen < POPULAR and not is_sampled(into, e):
            into.rows_dropped += seen
            continue
        name = take_name(into.dictionary, entry_octets(e), e.size, True)
        server = <uint32_t>(s.key >> 18) & 0x7FFFF
        server = find_address(&into.dictionary.addresses, keys[2 * server], keys[2 * server + 1],
                              address_tag(&into.dictionary.addresses, keys[2 * server], keys[2 * server + 1]))
        if name == NO_CODE or server == NO_CODE:
            into.rows_dropped += seen
            continue
        key = key_of(name, <uint32_t>(s.key >> 2) & 65535, server, <uint32_t>s.key & 3)
        place = find_row(t, key)
        if place == 0 and t.count < into.most_rows:
            place = add_row(t, key)
        if place == 0:
            into.rows_dropped += seen
            continue
        add_up(into, &t.rows[place - 1], s, other, refs)
    free(refs)
    return 0


cdef void add_up(NamesSeen into, Seen* a, Seen* b, NamesSeen other, const uint32_t* refs) noexcept nogil:
    """Add one row to another of the same key."""
    cdef SeenTable* o = &other.table
    cdef Seen* early = b if b.first < a.first or a.answers == 0 else a
    cdef Seen* late = a if early == b else b
    cdef uint64_t end_of_early = 0, start_of_late = 0
    cdef const Entry* e
    cdef uint32_t v, k
    if a.answers and b.answers:
        end_of_early = (into.table.versions if early == a else o.versions)[early.current].value
        start_of_late = (into.table.versions if late == a else o.versions)[late.versions].value
    a.changes += b.changes + (end_of_early != start_of_late)
    if b.answers:
        a.ttl_min = b.ttl_min if a.answers == 0 or b.ttl_min < a.ttl_min else a.ttl_min
        a.ttl_max = b.ttl_max if b.ttl_max > a.ttl_max else a.ttl_max
        a.ttl_own = b.ttl_own if b.ttl_own > a.ttl_own else a.ttl_own
        a.first = b.first if a.answers == 0 or b.first < a.first else a.first
        if a.answers == 0 or b.last >= a.last:
            a.last = b.last
            a.ttl_last = b.ttl_last
            a.expires = b.expires
    a.answers += b.answers
    for k in range(TRIALS):
        a.until[k] = b.until[k] if b.until[k] > a.until[k] else a.until[k]
        a.hits[k] += b.hits[k]
    a.asked += b.asked
    if b.negatives:
        if a.negatives == 0 or b.first_negative < a.first_negative:
            a.first_negative = b.first_negative
            a.negative_frame = b.negative_frame
        if b.last_negative >= a.last_negative:
            a.last_negative = b.last_negative
            a.negative_until = b.negative_until
            a.negative_ttl = b.negative_ttl
            a.zone = NO_CODE
            if b.zone != NO_CODE:
                e = <const Entry*>(other.dictionary.names.arena + <size_t>refs[b.zone] * ENTRY_ALIGN)
                a.zone = take_name(into.dictionary, entry_octets(e), e.size, True)
            a.flags = <uint8_t>(a.flags & ~(SEEN_NXDOMAIN | SEEN_NO_SOA) | b.flags & (SEEN_NXDOMAIN | SEEN_NO_SOA))
    a.negatives += b.negatives
    if b.servfails or b.refused:
        if not (a.servfails or a.refused):
            a.failed_frame = b.failed_frame
        if b.failed >= a.failed:
            a.failed = b.failed
            a.ede = b.ede
    a.servfails += b.servfails
    a.refused += b.refused
    a.checked_off += b.checked_off
    if b.signed_at > a.signed_at:
        a.signed_at = b.signed_at
        a.signed_until = b.signed_until
        a.signed_from = b.signed_from
    a.flags |= b.flags & ~<uint8_t>(SEEN_NXDOMAIN | SEEN_NO_SOA)
    v = b.versions
    while v != NO_VERSION:
        add_version_up(into, a, &o.versions[v], other)
        v = o.versions[v].after
    settle_current(&into.table, a)


cdef void add_version_up(NamesSeen into, Seen* a, const Version* w, NamesSeen other) noexcept nogil:
    cdef SeenTable* t = &into.table
    cdef SeenTable* o = &other.table
    cdef const uint64_t* keys = other.dictionary.addresses.keys
    cdef uint32_t k
    cdef bint new
    cdef Version* v = version_of(t, a, w.value, &new)
    if v == NULL:
        a.flags |= SEEN_MORE
        into.values_dropped += 1
        return
    if new:
        v.first = w.first
        v.first_frame = w.first_frame
        if w.rrset != NO_RRSET:
            v.rrset = keep_rrset(t, w.value, o.octets + o.rrsets[w.rrset],
                                 <size_t>(o.rrsets[w.rrset + 1] - o.rrsets[w.rrset]))
    elif w.first < v.first:
        v.first = w.first
        v.first_frame = w.first_frame
    if new or w.last >= v.last:
        v.last = w.last
        v.last_frame = w.last_frame
        v.ttl_last = w.ttl_last
    v.expires = w.expires if w.expires > v.expires else v.expires
    v.ttl_max = w.ttl_max if w.ttl_max > v.ttl_max else v.ttl_max
    v.answers += w.answers
    for k in range(w.client_count if w.client_count < VERSION_CLIENTS else VERSION_CLIENTS):
        if w.clients[k] == NO_CODE:
            continue
        note_client(v, find_address(
            &into.dictionary.addresses, keys[2 * w.clients[k]], keys[2 * w.clients[k] + 1],
            address_tag(&into.dictionary.addresses, keys[2 * w.clients[k]], keys[2 * w.clients[k] + 1])))
    if w.client_count > VERSION_CLIENTS:
        v.client_count = VERSION_CLIENTS + 1


@cython.final
cdef class NamesSeen:
    """Adds up what servers say of names, from batches of messages with their records.

    Parameters
    ----------
    most_rows : int
        Names, types and servers told apart.

    Attributes
    ----------
    count : int
        Rows.
    names : Dictionary
        What the codes of names and addresses mean.
    """

    def __cinit__(self, uint32_t most_rows=MOST_ROWS):
        cdef bytes octets = os.urandom(8)
        cdef uint64_t seed = load64(<const char*>octets)
        self.most_rows = most_rows if most_rows > 2 * BLOCK_ROOM else 2 * BLOCK_ROOM
        self.dictionary = Dictionary()
        if table_open(&self.table, seed) != 0:
            raise MemoryError("no memory for what is said of names")

    def __dealloc__(self):
        table_close(&self.table)
        free(self.name_codes)
        free(self.name_refs)
        free(self.address_codes)

    def feed(self, Batch batch not None, const uint8_t[::1] kept=None):
        """Take in the responses of a batch; `kept` has one octet a message, 0 for those to pass over."""
        cdef const uint8_t* mask = NULL
        cdef int bad
        if kept is not None:
            if <uint32_t>kept.shape[0] != batch.columns.count:
                raise ValueError("one octet a message is needed")
            if batch.columns.count == 0:
                return
            mask = &kept[0]
        if <void*>self.translated != <void*>batch.dictionary:
            self.translated = batch.dictionary
            self.names_known = self.addresses_known = 0
            self.arena_at = ENTRY_ALIGN
        with nogil:
            bad = see(self, batch, mask)
        if bad:
            raise MemoryError("no memory for what is said of names")

    def merge(self, NamesSeen other not None):
        """Add what another saw."""
        while self.thinned < other.thinned:
            thin_out(self)
        absorb(self, other)
        self.rows_dropped += other.rows_dropped
        self.values_dropped += other.values_dropped
        self.responses += other.responses
        # codes stay as they are: names were only added

    def rows(self):
        """The rows as octets of the native struct, and its size."""
        return PyBytes_FromStringAndSize(<char*>self.table.rows, <Py_ssize_t>(self.table.count * sizeof(Seen))), sizeof(Seen)

    def versions(self):
        """The values as octets of the native struct, from number 0, which is none, and its size."""
        cdef SeenTable* t = &self.table
        return PyBytes_FromStringAndSize(<char*>t.versions, <Py_ssize_t>(t.version_count * sizeof(Version))), sizeof(Version)

    def rrsets(self):
        """Where each RRset starts (one more at the end), and the octets of all."""
        cdef SeenTable* t = &self.table
        return (PyBytes_FromStringAndSize(<char*>t.rrsets, <Py_ssize_t>((t.rrset_count + 1) * sizeof(uint64_t))),
                PyBytes_FromStringAndSize(<char*>t.octets, <Py_ssize_t>t.used))

    @property
    def count(self):
        return self.table.count

    @property
    def names(self):
        return self.dictionary

    def counts(self):
        """What was taken in, and what was given up because of a limit."""
        return {"responses": self.responses, "names_dropped": self.rows_dropped, "values_dropped": self.values_dropped}
