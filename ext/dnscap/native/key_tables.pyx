"""Tables of keys; see key_tables.pxd.  Keys that an attacker chooses are stirred with a seed that he does not know."""
cimport cython
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

import os

from dnscap.native.lookup_index cimport stir


cdef Table* table_open() except NULL:
    cdef Table* t = <Table*>calloc(1, sizeof(Table))
    if t != NULL:
        t.mask = 1023
        t.keys = <uint64_t*>malloc(1024 * sizeof(uint64_t))
        t.slots = <uint32_t*>calloc(1024, sizeof(uint32_t))
        if t.keys != NULL and t.slots != NULL:
            t.seed = <uint64_t>int.from_bytes(os.urandom(8), "little")
            return t
    table_close(t)
    raise MemoryError("no memory to count")


cdef void table_close(Table* t) noexcept:
    if t != NULL:
        free(t.keys)
        free(t.slots)
        free(t)


cdef bint widen(Table* t) noexcept nogil:
    cdef uint32_t mask = t.mask * 2 + 1, i, j
    cdef uint64_t* keys = <uint64_t*>malloc((<size_t>mask + 1) * sizeof(uint64_t))
    cdef uint32_t* slots = <uint32_t*>calloc(<size_t>mask + 1, sizeof(uint32_t))
    if keys == NULL or slots == NULL:
        free(keys)
        free(slots)
        return False
    for i in range(t.mask + 1):
        if t.slots[i]:
            j = <uint32_t>stir(t.keys[i] ^ t.seed) & mask
            while slots[j]:
                j = (j + 1) & mask
            slots[j] = t.slots[i]
            keys[j] = t.keys[i]
    free(t.keys)
    free(t.slots)
    t.keys = keys
    t.slots = slots
    t.mask = mask
    return True


@cython.final
cdef class Numbers:
    """Numbers told apart: whether one has come before, and which of many are among them."""

    def __cinit__(self):
        self.table = table_open()

    def __dealloc__(self):
        table_close(self.table)

    def __len__(self):
        return self.table.count

    def add(self, const uint64_t[::1] keys not None):
        """Enter keys."""
        cdef Py_ssize_t i
        for i in range(keys.shape[0]):
            if enter(self.table, keys[i]) < 0:
                raise MemoryError("no memory to count")

    def clear(self):
        """Forget all."""
        cdef uint32_t i
        for i in range(self.table.mask + 1):
            self.table.slots[i] = 0
        self.table.count = 0
