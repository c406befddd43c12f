"""What is known of queries from elsewhere: ICMP errors that quote them, and how their TCP connections went.

Both come with a batch but belong at their own time among its messages, so they wait as notes until the clock is there.
"""
from libc.stdint cimport uint8_t, uint32_t

from dnscap.native.decoder cimport Batch
from dnscap.native.exchange_state cimport Matcher

cdef enum:
    STREAMS = 1 << 16          # connections whose handshake time is remembered: as many as reassembly holds

# Turns and ICMP errors of the batch, each in frame order, as one list in order of time.  0, or -1 without memory.
cdef int gather_notes(Matcher* t, Batch batch) noexcept nogil
# The clock has come to the oldest note.
cdef void take_note(Matcher* t) noexcept nogil
