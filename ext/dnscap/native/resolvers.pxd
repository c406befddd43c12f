"""Which addresses are resolvers and forwarders, told by what they do; and which ask upstream in whose name."""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.resolution_state cimport Entry, Host, Resolving

cdef enum:
    MOST_HOSTS = 1 << 14       # servers and resolvers told apart, about 10 MiB; what is beyond has no role

cdef bint hosts_open(Resolving* t) noexcept nogil
cdef void hosts_close(Resolving* t) noexcept nogil
# Where a host is noted; NO_HOST where it is not, or cannot be.
cdef uint32_t host_of(Resolving* t, const uint64_t* address, bint enter) noexcept nogil
# Whether the host at `asker` may ask upstream for the resolver at `server`.
cdef bint may_ask_for(const Resolving* t, uint32_t asker, uint32_t server) noexcept nogil
cdef void note_link(Resolving* t, uint32_t asker, uint32_t server) noexcept nogil
# Whether the upstream side of a resolver is in the capture.
cdef bint seen_upstream(const Resolving* t, uint32_t server) noexcept nogil
# Whether a query with recursion desired looks like client query `e` passed on.
cdef bint passes_on(const Resolving* t, const Entry* e, const Entry* further) noexcept nogil
