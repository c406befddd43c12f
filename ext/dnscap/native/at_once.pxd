"""The verdict over a lookup that was answered at once, which is that nothing was wrong: most are."""
from libc.stdint cimport int64_t, uint8_t

from dnscap.native.attempts cimport Lookup

# Whether the lookup is one of these; then its outcome and duration, all of which is the useful wait, are set as `judge`
# (verdicts.pxd) would.
cdef bint answered_at_once(const Lookup* l, uint8_t* outcome, int64_t* duration) noexcept nogil
