"""What became of a lookup: when the application was released, with what, where its time went and why."""
from dnscap.native.attempts cimport Lookup, Surroundings

# Fill `l.end`.  The attempts are as the matcher told them; answers of ambiguous retransmissions are put right here.
cdef void judge(Lookup* l, const Surroundings* s) noexcept nogil
