"""What a resolver must have in its cache, from the answers that went by: lifetimes, aliases, delegations."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    KNOWN_SETS = 1 << 15       # of four: 131,072 names and types, some 6 MiB; the one unheard of for longest gives way
    ALIASES = 1 << 12
    ZONES = 1 << 12
    ZONE_HOSTS = 6             # name servers of a zone that are remembered
    HOST_SUFFIXES = 12
    ZONE_ADDRESSES = 8
    ALIAS_TEXT = 256           # octets; longer targets are not followed

cdef struct Known:
    uint64_t key               # 0: free
    int64_t learned
    uint32_t ttl               # as it was then
    uint32_t full              # greatest seen
    uint32_t seen
    uint32_t negative

cdef struct Alias:
    uint64_t name              # hash; 0 free
    uint16_t size
    uint8_t[256] target        # in presentation format

cdef struct Zone:
    uint64_t name
    uint64_t[16] addresses     # two words each
    uint64_t[72] hosts         # suffixes of each, the whole name last
    uint8_t[6] labels
    uint8_t host_count
    uint8_t address_count

cdef struct CacheModel:
    Known* known
    Alias* aliases
    Zone* zones

cdef bint model_open(CacheModel* m) noexcept nogil
cdef void model_close(CacheModel* m) noexcept nogil
# What is known of a key; NULL where nothing is.
cdef Known* known_of(CacheModel* m, uint64_t key) noexcept nogil
# The same, entered if new.
cdef Known* learn(CacheModel* m, uint64_t key, int64_t time) noexcept nogil
cdef Alias* alias_of(CacheModel* m, uint64_t name) noexcept nogil
cdef void learn_alias(CacheModel* m, uint64_t name, const uint8_t* target, uint32_t size) noexcept nogil
cdef Zone* zone_of(CacheModel* m, uint64_t name) noexcept nogil
cdef Zone* learn_zone(CacheModel* m, uint64_t name) noexcept nogil
cdef void learn_host(Zone* z, const uint64_t* path, uint32_t labels) noexcept nogil
cdef void learn_address(Zone* z, const uint64_t* address) noexcept nogil
