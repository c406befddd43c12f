"""One tally of names added to another; see names_merging.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from dnscap.native.interning cimport ENTRY_ALIGN, NO_CODE, Entry, NameTable, address_tag, entry_octets, find_address
from dnscap.native.names_answers cimport Tally
from dnscap.native.names_codes cimport POPULAR, is_sampled, take_name
from dnscap.native.names_table cimport (
    NO_RRSET, NO_VERSION, SEEN_MORE, SEEN_NO_SOA, SEEN_NXDOMAIN, TRIALS, VERSION_CLIENTS, Absence, Seen, SeenTable, Version,
    absence_of, add_row, find_row, keep_rrset, key_hash, key_of, note_client, settle_current, version_of)


cdef int absorb(Tally* into, Tally* other) noexcept nogil:
    """Add what another saw of names that are followed."""
    cdef SeenTable* t = &into.table
    cdef SeenTable* o = &other.table
    cdef NameTable* names = other.codes.names
    cdef const Entry* e
    cdef const uint64_t* keys = other.codes.addresses.keys
    cdef size_t at = ENTRY_ALIGN
    cdef uint32_t k, name, server, place
    cdef uint64_t key, seen
    cdef Seen* s
    cdef const Absence* absence
    cdef uint32_t tag
    cdef uint32_t* refs = <uint32_t*>malloc((<size_t>names.count + 1) * sizeof(uint32_t))
    if refs == NULL:
        return -1
    for k in range(names.count):
        e = <const Entry*>(names.arena + at)
        refs[k] = <uint32_t>(at // ENTRY_ALIGN)
        at += (sizeof(Entry) + e.size + ENTRY_ALIGN - 1) & ~<size_t>(ENTRY_ALIGN - 1)
    for k in range(o.count):
        s = &o.rows[k]
        e = <const Entry*>(names.arena + <size_t>refs[s.key >> 37] * ENTRY_ALIGN)
        absence = &o.absences[s.absence]
        seen = <uint64_t>s.answers + absence.negatives + absence.servfails + absence.refused
        if into.codes.thinned and seen < POPULAR and not is_sampled(&into.codes, e):
            into.rows_dropped += seen
            continue
        name = take_name(&into.codes, entry_octets(e), e.size, True)
        server = <uint32_t>(s.key >> 18) & 0x7FFFF
        server = find_address(into.codes.addresses, keys[2 * server], keys[2 * server + 1],
                              address_tag(into.codes.addresses, keys[2 * server], keys[2 * server + 1]))
        if name == NO_CODE or server == NO_CODE:
            into.rows_dropped += seen
            continue
        key = key_of(name, <uint32_t>(s.key >> 2) & 65535, server, <uint32_t>s.key & 3)
        tag = key_hash(t, key)
        place = find_row(t, key, tag)
        if place == 0 and t.count < into.most_rows:
            place = add_row(t, key, tag)
        if place == 0:
            into.rows_dropped += seen
            continue
        add_up(into, &t.rows[place - 1], s, other, refs)
    free(refs)
    return 0


cdef void add_up(Tally* into, Seen* a, Seen* b, Tally* other, const uint32_t* refs) noexcept nogil:
    """Add one row to another of the same key."""
    cdef SeenTable* o = &other.table
    cdef Seen* early = b if b.first < a.first or a.answers == 0 else a
    cdef Seen* late = a if early == b else b
    cdef uint64_t end_of_early = 0, start_of_late = 0
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
    if b.absence:
        add_absence_up(into, a, b, other, refs)
    a.checked_off += b.checked_off
    a.flags |= b.flags & ~<uint8_t>(SEEN_NXDOMAIN | SEEN_NO_SOA)
    v = b.versions
    while v != NO_VERSION:
        add_version_up(into, a, &o.versions[v], other)
        v = o.versions[v].after
    settle_current(&into.table, a)


cdef void add_absence_up(Tally* into, Seen* a, const Seen* b, Tally* other, const uint32_t* refs) noexcept nogil:
    cdef const Absence* y = &other.table.absences[b.absence]
    cdef Absence* x = absence_of(&into.table, a)
    cdef const Entry* e
    if x == NULL:
        into.rows_dropped += <uint64_t>y.negatives + y.servfails + y.refused
        return
    if y.negatives:
        if x.negatives == 0 or y.first_negative < x.first_negative:
            x.first_negative = y.first_negative
            x.negative_frame = y.negative_frame
        if y.last_negative >= x.last_negative:
            x.last_negative = y.last_negative
            x.negative_until = y.negative_until
            x.negative_ttl = y.negative_ttl
            x.zone = NO_CODE
            if y.zone != NO_CODE:
                e = <const Entry*>(other.codes.names.arena + <size_t>refs[y.zone] * ENTRY_ALIGN)
                x.zone = take_name(&into.codes, entry_octets(e), e.size, True)
            a.flags = <uint8_t>(a.flags & ~(SEEN_NXDOMAIN | SEEN_NO_SOA) | b.flags & (SEEN_NXDOMAIN | SEEN_NO_SOA))
    x.negatives += y.negatives
    if y.servfails or y.refused:
        if not (x.servfails or x.refused):
            x.failed_frame = y.failed_frame
        if y.failed >= x.failed:
            x.failed = y.failed
            a.ede = b.ede
    x.servfails += y.servfails
    x.refused += y.refused
    if y.signed_at > x.signed_at:
        x.signed_at = y.signed_at
        x.signed_until = y.signed_until
        x.signed_from = y.signed_from


cdef void add_version_up(Tally* into, Seen* a, const Version* w, Tally* other) noexcept nogil:
    cdef SeenTable* t = &into.table
    cdef SeenTable* o = &other.table
    cdef const uint64_t* keys = other.codes.addresses.keys
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
            into.codes.addresses, keys[2 * w.clients[k]], keys[2 * w.clients[k] + 1],
            address_tag(into.codes.addresses, keys[2 * w.clients[k]], keys[2 * w.clients[k] + 1])))
    if w.client_count > VERSION_CLIENTS:
        v.client_count = VERSION_CLIENTS + 1
