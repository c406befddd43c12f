"""Names that wait for the dictionary; see message_work.pxd."""
from libc.stdint cimport uint32_t

from dnscap.native.interning cimport (
    ENTRY_ALIGN,
    NO_CODE,
    Entry,
    NameTable,
    candidate,
    entry_octets,
    intern_name,
    likely,
    prefetch,
    same_octets,
)


cdef void resolve_jobs(Work* w) noexcept nogil:
    cdef NameTable* t = w.names
    cdef NameJob* jobs = w.jobs
    cdef NameJob* j
    cdef uint32_t i
    cdef const Entry* e
    for i in range(w.job_count):
        jobs[i].ref = candidate(t, jobs[i].tag)
        # an entry is compared to its octet 40, and every second one begins in the middle of a cache line
        prefetch(t.arena + <size_t>jobs[i].ref * ENTRY_ALIGN)
        prefetch(t.arena + <size_t>jobs[i].ref * ENTRY_ALIGN + ENTRY_ALIGN)
    for i in range(w.job_count):
        j = &jobs[i]
        e = <const Entry*>(t.arena + <size_t>j.ref * ENTRY_ALIGN)
        if likely(j.ref != 0 and e.size == j.size and same_octets(entry_octets(e), j.name, j.size)):
            j.code = e.code
        elif j.size == 0:
            j.code = NO_CODE
        else:
            j.code = intern_name(t, j.name, j.size, j.tag, False)
