"""Own codes of names and addresses; see names_codes.pxd.

When the table of what is said is full, it goes on with one name in four, then in sixteen, and so on, and with those that
come again and again: a flood of random names passes by and leaves the others where they are.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp

from dnscap.native.interning cimport (
    ENTRY_ALIGN, NO_CODE, AddressTable, Entry, NameTable, address_tag, entry_octets, find_address, fold_hash, intern_name,
    same_octets)
from dnscap.native.names_table cimport raw_hash


cdef int codes_open(Codes* k) noexcept nogil:
    k.seen = <uint64_t*>calloc(1 << SEEN_BITS - 6, sizeof(uint64_t))
    return 0 if k.seen != NULL else -1


cdef void codes_close(Codes* k) noexcept nogil:
    free(k.name_codes)
    free(k.name_refs)
    free(k.name_hashes)
    free(k.seen)
    free(k.address_codes)


cdef void translate(Codes* k, NameTable* names, AddressTable* addresses) noexcept nogil:
    k.theirs = names
    k.their_addresses = addresses
    k.names_known = k.addresses_known = 0
    k.arena_at = ENTRY_ALIGN


cdef void forget_codes(Codes* k) noexcept nogil:
    cdef uint32_t i
    for i in range(k.names_known):
        k.name_codes[i] = UNKNOWN
    for i in range(k.addresses_known):
        k.address_codes[i] = UNKNOWN


cdef int widen_codes(uint32_t** codes, uint32_t room) noexcept nogil:
    cdef uint32_t* wider = <uint32_t*>realloc(codes[0], <size_t>room * sizeof(uint32_t))
    if wider == NULL:
        return -1
    codes[0] = wider
    return 0


cdef int know_codes(Codes* k) noexcept nogil:
    """Note where the names of the batch's dictionary lie: in its arena, in the order of their codes."""
    cdef NameTable* names = k.theirs
    cdef const Entry* e
    cdef uint32_t room
    if names.count > k.names_room:
        room = names.count + names.count // 2 + 64
        if widen_codes(&k.name_codes, room) != 0 or widen_codes(&k.name_refs, room) != 0 \
                or widen_codes(&k.name_hashes, room) != 0:
            return -1
        k.names_room = room
    while k.names_known < names.count:
        e = <const Entry*>(names.arena + k.arena_at)
        k.name_refs[k.names_known] = <uint32_t>(k.arena_at // ENTRY_ALIGN)
        k.name_codes[k.names_known] = UNKNOWN
        k.name_hashes[k.names_known] = 0 if is_challenge(e) else hash_name(entry_octets(e), e.size)
        k.arena_at += (sizeof(Entry) + e.size + ENTRY_ALIGN - 1) & ~<size_t>(ENTRY_ALIGN - 1)
        k.names_known += 1
    if k.their_addresses.count > k.addresses_room:
        room = k.their_addresses.count + k.their_addresses.count // 2 + 64
        if widen_codes(&k.address_codes, room) != 0:
            return -1
        k.addresses_room = room
    while k.addresses_known < k.their_addresses.count:
        k.address_codes[k.addresses_known] = UNKNOWN
        k.addresses_known += 1
    return 0


cdef inline uint32_t hash_name(const uint8_t* folded, uint32_t size) noexcept nogil:
    """Hash of a name by its octets, so that all servers and types of a name go together.

    Without a random seed, so that two runs follow the same names; whoever evades it has evaded a statistic.
    """
    cdef uint64_t hash = raw_hash(folded, size, <uint64_t>0x9E3779B97F4A7C15)
    return <uint32_t>(hash ^ hash >> 32)


cdef uint32_t take_name(Codes* k, const uint8_t* name, uint32_t size, bint verified) noexcept nogil:
    cdef uint8_t[320] folded
    cdef uint64_t capitals, hash
    cdef uint32_t place
    if size == 0 or size > 255:
        return NO_CODE
    hash = fold_hash(name, folded, size, k.names.seed, &capitals)
    place = hash_name(folded, size) >> 32 - SEEN_BITS
    k.seen[place >> 6] |= <uint64_t>1 << (place & 63)
    return intern_name(k.names, folded, size, <uint32_t>hash, verified)


cdef bint is_sampled(const Codes* k, const Entry* e) noexcept nogil:
    return hash_name(entry_octets(e), e.size) & ((<uint32_t>1 << k.thinned) - 1) == 0 or is_challenge(e)


cdef inline bint is_challenge(const Entry* e) noexcept nogil:
    """Names of ACME challenges (RFC 8555 section 8.4): few, and always a question of who sees what."""
    return e.size > 16 and memcmp(entry_octets(e), b"\x0f_acme-challenge", 16) == 0


cdef bint is_known(const Codes* k, const Entry* e) noexcept nogil:
    """Whether a name is among those that are followed."""
    cdef const NameTable* t = k.names
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


cdef inline bint is_shunned(const Codes* k, uint32_t code) noexcept nogil:
    """Whether a name is neither one of the sample nor among those that are followed."""
    cdef uint32_t hash = k.name_hashes[code], place = hash >> 32 - SEEN_BITS
    if hash & ((<uint32_t>1 << k.thinned) - 1) == 0:
        return False
    return not k.seen[place >> 6] >> (place & 63) & 1 \
        or not is_known(k, <const Entry*>(k.theirs.arena + <size_t>k.name_refs[code] * ENTRY_ALIGN))


cdef uint32_t meet_name(Codes* k, uint32_t code) noexcept nogil:
    cdef uint32_t own = k.name_codes[code]
    cdef const Entry* e
    if SHUNNED <= own < SHUNNED + POPULAR:
        k.name_codes[code] += 1
        return NO_CODE
    if own == UNKNOWN and k.thinned and is_shunned(k, code):
        k.name_codes[code] = SHUNNED + 1
        return NO_CODE
    e = <const Entry*>(k.theirs.arena + <size_t>k.name_refs[code] * ENTRY_ALIGN)
    k.name_codes[code] = take_name(k, entry_octets(e), e.size, True)
    return k.name_codes[code]


cdef uint32_t meet_address(Codes* k, uint32_t code) noexcept nogil:
    cdef const uint64_t* key = k.their_addresses.keys + 2 * <size_t>code
    k.address_codes[code] = find_address(k.addresses, key[0], key[1], address_tag(k.addresses, key[0], key[1]))
    return k.address_codes[code]
