"""Queries and responses seen before and behind a NAT: one exchange, with the addresses its application knows.

The first sighting of a query makes the row.  A later one with other addresses enters its own key as an *alias* of that row:
a response to it there is the answer on its way, and the row gets the sighting of the response that fits its own addresses.
A response that never comes so far was not answered to the application.
"""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.exchange_index cimport KEPT, KeySlot
from dnscap.native.exchange_state cimport TRANSLATED, Matcher

# A query, another sighting of message `first`, has these key and ends.  `bare` is the key without the question.
cdef void enter_alias(Matcher* t, uint32_t first, uint64_t key, uint64_t bare, uint64_t ends) noexcept nogil

cdef inline bint is_alias(const KeySlot* s) noexcept nogil:
    """Entries of rows have an odd due time, or none."""
    return s.due & 1 == 0 and s.due != KEPT

cdef inline void expect_sighting(Matcher* t, uint32_t message) noexcept nogil:
    """A response was seen on the far side of a NAT: another sighting of it is to be matched."""
    t.translated[message & (TRANSLATED - 1)] = message

cdef inline bint is_expected(const Matcher* t, uint32_t message) noexcept nogil:
    return t.translated[message & (TRANSLATED - 1)] == message

cdef inline void came(Matcher* t, uint32_t message) noexcept nogil:
    t.translated[message & (TRANSLATED - 1)] = ~message
