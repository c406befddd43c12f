"""What became of a lookup: when the application was released, with what, where its time went and why."""
from dnscap.native.attempts cimport Lookup, ServerNote, Surroundings

# Fill `l.end`.  The attempts are as the matcher told them; answers of ambiguous retransmissions are put right here.
cdef void judge(Lookup* l, const Surroundings* s) noexcept nogil
# Note of the servers what was lost on the way to them: before `judge`, which looks at it.
cdef void weigh_losses(Lookup* l, ServerNote* notes) noexcept nogil
