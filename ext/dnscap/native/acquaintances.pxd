"""Who asks and who is asked: what is remembered of clients and servers beyond single lookups."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.attempts cimport ServerNote

cdef enum:
    NO_PLACE = 0xFFFFFFFF

cdef struct Client:
    uint64_t[2] address        # all zero: free
    uint64_t latest            # number of its latest lookup
    uint32_t lookups
    uint32_t iterates          # queries without recursion desired, or passed on: a resolver
    int64_t passed             # when it was last seen to pass on a query of a client
    uint16_t last_id
    uint8_t forwards
    uint8_t fixed              # uses one id for different questions
    uint16_t[20] votes         # for each Stub: without EDNS, with

cdef struct Acquaintances:
    Client* clients
    uint32_t client_mask
    uint32_t client_count
    ServerNote* notes
    uint32_t* note_slots
    uint32_t note_count
    uint64_t forgotten         # times that clients' habits were forgotten because there were too many
    uint32_t moves             # how often clients changed places
    uint64_t seed
    uint8_t failed             # no memory

cdef bint acquaintances_open(Acquaintances* k, uint64_t seed) noexcept nogil       # False without memory
cdef void acquaintances_close(Acquaintances* k) noexcept nogil

# A client, entered if new; the caller counts something in it, which takes the place.  NULL without memory.
cdef Client* client_of(Acquaintances* k, const uint64_t* address) noexcept nogil
cdef inline Client* client_at(Acquaintances* k, const uint64_t* address, uint32_t* place, uint32_t* moves) noexcept nogil:
    """The same, its place remembered as of so many moves; NO_PLACE unknown."""
    cdef Client* c
    if place[0] != NO_PLACE and moves[0] == k.moves:
        return &k.clients[place[0]]
    c = client_of(k, address)
    if c != NULL and (c.lookups or c.iterates):
        place[0] = <uint32_t>(c - k.clients)
        moves[0] = k.moves
    return c

# Where a server is noted; NO_NOTE where it is not, or cannot be.
cdef uint32_t note_of(Acquaintances* k, const uint64_t* address, bint enter) noexcept nogil
cdef bint is_loopback(const uint64_t* address) noexcept nogil
