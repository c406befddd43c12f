"""The same packet seen at more than one place; see message_sightings.pxd."""
from libc.stdint cimport uint16_t, uint32_t, uint64_t

from dnscap.native.datagrams cimport Datagram
from dnscap.native.interning cimport NO_CODE, likely, mix128, prefetch, unlikely
from dnscap.native.message_columns cimport MessageColumns
from dnscap.native.message_work cimport Stride
from dnscap.native.octets cimport load32, load64

cdef enum:
    SIGHTING_WINDOW = 5000000  # nanoseconds within which the same packet can pass two capture points
    MOST_HOPS = 16             # a NAT rewrite between two capture points of one host takes no more hops off the TTL
    DIRECTION_OUT = 2
    DIRECTION_IN = 1


cdef void find_sightings(Sightings* all, const MessageColumns* c, Stride* s, const Datagram* rows, uint32_t n,
                         uint32_t message) noexcept nogil:
    """Tell rows that are another sighting of a packet already seen at a different place within 5 ms.

    The same packet has the same id, question and size; its addresses are the same too, or rewritten by a NAT that it
    passed on its way.  On TCP, where segments seen again do not come here, they are always rewritten.
    """
    cdef const uint16_t* qtype = c.qtype + c.count
    cdef uint32_t* sighting_of = c.sighting_of + c.count
    cdef uint64_t* key = s.hash
    cdef uint32_t i
    cdef const Datagram* d
    for i in range(n):
        d = rows + i
        if likely(d.size >= 12):
            key[i] = mix128(key[i] ^ load64(d.octets) ^ d.wire_size,
                            load64(d.octets + d.size - 8) ^ <uint64_t>0x4b33a62ed433d4a3 ^ qtype[i]) | 1
            prefetch(&all.slots[key[i] >> 52])
        else:
            key[i] = 0
    for i in range(n):
        if likely(key[i] != 0):
            sighting_of[i] = note_sighting(all, key[i], rows + i, s.src[i], s.dst[i], message + i)


cdef inline uint32_t note_sighting(Sightings* all, uint64_t key, const Datagram* d, uint32_t src, uint32_t dst,
                                   uint32_t message) noexcept nogil:
    """The message of which this is another sighting, or NO_CODE."""
    cdef uint32_t at = key >> 52, ports = load32(&d.src_port)
    cdef Sighting* slot = &all.slots[at]
    cdef uint64_t side = load64(&d.source) ^ <uint64_t>d.direction << 24, place
    cdef bint again = False
    if unlikely(slot.key == key and d.time - slot.time <= SIGHTING_WINDOW and slot.time - d.time <= SIGHTING_WINDOW):
        place = place_of(d.place, side)
        if other_place(all.places[at], slot, place):
            again = d.stream == NO_CODE if src == slot.src and dst == slot.dst and ports == slot.ports \
                else was_translated(slot, d, src, dst)
        if again and slot.more < SIGHTING_PLACES:
            all.places[at][slot.more] = place
            slot.more += 1
    if likely(not again):
        slot.key = key
        slot.time = d.time
        slot.place = d.place
        slot.side = side
        slot.more = 0
        slot.message = message
    slot.src = src
    slot.dst = dst
    slot.ports = ports
    slot.ip_ttl = d.ip_ttl
    slot.direction = d.direction
    return slot.message if again else NO_CODE


cdef inline uint64_t place_of(uint64_t place, uint64_t side) noexcept nogil:
    return place * <uint64_t>0x9e3779b97f4a7c15 + side * <uint64_t>0xd6e8feb86659fd93


cdef bint other_place(const uint64_t* places, const Sighting* slot, uint64_t place) noexcept nogil:
    """The same packet at the same place again is a duplicate delivery, no sighting."""
    cdef uint32_t k
    if place_of(slot.place, slot.side) == place:
        return False
    for k in range(slot.more):
        if places[k] == place:
            return False
    return True


cdef bint was_translated(const Sighting* slot, const Datagram* d, uint32_t src, uint32_t dst) noexcept nogil:
    """Whether new addresses can be the work of a NAT between the two places.

    A router takes hops off the TTL.  A bridge leaves it, and turns an incoming packet into an outgoing one; so does a
    forwarder that keeps the id, but its packets have both a source and a destination of their own.
    """
    if slot.ip_ttl > d.ip_ttl:
        return slot.ip_ttl - d.ip_ttl <= MOST_HOPS
    return slot.ip_ttl == d.ip_ttl and slot.direction == DIRECTION_IN and d.direction == DIRECTION_OUT \
        and (slot.src == src or slot.dst == dst)
