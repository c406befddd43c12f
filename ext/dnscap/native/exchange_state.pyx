"""What happened, as it is told; see exchange_state.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport realloc

from dnscap.native.exchange_rows cimport ROW_GROUPED, RowColumns, columns_of, place
from dnscap.native.exchange_words cimport HAPPENED_EXTRA, OUTCOME_OPEN, Happening


cdef void happened(Matcher* t, int64_t time, uint64_t number, uint32_t row, uint8_t kind, uint16_t answers) noexcept nogil:
    cdef Happening* h
    cdef const RowColumns* c
    cdef uint32_t room, k
    if not t.telling:
        return
    if t.happening_count == t.happening_room:
        room = t.happening_room * 2 if t.happening_room else 1 << 12
        h = <Happening*>realloc(t.happenings, <size_t>room * sizeof(Happening)) if room else NULL
        if h == NULL:
            t.failed = True
            return
        t.happenings = h
        t.happening_room = room
    h = &t.happenings[t.happening_count]
    t.happening_count += 1
    h.time = time
    h.exchange = number
    h.row = row
    h.first = 0
    h.rcode = 0
    h.answers = answers
    h.kind = kind
    h.outcome = OUTCOME_OPEN
    if kind <= HAPPENED_EXTRA:
        c = columns_of(&t.rows, number)
        k = place(number)
        h.first = t.groups[c.group[k]].first if c.state[k] & ROW_GROUPED else <uint32_t>number
        h.rcode = c.rcode[k]
        h.outcome = c.outcome[k]
