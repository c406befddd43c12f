"""Rows of exchanges in pages of columns: written where they will be read, from the query on to the Arrow table.

Rows get their numbers in the order of their queries and never move.  A page is filled in that order; it belongs to the
matcher until all its rows are final and taken, and to the batches that look at it for as long as these live.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.interning cimport Dictionary

cdef enum:
    PAGE_BITS = 15
    PAGE_ROWS = 1 << PAGE_BITS

cdef enum RowState:            # bits of RowColumns.state
    ROW_GROUPED = 1            # one of several transmissions: `group` and `later` hold
    ROW_TRANSFER = 2           # zone transfer: many responses are one answer
    ROW_REPEATED = 4           # has a further response, which has a row of its own: `extra` holds
    ROW_ENDED = 8              # no row of these ends, from this one back, is open

cdef struct RowColumns:        # columns of one width stand together; those that few rows need are last of their width
    int64_t* time              # of the query; of the response where there is no query
    int64_t* latency           # nanoseconds; -1 null
    uint64_t* query_frame      # frame numbers in their file; 0 none
    uint64_t* response_frame
    uint64_t* lookup           # number of the lookup it belongs to; NO_LOOKUP none yet or never
    int64_t* release           # clock from which a final row may leave
    uint64_t* ends             # hash of what a response without a question is found by
    int64_t* latency_min       # where ambiguous; -1 null
    int64_t* latency_max
    int64_t* tcp_rtt           # handshake of the connection that carried it; -1 null
    uint32_t* query            # message numbers; NO_MESSAGE none
    uint32_t* response
    uint32_t* client           # codes of the dictionary
    uint32_t* server
    uint32_t* qname
    uint32_t* responses        # how many came
    uint32_t* transmission     # 1, 2, 3 ... of the same id, port and question
    uint32_t* query_size       # octets
    uint32_t* response_size
    uint32_t* next_ends        # older row of the same bucket of ends
    uint32_t* group
    uint32_t* later            # next transmission of its group
    uint32_t* extra
    uint16_t* client_port
    uint16_t* server_port
    uint16_t* id
    uint16_t* qtype
    uint16_t* qclass
    uint16_t* rcode            # of the response
    uint16_t* flags            # ExchangeFlag bits
    uint16_t* answers          # ANCOUNT of a response whose query may still come
    uint8_t* outcome           # an Outcome
    uint8_t* transport
    uint8_t* role              # a Role; 0 none
    uint8_t* state             # RowState bits
    uint8_t* would_be          # outcome of a response whose query may still come

cdef struct Page:
    RowColumns c
    void* block
    size_t size                # of the block where it is a mapping of its own; else 0
    uint32_t bounds_known      # rows of latency_min and latency_max that hold a value
    uint32_t rtts_known        # likewise of tcp_rtt
    uint32_t holders           # the matcher and batches
    Page* next                 # spare page

cdef class PagePool:           # pages that nobody looks at any more
    cdef Page* spare
    cdef uint32_t count

cdef class ExchangeBatch:
    cdef Page* page
    cdef uint32_t first_row    # in the page
    cdef uint32_t count
    cdef PagePool pool
    cdef readonly Dictionary dictionary
    cdef readonly uint64_t first_exchange

cdef struct Rows:
    Page** pages               # ring: number >> PAGE_BITS & page_mask
    uint64_t page_mask
    uint64_t taken             # oldest row in a page
    uint64_t head              # rows before it have left and may be taken
    uint64_t base              # oldest row that a message may still go to
    uint64_t tail              # number of the next row

# Room for the next row, where its page is not there yet.  0, or -1 without memory.
cdef int open_page(Rows* t, PagePool pool) noexcept nogil
cdef void close_rows(Rows* t) noexcept
# The rows from `taken` on that left, one batch of them: of one page, at most up to row `end`.  Takes them.
cdef ExchangeBatch take_rows(Rows* t, PagePool pool, Dictionary dictionary, uint64_t end)
cdef void fill_nulls(int64_t* column, uint32_t* known, uint32_t until) noexcept nogil

cdef inline RowColumns* columns_of(const Rows* t, uint64_t n) noexcept nogil:
    """Columns of the page of a row, by its number or the low 32 bits of it."""
    return &t.pages[n >> PAGE_BITS & t.page_mask].c

cdef inline uint32_t place(uint64_t n) noexcept nogil:
    """Of a row in its page."""
    return <uint32_t>n & (PAGE_ROWS - 1)

cdef inline bint alive(const Rows* t, uint32_t link) noexcept nogil:
    """Whether the row with these low 32 bits of its number can still be matched."""
    return <uint32_t>(link - <uint32_t>t.base) < <uint32_t>(t.tail - t.base)

cdef inline bint leads_on(const Rows* t, uint32_t here, uint32_t link) noexcept nogil:
    """Whether a link leads to an older row that is still there."""
    return <uint32_t>(link - <uint32_t>t.base) < <uint32_t>(here - <uint32_t>t.base)

cdef inline uint64_t whole_number(const Rows* t, uint32_t link) noexcept nogil:
    """The number of a row with these low 32 bits that has not been taken."""
    return t.tail - <uint32_t>(<uint32_t>t.tail - link)

cdef inline Page* page_of(const Rows* t, uint64_t n) noexcept nogil:
    return t.pages[n >> PAGE_BITS & t.page_mask]

cdef inline void set_bounds(Page* p, uint32_t k, int64_t least, int64_t most) noexcept nogil:
    if k >= p.bounds_known:
        know_bounds(p, k + 1)
    p.c.latency_min[k] = least
    p.c.latency_max[k] = most

cdef inline void set_rtt(Page* p, uint32_t k, int64_t rtt) noexcept nogil:
    fill_nulls(p.c.tcp_rtt, &p.rtts_known, k + 1)
    p.c.tcp_rtt[k] = rtt

cdef void know_bounds(Page* p, uint32_t until) noexcept nogil
