"""A bounded log of events, emptied with each batch of messages."""
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from dnscap.native.datagrams cimport NO_STREAM

cdef enum:
    MOST_EVENTS = 1 << 16      # between two batches; a flood beyond that is counted, not kept


cdef int event_log_open(EventLog* log) noexcept nogil:
    memset(log, 0, sizeof(EventLog))
    return 0


cdef void event_log_close(EventLog* log) noexcept nogil:
    free(log.rows)
    memset(log, 0, sizeof(EventLog))


cdef Event* event_log_add(EventLog* log) noexcept nogil:
    cdef uint32_t room
    cdef Event* rows
    if log.count == log.room:
        room = log.room * 2 if log.room else 64
        rows = <Event*>realloc(log.rows, <size_t>room * sizeof(Event)) if room <= MOST_EVENTS else NULL
        if rows == NULL:
            log.lost += 1
            return NULL
        log.rows = rows
        log.room = room
    log.count += 1
    memset(&log.rows[log.count - 1], 0, sizeof(Event))
    log.rows[log.count - 1].stream = NO_STREAM
    return &log.rows[log.count - 1]
