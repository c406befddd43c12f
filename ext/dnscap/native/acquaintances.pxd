"""Who asks and who is asked: what is remembered of clients and servers beyond single lookups."""
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.attempts cimport Lookup, ServerNote
from dnscap.native.exchanges cimport Exchange
from dnscap.native.naming cimport Expanding

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
    uint8_t silence            # whether there is a server that answered where another was silent,
    uint8_t turned             # lookups since, one after another, that began with it
    uint8_t[2] best            # the Stub with most votes, without EDNS and with,
    uint8_t[2] decided         # where that has been worked out since the votes changed
    uint16_t[20] votes         # for each Stub: without EDNS, with
    Expanding expanding
    uint32_t pairs             # lookups without EDNS that asked for both families,
    uint32_t near              # and of these, whose ids are musl's
    uint64_t[2] instead        # that server
    uint16_t[8] ports          # from which its latest lookups began, in turn
    uint32_t shares            # lookups that began from one of these

cdef inline bint shares_ports(const Client* c) noexcept nogil:
    """Whether different lookups of the client come from one port, as those of load generators do: a port tells nothing then."""
    return c.shares > c.lookups // 4

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
# Count what a lookup with the habits of a stub, shown so strongly, tells of its client.
cdef void vote_by(Client* c, const Lookup* l, uint8_t stub, int16_t score) noexcept nogil
# The stub of a lookup of the client: the one whose habits it shows, or where these are weak the one that others tell of.
cdef uint8_t recognise_by(Client* c, const Lookup* l, uint8_t stub, int16_t score) noexcept nogil
# Let a lookup that is over tell which stub its client runs, for the ones to come: the one whose habits it shows, how strongly.
cdef uint8_t vote(Acquaintances* k, Lookup* l, int16_t* strength) noexcept nogil
# That stub, or where the lookup shows few habits the one that its client's other lookups tell of.
cdef uint8_t recognise(Acquaintances* k, Lookup* l, uint8_t stub, int16_t score) noexcept nogil
# A lookup of the client begins, with the query `ex`; `before` is the one before it, NULL where that is forgotten.
cdef void begins_with(Client* c, const Exchange* ex, const Lookup* before) noexcept nogil
# It is the lookup `l`, and the one before is still open.
cdef void goes_on(Client* c, const Exchange* ex, const Lookup* l, Lookup* before) noexcept nogil
cdef bint is_loopback(const uint64_t* address) noexcept nogil
