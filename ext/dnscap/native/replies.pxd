"""What answers tell of caches: lifetimes, aliases, delegations, extended errors."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

from dnscap.native.decoder cimport Batch
from dnscap.native.interning cimport Dictionary
from dnscap.native.resolution_state cimport Entry, Resolving
from dnscap.native.walks cimport Walk

cdef struct Reply:
    int64_t learned            # when the server had given an answer before, as far as something is expected
    uint32_t ttl               # least of the answer section, or negative TTL; NO_TTL none
    bint aliased
    bint stale_error           # EDE 3 or 19
    bint negative
    bint authoritative

# Hash of a name of the latest dictionary by its code, as if it were new.
cdef uint64_t take_hash(Resolving* t, Dictionary dictionary, uint32_t code) noexcept nogil
# What the answer in row `row` of the batch says to a client; names of its aliases become targets of `w`.
cdef void read_reply(Resolving* t, const Entry* e, Batch batch, uint32_t row, Reply* reply, Walk* w) noexcept nogil
# What an answer from upstream teaches.
cdef void learn_from(Resolving* t, Entry* e, Batch batch, uint32_t row) noexcept nogil


cdef inline uint64_t hash_of(Resolving* t, Dictionary dictionary, uint32_t code) noexcept nogil:
    """Hash of a name of the latest dictionary by its code, computed once; 0 without memory."""
    cdef uint64_t hash = t.hashes.of[code] if code < t.hashes.room else 0
    return hash if hash else take_hash(t, dictionary, code)
