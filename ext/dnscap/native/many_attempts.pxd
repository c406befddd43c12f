"""What queries of a lookup with many attempts are told by, summed up: it need not look at all of them for each query that comes.

Sums lie behind the room for attempts where that is large.  They are of the current name, and hold until an attempt that they
count is changed; then, and when there is another name, they are made anew.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.attempts cimport Attempt, Lookup
from dnscap.native.exchanges cimport OUTCOME_ANSWER, OUTCOME_NODATA, OUTCOME_NXDOMAIN

cdef enum:
    MANY = 16                  # attempts that a lookup has room for with sums: few enough to look at are without
    MOST_TYPES = 4             # of one name in one lookup: A, AAAA, HTTPS
    MARKS = 64                 # words: of the most attempts one in sixteen seems to have been there though it was not

cdef struct Kind:              # attempts of one type for the current name
    uint32_t latest            # among the attempts
    uint32_t lost              # without an answer
    uint16_t qtype
    uint8_t good               # one was answered for good
    uint8_t truncated
    uint8_t keeps              # one has the id of the one before

cdef struct Sums:
    uint32_t counted           # attempts, the first ones; 0 none yet, or they do not hold any more
    uint32_t begun             # the first for the current name, and 1; 0 none
    int64_t gap                # longest time between one and the next, of all
    Kind[4] kinds
    uint8_t kind_count
    uint8_t further            # other types were asked for too
    uint8_t candidate          # which name is the current one
    uint8_t lost               # of all: one has no answer,
    uint8_t tcp                # went over TCP,
    uint8_t cut                # was answered by a first fragment,
    uint8_t one_port           # came from the port of the first one and asked for something else
    uint8_t unanswered         # of the current name: one has no answer,
    uint8_t positive           # has what was asked for
    uint64_t[64] ids           # types and ids that may have been there, by hash: none else was
    uint64_t[64] ports         # and ports

# Room for so many attempts; False without memory, and nothing is changed then.
cdef bint widen_attempts(Lookup* l, uint32_t room) noexcept nogil
cdef Sums* sum_up(const Lookup* l) noexcept nogil


cdef inline bint settling(uint8_t outcome) noexcept nogil:
    """An answer, be it that there is nothing."""
    return outcome == OUTCOME_ANSWER or outcome == OUTCOME_NODATA or outcome == OUTCOME_NXDOMAIN


cdef inline Sums* sums_at(const Lookup* l) noexcept nogil:
    return <Sums*>(l.attempts + l.attempt_room)


cdef inline Sums* sums_of(const Lookup* l) noexcept nogil:
    """Sums over all attempts; NULL where they are few."""
    return sum_up(l) if l.attempt_room >= MANY else NULL


cdef inline void changed(Lookup* l) noexcept nogil:
    """An attempt is changed that sums may count."""
    if l.attempt_room >= MANY:
        sums_at(l).counted = 0


cdef inline uint32_t mark_of(uint32_t a, uint32_t b) noexcept nogil:
    return <uint32_t>(((<uint64_t>a << 32 | b) * <uint64_t>0x9E3779B97F4A7C15) >> 52)


cdef inline bint marked(const uint64_t* marks, uint32_t mark) noexcept nogil:
    return marks[mark >> 6] >> (mark & 63) & 1


cdef inline uint32_t id_mark(uint16_t qtype, uint16_t id) noexcept nogil:
    return mark_of(qtype, id)


cdef inline uint32_t port_mark(uint16_t port, uint16_t server_port, uint8_t transport) noexcept nogil:
    return mark_of(<uint32_t>port << 16 | server_port, transport)
