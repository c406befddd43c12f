"""Aliases of rows; see exchange_translations.pxd."""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.exchange_index cimport KeySlot, index_grow, slot_of, tick_of
from dnscap.native.exchange_rows cimport RowColumns, alive, columns_of, place
from dnscap.native.exchange_state cimport LINGER, OPEN_WAIT, plus

cdef enum:
    MOST_ROWS_BACK = 1 << 14   # of queries between two sightings, far more than 5 ms hold


cdef bint find_row(const Matcher* t, uint32_t message, uint32_t* found) noexcept nogil:
    """The row that a query made: rows have the order of the messages that made them."""
    cdef uint64_t low = t.rows.base, high = t.rows.tail, middle
    cdef const RowColumns* x
    cdef uint32_t made, k
    if high - low > MOST_ROWS_BACK:
        low = high - MOST_ROWS_BACK
    while low < high:
        middle = (low + high) // 2
        x = columns_of(&t.rows, middle)
        k = place(middle)
        made = min(x.query[k], x.response[k])
        if made == message:
            found[0] = <uint32_t>middle
            return x.query[k] == message
        if made < message:
            low = middle + 1
        else:
            high = middle
    return False


cdef void enter(Matcher* t, uint64_t key, uint32_t row) noexcept nogil:
    cdef KeySlot* s
    cdef uint32_t due = tick_of(plus(t.now, OPEN_WAIT + 2 * LINGER)) + 2 & ~<uint32_t>1
    if t.index.count * 2 > t.index.mask and index_grow(&t.index, &t.rows, tick_of(t.now)) != 0:
        t.failed = True
        return
    s = slot_of(&t.index, key)
    if s.key != 0 and alive(&t.rows, s.row) and not is_alias(s):
        return                 # somebody sends such queries from here
    t.index.count += s.key == 0
    s.key = key
    s.row = row
    s.due = due if due else 2


cdef void enter_alias(Matcher* t, uint32_t first, uint64_t key, uint64_t bare, uint64_t ends) noexcept nogil:
    cdef uint32_t row = 0
    if not find_row(t, first, &row) or columns_of(&t.rows, row).ends[place(row)] == ends:
        return
    enter(t, key, row)
    if bare != key:
        enter(t, bare, row)
