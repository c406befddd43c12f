"""The far side of a resolver, where it is in the capture: what it asked upstream, and what of a lookup that explains."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.attempts cimport Lookup
from dnscap.native.exchanges cimport Exchange

cdef enum:
    UPSTREAM_SLOTS = 1 << 13   # queries remembered, by exchange number: a lookup looks back over those of its own time only
    UPSTREAM_NAME = 96         # octets of a name kept, its end: enough to relate it to another
    UPSTREAM_DIALS = 64
    UPSTREAM_SERVERS = 1 << 8  # told apart by what they answer; a further one takes the place of another
    UPSTREAM_CHAINS = 1 << 11
    UPSTREAM_ALIASES = 4       # of an answer: whose zones a resolver goes on to

cdef struct UpstreamQuery:
    uint64_t exchange          # which one has the slot
    int64_t time               # 0: slot never used
    int64_t answered           # -1 not yet
    uint64_t[2] client
    uint64_t[2] server
    uint16_t name_size         # of the whole name
    uint16_t qtype
    uint8_t outcome
    uint8_t transport
    uint8_t edns
    uint8_t forwarded          # recursion desired: a forwarder's
    uint8_t loop               # aliases of the answer lead back to one of them
    uint8_t alias_count
    uint32_t[4] aliases        # hashes of the last two labels of the targets of its aliases
    uint8_t name[96]

cdef struct UpstreamMark:      # of a query, to pass over those that have nothing to do with a lookup
    uint64_t exchange          # which one has the slot
    int64_t time
    uint32_t tail              # hash of the last two labels of its name; 0 where it has fewer, or is not kept whole
    uint32_t back              # exchanges back to the query noted before it in its chain, of those with such tails

cdef struct UpstreamDial:
    uint64_t[2] client
    uint64_t[2] server
    int64_t time
    uint32_t stream
    uint8_t open
    uint8_t used

cdef struct UpstreamServer:    # what a server did with queries over UDP
    uint64_t[2] address
    uint32_t with_edns         # queries that had EDNS and were answered,
    uint32_t without           # that had none and were answered,
    uint32_t asked             # and that had EDNS
    uint8_t answered

cdef struct Upstream:
    UpstreamQuery* slots
    UpstreamMark* marks        # one a slot
    uint64_t[2048] heads       # number of the latest query of each chain, and 1; chain 0 is of tails 0
    UpstreamDial[64] dials
    UpstreamServer[256] servers
    uint32_t dial_at
    uint64_t latest            # highest exchange number noted
    int64_t quickest           # answer over UDP so far
    uint32_t answering         # servers that answered over UDP
    uint8_t any
    uint8_t keys               # were fetched: there is a resolver that validates

cdef bint upstream_open(Upstream* u) noexcept nogil
cdef void upstream_close(Upstream* u) noexcept nogil
cdef void upstream_query(Upstream* u, const Exchange* ex, const uint8_t* name, uint32_t size) noexcept nogil
cdef void upstream_answer(Upstream* u, UpstreamQuery* q, int64_t time, uint8_t outcome) noexcept nogil
cdef void upstream_alias(UpstreamQuery* q, const uint8_t* target, uint32_t size) noexcept nogil      # of its answer, as octets
cdef UpstreamQuery* upstream_of(Upstream* u, uint64_t exchange) noexcept nogil      # NULL where it is not remembered
cdef void upstream_dial(Upstream* u, const uint64_t* client, const uint64_t* server, uint32_t stream, int64_t time,
                        bint open) noexcept nogil

# Time between `begin` and `end` that each cause on the far side covers, by Cause, added to `cost`; `forced` is set for what
# explains a failure.  True where the far side explains the lookup.
cdef bint upstream_causes(const Upstream* u, const Lookup* l, int64_t begin, int64_t end, bint failed, int64_t* cost,
                          uint8_t* forced) noexcept nogil
