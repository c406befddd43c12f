"""Pages of rows, and batches of them; see exchange_rows.pxd."""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from dnscap.native.interning cimport Dictionary, map_block, unmap_block

cdef enum:
    # Columns of one width, in the order of RowColumns.
    COLUMNS_8 = 10
    COLUMNS_4 = 13
    COLUMNS_2 = 8
    COLUMNS_1 = 5
    COLUMNS = COLUMNS_8 + COLUMNS_4 + COLUMNS_2 + COLUMNS_1
    LINE = 64                  # octets: columns are shifted against each other, or one row of all would share a cache set
    MOST_SPARE = 4             # pages kept for use again
    FIRST_PAGES = 64
    MOST_PAGES = 1 << 16       # links of 32 bits do not reach further

cdef int64_t[PAGE_ROWS] NULLS  # what a column that no row of the page has a value in looks like
memset(NULLS, 0xFF, sizeof(NULLS))


cdef inline size_t width_of(uint32_t column) noexcept nogil:
    if column < COLUMNS_8:
        return 8
    if column < COLUMNS_8 + COLUMNS_4:
        return 4
    return 2 if column < COLUMNS_8 + COLUMNS_4 + COLUMNS_2 else 1


cdef Page* new_page(bint first) noexcept nogil:
    """A page with nothing in it; the first is not given huge pages of memory: it may stay almost empty."""
    cdef Page* p = <Page*>calloc(1, sizeof(Page))
    cdef void** columns
    cdef size_t size = 0
    cdef uint32_t i
    if p == NULL:
        return NULL
    columns = <void**>&p.c
    for i in range(COLUMNS):
        columns[i] = <void*>size
        size += PAGE_ROWS * width_of(i) + (i % 16 + 1) * LINE
    p.size = 0 if first else size
    p.block = malloc(size) if first else map_block(size)
    if p.block == NULL:
        free(p)
        return NULL
    for i in range(COLUMNS):
        columns[i] = <uint8_t*>p.block + <size_t>columns[i]
    return p


cdef void free_page(Page* p) noexcept nogil:
    if p.size:
        unmap_block(p.block, p.size)
    else:
        free(p.block)
    free(p)


@cython.final
cdef class PagePool:
    """Pages between two uses: fresh memory has to be cleared, which costs as much as filling it."""

    def __dealloc__(self):
        cdef Page* p
        while self.spare != NULL:
            p = self.spare
            self.spare = p.next
            free_page(p)


cdef Page* obtain_page(PagePool pool, bint first):
    cdef Page* p = pool.spare
    if p == NULL:
        return new_page(first)
    pool.spare = p.next
    pool.count -= 1
    p.bounds_known = p.rtts_known = 0
    return p


cdef void let_go(PagePool pool, Page* p):
    p.holders -= 1
    if p.holders:
        return
    if pool.count >= MOST_SPARE:
        free_page(p)
        return
    p.next = pool.spare
    pool.spare = p
    pool.count += 1


cdef int open_page(Rows* t, PagePool pool) noexcept nogil:
    cdef uint64_t mask, n
    cdef Page** pages
    cdef Page* p
    if t.pages == NULL or (t.tail >> PAGE_BITS) - (t.taken >> PAGE_BITS) > t.page_mask:
        mask = t.page_mask * 2 + 1 if t.pages != NULL else FIRST_PAGES - 1
        pages = <Page**>calloc(mask + 1, sizeof(Page*)) if mask < MOST_PAGES else NULL
        if pages == NULL:
            return -1
        if t.pages != NULL:
            for n in range(t.taken >> PAGE_BITS, t.tail >> PAGE_BITS):
                pages[n & mask] = t.pages[n & t.page_mask]
        free(t.pages)
        t.pages = pages
        t.page_mask = mask
    with gil:
        p = obtain_page(pool, t.tail == 0)
    if p == NULL:
        return -1
    p.holders = 1
    t.pages[t.tail >> PAGE_BITS & t.page_mask] = p
    return 0


cdef void close_rows(Rows* t) noexcept:
    cdef uint64_t n
    if t.pages == NULL:
        return
    for n in range(t.taken >> PAGE_BITS, (t.tail + PAGE_ROWS - 1) >> PAGE_BITS):
        t.pages[n & t.page_mask].holders -= 1
        if t.pages[n & t.page_mask].holders == 0:
            free_page(t.pages[n & t.page_mask])
    free(t.pages)
    t.pages = NULL


cdef void fill_nulls(int64_t* column, uint32_t* known, uint32_t until) noexcept nogil:
    """Rows before `until` hold a value, if not another one then null."""
    if known[0] < until:
        memset(column + known[0], 0xFF, <size_t>(until - known[0]) * sizeof(int64_t))
        known[0] = until


cdef void know_bounds(Page* p, uint32_t until) noexcept nogil:
    cdef uint32_t known = p.bounds_known
    fill_nulls(p.c.latency_min, &known, until)
    fill_nulls(p.c.latency_max, &p.bounds_known, until)


cdef ExchangeBatch take_rows(Rows* t, PagePool pool, Dictionary dictionary, uint64_t end):
    cdef ExchangeBatch batch = ExchangeBatch()
    cdef Page* p = page_of(t, t.taken)
    cdef uint64_t until = min(end, t.head, ((t.taken >> PAGE_BITS) + 1) << PAGE_BITS)
    batch.page = p
    batch.pool = pool
    batch.first_row = place(t.taken)
    batch.count = <uint32_t>(until - t.taken)
    batch.first_exchange = t.taken
    batch.dictionary = dictionary
    if p.bounds_known:
        know_bounds(p, batch.first_row + batch.count)
    if p.rtts_known:
        fill_nulls(p.c.tcp_rtt, &p.rtts_known, batch.first_row + batch.count)
    p.holders += 1
    t.taken = until
    if place(until) == 0:
        t.pages[(until - 1) >> PAGE_BITS & t.page_mask] = NULL
        let_go(pool, p)
    return batch


cdef uint64_t NOTHING = 0      # what the buffer of an empty column points to

cdef dict FORMATS = {
    "time": b"q", "latency": b"q", "query_frame": b"Q", "response_frame": b"Q", "lookup": b"Q", "release": b"q",
    "ends": b"Q", "latency_min": b"q", "latency_max": b"q", "tcp_rtt": b"q",
    "query": b"I", "response": b"I", "client": b"I", "server": b"I", "qname": b"I", "responses": b"I",
    "transmission": b"I", "query_size": b"I", "response_size": b"I", "next_ends": b"I", "group": b"I", "later": b"I",
    "extra": b"I", "client_port": b"H", "server_port": b"H", "id": b"H", "qtype": b"H", "qclass": b"H", "rcode": b"H",
    "flags": b"H", "answers": b"H", "outcome": b"B", "transport": b"B", "role": b"B", "state": b"B", "would_be": b"B",
}
cdef list ORDER = list(FORMATS)
cdef frozenset PRIVATE = frozenset(
    ("release", "ends", "next_ends", "group", "later", "extra", "answers", "state", "would_be"))
cdef dict WIDTHS = {b"B": 1, b"H": 2, b"I": 4, b"Q": 8, b"q": 8}


@cython.final
cdef class ExchangeColumn:
    """A column in native memory as a read-only buffer; keeps its batch alive."""

    cdef ExchangeBatch owner
    cdef const void* data
    cdef Py_ssize_t count
    cdef Py_ssize_t width
    cdef bytes kind

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        buffer.buf = <void*>self.data
        buffer.obj = self
        buffer.len = self.count * self.width
        buffer.itemsize = self.width
        buffer.readonly = 1
        buffer.ndim = 1
        buffer.format = <char*>self.kind
        buffer.shape = &self.count
        buffer.strides = &self.width
        buffer.suboffsets = NULL
        buffer.internal = NULL


@cython.final
@cython.no_gc
cdef class ExchangeBatch:
    """Exchanges that are final, in native columns.

    Attributes
    ----------
    first_exchange : int
        Number of the first row.
    exchanges : int
        Rows.
    dictionary : Dictionary
        What the codes of names and addresses mean.
    """

    def __dealloc__(self):
        if self.page != NULL:
            let_go(self.pool, self.page)

    @property
    def exchanges(self):
        return self.count

    def column(self, str name):
        """A column as a buffer, by native name."""
        cdef ExchangeColumn column = ExchangeColumn()
        cdef uint32_t width = WIDTHS[FORMATS[name]]
        if name in PRIVATE:
            raise KeyError(name)
        column.owner = self
        column.count = self.count
        column.kind = FORMATS[name]
        column.width = width
        if self.count == 0:
            column.data = <const void*>&NOTHING
        elif (name == "tcp_rtt" and self.page.rtts_known == 0) \
                or ((name == "latency_min" or name == "latency_max") and self.page.bounds_known == 0):
            column.data = <const void*>NULLS
        else:
            column.data = <const uint8_t*>(<void**>&self.page.c)[<int>ORDER.index(name)] + self.first_row * width
        return column
