"""Groups of transmissions; see exchange_transmissions.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport realloc
from libc.string cimport memset

from dnscap.native.exchange_rows cimport ROW_GROUPED, Page, RowColumns, columns_of, page_of, place, set_bounds
from dnscap.native.exchange_state cimport NO_GROUP
from dnscap.native.exchange_words cimport (
    EXCHANGE_AMBIGUOUS, EXCHANGE_LATE, NO_MESSAGE, OUTCOME_OPEN, OUTCOME_UNREACHABLE,
)


cdef void settle(Matcher* t, uint32_t n, bint ambiguous, const Group* g) noexcept nogil:
    """`latency_min` and `latency_max` hold what the response's time allows: they differ where the query had been sent again
    before it came.
    """
    cdef Page* p = page_of(&t.rows, n)
    cdef RowColumns* c = &p.c
    cdef uint32_t k = place(n)
    if c.response[k] != NO_MESSAGE and c.latency[k] >= 0:
        if k >= p.bounds_known:
            return
        if c.latency_min[k] >= 0 and c.latency_min[k] < c.latency_max[k]:
            if ambiguous:
                c.flags[k] |= EXCHANGE_AMBIGUOUS
                c.latency[k] = -1
                return
            c.flags[k] |= EXCHANGE_LATE
        set_bounds(p, k, -1, -1)
    elif ambiguous and g.answered and c.time[k] <= g.last_response and c.outcome[k] != OUTCOME_UNREACHABLE:
        c.flags[k] |= EXCHANGE_AMBIGUOUS


cdef inline uint32_t later(const Matcher* t, uint32_t n) noexcept nogil:
    return columns_of(&t.rows, n).later[place(n)]


cdef void decide(Matcher* t, Group* g) noexcept nogil:
    """No transmission of the group waits any more."""
    cdef uint32_t n = g.segment
    cdef uint32_t count = 1
    cdef bint ambiguous
    while n != g.newest:
        count += 1
        n = later(t, n)
    ambiguous = g.answered < count
    n = g.segment
    while True:
        settle(t, n, ambiguous, g)
        if n == g.newest:
            break
        n = later(t, n)
    g.segment = g.newest
    g.answered = 0


cdef void stop_waiting(Matcher* t, uint32_t n) noexcept nogil:
    cdef Group* g = group_of(t, n)
    cdef uint32_t at
    if g == NULL:
        return
    g.open -= 1
    if g.open == 0:
        decide(t, g)
        return
    at = g.pending
    while columns_of(&t.rows, at).outcome[place(at)] != OUTCOME_OPEN and at != later(t, at):
        at = later(t, at)
    g.pending = at


cdef void close_row(Matcher* t, uint32_t n, uint8_t outcome, int64_t until) noexcept nogil:
    cdef RowColumns* c = columns_of(&t.rows, n)
    c.outcome[place(n)] = outcome
    c.release[place(n)] = until
    stop_waiting(t, n)


cdef void put_in_group(RowColumns* c, uint32_t n, uint32_t group) noexcept nogil:
    c.group[place(n)] = group
    c.later[place(n)] = n
    c.state[place(n)] |= ROW_GROUPED


cdef int join_group(Matcher* t, uint32_t old, uint32_t n) noexcept nogil:
    cdef RowColumns* c = columns_of(&t.rows, old)
    cdef RowColumns* own = columns_of(&t.rows, n)
    cdef Group* g
    cdef uint32_t room, group
    if not c.state[place(old)] & ROW_GROUPED:
        if t.unused_group != NO_GROUP:
            group = t.unused_group
            t.unused_group = t.groups[group].next_unused
        else:
            if t.group_count == t.group_room:
                room = t.group_room * 2 if t.group_room else 256
                g = <Group*>realloc(t.groups, <size_t>room * sizeof(Group))
                if g == NULL:
                    t.failed = True
                    return -1
                t.groups = g
                t.group_room = room
            group = t.group_count
            t.group_count += 1
        put_in_group(c, old, group)
        g = &t.groups[group]
        memset(g, 0, sizeof(Group))
        g.first = g.newest = g.segment = g.pending = old
        g.open = c.outcome[place(old)] == OUTCOME_OPEN
        g.last_answered = old
        g.transmissions = c.transmission[place(old)]
    group = c.group[place(old)]
    g = &t.groups[group]
    if g.open == 0:
        g.segment = g.pending = n
        g.answered = 0
    g.open += 1
    g.newest = n
    g.transmissions += 1
    c.later[place(old)] = n
    put_in_group(own, n, group)
    own.transmission[place(n)] = g.transmissions
    return 0


cdef void leave_group(Matcher* t, uint32_t n) noexcept nogil:
    cdef Group* g = group_of(t, n)
    if g.newest == n:
        g.next_unused = t.unused_group
        t.unused_group = columns_of(&t.rows, n).group[place(n)]
