"""What servers say of names; see names_seen.pxd.

Responses of a batch become jobs, one an RRset (or an absence, a failure, a signature), a block at a time (names_answers.pyx).
When the table is full, the tally goes on with a sample of the names (names_codes.pyx).
"""
cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t

import os

from dnscap.native.decoder cimport Batch
from dnscap.native.interning cimport NO_CODE, Dictionary, prefetch, unlikely
from dnscap.native.message_columns cimport HAS_HEADER, HAS_NAME, HAS_TYPE, MessageColumns, RecordColumns
from dnscap.native.names_answers cimport BLOCK, BLOCK_ROOM, Job, Tally, carry_out, plan
from dnscap.native.names_codes cimport Codes, codes_close, codes_open, forget_codes, know_codes, translate
from dnscap.native.names_merging cimport absorb
from dnscap.native.names_table cimport SeenRow, SeenTable, Version, give_out, table_close, table_open
from dnscap.native.octets cimport load64
from dnscap.native.rdata cimport CLASS_IN

cdef enum:
    MOST_ROWS = 1 << 16            # names, types and servers told apart: some 10 MiB of rows
    MOST_THINNED = 24              # one name in sixteen million: beyond that nothing new is taken in
    THINNER = 2                    # bits of hash that a full table demands in addition: one name in four stays
    AHEAD = 24                     # messages and records whose names are looked at before their turn
    MDNS = 5353
    LLMNR = 5355
    FLAG_QR = 0x8000
    FLAG_TC = 0x0200
    OPCODE = 0x7800


cdef inline bint is_telling(const MessageColumns* c, uint32_t r) noexcept nogil:
    """Whether a message is a whole response whose records say something of names."""
    return (c.flags[r] & (FLAG_QR | OPCODE | FLAG_TC) == FLAG_QR
            and c.presence[r] & (HAS_HEADER | HAS_NAME | HAS_TYPE) == HAS_HEADER | HAS_NAME | HAS_TYPE
            and c.status[r] == 0 and c.sighting_of[r] == NO_CODE and c.qclass[r] == CLASS_IN
            and c.src_port[r] != MDNS and c.src_port[r] != LLMNR)


cdef inline void foresee(const Codes* k, const MessageColumns* c, const RecordColumns* q, uint32_t r, uint32_t x) noexcept nogil:
    """Fetch the codes of names that come soon: of a message and of three records."""
    cdef uint32_t i
    if r + AHEAD < c.count and c.qname[r + AHEAD] < k.names_known:
        prefetch(&k.name_codes[c.qname[r + AHEAD]])
    if x + AHEAD + 3 < q.count:
        for i in range(3):
            if q.name[x + AHEAD + i] < k.names_known:
                prefetch(&k.name_codes[q.name[x + AHEAD + i]])


cdef int see(NamesSeen self, Batch batch, const uint8_t* kept) noexcept nogil:
    cdef const MessageColumns* c = &batch.columns
    cdef const RecordColumns* q = &batch.record_columns
    cdef Tally* y = &self.tally
    cdef Job[BLOCK_ROOM] jobs
    cdef uint32_t r, x = 0, start, count = 0
    cdef bint good
    if know_codes(&y.codes) != 0:
        return -1
    for r in range(c.count):
        foresee(&y.codes, c, q, r, x)
        start = x
        while x < q.count and q.message[x] == r:
            x += 1
        if not is_telling(c, r) or (kept != NULL and not kept[r]):
            continue
        y.responses += 1
        if count == 0 and unlikely(is_full(self)):
            with gil:
                good = thin_out(self)
            if not good:
                return -1
        count += plan(y, c, q, r, start, x, &jobs[count])
        if count >= BLOCK:
            carry_out(y, c, q, jobs, count)
            count = 0
    carry_out(y, c, q, jobs, count)
    return 0


cdef inline bint is_full(NamesSeen self) noexcept nogil:
    if self.tally.codes.thinned >= MOST_THINNED:
        return False
    return self.tally.table.count + BLOCK_ROOM > self.tally.most_rows or not self.dictionary.has_room(2 * BLOCK_ROOM, 2 * BLOCK_ROOM)


cdef void own_dictionary(NamesSeen self) noexcept:
    self.tally.codes.names = &self.dictionary.names
    self.tally.codes.addresses = &self.dictionary.addresses


cdef bint thin_out(NamesSeen self) noexcept:
    """Give up names that are neither of the smaller sample nor popular.  False without memory."""
    cdef NamesSeen thinner
    cdef Tally* y = &self.tally
    cdef int bad
    try:
        thinner = NamesSeen(y.most_rows)
    except MemoryError:
        return False
    y.codes.thinned += THINNER
    thinner.tally.codes.thinned = y.codes.thinned
    with nogil:
        bad = absorb(&thinner.tally, y)
    if bad:
        return False
    y.rows_dropped += thinner.tally.rows_dropped
    y.values_dropped += thinner.tally.values_dropped
    y.table, thinner.tally.table = thinner.tally.table, y.table
    y.codes.seen, thinner.tally.codes.seen = thinner.tally.codes.seen, y.codes.seen
    self.dictionary = thinner.dictionary
    own_dictionary(self)
    forget_codes(&y.codes)
    return True


@cython.final
cdef class NamesSeen:
    """Adds up what servers say of names, from batches of messages with their records.

    Parameters
    ----------
    most_rows : int
        Names, types and servers told apart.

    Attributes
    ----------
    count : int
        Rows.
    names : Dictionary
        What the codes of names and addresses mean.
    """

    def __cinit__(self, uint32_t most_rows=MOST_ROWS):
        cdef bytes octets = os.urandom(8)
        cdef uint64_t seed = load64(<const char*>octets)
        self.tally.most_rows = most_rows if most_rows > 2 * BLOCK_ROOM else 2 * BLOCK_ROOM
        self.dictionary = Dictionary()
        own_dictionary(self)
        if table_open(&self.tally.table, seed) != 0 or codes_open(&self.tally.codes) != 0:
            raise MemoryError("no memory for what is said of names")

    def __dealloc__(self):
        table_close(&self.tally.table)
        codes_close(&self.tally.codes)

    def feed(self, Batch batch not None, const uint8_t[::1] kept=None):
        """Take in the responses of a batch; `kept` has one octet a message, 0 for those to pass over."""
        cdef const uint8_t* mask = NULL
        cdef int bad
        if kept is not None:
            if <uint32_t>kept.shape[0] != batch.columns.count:
                raise ValueError("one octet a message is needed")
            if batch.columns.count == 0:
                return
            mask = &kept[0]
        if <void*>self.translated != <void*>batch.dictionary:
            self.translated = batch.dictionary
            translate(&self.tally.codes, &self.translated.names, &self.translated.addresses)
        with nogil:
            bad = see(self, batch, mask)
        if bad:
            raise MemoryError("no memory for what is said of names")

    def merge(self, NamesSeen other not None):
        """Add what another saw."""
        while self.tally.codes.thinned < other.tally.codes.thinned:
            if not thin_out(self):
                raise MemoryError("no memory to merge names")
        if absorb(&self.tally, &other.tally) != 0:
            raise MemoryError("no memory to merge names")
        self.tally.rows_dropped += other.tally.rows_dropped
        self.tally.values_dropped += other.tally.values_dropped
        self.tally.responses += other.tally.responses
        # codes stay as they are: names were only added

    def rows(self):
        """The rows as octets of the native struct, and its size."""
        cdef SeenTable* t = &self.tally.table
        cdef bytes octets = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(t.count * sizeof(SeenRow)))
        cdef SeenRow* row = <SeenRow*><char*>octets
        cdef uint32_t k
        for k in range(t.count):
            give_out(t, &t.rows[k], &row[k])
        return octets, sizeof(SeenRow)

    def versions(self):
        """The values as octets of the native struct, from number 0, which is none, and its size."""
        cdef SeenTable* t = &self.tally.table
        return PyBytes_FromStringAndSize(<char*>t.versions, <Py_ssize_t>(t.version_count * sizeof(Version))), sizeof(Version)

    def rrsets(self):
        """Where each RRset starts (one more at the end), and the octets of all."""
        cdef SeenTable* t = &self.tally.table
        return (PyBytes_FromStringAndSize(<char*>t.rrsets, <Py_ssize_t>((t.rrset_count + 1) * sizeof(uint64_t))),
                PyBytes_FromStringAndSize(<char*>t.octets, <Py_ssize_t>t.used))

    @property
    def count(self):
        return self.tally.table.count

    @property
    def names(self):
        return self.dictionary

    def counts(self):
        """What was taken in, and what was given up because of a limit."""
        return {"responses": self.tally.responses, "names_dropped": self.tally.rows_dropped,
                "values_dropped": self.tally.values_dropped}
