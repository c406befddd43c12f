"""Names as applications gave them; see naming.pxd.

A name of several labels that was asked for once and found may be a shorter one with the first suffix of a search list
behind it.  It is certain where the packets leave only one reading: the name stands alone among its candidates, does not
exist and yet nothing else was tried, or cannot end in the first suffix of the client's list.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp

from dnscap.native.attempts cimport *
from dnscap.native.exchanges cimport OUTCOME_NXDOMAIN
from dnscap.native.lookup_index cimport hash_text
from dnscap.native.stubs cimport STUB_CARES, STUB_GLIBC, STUB_GO

cdef enum:
    TYPE_PTR = 12
    REVERSE = 6                # octets of "arpa." with the dot before


cdef inline bint is_dot(const uint8_t* name, uint32_t i) noexcept nogil:
    return name[i] == c'.' and not (i > 0 and name[i - 1] == c'\\')


cdef uint32_t common(const uint8_t* a, uint32_t na, const uint8_t* b, uint32_t nb) noexcept nogil:
    """Octets of the whole labels, final dot included, with which both names begin."""
    cdef uint32_t i = 0, whole = 0
    while i < na and i < nb and a[i] == b[i]:
        i += 1
        if is_dot(a, i - 1):
            whole = i
    return whole


cdef uint32_t base_of(const Lookup* l, bint* whole) noexcept nogil:
    """Octets with which all names of the walk begin; 0 without a walk.  `whole` where one of them is no more than that."""
    cdef uint32_t i, n, base = 0, count = 0
    whole[0] = False
    for i in range(1, l.candidate_count):
        n = common(l.text, l.names[1], l.text + l.names[i], l.names[i + 1] - l.names[i])
        if n == 0:
            continue           # the target of an alias
        if count == 0 or n < base:
            base = n
        count += 1
    for i in range(l.candidate_count):
        whole[0] |= count > 0 and <uint32_t>(l.names[i + 1] - l.names[i]) == base
    return base


cdef uint32_t last_label(const uint8_t* name, uint32_t size) noexcept nogil:
    """Where the last label of a name begins that ends in a dot."""
    cdef uint32_t i = size - 1
    while i > 0 and not is_dot(name, i - 1):
        i -= 1
    return i


cdef uint32_t first_suffix(const Lookup* l, uint32_t base, const uint8_t** text) noexcept nogil:
    """What was added to the name first; 0 octets where none of it can be told."""
    cdef uint32_t i, n
    for i in range(l.candidate_count):
        n = l.names[i + 1] - l.names[i]
        if n > base and memcmp(l.text + l.names[i], l.text, base) == 0:
            text[0] = l.text + l.names[i] + base
            return n - base
    return 0


cdef bint ends_so(const uint8_t* name, uint32_t size, const Expanding* e, uint64_t seed) noexcept nogil:
    cdef uint32_t at
    if e.size >= size:
        return False
    at = size - e.size
    return is_dot(name, at - 1) and hash_text(seed, name + at, e.size) == e.suffix


cdef bint alone(const Lookup* l, bint still) noexcept nogil:
    """Whether a name that does not exist was not expanded, nor asked for without its end."""
    cdef uint32_t i
    if not still or l.candidate_count != 1 or l.may_go_on:
        return False
    for i in range(l.attempt_count):
        if l.attempts[i].answered < 0 or l.attempts[i].outcome != OUTCOME_NXDOMAIN:
            return False
    return True


cdef void learn_name(const Lookup* l, Expanding* e, uint64_t seed, uint8_t stub, bint still) noexcept nogil:
    cdef bint whole
    cdef uint32_t base, size, at
    cdef const uint8_t* suffix = NULL
    cdef uint64_t hash, end
    if alone(l, still):
        # musl does not expand a name with dots enough even then.
        e.unexpanded += stub == STUB_GLIBC or stub == STUB_GO or stub == STUB_CARES
        return
    if l.candidate_count == 1:
        return
    base = base_of(l, &whole)
    if base == 0:
        return
    e.walks += 1
    size = first_suffix(l, base, &suffix)
    if size == 0:
        return
    hash = hash_text(seed, suffix, size)
    if e.size and (e.size != size or e.suffix != hash):
        e.several = 1
    at = last_label(l.text, base)
    end = hash_text(seed, l.text + at, base - at)
    # Suffixes that begin alike would make the name seem longer; not so where names end differently, or have one label.
    if whole or at == 0 or e.size and end != e.end:
        e.proved = 1
    e.size = size
    e.suffix = hash
    e.end = end


cdef bint name_stands(const Lookup* l, const Expanding* e, uint64_t seed, bint still) noexcept nogil:
    cdef uint32_t size = l.names[1]
    return e.unexpanded > 0 and e.walks == 0 or alone(l, still) \
        or e.size > 0 and e.proved and not e.several and not ends_so(l.text, size, e, seed) or last_label(l.text, size) == 0 \
        or l.attempts[0].qtype == TYPE_PTR and size > REVERSE and memcmp(l.text + size - REVERSE, <const char*>b".arpa.", REVERSE) == 0


cdef void find_name(Lookup* l, const Expanding* e, uint64_t seed, bint still) noexcept nogil:
    cdef bint whole, listed = e.size > 0 and e.proved and not e.several
    cdef uint32_t i, size, base = base_of(l, &whole)
    cdef const uint8_t* suffix = NULL
    l.end.name = 0
    l.end.name_certain = 0
    if base == 0:
        l.end.name_size = l.names[1]
        l.end.name_certain = l.candidate_count == 1 and name_stands(l, e, seed, still)
        return
    l.end.name_size = <uint16_t>base
    if whole:
        # One candidate is the name itself: nothing else explains the others.
        l.end.name_certain = 1
        for i in range(l.candidate_count):
            if <uint32_t>(l.names[i + 1] - l.names[i]) == base:
                l.end.name = <uint8_t>i
    elif last_label(l.text, base) == 0:
        l.end.name_certain = 1
    else:
        size = first_suffix(l, base, &suffix)
        l.end.name_certain = listed and size == e.size and hash_text(seed, suffix, size) == e.suffix
