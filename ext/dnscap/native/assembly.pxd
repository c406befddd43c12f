"""The state of lookup assembly, which its stages share."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from dnscap.native.acquaintances cimport Acquaintances
from dnscap.native.attempts cimport Dial, Lookup
from dnscap.native.lookup_index cimport Index
from dnscap.native.tcp cimport Connection
from dnscap.native.upstreams cimport Upstream

cdef enum:
    MOST_WAITING = 32          # connections tried without a lookup yet
    MOST_CHAIN = 64            # lookups with the same key that are looked at: a flood of one name must not cost a walk of all of them
    LISTS = 7
    LIST_FAILED = 2            # lookups with a failure, or a truncated answer
    LIST_CONNECTING = 6

cdef struct Waiting:           # a connection without a lookup yet
    Dial dial
    uint64_t[2] client

cdef struct Assembly:
    Lookup** ring              # by number
    uint32_t ring_mask
    uint64_t first             # number of the oldest lookup in the ring
    uint64_t next              # number of the next new one
    Lookup* oldest[7]
    Lookup* newest[7]
    Index index
    Acquaintances known
    Waiting[32] waiting
    uint32_t waiting_at
    int64_t now
    int64_t begun              # first event
    int64_t busy               # time that queries waited for the answers they got, summed
    uint64_t forced_over       # lookups closed early because of MOST_LOOKUPS
    uint64_t passed_on         # queries of forwarders that belong to a lookup of their client
    Lookup* spare              # lookups that are over, to be used again
    uint32_t spare_count
    uint8_t loopback           # a loopback address was asked: its host may forward from another
    Upstream upstream
    Connection* ended          # connections that are over, until the clock has come to their end
    uint32_t ended_count
    uint32_t ended_room
    uint8_t failed             # no memory
