"""Public resolvers whose HTTPS is taken for DNS."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

# Whether a port and an address are those of a resolver known to speak DNS over HTTPS (RFC 8484).
cdef bint is_doh(uint32_t port, const uint64_t* address, uint8_t version) noexcept nogil
