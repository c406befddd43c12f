"""What servers say of names: for each name, type, server and section its TTLs, its values over time, its absence."""
from dnscap.native.interning cimport Dictionary
from dnscap.native.names_answers cimport Tally

cdef class NamesSeen:
    cdef Tally tally
    cdef Dictionary dictionary     # names and addresses of the rows
    cdef Dictionary translated     # of the batch fed last
