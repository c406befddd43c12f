"""Hosts and their roles; see resolvers.pxd.

An address that answers with recursion offered is a resolver or forwarder.  An address that sends queries without recursion
desired iterates.  The two need not be the same address: a resolver may have one towards its clients and another towards the
world, and then it is taken for the one that asks for it as long as it serves no clients itself.
"""
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from dnscap.native.acquaintances cimport is_loopback
from dnscap.native.frames cimport DIRECTION_UNKNOWN
from dnscap.native.interning cimport mix128
from dnscap.native.resolution_state cimport MOST_LINKS, NO_HOST, Entry, Host, Place, Resolving

cdef bint hosts_open(Resolving* t) noexcept nogil:
    t.hosts = <Host*>calloc(MOST_HOSTS, sizeof(Host))
    t.host_slots = <uint32_t*>calloc(2 * MOST_HOSTS, sizeof(uint32_t))
    return t.hosts != NULL and t.host_slots != NULL


cdef void hosts_close(Resolving* t) noexcept nogil:
    free(t.hosts)
    free(t.host_slots)
    free(t.places.of)


cdef uint32_t host_of(Resolving* t, const uint64_t* address, bint enter) noexcept nogil:
    cdef uint64_t h = mix128(address[0] ^ t.seed, address[1] ^ <uint64_t>0x8BB84B93962EACC9)
    cdef uint32_t i = <uint32_t>(h ^ h >> 32) & (2 * MOST_HOSTS - 1), at
    while t.host_slots[i]:
        at = t.host_slots[i] - 1
        if t.hosts[at].address[0] == address[0] and t.hosts[at].address[1] == address[1]:
            return at
        i = (i + 1) & (2 * MOST_HOSTS - 1)
    if not enter:
        return NO_HOST
    if t.host_count == MOST_HOSTS:
        t.hosts_refused += 1
        return NO_HOST
    at = t.host_count
    t.host_count += 1
    t.host_slots[i] = at + 1
    t.hosts[at].address[0] = address[0]
    t.hosts[at].address[1] = address[1]
    return at


cdef uint32_t look_up_host(Resolving* t, uint32_t code, const uint64_t* address, bint enter) noexcept nogil:
    cdef uint32_t room, at = host_of(t, address, enter)
    cdef Place* wider
    if code >= t.places.room:
        room = max(t.places.room * 2, <uint32_t>1024)
        while room <= code:
            room *= 2
        wider = <Place*>realloc(t.places.of, <size_t>room * sizeof(Place))
        if wider == NULL:
            t.failed = 1
            return at
        memset(wider + t.places.room, 0, (room - t.places.room) * sizeof(Place))
        t.places.of = wider
        t.places.room = room
    if at != NO_HOST:
        t.places.of[code].host = at + 1
    elif not enter:
        t.places.of[code].as_of = t.host_count + 1
    return at


cdef void note_link(Resolving* t, uint32_t asker, uint32_t server) noexcept nogil:
    cdef Host* s
    cdef uint32_t i
    if asker == NO_HOST or server == NO_HOST:
        return
    s = &t.hosts[server]
    for i in range(MOST_LINKS):
        if s.link_counts[i] == 0 or s.links[i] == asker:
            s.links[i] = asker
            if s.link_counts[i] < 0xFFFF:
                s.link_counts[i] += 1
            return


cdef bint passes_on(const Resolving* t, const Entry* e, const Entry* further) noexcept nogil:
    if e.server[0] == further.server[0] and e.server[1] == further.server[1]:
        return False
    if e.server[0] == further.client[0] and e.server[1] == further.client[1]:
        return True            # the server that was asked asks on
    if e.client[0] == further.client[0] and e.client[1] == further.client[1]:
        return False           # a client that asks another server
    if is_loopback(e.server):
        return not is_loopback(further.client) or is_loopback(further.server)
    if further.client[0] == further.server[0] and further.client[1] == further.server[1]:
        return True            # between programs of one host
    if further.client_host != NO_HOST and t.hosts[further.client_host].iterates:
        return True
    # A query that came in and one that went out.
    return e.direction != DIRECTION_UNKNOWN and further.direction != DIRECTION_UNKNOWN and e.direction != further.direction \
        and (further.client_host == NO_HOST or t.hosts[further.client_host].offers == 0)
