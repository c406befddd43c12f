"""Lookup assembly; see lookups.pxd.

Queries are given to lookups as they are sent, once and for good: by the client's address and the name asked for, then by
what the stubs do (stubs.pxd): the other family, the next name of a search list, retries with and without new ids, the same
over TCP.  A lookup is over when its stub can send nothing more, and is judged then (verdicts.pxd).  Lookups leave in the
order of their numbers.
"""
cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, int16_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

import os

from dnscap.native.acquaintances cimport acquaintances_close, acquaintances_open
from dnscap.native.ahead cimport FAR, look_ahead
from dnscap.native.answers cimport on_answer, on_extra
from dnscap.native.assembly cimport LABELLED_AT, LISTS, Ahead, Place
from dnscap.native.closing cimport expire, learn, over, take_over
from dnscap.native.dials cimport known_at, on_closed, on_turn, take_ended
from dnscap.native.exchanges cimport *
from dnscap.native.joining cimport meet, on_query
from dnscap.native.lookup_columns cimport LookupBatch
from dnscap.native.lookup_index cimport index_close, index_open
from dnscap.native.lookups_by_name cimport names_open
from dnscap.native.open_lookups cimport close_slabs, empty, settle_too, tick_of
from dnscap.native.packed cimport let_go, packed_close
from dnscap.native.upstreams cimport upstream_close, upstream_open

cdef int64_t NEVER = INT64_MIN

cdef enum:
    PART = 512                 # messages matched at a time, so that what is known of them is still in the nearest cache


cdef inline int state(const Assembly* t) noexcept nogil:
    return -1 if t.failed or t.index.failed or t.known.failed else 0


cdef void pass_time(Assembly* t, int64_t now) noexcept nogil:
    cdef uint32_t i
    while t.ended_due <= now:
        settle_too(t, on_closed(t, &t.ended[t.ended_at]))
        t.ended_at += 1
        t.ended_due = known_at(&t.ended[t.ended_at]) if t.ended_at < t.ended_count else INT64_MAX
    if t.begun == NEVER:
        t.begun = now
        for i in range(LABELLED_AT):
            t.labelled_at[i] = tick_of(now) - LABELLED_AT
    t.now = now
    if now > t.due:
        expire(t, now)


@cython.final
cdef class Lookups:
    """Puts exchanges together into lookups, batch by batch.

    Parameters
    ----------
    judged : bool
        Whether lookups are wanted; otherwise exchanges are only told theirs, and there are none to take.
    short_cuts : bool
        Whether simple lookups may be judged without weighing what must be nothing; the verdicts are the same.

    Attributes
    ----------
    open : int
        Lookups that are not over, or wait for an older one that is not.
    steps : int
        Lookups that were looked at so far, to find the one that an event belongs to.
    """

    def __cinit__(self, bint judged=True, bint short_cuts=True):
        cdef Assembly* t = <Assembly*>calloc(1, sizeof(Assembly))
        cdef uint32_t i
        self.table = t
        if t == NULL:
            raise MemoryError("no memory for lookups")
        t.ring_mask = 1023
        t.ring = <Place*>malloc(1024 * sizeof(Place))
        t.now = t.begun = NEVER
        t.due = t.ended_due = INT64_MAX
        t.judged = judged
        t.short_cuts = short_cuts
        seed = int.from_bytes(os.urandom(8), "little")
        t.labelled_at = <uint32_t*>calloc(LABELLED_AT, sizeof(uint32_t))
        for i in range(LISTS):
            t.due_of[i] = INT64_MAX
        if t.ring == NULL or t.labelled_at == NULL or not (
                names_open(t) and index_open(&t.index, seed) and acquaintances_open(&t.known, seed)
                and upstream_open(&t.upstream)):
            raise MemoryError("no memory for lookups")

    def __dealloc__(self):
        cdef Assembly* t = self.table
        cdef uint64_t i
        if t == NULL:
            return
        if t.ring != NULL:
            for i in range(t.first, t.next):
                if t.ring[i & t.ring_mask].l != NULL:
                    empty(t.ring[i & t.ring_mask].l)
                elif t.ring[i & t.ring_mask].u.row != NULL:
                    let_go(&t.packed, t.ring[i & t.ring_mask].u.row)
            packed_close(&t.packed)
        close_slabs(t)
        free(t.ring)
        free(t.heads)
        free(t.labelled_at)
        index_close(&t.index)
        acquaintances_close(&t.known)
        free(t.ended)
        free(t.faces)
        upstream_close(&t.upstream)
        free(t)

    cdef int assemble(self, Exchanges exchanges, Batch batch) noexcept nogil:
        cdef int bad
        self.table.near = 0
        if batch is not None and (take_ended(self.table, batch) != 0 or not meet(self.table, batch.dictionary.addresses.count)):
            return -1
        bad = self.take_in(exchanges, batch)
        exchanges.use_up()
        exchanges.turn_count = 0
        return bad

    cdef int match(self, Exchanges exchanges, Batch batch) noexcept nogil:
        cdef uint32_t first = 0, count = <uint32_t>batch.columns.count, end
        cdef int bad = exchanges.begin_batch(batch)
        self.table.near = 0
        if bad or take_ended(self.table, batch) != 0 or not meet(self.table, batch.dictionary.addresses.count):
            return -1
        while first < count and not bad:
            end = min(first + PART, count)
            bad = exchanges.match_part(batch, first, end) or self.take_in(exchanges, batch)
            exchanges.use_up()
            first = end
        bad |= exchanges.end_batch()
        exchanges.turn_count = 0
        return bad

    cdef int take_in(self, Exchanges exchanges, Batch batch) noexcept nogil:
        cdef Assembly* t = self.table
        cdef const Happening* h
        cdef Ahead[32] ahead   # of two strides: what the next one needs is fetched while one is taken in
        cdef uint32_t first = 0, i
        look_ahead(t, exchanges, batch, 0, ahead)
        while first < exchanges.happening_count:
            look_ahead(t, exchanges, batch, first + FAR, ahead)
            for i in range(first, min(first + FAR, exchanges.happening_count)):
                h = &exchanges.happenings[i]
                if h.time > t.now:
                    if h.time >= t.ended_due or h.time > t.due or t.begun == NEVER:
                        pass_time(t, h.time)
                    else:
                        t.now = h.time
                if h.kind == HAPPENED_QUERY:
                    on_query(t, exchanges, h, batch, &ahead[i & (2 * FAR - 1)].asked)
                elif h.kind == HAPPENED_EXTRA:
                    on_extra(t, exchanges, h, batch)
                elif h.kind == HAPPENED_ANSWER or h.kind == HAPPENED_UNREACHABLE or h.kind == HAPPENED_EXPIRED and batch is not None:
                    on_answer(t, exchanges, h, batch, ahead[i & (2 * FAR - 1)].lookup)
                elif h.kind == HAPPENED_REJECTED:
                    on_answer(t, exchanges, h, batch, NO_LOOKUP)   # too rare to be looked at ahead
                elif h.kind == HAPPENED_SYN or h.kind == HAPPENED_CONNECTED or h.kind == HAPPENED_REFUSED:
                    settle_too(t, on_turn(t, &exchanges.turns[h.row], h.kind))
            if state(t) != 0:
                return -1
            first += FAR
        return 0

    cdef int tick(self, int64_t now) noexcept nogil:
        if now > self.table.now:
            pass_time(self.table, now)
        return state(self.table)

    cdef int finish(self) noexcept nogil:
        cdef Assembly* t = self.table
        cdef uint64_t i
        cdef uint32_t k
        cdef int16_t score
        for k in range(t.ended_at, t.ended_count):
            settle_too(t, on_closed(t, &t.ended[k]))
        t.ended_count = t.ended_at = 0
        t.ended_due = INT64_MAX
        for i in range(t.oldest_open, t.next):
            if t.judged and t.ring[i & t.ring_mask].l != NULL:
                learn(t, t.ring[i & t.ring_mask].l, &score)
        for i in range(t.oldest_open, t.next):
            if t.ring[i & t.ring_mask].l != NULL:
                over(t, t.ring[i & t.ring_mask].l, True)
        return state(t)

    cdef void see(self, Batch batch):
        if batch.dictionary is not self.dictionary:
            self.dictionary = batch.dictionary     # held, so that no other takes its place unseen
            self.table.face_count = 0

    @property
    def open(self):
        return self.table.next - self.table.first

    @property
    def steps(self):
        return self.table.steps

    def counts(self):
        """What limits made it give up, and queries left to their client's lookup.

        Returns
        -------
        dict of str to int
        """
        return {
            "lookups_closed_early": self.table.forced_over,
            "clients_forgotten": self.table.known.forgotten,
            "queries_passed_on": self.table.passed_on,
        }

    def hold(self, Exchanges exchanges not None):
        """Keep exchanges where they can be read until `feed` has seen them; call it before they are fed a batch."""
        exchanges.keep_from = 0

    def feed(self, Exchanges exchanges not None, Batch batch=None):
        """Take in what the batch that `exchanges` was fed last did; without one, what the passing of time did."""
        cdef int bad
        if batch is not None:
            self.see(batch)
        with nogil:
            bad = self.assemble(exchanges, batch)
        exchanges.keep_from = <uint64_t>-1
        if bad:
            raise MemoryError("no memory for lookups")

    def feed_both(self, Exchanges exchanges not None, Batch batch not None):
        """Feed a batch to `exchanges`, and take in what it does there: less work than one after the other."""
        cdef int bad
        self.see(batch)
        exchanges.keep_from = 0
        with nogil:
            bad = self.match(exchanges, batch)
        exchanges.keep_from = <uint64_t>-1
        if bad:
            raise MemoryError("no memory for lookups")

    def pass_time(self, int64_t now):
        """Capture time has come to `now` (nanoseconds since the epoch) without a message."""
        cdef int bad
        with nogil:
            bad = self.tick(now)
        if bad:
            raise MemoryError("no memory for lookups")

    def close(self):
        """The capture ends."""
        cdef int bad
        with nogil:
            bad = self.finish()
        if bad:
            raise MemoryError("no memory for lookups")

    def take(self):
        """Some of the lookups that are over and were not taken yet, in order; none when all were.

        Returns
        -------
        LookupBatch
        """
        cdef LookupBatch batch = LookupBatch()
        cdef bint good
        with nogil:
            good = take_over(self.table, batch)
        if not good:
            raise MemoryError("no memory for lookups")
        return batch
