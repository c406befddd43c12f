"""Names and addresses of batches as the tally of names knows them: codes of its own dictionary, and which names are followed."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from dnscap.native.interning cimport NO_CODE, AddressTable, Entry, NameTable, unlikely

cdef enum:
    SEEN_BITS = 19                 # 64 KiB: one name in eight of a full table is taken for a known one and looked for
    UNKNOWN = 0xFFFFFFFE           # a code not yet looked for; NO_CODE is one that there is no room for
    SHUNNED = 0xFFFFFF00           # a name that is not followed, and from here on how often it was seen
    POPULAR = 8                    # seen so often, a name is followed whether it is one of the sample or not

cdef struct Codes:
    NameTable* names               # own
    AddressTable* addresses
    NameTable* theirs              # of the batch fed last
    AddressTable* their_addresses
    uint32_t* name_codes           # own codes of its names, UNKNOWN where not yet looked for
    uint32_t* name_refs            # where they lie in its arena
    uint32_t* name_hashes          # of their octets, that the sample is taken by; 0 where they are always part of it
    uint32_t* address_codes
    uint32_t names_known
    uint32_t names_room
    uint32_t addresses_known
    uint32_t addresses_room
    size_t arena_at
    uint64_t* seen                 # bits by such hashes: of names that may be among the own ones
    uint32_t thinned               # bits of hash that the sample of names demands

cdef int codes_open(Codes* k) noexcept nogil               # -1 without memory
cdef void codes_close(Codes* k) noexcept nogil
# Another dictionary: its codes mean other names.
cdef void translate(Codes* k, NameTable* names, AddressTable* addresses) noexcept nogil
# Own codes mean other names.
cdef void forget_codes(Codes* k) noexcept nogil
# Note where the names of the batch's dictionary lie: in its arena, in the order of their codes.  0, or -1 without memory.
cdef int know_codes(Codes* k) noexcept nogil
# Own code of an expanded name that PADDING octets follow, entered if new; `verified`: its labels are known to be well formed.
cdef uint32_t take_name(Codes* k, const uint8_t* name, uint32_t size, bint verified) noexcept nogil
# Whether a name is one of the sample that is followed.
cdef bint is_sampled(const Codes* k, const Entry* e) noexcept nogil
# Own code of a name that has none yet; NO_CODE where it is not followed.
cdef uint32_t meet_name(Codes* k, uint32_t code) noexcept nogil
cdef uint32_t meet_address(Codes* k, uint32_t code) noexcept nogil


cdef inline uint32_t own_name(Codes* k, uint32_t code) noexcept nogil:
    cdef uint32_t own
    if unlikely(code >= k.names_known):
        return NO_CODE
    own = k.name_codes[code]
    if unlikely(own >= SHUNNED and own != NO_CODE):
        return meet_name(k, code)
    return own


cdef inline uint32_t own_address(Codes* k, uint32_t code) noexcept nogil:
    if unlikely(code >= k.addresses_known):
        return NO_CODE
    if unlikely(k.address_codes[code] == UNKNOWN):
        return meet_address(k, code)
    return k.address_codes[code]
