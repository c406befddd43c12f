"""What a response says of names: jobs for the table, planned message by message and carried out block by block."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from dnscap.native.message_columns cimport MessageColumns, RecordColumns
from dnscap.native.names_codes cimport Codes
from dnscap.native.names_table cimport SeenTable

cdef enum:
    BLOCK = 256                    # jobs a block
    BLOCK_ROOM = BLOCK + 64        # a message may begin in a block that it then overfills

cdef struct Job:
    uint64_t key
    uint64_t value                 # hash of an RRset
    uint32_t tag                   # hash of the key
    uint32_t place                 # of the row, + 1; 0 none
    uint32_t message               # row of the batch
    uint32_t start                 # records
    uint32_t end
    uint32_t zone                  # of negative answers: own code; NO_CODE without SOA
    uint32_t negative_ttl
    uint8_t kind

cdef struct Tally:
    SeenTable table
    Codes codes
    uint32_t most_rows
    uint64_t rows_dropped          # answers about names that are not followed
    uint64_t values_dropped        # values not kept
    uint64_t responses

# Jobs out of one response with the records start:end; how many.
cdef uint32_t plan(Tally* tally, const MessageColumns* c, const RecordColumns* q, uint32_t r, uint32_t start, uint32_t end,
                   Job* jobs) noexcept nogil
cdef void carry_out(Tally* tally, const MessageColumns* c, const RecordColumns* q, Job* jobs, uint32_t count) noexcept nogil
