"""The verdict over a lookup that was answered at once, which is that nothing was wrong: most are."""
from dnscap.native.attempts cimport Lookup

# Whether the lookup is one of these; its end is filled in then, as `judge` (verdicts.pxd) would.  The end is all zero before.
cdef bint answered_at_once(Lookup* l) noexcept nogil
