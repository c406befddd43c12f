"""IP fragment reassembly, both versions, bounded."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.datagrams cimport Outbox
from dnscap.native.events cimport EventLog

cdef enum Interest:
    INTEREST_UNKNOWN = 0       # a later fragment, or something that shows its content only when whole
    INTEREST_NONE = 1          # first fragment of something on other ports: nothing of its datagram is kept
    INTEREST_DNS = 2           # first fragment of a UDP datagram on DNS ports

cdef struct Fragment:
    const uint8_t* octets      # the fragment's payload (what follows the IP header and fragment header)
    uint64_t src[2]
    uint64_t dst[2]
    uint64_t place             # as in Datagram
    int64_t time
    uint64_t number            # frame number
    uint32_t source
    uint32_t interface
    uint32_t id                # IPv4 identification or IPv6 fragment identification
    uint32_t size              # payload octets captured
    uint32_t wire_size         # payload octets the IP header promises
    uint32_t offset            # octets
    uint8_t more               # more fragments flag
    uint8_t protocol           # upper-layer protocol (IPv6: next header of the fragment header)
    uint8_t ip_version
    uint8_t ip_ttl
    uint8_t direction
    uint8_t interest           # an Interest: what the walk read in a first fragment

cdef struct Reassembled:
    const uint8_t* octets      # IP payload from its start, in the outbox's arena, padded; or NULL
    uint32_t size              # octets here: less than `wire_size` where a fragment was cut by the capture
    uint32_t wire_size         # octets of the whole payload
    uint32_t frames            # fragments it was made of
    uint8_t protocol           # as the first fragment says it (RFC 8200 section 4.5)

cdef struct FragmentTable      # private to fragments.pyx

cdef class Fragments:
    cdef FragmentTable* table
    cdef int64_t due           # nothing expires before this capture time

    # A datagram of which only a part came within FRAGMENT_WAIT (10 s of capture time) is given up: if its
    # beginning is there and is DNS over UDP it goes to `box` as a FIRST_FRAGMENT datagram with the time and
    # number of its first fragment's frame, and an event is noted.  The same where a limit makes `add` give
    # one up.
    cdef int expire(self, int64_t now, Outbox* box, EventLog* events) noexcept nogil
    # the capture ends: give up all that waits
    cdef int finish(self, Outbox* box, EventLog* events) noexcept nogil
    # Take one fragment.  1: `out` holds the completed payload.  0: kept, or dropped and noted.  -1: no
    # memory.
    cdef int add(self, const Fragment* fragment, Reassembled* out,
                 Outbox* box, EventLog* events) noexcept nogil
