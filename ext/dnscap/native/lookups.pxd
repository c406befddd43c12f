"""Lookups: what an application asked for, put together from the exchanges it caused."""
from libc.stdint cimport int64_t, uint64_t

from dnscap.native.assembly cimport Assembly
from dnscap.native.decoder cimport Batch
from dnscap.native.exchanges cimport Exchanges
from dnscap.native.interning cimport Dictionary

cdef class Lookups:
    cdef Assembly* table
    cdef Dictionary dictionary     # of the batch seen last

    # Take in what a batch of messages (or None: time) did to the exchanges.  Call it after `Exchanges.match` or `tick`; it
    # uses the happenings up.  0, or -1 without memory.
    cdef int assemble(self, Exchanges exchanges, Batch batch) noexcept nogil
    # Match a batch and take in what that does, a part at a time.  0, or -1 without memory.
    cdef int match(self, Exchanges exchanges, Batch batch) noexcept nogil
    cdef int take_in(self, Exchanges exchanges, Batch batch) noexcept nogil
    cdef void see(self, Batch batch)
    # The capture's clock has reached `now`.
    cdef int tick(self, int64_t now) noexcept nogil
    # The capture ends: every lookup is over.
    cdef int finish(self) noexcept nogil
