"""What the rooms of the message decoder share: the columns being filled, and names that wait for the dictionary."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from dnscap.native.interning cimport NameTable
from dnscap.native.message_columns cimport MessageColumns, RecordColumns

cdef enum:
    STRIDE = 128               # payloads that go through one stage after another
    MOST_JOBS = 16384          # names that wait for the dictionary
    SCRATCH_OCTETS = MOST_JOBS * 288     # far more than the largest expanded RDATA, which is checked there

cdef struct NameJob:
    const uint8_t* name        # folded
    uint32_t tag
    uint32_t size
    uint32_t ref               # candidate in the arena
    uint32_t code

cdef struct Work:
    MessageColumns columns     # without the rows of the stride in `count`
    RecordColumns records      # with them
    NameTable* names           # of the batch's dictionary
    NameJob* jobs
    uint32_t job_count
    uint32_t scratch_used
    uint8_t* scratch           # folded names of the jobs

cdef struct Stride:            # what the stages of one stride know of each payload
    uint32_t[STRIDE] at        # offset behind the question section; 0 where there is none to be found
    uint32_t[STRIDE] plain     # octets of the question name, where it is one plain name at offset 12; else 0
    uint64_t[STRIDE] hash      # of the question name; later the key of the sighting
    uint32_t[STRIDE] records   # that the header promises
    bint multicast             # whether any payload is of mDNS
    uint32_t[STRIDE] src       # tags of the addresses
    uint32_t[STRIDE] dst
    uint32_t[STRIDE] odd       # payloads that came by another way than the first, or are not whole
    uint32_t odd_count

# Give each job its code, or NO_CODE where it has no name, or a new one that is not well formed.
cdef void resolve_jobs(Work* w) noexcept nogil
