"""Whole columns at once, in the layouts of Arrow: bits of flags, codes of numbers, texts of codes.

What numpy does in several passes, each over a fresh temporary whose pages must be handed out first, is one pass here.
Nothing here holds the GIL while it runs over rows.
"""
cimport cython
from cpython.buffer cimport PyBUF_FORMAT
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from dnscap.native.interning cimport big_alloc

cdef enum:
    BLOCK = 512                # flags unpacked at a time: stays in the first cache
    MOST_NUMBERS = 1 << 16
    BLOCK_COPY = 32            # texts are copied in steps of this; nearly all names take one

cdef uint64_t EMPTY = 0        # what the buffer of an empty column points to


@cython.final
cdef class Memory:
    """Octets from native code as a writable buffer, for numpy and ``pyarrow.py_buffer``."""

    def __dealloc__(self):
        free(self.data)

    def __len__(self):
        return self.size

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        buffer.buf = self.data if self.data != NULL else <void*>&EMPTY
        buffer.obj = self
        buffer.len = self.size
        buffer.itemsize = 1
        buffer.readonly = 0
        buffer.ndim = 1
        buffer.format = <char*>b"B" if flags & PyBUF_FORMAT else NULL
        buffer.shape = &self.size
        buffer.strides = &self.stride
        buffer.suboffsets = NULL
        buffer.internal = NULL


cdef Memory adopt_memory(void* data, size_t size):
    cdef Memory memory = Memory()
    memory.data = data
    memory.size = <Py_ssize_t>size
    memory.stride = 1
    return memory


cdef Memory new_memory(size_t size):
    cdef void* data = big_alloc(size)
    if data == NULL:
        raise MemoryError("no memory for a column")
    return adopt_memory(data, size)


ctypedef fused flags_t:
    uint8_t
    uint16_t


def bit_of(const flags_t[::1] values not None, flags_t mask):
    """Whether each value has the one bit that `mask` has, as packed bits, lowest bit first."""
    cdef size_t rows = values.shape[0], at = 0, k, n
    cdef Memory out = new_memory((rows + 7) // 8 + 8)
    cdef uint8_t* to = <uint8_t*>out.data
    cdef const flags_t* p = &values[0] if rows else NULL
    cdef uint8_t[BLOCK] octets
    cdef uint32_t shift = 0
    if mask == 0 or mask & (mask - 1):
        raise ValueError("a mask of one bit is needed")
    while mask >> shift != 1:
        shift += 1
    with nogil:
        while at < rows:
            n = rows - at if rows - at < BLOCK else BLOCK
            if n < BLOCK:
                memset(octets, 0, BLOCK)
            for k in range(n):
                octets[k] = <uint8_t>(p[at + k] >> shift & 1)
            pack(octets, to, n)
            to += BLOCK // 8
            at += n
    out.size = (rows + 7) // 8
    return out


ctypedef fused code_t:
    uint8_t
    uint32_t


def other_than(const code_t[::1] values not None, code_t sentinel):
    """Whether each value is another than `sentinel`, as packed bits, and how many are not."""
    cdef size_t rows = values.shape[0], at = 0, k, n, lacking = 0
    cdef Memory out = new_memory((rows + 7) // 8 + 8)
    cdef uint8_t* to = <uint8_t*>out.data
    cdef const code_t* p = &values[0] if rows else NULL
    cdef uint8_t[BLOCK] octets
    cdef uint32_t same
    with nogil:
        while at < rows:
            n = rows - at if rows - at < BLOCK else BLOCK
            if n < BLOCK:
                memset(octets, 0, BLOCK)
            same = 0
            for k in range(n):
                octets[k] = p[at + k] != sentinel
            for k in range(n):
                same += octets[k]
            lacking += n - same
            pack(octets, to, n)
            to += BLOCK // 8
            at += n
    out.size = (rows + 7) // 8
    return out, lacking


cdef inline void pack(const uint8_t* octets, uint8_t* to, size_t n) noexcept nogil:
    """Octets that are 0 or 1 as bits, the first octet the lowest."""
    cdef size_t k
    for k in range((n + 7) // 8):
        to[k] = (octets[8 * k] | octets[8 * k + 1] << 1 | octets[8 * k + 2] << 2 | octets[8 * k + 3] << 3
                 | octets[8 * k + 4] << 4 | octets[8 * k + 5] << 5 | octets[8 * k + 6] << 6 | octets[8 * k + 7] << 7)


def octets_of(const uint8_t[::1] bits not None, size_t start, size_t rows, bint inverted=False):
    """Packed bits from number `start` on as one octet each, 0 or 1; `inverted` swaps the two."""
    cdef Memory out = new_memory(rows + 8)
    cdef uint8_t* to = <uint8_t*>out.data
    cdef const uint8_t* p = &bits[0] if bits.shape[0] else NULL
    cdef uint8_t turn = 255 if inverted else 0
    cdef size_t k, i
    cdef uint8_t octet
    if start + rows > <size_t>bits.shape[0] * 8 or start + rows < start:
        raise ValueError("there are not so many bits")
    with nogil:
        if start & 7 == 0:
            p += start >> 3
            for k in range((rows + 7) // 8):
                octet = p[k] ^ turn
                for i in range(8):
                    to[8 * k + i] = octet >> i & 1
        else:
            for k in range(rows):
                to[k] = (p[(start + k) >> 3] ^ turn) >> ((start + k) & 7) & 1
    out.size = rows
    return out


def number(const uint16_t[::1] values not None, uint32_t shift=0, uint32_t most=65535, bint wide=True):
    """Small numbers ``values >> shift & most`` as codes of those that occur.

    Returns
    -------
    (Memory, list of int)
        Codes, int32 or (unless `wide`) uint16, and the number that each code stands for, in order of first appearance.
    """
    cdef size_t rows = values.shape[0], k
    cdef Memory out = new_memory(rows * (4 if wide else 2))
    cdef const uint16_t* p = &values[0] if rows else NULL
    cdef int32_t* code_of = <int32_t*>malloc(MOST_NUMBERS * 4)
    cdef uint16_t* seen = <uint16_t*>malloc(MOST_NUMBERS * 2)
    cdef int32_t count = 0
    if code_of == NULL or seen == NULL:
        free(code_of)
        free(seen)
        raise MemoryError("no memory to number a column")
    with nogil:
        memset(code_of, 255, MOST_NUMBERS * 4)
        if wide:
            count = give_numbers(p, rows, shift, most, code_of, seen, <int32_t*>out.data)
        else:
            count = give_numbers(p, rows, shift, most, code_of, seen, <uint16_t*>out.data)
    distinct = [seen[k] for k in range(<size_t>count)]
    free(code_of)
    free(seen)
    return out, distinct


ctypedef fused number_t:
    uint16_t
    int32_t


cdef int32_t give_numbers(const uint16_t* p, size_t rows, uint32_t shift, uint32_t most, int32_t* code_of,
                          uint16_t* seen, number_t* to) noexcept nogil:
    cdef size_t k
    cdef int32_t count = 0, code
    cdef uint32_t value
    for k in range(rows):
        value = p[k] >> shift & most & 65535
        code = code_of[value]
        if code < 0:
            code = count
            code_of[value] = code
            seen[count] = <uint16_t>value
            count += 1
        to[k] = <number_t>code
    return count


def spell(
    const int32_t[::1] codes not None,
    const uint8_t[::1] valid,
    size_t start,
    const int32_t[::1] offsets not None,
    const uint8_t[::1] text not None,
):
    """The texts that codes of a dictionary stand for, one behind the other.

    Parameters
    ----------
    codes : buffer of int32
        Codes of the rows.
    valid : buffer of uint8 or None
        Packed bits, of which that with number `start` tells whether the first row has a text, and so on.
    offsets, text : buffer
        Dictionary: text of code c is text[offsets[c]:offsets[c + 1]].

    Returns
    -------
    (Memory, Memory)
        int64 offsets, one more than rows, and text.
    """
    cdef size_t rows = codes.shape[0], k, size = 0, room = text.shape[0], many = offsets.shape[0]
    cdef Memory ends = new_memory((rows + 1) * 8), out
    cdef int64_t* end = <int64_t*>ends.data
    cdef uint8_t* to
    cdef const uint8_t* from_
    cdef const uint8_t* source = &text[0] if room else NULL
    cdef const int32_t* at = &offsets[0] if many else NULL
    cdef const int32_t* code = &codes[0] if rows else NULL
    cdef const uint8_t* bits = NULL
    cdef uint32_t length
    cdef bint good = True
    if valid is not None:
        if start + rows > <size_t>valid.shape[0] * 8:
            raise ValueError("there are not so many bits")
        bits = &valid[0] if valid.shape[0] else NULL
    with nogil:
        for k in range(many):
            if at[k] < 0 or <size_t>at[k] > room or (k != 0 and at[k] < at[k - 1]):
                good = False
                break
        if good:
            for k in range(rows):
                end[k] = <int64_t>size
                if bits != NULL and not bits[(start + k) >> 3] >> ((start + k) & 7) & 1:
                    continue
                if <size_t><uint32_t>code[k] + 1 >= many:
                    good = False
                    break
                size += <uint32_t>(at[code[k] + 1] - at[code[k]])
            end[rows] = <int64_t>size
    if not good:
        raise ValueError("codes and offsets do not fit the dictionary")
    out = new_memory(size + BLOCK_COPY)
    to = <uint8_t*>out.data
    with nogil:
        for k in range(rows):
            length = <uint32_t>(end[k + 1] - end[k])
            if length == 0:
                continue
            from_ = source + at[code[k]]
            # A step may run over into what the next row overwrites, but never past the dictionary.
            if length <= BLOCK_COPY and <size_t>(from_ - source) + BLOCK_COPY <= room:
                memcpy(to + end[k], from_, BLOCK_COPY)
            else:
                memcpy(to + end[k], from_, length)
    out.size = <Py_ssize_t>size
    return ends, out


ctypedef fused narrow_t:
    int8_t
    int16_t
    int32_t


ctypedef fused index_t:
    int8_t
    uint16_t
    int32_t


cdef void narrow(const index_t* codes, const uint8_t* bits, size_t start, size_t rows, narrow_t* to) noexcept nogil:
    cdef size_t k
    for k in range(rows):
        to[k] = <narrow_t>codes[k]
    if bits != NULL:
        for k in range(rows):
            if not bits[(start + k) >> 3] >> ((start + k) & 7) & 1:
                to[k] = -1


def narrowed(const index_t[::1] codes not None, const uint8_t[::1] valid, size_t start, int width):
    """Codes in `width` octets each (1, 2 or 4), -1 where there is none.

    Parameters
    ----------
    codes : buffer of int8, uint16 or int32
        Codes that fit.
    valid : buffer of uint8 or None
        Packed bits, of which that with number `start` tells whether the first row has a code, and so on.
    """
    cdef size_t rows = codes.shape[0]
    cdef const index_t* from_ = &codes[0] if rows else NULL
    cdef const uint8_t* bits = NULL
    if width != 1 and width != 2 and width != 4:
        raise ValueError("codes take 1, 2 or 4 octets")
    if valid is not None:
        if start + rows > <size_t>valid.shape[0] * 8:
            raise ValueError("there are not so many bits")
        bits = &valid[0] if valid.shape[0] else NULL
    cdef Memory out = new_memory(rows * width)
    with nogil:
        if width == 1:
            narrow(from_, bits, start, rows, <int8_t*>out.data)
        elif width == 2:
            narrow(from_, bits, start, rows, <int16_t*>out.data)
        else:
            narrow(from_, bits, start, rows, <int32_t*>out.data)
    return out
