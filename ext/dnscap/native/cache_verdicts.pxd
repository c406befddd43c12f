"""Hit or miss, where the upstream side of the resolver is seen."""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.replies cimport Reply
from dnscap.native.resolution_state cimport Entry, Resolving
from dnscap.native.walks cimport Walk

# What was to be expected of the answer to `e` by those before it; and what it teaches, once it is judged.
cdef void expect(Resolving* t, Entry* e, Reply* reply) noexcept nogil
cdef void learn_reply(Resolving* t, const Entry* e) noexcept nogil
# Judge the client's exchange `e`, answered now.
cdef void judge_inside(Resolving* t, Walk* w, Entry* e, const Reply* reply) noexcept nogil
# The resolver asked upstream for what it had just answered.
cdef void note_refresh(Resolving* t, Entry* e) noexcept nogil

cdef enum:
    ANY_TYPE = 0xFFFE          # in keys of the model: of a name that does not exist (RFC 8020)


cdef inline uint64_t at_server(uint64_t name, uint32_t host) noexcept nogil:
    """A name as the cache model has it of one server."""
    return name + (<uint64_t>host + 1) * <uint64_t>0x2545F4914F6CDD1D
