"""Durations counted on a log scale, one histogram a row: only the octaves that a row has durations in take memory."""
from libc.stdint cimport int64_t, uint16_t, uint32_t

from dnscap.native.interning cimport prefetch

cdef enum:
    PARTS = 16                 # buckets an octave (dnscap/tables/histogram.py)
    OCTAVES = 28
    BUCKETS = PARTS * OCTAVES
    STEPS = 16                 # parts of a power of two in which the search for a bucket begins

cdef class Scale:
    cdef int64_t[BUCKETS] least          # duration of each bucket
    cdef uint16_t[64 * STEPS] start      # bucket of the least duration of each part of each power of two

    cdef inline uint32_t bucket_of(self, int64_t duration) noexcept nogil:
        """Bucket of a duration in nanoseconds."""
        cdef uint32_t at
        if duration < self.least[1]:
            return 0
        at = self.start[part_of(duration)]
        while at + 1 < BUCKETS and duration >= self.least[at + 1]:
            at += 1
        return at

cdef class Histograms:
    cdef uint32_t* places      # by row and octave: number of its block, 0 none
    cdef uint32_t* blocks      # of PARTS counters each; block 0 is not used
    cdef uint32_t rows
    cdef uint32_t room         # rows that places has room for
    cdef uint32_t used         # blocks, the first included
    cdef uint32_t block_room
    cdef readonly Scale scale

    cdef bint open_block(self, uint32_t* place) noexcept nogil

    cdef inline void expect(self, uint32_t row, uint32_t bucket) noexcept nogil:
        """Have a counter of a row that there is on its way from memory."""
        prefetch(&self.blocks[<size_t>self.places[<size_t>row * OCTAVES + bucket // PARTS] * PARTS])

    cdef inline bint note(self, uint32_t row, uint32_t bucket) noexcept nogil:
        """Count a duration of a row that there is; False without memory."""
        cdef uint32_t* place = &self.places[<size_t>row * OCTAVES + bucket // PARTS]
        if place[0] == 0 and not self.open_block(place):
            return False
        self.blocks[<size_t>place[0] * PARTS + bucket % PARTS] += 1
        return True

cdef extern from *:
    """
    static inline unsigned dnscap_part_of(long long duration) {
        unsigned power = 63u - (unsigned)__builtin_clzll((unsigned long long)duration | 16);
        return power * 16u + ((unsigned)(duration >> (power - 4)) & 15u);
    }
    """
    uint32_t part_of "dnscap_part_of" (int64_t duration) noexcept nogil
