"""TCP reassembly: segments in, whole DNS messages out."""
from dnscap.native.datagrams cimport Outbox
from dnscap.native.events cimport EventLog
from dnscap.native.flows cimport StreamTable
from dnscap.native.tcp cimport Segment

cdef class Streams:
    cdef StreamTable* table    # finished connections wait in its `closed`, turns in its `turns`, to be taken

    # Each returns 0, or -1 without memory.  Messages go to `box`, in frame order.
    cdef int segment(self, const Segment* seg, Outbox* box, EventLog* events) noexcept nogil
    # Every connection that is left becomes a row of `closed`.
    cdef int finish(self, Outbox* box, EventLog* events) noexcept nogil
