"""The same packet seen at more than one place of a capture: on several interfaces, on both sides of a NAT."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from dnscap.native.datagrams cimport Datagram
from dnscap.native.message_columns cimport MessageColumns
from dnscap.native.message_work cimport Stride

cdef enum:
    SIGHTING_SLOTS = 1 << 12   # direct-mapped: at 200,000 packets a second 5 ms hold 1,000 messages
    SIGHTING_PLACES = 4

cdef struct Sighting:          # one cache line
    uint64_t key
    int64_t time
    uint64_t place             # where it was seen first: of the datagram,
    uint64_t side              # and its source, interface and direction
    uint32_t src               # tags of the addresses
    uint32_t dst
    uint32_t ports
    uint32_t message
    uint8_t more               # further places, in Sightings.places
    uint8_t ip_ttl
    uint8_t direction
    uint8_t[13] unused

cdef struct Sightings:
    Sighting[SIGHTING_SLOTS] slots
    uint64_t[SIGHTING_SLOTS][SIGHTING_PLACES] places

# Fill the column of the stride's rows, of which the first is message number `message`.
cdef void find_sightings(Sightings* all, const MessageColumns* c, Stride* s, const Datagram* rows, uint32_t n,
                         uint32_t message) noexcept nogil
