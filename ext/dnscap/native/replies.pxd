"""What answers tell of caches: lifetimes, aliases, delegations, extended errors."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from dnscap.native.decoder cimport Batch
from dnscap.native.resolution_state cimport Entry, Hashes, Resolving
from dnscap.native.walks cimport Walk

cdef struct Reply:
    uint32_t ttl               # least of the answer section, or negative TTL; NO_TTL none
    bint aliased
    bint stale_error           # EDE 3 or 19
    bint negative
    bint authoritative

# Hash of a name of a dictionary by its code, computed once; 0 without memory.
cdef uint64_t hash_of(Resolving* t, Hashes* h, const char* text, const int32_t* offsets, uint32_t count, uint32_t code) noexcept nogil
# What the answer in row `row` of the batch says to a client; names of its aliases become targets of `w`.
cdef void read_reply(Resolving* t, const Entry* e, Batch batch, uint32_t row, Reply* reply, Walk* w) noexcept nogil
# What an answer from upstream teaches.
cdef void learn_from(Resolving* t, Entry* e, Batch batch, uint32_t row) noexcept nogil
