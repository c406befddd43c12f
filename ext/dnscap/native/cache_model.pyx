"""A resolver's cache as the answers tell it; see cache_model.pxd.

Everything here is a table of fixed size in which new entries replace old ones: what is forgotten weakens evidence and
changes nothing else.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset


cdef bint model_open(CacheModel* m) noexcept nogil:
    m.known = <Known*>calloc(KNOWN_SETS * 4, sizeof(Known))
    m.aliases = <Alias*>calloc(ALIASES, sizeof(Alias))
    m.zones = <Zone*>calloc(ZONES, sizeof(Zone))
    return m.known != NULL and m.aliases != NULL and m.zones != NULL


cdef void model_close(CacheModel* m) noexcept nogil:
    free(m.known)
    free(m.aliases)
    free(m.zones)


cdef Known* known_of(CacheModel* m, uint64_t key) noexcept nogil:
    cdef Known* k = &m.known[(key >> 40 & (KNOWN_SETS - 1)) * 4]
    cdef uint32_t i
    for i in range(4):
        if k[i].key == key:
            return &k[i]
    return NULL


cdef Known* learn(CacheModel* m, uint64_t key, int64_t time) noexcept nogil:
    cdef Known* k = &m.known[(key >> 40 & (KNOWN_SETS - 1)) * 4]
    cdef Known* oldest = k
    cdef uint32_t i
    for i in range(4):
        if k[i].key == key:
            return &k[i]
    for i in range(4):
        if k[i].key == 0:
            oldest = &k[i]
            break
        if k[i].learned < oldest.learned:
            oldest = &k[i]
    memset(oldest, 0, sizeof(Known))
    oldest.key = key
    oldest.learned = time
    return oldest


cdef Alias* alias_of(CacheModel* m, uint64_t name) noexcept nogil:
    cdef Alias* a = &m.aliases[name >> 40 & (ALIASES - 1)]
    return a if a.name == name else NULL


cdef void learn_alias(CacheModel* m, uint64_t name, const uint8_t* target, uint32_t size) noexcept nogil:
    cdef Alias* a = &m.aliases[name >> 40 & (ALIASES - 1)]
    if size > ALIAS_TEXT or a.name == name and a.size == size and memcmp(a.target, target, size) == 0:
        return
    a.name = name
    a.size = <unsigned short>size
    memcpy(a.target, target, size)


cdef Zone* zone_of(CacheModel* m, uint64_t name) noexcept nogil:
    cdef Zone* z = &m.zones[name >> 40 & (ZONES - 1)]
    return z if z.name == name else NULL


cdef Zone* learn_zone(CacheModel* m, uint64_t name) noexcept nogil:
    cdef Zone* z = &m.zones[name >> 40 & (ZONES - 1)]
    if z.name != name:
        memset(z, 0, sizeof(Zone))
        z.name = name
    return z


cdef void learn_host(Zone* z, const uint64_t* path, uint32_t labels) noexcept nogil:
    """Name server of a zone by its suffixes; names deeper than is remembered lose those in the middle."""
    cdef uint32_t kept = min(labels, <uint32_t>(HOST_SUFFIXES - 1)), i
    cdef uint64_t* to
    for i in range(z.host_count):
        if z.hosts[i * HOST_SUFFIXES + z.labels[i]] == path[labels]:
            return
    if z.host_count == ZONE_HOSTS:
        return
    to = &z.hosts[z.host_count * HOST_SUFFIXES]
    memcpy(to, path, kept * sizeof(uint64_t))
    to[kept] = path[labels]
    z.labels[z.host_count] = <uint8_t>kept
    z.host_count += 1


cdef void learn_address(Zone* z, const uint64_t* address) noexcept nogil:
    cdef uint32_t i
    for i in range(z.address_count):
        if z.addresses[2 * i] == address[0] and z.addresses[2 * i + 1] == address[1]:
            return
    if z.address_count == ZONE_ADDRESSES:
        return
    z.addresses[2 * z.address_count] = address[0]
    z.addresses[2 * z.address_count + 1] = address[1]
    z.address_count += 1
