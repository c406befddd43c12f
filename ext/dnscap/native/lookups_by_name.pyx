"""Open lookups by client and name; see lookups_by_name.pxd."""
from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free


cdef bint names_open(Assembly* t) noexcept nogil:
    t.heads = <uint32_t*>calloc(FIRST_HEADS, sizeof(uint32_t))
    t.head_mask = FIRST_HEADS - 1
    return t.heads != NULL


cdef bint widen_heads(Assembly* t) noexcept nogil:
    cdef uint32_t mask = t.head_mask * 4 + 3, i, link, before
    cdef uint32_t* heads = <uint32_t*>calloc(<size_t>mask + 1, sizeof(uint32_t))
    cdef uint32_t* head
    cdef Place* p
    if heads == NULL:
        return False
    # What stood in one chain stands in one of several now; from its end on, so that the latest entry stays first.
    for i in range(t.head_mask + 1):
        link = t.heads[i]
        while link and place_at(t, link).after:
            link = place_at(t, link).after
        while link:
            p = place_at(t, link)
            before = p.before
            head = &heads[<uint32_t>p.hash & mask]
            p.before = 0
            p.after = head[0]
            if p.after:
                place_at(t, p.after).before = link
            head[0] = link
            link = before
    free(t.heads)
    t.heads = heads
    t.head_mask = mask
    return True
