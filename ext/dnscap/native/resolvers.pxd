"""Which addresses are resolvers and forwarders, told by what they do; and which ask upstream in whose name."""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.resolution_state cimport MOST_LINKS, NO_HOST, Entry, Host, Place, Resolving

cdef enum:
    ENOUGH_LINKS = 2           # times that one asked for the other before it is believed though it serves clients of its own
    MOST_HOSTS = 1 << 14       # servers and resolvers told apart, about 10 MiB; what is beyond has no role

cdef bint hosts_open(Resolving* t) noexcept nogil
cdef void hosts_close(Resolving* t) noexcept nogil
# Where a host is noted; NO_HOST where it is not, or cannot be.
cdef uint32_t host_of(Resolving* t, const uint64_t* address, bint enter) noexcept nogil
# The same of an address of the dictionary at hand, whose key is `address`.
cdef uint32_t look_up_host(Resolving* t, uint32_t code, const uint64_t* address, bint enter) noexcept nogil
cdef void note_link(Resolving* t, uint32_t asker, uint32_t server) noexcept nogil
# Whether a query with recursion desired looks like client query `e` passed on.
cdef bint passes_on(const Resolving* t, const Entry* e, const Entry* further) noexcept nogil


cdef inline uint32_t host_at(Resolving* t, uint32_t code, const uint64_t* address, bint enter) noexcept nogil:
    cdef const Place* p
    if code < t.places.room:
        p = &t.places.of[code]
        if p.host:
            return p.host - 1
        if not enter and p.as_of == t.host_count + 1:
            return NO_HOST
    return look_up_host(t, code, address, enter)


cdef inline bint may_ask_for(const Resolving* t, uint32_t asker, uint32_t server) noexcept nogil:
    """Whether the host at `asker` may ask upstream for the resolver at `server`."""
    cdef const Host* s
    cdef uint32_t i
    if asker == server:
        return True
    if asker == NO_HOST or server == NO_HOST:
        return False
    if t.hosts[asker].offers == 0:
        return True
    s = &t.hosts[server]
    for i in range(MOST_LINKS):
        if s.link_counts[i] >= ENOUGH_LINKS and s.links[i] == asker:
            return True
    return False


cdef inline bint seen_upstream(const Resolving* t, uint32_t server) noexcept nogil:
    """Whether the upstream side of a resolver is in the capture."""
    return server != NO_HOST and (t.hosts[server].joined > 0 or t.hosts[server].iterates > 0)
