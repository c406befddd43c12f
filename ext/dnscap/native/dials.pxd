"""Connections that stubs try: after a truncated answer, or from the start.

Each function returns a lookup whose state has changed, or NULL.
"""
from libc.stdint cimport int64_t, uint8_t

from dnscap.native.assembly cimport Assembly
from dnscap.native.attempts cimport Lookup
from dnscap.native.decoder cimport Batch
from dnscap.native.exchanges cimport Exchange
from dnscap.native.tcp cimport Connection, Turn

# A query over TCP, the lookup's: its connection was tried before that was known.
cdef Lookup* take_dial(Assembly* t, Lookup* l, const Exchange* ex) noexcept nogil
# A connection was tried, opened or refused (`kind` of the happening).
cdef Lookup* on_turn(Assembly* t, const Turn* turn, uint8_t kind) noexcept nogil
# A connection is over: what it lost, and which of its queries stay unanswered.
cdef Lookup* on_closed(Assembly* t, const Connection* c) noexcept nogil

# When the end of a connection is known: of a silent one, after the silence.
cdef int64_t known_at(const Connection* c) noexcept nogil
# Keep the connections that a batch says are over, in order of that time: its messages may be older.  0, or -1 without memory.
cdef int take_ended(Assembly* t, Batch batch) noexcept nogil
