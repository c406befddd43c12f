"""Messages matched, a stride at a time."""
from libc.stdint cimport uint32_t

from dnscap.native.decoder cimport Batch
from dnscap.native.exchange_rows cimport PagePool
from dnscap.native.exchange_state cimport Matcher
from dnscap.native.exchange_words cimport Exchange
from dnscap.native.messages cimport MessageColumns

# Match the messages of a batch.  0, or -1 without memory.
cdef int match_batch(Matcher* t, Batch batch, PagePool pool) noexcept nogil
# ExchangeFlag bits of a query, and the UDP size it offers.
cdef uint32_t query_flags(const MessageColumns* c, uint32_t r) noexcept nogil
