"""Resolutions counted by resolver: where answers came from, what was noticed, and a few examples of each."""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from cpython.bytes cimport PyBytes_FromStringAndSize

import os

from dnscap.native.lookup_index cimport hash_client
from dnscap.native.resolution_columns cimport ResolutionBatch, ResolutionRow

cdef enum:
    WORDS = 16                 # numbers that `cache` may have
    MOST_SIGNS = 8
    MOST_EXAMPLES = 8

cdef struct Counted:           # of one resolver
    uint64_t[2] address
    uint64_t[WORDS] caches
    uint64_t[MOST_SIGNS] signs
    uint64_t[MOST_SIGNS * MOST_EXAMPLES] examples


@cython.final
cdef class CacheCounts:
    """Counts of each resolver, in the order in which they first came.

    Parameters
    ----------
    limit : int
        Resolvers told apart; further ones are left out.
    caches : array of uint8
        Of each sign the verdict that goes with it; 255 any.
    evidence : array of uint32
        Of each sign the evidence that goes with it, as bits.
    """
    cdef Counted* counted
    cdef uint32_t* slots       # number of the resolver, and 1; 0 free
    cdef uint32_t mask
    cdef uint32_t count
    cdef uint32_t limit
    cdef uint32_t signs
    cdef uint64_t seed
    cdef uint8_t[MOST_SIGNS] caches
    cdef uint32_t[MOST_SIGNS] evidence

    def __cinit__(self, uint32_t limit, const uint8_t[::1] caches not None, const uint32_t[::1] evidence not None):
        cdef uint32_t i
        if not 0 < limit <= 1 << 16 or caches.shape[0] > MOST_SIGNS or caches.shape[0] != evidence.shape[0]:
            raise ValueError("limits of another kind")
        self.limit = limit
        self.signs = <uint32_t>caches.shape[0]
        for i in range(self.signs):
            self.caches[i] = caches[i]
            self.evidence[i] = evidence[i]
        self.mask = 1
        while self.mask < 2 * limit:
            self.mask = self.mask * 2 + 1
        self.seed = <uint64_t>int.from_bytes(os.urandom(8), "little")
        self.counted = <Counted*>calloc(limit, sizeof(Counted))
        self.slots = <uint32_t*>calloc(<size_t>self.mask + 1, sizeof(uint32_t))
        if self.counted == NULL or self.slots == NULL:
            raise MemoryError("no memory to count")

    def __dealloc__(self):
        free(self.counted)
        free(self.slots)

    def __len__(self):
        return self.count

    cdef Counted* of(self, const uint64_t* address) noexcept nogil:
        """Counts of a resolver; NULL where there is no room for it."""
        cdef uint32_t at = <uint32_t>hash_client(self.seed, address) & self.mask
        cdef Counted* found
        while self.slots[at]:
            found = &self.counted[self.slots[at] - 1]
            if found.address[0] == address[0] and found.address[1] == address[1]:
                return found
            at = (at + 1) & self.mask
        if self.count >= self.limit:
            return NULL
        found = &self.counted[self.count]
        found.address[0] = address[0]
        found.address[1] = address[1]
        self.count += 1
        self.slots[at] = self.count
        return found

    def feed(self, ResolutionBatch batch not None, int64_t[::1] totals not None):
        """Count a batch; verdicts of all resolvers are added to `totals`."""
        cdef const ResolutionRow* rows = <const ResolutionRow*>batch.columns.rows.octets
        cdef const ResolutionRow* r
        cdef Counted* found = NULL
        cdef uint64_t i
        cdef uint32_t sign
        if totals.shape[0] < WORDS:
            raise ValueError("too few totals")
        with nogil:
            for i in range(batch.count):
                r = &rows[i]
                if not r.seen_upstream:
                    continue           # what is inferred is told, and counts for nothing
                totals[r.cache % WORDS] += 1
                if found == NULL or found.address[0] != r.resolver[0] or found.address[1] != r.resolver[1]:
                    found = self.of(r.resolver)
                    if found == NULL:
                        continue
                found.caches[r.cache % WORDS] += 1
                for sign in range(self.signs):
                    if (self.caches[sign] == 255 or self.caches[sign] == r.cache) and r.evidence & self.evidence[sign] == self.evidence[sign]:
                        if found.signs[sign] < MOST_EXAMPLES:
                            found.examples[sign * MOST_EXAMPLES + found.signs[sign]] = r.exchange
                        found.signs[sign] += 1

    def resolver(self, uint32_t number):
        """Counts of one resolver by its number.

        Returns
        -------
        tuple
            Address (16 octets), queries by verdict, queries by sign, and exchanges that show each sign.
        """
        cdef const Counted* c
        cdef uint32_t i, k
        if number >= self.count:
            raise IndexError("no such resolver")
        c = &self.counted[number]
        return (
            PyBytes_FromStringAndSize(<const char*>c.address, 16),
            [c.caches[i] for i in range(WORDS)],
            [c.signs[i] for i in range(self.signs)],
            [[c.examples[i * MOST_EXAMPLES + k] for k in range(min(c.signs[i], <uint64_t>MOST_EXAMPLES))] for i in range(self.signs)],
        )
