"""The matcher as others see it; see exchanges.pxd.

Its rooms: exchange_rows (pages of rows), exchange_index (which row a message may belong to), exchange_transmissions
(several of one query), exchange_translations (NAT), exchange_waiting (time), exchange_notes (TCP and ICMP),
exchange_matching (messages).
"""
cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

import os

from dnscap.native.decoder cimport Batch
from dnscap.native.exchange_index cimport close_wire, index_close, index_open, know_wire
from dnscap.native.exchange_matching cimport match_rows
from dnscap.native.exchange_notes cimport gather_notes, take_note
from dnscap.native.exchange_rows cimport PagePool, close_rows, take_rows
from dnscap.native.exchange_state cimport NO_GROUP
from dnscap.native.exchange_waiting cimport clock, close_all, give_up, release
from dnscap.native.exchange_words cimport *
from dnscap.native.interning cimport Dictionary

cdef enum:
    MOST_ROWS = 1 << 21        # about 240 MiB; at 70,000 queries a second the longest wait of a stub
    MOST_OCTETS = 256 << 20    # of the names and addresses of older dictionaries that rows refer to
    FLAG_QR = 0x8000


cdef uint64_t octets_of(Dictionary dictionary):
    return dictionary.names.used + dictionary.names.text_offsets[dictionary.names.count] \
        + 64 * <uint64_t>dictionary.addresses.count


cdef int enter_era(Exchanges self) except -1:
    """Rows from now on refer to another dictionary.  Where the older ones hold too much, rows are given up with them."""
    cdef Matcher* t = self.table
    cdef uint64_t held = 0, n
    cdef Dictionary old
    cdef set seen = set()
    if self.eras and self.eras[len(self.eras) - 1][0] == t.rows.tail:
        self.eras.pop()
    self.eras.append((t.rows.tail, self.dictionary))
    self.renewed += 1
    seen.add(id(self.dictionary))
    for n in range(len(self.eras) - 1, 0, -1):
        old = self.eras[n - 1][1]
        if id(old) not in seen:
            seen.add(id(old))
            held += octets_of(old)
        if held > self.most_octets:
            give_up(t, self.eras[n][0])
            break
    return 0


cdef void begin(Exchanges self, bint afresh) noexcept nogil:
    """Something is about to happen."""
    cdef Matcher* t = self.table
    t.telling = self.keep_from != <uint64_t>-1
    t.happening_count = 0 if afresh else self.happening_count
    t.turn_count = 0 if afresh else self.turn_count


cdef int done(Exchanges self) noexcept nogil:
    cdef Matcher* t = self.table
    self.happenings = t.happenings
    self.happening_count = t.happening_count
    self.turns = t.turns
    self.turn_count = t.turn_count
    release(t, self.keep_from)
    return -1 if t.failed else 0


@cython.final
cdef class Exchanges:
    """Matcher of responses to queries, for the messages of one capture in order.

    Parameters
    ----------
    most_rows : int
        Exchanges, from the oldest to the newest, that a message may still belong to.  Beyond that the oldest is given up.
    most_octets : int
        Octets of names and addresses in dictionaries no longer in use.  Beyond that the rows that refer to the oldest
        are given up.
    """

    def __cinit__(self, uint64_t most_rows=MOST_ROWS, uint64_t most_octets=MOST_OCTETS):
        cdef bytes seed = os.urandom(32)
        cdef Matcher* t
        if not 0 < most_rows <= <uint64_t>1 << 28:
            raise ValueError(f"most_rows must be from 1 to {1 << 28}, not {most_rows}")
        self.pool = PagePool()
        self.eras = []
        self.keep_from = <uint64_t>-1
        self.most_octets = most_octets
        self.table = t = <Matcher*>calloc(1, sizeof(Matcher))
        if t == NULL or index_open(&t.index, <const uint8_t*>seed) != 0:
            raise MemoryError("no memory for exchanges")
        t.most_rows = most_rows
        t.now = INT64_MIN
        t.cursor_time = INT64_MAX
        t.unused_group = NO_GROUP
        memset(t.translated, 0xFF, sizeof(t.translated))

    def __dealloc__(self):
        cdef Matcher* t = self.table
        if t == NULL:
            return
        close_rows(&t.rows)
        index_close(&t.index)
        close_wire(&t.wire)
        free(t.groups)
        free(t.notes)
        free(t.rtts)
        free(t.happenings)
        free(t.turns)
        free(t)

    cdef int match(self, Batch batch) noexcept nogil:
        cdef int bad = self.begin_batch(batch) or self.match_part(batch, 0, <uint32_t>batch.columns.count)
        return self.end_batch() or bad

    cdef int match_part(self, Batch batch, uint32_t first, uint32_t end) noexcept nogil:
        cdef Matcher* t = self.table
        cdef int bad = match_rows(t, batch, self.pool, first, end)
        self.happenings = t.happenings
        self.happening_count = t.happening_count
        self.turns = t.turns
        self.turn_count = t.turn_count
        return bad

    cdef int end_batch(self) noexcept nogil:
        return done(self)

    cdef void use_up(self) noexcept nogil:
        self.happening_count = self.table.happening_count = 0

    cdef int begin_batch(self, Batch batch) noexcept nogil:
        cdef Matcher* t = self.table
        cdef bint afresh = <void*>self.dictionary != <void*>batch.dictionary
        begin(self, True)
        if afresh:
            with gil:
                self.dictionary = batch.dictionary
                enter_era(self)
        if know_wire(&t.wire, &t.index, self.dictionary, afresh) != 0:
            return -1
        return gather_notes(t, batch)

    cdef int tick(self, int64_t now) noexcept nogil:
        cdef Matcher* t = self.table
        begin(self, False)
        while t.note_at < t.note_count and t.notes[t.note_at].time <= now:
            take_note(t)
        if now >= t.now:
            clock(t, now)
        return done(self)

    cdef int finish(self) noexcept nogil:
        cdef Matcher* t = self.table
        begin(self, False)
        while t.note_at < t.note_count:
            take_note(t)
        close_all(t)
        return done(self)

    cdef void tell(self, const Happening* h, Batch batch, Exchange* into) noexcept nogil:
        cdef uint64_t client
        cdef uint32_t i
        memset(into, 0, sizeof(Exchange))
        tell_query(&batch.columns, batch.dictionary.addresses.keys, h, into)
        if batch.columns.flags[h.row] & FLAG_QR:
            # The other way round, and nothing said of how it was asked for.
            for i in range(2):
                client = into.client[i]
                into.client[i] = into.server[i]
                into.server[i] = client
            into.client_port, into.server_port = into.server_port, into.client_port
            into.flags &= EXCHANGE_NO_QUESTION
            into.edns_udp_size = 0

    def feed(self, Batch batch not None):
        """Match the messages of a batch."""
        cdef int bad
        with nogil:
            bad = self.match(batch)
        if bad:
            raise MemoryError("no memory to match queries and responses")

    def pass_time(self, int64_t now):
        """Capture time has come to `now` (nanoseconds since the epoch) without a message."""
        cdef int bad
        with nogil:
            bad = self.tick(now)
        if bad:
            raise MemoryError("no memory to match queries and responses")

    def end(self):
        """The capture ends: queries that wait become unfinished, or unanswered."""
        cdef int bad
        with nogil:
            bad = self.finish()
        if bad:
            raise MemoryError("no memory to match queries and responses")

    def take(self):
        """Rows that are final and not yet taken.

        Returns
        -------
        list of ExchangeBatch
        """
        cdef Matcher* t = self.table
        cdef uint64_t end
        batches = []
        release(t, self.keep_from)
        while t.rows.taken < t.rows.head:
            while len(self.eras) > 1 and self.eras[1][0] <= t.rows.taken:
                del self.eras[0]
            end = self.eras[1][0] if len(self.eras) > 1 else t.rows.tail
            batches.append(take_rows(&t.rows, self.pool, self.eras[0][1], end))
        return batches

    @property
    def live(self):
        """Rows that may still change."""
        return self.table.rows.tail - self.table.rows.head

    def counts(self):
        """What was passed over or given up, by name."""
        cdef Matcher* t = self.table
        return {
            "exchanges": t.rows.tail,
            "exchanges_evicted": t.evicted,
            "dictionaries": self.renewed,
            "multicast_messages": t.multicast,
            "sightings": t.sightings,
        }
