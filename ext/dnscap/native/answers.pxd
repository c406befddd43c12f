"""Answers come to lookups: what they say, records, aliases, loops."""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.assembly cimport Assembly
from dnscap.native.decoder cimport Batch
from dnscap.native.exchanges cimport Exchanges, Happening

# An exchange was answered, or will not be; `lookup`: the one it belongs to, NO_LOOKUP where that is not known yet.
cdef void on_answer(Assembly* t, Exchanges exchanges, const Happening* h, Batch batch, uint64_t lookup) noexcept nogil
# An answer to nothing that was asked.
cdef void on_extra(Assembly* t, Exchanges exchanges, const Happening* h, Batch batch) noexcept nogil
