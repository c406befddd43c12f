"""What a resolver must have in its cache, from the answers that went by: lifetimes, aliases, delegations."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.interning cimport prefetch

cdef enum:
    KNOWN_SETS = 1 << 15       # of four: 131,072 names and types, 2.5 MiB; the one unheard of for longest gives way
    ALIASES = 1 << 12
    ZONES = 1 << 12
    ZONE_HOSTS = 6             # name servers of a zone that are remembered
    HOST_SUFFIXES = 12
    ZONE_ADDRESSES = 8
    ALIAS_TEXT = 256           # octets; longer targets are not followed

cdef struct Known:
    int64_t learned
    uint32_t ttl               # as it was then
    uint32_t full              # greatest seen

cdef struct KnownSet:
    uint32_t[4] tag            # of the key; 0 free
    int64_t[4] learned
    uint32_t[4] ttl
    uint32_t[4] full

cdef struct Alias:
    uint64_t name              # hash; 0 free
    uint16_t size
    uint8_t[256] target        # in presentation format

cdef struct Zone:
    uint64_t[16] addresses     # two words each
    uint64_t[72] hosts         # suffixes of each, the whole name last
    uint64_t[6] wire           # hash of each as it was on the wire, folded
    uint8_t[6] labels
    uint8_t host_count
    uint8_t address_count

cdef struct CacheModel:
    KnownSet* known
    Alias* aliases
    uint64_t* zone_names       # hash a zone; 0 free
    Zone* zones

cdef bint model_open(CacheModel* m) noexcept nogil
cdef void model_close(CacheModel* m) noexcept nogil
# An answer to the question `key` came at that time; `newest`: though another came later.
cdef void learn(CacheModel* m, uint64_t key, int64_t time, uint32_t ttl, bint newest) noexcept nogil
cdef Alias* alias_of(CacheModel* m, uint64_t name) noexcept nogil
cdef void learn_alias(CacheModel* m, uint64_t name, const uint8_t* target, uint32_t size) noexcept nogil
cdef Zone* learn_zone(CacheModel* m, uint64_t name) noexcept nogil
cdef void learn_host(Zone* z, uint64_t wire, const uint64_t* path, uint32_t labels) noexcept nogil
cdef void learn_address(Zone* z, const uint64_t* address) noexcept nogil


cdef inline KnownSet* set_of(const CacheModel* m, uint64_t key) noexcept nogil:
    return &m.known[key >> 40 & (KNOWN_SETS - 1)]


cdef inline uint32_t known_tag(uint64_t key) noexcept nogil:
    return <uint32_t>key if <uint32_t>key else 1


cdef inline bint known_of(const CacheModel* m, uint64_t key, Known* out) noexcept nogil:
    """What is known of a question; False where nothing is."""
    cdef const KnownSet* s = set_of(m, key)
    cdef uint32_t tag = known_tag(key), i
    for i in range(4):
        if s.tag[i] == tag:
            out.learned = s.learned[i]
            out.ttl = s.ttl[i]
            out.full = s.full[i]
            return True
    return False


cdef inline void fetch_known(const CacheModel* m, uint64_t key) noexcept nogil:
    cdef const uint8_t* s = <const uint8_t*>set_of(m, key)
    prefetch(s)
    prefetch(s + sizeof(KnownSet) - 1)


cdef inline Zone* zone_of(const CacheModel* m, uint64_t name) noexcept nogil:
    cdef uint32_t i = <uint32_t>(name >> 40) & (ZONES - 1)
    return &m.zones[i] if m.zone_names[i] == name else NULL


cdef inline bint knows_host(const Zone* z, uint64_t wire) noexcept nogil:
    """Whether nothing is to be learned of a name server."""
    cdef uint32_t i
    for i in range(z.host_count):
        if z.wire[i] == wire:
            return True
    return z.host_count == ZONE_HOSTS
