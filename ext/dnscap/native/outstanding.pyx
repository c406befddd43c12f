"""Lookups that are still open, for those who watch: rows as Python objects, some hundred at most."""
from libc.stdint cimport int64_t, uint32_t

from dnscap.native.assembly cimport LISTS, Assembly
from dnscap.native.attempts cimport Attempt, Lookup
from dnscap.native.exchanges cimport OUTCOME_UNREACHABLE
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
                         a.exchange))
    name = (<const char*>l.text)[:l.names[1]]
    now = (<const char*>l.text + l.names[l.candidate_count - 1])[:l.names[l.candidate_count] - l.names[l.candidate_count - 1]]
    return l.number, l.time, l.last, (<const char*>l.client)[:16], name, now, l.queries, attempts


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
        Number, time, time of the latest packet, client, name asked first and last, queries sent, and a list of attempts:
        time, time of the answer or -1, server, type, role, outcome, transport, exchange.  Addresses are 16 octets.
    """
    cdef Assembly* t = lookups.table
    cdef Lookup* l
    cdef uint32_t i, k, seen = 0
    cdef bint waits
    rows = []
    for k in range(LISTS):
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
