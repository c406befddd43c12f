"""Where the time of a lookup went: each instant to one bucket, and to the causes that explain it."""
from libc.stdint cimport uint8_t, uint32_t

from dnscap.native.attempts cimport Lookup, Surroundings
from dnscap.native.weighing cimport Work

# The cause that a failure of this outcome is.
cdef uint8_t cause_of(uint8_t outcome) noexcept nogil
# Whether attempt `i` left from the port of another type's attempt just before it, and that one was answered.
cdef bint second_of_pair(const Lookup* l, uint32_t i) noexcept nogil
# Claim the time of every attempt for a bucket of the budget, and for a cause where it has one.
cdef void account(Work* w, Lookup* l, const Surroundings* s) noexcept nogil
# Give every instant from the first query to the release to one bucket, and sum what each cause covers.
cdef void spend(Work* w, Lookup* l) noexcept nogil
