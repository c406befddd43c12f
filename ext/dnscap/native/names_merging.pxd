"""Tallies of names added up: of parts of a capture, and of a full table into one that follows fewer names."""
from dnscap.native.names_answers cimport Tally

# Add what another saw of names that are followed.  0, or -1 without memory.
cdef int absorb(Tally* into, Tally* other) noexcept nogil
