"""What happened, as it is told; see exchange_state.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport realloc

from dnscap.native.exchange_rows cimport ROW_GROUPED, RowColumns, columns_of, place
from dnscap.native.exchange_words cimport HAPPENED_EXTRA, OUTCOME_OPEN, Happening


cdef int more_happenings(Matcher* t) noexcept nogil:
    cdef uint32_t room = t.happening_room * 2 if t.happening_room else 1 << 12
    cdef Happening* h = <Happening*>realloc(t.happenings, <size_t>room * sizeof(Happening)) if room else NULL
    if h == NULL:
        t.failed = True
        return -1
    t.happenings = h
    t.happening_room = room
    return 0


cdef void happened(Matcher* t, int64_t time, uint64_t number, uint32_t row, uint8_t kind, uint16_t answers) noexcept nogil:
    cdef const RowColumns* c
    cdef uint32_t k, first
    if not t.telling:
        return
    if kind > HAPPENED_EXTRA:
        happened_now(t, time, number, row, 0, kind, OUTCOME_OPEN, 0, answers)
        return
    c = columns_of(&t.rows, number)
    k = place(number)
    first = t.groups[c.group[k]].first if c.state[k] & ROW_GROUPED else <uint32_t>number
    happened_now(t, time, number, row, first, kind, c.outcome[k], c.rcode[k], answers)
