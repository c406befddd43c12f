"""The state of lookup assembly, which its stages share."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from dnscap.native.acquaintances cimport Acquaintances
from dnscap.native.attempts cimport Conclusion, Dial, Lookup
from dnscap.native.lookup_index cimport Index
from dnscap.native.packed cimport Packed
from dnscap.native.tcp cimport Connection
from dnscap.native.upstreams cimport Upstream

cdef enum:
    MOST_WAITING = 32          # connections tried without a lookup yet
    LABELLED_AT = 1 << 15      # clients, by hash: one of many must not seem to have a search walk because another has
    MOST_CHAIN = 64            # lookups with the same key that are looked at: a flood of one name must not cost a walk of all of them
    LISTS = 7
    LIST_FAILED = 2            # lookups with a failure, or a truncated answer
    LIST_CONNECTING = 6

cdef struct Waiting:           # a connection without a lookup yet
    Dial dial
    uint64_t[2] client

cdef enum:                     # in place of the time when the client's next lookup began
    NONE_YET = -1
    NONE_YET_UNHEARD = -2      # and its first query may have no answer yet

cdef union PlaceState:
    const uint8_t* row         # packed, of a lookup that is over
    int64_t next_start         # of an open one

cdef struct Place:             # of a lookup in the ring, and in the chains of those with the same client and name
    Lookup* l                  # NULL once it is over
    PlaceState u
    uint64_t hash              # of client and name
    uint32_t after             # in its chain: number and 1, the low 32 bits; 0 none
    uint32_t before

cdef struct Face:              # of an address of the batch's dictionary
    uint32_t place             # as a client, as of so many moves; NO_PLACE unknown
    uint32_t moves
    uint32_t note              # as a server; NO_NOTE not noted yet
    uint32_t missed            # how many servers were noted when it was not, and 1

cdef struct Asked:             # the name of a query, and by what lookups of it are found
    const uint8_t* name
    uint32_t size
    uint32_t code              # of the name in the batch's dictionary; NO_CODE without
    uint64_t text              # hashes of the name and the client, as the matcher has them
    uint64_t client
    uint64_t by_name

cdef struct Ahead:             # what is worked out ahead of a happening
    uint64_t lookup            # of an answer
    Asked asked                # by a query

cdef struct Assembly:
    Place* ring                # by number
    uint32_t ring_mask
    uint64_t first             # number of the oldest lookup in the ring
    uint64_t oldest_open       # all before it are over, and may be taken
    uint64_t next              # number of the next new one
    uint32_t* heads            # of the chains: latest lookup first
    uint32_t head_mask
    uint32_t open              # lookups that are not over
    Packed packed
    Conclusion end             # of the lookup that is being judged
    int64_t due                # no lookup's time is up before
    int64_t[7] due_of          # when that of the oldest of each list is; INT64_MAX of an empty one
    Lookup* oldest[7]          # lookups that wait equally long, by when they began to
    Lookup* newest[7]
    uint32_t* labelled_at      # tick in which a lookup was last entered by its first label, by hash of its client
    uint8_t questioned         # lookups are entered by their question too, whoever asks
    uint8_t families           # of the clients' addresses: 1 IPv4, 2 IPv6
    Index index
    Acquaintances known
    Waiting[32] waiting
    uint32_t waiting_at
    int64_t now
    int64_t begun              # first event
    int64_t led_at             # when an answer held an alias only, for the last time
    int64_t busy               # time that queries waited for the answers they got, summed
    uint64_t forced_over       # lookups closed early because of MOST_LOOKUPS
    uint64_t steps             # lookups that were looked at, whether an event was theirs
    uint64_t passed_on         # queries of forwarders that belong to a lookup of their client
    Lookup* spare              # lookups that are over, to be used again
    void* slabs                # where lookups lie
    uint32_t slab_lookups      # in the latest of them
    uint8_t loopback           # a loopback address was asked: its host may forward from another
    uint8_t inbound            # a query came to the host that captured
    Upstream upstream
    Connection* ended          # connections that are over, until the clock has come to their end
    uint32_t ended_at          # the first of them
    uint32_t ended_count
    int64_t ended_due          # when the first of them is known
    uint32_t ended_room
    Face* faces                # by code
    uint32_t face_count
    uint32_t face_room
    uint32_t near              # where the records of the answer read last begin in the batch
    uint8_t judged             # lookups are wanted, and not only which one an exchange belongs to
    uint8_t short_cuts         # to verdicts over simple lookups
    uint8_t failed             # no memory
