"""What the answers of a lookup say: records, aliases, loops."""
from libc.stdint cimport uint32_t

from dnscap.native.attempts cimport Attempt, Lookup
from dnscap.native.decoder cimport Batch

# Keep the records of the answer in row `row` of the batch, and set the flags of the attempt by them.  0, or -1 without memory.
cdef int read_answer(Lookup* l, Attempt* a, Batch batch, uint32_t row) noexcept nogil
# Whether the aliases of an answer lead back to one of them.
cdef bint answer_loops(Batch batch, uint32_t row) noexcept nogil
