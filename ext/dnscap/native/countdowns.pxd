"""Hit or miss seen from outside: countdown of lifetimes, and how fast the server answers."""
from dnscap.native.resolution_state cimport Entry, Host, Resolving

# What an answer surely says of the server's latency; call it as answers come.
cdef void note_latency(Resolving* t, const Entry* e) noexcept nogil
# Judge the client's exchange `e` of a server whose upstream side is not seen.
cdef void judge_outside(Resolving* t, Entry* e) noexcept nogil
