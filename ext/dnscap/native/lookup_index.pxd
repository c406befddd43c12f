"""Open lookups by what a query may share with them: an index of chains, latest entry first."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from dnscap.native.attempts cimport Lookup

cdef enum KeyKind:
    KEY_NAME = 1               # client and the name now asked for: see lookups_by_name.pxd
    KEY_LABEL = 2              # client and first label: candidates of one search walk share it
    KEY_QUESTION = 3           # the name, whoever asks
    KEY_STREAM = 4
    KEY_CHASE = 5              # client and the target of an alias

cdef struct Node:              # of the index
    uint64_t hash
    Lookup* l
    uint32_t after             # in its chain; 0 none
    uint32_t before

cdef struct Index:
    Node* nodes                # from 1 on
    uint32_t node_room
    uint32_t free_node
    uint32_t node_used
    uint32_t* buckets
    uint32_t bucket_mask
    uint64_t seed
    uint8_t most_nodes         # of a lookup
    uint8_t failed             # no memory

cdef bint index_open(Index* x, uint64_t seed) noexcept nogil       # False without memory
cdef void index_close(Index* x) noexcept nogil
cdef bint widen_index(Index* x) noexcept nogil
cdef void link(Index* x, Lookup* l, uint64_t hash) noexcept nogil      # unless it is linked by that key
cdef void unlink_key(Index* x, Lookup* l, uint64_t hash) noexcept nogil


cdef inline void link_anew(Index* x, Lookup* l, uint64_t hash) noexcept nogil:
    """Enter a lookup under a key that it has not, while it has fewer than the most."""
    cdef uint32_t i = x.free_node, at
    cdef Node* n
    if i:
        x.free_node = x.nodes[i].after
    else:
        if x.node_used >= x.node_room and not widen_index(x):
            x.failed = 1
            return
        i = x.node_used
        x.node_used += 1
    at = <uint32_t>hash & x.bucket_mask
    n = &x.nodes[i]
    n.hash = hash
    n.l = l
    n.before = 0
    n.after = x.buckets[at]
    if n.after:
        x.nodes[n.after].before = i
    x.buckets[at] = i
    l.nodes[l.node_count] = i
    l.node_count += 1


cdef inline void unlink_node(Index* x, uint32_t i) noexcept nogil:
    cdef Node* n = &x.nodes[i]
    if n.before:
        x.nodes[n.before].after = n.after
    else:
        x.buckets[<uint32_t>n.hash & x.bucket_mask] = n.after
    if n.after:
        x.nodes[n.after].before = n.before
    n.l = NULL
    n.after = x.free_node
    x.free_node = i


cdef inline void unlink_all(Index* x, Lookup* l) noexcept nogil:
    cdef uint32_t i
    for i in range(l.node_count):
        unlink_node(x, l.nodes[i])
    l.node_count = 0


cdef inline uint64_t stir(uint64_t h) noexcept nogil:
    h ^= h >> 31
    h *= <uint64_t>0x9FB21C651E98DF25
    h ^= h >> 28
    return h


cdef inline uint64_t hash_text(uint64_t seed, const uint8_t* text, uint32_t size) noexcept nogil:
    cdef uint64_t h = seed, x = 0
    cdef uint32_t y = 0, z = 0
    cdef uint32_t i = 0
    while i + 8 < size:
        memcpy(&x, text + i, 8)
        h = (h ^ x) * <uint64_t>0x9E3779B97F4A7C15
        h ^= h >> 29
        i += 8
    # What is left, at most 8 octets, by loads that may overlap what went before.
    if size >= 8:
        memcpy(&x, text + size - 8, 8)
    elif size >= 4:
        memcpy(&y, text, 4)
        memcpy(&z, text + size - 4, 4)
        x = <uint64_t>y << 32 | z
    else:
        while i < size:
            x = x << 8 | text[i]
            i += 1
    return stir((h ^ x ^ <uint64_t>size << 57) * <uint64_t>0xD6E8FEB86659FD93)


cdef inline uint64_t hash_client(uint64_t seed, const uint64_t* client) noexcept nogil:
    return stir((seed ^ client[0]) * <uint64_t>0x9E3779B97F4A7C15 ^ client[1])


cdef inline uint32_t label_size(const uint8_t* name, uint32_t size) noexcept nogil:
    """Octets of the first label and its dot."""
    cdef uint32_t i = 0
    while i < size:
        if name[i] == c'\\':
            i += 2
            continue
        if name[i] == c'.':
            return i + 1
        i += 1
    return size


cdef inline uint64_t name_key(uint64_t client, uint64_t text) noexcept nogil:
    """Of the hashes of client and name."""
    return stir((client ^ (text << 1 | text >> 63)) * <uint64_t>0x9E3779B97F4A7C15 + KEY_NAME)


cdef inline uint64_t label_key(uint64_t client, const uint8_t* name, uint32_t size) noexcept nogil:
    return hash_text(client + KEY_LABEL, name, label_size(name, size))


cdef inline uint64_t question_key(uint64_t text) noexcept nogil:
    return text + KEY_QUESTION


cdef inline uint64_t chase_key(uint64_t client, uint64_t text) noexcept nogil:
    return stir((client ^ (text << 1 | text >> 63)) * <uint64_t>0x9E3779B97F4A7C15 + KEY_CHASE)


cdef inline uint64_t stream_key(const Index* x, uint32_t stream) noexcept nogil:
    return stir((x.seed + KEY_STREAM) ^ stream)


cdef inline uint32_t chain(const Index* x, uint64_t hash) noexcept nogil:
    """The first entry that may have this key; 0 none."""
    return x.buckets[<uint32_t>hash & x.bucket_mask]
