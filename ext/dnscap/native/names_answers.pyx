"""What responses say of names; see names_answers.pxd.

The keys of a block of jobs are looked for before any of its rows is touched, so that neither waits for memory.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.edns cimport OPTION_EDE
from dnscap.native.interning cimport NO_CODE, prefetch, unlikely
from dnscap.native.message_columns cimport MessageColumns, RecordColumns
from dnscap.native.names_codes cimport own_address, own_name, take_name
from dnscap.native.names_table cimport (
    FRAME_BITS,
    NO_RRSET, NO_VERSION, SECTION_ANSWER, SEEN_ASKED, SEEN_AUTHORITATIVE, SEEN_MORE, SEEN_NO_SOA, SEEN_NXDOMAIN,
    SEEN_RECURSIVE, TRIALS, VERSION_CLIENTS, Absence, Seen, SeenTable, TagSlot, Version, absence_of, add_row, find_row, key_hash,
    key_of, lay_by, note_client, value_of, version_of)
from dnscap.native.octets cimport be16, be32
from dnscap.native.rdata cimport CLASS_IN, TYPE_A, TYPE_AAAA

cdef enum:
    MOST_OF_MESSAGE = 60           # jobs of one message: no honest one has so many RRsets
    LONGEST_TTL = 0x7FFFFFFF       # larger ones count as 0 (RFC 2181 section 8)

    FLAG_AA = 0x0400
    FLAG_RD = 0x0100
    FLAG_RA = 0x0080
    FLAG_CD = 0x0010

    RCODE_SERVFAIL = 2
    RCODE_NXDOMAIN = 3
    RCODE_REFUSED = 5

    TYPE_NS = 2
    TYPE_CNAME = 5
    TYPE_SOA = 6
    TYPE_DS = 43
    TYPE_RRSIG = 46
    TYPE_ANY = 255

    SECOND = 1000000000

cdef int64_t[TRIALS] TRIED = [60 * <int64_t>SECOND, 300 * <int64_t>SECOND, 3600 * <int64_t>SECOND]

cdef enum JobKind:
    JOB_RRSET = 0
    JOB_NEGATIVE = 1
    JOB_FAILURE = 2
    JOB_SIGNATURE = 3


cdef inline uint64_t whereabouts(const MessageColumns* c, uint32_t r) noexcept nogil:
    """The frame of a message, and which source it is of: its number and 1, in the upper bits."""
    return c.frame[r] & ((<uint64_t>1 << FRAME_BITS) - 1) | (<uint64_t>c.source[r] + 1) << FRAME_BITS


cdef void take_rrset(Tally* tally, const Job* job, const MessageColumns* c, const RecordColumns* q) noexcept nogil:
    cdef SeenTable* t = &tally.table
    cdef Seen* s = &t.rows[job.place - 1]
    cdef Version* v
    cdef uint32_t r = job.message, ttl = LONGEST_TTL, x, k, was = s.current
    cdef int64_t time = c.time[r]
    cdef uint64_t value = job.value
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
        tally.values_dropped += 1
        s.changes += 1
        s.flags |= SEEN_MORE
        s.current = NO_VERSION
        return
    if s.current != was and s.answers > 1:
        s.changes += 1
    if new:
        v.first = v.last = time
        v.first_frame = whereabouts(c, r)
        v.rrset = lay_by(t, q, job.start, job.end, value)
        if v.rrset == NO_RRSET:
            tally.values_dropped += 1
    v.answers += 1
    if time >= v.last:
        v.last = time
        v.last_frame = whereabouts(c, r)
        v.ttl_last = ttl
    if time + <int64_t>ttl * SECOND > v.expires:
        v.expires = time + <int64_t>ttl * SECOND
    v.ttl_max = ttl if ttl > v.ttl_max else v.ttl_max
    if v.client_count <= VERSION_CLIENTS:
        note_client(v, own_address(&tally.codes, c.dst[r]))


cdef void take_negative(Tally* tally, const Job* job, const MessageColumns* c) noexcept nogil:
    cdef Seen* s = &tally.table.rows[job.place - 1]
    cdef Absence* a = absence_of(&tally.table, s)
    cdef uint32_t r = job.message
    cdef int64_t time = c.time[r]
    if a == NULL:
        tally.rows_dropped += 1
        return
    if a.negatives == 0 or time < a.first_negative:
        a.first_negative = time
        a.negative_frame = whereabouts(c, r)
    a.last_negative = time if time > a.last_negative else a.last_negative
    a.negatives += 1
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
        a.negative_ttl = 0
        a.negative_until = time
    else:
        a.negative_ttl = job.negative_ttl
        a.negative_until = time + <int64_t>job.negative_ttl * SECOND
    a.zone = job.zone


cdef void take_failure(Tally* tally, const Job* job, const MessageColumns* c) noexcept nogil:
    cdef Seen* s = &tally.table.rows[job.place - 1]
    cdef Absence* a = absence_of(&tally.table, s)
    cdef uint32_t r = job.message, at, end, size
    if a == NULL:
        tally.rows_dropped += 1
        return
    if a.servfails == 0 and a.refused == 0:
        a.failed_frame = whereabouts(c, r)
    a.failed = c.time[r]
    if c.flags[r] & FLAG_RA:
        s.flags |= SEEN_RECURSIVE
    if c.rcode[r] == RCODE_REFUSED:
        a.refused += 1
        return
    if not c.flags[r] & FLAG_CD:
        a.servfails += 1
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


cdef void take_signature(Tally* tally, const Job* job, const MessageColumns* c, const RecordColumns* q) noexcept nogil:
    """Of several signatures the one that holds longest counts."""
    cdef Absence* a = absence_of(&tally.table, &tally.table.rows[job.place - 1])
    cdef const uint8_t* p = q.rdata_octets + q.rdata[job.start]
    cdef uint32_t until = be32(p + 8)
    if a == NULL:
        return
    if a.signed_at != c.time[job.message] or <int>(until - a.signed_until) > 0:
        a.signed_until = until
        a.signed_from = be32(p + 12)
    a.signed_at = c.time[job.message]


cdef uint32_t last_alias(Tally* tally, const RecordColumns* q, uint32_t start, uint32_t end, uint32_t name) noexcept nogil:
    """Own code of the name to which the aliases of an answer lead from `name`."""
    cdef uint32_t x
    for x in range(start, end):
        if q.type[x] == TYPE_CNAME and q.section[x] & 3 == 0 and own_name(&tally.codes, q.name[x]) == name:
            name = take_name(&tally.codes, q.rdata_octets + q.rdata[x], q.rdata[x + 1] - q.rdata[x], False)
            if name == NO_CODE:
                break
    return name


cdef uint32_t plan(Tally* tally, const MessageColumns* c, const RecordColumns* q, uint32_t r, uint32_t start,
                   uint32_t end, Job* jobs) noexcept nogil:
    """Jobs out of one response with the records start:end; how many."""
    cdef uint32_t count = 0, x = start, y, name, soa = NO_CODE, server, section, rtype
    cdef uint16_t flags = c.flags[r], rcode = c.rcode[r], qtype = c.qtype[r]
    cdef bint positive = False, own = not flags & FLAG_RA or (flags & FLAG_AA and not flags & FLAG_RD)
    cdef bint referral = False
    cdef Job* job
    server = own_address(&tally.codes, c.src[r])
    if unlikely(server == NO_CODE):
        tally.rows_dropped += 1
        return 0
    if unlikely(rcode == RCODE_SERVFAIL or rcode == RCODE_REFUSED):
        name = own_name(&tally.codes, c.qname[r])
        if name == NO_CODE:
            tally.rows_dropped += 1
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
        name = own_name(&tally.codes, q.name[x])
        if unlikely(name == NO_CODE):
            tally.rows_dropped += 1
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
    name = own_name(&tally.codes, c.qname[r])
    if name != NO_CODE and c.ancount[r] != 0:
        name = last_alias(tally, q, start, end, name)
    if name == NO_CODE:
        tally.rows_dropped += 1
        return count
    job = &jobs[count]
    job.kind = JOB_NEGATIVE
    job.message = r
    job.key = key_of(name, qtype, server, SECTION_ANSWER)
    job.zone = NO_CODE
    job.negative_ttl = 0
    if soa != NO_CODE:
        job.zone = own_name(&tally.codes, q.name[soa])
        x = q.rdata[soa + 1]
        if x - q.rdata[soa] >= 22:
            # min(SOA TTL, SOA MINIMUM): RFC 2308 section 5
            y = be32(q.rdata_octets + x - 4)
            job.negative_ttl = y if y < q.ttl[soa] else q.ttl[soa]
            if job.negative_ttl > LONGEST_TTL:
                job.negative_ttl = 0
    return count + 1


cdef inline void fetch_row(const SeenTable* t, uint32_t tag) noexcept nogil:
    """Fetch the first row whose key may have that hash."""
    cdef const TagSlot* slot = &t.slots[tag & t.mask]
    if slot.place:
        prefetch(&t.rows[slot.place - 1])
        prefetch(<const uint8_t*>&t.rows[slot.place - 1] + 64)


cdef inline void fetch_more(const SeenTable* t, const Seen* s, const Job* job) noexcept nogil:
    """Fetch what a row refers to, or the place that a value will have."""
    if job.kind != JOB_RRSET:
        prefetch(&t.absences[s.absence])
        prefetch(<const uint8_t*>&t.absences[s.absence] + sizeof(Absence) - 1)
    elif s.current == NO_VERSION:
        prefetch(&t.values[key_hash(t, job.value) & t.value_mask])
    else:
        prefetch(&t.versions[s.current])
        prefetch(<const uint8_t*>&t.versions[s.current] + sizeof(Version) - 1)


cdef void carry_out(Tally* tally, const MessageColumns* c, const RecordColumns* q, Job* jobs, uint32_t count) noexcept nogil:
    cdef SeenTable* t = &tally.table
    cdef Job* job
    cdef uint32_t k
    for k in range(count):
        job = &jobs[k]
        job.tag = key_hash(t, job.key)
        prefetch(&t.slots[job.tag & t.mask])
    for k in range(count):
        job = &jobs[k]
        fetch_row(t, job.tag)
        if job.kind == JOB_RRSET:
            job.value = value_of(q, job.start, job.end)
    for k in range(count):
        job = &jobs[k]
        job.place = find_row(t, job.key, job.tag)
        if job.place == 0 and job.kind != JOB_SIGNATURE:
            if t.count < tally.most_rows:
                job.place = add_row(t, job.key, job.tag)
            if job.place == 0:
                tally.rows_dropped += 1
        if job.place:
            fetch_more(t, &t.rows[job.place - 1], job)
    for k in range(count):
        job = &jobs[k]
        if unlikely(job.place == 0):
            continue
        if job.kind == JOB_RRSET:
            take_rrset(tally, job, c, q)
        elif job.kind == JOB_NEGATIVE:
            take_negative(tally, job, c)
        elif job.kind == JOB_FAILURE:
            take_failure(tally, job, c)
        else:
            take_signature(tally, job, c, q)
