"""Queries and their answers: every transmission a row, matched as the messages stream by.

Rows have their numbers, and leave in batches, in the order of their queries; one leaves when it is final.  What happens
to rows is told to the lookup stage as happenings, in capture order.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.decoder cimport Batch
from dnscap.native.exchange_matching cimport query_flags
from dnscap.native.exchange_rows cimport ExchangeBatch, PagePool, columns_of, place
from dnscap.native.exchange_state cimport Matcher
from dnscap.native.exchange_words cimport *
from dnscap.native.interning cimport NO_CODE, Dictionary
from dnscap.native.message_columns cimport HAS_NAME, HAS_TYPE, MessageColumns
from dnscap.native.tcp cimport Turn

cdef class Exchanges:
    cdef Matcher* table
    cdef PagePool pool
    cdef Happening* happenings         # of the batch fed last
    cdef uint32_t happening_count
    cdef Turn* turns                   # of connections, that happenings of the batch fed last refer to
    cdef uint32_t turn_count
    # Rows from this number on stay, final or not, and what happens to them is told: for a stage that still refers to them.
    # All may leave, and nothing is told, where it is not set.
    cdef uint64_t keep_from
    cdef Dictionary dictionary         # of the batch fed last
    cdef list eras                     # (first row, dictionary) of rows not taken, oldest first
    cdef uint64_t most_octets
    cdef uint64_t renewed              # dictionaries seen

    # Match the messages of a batch; fills `happenings`.  0, or -1 without memory.
    cdef int match(self, Batch batch) noexcept nogil
    # The same in parts: begin, match rows from `first` up to `end`, all of them in order, and conclude.  A stage that takes in
    # the happenings of each part uses them up.
    cdef int begin_batch(self, Batch batch) noexcept nogil
    cdef int match_part(self, Batch batch, uint32_t first, uint32_t end) noexcept nogil
    cdef int end_batch(self) noexcept nogil
    cdef void use_up(self) noexcept nogil
    # The capture's clock has reached `now`: expire what waited too long.  Appends happenings.
    cdef int tick(self, int64_t now) noexcept nogil
    # The capture ends: what is open becomes unfinished (or unanswered, where it had waited long enough).
    cdef int finish(self) noexcept nogil
    # What the message of a QUERY or EXTRA says, which is a row of `batch`; `qname` is a code of the batch's dictionary.
    cdef void tell(self, const Happening* h, Batch batch, Exchange* into) noexcept nogil


cdef inline void tell_query(const MessageColumns* c, const uint64_t* addresses, const Happening* h, Exchange* into) noexcept nogil:
    """As `tell`, of a QUERY: `addresses` are those of the batch's dictionary."""
    cdef uint32_t r = h.row
    cdef uint32_t presence = c.presence[r]
    cdef const uint64_t* client = addresses + 2 * <size_t>c.src[r]
    cdef const uint64_t* server = addresses + 2 * <size_t>c.dst[r]
    into.number = h.exchange
    into.time = c.time[r]
    into.client[0] = client[0]
    into.client[1] = client[1]
    into.server[0] = server[0]
    into.server[1] = server[1]
    into.qname = c.qname[r] if presence & HAS_NAME else NO_CODE
    into.stream = c.stream[r]
    into.first = h.first
    into.client_port = c.src_port[r]
    into.server_port = c.dst_port[r]
    into.id = c.id[r]
    into.transport = c.transport[r]
    into.opcode = c.flags[r] >> 11 & 15
    into.flags = <uint16_t>query_flags(c, r)
    into.edns_udp_size = c.edns_udp_size[r] if into.flags & EXCHANGE_EDNS else 0
    if presence & HAS_TYPE:
        into.qtype = c.qtype[r]
        into.qclass = c.qclass[r]
    else:
        into.qtype = into.qclass = 0
        into.flags |= EXCHANGE_NO_QUESTION


cdef inline uint64_t lookup_in(const Matcher* t, uint64_t number) noexcept nogil:
    """The lookup that a row was given to; NO_LOOKUP without, or where it has left."""
    return columns_of(&t.rows, number).lookup[place(number)] if t.rows.taken <= number < t.rows.tail else NO_LOOKUP


cdef inline void give_row(Matcher* t, uint64_t number, uint64_t lookup, uint8_t role) noexcept nogil:
    """Give a row to a lookup.  Rows that came into being in the batch at hand have not left yet."""
    if t.rows.taken <= number < t.rows.tail:
        columns_of(&t.rows, number).lookup[place(number)] = lookup
        columns_of(&t.rows, number).role[place(number)] = role
