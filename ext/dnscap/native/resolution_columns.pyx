"""Judged resolutions in native columns; see resolution_columns.pxd."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from cpython.bytes cimport PyBytes_FromStringAndSize

from dnscap.native.resolution_state cimport ENTRY_ANSWERED, Entry
from dnscap.native.text cimport Text, text_close, text_open, text_reserve


cdef inline bint put_i32(Text* out, uint64_t number) noexcept nogil:
    cdef int32_t n = <int32_t>number
    if text_reserve(out, 4) != 0:
        return False
    memcpy(out.octets + out.size, &n, 4)
    out.size += 4
    return True


cdef inline bint put_octets(Text* out, const void* octets, size_t size) noexcept nogil:
    if text_reserve(out, size) != 0:
        return False
    if size:
        memcpy(out.octets + out.size, octets, size)
    out.size += size
    return True


cdef bint write_row(ResolutionColumns* c, const Entry* e, uint64_t number, bint seen_upstream) noexcept nogil:
    cdef ResolutionRow* row
    cdef bint good = True
    if text_reserve(&c.rows, sizeof(ResolutionRow)) != 0:
        return False
    row = <ResolutionRow*>(c.rows.octets + c.rows.size)
    c.rows.size += sizeof(ResolutionRow)
    memset(row, 0, sizeof(ResolutionRow))
    row.resolution = number
    row.exchange = e.number
    row.time = e.time
    row.latency = e.answered - e.time if e.kind & ENTRY_ANSWERED else -1
    row.client[0] = e.client[0]
    row.client[1] = e.client[1]
    row.resolver[0] = e.server[0]
    row.resolver[1] = e.server[1]
    row.probability = e.probability
    row.evidence = e.evidence
    row.ttl = e.ttl
    row.full_ttl = e.full_ttl
    row.qname = e.qname
    row.qtype = e.qtype
    row.rcode = e.rcode
    row.cache = e.cache
    row.start_depth = -1
    row.answered = e.kind & ENTRY_ANSWERED != 0
    row.outcome = e.outcome
    row.seen_upstream = seen_upstream
    if e.waited != NULL:
        row.upstream_time = e.waited.time
        row.start_depth = e.waited.start_depth
        good = put_octets(&c.upstream, e.waited.numbers, e.waited.count * sizeof(uint64_t))
    good &= put_i32(&c.upstream_lists, c.upstream.size // 8)
    return good


cdef bint copy_row(ResolutionColumns* to, const ResolutionColumns* c, uint32_t place) noexcept nogil:
    cdef const int32_t* lists = <const int32_t*>c.upstream_lists.octets
    return put_octets(&to.rows, c.rows.octets + place * sizeof(ResolutionRow), sizeof(ResolutionRow)) \
        and put_octets(&to.upstream, c.upstream.octets + <size_t>lists[place] * 8, <size_t>(lists[place + 1] - lists[place]) * 8) \
        and put_i32(&to.upstream_lists, to.upstream.size // 8)


@cython.final
cdef class ResolutionBatch:
    """Resolutions that are judged, in native columns.

    Attributes
    ----------
    count : int
        How many.
    dictionary : Dictionary
        What the codes of names mean.
    """

    def __cinit__(self):
        cdef Text* columns = <Text*>&self.columns
        cdef uint32_t i
        for i in range(sizeof(ResolutionColumns) // sizeof(Text)):
            if text_open(&columns[i], 256) != 0:
                raise MemoryError("no memory for resolutions")
        put_i32(&self.columns.upstream_lists, 0)

    def __dealloc__(self):
        cdef Text* columns = <Text*>&self.columns
        cdef uint32_t i
        for i in range(sizeof(ResolutionColumns) // sizeof(Text)):
            text_close(&columns[i])

    def column(self, str name):
        """A native column as octets; ``rows`` holds ResolutionRow structs, ``upstream_lists`` offsets of 4 octets."""
        cdef Text* columns = <Text*>&self.columns
        cdef Text* c = &columns[COLUMN_ORDER.index(name)]
        return PyBytes_FromStringAndSize(<char*>c.octets, c.size)

    def slower(self, int64_t least, uint32_t passed_over, uint32_t[::1] places not None, int64_t[::1] latencies not None):
        """Find rows whose resolver is seen to have waited for upstream, and took longer than `least` nanoseconds.

        Parameters
        ----------
        least : int
            Nanoseconds.
        passed_over : int
            Verdicts that are left out, as bits.
        places, latencies : array
            Take the rows found and their latencies; as long as the batch.

        Returns
        -------
        int
            How many.
        """
        cdef const ResolutionRow* rows = <const ResolutionRow*>self.columns.rows.octets
        cdef uint64_t i, found = 0
        if <uint64_t>places.shape[0] < self.count or <uint64_t>latencies.shape[0] < self.count:
            raise ValueError("too few places")
        with nogil:
            for i in range(self.count):
                if rows[i].latency > least and rows[i].upstream_time > 0 and rows[i].seen_upstream \
                        and passed_over >> (rows[i].cache & 31) & 1 == 0:
                    places[found] = <uint32_t>i
                    latencies[found] = rows[i].latency
                    found += 1
        return found

    def pick(self, const uint32_t[::1] places not None):
        """Some rows as a batch of their own.

        Returns
        -------
        ResolutionBatch
        """
        cdef ResolutionBatch picked = ResolutionBatch()
        cdef Py_ssize_t i
        cdef bint good = True
        picked.dictionary = self.dictionary
        for i in range(places.shape[0]):
            if places[i] >= self.count:
                raise IndexError("no such row")
            good &= copy_row(&picked.columns, &self.columns, places[i])
            picked.count += 1
        if not good:
            raise MemoryError("no memory for resolutions")
        return picked

    @property
    def last_exchange(self):
        """Exchange of the last row; 0 where there is none."""
        return (<const ResolutionRow*>self.columns.rows.octets)[self.count - 1].exchange if self.count else 0

    @property
    def row_size(self):
        """Octets of a ResolutionRow."""
        return sizeof(ResolutionRow)


cdef list COLUMN_ORDER = ["rows", "upstream", "upstream_lists"]
