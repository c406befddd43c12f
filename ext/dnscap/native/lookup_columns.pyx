"""Lookups that are over, in native columns; see lookup_columns.pxd."""
cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from dnscap.native.attempts cimport BUCKET_ANSWER, BUCKET_GAP
from dnscap.native.packed cimport Head, Rest, rest_of
from dnscap.native.text cimport Text, text_close, text_open, text_reserve


cdef bint unpack(LookupColumns* c, const uint8_t* at, uint64_t number, uint64_t count, uint32_t which) noexcept nogil:
    cdef const uint8_t* list
    cdef const uint8_t* text
    cdef const Head* head
    cdef const Rest* rest
    cdef LookupRow* row = NULL
    cdef uint32_t[34] names
    cdef uint32_t i
    cdef uint16_t n
    cdef uint64_t end = number + count
    cdef bint good = True
    names[0] = 0
    if which & COLUMNS_ROWS:
        if text_reserve(&c.rows, count * sizeof(LookupRow)) != 0:
            return False
        row = <LookupRow*>(c.rows.octets + c.rows.size)
        c.rows.size += count * sizeof(LookupRow)
    while number < end:
        head = <const Head*>at
        list = at + sizeof(Head)
        at += head.size
        if which & COLUMNS_ROWS:
            row.lookup = number
            row.time = head.time
            row.client[0] = head.client[0]
            row.client[1] = head.client[1]
            row.queries = head.queries
            row.end_basis = head.end_basis
            row.outcome = head.outcome
            row.name_certain = head.name_certain
            row.tcp_fallback = head.tcp_fallback
            row.edns_fallback = head.edns_fallback
            row.stub = head.stub
            row.padding[0] = row.padding[1] = 0
            if head.whole:
                rest = <const Rest*>list
                row.duration = rest.duration
                row.duration_min = rest.duration_min
                row.duration_max = rest.duration_max
                memcpy(row.budget, rest.budget, sizeof(row.budget))
                row.wasted = rest.wasted
                row.retransmissions = rest.retransmissions
                row.failovers = rest.failovers
            else:
                row.duration = row.duration_min = row.duration_max = head.duration
                memset(row.budget, 0, sizeof(row.budget))
                row.budget[BUCKET_ANSWER] = head.duration
                row.wasted = row.retransmissions = row.failovers = 0
            row += 1
        number += 1
        if not which & ~<uint32_t>COLUMNS_ROWS:
            continue
        if head.whole:
            list += sizeof(Rest)
        for i in range(head.candidates):
            memcpy(&n, list, 2)
            names[i + 1] = names[i] + n
            list += 2
        text = list
        list += names[head.candidates]
        if which & COLUMNS_NAME:
            good &= put_octets(&c.name, text + names[head.name], head.name_size)
            good &= put_i32(&c.name_ends, c.name.size)
        if which & COLUMNS_FINAL:
            good &= put_octets(&c.final_name, text + names[head.final], names[head.final + 1] - names[head.final])
            good &= put_i32(&c.final_ends, c.final_name.size)
        if which & COLUMNS_CANDIDATES:
            for i in range(head.shown):
                good &= put_octets(&c.candidates, text + names[i], names[i + 1] - names[i])
                good &= put_i32(&c.candidate_ends, c.candidates.size)
            good &= put_i32(&c.candidate_lists, c.candidate_ends.size // 4 - 1)
        if which & COLUMNS_SERVERS:
            good &= put_octets(&c.servers, list, 16 * <size_t>head.servers)
            good &= put_i32(&c.server_lists, c.servers.size // 16)
        list += 16 * <size_t>head.servers
        if which & COLUMNS_TYPES:
            good &= put_octets(&c.types, list, 2 * <size_t>head.types)
            good &= put_i32(&c.type_lists, c.types.size // 2)
        list += 2 * <size_t>head.types
        if which & COLUMNS_CAUSES:
            good &= put_octets(&c.causes, list, head.causes)
            good &= put_i32(&c.cause_lists, c.causes.size)
        list += head.causes
        if which & COLUMNS_RECORDS:
            good &= put_octets(&c.records, list, head.record_size)
            good &= put_i32(&c.record_lists, c.records.size)
    return good


cdef inline const uint8_t* names_at(const uint8_t* row) noexcept nogil:
    """Sizes of the candidates' names; the names follow."""
    return row + sizeof(Head) + (sizeof(Rest) if (<const Head*>row).whole else 0)


cdef inline uint32_t octets_of(const uint8_t* sizes, uint32_t names) noexcept nogil:
    """Octets of the first so many names."""
    cdef uint32_t i, octets = 0
    cdef uint16_t n
    for i in range(names):
        memcpy(&n, sizes + 2 * i, 2)
        octets += n
    return octets


cdef const uint8_t* causes_at(const uint8_t* row) noexcept nogil:
    cdef const Head* head = <const Head*>row
    cdef const uint8_t* sizes = names_at(row)
    return sizes + 2 * head.candidates + octets_of(sizes, head.candidates) + 16 * <size_t>head.servers + 2 * <size_t>head.types


cdef const uint8_t* name_at(const uint8_t* row, uint32_t* size) noexcept nogil:
    cdef const Head* head = <const Head*>row
    cdef const uint8_t* sizes = names_at(row)
    size[0] = head.name_size
    return sizes + 2 * head.candidates + octets_of(sizes, head.name)


cdef void tell_briefly(const uint8_t* rows, uint64_t count, LookupBrief* b) noexcept nogil:
    cdef uint64_t _i
    cdef size_t at = 0
    cdef const Head* head
    cdef const Rest* rest
    for _i in range(count):
        head = <const Head*>(rows + at)
        b.time = head.time
        b.duration = head.duration
        b.gap = 0
        b.client[0] = head.client[0]
        b.client[1] = head.client[1]
        b.at = <uint32_t>at
        b.queries = head.queries
        b.outcome = head.outcome
        b.stub = head.stub
        b.candidates = head.shown
        b.causes = head.causes
        b.troubled = head.edns_fallback or head.tcp_fallback
        b.whole = head.whole
        if head.whole:
            rest = rest_of(rows + at)
            b.duration = rest.duration
            b.gap = rest.budget[BUCKET_GAP]
            b.troubled |= rest.retransmissions or rest.failovers
        at += head.size
        b += 1


@cython.final
cdef class LookupColumn:
    """Octets of a column, as a buffer that keeps its batch alive."""

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        PyBuffer_FillInfo(buffer, self, <void*>self.text.octets, <Py_ssize_t>self.text.size, 1, flags)

    def __releasebuffer__(self, Py_buffer* buffer):
        pass


@cython.final
cdef class LookupBatch:
    """Lookups that are over, in native columns.

    Attributes
    ----------
    count : int
        How many.
    """

    def __cinit__(self):
        cdef Text* columns = <Text*>&self.columns
        cdef uint32_t i
        for i in range(sizeof(LookupColumns) // sizeof(Text)):
            if text_open(&columns[i], 64) != 0:
                raise MemoryError("no memory for lookups")
        for i in (2, 4, 6, 7, 9, 11, 13, 15):
            put_i32(&columns[i], 0)

    def __dealloc__(self):
        cdef Text* columns = <Text*>&self.columns
        cdef uint32_t i
        text_close(&self.packed)
        text_close(&self.briefs)
        for i in range(sizeof(LookupColumns) // sizeof(Text)):
            text_close(&columns[i])

    cdef int have(self, uint32_t which) except -1:
        cdef uint32_t missing = which & ~self.filled
        if not missing:
            return 0
        # The columns before a failure would not do for a second try.
        self.filled |= missing
        if not unpack(&self.columns, self.packed.octets, self.first, self.count, missing):
            raise MemoryError("no memory for lookups")
        return 0

    cdef const LookupBrief* brief(self) except NULL:
        if self.briefs.octets == NULL:
            if self.count and self.packed.octets == NULL:
                raise ValueError("rows that were picked are not told in brief")
            if text_reserve(&self.briefs, (self.count + 1) * sizeof(LookupBrief)) != 0:
                raise MemoryError("no memory for lookups")
            with nogil:
                tell_briefly(self.packed.octets, self.count, <LookupBrief*>self.briefs.octets)
        return <const LookupBrief*>self.briefs.octets

    def column(self, str name):
        """A native column as a buffer of octets, filled when it is asked for.

        ``rows`` holds LookupRow structs, names ending in ``ends`` or ``lists`` offsets of 4 octets.
        """
        cdef Text* columns = <Text*>&self.columns
        cdef LookupColumn column = LookupColumn()
        cdef uint32_t i = COLUMN_ORDER.index(name)
        self.have(FILLED_WITH[i])
        column.owner = self
        column.text = &columns[i]
        return memoryview(column)

    @property
    def first_lookup(self):
        """Number of the first lookup; of rows that were picked, 0."""
        return self.first

    @property
    def row_size(self):
        """Octets of a LookupRow."""
        return sizeof(LookupRow)


cdef list COLUMN_ORDER = [
    "rows", "name", "name_ends", "final_name", "final_ends", "candidates", "candidate_ends", "candidate_lists",
    "servers", "server_lists", "types", "type_lists", "causes", "cause_lists", "records", "record_lists",
]

cdef uint32_t[16] FILLED_WITH
FILLED_WITH[:] = [
    COLUMNS_ROWS, COLUMNS_NAME, COLUMNS_NAME, COLUMNS_FINAL, COLUMNS_FINAL, COLUMNS_CANDIDATES, COLUMNS_CANDIDATES, COLUMNS_CANDIDATES,
    COLUMNS_SERVERS, COLUMNS_SERVERS, COLUMNS_TYPES, COLUMNS_TYPES, COLUMNS_CAUSES, COLUMNS_CAUSES, COLUMNS_RECORDS, COLUMNS_RECORDS,
]
