"""What the answers of a lookup say: records, aliases, loops."""
from libc.stdint cimport uint8_t, uint32_t

from dnscap.native.attempts cimport Attempt, Lookup
from dnscap.native.decoder cimport Batch

# Keep the records of the answer in row `row` of the batch, and set the flags of the attempt by them.  0, or -1 without memory.
# `near` is where the records of the message read last begin in the batch (0 at first), and is moved on.
cdef int read_answer(Lookup* l, Attempt* a, Batch batch, uint32_t row, uint32_t* near) noexcept nogil
# Whether a wire-format name is the one in presentation format; names with escapes are taken to differ.
cdef bint spells(const uint8_t* wire, uint32_t size, const uint8_t* text, uint32_t n) noexcept nogil
# Whether the aliases of an answer lead back to one of them.
cdef bint answer_loops(Batch batch, uint32_t row, uint32_t* near) noexcept nogil
