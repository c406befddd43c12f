"""Columns that grow at their end and end up as the memory of a frame: numbers, codes, texts.

Their memory is born zero (pages.h), and blocks of zeros are not written: what no row has takes no memory.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t


cdef struct Room:
    uint8_t* data
    size_t octets
    size_t huge                # octets from the start that come in huge pages

cdef struct Codes:             # of a vocabulary, in as few octets as its size allows; -1 where there is none
    Room room
    uint32_t width             # 0 before the first rows

cdef struct Numbers:           # the vocabulary of a column of 16-bit numbers, in order of first appearance
    int32_t* place             # of each number, from 1; 0 where it has not been seen
    uint16_t* seen
    uint32_t count


cdef class Pages:              # memory given to Python
    cdef Room room
    cdef Py_ssize_t size
    cdef Py_ssize_t stride     # always 1: what `Py_buffer.strides` points to


cdef class Texts:
    cdef Room ends             # int64, one more than rows
    cdef Room bits             # which rows have a text; not written before one has none
    cdef Room text
    cdef readonly size_t rows
    cdef readonly size_t lacking
    cdef size_t size           # octets of text
    cdef size_t expected       # rows in all

    cdef int reserve(self, size_t rows, size_t octets) noexcept nogil     # room for so much more; 0, or -1
    cdef void begin_bits(self) noexcept nogil
    # A text for row number `row`; rows before it that have not come have none.  Rows must have been reserved.
    cdef int put(self, size_t row, const uint8_t* octets, size_t n) noexcept nogil
    cdef void pass_over(self, size_t upto) noexcept nogil     # rows before number `upto` that have not come have none
    # The texts that codes stand for; none where `presence` lacks the bit or the code is none of the `many` there are.
    cdef int spell(self, const uint32_t* codes, const uint8_t* presence, uint8_t bit, size_t n,
                   const int32_t* offsets, const char* text, uint32_t many) noexcept nogil


cdef class Lists:
    cdef Room starts           # int32, one more than rows: places among the texts
    cdef Room bits             # as of texts
    cdef Room ends             # int32, one more than texts
    cdef Room text
    cdef readonly size_t rows
    cdef readonly size_t lacking
    cdef readonly size_t count
    cdef readonly size_t size
    cdef size_t expected

    cdef int reserve(self, size_t rows, size_t count, size_t octets) noexcept nogil
    # Which of `n` rows to come have a list, told by a bit of each octet of `presence`.
    cdef void put_presence(self, const uint8_t* presence, uint32_t shift, size_t n) noexcept nogil


# Room for `need` octets in all and some more, of which `used` are in use; huge pages as far as `expected` octets reach.
# 0, or -1 without memory.
cdef int room_for(Room* r, size_t used, size_t need, size_t expected) noexcept nogil
cdef void room_close(Room* r) noexcept nogil
cdef Pages pages_of(Room* r, size_t size)
# Copy octets into memory that is still zero.
cdef void put_octets(uint8_t* to, const void* octets, size_t n) noexcept nogil

cdef uint32_t code_width(size_t many) noexcept nogil
# Add `n` codes behind `rows` others, of a vocabulary of `many` by now.
cdef int put_codes(Codes* c, size_t rows, const uint32_t* codes, size_t n, size_t many, size_t expected) noexcept nogil

# Only room for them: all are 0.
cdef int code_room(Codes* c, size_t rows, size_t n, size_t many, size_t expected) noexcept nogil

cdef int numbers_open(Numbers* v) noexcept nogil
cdef void numbers_close(Numbers* v) noexcept nogil
# Codes of the numbers ``values >> shift & most``; True where all are 0.
cdef bint number(Numbers* v, const uint16_t* values, uint32_t shift, uint32_t most, size_t n, uint32_t* codes) noexcept nogil
cdef list numbers_seen(const Numbers* v)
