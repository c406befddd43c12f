"""Wire-format decode: payloads in, columns of messages and records out."""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.datagrams cimport Datagram
from dnscap.native.interning cimport Dictionary
from dnscap.native.message_columns cimport MessageColumns, RecordColumns
from dnscap.native.message_sightings cimport Sightings
from dnscap.native.message_work cimport Work

cdef class Messages:
    cdef Work work
    cdef Dictionary dictionary
    cdef bint with_records
    cdef uint64_t base         # number of the batch's first message in the capture
    cdef Sightings* sightings

    # Start a batch, the columns having been moved out, in the memory of `columns` and `records` (which may have none).
    cdef void renew(self, Dictionary dictionary, const MessageColumns* columns, const RecordColumns* records)

    # Address space for the messages of a capture of so many octets, or less where there is not so much: columns that
    # need not grow are not copied.  Memory is taken as they fill.
    cdef void reserve(self, uint64_t octets) noexcept nogil

    # Decode `count` payloads into rows. `done` tells how many were: fewer where the dictionary is full or the batch may
    # not grow further, and the batch must be taken and `renew` be called first.  0, or -1 without memory.
    cdef int decode(self, const Datagram* rows, uint32_t count, uint32_t* done) noexcept nogil
