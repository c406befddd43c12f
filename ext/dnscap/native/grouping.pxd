"""Which lookup a query belongs to, by what stubs do: the other family, retries, fail-over, TCP, the next name of a search list."""
from libc.stdint cimport uint8_t, uint32_t

from dnscap.native.attempts cimport Lookup
from dnscap.native.exchanges cimport Exchange

cdef enum:
    LARGE = 24                 # addresses that do not fit the first buffer of glibc's getaddrinfo
    SERIAL = 0x40              # beside a role that `fits` gives: only a guess, by time
    AT_ONCE = 40000000         # nanoseconds: a stub that goes on by itself does so within this, on a busy machine
    HELD_UP = 150000000        # or within this, where its process is held up (a quota of processor time is given out each 100 ms)

cdef bint failing(uint8_t outcome) noexcept nogil
# Octets of the whole labels with which both names begin.
cdef uint32_t common(const uint8_t* a, uint32_t na, const uint8_t* b, uint32_t nb) noexcept nogil

# The role that a query for the lookup's current name would have in it; ROLE_NONE where it is not one of its own.  `fixed`:
# the client uses one id for different questions; `shares`: one port for different lookups.
cdef uint8_t fits(const Lookup* l, const Exchange* ex, bint fixed, bint shares) noexcept nogil
# Whether glibc asks everything again with a larger buffer, because the addresses did not fit.
cdef bint begins_anew(const Lookup* l, const Exchange* ex) noexcept nogil
cdef enum:                     # what `continues` says
    NO_WALK = 0
    WALK = 1
    SHORT_WALK = 2             # guessed by a first label alone, of two names

# Whether a query is for the next name of the lookup's walk over a search list.  `added`: octets of what the client is known to
# add first, where the first name ends in it; `unlisted`: it is known to leave names alone that do not exist, or to add this and that.
cdef uint8_t continues(
    const Lookup* l, const Exchange* ex, const uint8_t* name, uint32_t size, uint32_t added, bint unlisted
) noexcept nogil
