"""Histograms of durations on a log scale; see histograms.pxd.

A row of all buckets takes 1,792 octets, and most clients and servers have durations in few octaves: their blocks alone
are kept, each as large as a cache line.  What a row has at most is what it would have had whole, and a sixteenth more.
"""
cimport cython
from libc.math cimport pow
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset


@cython.final
cdef class Scale:
    """Buckets of durations by the least duration of each.

    Parameters
    ----------
    least : array of int64
        Nanoseconds, rising; what is less than the second falls into the first bucket.
    """

    def __cinit__(self, const int64_t[::1] least not None):
        cdef uint32_t power, step, at = 0
        cdef int64_t duration
        if least.shape[0] != BUCKETS:
            raise ValueError("a scale of another length")
        for step in range(BUCKETS):
            if step > 1 and least[step] <= least[step - 1]:
                raise ValueError("buckets that do not rise")
            self.least[step] = least[step]
        for power in range(4, 63):
            for step in range(STEPS):
                duration = <int64_t>1 << power | <int64_t>step << (power - 4)
                while at + 1 < BUCKETS and duration >= self.least[at + 1]:
                    at += 1
                self.start[power * STEPS + step] = at

    def buckets(self, const int64_t[::1] durations not None, int64_t[::1] out not None):
        """Fill `out` with the bucket of each duration."""
        cdef Py_ssize_t i
        if out.shape[0] < durations.shape[0]:
            raise ValueError("too few places for the buckets")
        with nogil:
            for i in range(durations.shape[0]):
                out[i] = self.bucket_of(durations[i])


@cython.final
cdef class Histograms:
    """One histogram a row number; rows are added as numbers appear.

    Parameters
    ----------
    scale : Scale
        Its buckets.
    """

    def __cinit__(self, Scale scale not None):
        self.scale = scale
        self.used = 1

    def __dealloc__(self):
        free(self.places)
        free(self.blocks)

    def __len__(self):
        return self.rows

    cdef bint open_block(self, uint32_t* place) noexcept nogil:
        cdef uint32_t room
        cdef uint32_t* blocks
        if self.used >= self.block_room:
            if self.block_room >= 1 << 30:
                return False
            room = self.block_room + self.block_room // 2 + 64
            blocks = <uint32_t*>realloc(self.blocks, <size_t>room * PARTS * sizeof(uint32_t))
            if blocks == NULL:
                return False
            self.blocks = blocks
            self.block_room = room
        memset(&self.blocks[<size_t>self.used * PARTS], 0, PARTS * sizeof(uint32_t))
        place[0] = self.used
        self.used += 1
        return True

    def grow(self, uint32_t rows):
        """Make room for so many rows."""
        cdef uint32_t room
        cdef uint32_t* places
        if rows <= self.rows:
            return
        if rows > self.room:
            room = max(rows, self.room + self.room // 2)
            places = <uint32_t*>realloc(self.places, <size_t>room * OCTAVES * sizeof(uint32_t))
            if places == NULL:
                raise MemoryError("no memory to count")
            self.places = places
            self.room = room
        memset(&self.places[<size_t>self.rows * OCTAVES], 0, <size_t>(rows - self.rows) * OCTAVES * sizeof(uint32_t))
        self.rows = rows

    def add(self, const int64_t[::1] rows not None, const int64_t[::1] durations not None, uint32_t row_count):
        """Count durations (nanoseconds) in the histograms of their rows, of which there are `row_count`."""
        cdef Py_ssize_t i
        cdef bint good = True
        if durations.shape[0] < rows.shape[0]:
            raise ValueError("rows without a duration")
        self.grow(row_count)
        with nogil:
            for i in range(rows.shape[0]):
                if 0 <= rows[i] < self.rows:
                    good &= self.note(<uint32_t>rows[i], self.scale.bucket_of(durations[i]))
        if not good:
            raise MemoryError("no memory to count")

    def merge(self, Histograms other not None, const int64_t[::1] places not None):
        """Add the rows of other histograms, each to the row that `places` names; further ones to the last named."""
        cdef uint32_t i, octave, part, block
        cdef uint32_t* place
        cdef int64_t row
        if places.shape[0] == 0:
            return
        for i in range(other.rows):
            row = places[min(i, <uint32_t>places.shape[0] - 1)]
            if row < 0 or row >= self.rows:
                continue
            for octave in range(OCTAVES):
                block = other.places[<size_t>i * OCTAVES + octave]
                if block == 0:
                    continue
                place = &self.places[<size_t>row * OCTAVES + octave]
                if place[0] == 0 and not self.open_block(place):
                    raise MemoryError("no memory to count")
                for part in range(PARTS):
                    self.blocks[<size_t>place[0] * PARTS + part] += other.blocks[<size_t>block * PARTS + part]

    def row(self, uint32_t row, int64_t[::1] out not None):
        """Fill `out` with the counters of a row."""
        cdef uint32_t octave, part, block
        if row >= self.rows or out.shape[0] < BUCKETS:
            raise ValueError("no such row, or too few places for its counters")
        for octave in range(OCTAVES):
            block = self.places[<size_t>row * OCTAVES + octave]
            for part in range(PARTS):
                out[octave * PARTS + part] = self.blocks[<size_t>block * PARTS + part] if block else 0

    def percentile(self, uint32_t row, double share):
        """Nanoseconds that `share` of a row's durations do not exceed; None where it has none."""
        cdef uint64_t total = 0, reached = 0, count = 0
        cdef uint32_t octave, part, block
        cdef double wanted, within
        if row >= self.rows:
            return None
        for octave in range(OCTAVES):
            block = self.places[<size_t>row * OCTAVES + octave]
            if block:
                for part in range(PARTS):
                    total += self.blocks[<size_t>block * PARTS + part]
        if total == 0:
            return None
        wanted = share * total
        for octave in range(OCTAVES):
            block = self.places[<size_t>row * OCTAVES + octave]
            if not block:
                continue
            for part in range(PARTS):
                count = self.blocks[<size_t>block * PARTS + part]
                if count and reached + count >= wanted:
                    within = (wanted - reached) / count
                    return int(1000.0 * pow(2.0, (octave * PARTS + part + min(max(within, 0.0), 1.0)) / PARTS))
                reached += count
        return None
