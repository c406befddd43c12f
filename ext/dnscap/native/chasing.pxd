"""Stubs that follow aliases themselves: where an answer holds only an alias, its target is asked for next."""
from libc.stdint cimport int64_t, uint8_t, uint32_t

from dnscap.native.assembly cimport Asked, Assembly
from dnscap.native.attempts cimport Attempt, Lookup
from dnscap.native.exchange_index cimport KeyIndex
from dnscap.native.exchanges cimport Exchange
from dnscap.native.lookup_index cimport Index

cdef extern from *:
    """
    #define DNSCAP_CHASED INT64_C(31000000000)
    """
    const int64_t CHASED "DNSCAP_CHASED"   # nanoseconds: no stub waits longer before it asks for a target again

# An answer led to a name without a word of it: let the lookup be found by that name, whose hash is that of the matcher's index.
cdef void await_chase(Assembly* t, const KeyIndex* index, Lookup* l, const Attempt* a) noexcept nogil
# The lookup that asks for such a name, and the role of the query in it; NULL where there is none.
cdef Lookup* chased(const Index* x, const Exchange* ex, const Asked* q, uint8_t* role) noexcept nogil

cdef inline bint spells(const uint8_t* wire, uint32_t size, const uint8_t* text, uint32_t n) noexcept nogil:
    """Whether a wire-format name is the one in presentation format; names with escapes are taken to differ."""
    cdef uint32_t i = 0, at = 0, k
    cdef uint8_t c
    if n > size or n < size and wire[n]:
        return False           # of another size
    while at < size and wire[at]:
        if at + 1 + wire[at] > size or i + wire[at] + 1 > n:
            return False
        for k in range(wire[at]):
            c = wire[at + 1 + k]
            if c >= c'A' and c <= c'Z':
                c += 32
            if text[i] != c:
                return False
            i += 1
        if text[i] != c'.':
            return False
        i += 1
        at += wire[at] + 1
    return i == n
