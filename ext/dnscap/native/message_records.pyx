"""Resource records and EDNS of the messages of a stride; see message_records.pxd.

The names that own records become jobs for the dictionary, which are resolved for a stride at once.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from dnscap.native.datagrams cimport Datagram
from dnscap.native.domain cimport (
    MOST_NAME,
    NAME_ROOM,
    STATUS_BAD_OPT,
    STATUS_BAD_RDATA,
    STATUS_RDATA_OVERRUN,
    STATUS_RECORD_OVERRUN,
    STATUS_TRAILING_OCTETS,
    expand_name,
    skip_name,
)
from dnscap.native.interning cimport NO_CODE, fold_hash, likely, prefetch, unlikely
from dnscap.native.message_columns cimport (
    HAS_DELEGATION,
    HAS_EDNS,
    HAS_NAME,
    MessageColumns,
    RecordColumns,
    fault,
    grow_octets,
    grow_records,
)
from dnscap.native.message_work cimport SCRATCH_OCTETS, NameJob, Stride, Work, resolve_jobs
from dnscap.native.octets cimport PADDING, be16, be32, be64
from dnscap.native.rdata cimport expand_rdata, rdata_room

cdef enum:
    SEEN_NAMES = 16            # owner names of a message remembered by offset; further ones are expanded again
    PENDING = 0x80000000       # marks a job number in a column of codes; codes stay far below

    TYPE_A = 1
    TYPE_NS = 2
    TYPE_CNAME = 5
    TYPE_SOA = 6
    TYPE_PTR = 12
    TYPE_AAAA = 28
    TYPE_OPT = 41
    CLASS_IN = 1
    CLASS_NONE = 254
    CLASS_ANY = 255
    OPCODE_UPDATE = 5
    PORT_MDNS = 5353

cdef struct Seen:              # an owner name of this message: its offset, and its code or pending job
    uint32_t at
    uint32_t owner

cdef struct Sound:             # names of this message that pointers may lead to, checked already
    uint32_t question          # octets that the one at offset 12 expands to; 0 where it is not one plain name
    uint32_t at                # offset of the one that was pointed to last,
    uint32_t size              # and octets that it expands to


cdef inline int take_edns(Work* w, uint32_t r, const uint8_t* m, uint32_t owner, uint32_t at, uint32_t length,
                          uint32_t section) noexcept nogil:
    """An OPT record whose RDATA starts at `at`; its owner name ended just before `at - 10`.  -1 without memory."""
    cdef MessageColumns* c = &w.columns
    cdef uint32_t end = at + length, o = at
    if unlikely(c.presence[r] & HAS_EDNS or section != 2 or at != owner + 11):
        fault(c, r, STATUS_BAD_OPT, owner)
        if c.presence[r] & HAS_EDNS:
            return 0
    c.presence[r] |= HAS_EDNS
    c.edns_udp_size[r] = be16(m + at - 8)
    if unlikely(m[at - 6]):
        c.rcode[r] |= <uint16_t>m[at - 6] << 4
    c.edns_version[r] = m[at - 5]
    c.edns_flags[r] = be16(m + at - 4)
    if length == 0:
        return 0
    while o < end:
        if o + 4 > end or o + 4 + be16(m + o + 2) > end:
            fault(c, r, STATUS_BAD_OPT, o)
            break
        o += 4 + be16(m + o + 2)
    length = o - at
    if length:
        if c.options_used + length > c.options_room \
                and grow_octets(&c.options_octets, c.options_used, &c.options_room, length) != 0:
            return -1
        if likely(length <= PADDING):
            memcpy(c.options_octets + c.options_used, m + at, PADDING)
        else:
            memcpy(c.options_octets + c.options_used, m + at, length)
        c.options_used += length
    return 0


cdef inline bint has_empty_form(uint16_t flags, uint32_t rclass) noexcept nogil:
    """UPDATE says 'any' and 'none' by records without RDATA (RFC 2136 section 2.4)."""
    return (flags >> 11 & 15) == OPCODE_UPDATE and (rclass == CLASS_ANY or rclass == CLASS_NONE)


cdef inline int walk_sections(Work* w, const Stride* s, const Datagram* rows, uint32_t n, const bint keep) noexcept nogil:
    """Check the records of all messages of a stride and take their EDNS; with `keep`, put them into the record columns.

    Called with a constant `keep`, so that the compiler makes two loops of it, which find the same faults.
    Returns -1 without memory.
    """
    cdef MessageColumns* c = &w.columns
    cdef uint32_t i, k, r = c.count, all, at, size, length, end
    cdef uint32_t* options = c.options + r
    cdef const uint16_t* arcount = c.arcount + r
    # Owner, type and class of an address of the name at offset 12.
    cdef uint64_t ip4 = <uint64_t>0xC00C00010001, ip6 = <uint64_t>0xC00C001C0001, first
    cdef const uint8_t* m
    for i in range(n):
        options[i] = c.options_used
        at = s.at[i]
        if likely(at != 0):
            size = rows[i].size
            all = s.records[i]
            if all != 0:
                m = rows[i].octets
                k = 0
                first = be64(m + at)
                # Most records are addresses of the question's name: seven octets tell that, and nothing of it can be
                # wrong but its length.
                while first >> 16 == ip4 or first >> 16 == ip6:
                    length = 4 if first >> 16 == ip4 else 16
                    end = at + 12 + length
                    if be16(m + at + 10) != length or end > size or k >= all or not c.presence[r] & HAS_NAME:
                        break
                    if keep and keep_address(w, r, m, at, length, k) != 0:
                        return -1
                    at = end
                    k += 1
                    first = be64(m + at)
                # and most messages end in an OPT, as nearly every query does: the root, type, and what comes with them
                if k + 1 == all and first >> 40 == TYPE_OPT and at + 11 + be16(m + at + 9) == size and arcount[i] != 0:
                    if take_edns(w, r, m, at, at + 11, size - at - 11, 2) != 0:
                        return -1
                elif k < all:
                    if walk_records(w, s, i, m, size, at, k, keep) != 0:
                        return -1
                elif unlikely(at < size):
                    fault(c, r, STATUS_TRAILING_OCTETS, at)
            elif unlikely(at < size):
                fault(c, r, STATUS_TRAILING_OCTETS, at)
        r += 1
    return 0


cdef inline int keep_address(Work* w, uint32_t r, const uint8_t* m, uint32_t at, uint32_t length, uint32_t k) noexcept nogil:
    """The record number `k` of a message, an address of the question's name."""
    cdef const MessageColumns* c = &w.columns
    cdef RecordColumns* q = &w.records
    cdef uint32_t x = q.count, answers = c.ancount[r]
    if unlikely(x >= q.room) and grow_records(q) != 0:
        return -1
    if unlikely(q.rdata_used + rdata_room(16) > q.rdata_room) \
            and grow_octets(&q.rdata_octets, q.rdata_used, &q.rdata_room, rdata_room(16)) != 0:
        return -1
    memcpy(q.rdata_octets + q.rdata_used, m + at + 12, 16)
    q.message[x] = r
    q.name[x] = c.qname[r]
    q.ttl[x] = be32(m + at + 6)
    q.rdata[x] = q.rdata_used
    q.type[x] = TYPE_A if length == 4 else TYPE_AAAA
    q.rclass[x] = CLASS_IN
    q.section[x] = <uint8_t>((k >= answers) + (k >= answers + c.nscount[r]))
    q.rdata_used += length
    q.count = x + 1
    return 0


cdef inline int walk_records(Work* w, const Stride* s, uint32_t i, const uint8_t* m, uint32_t size, uint32_t at,
                             uint32_t k, const bint keep) noexcept nogil:
    """The records of the message number `i` of a stride from number `k` on, which starts at `at`; -1 without memory."""
    cdef MessageColumns* c = &w.columns
    cdef RecordColumns* q = &w.records
    cdef uint32_t r = c.count + i
    cdef uint32_t answers = c.ancount[r], authorities = answers + c.nscount[r], all = s.records[i]
    cdef uint32_t seen_count = 0, head, owner, offset, owner_at, after, rtype, rclass, length, end, fault_at, x
    cdef bint multicast = s.multicast and (c.src_port[r] == PORT_MDNS or c.dst_port[r] == PORT_MDNS)
    cdef uint32_t class_bits = 0x7FFF if multicast else 0xFFFF     # RFC 6762 section 10.2: the top bit flushes caches
    cdef uint32_t qname = c.qname[r]
    cdef bint has_name = c.presence[r] & HAS_NAME
    cdef Seen[SEEN_NAMES] seen
    cdef Sound sound
    cdef uint8_t* to
    cdef int written
    sound.question = s.plain[i]
    sound.at = sound.size = 0
    while k < all:
        if be64(m + at) >> 40 == TYPE_OPT:
            # with the root for its owner, as it has to be
            end = at + 11 + be16(m + at + 9)
            if likely(at + 11 <= size and end <= size):
                if take_edns(w, r, m, at, at + 11, end - at - 11, (k >= answers) + (k >= authorities)) != 0:
                    return -1
                at = end
                k += 1
                continue
        owner_at = at
        if unlikely(at >= size):
            fault(c, r, STATUS_RECORD_OVERRUN, at)
            return 0
        # owner name: nearly always a pointer to the question's or to one met before, or the root of an OPT
        head = m[at]
        owner = qname
        if likely(head >= 0xC0 and at + 2 <= size):
            offset = be16(m + at) & 0x3FFF
            after = at + 2
            if unlikely(offset != 12 or not has_name):
                x = 0
                while x < seen_count and seen[x].at != offset:
                    x += 1
                if x < seen_count:
                    owner = seen[x].owner
                else:
                    if not take_owner(w, r, m, size, at, &sound, keep, &after, &owner):
                        return 0
                    if seen_count < SEEN_NAMES:
                        seen[seen_count].at = offset
                        seen[seen_count].owner = owner
                        seen_count += 1
        elif head == 0 and (not keep or (at + 11 <= size and be16(m + at + 1) == TYPE_OPT)):
            after = at + 1
        else:
            if not take_owner(w, r, m, size, at, &sound, keep, &after, &owner):
                return 0
            if seen_count < SEEN_NAMES and head != 0:
                seen[seen_count].at = at
                seen[seen_count].owner = owner
                seen_count += 1
        at = after
        if unlikely(at + 10 > size):
            fault(c, r, STATUS_RECORD_OVERRUN, at)
            return 0
        rtype = be16(m + at)
        rclass = be16(m + at + 2) & class_bits
        length = be16(m + at + 8)
        at += 10
        end = at + length
        if unlikely(end > size):
            fault(c, r, STATUS_RDATA_OVERRUN, at)
            return 0
        if rtype == TYPE_OPT:
            if take_edns(w, r, m, owner_at, at, length, (k >= answers) + (k >= authorities)) != 0:
                return -1
            at = end
            k += 1
            continue
        to = NULL
        if keep:
            if unlikely(q.count >= q.room) and grow_records(q) != 0:
                return -1
            if unlikely(q.rdata_used + rdata_room(length) > q.rdata_room) \
                    and grow_octets(&q.rdata_octets, q.rdata_used, &q.rdata_room, rdata_room(length)) != 0:
                return -1
            to = q.rdata_octets + q.rdata_used
        written = take_rdata(w, rtype, rclass, m, size, at, end, &sound, keep, to, &fault_at)
        if unlikely(written < 0):
            if length != 0 or not has_empty_form(c.flags[r], rclass):
                fault(c, r, -written, fault_at)
                return 0
            written = 0
        if rtype == TYPE_NS and answers <= k < authorities:
            c.presence[r] |= HAS_DELEGATION
        if keep:
            x = q.count
            q.message[x] = r
            q.name[x] = owner
            q.ttl[x] = be32(m + at - 6)
            q.rdata[x] = q.rdata_used
            q.type[x] = <uint16_t>rtype
            q.rclass[x] = <uint16_t>rclass
            q.section[x] = <uint8_t>((k >= answers) + (k >= authorities) + (4 if multicast and m[at - 8] & 0x80 else 0))
            q.rdata_used += written
            q.count = x + 1
        at = end
        k += 1
    if at < size:
        fault(c, r, STATUS_TRAILING_OCTETS, at)
    return 0


cdef inline bint take_owner(Work* w, uint32_t r, const uint8_t* m, uint32_t size, uint32_t at, Sound* sound,
                            const bint keep, uint32_t* after, uint32_t* owner) noexcept nogil:
    """Check the owner name at `at`; with `keep`, make a job of it.  False where it is faulty."""
    cdef uint32_t bad
    if keep:
        owner[0] = new_owner(w, m, size, at, after, &w.columns, r)
        return owner[0] != NO_CODE
    bad = skip_known(m, size, at, sound, after)
    if unlikely(bad):
        fault(&w.columns, r, bad, after[0])
    return bad == 0


cdef inline int take_rdata(Work* w, uint32_t rtype, uint32_t rclass, const uint8_t* m, uint32_t size, uint32_t at,
                           uint32_t end, Sound* sound, const bint keep, uint8_t* to, uint32_t* fault_at) noexcept nogil:
    """Check the form of RDATA; with `keep`, write it to `to` with its names expanded.

    Returns octets written (of no meaning without `keep`), or minus a status.
    """
    cdef uint32_t length = end - at, after = at, bad
    cdef int written
    fault_at[0] = at
    # the forms of A and AAAA are those of the Internet class; others are left to the tables
    if rtype == TYPE_A and likely(rclass == CLASS_IN):
        if keep:
            memcpy(to, m + at, 4)
        return 4 if likely(length == 4) else -STATUS_BAD_RDATA
    if rtype == TYPE_AAAA and likely(rclass == CLASS_IN):
        if keep:
            memcpy(to, m + at, 16)
        return 16 if likely(length == 16) else -STATUS_BAD_RDATA
    if rtype == TYPE_CNAME or rtype == TYPE_NS or rtype == TYPE_PTR:
        if unlikely(length == 0):
            return -STATUS_BAD_RDATA
        if keep:
            written = expand_name(m, end, at, to, &after)
        else:
            bad = skip_known(m, end, at, sound, &after)
            written = -<int>bad
        if unlikely(written < 0 or after != end):
            fault_at[0] = after
            return written if written < 0 else -STATUS_BAD_RDATA
        return written
    if rtype == TYPE_SOA and plain_soa(m, at, end, sound):
        if not keep:
            return 0
        written = expand_name(m, end, at, to, &after)
        written += expand_name(m, end, after, to + written, &after)
        memcpy(to + written, m + after, 20)
        return written + 20
    if keep:
        return expand_rdata(<uint16_t>rtype, <uint16_t>rclass, m, size, at, length, to, rdata_room(length), fault_at)
    # what is expanded only to be checked goes to the scratch memory, and is forgotten
    return expand_rdata(<uint16_t>rtype, <uint16_t>rclass, m, size, at, length, w.scratch, SCRATCH_OCTETS, fault_at)


cdef inline bint plain_soa(const uint8_t* m, uint32_t at, uint32_t end, Sound* sound) noexcept nogil:
    """Whether RDATA is two sound names and five numbers: the SOA of every negative answer."""
    cdef uint32_t after
    return skip_known(m, end, at, sound, &after) == 0 and skip_known(m, end, after, sound, &after) == 0 \
        and after + 20 == end


cdef inline uint32_t skip_known(const uint8_t* m, uint32_t size, uint32_t at, Sound* sound,
                                uint32_t* after) noexcept nogil:
    """As `skip_name`, short where no pointer leads to a name that was not checked before."""
    cdef uint32_t o = at, octet, target, reached
    while o < size:
        octet = m[o]
        if octet - 1 < 63:
            o += octet + 1
            continue
        if octet == 0:
            if o - at >= MOST_NAME:
                break
            after[0] = o + 1
            return 0
        if octet < 0xC0 or o + 2 > size:
            break
        target = be16(m + o) & 0x3FFF
        if target >= at:
            break
        if target == 12 and sound.question != 0:
            reached = sound.question
        elif target == sound.at:
            reached = sound.size
        else:
            reached = expanded_size(m, at, target, sound.question)
            sound.at = target
            sound.size = reached
        if reached == 0 or o - at + reached > MOST_NAME:
            break
        after[0] = o + 2
        return 0
    return skip_name(m, size, at, after)


cdef inline uint32_t expanded_size(const uint8_t* m, uint32_t size, uint32_t at, uint32_t question) noexcept nogil:
    """Octets of the name at `at`, if it is labels up to the root or a pointer to the question name; 0 of others.

    It has to end before `size`, where the name begins that points to it: what was found once holds for all names behind.
    """
    cdef uint32_t o = at, octet
    while o < size:
        octet = m[o]
        if octet - 1 < 63:
            o += octet + 1
        elif octet == 0:
            return o + 1 - at
        elif octet == 0xC0 and m[o + 1] == 12 and at > 12 and question != 0:
            return o - at + question
        else:
            break
    return 0


cdef uint32_t new_owner(Work* w, const uint8_t* m, uint32_t size, uint32_t at, uint32_t* after,
                        MessageColumns* c, uint32_t r) noexcept nogil:
    """A job, marked PENDING, for the owner name at `at`; NO_CODE where the name is faulty."""
    cdef uint8_t[NAME_ROOM] name
    cdef NameJob* j = &w.jobs[w.job_count]
    cdef uint64_t capitals, hash
    cdef uint8_t* to = w.scratch + w.scratch_used
    cdef int length = expand_name(m, size, at, name, after)
    if unlikely(length < 0):
        fault(c, r, -length, after[0])
        return NO_CODE
    hash = fold_hash(name, to, length, w.names.seed, &capitals)
    j.name = to
    j.tag = <uint32_t>hash
    j.size = length
    prefetch(&w.names.slots[j.tag & w.names.mask])
    w.scratch_used += (length + 31) & ~<uint32_t>31
    w.job_count += 1
    return PENDING | (w.job_count - 1)


cdef void settle_owners(Work* w) noexcept nogil:
    """Resolve the waiting owner names and put their codes in place of the job numbers."""
    cdef RecordColumns* q = &w.records
    cdef uint32_t x = q.count, v
    resolve_jobs(w)
    # Pending rows are the last ones; walk back to the first row of the stride, whose messages are not counted yet.
    while x > 0 and q.message[x - 1] >= w.columns.count:
        x -= 1
        v = q.name[x]
        if v & PENDING:
            q.name[x] = w.jobs[v & ~<uint32_t>PENDING].code
    w.job_count = 0
    w.scratch_used = 0


cdef int walk_and_keep(Work* w, const Stride* s, const Datagram* rows, uint32_t n) noexcept nogil:
    w.job_count = 0
    w.scratch_used = 0
    if walk_sections(w, s, rows, n, True) != 0:
        return -1
    settle_owners(w)
    if w.records.rdata != NULL:
        w.records.rdata[w.records.count] = w.records.rdata_used
    return 0


cdef int walk_only(Work* w, const Stride* s, const Datagram* rows, uint32_t n) noexcept nogil:
    return walk_sections(w, s, rows, n, False)
