"""EDNS options of a whole batch as columns in the layouts of Arrow.

The options are walked once; each column then goes over the options of its kind only.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove, memset

from dnscap.native.columns cimport Memory, adopt_memory, new_memory, set_bit
from dnscap.native.interning cimport big_alloc
from dnscap.native.octets cimport be16
from dnscap.native.presentation cimport edns_text
from dnscap.native.text cimport Text, text_close, text_reserve

cdef enum:
    KINDS = 16                 # options with a higher code have no column of their own

cdef struct Span:
    uint32_t row
    uint32_t at                # of the option's data; its length stands in the two octets before


@cython.final
cdef class Vocabulary:
    """Words for numbers of 16 bits.

    Parameters
    ----------
    words : mapping of int to str
        Only so much of a word is kept as its length fits an octet.
    """

    def __cinit__(self, words not None):
        cdef uint32_t place = 1
        cdef uint16_t number
        cdef bytes octets
        self.places = <uint16_t*>calloc(1 << 16, sizeof(uint16_t))
        self.words = <Word*>calloc(len(words) + 1, sizeof(Word))
        if self.places == NULL or self.words == NULL or len(words) > 65535:
            raise MemoryError("no memory for a vocabulary")
        for number, text in words.items():
            octets = text.encode()[:LONGEST_WORD]
            self.words[place].size = <uint8_t>len(octets)
            memcpy(self.words[place].octets, <const char*>octets, len(octets))
            self.places[number] = <uint16_t>place
            place += 1

    def __dealloc__(self):
        free(self.places)
        free(self.words)


@cython.final
cdef class Options:
    """Where the options of a batch lie.

    Parameters
    ----------
    starts : buffer of uint32
        Where the options of each message start in `octets`, and one more entry at the end.
    octets : buffer of uint8
        Options as on the wire: code, length, data.
    """

    cdef const uint32_t[::1] starts_view    # keep the buffers
    cdef const uint8_t[::1] octets_view
    cdef const uint32_t* starts
    cdef const uint8_t* octets
    cdef readonly size_t rows
    cdef readonly size_t count              # options in all
    cdef size_t size
    cdef Text[KINDS] spans

    def __cinit__(self, const uint32_t[::1] starts not None, const uint8_t[::1] octets not None):
        cdef int bad
        self.starts_view = starts
        self.octets_view = octets
        self.rows = starts.shape[0] - 1 if starts.shape[0] else 0
        self.size = octets.shape[0]
        self.starts = &starts[0] if starts.shape[0] else NULL
        self.octets = &octets[0] if self.size else NULL
        with nogil:
            bad = find_spans(self)
        if bad:
            raise MemoryError("no memory to find EDNS options")

    def __dealloc__(self):
        cdef int kind
        for kind in range(KINDS):
            text_close(&self.spans[kind])

    def texts(self, int kind):
        """Text of the first option of a kind in each row.

        Returns
        -------
        (Memory, Memory, Memory, int) or None
            Packed bits that tell which rows have one, int64 offsets, text and how many rows have none;
            None where no row has one.
        """
        cdef Text out
        cdef Memory bits, ends
        cdef size_t count, lacking
        cdef int bad
        count = span_count(self, kind)
        if count == 0:
            return None
        bits = new_memory((self.rows + 7) // 8)
        ends = new_memory((self.rows + 1) * 8)
        if open_large(&out, text_room(self, kind)) != 0:
            raise MemoryError("no memory for EDNS options")
        with nogil:
            bad = write_texts(self, kind, <uint8_t*>bits.data, <int64_t*>ends.data, &out, &lacking)
        if bad:
            text_close(&out)
            raise MemoryError("no memory for EDNS options")
        return bits, ends, adopt_memory(out.octets, out.size), lacking

    def errors(self, Vocabulary meanings not None):
        """Extended errors of each row: code, its meaning, and the server's own words behind a colon.

        Returns
        -------
        tuple or None
            Packed bits that tell which rows have some, int32 offsets into the texts, int32 offsets of the
            texts, their octets, how many texts there are and how many rows have none; None where no row has one.
        """
        cdef Text out
        cdef Memory bits, lists, ends
        cdef size_t count = span_count(self, OPTION_EDE), lacking
        cdef int bad
        if count == 0:
            return None
        bits = new_memory((self.rows + 7) // 8)
        lists = new_memory((self.rows + 1) * 4)
        ends = new_memory((count + 1) * 4)
        if open_large(&out, text_room(self, OPTION_EDE)) != 0:
            raise MemoryError("no memory for EDNS options")
        with nogil:
            bad = write_errors(self, meanings, <uint8_t*>bits.data, <int32_t*>lists.data,
                               <int32_t*>ends.data, &out, &lacking)
        if bad:
            text_close(&out)
            if bad == -2:
                raise OverflowError("more than 2 GiB of extended errors in one batch")
            raise MemoryError("no memory for EDNS options")
        return bits, lists, ends, adopt_memory(out.octets, out.size), count, lacking

    def names(self, Vocabulary mnemonics not None):
        """Mnemonics of all options of each row, OPTn where there is none.

        Returns
        -------
        (Memory, Memory, Memory)
            int32 offsets of the rows into the texts, int32 offsets of the texts, their octets.
        """
        cdef Text out
        cdef Memory lists = new_memory((self.rows + 1) * 4), ends = new_memory((self.count + 1) * 4)
        cdef int bad
        if open_large(&out, self.count * 8 + LONGEST_WORD + 1) != 0:
            raise MemoryError("no memory for EDNS options")
        with nogil:
            bad = write_names(self, mnemonics, <int32_t*>lists.data, <int32_t*>ends.data, &out)
        if bad:
            text_close(&out)
            if bad == -2:
                raise OverflowError("more than 2 GiB of EDNS options in one batch")
            raise MemoryError("no memory for EDNS options")
        return lists, ends, adopt_memory(out.octets, out.size)

    def padding(self):
        """Octets of padding of each row.

        Returns
        -------
        (Memory, Memory, int) or None
            Packed bits that tell which rows have the option, uint16 lengths and how many rows have none;
            None where no row has one.
        """
        cdef Memory bits, values
        cdef const Span* spans = <const Span*>self.spans[OPTION_PADDING].octets
        cdef size_t count = span_count(self, OPTION_PADDING), k, row, lacking = self.rows
        cdef uint8_t* bit
        cdef uint16_t* value
        if count == 0:
            return None
        bits = new_memory((self.rows + 7) // 8)
        values = new_memory(self.rows * 2)
        bit = <uint8_t*>bits.data
        value = <uint16_t*>values.data
        with nogil:
            memset(bit, 0, bits.size)
            memset(value, 0, values.size)
            for k in range(count):
                row = spans[k].row
                if k == 0 or spans[k - 1].row != row:
                    set_bit(bit, row)
                    value[row] = be16(self.octets + spans[k].at - 2)
                    lacking -= 1
        return bits, values, lacking


cdef int open_large(Text* out, size_t room) noexcept nogil:
    """As `text_open`, from huge pages where large."""
    out.octets = <uint8_t*>big_alloc(room)
    out.size = 0
    out.room = room if out.octets != NULL else 0
    return 0 if out.octets != NULL else -1


cdef size_t span_count(Options self, int kind) noexcept nogil:
    if kind < 0 or kind >= KINDS:
        return 0
    return self.spans[kind].size // sizeof(Span)


cdef int find_spans(Options self) noexcept nogil:
    cdef size_t row, at, end, total = self.size
    cdef uint32_t length, code
    cdef const uint8_t* p = self.octets
    cdef Span span
    cdef Text* spans
    for row in range(self.rows):
        at = self.starts[row]
        end = self.starts[row + 1] if self.starts[row + 1] <= total else total
        while at + 4 <= end:
            code = be16(p + at)
            length = be16(p + at + 2)
            at += 4
            if at + length > end:
                break                      # the decoder keeps only whole options
            self.count += 1
            if code < KINDS:
                spans = &self.spans[code]
                if text_reserve(spans, sizeof(Span)) != 0:
                    return -1
                span.row = <uint32_t>row
                span.at = <uint32_t>at
                memcpy(spans.octets + spans.size, &span, sizeof(Span))
                spans.size += sizeof(Span)
            at += length
    return 0


cdef size_t text_room(Options self, int kind) noexcept nogil:
    """Octets that the texts of a kind take at most, or nearly: the buffer can grow."""
    cdef const Span* spans = <const Span*>self.spans[kind].octets
    cdef size_t k, octets = 0, count = span_count(self, kind)
    for k in range(count):
        octets += be16(self.octets + spans[k].at - 2)
    return octets * 2 + count * (0 if kind == OPTION_COOKIE else 24) + 4096


cdef int write_texts(Options self, int kind, uint8_t* bits, int64_t* ends, Text* out, size_t* lacking) noexcept nogil:
    cdef const Span* spans = <const Span*>self.spans[kind].octets
    cdef size_t k, row = 0, count = span_count(self, kind)
    memset(bits, 0, (self.rows + 7) // 8)
    lacking[0] = self.rows
    for k in range(count):
        if k != 0 and spans[k - 1].row == spans[k].row:
            continue
        while row <= spans[k].row:
            ends[row] = <int64_t>out.size
            row += 1
        if edns_text(<uint16_t>kind, self.octets + spans[k].at, be16(self.octets + spans[k].at - 2), out) != 0:
            return -1
        set_bit(bits, spans[k].row)
        lacking[0] -= 1
    while row <= self.rows:
        ends[row] = <int64_t>out.size
        row += 1
    return 0


cdef int write_errors(Options self, Vocabulary meanings, uint8_t* bits, int32_t* lists, int32_t* ends,
                      Text* out, size_t* lacking) noexcept nogil:
    cdef const Span* spans = <const Span*>self.spans[OPTION_EDE].octets
    cdef size_t k, row = 0, count = span_count(self, OPTION_EDE), before, digits
    cdef uint32_t size
    cdef const uint8_t* p
    cdef const Word* word
    memset(bits, 0, (self.rows + 7) // 8)
    lacking[0] = self.rows
    for k in range(count):
        while row <= spans[k].row:
            lists[row] = <int32_t>k
            row += 1
        if k == 0 or spans[k - 1].row != spans[k].row:
            set_bit(bits, spans[k].row)
            lacking[0] -= 1
        before = out.size
        ends[k] = <int32_t>before
        p = self.octets + spans[k].at
        size = be16(p - 2)
        if edns_text(OPTION_EDE, p, size, out) != 0:
            return -1
        word = &meanings.words[meanings.places[be16(p)] if size >= 2 else 0]
        if word.size != 0:
            if text_reserve(out, <size_t>word.size + 1) != 0:
                return -1
            digits = before
            while digits < out.size and c'0' <= out.octets[digits] <= c'9':
                digits += 1
            memmove(out.octets + digits + 1 + word.size, out.octets + digits, out.size - digits)
            out.octets[digits] = c' '
            memcpy(out.octets + digits + 1, word.octets, word.size)
            out.size += <size_t>word.size + 1
        if out.size > 0x7FFFFFFF:
            return -2
    ends[count] = <int32_t>out.size
    while row <= self.rows:
        lists[row] = <int32_t>count
        row += 1
    return 0


cdef uint32_t put_mnemonic(const Word* words, const uint16_t* places, uint32_t code, uint8_t* to) noexcept nogil:
    cdef const Word* word = &words[places[code]]
    cdef uint32_t divisor = 10000, rest = code, size = 3
    if word.size != 0:
        memcpy(to, word.octets, 16)
        if word.size > 16:
            memcpy(to, word.octets, word.size)
        return word.size
    memcpy(to, b"OPT", 3)
    while divisor > 1 and rest < divisor:
        divisor //= 10
    while divisor:
        to[size] = <uint8_t>(c'0' + rest // divisor)
        rest %= divisor
        divisor //= 10
        size += 1
    return size


cdef int write_names(Options self, Vocabulary mnemonics, int32_t* lists, int32_t* ends,
                     Text* out) noexcept nogil:
    cdef size_t row, at, end, total = self.size, k = 0
    cdef uint32_t length, code
    cdef const uint8_t* p = self.octets
    cdef const Word* words = mnemonics.words
    cdef const uint16_t* places = mnemonics.places
    for row in range(self.rows):
        lists[row] = <int32_t>k
        at = self.starts[row]
        end = self.starts[row + 1] if self.starts[row + 1] <= total else total
        while at + 4 <= end:
            code = be16(p + at)
            length = be16(p + at + 2)
            at += 4
            if at + length > end:
                break
            at += length
            if text_reserve(out, LONGEST_WORD + 1) != 0:
                return -1
            ends[k] = <int32_t>out.size
            k += 1
            out.size += put_mnemonic(words, places, code, out.octets + out.size)
            if out.size > 0x7FFFFFFF:
                return -2
    lists[self.rows] = <int32_t>k
    ends[k] = <int32_t>out.size
    return 0
