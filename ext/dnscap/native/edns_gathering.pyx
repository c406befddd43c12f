"""EDNS options of a whole capture as the columns of frames, gathered while its batches go by.

Most messages have none, and most that have some have one: what the others lack is written as little as can be.
Extended errors and padding are rarer still.  They are left to `dnscap.native.edns`, for the batches that have any.
"""
cimport cython
from libc.stdint cimport int32_t, uint8_t, uint32_t

from dnscap.native.decoder cimport Batch
from dnscap.native.edns cimport (
    LONGEST_WORD, OPTION_COOKIE, OPTION_ECS, OPTION_EDE, OPTION_NSID, OPTION_PADDING, Vocabulary, put_mnemonic,
)
from dnscap.native.growing cimport Lists, Texts
from dnscap.native.message_columns cimport MessageColumns
from dnscap.native.octets cimport be16
from dnscap.native.presentation cimport edns_text
from dnscap.native.text cimport Text, text_close, text_open

cdef enum:
    LOOKED_AT = 1 << OPTION_NSID | 1 << OPTION_ECS | 1 << OPTION_COOKIE | 1 << OPTION_PADDING | 1 << OPTION_EDE
    EDNS_SHIFT = 3             # of the bit HAS_EDNS
    SCRATCH = 1 << 10          # octets, for a start
    MOST_LISTED = 0x7FFFFFFF   # options in lists, and octets of their names: Arrow's offsets have 32 bits


@cython.final
cdef class EdnsGathering:
    """Columns of EDNS options.

    Parameters
    ----------
    mnemonics : Vocabulary
        Names of options.

    Attributes
    ----------
    ecs, nsid, cookie : Texts
        Texts of the first option of these kinds in each message.
    errors, padding : bool
        Whether the latest batch has extended errors or padding.
    """

    cdef readonly Texts ecs
    cdef readonly Texts nsid
    cdef readonly Texts cookie
    cdef readonly bint errors
    cdef readonly bint padding
    cdef Vocabulary mnemonics
    cdef Text scratch          # of one option

    def __cinit__(self, Vocabulary mnemonics not None):
        self.mnemonics = mnemonics
        self.ecs = Texts()
        self.nsid = Texts()
        self.cookie = Texts()
        if text_open(&self.scratch, SCRATCH) != 0:
            raise MemoryError("no memory for EDNS options")

    def __dealloc__(self):
        text_close(&self.scratch)

    def expect(self, size_t rows):
        """So many messages are going to come in all, more or less."""
        self.ecs.expect(rows)
        self.nsid.expect(rows)
        self.cookie.expect(rows)

    def add(self, Batch batch not None, Lists names not None):
        """Take over the options of a batch, the mnemonics of each message's into `names`."""
        cdef int bad
        with nogil:
            bad = self.take_over(batch, names)
        if bad == -2:
            raise OverflowError("more than 2 GiB of EDNS options in one batch")
        if bad:
            raise MemoryError("no memory for EDNS options")

    cdef int take_over(self, Batch batch, Lists names) noexcept nogil:
        cdef const MessageColumns* c = &batch.columns
        cdef const uint32_t* places = c.options
        cdef const uint8_t* p = c.options_octets
        cdef size_t n = c.count, first = self.ecs.rows, row, at, end
        cdef uint32_t code, length, seen, met = 0
        cdef int32_t* starts
        if self.ecs.reserve(n, 0) != 0 or self.nsid.reserve(n, 0) != 0 or self.cookie.reserve(n, 0) != 0 \
                or names.reserve(n, 0, 0) != 0:
            return -1
        starts = <int32_t*>names.starts.data + names.rows + 1
        for row in range(n):
            at = places[row]
            end = places[row + 1]
            if at != end:
                seen = 0
                while at + 4 <= end:
                    code = be16(p + at)
                    length = be16(p + at + 2)
                    at += 4
                    if at + length > end:
                        break              # the decoder keeps only whole options
                    if self.name(names, n, code) != 0:
                        return -1
                    # the first option of each kind
                    if code < 32 and LOOKED_AT >> code & 1 and not seen >> code & 1:
                        seen |= <uint32_t>1 << code
                        if self.take(first + row, code, p + at, length) != 0:
                            return -1
                    at += length
                met |= seen
                if names.count > MOST_LISTED or names.size > MOST_LISTED:
                    return -2
            if names.count:
                starts[row] = <int32_t>names.count
        self.errors = met >> OPTION_EDE & 1
        self.padding = met >> OPTION_PADDING & 1
        names.put_presence(c.presence, EDNS_SHIFT, n)
        names.rows += n
        self.ecs.pass_over(first + n)
        self.nsid.pass_over(first + n)
        self.cookie.pass_over(first + n)
        return 0

    cdef inline int name(self, Lists names, size_t rows, uint32_t code) noexcept nogil:
        """The mnemonic of an option behind the others of its message."""
        if (names.count + 2) * 4 > names.ends.octets or names.size + LONGEST_WORD + 1 > names.text.octets:
            if names.reserve(rows, 1, LONGEST_WORD + 1) != 0:
                return -1
        names.size += put_mnemonic(self.mnemonics.words, self.mnemonics.places, code, names.text.data + names.size)
        names.count += 1
        (<int32_t*>names.ends.data)[names.count] = <int32_t>names.size
        return 0

    cdef inline int take(self, size_t row, uint32_t code, const uint8_t* octets, uint32_t length) noexcept nogil:
        if code == OPTION_PADDING or code == OPTION_EDE:
            return 0
        self.scratch.size = 0
        if edns_text(code, octets, length, &self.scratch) != 0:
            return -1
        if code == OPTION_COOKIE:
            return self.cookie.put(row, self.scratch.octets, self.scratch.size)
        if code == OPTION_ECS:
            return self.ecs.put(row, self.scratch.octets, self.scratch.size)
        return self.nsid.put(row, self.scratch.octets, self.scratch.size)
