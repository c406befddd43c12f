"""Which row a message may belong to: the newest row of each key, and chains of rows of the same ends.

A *key* is client and server address and port, or the connection, with the id and the folded question; *ends* are the key
without its question, on TCP the connection alone.  Both are known by keyed hashes of 64 bits of what was on the wire, so
that a new dictionary changes nothing here.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.datagrams cimport TRANSPORT_TCP
from dnscap.native.exchange_rows cimport Rows, alive, columns_of, place
from dnscap.native.interning cimport Dictionary, mix128, unlikely

cdef enum:
    ENDS_BUCKETS = 1 << 17     # so few that they stay in the cache: chains by ends are seldom walked
    KEPT = 0                   # KeySlot.due of an entry that stays until its row leaves

cdef struct KeySlot:
    uint64_t key               # 0 where empty
    uint32_t row               # the newest row of the key, by the low 32 bits of its number
    uint32_t due               # tick from which the row can no longer be matched

cdef struct KeyIndex:
    KeySlot* slots             # open addressing, linear
    uint64_t mask
    uint64_t count
    uint64_t hand              # where sweeping goes on
    uint32_t* ends_heads       # newest row of each bucket
    uint64_t[4] seed

cdef struct WireHashes:        # of what a batch's dictionary holds, by code
    uint64_t* names
    uint64_t* addresses
    uint32_t names_known
    uint32_t names_room
    uint32_t addresses_known
    uint32_t addresses_room
    size_t arena_at

cdef int index_open(KeyIndex* x, const uint8_t* seed) noexcept nogil
cdef void index_close(KeyIndex* x) noexcept nogil
# Room for one more key.  Entries that are due or whose rows have left go first.  0, or -1 without memory.
cdef int index_grow(KeyIndex* x, const Rows* t, uint32_t tick) noexcept nogil
cdef void index_remove(KeyIndex* x, uint64_t i) noexcept nogil

# Hash what is new in a dictionary; `afresh` where it is another one than before.  0, or -1 without memory.
cdef int know_wire(WireHashes* w, const KeyIndex* x, Dictionary dictionary, bint afresh) noexcept nogil
cdef void close_wire(WireHashes* w) noexcept nogil
# As `WireHashes` has it, of a wire-format name with octets enough behind it.
cdef uint64_t hash_name(const KeyIndex* x, const uint8_t* name, uint32_t size) noexcept nogil

# The row before `found` of the same ends: 1 and its number, or 0.
cdef uint32_t older_ends(const Rows* t, uint64_t ends, uint32_t* found) noexcept nogil

cdef inline uint32_t tick_of(int64_t time) noexcept nogil:
    """Capture time in steps of about a millisecond, modulo 52 days."""
    return <uint32_t>(<uint64_t>time >> 20)

cdef inline uint32_t due_at(int64_t time) noexcept nogil:
    """A tick that has not come as long as the clock has not passed `time`."""
    return tick_of(time) + 1 | 1

cdef inline uint64_t hash_address(const KeyIndex* x, const uint64_t* address) noexcept nogil:
    return mix128(address[0] ^ x.seed[0], address[1] ^ x.seed[1])

cdef inline uint64_t hash_stream(const KeyIndex* x, uint32_t stream) noexcept nogil:
    return mix128(<uint64_t>stream << 8 ^ x.seed[2], x.seed[0])

cdef inline uint64_t hash_ends(const KeyIndex* x, uint64_t client, uint64_t server, uint16_t client_port, uint16_t server_port,
                               uint16_t id) noexcept nogil:
    """On UDP, of the hashes of both addresses."""
    return mix128(client + (server << 1 | server >> 63),
                  (<uint64_t>client_port << 32 | <uint32_t>server_port << 16 | id) ^ x.seed[1])

cdef inline uint64_t hash_key(const KeyIndex* x, uint64_t ends, uint16_t id, uint64_t name, uint16_t qtype,
                              uint16_t qclass) noexcept nogil:
    cdef uint64_t h = mix128(ends ^ x.seed[2] ^ id, name ^ (<uint64_t>qtype << 16 | qclass) ^ x.seed[3])
    h ^= h >> 32
    return h if h else 1

cdef inline KeySlot* slot_of(const KeyIndex* x, uint64_t key) noexcept nogil:
    """The entry of a key, or the empty one where it would be."""
    cdef uint64_t i = key & x.mask
    while x.slots[i].key != key and x.slots[i].key != 0:
        i = (i + 1) & x.mask
    return &x.slots[i]

cdef inline bint is_over(const KeySlot* s, const Rows* t, uint32_t tick) noexcept nogil:
    """Whether nothing can match the row of an entry any more."""
    return not alive(t, s.row) or (s.due != KEPT and <uint32_t>(tick - s.due) - 1 < <uint32_t>0x7FFFFFFF)

cdef inline void sweep(KeyIndex* x, const Rows* t, uint32_t tick) noexcept nogil:
    """Look at the next few entries and drop those that are over: done before each query, it keeps the table small."""
    cdef uint32_t _k
    for _k in range(2):
        if unlikely(x.slots[x.hand].key != 0 and is_over(&x.slots[x.hand], t, tick)):
            index_remove(x, x.hand)
        else:
            x.hand = (x.hand + 1) & x.mask

cdef inline uint32_t find_ends(const KeyIndex* x, const Rows* t, uint64_t ends, uint32_t* found) noexcept nogil:
    """Newest row of the ends: 1 and its number, or 0."""
    cdef uint32_t at = x.ends_heads[ends & (ENDS_BUCKETS - 1)]
    found[0] = at
    if not alive(t, at):
        return 0
    return columns_of(t, at).ends[place(at)] == ends or older_ends(t, ends, found)

cdef inline void link_ends(KeyIndex* x, const Rows* t, uint32_t n, uint64_t ends) noexcept nogil:
    """Put a row first in the chain of its bucket.  Links that lead to no older row end a chain: none is ever taken out."""
    cdef uint32_t* head = &x.ends_heads[ends & (ENDS_BUCKETS - 1)]
    columns_of(t, n).next_ends[place(n)] = head[0]
    head[0] = n
