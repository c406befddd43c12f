"""The index of open lookups; see lookup_index.pxd."""
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from dnscap.native.attempts cimport Lookup


cdef bint index_open(Index* x, uint64_t seed) noexcept nogil:
    memset(x, 0, sizeof(Index))
    x.node_used = 1
    x.seed = seed
    return widen_index(x)


cdef void index_close(Index* x) noexcept nogil:
    free(x.nodes)
    free(x.buckets)


cdef bint widen_index(Index* x) noexcept nogil:
    cdef uint32_t room = x.node_room * 2 if x.node_room else 1024
    cdef Node* nodes = <Node*>realloc(x.nodes, <size_t>room * sizeof(Node))
    cdef uint32_t* buckets
    cdef uint32_t i, at
    if nodes == NULL:
        return False
    x.nodes = nodes
    buckets = <uint32_t*>calloc(room, sizeof(uint32_t))
    if buckets == NULL:
        return False
    free(x.buckets)
    x.buckets = buckets
    x.bucket_mask = room - 1
    for i in range(1, x.node_used):
        if nodes[i].l == NULL:
            continue
        at = <uint32_t>nodes[i].hash & x.bucket_mask
        nodes[i].before = 0
        nodes[i].after = buckets[at]
        if buckets[at]:
            nodes[buckets[at]].before = i
        buckets[at] = i
    x.node_room = room
    return True


cdef void link(Index* x, Lookup* l, uint64_t hash) noexcept nogil:
    cdef uint32_t i, at
    if l.node_count == 8:
        return
    for i in range(l.node_count):
        if x.nodes[l.nodes[i]].hash == hash:
            return
    if x.free_node:
        i = x.free_node
        x.free_node = x.nodes[i].after
    else:
        if x.node_used >= x.node_room and not widen_index(x):
            x.failed = 1
            return
        i = x.node_used
        x.node_used += 1
    at = <uint32_t>hash & x.bucket_mask
    x.nodes[i].hash = hash
    x.nodes[i].l = l
    x.nodes[i].before = 0
    x.nodes[i].after = x.buckets[at]
    if x.buckets[at]:
        x.nodes[x.buckets[at]].before = i
    x.buckets[at] = i
    l.nodes[l.node_count] = i
    l.node_count += 1


cdef void unlink_node(Index* x, uint32_t i) noexcept nogil:
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


cdef void unlink_key(Index* x, Lookup* l, uint64_t hash) noexcept nogil:
    cdef uint32_t i
    for i in range(l.node_count):
        if x.nodes[l.nodes[i]].hash == hash:
            unlink_node(x, l.nodes[i])
            l.node_count -= 1
            l.nodes[i] = l.nodes[l.node_count]
            return


cdef void unlink_all(Index* x, Lookup* l) noexcept nogil:
    cdef uint32_t i
    for i in range(l.node_count):
        unlink_node(x, l.nodes[i])
    l.node_count = 0
