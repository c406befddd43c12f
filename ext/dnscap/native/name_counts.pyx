"""Names of lookups, counted; see name_counts.pxd."""
cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy

from dnscap.native.key_tables cimport enter, expect, slot_of, table_close, table_open
from dnscap.native.lookup_columns cimport LookupBatch, LookupBrief, name_at
from dnscap.native.lookup_index cimport hash_text

cdef enum:
    NXDOMAIN = 1               # an outcome of lookups; those before it found something
    STRETCH = 32               # names that are taken together, so that the places of all are on their way from memory at once


@cython.final
cdef class Names:
    """How often each name was resolved, and how often it did not exist.

    Parameters
    ----------
    limit : int
        Names counted.
    """

    def __cinit__(self, uint32_t limit):
        self.limit = limit
        self.table = table_open()
        self.ends = <uint32_t*>calloc(<size_t>limit + 1, sizeof(uint32_t))
        self.counts = <uint64_t*>calloc(2 * <size_t>limit + 2, sizeof(uint64_t))
        if self.ends == NULL or self.counts == NULL:
            raise MemoryError("no memory to count")

    def __dealloc__(self):
        table_close(self.table)
        free(self.text)
        free(self.ends)
        free(self.counts)

    cdef bint count_name(self, uint64_t key, const uint8_t* name, uint32_t size, uint32_t which) noexcept nogil:
        cdef uint32_t i, n
        cdef uint8_t* text
        cdef size_t room
        while True:
            i = slot_of(self.table, key)
            if not self.table.slots[i]:
                break
            n = self.table.slots[i] - 1
            if self.ends[n + 1] - self.ends[n] == size and memcmp(self.text + self.ends[n], name, size) == 0:
                self.counts[2 * n + which] += 1
                return True
            key += 1
        n = self.table.count
        if n >= self.limit:
            self.overflowed += 1
            return True
        if self.ends[n] + size > self.text_room:
            room = 2 * (self.ends[n] + <size_t>size) + 4096
            text = <uint8_t*>realloc(self.text, room)
            if text == NULL:
                return False
            self.text = text
            self.text_room = room
        if enter(self.table, key) < 0:
            return False
        memcpy(self.text + self.ends[n], name, size)
        self.ends[n + 1] = self.ends[n] + size
        self.counts[2 * n + which] += 1
        return True

    def count(self, LookupBatch batch not None, uint64_t all_up_to, uint64_t one_in):
        """Count the names of a batch: of the first `all_up_to` lookups, then of one in `one_in`."""
        cdef const LookupBrief* rows = batch.brief()
        cdef const uint8_t* names[STRETCH]
        cdef uint64_t[STRETCH] keys
        cdef uint32_t[STRETCH] sizes
        cdef uint8_t[STRETCH] outcomes
        cdef uint64_t i, lookup = batch.first
        cdef uint32_t n = 0, k
        cdef bint good = True
        if one_in == 0:
            raise ValueError("one lookup in none")
        with nogil:
            for i in range(batch.count):
                if not (lookup + i >= all_up_to and (lookup + i) % one_in or rows[i].outcome > NXDOMAIN):
                    names[n] = name_at(batch.packed.octets + rows[i].at, &sizes[n])
                    keys[n] = hash_text(self.table.seed, names[n], sizes[n])
                    outcomes[n] = rows[i].outcome
                    expect(self.table, keys[n])
                    n += 1
                if n == STRETCH or i + 1 == batch.count:
                    for k in range(n):
                        good &= self.count_name(keys[k], names[k], sizes[k], outcomes[k])
                    n = 0
        if not good:
            raise MemoryError("no memory to count")

    def counts_of(self, bint absent):
        """How often each name was resolved, or did not exist, in the order in which they first came.

        Returns
        -------
        list of int
        """
        return [self.counts[2 * i + absent] for i in range(self.table.count)]

    def name(self, uint32_t number):
        """A name by its place in that order."""
        if number >= self.table.count:
            raise IndexError("no such name")
        return self.text[self.ends[number]:self.ends[number + 1]].decode("utf-8", "replace")
