"""Names as the hashes of their suffixes, so that "is it at or above that name" is a comparison of numbers."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.interning cimport mix128

cdef enum:
    MOST_SUFFIXES = 40         # of a name that are told apart: ip6.arpa names have 34 labels; the last place is the whole name's
    MOST_LABELS = 128          # of a name (RFC 1035 section 2.3.4 leaves room for 127)


cdef inline uint32_t suffixes(uint64_t seed, const uint8_t* text, uint32_t size, uint64_t* out) noexcept nogil:
    """Hashes of the root (out[0]), the top level ... and the whole name (out[n]); n is given.

    The name is in presentation format, lower case, with its last dot.
    """
    cdef uint64_t[128] labels
    cdef uint64_t h = seed
    cdef uint32_t count = 0, i = 0, at = 0
    cdef uint8_t c
    while i < size and count < MOST_LABELS:
        c = text[i]
        if c == c'.':
            if size > 1:
                labels[count] = h
                count += 1
            h = seed
        else:
            if c == c'\\' and i + 1 < size:
                i += 1
                c = text[i] ^ 0x80
            h = (h ^ c) * <uint64_t>0x9E3779B97F4A7C15
            h ^= h >> 29
        i += 1
    h = mix128(seed | 1, <uint64_t>0xD6E8FEB86659FD93)
    out[0] = h
    for i in range(count):
        h = mix128(h + <uint64_t>0xA0761D6478BD642F, labels[count - 1 - i] ^ <uint64_t>0xE7037ED1A0B428DB)
        at = min(i + 1, <uint32_t>(MOST_SUFFIXES - 1))
        out[at] = h
    return at


cdef inline uint64_t question_of(uint64_t name, uint16_t qtype) noexcept nogil:
    return mix128(name ^ <uint64_t>qtype << 48 ^ qtype, <uint64_t>0x8EBC6AF09C88C6E3)
