"""Lookups that are over, in native columns; see lookup_columns.pxd."""
cimport cython
from libc.stdint cimport int32_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset
from cpython.bytes cimport PyBytes_FromStringAndSize

from dnscap.native.attempts cimport Lookup
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
    memcpy(out.octets + out.size, octets, size)
    out.size += size
    return True


cdef bint write_out(LookupColumns* c, const Lookup* l) noexcept nogil:
    cdef LookupRow row
    cdef uint32_t i, at, start
    cdef uint16_t n
    cdef bint known, good = True
    memset(&row, 0, sizeof(row))
    row.lookup = l.number
    row.time = l.time
    row.duration = l.end.duration
    row.duration_min = l.end.duration_min
    row.duration_max = l.end.duration_max
    for i in range(8):
        row.budget[i] = l.end.budget[i]
    row.client[0] = l.client[0]
    row.client[1] = l.client[1]
    row.queries = l.queries
    row.wasted = l.end.wasted
    row.retransmissions = l.end.retransmissions
    row.failovers = l.end.failovers
    row.end_basis = l.end.end_basis
    row.outcome = l.end.outcome
    row.name_certain = l.end.name_certain
    row.tcp_fallback = l.end.tcp_fallback
    row.edns_fallback = l.end.edns_fallback
    row.stub = l.end.stub
    good &= put_octets(&c.rows, &row, sizeof(row))
    good &= put_octets(&c.name, l.text + l.names[l.end.name], l.end.name_size)
    good &= put_i32(&c.name_ends, c.name.size)
    i = l.end.final
    good &= put_octets(&c.final_name, l.text + l.names[i], l.names[i + 1] - l.names[i])
    good &= put_i32(&c.final_ends, c.final_name.size)
    for i in range(l.candidate_count):
        if i >= l.walk and l.walk:
            break              # the same walk again
        good &= put_octets(&c.candidates, l.text + l.names[i], l.names[i + 1] - l.names[i])
        good &= put_i32(&c.candidate_ends, c.candidates.size)
    good &= put_i32(&c.candidate_lists, c.candidate_ends.size // 4 - 1)
    start = <uint32_t>c.servers.size
    for i in range(l.attempt_count):
        known = False
        at = start
        while at < c.servers.size:
            if memcmp(c.servers.octets + at, l.attempts[i].server, 16) == 0:
                known = True
                break
            at += 16
        if not known:
            good &= put_octets(&c.servers, l.attempts[i].server, 16)
    good &= put_i32(&c.server_lists, c.servers.size // 16)
    start = <uint32_t>c.types.size
    for i in range(l.attempt_count):
        known = False
        at = start
        while at < c.types.size:
            if memcmp(c.types.octets + at, &l.attempts[i].qtype, 2) == 0:
                known = True
                break
            at += 2
        if not known:
            good &= put_octets(&c.types, &l.attempts[i].qtype, 2)
    good &= put_i32(&c.type_lists, c.types.size // 2)
    good &= put_octets(&c.causes, l.end.causes, l.end.cause_count)
    good &= put_i32(&c.cause_lists, c.causes.size)
    # Records of the name that was answered; those of other candidates led nowhere.
    at = 0
    while at < l.record_size:
        memcpy(&n, l.records + at + 2, 2)
        if l.records[at + 4] == l.end.final:
            good &= put_octets(&c.records, l.records + at, 6 + n)
        at += 6 + n
    good &= put_i32(&c.record_lists, c.records.size)
    return good


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
            if text_open(&columns[i], 256) != 0:
                raise MemoryError("no memory for lookups")
        for i in (2, 4, 6, 7, 9, 11, 13, 15):
            put_i32(&columns[i], 0)

    def __dealloc__(self):
        cdef Text* columns = <Text*>&self.columns
        cdef uint32_t i
        for i in range(sizeof(LookupColumns) // sizeof(Text)):
            text_close(&columns[i])

    def column(self, str name):
        """A native column as octets; ``rows`` holds LookupRow structs, names ending in ``ends`` or ``lists`` offsets of 4 octets."""
        cdef Text* columns = <Text*>&self.columns
        cdef Text* c = &columns[COLUMN_ORDER.index(name)]
        return PyBytes_FromStringAndSize(<char*>c.octets, c.size)

    @property
    def row_size(self):
        """Octets of a LookupRow."""
        return sizeof(LookupRow)


cdef list COLUMN_ORDER = [
    "rows", "name", "name_ends", "final_name", "final_ends", "candidates", "candidate_ends", "candidate_lists",
    "servers", "server_lists", "types", "type_lists", "causes", "cause_lists", "records", "record_lists",
]
