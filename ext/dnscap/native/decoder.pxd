"""What later stages read of a batch of messages."""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.events cimport Event
from dnscap.native.interning cimport Dictionary
from dnscap.native.message_columns cimport MessageColumns, RecordColumns
from dnscap.native.tcp cimport Connection, Turn


cdef class ColumnPool:         # memory of batches that nobody looks at any more, for the next ones
    cdef MessageColumns messages
    cdef RecordColumns records


cdef class Batch:
    cdef MessageColumns columns
    cdef RecordColumns record_columns
    cdef readonly Dictionary dictionary     # codes of names and addresses in the columns
    cdef readonly uint64_t first_message    # number in the capture of row 0
    cdef Connection* closed
    cdef uint32_t closed_count
    cdef Turn* turns                        # of connections, in frame order
    cdef uint32_t turn_count
    cdef Event* event_rows
    cdef uint32_t event_count
    cdef ColumnPool pool
