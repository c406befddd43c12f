"""Messages matched, a stride at a time."""
from libc.stdint cimport uint32_t

from dnscap.native.decoder cimport Batch
from dnscap.native.exchange_rows cimport PagePool
from dnscap.native.exchange_state cimport Matcher
from dnscap.native.exchange_words cimport (
    EXCHANGE_COOKIE, EXCHANGE_DO, EXCHANGE_EDNS, EXCHANGE_MIXED_CASE,
)
from dnscap.native.message_columns cimport HAS_CAPITALS, HAS_EDNS, MessageColumns

# Match the messages of a batch from row `first` up to `end`, what `gather_notes` found there before.  0, or -1 without memory.
cdef int match_rows(Matcher* t, Batch batch, PagePool pool, uint32_t first, uint32_t end) noexcept nogil
cdef bint has_cookie(const MessageColumns* c, uint32_t r) noexcept nogil

cdef enum:
    HEADER_RD = 0x0100
    HEADER_AD = 0x0020
    HEADER_CD = 0x0010


cdef inline uint32_t query_flags(const MessageColumns* c, uint32_t r) noexcept nogil:
    """ExchangeFlag bits of a query."""
    cdef uint32_t header = c.flags[r]
    cdef uint32_t presence = c.presence[r]
    cdef uint32_t flags = (header & HEADER_RD) >> 2 | (header & HEADER_AD) >> 1 | (header & HEADER_CD) << 1
    if presence & HAS_EDNS:
        flags |= EXCHANGE_EDNS
        if c.edns_flags[r] & 0x8000:
            flags |= EXCHANGE_DO
        if c.options[r] != c.options[r + 1] and has_cookie(c, r):
            flags |= EXCHANGE_COOKIE
    if presence & HAS_CAPITALS:
        flags |= EXCHANGE_MIXED_CASE
    return flags
