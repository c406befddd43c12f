"""Lookups that are kept whole, with their exchanges; see kept.pxd."""
cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from dnscap.native.exchange_rows cimport ExchangeBatch, RowColumns
from dnscap.native.exchanges cimport NO_LOOKUP
from dnscap.native.key_tables cimport enter, slot_of, table_close, table_open
from dnscap.native.lookup_columns cimport COLUMNS_ALL, COLUMNS_RECORDS, LookupBatch, LookupRow, put_i32, put_octets, unpack
from dnscap.native.packed cimport Head
from dnscap.native.text cimport Text, text_close, text_open

cdef enum:
    CNAME = 5
    HEAD = 6                   # octets before the RDATA of a record: type, size, candidate, last candidate


cdef inline bint put_part(Text* to, Text* to_ends, const Text* part, const Text* ends, uint64_t i, size_t width) noexcept nogil:
    """Append list `i` of a column, of values of `width` octets."""
    cdef const int32_t* e = <const int32_t*>ends.octets
    return put_octets(to, part.octets + e[i] * width, (e[i + 1] - e[i]) * width) and put_i32(to_ends, to.size // width)


cdef bint put_row(LookupBatch out, LookupBatch batch, uint64_t i) noexcept nogil:
    """Append a row; False without memory."""
    cdef int32_t k
    cdef const int32_t* lists = <const int32_t*>batch.columns.candidate_lists.octets
    cdef bint good = put_octets(&out.columns.rows, batch.columns.rows.octets + i * sizeof(LookupRow), sizeof(LookupRow))
    good &= put_part(&out.columns.name, &out.columns.name_ends, &batch.columns.name, &batch.columns.name_ends, i, 1)
    good &= put_part(&out.columns.final_name, &out.columns.final_ends, &batch.columns.final_name, &batch.columns.final_ends, i, 1)
    for k in range(lists[i], lists[i + 1]):
        good &= put_part(&out.columns.candidates, &out.columns.candidate_ends, &batch.columns.candidates,
                         &batch.columns.candidate_ends, k, 1)
    good &= put_i32(&out.columns.candidate_lists, out.columns.candidate_ends.size // 4 - 1)
    good &= put_part(&out.columns.servers, &out.columns.server_lists, &batch.columns.servers, &batch.columns.server_lists, i, 16)
    good &= put_part(&out.columns.types, &out.columns.type_lists, &batch.columns.types, &batch.columns.type_lists, i, 2)
    good &= put_part(&out.columns.causes, &out.columns.cause_lists, &batch.columns.causes, &batch.columns.cause_lists, i, 1)
    good &= put_part(&out.columns.records, &out.columns.record_lists, &batch.columns.records, &batch.columns.record_lists, i, 1)
    out.count += 1
    return good


def pick(LookupBatch batch not None, const uint32_t[::1] rows not None):
    """Some rows of a batch as a batch of their own.

    Returns
    -------
    LookupBatch
    """
    cdef LookupBatch out = LookupBatch()
    cdef Py_ssize_t j
    cdef uint64_t i = 0
    cdef const uint8_t* at = batch.packed.octets
    cdef bint good = True
    out.have(COLUMNS_ALL)
    for j in range(rows.shape[0]):
        if rows[j] >= batch.count:
            raise IndexError("no such row")
        if at == NULL:         # a batch that was picked or joined itself
            good &= put_row(out, batch, rows[j])
            continue
        # The columns of a few rows are no reason to make those of all.
        if rows[j] < i:
            i = 0
            at = batch.packed.octets
        while i < rows[j]:
            at += (<const Head*>at).size
            i += 1
        good &= unpack(&out.columns, at, batch.first + i, 1, COLUMNS_ALL)
        out.count += 1
    if not good:
        raise MemoryError("no memory for lookups")
    return out


def join(list batches not None):
    """The rows of several batches as one.

    Returns
    -------
    LookupBatch
    """
    cdef LookupBatch out = LookupBatch()
    cdef LookupBatch batch
    cdef uint64_t i
    cdef bint good = True
    out.have(COLUMNS_ALL)
    for batch in batches:
        batch.have(COLUMNS_ALL)
        for i in range(batch.count):
            good &= put_row(out, batch, i)
    if not good:
        raise MemoryError("no memory for lookups")
    return out


def count_aliases(LookupBatch batch not None, uint32_t[::1] out not None):
    """Fill `out` with how many aliases the answer records of each row hold."""
    cdef const uint8_t* octets
    cdef const int32_t* ends
    cdef uint64_t i, at, end
    cdef uint16_t kind, size
    if <uint64_t>out.shape[0] < batch.count:
        raise ValueError("too few places for the rows of the batch")
    batch.have(COLUMNS_RECORDS)
    octets = batch.columns.records.octets
    ends = <const int32_t*>batch.columns.record_lists.octets
    with nogil:
        for i in range(batch.count):
            out[i] = 0
            at = <uint64_t>ends[i]
            end = <uint64_t>ends[i + 1]
            while at + HEAD <= end:
                memcpy(&kind, octets + at, 2)
                memcpy(&size, octets + at + 2, 2)
                out[i] += kind == CNAME
                at += HEAD + size


@cython.final
cdef class KeptExchanges:
    """Exchanges of the lookups that are kept, each copied out of its page.

    Parameters
    ----------
    most : int
        Exchanges kept in all.
    most_each : int
        Exchanges kept of one lookup.

    Attributes
    ----------
    passed_over : int
        Exchanges that were not kept because there are enough in all.
    """

    def __cinit__(self, uint32_t most, uint32_t most_each):
        self.most = most
        self.most_each = most_each
        self.table = table_open()
        if text_open(&self.rows, 256) != 0:
            raise MemoryError("no memory for exchanges")

    def __dealloc__(self):
        table_close(self.table)
        text_close(&self.rows)
        free(self.counts)

    def __len__(self):
        return self.rows.size // sizeof(KeptExchange)

    @property
    def row_size(self):
        """Octets of a KeptExchange."""
        return sizeof(KeptExchange)

    def follow(self, const uint64_t[::1] lookups not None):
        """Keep the exchanges of these lookups from now on."""
        cdef Py_ssize_t i
        cdef uint32_t room
        cdef uint32_t* counts
        for i in range(lookups.shape[0]):
            if self.table.count >= self.room:
                room = self.room * 2 + 256
                counts = <uint32_t*>realloc(self.counts, <size_t>room * sizeof(uint32_t))
                if counts == NULL:
                    raise MemoryError("no memory for exchanges")
                self.counts = counts
                self.room = room
            self.counts[self.table.count] = 0
            if enter(self.table, lookups[i]) < 0:
                raise MemoryError("no memory for exchanges")

    def feed(self, ExchangeBatch batch not None):
        """Take those of a batch that belong to a lookup that is kept."""
        cdef RowColumns c = batch.page.c
        cdef KeptExchange row
        cdef uint32_t i, k, at
        cdef uint32_t* count
        cdef bint good = True
        memset(&row, 0, sizeof(row))
        with nogil:
            for i in range(batch.count):
                k = batch.first_row + i
                if c.lookup[k] == NO_LOOKUP:
                    continue
                at = self.table.slots[slot_of(self.table, c.lookup[k])]
                if not at:
                    continue
                count = &self.counts[at - 1]
                if count[0] >= self.most_each:
                    continue
                if self.rows.size // sizeof(KeptExchange) >= self.most:
                    self.passed_over += 1
                    continue
                count[0] += 1
                row.exchange = batch.first_exchange + i
                row.lookup = c.lookup[k]
                row.time = c.time[k]
                row.latency = c.latency[k]
                row.tcp_rtt = c.tcp_rtt[k] if k < batch.page.rtts_known else -1
                row.query_frame = c.query_frame[k]
                row.response_frame = c.response_frame[k]
                row.query = c.query[k]
                row.response = c.response[k]
                row.server = c.server[k]
                row.qname = c.qname[k]
                row.transmission = c.transmission[k]
                row.client_port = c.client_port[k]
                row.id = c.id[k]
                row.qtype = c.qtype[k]
                row.flags = c.flags[k]
                row.outcome = c.outcome[k]
                row.transport = c.transport[k]
                row.role = c.role[k]
                good &= put_octets(&self.rows, &row, sizeof(row))
        if not good:
            raise MemoryError("no memory for exchanges")

    def taken(self):
        """What was kept since this was called last, as octets of KeptExchange structs."""
        cdef bytes octets = PyBytes_FromStringAndSize(<char*>self.rows.octets, <Py_ssize_t>self.rows.size)
        self.most -= min(self.most, <uint32_t>(self.rows.size // sizeof(KeptExchange)))
        self.rows.size = 0
        return octets

    def make_room(self, uint32_t rows):
        """So many of the rows that were taken are no longer kept."""
        self.most += rows
