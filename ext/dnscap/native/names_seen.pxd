"""What servers say of names: for each name, type, server and section its TTLs, its values over time, its absence."""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.interning cimport Dictionary
from dnscap.native.names_table cimport SeenTable

cdef class NamesSeen:
    cdef SeenTable table
    cdef Dictionary dictionary     # names and addresses of the rows
    cdef Dictionary translated     # of the batch fed last
    cdef uint32_t* name_codes      # own codes of its names, UNKNOWN where not yet looked for
    cdef uint32_t* name_refs
    cdef uint32_t* address_codes
    cdef uint32_t names_known
    cdef uint32_t names_room
    cdef uint32_t addresses_known
    cdef uint32_t addresses_room
    cdef size_t arena_at
    cdef uint32_t most_rows
    cdef uint64_t rows_dropped     # answers about names that are not followed
    cdef uint64_t values_dropped   # values not kept
    cdef uint64_t responses
    cdef uint32_t thinned          # bits of hash that the sample of names demands
