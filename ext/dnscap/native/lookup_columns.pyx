"""Lookups that are over, in native columns; see lookup_columns.pxd."""
cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport uint32_t

from dnscap.native.text cimport Text, text_close, text_open


@cython.final
cdef class LookupColumn:
    """Octets of a column, as a buffer that keeps its batch alive."""

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        PyBuffer_FillInfo(buffer, self, <void*>self.text.octets, <Py_ssize_t>self.text.size, 1, flags)

    def __releasebuffer__(self, Py_buffer* buffer):
        pass


@cython.final
cdef class LookupBatch:
    """Lookups that are over, in native columns.

    Attributes
    ----------
    count : int
        How many.
    """

    def __cinit__(self):
        cdef Text* columns = <Text*>&self.columns
        cdef uint32_t i
        for i in range(sizeof(LookupColumns) // sizeof(Text)):
            if text_open(&columns[i], 256) != 0:
                raise MemoryError("no memory for lookups")
        for i in (2, 4, 6, 7, 9, 11, 13, 15):
            put_i32(&columns[i], 0)

    def __dealloc__(self):
        cdef Text* columns = <Text*>&self.columns
        cdef uint32_t i
        for i in range(sizeof(LookupColumns) // sizeof(Text)):
            text_close(&columns[i])

    def column(self, str name):
        """A native column as a buffer of octets; ``rows`` holds LookupRow structs, names ending in ``ends`` or ``lists`` offsets of 4 octets."""
        cdef Text* columns = <Text*>&self.columns
        cdef LookupColumn column = LookupColumn()
        column.owner = self
        column.text = &columns[COLUMN_ORDER.index(name)]
        return memoryview(column)

    @property
    def row_size(self):
        """Octets of a LookupRow."""
        return sizeof(LookupRow)


cdef list COLUMN_ORDER = [
    "rows", "name", "name_ends", "final_name", "final_ends", "candidates", "candidate_ends", "candidate_lists",
    "servers", "server_lists", "types", "type_lists", "causes", "cause_lists", "records", "record_lists",
]
