"""Answers come to lookups: what they say, records, aliases, loops."""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.assembly cimport Assembly
from dnscap.native.decoder cimport Batch
from dnscap.native.exchanges cimport Exchanges, Happening

# An exchange was answered, or will not be; `lookup`: the one it belongs to, NO_LOOKUP where that is not known yet.
cdef void on_answer(Assembly* t, Exchanges exchanges, const Happening* h, Batch batch, uint64_t lookup) noexcept nogil
# An answer to nothing that was asked.
cdef void on_extra(Assembly* t, Exchanges exchanges, const Happening* h, Batch batch) noexcept nogil
# Whether the aliases of an answer lead back to one of them.  `near` is where the records of the message read last begin in the
# batch (0 at first), and is moved on.
cdef bint answer_loops(Batch batch, uint32_t row, uint32_t* near) noexcept nogil
