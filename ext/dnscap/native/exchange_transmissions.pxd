"""Transmissions of one query: which of them a response answers, and how certain that is.

Transmissions of one key form a *group*, which only exists from the second transmission on.  Its responses pair with its
transmissions in order.  Once every transmission is answered the pairing is certain; if one remains without, the pairing
of those answered after it had been sent is not, and is marked so when the wait is over.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t

from dnscap.native.exchange_rows cimport ROW_GROUPED, columns_of, place
from dnscap.native.exchange_state cimport Group, Matcher

# Row `n` is a further transmission of what row `old` was the last one of.  0, or -1 without memory.
cdef int join_group(Matcher* t, uint32_t old, uint32_t n) noexcept nogil
# Say what is certain of one transmission of a segment.
cdef void settle(Matcher* t, uint32_t n, bint ambiguous, const Group* g) noexcept nogil
# A row of a group leaves.
cdef void leave_group(Matcher* t, uint32_t n) noexcept nogil
# An open row is not open any more.
cdef void stop_waiting(Matcher* t, uint32_t n) noexcept nogil
# An open row is final without an answer; it may leave when the clock is past `until`.
cdef void close_row(Matcher* t, uint32_t n, uint8_t outcome, int64_t until) noexcept nogil

cdef inline Group* group_of(const Matcher* t, uint32_t n) noexcept nogil:
    """The group of a row, or NULL."""
    if columns_of(&t.rows, n).state[place(n)] & ROW_GROUPED:
        return &t.groups[columns_of(&t.rows, n).group[place(n)]]
    return NULL
