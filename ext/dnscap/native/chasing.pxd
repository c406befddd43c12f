"""Stubs that follow aliases themselves: where an answer holds only an alias, its target is asked for next."""
from libc.stdint cimport uint8_t, uint32_t

from dnscap.native.assembly cimport Assembly
from dnscap.native.attempts cimport Attempt, Lookup
from dnscap.native.exchanges cimport Exchange

# An answer led to a name without a word of it: let the lookup be found by that name.
cdef void await_chase(Assembly* t, Lookup* l, const Attempt* a) noexcept nogil
# The role of a query for such a name in the lookup; ROLE_NONE where it is not one of its own.
cdef uint8_t chases(Lookup* l, const Exchange* ex, const uint8_t* name, uint32_t size) noexcept nogil
