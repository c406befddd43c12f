"""Lookups that are still open, for those who watch: rows as Python objects, some hundred at most."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

from dnscap.native.assembly cimport LIST_FAILED, LISTS, Assembly
from dnscap.native.attempts cimport Attempt, Lookup
from dnscap.native.exchanges cimport OUTCOME_UNREACHABLE
from dnscap.native.lookup_columns cimport COLUMNS_ALL, LookupBatch, unpack
from dnscap.native.lookups cimport Lookups

cdef enum:
    MOST_SEEN = 1 << 16        # lookups looked at for one answer: under a flood, a tick must stay a tick


cdef tuple row_of(const Lookup* l):
    cdef uint32_t i
    cdef const Attempt* a
    attempts = []
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        attempts.append((a.time, a.answered, (<const char*>a.server)[:16], a.qtype, a.role, a.outcome, a.transport,
                         a.exchange, a.port, a.server_port, a.candidate))
    names = [(<const char*>l.text + l.names[i])[:l.names[i + 1] - l.names[i]] for i in range(l.candidate_count)]
    return l.number, l.time, l.last, (<const char*>l.client)[:16], names, l.queries, attempts, bool(l.complete)


def open_lookups(Lookups lookups not None, uint32_t most=256, int64_t since=0):
    """Lookups that wait for an answer, or were told that nobody listens.

    Parameters
    ----------
    lookups : Lookups
        Where they are put together.
    most : int
        How many to give at most; those whose last query is oldest come first.
    since : int
        Only lookups with a query of this time or earlier that is not answered, nanoseconds since the epoch; 0 for all.

    Returns
    -------
    list of tuple
        Number, time, time of the latest packet, client, names asked for in order, queries sent, a list of attempts,
        and whether every type asked for has its answer.  Of an attempt: time, time of the answer or -1, server, type, role,
        outcome, transport, exchange, port of the client, of the server, place of the name asked for.  Addresses are 16 octets.
    """
    cdef Assembly* t = lookups.table
    cdef Lookup* l
    cdef uint32_t i, k, seen = 0
    cdef bint waits
    rows = []
    for k in range(LIST_FAILED, LISTS):      # those in the lists before have all their answers
        l = t.oldest[k]
        while l != NULL and seen < MOST_SEEN and len(rows) < most:
            seen += 1
            waits = False
            if not l.complete:
                for i in range(l.attempt_count):
                    if l.attempts[i].answered < 0 and (since == 0 or l.attempts[i].time <= since) \
                            or l.attempts[i].outcome == OUTCOME_UNREACHABLE:
                        waits = True
                        break
            if waits:
                rows.append(row_of(l))
            l = l.later
    return rows


def count_waiting(Lookups lookups not None):
    """How many lookups wait for an answer, as far as they are looked at for one."""
    cdef Assembly* t = lookups.table
    cdef const Lookup* l
    cdef uint32_t i, k, seen = 0, found = 0
    with nogil:
        for k in range(LIST_FAILED, LISTS):      # those in the lists before have all their answers
            l = t.oldest[k]
            while l != NULL and seen < MOST_SEEN:
                seen += 1
                if not l.complete:
                    for i in range(l.attempt_count):
                        if l.attempts[i].answered < 0:
                            found += 1
                            break
                l = l.later
    return found


def numbers_of(Lookups lookups not None):
    """Numbers of lookups: the oldest not taken yet, the oldest that is open, and that of the next new one."""
    return lookups.table.first, lookups.table.oldest_open, lookups.table.next


def lookups_at(Lookups lookups not None, numbers not None):
    """Where some lookups stand that were not taken yet.

    Parameters
    ----------
    lookups : Lookups
        Where they are put together.
    numbers : iterable of int
        Which ones; those taken already, or not begun, are left out.

    Returns
    -------
    list of tuple, LookupBatch
        The open ones, as of `open_lookups`; and those that are over and wait for an older one that is not: they are going
        to be taken as they are here.
    """
    cdef Assembly* t = lookups.table
    cdef LookupBatch over = LookupBatch()
    cdef uint64_t number
    rows = []
    over.filled = COLUMNS_ALL
    for number in numbers:
        if not t.first <= number < t.next:
            continue
        if t.ring[number & t.ring_mask].l != NULL:
            rows.append(row_of(t.ring[number & t.ring_mask].l))
        elif t.ring[number & t.ring_mask].u.row != NULL:
            if not unpack(&over.columns, t.ring[number & t.ring_mask].u.row, number, 1, COLUMNS_ALL):
                raise MemoryError("no memory for lookups")
            over.count += 1
    return rows, over
