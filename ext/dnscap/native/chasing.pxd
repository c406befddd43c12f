"""Stubs that follow aliases themselves: where an answer holds only an alias, its target is asked for next."""
from libc.stdint cimport uint8_t, uint32_t

from dnscap.native.assembly cimport Assembly
from dnscap.native.attempts cimport Attempt, Lookup
from dnscap.native.exchange_index cimport KeyIndex
from dnscap.native.exchanges cimport Exchange

# An answer led to a name without a word of it: let the lookup be found by that name, whose hash is that of the matcher's index.
cdef void await_chase(Assembly* t, const KeyIndex* index, Lookup* l, const Attempt* a) noexcept nogil
# The role of a query for such a name in the lookup; ROLE_NONE where it is not one of its own.
cdef uint8_t chases(Lookup* l, const Exchange* ex, const uint8_t* name, uint32_t size) noexcept nogil

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
