"""Resolutions: what a resolver or forwarder did for each query of its clients."""
from libc.stdint cimport int64_t, uint64_t

from dnscap.native.decoder cimport Batch
from dnscap.native.exchanges cimport Exchanges
from dnscap.native.resolution_columns cimport ResolutionBatch
from dnscap.native.resolution_state cimport Resolving
from dnscap.native.walks cimport Walk

cdef class Resolutions:
    cdef Resolving* table
    cdef Walk walk
    cdef ResolutionBatch batch     # resolutions that are judged and wait to be taken
    cdef list full                 # earlier ones, whose names are in other dictionaries
    cdef list dictionaries         # of the eras

    # Take in what a batch of messages (or None: time) did to the exchanges.  Call it after `Exchanges.match` or `tick`, and
    # before whatever uses the happenings up.  0, or -1 without memory.
    cdef int follow(self, Exchanges exchanges, Batch batch) noexcept nogil
    cdef int finish(self) noexcept nogil
