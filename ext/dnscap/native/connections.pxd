"""The table of TCP connections: found by their end points, opened, closed, given up for others."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.flows cimport DONE, PROVEN, TENTATIVE, Conn, StreamTable, carried
from dnscap.native.tcp cimport Segment

# NULL without memory; `seed` is of 16 octets that nobody can guess.
cdef StreamTable* table_open(uint32_t most_connections, uint64_t most_held,
                             const uint8_t* seed) noexcept nogil
cdef void table_close(StreamTable* t) noexcept nogil

# A new connection between the end points of a segment; `side` tells which of the two sends.  NULL without
# memory.
cdef Conn* open_conn(StreamTable* t, uint64_t hash, const Segment* seg, uint8_t side) noexcept nogil

# Settle both directions, make the connection a row of `closed`, forget it.  `reason` is a StreamEnd.
cdef void close_conn(StreamTable* t, Conn* c, uint8_t reason) noexcept nogil

# Note that a connection was tried, opened or ended by a segment.  `kind` is a TurnKind.
cdef void turn(StreamTable* t, const Conn* c, const Segment* seg, uint8_t kind) noexcept nogil

# The capture ends: close all, in the order of their numbers.
cdef void close_all(StreamTable* t) noexcept nogil

cdef inline uint64_t mix(uint64_t x) noexcept nogil:
    x ^= x >> 30
    x *= <uint64_t>0xBF58476D1CE4E5B9
    x ^= x >> 27
    x *= <uint64_t>0x94D049BB133111EB
    return x ^ (x >> 31)

cdef inline uint64_t hash_ends(const StreamTable* t, const uint64_t* low, const uint64_t* high,
                               uint32_t ports) noexcept nogil:
    # Whoever sends the packets chooses the end points; without the seed they cannot choose the bucket.
    cdef uint64_t h = mix(t.seed[0] ^ low[0])
    h = mix((h + t.seed[1]) ^ low[1])
    h = mix((h + t.seed[1]) ^ high[0])
    h = mix((h + t.seed[1]) ^ high[1])
    return mix((h + t.seed[1]) ^ ports)

cdef inline Conn* find(StreamTable* t, uint64_t hash, const uint64_t* low, const uint64_t* high,
                       uint16_t low_port, uint16_t high_port) noexcept nogil:
    cdef Conn* c = t.buckets[hash & t.mask]
    while c != NULL:
        if (c.hash == hash and c.low_port == low_port and c.high_port == high_port and c.low[0] == low[0]
                and c.low[1] == low[1] and c.high[0] == high[0] and c.high[1] == high[1]):
            return c
        c = c.chain
    return NULL

cdef inline void conn_unlist(StreamTable* t, Conn* c) noexcept nogil:
    if c.prev != NULL:
        c.prev.next = c.next
    else:
        t.head[c.list] = c.next
    if c.next != NULL:
        c.next.prev = c.prev
    else:
        t.tail[c.list] = c.prev
    c.prev = c.next = NULL

cdef inline void conn_enlist(StreamTable* t, Conn* c) noexcept nogil:
    c.list = TENTATIVE
    if c.ending:
        c.list = DONE
    elif carried(c):
        c.list = PROVEN
    c.touched = t.now          # not the segment's time: one stamp of the future must not end them all
    c.prev = t.tail[c.list]
    c.next = NULL
    if c.prev != NULL:
        c.prev.next = c
    else:
        t.head[c.list] = c
    t.tail[c.list] = c
