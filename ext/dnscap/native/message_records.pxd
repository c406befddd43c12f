"""The records of messages: all are checked, EDNS is taken from them, and they become rows where records are wanted."""
from libc.stdint cimport uint32_t

from dnscap.native.datagrams cimport Datagram
from dnscap.native.message_work cimport Stride, Work

# Both find the same faults.  0, or -1 without memory.
cdef int walk_and_keep(Work* w, const Stride* s, const Datagram* rows, uint32_t n) noexcept nogil
cdef int walk_only(Work* w, const Stride* s, const Datagram* rows, uint32_t n) noexcept nogil
