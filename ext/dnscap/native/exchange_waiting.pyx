"""The end of waiting; see exchange_waiting.pxd.

All decisions rest on capture time and on numbers of rows, never on where a batch of messages ends.
"""
from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint32_t, uint64_t

from dnscap.native.exchange_rows cimport ROW_GROUPED, RowColumns, columns_of, place
from dnscap.native.exchange_state cimport STUB_WAIT, Group, happened, plus
from dnscap.native.exchange_transmissions cimport close_row, group_of, leave_group, settle
from dnscap.native.exchange_words cimport (
    HAPPENED_EXPIRED, NO_MESSAGE, OUTCOME_OPEN, OUTCOME_UNANSWERED, OUTCOME_UNFINISHED,
)


cdef void expire(Matcher* t) noexcept nogil:
    """Give up on queries that waited too long.  Each row is passed once."""
    cdef const RowColumns* c
    cdef uint32_t k
    cdef int64_t time
    if t.cursor < t.rows.base:
        t.cursor = t.rows.base
    while t.cursor < t.rows.tail:
        c = columns_of(&t.rows, t.cursor)
        k = place(t.cursor)
        if c.outcome[k] == OUTCOME_OPEN:
            time = c.time[k]
            if elapsed(t.now, time) < <uint64_t>OPEN_WAIT:
                t.cursor_time = plus(time, OPEN_WAIT)
                return
            close_row(t, <uint32_t>t.cursor, OUTCOME_UNANSWERED, INT64_MIN)
            happened(t, plus(time, OPEN_WAIT), t.cursor, NO_MESSAGE, HAPPENED_EXPIRED, 0)
        t.cursor += 1
    t.cursor_time = INT64_MAX


cdef void close_all(Matcher* t) noexcept nogil:
    cdef const RowColumns* c
    cdef uint64_t n
    cdef uint32_t k
    for n in range(max(t.cursor, t.rows.base), t.rows.tail):
        c = columns_of(&t.rows, n)
        k = place(n)
        if c.outcome[k] == OUTCOME_OPEN:
            close_row(t, <uint32_t>n,
                      OUTCOME_UNFINISHED if elapsed(t.now, c.time[k]) < <uint64_t>STUB_WAIT else OUTCOME_UNANSWERED, INT64_MIN)
            happened(t, t.now, n, NO_MESSAGE, HAPPENED_EXPIRED, 0)
    t.rows.base = t.cursor = t.rows.tail
    t.cursor_time = INT64_MAX


cdef void give_up(Matcher* t, uint64_t base) noexcept nogil:
    cdef const RowColumns* c
    cdef Group* g
    cdef uint32_t n
    while t.rows.base < base:
        n = <uint32_t>t.rows.base
        c = columns_of(&t.rows, t.rows.base)
        if c.outcome[place(n)] == OUTCOME_OPEN:
            t.evicted += 1
            close_row(t, n, OUTCOME_UNANSWERED, t.now)
            happened(t, t.now, t.rows.base, NO_MESSAGE, HAPPENED_EXPIRED, 0)
        g = group_of(t, n)
        if g != NULL and g.open and <int32_t>(n - g.segment) >= 0:
            settle(t, n, True, g)
            g.segment = c.later[place(n)]
        t.rows.base += 1


cdef inline bint may_leave(const Matcher* t, uint64_t n) noexcept nogil:
    """Whether nothing that can still come changes a row."""
    cdef const RowColumns* c = columns_of(&t.rows, n)
    cdef uint32_t k = place(n)
    cdef const Group* g
    if c.outcome[k] == OUTCOME_OPEN:
        return False
    if n < t.rows.base:
        return True
    if c.release[k] >= t.now:
        return False
    if c.state[k] & ROW_GROUPED:
        g = &t.groups[c.group[k]]
        return g.open == 0 or <int32_t>(<uint32_t>n - g.segment) < 0
    return True


cdef void release(Matcher* t, uint64_t until) noexcept nogil:
    cdef uint64_t n = t.rows.head, end = min(until, t.rows.tail)
    while n < end and may_leave(t, n):
        if columns_of(&t.rows, n).state[place(n)] & ROW_GROUPED:
            leave_group(t, <uint32_t>n)
        n += 1
    t.rows.head = max(t.rows.head, n)
    if t.rows.base < t.rows.head:
        t.rows.base = t.rows.head
