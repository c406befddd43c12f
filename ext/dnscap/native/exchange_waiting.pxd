"""Time passes: queries that waited too long are given up, rows that nothing can change any more leave."""
from libc.stdint cimport INT64_MIN, int64_t, uint64_t

from dnscap.native.exchange_state cimport OPEN_WAIT, Matcher, elapsed
from dnscap.native.interning cimport likely, unlikely

cdef void expire(Matcher* t) noexcept nogil
# The capture, or this stretch of time, ends.
cdef void close_all(Matcher* t) noexcept nogil
# Nothing goes to rows before `base` any more; open ones among them are given up because of a limit.
cdef void give_up(Matcher* t, uint64_t base) noexcept nogil
# Rows up to the first that may still change leave, though none from `until` on.
cdef void release(Matcher* t, uint64_t until) noexcept nogil

cdef inline void clock(Matcher* t, int64_t time) noexcept nogil:
    if likely(time >= t.now):
        t.now = time
        if unlikely(time >= t.cursor_time):
            expire(t)
    elif unlikely(elapsed(t.now, time) > <uint64_t>OPEN_WAIT and t.now != INT64_MIN):
        # Another file of the same minutes, or one packet with a wrong time: begin again.
        close_all(t)
        t.now = time
