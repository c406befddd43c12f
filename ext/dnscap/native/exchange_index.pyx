"""Keys and ends of rows; see exchange_index.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from dnscap.native.exchange_rows cimport Rows, columns_of, leads_on, place
from dnscap.native.interning cimport (
    ENTRY_ALIGN, AddressTable, Dictionary, Entry, NameTable, entry_octets, fold_hash, map_alloc, map_free, mix128,
)

cdef enum:
    FIRST_SLOTS = 1 << 12
    MOST_STEPS = 1 << 12       # rows of other ends passed in one chain
    FIRST_CODES = 1 << 12


cdef KeySlot* empty_slots(uint64_t count) noexcept nogil:
    return <KeySlot*>map_alloc(count * sizeof(KeySlot))


cdef int index_open(KeyIndex* x, const uint8_t* seed) noexcept nogil:
    # Which queries share a slot must not be the choice of whoever sends them.
    memcpy(x.seed, seed, 32)
    x.slots = empty_slots(FIRST_SLOTS)
    x.mask = FIRST_SLOTS - 1
    x.ends_heads = <uint32_t*>malloc(ENDS_BUCKETS * sizeof(uint32_t))
    if x.slots == NULL or x.ends_heads == NULL:
        return -1
    memset(x.ends_heads, 0xFF, ENDS_BUCKETS * sizeof(uint32_t))
    return 0


cdef void index_close(KeyIndex* x) noexcept nogil:
    map_free(x.slots)
    free(x.ends_heads)


cdef void index_remove(KeyIndex* x, uint64_t i) noexcept nogil:
    """Empty a slot; entries that were put behind it move up."""
    cdef uint64_t j = i
    while True:
        j = (j + 1) & x.mask
        if x.slots[j].key == 0:
            break
        if ((j - x.slots[j].key) & x.mask) >= ((j - i) & x.mask):
            x.slots[i] = x.slots[j]
            i = j
    x.slots[i].key = 0
    x.count -= 1


cdef int index_grow(KeyIndex* x, const Rows* t, uint32_t tick) noexcept nogil:
    cdef uint64_t i, j, live = 0, room = x.mask + 1
    cdef KeySlot* slots
    for i in range(x.mask + 1):
        live += x.slots[i].key != 0 and not is_over(&x.slots[i], t, tick)
    # A table that is made anew is a third full at most, so that this is seldom done.
    while live * 3 > room:
        room *= 2
    slots = empty_slots(room)
    if slots == NULL:
        return -1
    for i in range(x.mask + 1):
        if x.slots[i].key == 0 or is_over(&x.slots[i], t, tick):
            continue
        j = x.slots[i].key & (room - 1)
        while slots[j].key != 0:
            j = (j + 1) & (room - 1)
        slots[j] = x.slots[i]
    map_free(x.slots)
    x.slots = slots
    x.mask = room - 1
    x.count = live
    x.hand &= x.mask
    return 0


cdef uint32_t older_ends(const Rows* t, uint64_t ends, uint32_t* found) noexcept nogil:
    cdef uint32_t at = found[0], next, _k
    for _k in range(MOST_STEPS):
        next = columns_of(t, at).next_ends[place(at)]
        if not leads_on(t, at, next):
            return 0
        at = next
        if columns_of(t, at).ends[place(at)] == ends:
            found[0] = at
            return 1
    return 0


cdef int grow_hashes(uint64_t** hashes, uint32_t* room, uint32_t count) noexcept nogil:
    cdef uint64_t wide = room[0] if room[0] else FIRST_CODES
    cdef uint64_t* wider
    while wide < count:
        wide *= 2
    if wide == room[0]:
        return 0
    wider = <uint64_t*>realloc(hashes[0], wide * sizeof(uint64_t))
    if wider == NULL:
        return -1
    hashes[0] = wider
    room[0] = <uint32_t>wide
    return 0


cdef uint64_t hash_name(const KeyIndex* x, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef uint8_t[320] folded
    cdef uint64_t capitals
    return mix128(fold_hash(name, folded, size, x.seed[3], &capitals) ^ x.seed[1], size ^ x.seed[2])


cdef int know_wire(WireHashes* w, const KeyIndex* x, Dictionary dictionary, bint afresh) noexcept nogil:
    cdef const NameTable* names = &dictionary.names
    cdef const AddressTable* addresses = &dictionary.addresses
    cdef const Entry* e
    if afresh:
        w.names_known = w.addresses_known = 0
        w.arena_at = ENTRY_ALIGN
    if grow_hashes(&w.names, &w.names_room, names.count) != 0 \
            or grow_hashes(&w.addresses, &w.addresses_room, addresses.count) != 0:
        return -1
    # Entries lie in the arena in order of their codes.
    while w.names_known < names.count:
        e = <const Entry*>(names.arena + w.arena_at)
        w.names[w.names_known] = hash_name(x, entry_octets(e), e.size)
        w.names_known += 1
        w.arena_at += (sizeof(Entry) + e.size + ENTRY_ALIGN - 1) & ~<size_t>(ENTRY_ALIGN - 1)
    while w.addresses_known < addresses.count:
        w.addresses[w.addresses_known] = hash_address(x, addresses.keys + 2 * <size_t>w.addresses_known)
        w.addresses_known += 1
    return 0


cdef void close_wire(WireHashes* w) noexcept nogil:
    free(w.names)
    free(w.addresses)
