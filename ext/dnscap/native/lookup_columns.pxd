"""Lookups that are over, in native columns."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from dnscap.native.text cimport Text, text_reserve

cdef struct LookupRow:         # what of a lookup has one size; lists and texts lie in the batch's other columns
    uint64_t lookup
    int64_t time
    int64_t duration
    uint64_t[2] client
    unsigned int queries
    unsigned int wasted
    unsigned int retransmissions
    unsigned int failovers
    unsigned char end_basis
    unsigned char outcome
    unsigned char name_certain
    unsigned char tcp_fallback
    unsigned char edns_fallback
    unsigned char stub
    unsigned char[2] padding
    int64_t duration_min       # from here on plain where the answer was all that was waited for
    int64_t duration_max
    int64_t[8] budget          # by Bucket

cdef struct LookupBrief:       # what is counted of every lookup; the rest of it lies in its packed row
    int64_t time
    int64_t duration
    int64_t gap                # of its time budget
    uint64_t[2] client
    uint32_t at                # its row among the packed ones of the batch
    uint32_t queries
    uint8_t outcome
    uint8_t stub
    uint8_t candidates         # shown
    uint8_t causes
    uint8_t troubled           # something was sent again, elsewhere, or in another way
    uint8_t whole
    uint8_t[2] padding

cdef struct LookupColumns:     # lists end where the next begins: one offset a row and one more
    Text rows                  # LookupRow
    Text name                  # texts, their ends before them
    Text name_ends
    Text final_name
    Text final_ends
    Text candidates
    Text candidate_ends
    Text candidate_lists
    Text servers               # 16 octets each
    Text server_lists
    Text types                 # 2 octets each
    Text type_lists
    Text causes                # 1 octet each
    Text cause_lists
    Text records               # of answers: type (2), size (2), candidate (1), last candidate (1), rdata
    Text record_lists          # octets, 8 each

cdef enum Columns:             # what is filled together, when asked for
    COLUMNS_ROWS = 1
    COLUMNS_NAME = 2
    COLUMNS_FINAL = 4
    COLUMNS_CANDIDATES = 8
    COLUMNS_SERVERS = 16
    COLUMNS_TYPES = 32
    COLUMNS_CAUSES = 64
    COLUMNS_RECORDS = 128
    COLUMNS_ALL = 255

cdef class LookupBatch:
    cdef LookupColumns columns
    cdef readonly uint64_t count
    cdef Text packed           # the rows one after another, as in packed.pyx
    cdef uint64_t first        # number of the first of them
    cdef uint32_t filled       # Columns bits
    cdef Text briefs           # LookupBrief

    # Fill columns that are not filled yet, by Columns bits; MemoryError without memory.
    cdef int have(self, uint32_t which) except -1
    # Its lookups in brief, made when first asked for; not of rows that were picked out of batches.
    cdef const LookupBrief* brief(self) except NULL

cdef class LookupColumn:       # a view of a column, as bytes
    cdef LookupBatch owner
    cdef Text* text


# Append packed rows that follow each other, in memory and in number, to columns by Columns bits; False without memory.
cdef bint unpack(LookupColumns* c, const uint8_t* at, uint64_t number, uint64_t count, uint32_t which) noexcept nogil
# Where a packed row has its causes, and the name as the application gave it, and how many octets that has.
cdef const uint8_t* causes_at(const uint8_t* row) noexcept nogil
cdef const uint8_t* name_at(const uint8_t* row, uint32_t* size) noexcept nogil


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
