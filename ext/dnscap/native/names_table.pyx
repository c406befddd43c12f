"""The table of what servers say of names; see names_table.pxd."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from posix.stdlib cimport posix_memalign
from libc.string cimport memcpy, memset

from dnscap.native.interning cimport NO_CODE, fold_hash, likely, mix128
from dnscap.native.message_columns cimport RecordColumns
from dnscap.native.octets cimport PADDING, load32
from dnscap.native.rdata cimport TYPE_A

cdef enum:
    MOST_VALUES = 1 << 19          # values of all rows
    MOST_VERSIONS = 16             # values of one row: names that rotate through more are told by `changes`
    MOST_OCTETS = 32 << 20         # RDATA kept
    LARGEST_RRSET = 4096           # octets of one that is kept: larger ones are told apart by their hash
    FIRST_ROWS = 1 << 10
    CACHE_LINE = 64

    TYPE_NS = 2
    TYPE_CNAME = 5
    TYPE_SOA = 6
    TYPE_PTR = 12
    TYPE_MX = 15
    TYPE_SRV = 33
    TYPE_DNAME = 39

# Not a random one: values of two tables must compare.  Whoever makes two collide spoils the history of his own name.
cdef uint64_t VALUE_SEED = <uint64_t>0x9FB21C651E98DF25


cdef Seen* aligned_rows(uint32_t room) noexcept nogil:
    cdef void* rows = NULL
    return <Seen*>rows if posix_memalign(&rows, CACHE_LINE, <size_t>room * sizeof(Seen)) == 0 else NULL


cdef int table_open(SeenTable* t, uint64_t seed) noexcept nogil:
    memset(t, 0, sizeof(SeenTable))
    t.seed = seed
    t.room = FIRST_ROWS
    t.mask = t.value_mask = 2 * FIRST_ROWS - 1
    t.version_room = t.rrset_room = FIRST_ROWS
    t.absence_room = FIRST_ROWS // 4
    t.version_count = t.absence_count = 1
    t.octet_room = 64 * FIRST_ROWS
    t.rows = aligned_rows(t.room)
    t.slots = <TagSlot*>calloc(<size_t>t.mask + 1, sizeof(TagSlot))
    t.values = <TagSlot*>calloc(<size_t>t.value_mask + 1, sizeof(TagSlot))
    t.absences = <Absence*>calloc(t.absence_room, sizeof(Absence))
    t.versions = <Version*>malloc(t.version_room * sizeof(Version))
    t.rrset_values = <uint64_t*>malloc(t.rrset_room * sizeof(uint64_t))
    t.rrsets = <uint64_t*>malloc(t.rrset_room * sizeof(uint64_t))
    t.octets = <uint8_t*>malloc(t.octet_room)
    if not (t.rows and t.slots and t.values and t.absences and t.versions and t.rrset_values and t.rrsets and t.octets):
        return -1
    memset(t.versions, 0, sizeof(Version))
    t.absences[0].zone = NO_CODE
    t.rrsets[0] = 0
    return 0


cdef void table_close(SeenTable* t) noexcept nogil:
    free(t.rows)
    free(t.slots)
    free(t.values)
    free(t.absences)
    free(t.versions)
    free(t.rrset_values)
    free(t.rrsets)
    free(t.octets)
    memset(t, 0, sizeof(SeenTable))


# ---------------------------------------------------------------- rows

cdef int widen_slots(TagSlot** slots, uint32_t* mask) noexcept nogil:
    cdef uint32_t wide = mask[0] * 2 + 1, i, k
    cdef TagSlot* old = slots[0]
    cdef TagSlot* new = <TagSlot*>calloc(<size_t>wide + 1, sizeof(TagSlot))
    if new == NULL:
        return -1
    for i in range(mask[0] + 1):
        if old[i].place:
            k = old[i].tag & wide
            while new[k].place:
                k = (k + 1) & wide
            new[k] = old[i]
    free(old)
    slots[0] = new
    mask[0] = wide
    return 0


cdef uint32_t add_row(SeenTable* t, uint64_t key, uint32_t tag) noexcept nogil:
    cdef uint32_t i
    cdef Seen* wider
    if t.count >= t.room:
        wider = aligned_rows(t.room * 2)
        if wider == NULL:
            return 0
        memcpy(wider, t.rows, <size_t>t.count * sizeof(Seen))
        free(t.rows)
        t.rows = wider
        t.room *= 2
    if <uint64_t>t.count * 2 > t.mask and widen_slots(&t.slots, &t.mask) != 0:
        return 0
    i = tag & t.mask
    while t.slots[i].place:
        i = (i + 1) & t.mask
    memset(&t.rows[t.count], 0, sizeof(Seen))
    t.rows[t.count].key = key
    t.count += 1
    t.slots[i].tag = tag
    t.slots[i].place = t.count
    return t.count


cdef Absence* absence_of(SeenTable* t, Seen* s) noexcept nogil:
    cdef Absence* wider
    if s.absence:
        return &t.absences[s.absence]
    if t.absence_count >= t.absence_room:
        wider = <Absence*>realloc(t.absences, <size_t>t.absence_room * 2 * sizeof(Absence))
        if wider == NULL:
            return NULL
        t.absences = wider
        t.absence_room *= 2
    s.absence = t.absence_count
    t.absence_count += 1
    memset(&t.absences[s.absence], 0, sizeof(Absence))
    t.absences[s.absence].zone = NO_CODE
    return &t.absences[s.absence]


cdef void give_out(const SeenTable* t, const Seen* s, SeenRow* into) noexcept nogil:
    cdef const Absence* a = &t.absences[s.absence]
    cdef uint32_t k
    memset(into, 0, sizeof(SeenRow))
    into.key = s.key
    into.first = s.first
    into.last = s.last
    into.expires = s.expires
    into.answers = s.answers
    into.ttl_min = s.ttl_min
    into.ttl_max = s.ttl_max
    into.ttl_last = s.ttl_last
    into.ttl_own = s.ttl_own
    into.versions = s.versions
    into.current = s.current
    into.changes = s.changes
    for k in range(TRIALS):
        into.until[k] = s.until[k]
        into.hits[k] = s.hits[k]
    into.asked = s.asked
    into.checked_off = s.checked_off
    into.version_count = s.version_count
    into.ede = s.ede
    into.flags = s.flags
    into.first_negative = a.first_negative
    into.last_negative = a.last_negative
    into.negative_until = a.negative_until
    into.negative_frame = a.negative_frame
    into.failed_frame = a.failed_frame
    into.failed = a.failed
    into.signed_at = a.signed_at
    into.negatives = a.negatives
    into.negative_ttl = a.negative_ttl
    into.zone = a.zone
    into.servfails = a.servfails
    into.refused = a.refused
    into.signed_until = a.signed_until
    into.signed_from = a.signed_from


cdef uint32_t add_version(SeenTable* t) noexcept nogil:
    """A zeroed version; NO_VERSION where there is no room."""
    cdef uint32_t room
    cdef Version* wider
    if t.version_count >= t.version_room:
        room = t.version_room * 2
        if room > MOST_VALUES:
            return NO_VERSION
        wider = <Version*>realloc(t.versions, <size_t>room * sizeof(Version))
        if wider == NULL:
            return NO_VERSION
        t.versions = wider
        t.version_room = room
    memset(&t.versions[t.version_count], 0, sizeof(Version))
    t.versions[t.version_count].rrset = NO_RRSET
    t.version_count += 1
    return t.version_count - 1


cdef uint32_t keep_rrset(SeenTable* t, uint64_t value, const uint8_t* octets, size_t size) noexcept nogil:
    cdef uint32_t tag = key_hash(t, value), i = tag & t.value_mask
    cdef uint8_t* wider
    cdef size_t wide
    while t.values[i].place:
        if t.values[i].tag == tag and t.rrset_values[t.values[i].place - 1] == value:
            return t.values[i].place - 1
        i = (i + 1) & t.value_mask
    if octets == NULL or size > LARGEST_RRSET or t.used + size > MOST_OCTETS:
        return NO_RRSET
    if t.used + size > t.octet_room:
        wide = t.octet_room * 2 + size
        wider = <uint8_t*>realloc(t.octets, wide)
        if wider == NULL:
            return NO_RRSET
        t.octets = wider
        t.octet_room = wide
    if t.rrset_count + 2 > t.rrset_room and widen_rrsets(t) != 0:
        return NO_RRSET
    if <uint64_t>t.rrset_count * 2 > t.value_mask:
        if widen_slots(&t.values, &t.value_mask) != 0:
            return NO_RRSET
        i = tag & t.value_mask
        while t.values[i].place:
            i = (i + 1) & t.value_mask
    memcpy(t.octets + t.used, octets, size)
    t.used += size
    t.rrset_values[t.rrset_count] = value
    t.rrset_count += 1
    t.rrsets[t.rrset_count] = t.used
    t.values[i].tag = tag
    t.values[i].place = t.rrset_count
    return t.rrset_count - 1


cdef int widen_rrsets(SeenTable* t) noexcept nogil:
    cdef uint32_t room = t.rrset_room * 2
    cdef uint64_t* wider = <uint64_t*>realloc(t.rrsets, <size_t>room * sizeof(uint64_t))
    if wider == NULL:
        return -1
    t.rrsets = wider
    wider = <uint64_t*>realloc(t.rrset_values, <size_t>room * sizeof(uint64_t))
    if wider == NULL:
        return -1
    t.rrset_values = wider
    t.rrset_room = room
    return 0


cdef Version* version_of(SeenTable* t, Seen* s, uint64_t value, bint* new) noexcept nogil:
    cdef uint32_t v = s.current, last = NO_VERSION
    new[0] = False
    if likely(v != NO_VERSION and t.versions[v].value == value):
        return &t.versions[v]
    v = s.versions
    while v != NO_VERSION:
        if t.versions[v].value == value:
            s.current = v
            return &t.versions[v]
        last = v
        v = t.versions[v].after
    if s.version_count >= MOST_VERSIONS:
        return NULL
    v = add_version(t)
    if v == NO_VERSION:
        return NULL
    t.versions[v].value = value
    if last == NO_VERSION:
        s.versions = v
    else:
        t.versions[last].after = v
    s.version_count += 1
    s.current = v
    new[0] = True
    return &t.versions[v]


cdef void note_client(Version* v, uint32_t client) noexcept nogil:
    cdef uint32_t k
    for k in range(v.client_count if v.client_count < VERSION_CLIENTS else VERSION_CLIENTS):
        if v.clients[k] == client:
            return
    if v.client_count < VERSION_CLIENTS and client != NO_CODE:
        v.clients[v.client_count] = client
        v.client_count += 1
    else:
        v.client_count = VERSION_CLIENTS + 1


cdef void settle_current(SeenTable* t, Seen* s) noexcept nogil:
    cdef uint32_t v = s.versions
    s.current = v
    while v != NO_VERSION:
        if t.versions[v].last > t.versions[s.current].last:
            s.current = v
        v = t.versions[v].after


# ---------------------------------------------------------------- values

cdef uint64_t folded_hash(uint32_t rtype, const uint8_t* p, uint32_t size, uint64_t seed) noexcept nogil:
    """Hash of RDATA with names in it, whose case does not count.  PADDING octets follow it."""
    cdef uint8_t[1024] folded
    cdef uint64_t capitals, h = seed
    cdef uint32_t before = 0, after = 0
    if rtype == TYPE_MX:
        before = 2
    elif rtype == TYPE_SRV:
        before = 6
    elif rtype == TYPE_SOA:
        after = 20
    if size < before + after or size - before - after > 1024 - 2 * PADDING:
        return raw_hash(p, size, seed)
    h = raw_hash(p, before, h) ^ raw_hash(p + size - after, after, h + 1)
    return fold_hash(p + before, folded, size - before - after, h, &capitals) ^ h


cdef inline uint64_t rdata_hash(uint32_t rtype, const uint8_t* p, uint32_t size, uint64_t seed) noexcept nogil:
    if rtype == TYPE_A and size == 4:
        return mix128(<uint64_t>load32(p) ^ seed, <uint64_t>0x8bb84b93962eacc9)
    if (rtype == TYPE_NS or rtype == TYPE_CNAME or rtype == TYPE_SOA or rtype == TYPE_PTR or rtype == TYPE_MX
            or rtype == TYPE_SRV or rtype == TYPE_DNAME):
        return folded_hash(rtype, p, size, seed)
    return raw_hash(p, size, seed)


cdef uint64_t value_of(const RecordColumns* q, uint32_t start, uint32_t end) noexcept nogil:
    cdef uint64_t sum = <uint64_t>q.type[start] << 32 | (end - start)
    cdef uint32_t x
    for x in range(start, end):
        sum += rdata_hash(q.type[x], q.rdata_octets + q.rdata[x], q.rdata[x + 1] - q.rdata[x], VALUE_SEED)
    return sum


cdef uint32_t lay_by(SeenTable* t, const RecordColumns* q, uint32_t start, uint32_t end, uint64_t value) noexcept nogil:
    cdef uint8_t[LARGEST_RRSET] octets
    cdef size_t size = 4
    cdef uint32_t x, length
    cdef uint16_t n
    x = keep_rrset(t, value, NULL, 0)
    if x != NO_RRSET:
        return x
    n = q.type[start]
    memcpy(octets, &n, 2)
    n = <uint16_t>(end - start)
    memcpy(octets + 2, &n, 2)
    for x in range(start, end):
        length = q.rdata[x + 1] - q.rdata[x]
        if length > LARGEST_RRSET or size + 2 + length > LARGEST_RRSET:
            return NO_RRSET
        n = <uint16_t>length
        memcpy(octets + size, &n, 2)
        memcpy(octets + size + 2, q.rdata_octets + q.rdata[x], length)
        size += 2 + length
    return keep_rrset(t, value, octets, size)
