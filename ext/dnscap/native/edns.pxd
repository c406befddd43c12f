"""Words for EDNS options and extended errors."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef enum:                     # codes of options (RFC 5001, 7871, 7873, 7830, 8914)
    OPTION_NSID = 3
    OPTION_ECS = 8
    OPTION_COOKIE = 10
    OPTION_PADDING = 12
    OPTION_EDE = 15

cdef enum:
    LONGEST_WORD = 255         # of an option's mnemonic or an error's meaning

cdef struct Word:
    uint8_t size
    uint8_t[LONGEST_WORD] octets


cdef class Vocabulary:
    cdef uint16_t* places      # of each number in `words`; 0 where it has no word
    cdef Word* words


# The mnemonic of an option, OPTn where it has none; up to LONGEST_WORD octets, whose number is returned.
cdef uint32_t put_mnemonic(const Word* words, const uint16_t* places, uint32_t code, uint8_t* to) noexcept nogil
