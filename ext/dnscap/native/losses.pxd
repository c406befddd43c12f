"""What the losses of a server's lookups have in common: the second answer to a port, or the peaks of load."""
from libc.stdint cimport int64_t, uint8_t, uint32_t

from dnscap.native.attempts cimport LOADS, Attempt, Lookup, ServerNote

cdef enum:
    HIGH_LOAD = 7              # ServerNote.asked_under: 64 queries within 100 ms, fewer than any receive buffer holds
    LOAD_WINDOW = 100000000    # nanoseconds in which load is counted

# A lookup of several queries is over: what became of pairs from one port.  Of one with just a pair, `weigh_pair`.
cdef void weigh_pairs(const Lookup* l, ServerNote* notes) noexcept nogil
cdef void weigh_pair(const Lookup* l, ServerNote* notes) noexcept nogil
# Whether attempt `i`, unanswered, is one of a pair from one port whose other query was answered.
cdef bint has_answered_twin(const Lookup* l, uint32_t i) noexcept nogil
# Whether of two answers to one port always one is missing, be it that of the first query or of the second.
cdef bint drops_second_answers(const ServerNote* n) noexcept nogil
# The same where the capture is behind the loss: both answers left, and yet everything was asked again.
cdef bint loses_pairs_of_answers(const ServerNote* n) noexcept nogil
# Whether queries are lost under load and hardly otherwise, and this one was sent under load.
cdef bint overflows(const ServerNote* n, const Attempt* a) noexcept nogil

cdef inline uint8_t load_now(ServerNote* n, int64_t time) noexcept nogil:
    """A query is sent: under which load, as a power of two."""
    if time - n.window >= LOAD_WINDOW or time < n.window:
        n.window = time
        n.in_window = n.load = 0
    n.in_window += 1
    if n.in_window >> n.load and n.load < LOADS - 1:
        n.load += 1
    n.asked_under[n.load] += 1
    return <uint8_t>n.load
