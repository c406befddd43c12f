"""Resolutions counted by resolver for a report: what caches saved, and how long answers took with them and without."""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset
from cpython.bytes cimport PyBytes_FromStringAndSize

import os

from dnscap.native.histograms cimport BUCKETS, Scale
from dnscap.native.lookup_index cimport hash_client
from dnscap.native.resolution_columns cimport ResolutionBatch, ResolutionRow

cdef enum:
    WORDS = 16                 # numbers that `cache` may have
    MOST_DEPTHS = 64
    FIRST_ROOM = 4

cdef enum Kind:                # of a verdict
    CACHED = 1                 # out of the cache
    ASKED = 2                  # waited for what was asked upstream
    WALKED = 4                 # of the resolver itself

cdef struct Course:            # of one resolver
    uint64_t[2] address
    uint64_t[WORDS] verdicts
    uint64_t[WORDS] inferred
    uint64_t answered          # seen from one side alone
    double certainty
    int64_t waited
    int64_t[BUCKETS] cached
    int64_t[BUCKETS] asked


@cython.final
cdef class CacheCourses:
    """Counts of each resolver, in the order in which they first came.

    Parameters
    ----------
    scale : Scale
        Buckets of durations.
    limit : int
        Resolvers told apart; further ones are left out.
    kinds : array of uint8
        Of each verdict, bits: 1 out of the cache, 2 waited for upstream, 4 for a walk of the resolver itself.
    """
    cdef Course* courses
    cdef uint32_t* slots       # number of the resolver, and 1; 0 free
    cdef uint32_t mask
    cdef uint32_t count
    cdef uint32_t room
    cdef uint32_t limit
    cdef uint64_t seed
    cdef uint8_t[WORDS] kinds
    cdef Scale scale

    def __cinit__(self, Scale scale not None, uint32_t limit, const uint8_t[::1] kinds not None):
        cdef uint32_t i
        if not 0 < limit <= 1 << 16 or kinds.shape[0] > WORDS:
            raise ValueError("limits of another kind")
        self.limit = limit
        self.scale = scale
        memset(self.kinds, 0, sizeof(self.kinds))
        for i in range(<uint32_t>kinds.shape[0]):
            self.kinds[i] = kinds[i]
        self.mask = 1
        while self.mask < 2 * limit:
            self.mask = self.mask * 2 + 1
        self.seed = <uint64_t>int.from_bytes(os.urandom(8), "little")
        self.slots = <uint32_t*>calloc(<size_t>self.mask + 1, sizeof(uint32_t))
        if self.slots == NULL:
            raise MemoryError("no memory to count")

    def __dealloc__(self):
        free(self.courses)
        free(self.slots)

    def __len__(self):
        return self.count

    cdef Course* of(self, const uint64_t* address, bint* failed) noexcept nogil:
        """Counts of a resolver; NULL where there is no room for it, or no memory."""
        cdef uint32_t at = <uint32_t>hash_client(self.seed, address) & self.mask, room
        cdef Course* found
        while self.slots[at]:
            found = &self.courses[self.slots[at] - 1]
            if found.address[0] == address[0] and found.address[1] == address[1]:
                return found
            at = (at + 1) & self.mask
        if self.count >= self.limit:
            return NULL
        if self.count == self.room:
            room = self.room * 2 if self.room else FIRST_ROOM
            found = <Course*>realloc(self.courses, <size_t>room * sizeof(Course))
            if found == NULL:
                failed[0] = True
                return NULL
            self.courses = found
            self.room = room
        found = &self.courses[self.count]
        memset(found, 0, sizeof(Course))
        found.address[0] = address[0]
        found.address[1] = address[1]
        self.count += 1
        self.slots[at] = self.count
        return found

    cdef inline void note(self, Course* c, const ResolutionRow* r) noexcept nogil:
        cdef uint8_t kind = self.kinds[r.cache % WORDS]
        if r.seen_upstream:
            c.verdicts[r.cache % WORDS] += 1
            if r.latency < 0:
                return
            if kind & CACHED:
                c.cached[self.scale.bucket_of(r.latency)] += 1
            if kind & ASKED:
                c.asked[self.scale.bucket_of(r.latency)] += 1
                c.waited += r.latency
        elif r.latency >= 0:
            c.answered += 1
            c.inferred[r.cache % WORDS] += 1
            c.certainty += r.probability

    def feed(self, ResolutionBatch batch not None, int64_t[::1] depths not None, int64_t[:, ::1] depth_times not None):
        """Count a batch.

        Parameters
        ----------
        batch : ResolutionBatch
            Rows to count.
        depths : array
            A counter for each number of labels that a walk may begin at, the last one for all others.
        depth_times : array
            For each of them, durations by bucket.
        """
        cdef const ResolutionRow* rows = <const ResolutionRow*>batch.columns.rows.octets
        cdef const ResolutionRow* r
        cdef Course* found = NULL
        cdef uint64_t i
        cdef Py_ssize_t depth, last = depths.shape[0] - 1
        cdef bint failed = False
        if not 0 <= last < MOST_DEPTHS or depth_times.shape[0] != depths.shape[0] or depth_times.shape[1] != BUCKETS:
            raise ValueError("depths of another kind")
        with nogil:
            for i in range(batch.count):
                r = &rows[i]
                if found == NULL or found.address[0] != r.resolver[0] or found.address[1] != r.resolver[1]:
                    found = self.of(r.resolver, &failed)
                if found != NULL:
                    self.note(found, r)
                if r.seen_upstream and r.latency >= 0 and self.kinds[r.cache % WORDS] & WALKED:
                    depth = r.start_depth if 0 <= r.start_depth < last else last
                    depths[depth] += 1
                    depth_times[depth, self.scale.bucket_of(r.latency)] += 1
        if failed:
            raise MemoryError("no memory to count")

    def resolver(self, uint32_t number, int64_t[::1] cached not None, int64_t[::1] asked not None):
        """Counts of one resolver by its number; durations are added to `cached` and `asked`.

        Returns
        -------
        tuple
            Address (16 octets), queries by verdict seen and inferred, answers seen from one side alone, the sum of
            their probabilities, and nanoseconds waited for upstream.
        """
        cdef const Course* c
        cdef uint32_t i
        if number >= self.count:
            raise IndexError("no such resolver")
        if cached.shape[0] != BUCKETS or asked.shape[0] != BUCKETS:
            raise ValueError("a scale of another length")
        c = &self.courses[number]
        for i in range(BUCKETS):
            cached[i] += c.cached[i]
            asked[i] += c.asked[i]
        return (
            PyBytes_FromStringAndSize(<const char*>c.address, 16),
            [c.verdicts[i] for i in range(WORDS)],
            [c.inferred[i] for i in range(WORDS)],
            c.answered,
            c.certainty,
            c.waited,
        )
