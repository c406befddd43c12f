"""A resolver's cache as the answers tell it; see cache_model.pxd.

Everything here is a table of fixed size in which new entries replace old ones: what is forgotten weakens evidence and
changes nothing else.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from dnscap.native.interning cimport big_alloc


cdef bint model_open(CacheModel* m) noexcept nogil:
    m.known = <KnownSet*>big_alloc(KNOWN_SETS * sizeof(KnownSet))
    m.aliases = <Alias*>calloc(ALIASES, sizeof(Alias))
    m.zone_names = <uint64_t*>calloc(ZONES, sizeof(uint64_t))
    m.zones = <Zone*>calloc(ZONES, sizeof(Zone))
    if m.known == NULL or m.aliases == NULL or m.zone_names == NULL or m.zones == NULL:
        return False
    memset(m.known, 0, KNOWN_SETS * sizeof(KnownSet))
    return True


cdef void model_close(CacheModel* m) noexcept nogil:
    free(m.known)
    free(m.aliases)
    free(m.zone_names)
    free(m.zones)


cdef void learn(CacheModel* m, uint64_t key, int64_t time, uint32_t ttl, bint newest) noexcept nogil:
    cdef KnownSet* s = set_of(m, key)
    cdef uint32_t tag = known_tag(key), i, oldest = 0
    for i in range(4):
        if s.tag[i] == tag:
            if newest or time >= s.learned[i]:
                s.learned[i] = time
                s.ttl[i] = ttl
            s.full[i] = max(s.full[i], ttl)
            return
    for i in range(4):
        if s.tag[i] == 0:
            oldest = i
            break
        if s.learned[i] < s.learned[oldest]:
            oldest = i
    s.tag[oldest] = tag
    s.learned[oldest] = time
    s.ttl[oldest] = s.full[oldest] = ttl


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


cdef Zone* learn_zone(CacheModel* m, uint64_t name) noexcept nogil:
    cdef uint32_t i = <uint32_t>(name >> 40) & (ZONES - 1)
    if m.zone_names[i] != name:
        memset(&m.zones[i], 0, sizeof(Zone))
        m.zone_names[i] = name
    return &m.zones[i]


cdef void learn_host(Zone* z, uint64_t wire, const uint64_t* path, uint32_t labels) noexcept nogil:
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
    z.wire[z.host_count] = wire
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
