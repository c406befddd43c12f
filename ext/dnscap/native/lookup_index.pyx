"""The index of open lookups; see lookup_index.pxd."""
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from dnscap.native.attempts cimport Lookup

cdef enum:
    BUCKETS_A_NODE = 4         # so that a chain that is not there is seldom looked into
    MOST_NODES = 6             # of a lookup: its first label, and its connections


cdef bint index_open(Index* x, uint64_t seed) noexcept nogil:
    memset(x, 0, sizeof(Index))
    x.node_used = 1
    x.seed = seed
    x.most_nodes = MOST_NODES
    return widen_index(x)


cdef void index_close(Index* x) noexcept nogil:
    free(x.nodes)
    free(x.buckets)


cdef bint widen_index(Index* x) noexcept nogil:
    cdef uint32_t room = x.node_room * 2 if x.node_room else 1024
    cdef Node* nodes = <Node*>realloc(x.nodes, <size_t>room * sizeof(Node))
    cdef uint32_t* buckets
    cdef uint32_t wide = room * BUCKETS_A_NODE, i, at, before, k
    if nodes == NULL:
        return False
    x.nodes = nodes
    buckets = <uint32_t*>calloc(wide, sizeof(uint32_t))
    if buckets == NULL:
        return False
    # What stood in one chain stands in one of several now; from its end on, so that the latest entry stays first.
    for k in range(x.bucket_mask + 1 if x.buckets != NULL else 0):
        i = x.buckets[k]
        while i and nodes[i].after:
            i = nodes[i].after
        while i:
            before = nodes[i].before
            at = <uint32_t>nodes[i].hash & (wide - 1)
            nodes[i].before = 0
            nodes[i].after = buckets[at]
            if buckets[at]:
                nodes[buckets[at]].before = i
            buckets[at] = i
            i = before
    free(x.buckets)
    x.buckets = buckets
    x.bucket_mask = wide - 1
    x.node_room = room
    return True


cdef void link(Index* x, Lookup* l, uint64_t hash) noexcept nogil:
    cdef uint32_t i
    if l.node_count >= x.most_nodes:
        return
    for i in range(l.node_count):
        if x.nodes[l.nodes[i]].hash == hash:
            return
    link_anew(x, l, hash)


cdef void unlink_key(Index* x, Lookup* l, uint64_t hash) noexcept nogil:
    cdef uint32_t i
    for i in range(l.node_count):
        if x.nodes[l.nodes[i]].hash == hash:
            unlink_node(x, l.nodes[i])
            l.node_count -= 1
            l.nodes[i] = l.nodes[l.node_count]
            return
