"""Hit or miss, where the upstream side of the resolver is seen."""
from libc.stdint cimport uint8_t, uint64_t

from dnscap.native.replies cimport Reply
from dnscap.native.cache_model cimport fetch_known
from dnscap.native.exchanges cimport OUTCOME_NXDOMAIN
from dnscap.native.interning cimport prefetch
from dnscap.native.resolution_state cimport ENTRY_CLIENT, HEADS, Entry, Resolving
from dnscap.native.suffixes cimport question_of
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


cdef inline uint64_t at_server(const Entry* e) noexcept nogil:
    return e.name + (<uint64_t>e.server_host + 1) * <uint64_t>0x2545F4914F6CDD1D


cdef inline void foresee_answer(const Resolving* t, const Entry* e, uint8_t outcome) noexcept nogil:
    """Fetch what the answer to a client's exchange will be judged by."""
    if e.kind & ENTRY_CLIENT:
        fetch_known(t.model, question_of(at_server(e), e.qtype))
        if outcome == OUTCOME_NXDOMAIN:
            fetch_known(t.model, question_of(at_server(e), ANY_TYPE))
    fetch_known(t.model, question_of(e.name ^ 1, e.qtype))
    prefetch(&t.upstream[e.name & (HEADS - 1)])
