"""Lookups end: when their time is up, or the capture ends, they are judged, packed, and leave in the order of their numbers."""
from libc.stdint cimport int16_t, int64_t, uint8_t

from dnscap.native.assembly cimport Assembly
from dnscap.native.attempts cimport Lookup
from dnscap.native.lookup_columns cimport LookupBatch

# Close a lookup; it leaves when all before it have left.  `finished`: because the capture ends.
cdef void over(Assembly* t, Lookup* l, bint finished) noexcept nogil
# Let a lookup that is over tell of its client and servers what it can: the stub whose habits it shows, how strongly.
cdef uint8_t learn(Assembly* t, Lookup* l, int16_t* score) noexcept nogil
# Close the lookups whose time is up, in the order of their deadlines.
cdef void expire(Assembly* t, int64_t now) noexcept nogil
# Hand out the lookups that are over, as far as no older one is open and a batch goes; False without memory.
cdef bint take_over(Assembly* t, LookupBatch batch) noexcept nogil
