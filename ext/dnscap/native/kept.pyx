"""Lookups that are kept whole: picked out of their batches, put together, and what is told of them without texts."""
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from dnscap.native.lookup_columns cimport COLUMNS_ALL, COLUMNS_RECORDS, LookupBatch, LookupRow, put_i32, put_octets
from dnscap.native.text cimport Text

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
    cdef bint good = True
    batch.have(COLUMNS_ALL)
    out.have(COLUMNS_ALL)
    for j in range(rows.shape[0]):
        if rows[j] >= batch.count:
            raise IndexError("no such row")
        good &= put_row(out, batch, rows[j])
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
