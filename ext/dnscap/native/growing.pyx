"""Columns that grow at their end; see growing.pxd."""
cimport cython
from cpython.buffer cimport PyBUF_FORMAT
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from dnscap.native.interning cimport prefetch
from dnscap.native.octets cimport load64

cdef extern from "pages.h" nogil:
    void* zero_pages(size_t octets) noexcept
    void free_pages(void* p, size_t octets) noexcept
    void will_fill(void* p, size_t octets) noexcept

cdef enum:
    PAGE = 1 << 12             # octets looked at together for zeros
    HUGE = 1 << 21
    STEP = 32                  # texts are copied in steps of this; nearly all names take one
    AHEAD = 16                 # rows by which texts are asked for before they are copied
    SLACK = 2 * STEP           # octets of room behind what is asked for: a step may run over
    MOST_NUMBERS = 1 << 16
    MOST_LISTED = 0x7FFFFFFF   # texts in lists, and their octets: Arrow's offsets have 32 bits

cdef uint64_t EMPTY = 0        # what the buffer of an empty column points to


cdef inline size_t nearest_huge(size_t octets, size_t most) noexcept nogil:
    """Whole huge pages: a last one that would stay half empty is not taken."""
    octets += HUGE // 2
    return (octets if octets < most else most) & ~<size_t>(HUGE - 1)


cdef int room_for(Room* r, size_t used, size_t need, size_t expected) noexcept nogil:
    cdef size_t wide
    cdef uint8_t* data
    if need + SLACK > r.octets:
        wide = r.octets * 2 if r.octets * 2 > need + SLACK else need + SLACK
        if wide < expected + expected // 4 + SLACK:
            wide = expected + expected // 4 + SLACK
        wide = (wide + PAGE - 1) & ~<size_t>(PAGE - 1)
        data = <uint8_t*>zero_pages(wide)
        if data == NULL and expected > need:
            # address space may be short where memory is not
            wide = (need + need // 4 + SLACK + PAGE - 1) & ~<size_t>(PAGE - 1)
            data = <uint8_t*>zero_pages(wide)
        if data == NULL:
            return -1
        # a fault for each small page costs six times what clearing a huge one does
        r.huge = nearest_huge(expected if expected > need else need, wide)
        will_fill(data, r.huge)
        put_octets(data, r.data, used)
        free_pages(r.data, r.octets)
        r.data = data
        r.octets = wide
    elif need > r.huge + HUGE and expected >= need:
        r.huge = nearest_huge(expected, r.octets)
        will_fill(r.data, r.huge)
    return 0


cdef void room_close(Room* r) noexcept nogil:
    free_pages(r.data, r.octets)
    memset(r, 0, sizeof(Room))


cdef inline bint all_zero(const uint8_t* p, size_t n) noexcept nogil:
    cdef size_t k
    cdef uint64_t some = 0
    if n >= 8 and load64(p) != 0:
        return False
    for k in range(n):
        some |= p[k]
    return some == 0


cdef void put_octets(uint8_t* to, const void* octets, size_t n) noexcept nogil:
    cdef const uint8_t* p = <const uint8_t*>octets
    cdef size_t at = 0, many
    while at < n:
        many = n - at if n - at < PAGE else PAGE
        if not all_zero(p + at, many):
            memcpy(to + at, p + at, many)
        at += many


@cython.final
cdef class Pages:
    """A column as a writable buffer, for numpy and ``pyarrow.py_buffer``."""

    def __dealloc__(self):
        room_close(&self.room)

    def __len__(self):
        return self.size

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        buffer.buf = self.room.data if self.room.data != NULL else <void*>&EMPTY
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


cdef Pages pages_of(Room* r, size_t size):
    """Hand a column over; its room is empty afterwards."""
    cdef Pages pages = Pages()
    pages.stride = 1
    if size > r.octets:
        size = r.octets
    pages.size = <Py_ssize_t>size
    pages.room = r[0]
    memset(r, 0, sizeof(Room))
    return pages


def ones(size_t octets):
    """So many octets, each of them 1.

    Returns
    -------
    Pages
    """
    cdef Room room
    cdef int bad
    memset(&room, 0, sizeof(Room))
    with nogil:
        bad = room_for(&room, 0, octets, octets)
        if bad == 0:
            memset(room.data, 1, octets)
    if bad:
        raise MemoryError("no memory for a column")
    return pages_of(&room, octets)


# ---------------------------------------------------------------- codes

cdef uint32_t code_width(size_t many) noexcept nogil:
    """As pandas has it: -1 and all codes of a vocabulary of `many` fit."""
    return 1 if many < 128 else 2 if many < 32768 else 4


ctypedef fused narrow_t:
    int8_t
    int16_t
    int32_t

ctypedef fused code_t:
    int8_t
    int16_t
    uint32_t


cdef void copy_codes(narrow_t* to, const code_t* codes, size_t n) noexcept nogil:
    cdef size_t k
    cdef uint32_t some = 0
    for k in range(n):
        some |= <uint32_t>codes[k]
    if some == 0:
        return                 # zero they are already
    for k in range(n):
        to[k] = <narrow_t>codes[k]


cdef int widen_codes(Codes* c, size_t rows, size_t n, uint32_t width, size_t expected) noexcept nogil:
    """Make room for `n` rows more, of a greater width."""
    cdef Room wider
    memset(&wider, 0, sizeof(Room))
    if room_for(&wider, 0, (rows + n) * width, expected * width) != 0:
        return -1
    if c.width == 1 and width == 2:
        copy_codes(<int16_t*>wider.data, <const int8_t*>c.room.data, rows)
    elif c.width == 1:
        copy_codes(<int32_t*>wider.data, <const int8_t*>c.room.data, rows)
    elif c.width == 2:
        copy_codes(<int32_t*>wider.data, <const int16_t*>c.room.data, rows)
    room_close(&c.room)
    c.room = wider
    c.width = width
    return 0


cdef int code_room(Codes* c, size_t rows, size_t n, size_t many, size_t expected) noexcept nogil:
    cdef uint32_t width = code_width(many)
    if width > c.width:
        return widen_codes(c, rows, n, width, expected)
    return room_for(&c.room, rows * c.width, (rows + n) * c.width, expected * c.width)


cdef int put_codes(Codes* c, size_t rows, const uint32_t* codes, size_t n, size_t many, size_t expected) noexcept nogil:
    if code_room(c, rows, n, many, expected) != 0:
        return -1
    if c.width == 1:
        copy_codes(<int8_t*>c.room.data + rows, codes, n)
    elif c.width == 2:
        copy_codes(<int16_t*>c.room.data + rows, codes, n)
    else:
        copy_codes(<int32_t*>c.room.data + rows, codes, n)
    return 0


cdef int numbers_open(Numbers* v) noexcept nogil:
    v.count = 0
    v.place = <int32_t*>calloc(MOST_NUMBERS, sizeof(int32_t))
    v.seen = <uint16_t*>calloc(MOST_NUMBERS, sizeof(uint16_t))
    return 0 if v.place != NULL and v.seen != NULL else -1


cdef void numbers_close(Numbers* v) noexcept nogil:
    free(v.place)
    free(v.seen)


cdef inline uint32_t place_of(Numbers* v, uint32_t value) noexcept nogil:
    if v.place[value] == 0:
        v.seen[v.count] = <uint16_t>value
        v.count += 1
        v.place[value] = <int32_t>v.count
    return <uint32_t>v.place[value] - 1


cdef bint number(Numbers* v, const uint16_t* values, uint32_t shift, uint32_t most, size_t n, uint32_t* codes) noexcept nogil:
    cdef size_t k
    cdef uint32_t first, other = 0, code
    if n == 0:
        return True
    first = values[0] >> shift & most & 65535
    for k in range(n):
        other |= (values[k] >> shift & most & 65535) ^ first
    if other == 0:
        code = place_of(v, first)
        for k in range(n):
            codes[k] = code
        return code == 0
    for k in range(n):
        codes[k] = place_of(v, values[k] >> shift & most & 65535)
    return False


cdef list numbers_seen(const Numbers* v):
    cdef uint32_t k
    return [v.seen[k] for k in range(v.count)]


# ---------------------------------------------------------------- texts

cdef inline size_t bit_octets(size_t rows) noexcept nogil:
    return (rows + 7) // 8


@cython.final
cdef class Texts:
    """A column of texts in the layout of Arrow's large strings.

    Attributes
    ----------
    rows, lacking : int
        How many rows there are, and how many of them have no text.
    """

    def __dealloc__(self):
        room_close(&self.ends)
        room_close(&self.bits)
        room_close(&self.text)

    cdef int reserve(self, size_t rows, size_t octets) noexcept nogil:
        """Room for so much more."""
        cdef size_t all_rows = self.rows + rows, text = 0
        if self.expected > all_rows and self.rows:
            text = <size_t>(<double>self.size / <double>self.rows * <double>self.expected)
        if room_for(&self.ends, (self.rows + 1) * 8 if self.rows else 0, (all_rows + 1) * 8, self.expected * 8) != 0 \
                or room_for(&self.bits, bit_octets(self.rows), bit_octets(all_rows), bit_octets(self.expected)) != 0 \
                or room_for(&self.text, self.size, self.size + octets, text) != 0:
            return -1
        return 0

    cdef void begin_bits(self) noexcept nogil:
        """The first row without a text is about to come: all those before it have one."""
        if self.lacking == 0:
            fill_bits(self.bits.data, self.rows)

    cdef void pass_over(self, size_t upto) noexcept nogil:
        cdef int64_t* end = <int64_t*>self.ends.data
        cdef size_t k
        if upto <= self.rows:
            return
        if self.size:
            for k in range(self.rows + 1, upto + 1):
                end[k] = <int64_t>self.size
        self.begin_bits()
        self.lacking += upto - self.rows
        self.rows = upto

    cdef int put(self, size_t row, const uint8_t* octets, size_t n) noexcept nogil:
        self.pass_over(row)
        if self.size + n + SLACK > self.text.octets and self.reserve(1, n) != 0:
            return -1
        memcpy(self.text.data + self.size, octets, n)
        self.size += n
        (<int64_t*>self.ends.data)[row + 1] = <int64_t>self.size
        if self.lacking:
            self.bits.data[row >> 3] |= <uint8_t>(1 << (row & 7))
        self.rows = row + 1
        return 0

    cdef int spell(self, const uint32_t* codes, const uint8_t* presence, uint8_t bit, size_t n,
                   const int32_t* offsets, const char* text, uint32_t many) noexcept nogil:
        cdef size_t k, size = self.size, lacking = 0, last = <size_t>offsets[many], room
        cdef uint32_t length, start
        cdef int64_t* end
        cdef uint8_t* to
        if self.reserve(n, n * STEP) != 0:
            return -1
        end = <int64_t*>self.ends.data + self.rows + 1
        to = self.text.data
        room = self.text.octets - SLACK
        for k in range(n):
            if k + 2 * AHEAD < n:
                if codes[k + 2 * AHEAD] < many:
                    prefetch(offsets + codes[k + 2 * AHEAD])
                if codes[k + AHEAD] < many:
                    prefetch(text + offsets[codes[k + AHEAD]])
            if codes[k] >= many or (presence != NULL and not presence[k] & bit):
                lacking += 1
                end[k] = <int64_t>size
                continue
            start = <uint32_t>offsets[codes[k]]
            length = <uint32_t>offsets[codes[k] + 1] - start
            if size + length > room:
                if room_for(&self.text, size, size + length + (n - k) * STEP, 0) != 0:
                    return -1
                to = self.text.data
                room = self.text.octets - SLACK
            # A step may run over into what the next row overwrites, but never past the dictionary.
            if length <= STEP and start + <size_t>STEP <= last:
                memcpy(to + size, text + start, STEP)
            else:
                memcpy(to + size, text + start, length)
            size += length
            end[k] = <int64_t>size
        self.size = size
        if lacking or self.lacking:
            self.begin_bits()
            for k in range(n):
                if codes[k] < many and (presence == NULL or presence[k] & bit):
                    self.bits.data[(self.rows + k) >> 3] |= <uint8_t>(1 << ((self.rows + k) & 7))
        self.lacking += lacking
        self.rows += n
        return 0

    def append(self, size_t rows, const uint8_t[::1] valid, const uint8_t[::1] ends not None,
               const uint8_t[::1] text not None, size_t lacking):
        """Texts as another column has them.

        Parameters
        ----------
        rows : int
            How many.
        valid : buffer of uint8 or None
            Packed bits that tell which rows have a text; None where all have.
        ends : buffer of uint8
            64-bit numbers, one more than rows: where the first text starts and where each ends.
        text : buffer of uint8
            Their octets.
        lacking : int
            How many rows have no text.
        """
        cdef const int64_t* end = <const int64_t*>&ends[0] if ends.shape[0] else NULL
        cdef const uint8_t* bits = &valid[0] if valid is not None and valid.shape[0] else NULL
        cdef size_t k, first, size
        cdef bint good = True
        cdef int bad
        if rows == 0:
            return
        if <size_t>ends.shape[0] // 8 <= rows or (valid is not None and <size_t>valid.shape[0] < bit_octets(rows)):
            raise ValueError("there are not so many rows")
        with nogil:
            for k in range(rows):
                good &= end[k] <= end[k + 1]
        if not good or end[0] < 0 or end[rows] > text.shape[0]:
            raise ValueError("ends do not fit the text")
        first = <size_t>end[0]
        size = <size_t>end[rows] - first
        with nogil:
            bad = self.reserve(rows, size)
            if bad == 0:
                if size:
                    memcpy(self.text.data + self.size, &text[first], size)
                put_ends(<int64_t*>self.ends.data + self.rows + 1, end + 1, rows, <int64_t>self.size - <int64_t>first)
                self.size += size
                put_bits(self.bits.data, self.rows, bits, rows, lacking, self.lacking)
                self.lacking += lacking
                self.rows += rows
        if bad:
            raise MemoryError("no memory for a column of texts")

    def append_none(self, size_t rows):
        """Rows without a text."""
        cdef int bad
        cdef size_t k
        cdef int64_t* end
        with nogil:
            bad = self.reserve(rows, 0)
            if bad == 0:
                end = <int64_t*>self.ends.data + self.rows + 1
                if self.size:
                    for k in range(rows):
                        end[k] = <int64_t>self.size
                if rows:
                    self.begin_bits()
                self.rows += rows
                self.lacking += rows
        if bad:
            raise MemoryError("no memory for a column of texts")

    def expect(self, size_t rows):
        """So many rows are going to come in all, more or less."""
        self.expected = rows

    def finish(self):
        """What was gathered; nothing can be appended any more.

        Returns
        -------
        (Pages or None, Pages, Pages)
            Packed bits that tell which rows have a text (None where all have), int64 offsets, text.
        """
        cdef size_t rows = self.rows
        if self.reserve(0, 0) != 0:
            raise MemoryError("no memory for a column of texts")
        bits = pages_of(&self.bits, bit_octets(rows)) if self.lacking else None
        return bits, pages_of(&self.ends, (rows + 1) * 8), pages_of(&self.text, self.size)


@cython.final
cdef class Lists:
    """A column of lists of texts in the layout of Arrow's lists of strings.

    Attributes
    ----------
    rows, lacking : int
        How many rows there are, and how many of them have no list.
    count, size : int
        How many texts they hold, and octets of these.
    """

    def __dealloc__(self):
        room_close(&self.starts)
        room_close(&self.bits)
        room_close(&self.ends)
        room_close(&self.text)

    cdef int reserve(self, size_t rows, size_t count, size_t octets) noexcept nogil:
        cdef size_t all_rows = self.rows + rows
        cdef double more = 0
        if self.expected > all_rows and self.rows:
            more = <double>self.expected / <double>self.rows
        if room_for(&self.starts, (self.rows + 1) * 4 if self.rows else 0, (all_rows + 1) * 4, self.expected * 4) != 0 \
                or room_for(&self.bits, bit_octets(self.rows), bit_octets(all_rows), bit_octets(self.expected)) != 0 \
                or room_for(&self.ends, (self.count + 1) * 4 if self.count else 0, (self.count + count + 1) * 4,
                            <size_t>(<double>self.count * 4 * more)) != 0 \
                or room_for(&self.text, self.size, self.size + octets, <size_t>(<double>self.size * more)) != 0:
            return -1
        return 0

    cdef void put_presence(self, const uint8_t* presence, uint32_t shift, size_t n) noexcept nogil:
        cdef size_t k, have = 0, at = self.rows
        cdef uint8_t* to = self.bits.data
        for k in range(n):
            have += presence[k] >> shift & 1
        if have != n or self.lacking:
            if self.lacking == 0:
                fill_bits(to, at)
            k = 0
            while k < n and (at + k) & 7:
                to[(at + k) >> 3] |= <uint8_t>((presence[k] >> shift & 1) << ((at + k) & 7))
                k += 1
            while k + 8 <= n:
                to[(at + k) >> 3] = packed_bits(presence + k, shift)
                k += 8
            while k < n:
                to[(at + k) >> 3] |= <uint8_t>((presence[k] >> shift & 1) << ((at + k) & 7))
                k += 1
        self.lacking += n - have

    def append(self, size_t rows, const uint8_t[::1] valid, const uint8_t[::1] starts not None,
               const uint8_t[::1] ends not None, const uint8_t[::1] text not None, size_t lacking):
        """Lists as another column has them, whose first text is the first of its texts.

        Parameters
        ----------
        rows : int
            How many.
        valid : buffer of uint8 or None
            Packed bits that tell which rows have a list; None where all have.
        starts, ends : buffer of uint8
            32-bit numbers, one more than there are: where each list starts among the texts, and each text in `text`.
        text : buffer of uint8
            Their octets.
        lacking : int
            How many rows have no list.
        """
        cdef const int32_t* start = <const int32_t*>&starts[0] if starts.shape[0] else NULL
        cdef const int32_t* end = <const int32_t*>&ends[0] if ends.shape[0] else NULL
        cdef const uint8_t* bits = &valid[0] if valid is not None and valid.shape[0] else NULL
        cdef size_t k, count, size
        cdef int32_t* to
        cdef bint good = True
        cdef int bad
        if rows == 0:
            return
        if <size_t>starts.shape[0] // 4 <= rows or ends.shape[0] < 4 \
                or (valid is not None and <size_t>valid.shape[0] < bit_octets(rows)):
            raise ValueError("there are not so many rows")
        if start[rows] < 0 or <size_t>start[rows] >= <size_t>ends.shape[0] // 4:
            raise ValueError("lists do not fit the texts")
        count = <size_t>start[rows]
        with nogil:
            for k in range(rows):
                good &= start[k] <= start[k + 1]
            for k in range(count):
                good &= end[k] <= end[k + 1]
        if not good or start[0] != 0 or end[0] != 0 or end[count] > text.shape[0]:
            raise ValueError("lists do not fit the texts")
        size = <size_t>end[count]
        if self.count + count > MOST_LISTED or self.size + size > MOST_LISTED:
            raise OverflowError("more texts than 32 bits can count")
        with nogil:
            bad = self.reserve(rows, count, size)
            if bad == 0:
                to = <int32_t*>self.starts.data + self.rows + 1
                if self.count + count:
                    for k in range(rows):
                        to[k] = start[k + 1] + <int32_t>self.count
                to = <int32_t*>self.ends.data + self.count + 1
                for k in range(count):
                    to[k] = end[k + 1] + <int32_t>self.size
                if size:
                    memcpy(self.text.data + self.size, &text[0], size)
                put_bits(self.bits.data, self.rows, bits, rows, lacking, self.lacking)
                self.lacking += lacking
                self.rows += rows
                self.count += count
                self.size += size
        if bad:
            raise MemoryError("no memory for a column of lists")

    def append_none(self, size_t rows):
        """Rows without a list."""
        cdef int bad
        cdef size_t k
        cdef int32_t* to
        with nogil:
            bad = self.reserve(rows, 0, 0)
            if bad == 0:
                to = <int32_t*>self.starts.data + self.rows + 1
                if self.count:
                    for k in range(rows):
                        to[k] = <int32_t>self.count
                put_bits(self.bits.data, self.rows, NULL, rows, rows, self.lacking)
                self.rows += rows
                self.lacking += rows
        if bad:
            raise MemoryError("no memory for a column of lists")

    def expect(self, size_t rows):
        """So many rows are going to come in all, more or less."""
        self.expected = rows

    def finish(self):
        """What was gathered; nothing can be appended any more.

        Returns
        -------
        (Pages or None, Pages, Pages, Pages)
            Packed bits that tell which rows have a list (None where all have), int32 starts of the lists,
            int32 offsets of the texts, their octets.
        """
        if self.reserve(0, 0, 0) != 0:
            raise MemoryError("no memory for a column of lists")
        bits = pages_of(&self.bits, bit_octets(self.rows)) if self.lacking else None
        return bits, pages_of(&self.starts, (self.rows + 1) * 4), pages_of(&self.ends, (self.count + 1) * 4), \
            pages_of(&self.text, self.size)


cdef inline uint8_t packed_bits(const uint8_t* octets, uint32_t shift) noexcept nogil:
    """One bit of each of eight octets, that of the first lowest."""
    cdef uint32_t k, bits = 0
    for k in range(8):
        bits |= (octets[k] >> shift & 1) << k
    return <uint8_t>bits


cdef void put_ends(int64_t* to, const int64_t* ends, size_t n, int64_t more) noexcept nogil:
    cdef size_t k
    if ends[n - 1] + more == 0:
        return                 # no text yet: zero they are already
    for k in range(n):
        to[k] = ends[k] + more


cdef void fill_bits(uint8_t* to, size_t n) noexcept nogil:
    memset(to, 255, n // 8)
    if n & 7:
        to[n // 8] = <uint8_t>((1 << (n & 7)) - 1)


cdef void put_bits(uint8_t* to, size_t at, const uint8_t* bits, size_t n, size_t lacking, size_t before) noexcept nogil:
    """`n` bits behind `at` others, of which `before` are not set; none is written before one is not set."""
    cdef size_t k
    cdef uint32_t octet
    if lacking == 0 and before == 0:
        return
    if before == 0:
        fill_bits(to, at)
    if lacking == n:
        return
    to += at >> 3
    for k in range(bit_octets(n)):
        octet = bits[k] if bits != NULL else 255
        if n - 8 * k < 8:
            octet &= (1 << (n & 7)) - 1
        if octet != 0:
            to[k] |= <uint8_t>(octet << (at & 7))
            to[k + 1] |= <uint8_t>(octet >> (8 - (at & 7)))
