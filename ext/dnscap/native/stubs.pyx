"""Profiles of stub resolvers; see stubs.pxd.

The numbers come from the programs' sources and documentation: default waits of resolv.h (5 s), musl's resolvconf.c
(5 s in two rounds), Go's dnsconfig_unix.go, c-ares' ares_private.h since 1.20 (2 s), dnspython's resolver (2 s a try).
"""
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t

from dnscap.native.attempts cimport Attempt, Lookup
from dnscap.native.datagrams cimport TRANSPORT_TCP
from dnscap.native.exchanges cimport EXCHANGE_AD, EXCHANGE_CD, EXCHANGE_COOKIE, EXCHANGE_DO, EXCHANGE_EDNS

cdef enum:
    TYPE_A = 1
    TYPE_AAAA = 28
    NEAR_IDS = 700             # musl makes ids from the clock in nanoseconds / 65536 steps: the second lies this close
    ONE_CALL = 60000           # nanoseconds between two queries of one sendmmsg (glibc)
    TWO_CALLS = 130000         # two separate sends take longer, as a rule
    SEVERAL_PORTS = 20000000   # parallel threads of one lookup (Go) send within this

cdef Profile[10] PROFILES
PROFILES[0] = Profile(b"", 5000000000, 1, 0, 0, 0, 1)
PROFILES[1] = Profile(b"glibc", 5000000000, 1, 1, 0, 0, 1)
PROFILES[2] = Profile(b"musl", 2500000000, 1, 1, 1, 1, 0)
PROFILES[3] = Profile(b"go", 5000000000, 0, 0, 0, 0, 1)
PROFILES[4] = Profile(b"c-ares", 2000000000, 1, 1, 0, 0, 1)
PROFILES[5] = Profile(b"dnspython", 2000000000, 0, 0, 0, 0, 1)
PROFILES[6] = Profile(b"systemd-resolved", 5000000000, 1, 0, 0, 0, 1)
PROFILES[7] = Profile(b"dig", 5000000000, 1, 1, 0, 0, 1)
PROFILES[8] = Profile(b"windows", 1000000000, 1, 1, 0, 0, 1)
PROFILES[9] = Profile(b"dnsmasq", 10000000000, 1, 0, 0, 0, 1)


cdef const Profile* profile(uint8_t stub) noexcept nogil:
    return &PROFILES[stub if stub < STUBS else 0]


def names():
    """Names of the stubs, in the order of their numbers; the first, of none, is empty.

    Returns
    -------
    list of str
    """
    return [PROFILES[i].name.decode() for i in range(STUBS)]


cdef inline uint16_t distance(uint16_t a, uint16_t b) noexcept nogil:
    cdef uint16_t d = <uint16_t>(b - a)
    return d if d < 0x8000 else <uint16_t>(0 - d)


cdef uint8_t with_edns(const Lookup* l, const Attempt* a, const Attempt* b, int16_t* score) noexcept nogil:
    """A stub that sends OPT: its size and bits tell most of them apart."""
    if a.sent & EXCHANGE_AD and a.edns_size != 1200 or a.sent & EXCHANGE_CD:
        # dig, delv and kdig set AD and ask one question a run; cookies are theirs too.
        score[0] = 30 if a.sent & EXCHANGE_COOKIE else 20
        return STUB_DIG
    if a.edns_size == 1200:
        score[0] = 30          # RESOLV_EDNS_BUFFER_SIZE of glibc
        return STUB_GLIBC
    if a.edns_size == 1472 or a.edns_size == 512 or a.edns_size == 65494 or a.sent & EXCHANGE_DO:
        score[0] = 20
        return STUB_RESOLVED
    if a.sent & EXCHANGE_COOKIE:
        score[0] = 20
        return STUB_CARES
    if b != NULL:
        # Go asks for each family from a goroutine of its own, with a socket of its own.
        score[0] = 25
        return STUB_CARES if a.port == b.port else STUB_GO
    score[0] = 1
    return STUB_CARES if a.edns_size == 1232 else STUB_UNKNOWN


cdef uint8_t without_edns(const Lookup* l, const Attempt* a, const Attempt* b, int16_t* score) noexcept nogil:
    cdef int64_t apart
    cdef uint32_t i, j
    cdef const Attempt* c
    cdef const Attempt* d
    cdef bint retried = False, renewed = False
    # Retries: a new id is dnspython's (or Go's of old); the same id with the pair resent is glibc's.
    for i in range(l.attempt_count):
        c = &l.attempts[i]
        for j in range(i + 1, l.attempt_count):
            d = &l.attempts[j]
            if d.qtype == c.qtype and d.candidate == c.candidate and d.transport == c.transport:
                if c.id == d.id:
                    retried = True
                elif c.answered < 0:
                    renewed = True
                break
        if i > 32:
            break
    if b == NULL:
        if renewed and not retried:
            score[0] = 15
            return STUB_DNSPYTHON
        score[0] = 1
        return STUB_GLIBC
    apart = b.time - a.time
    if a.port != b.port:
        # Serial on two ports: glibc with single-request-reopen, at once; dnspython's second call of an application, a bit later.
        if a.answered >= 0 and a.answered <= b.time:
            if renewed:
                score[0] = 20
                return STUB_DNSPYTHON
            score[0] = 3 if b.time - a.answered > 900000 else 6
            return STUB_DNSPYTHON if b.time - a.answered > 900000 else STUB_GLIBC
        score[0] = 4
        return STUB_GO
    if distance(a.id, b.id) < NEAR_IDS and a.transport != TRANSPORT_TCP:
        score[0] = 12
        return STUB_MUSL
    # Candidates of a search walk from one socket: c-ares; glibc opens a new one for each name.
    for i in range(l.attempt_count):
        c = &l.attempts[i]
        if c.candidate > 0 and c.transport == a.transport:
            score[0] = 25
            return STUB_CARES if c.port == a.port else STUB_GLIBC
    # After a loss glibc sends the pair again, whichever of them was answered; c-ares only what is missing.
    for i in range(l.attempt_count):
        c = &l.attempts[i]
        if c.qtype == a.qtype and c.id == a.id and c.time > a.time and c.transport == a.transport and a.answered >= 0 \
                and a.answered < c.time and a.outcome <= 4:
            score[0] = 25
            return STUB_GLIBC
        if c.qtype == b.qtype and c.id == b.id and c.time > b.time and c.transport == b.transport and a.answered >= 0 \
                and a.answered < c.time and c.port == b.port and a.outcome <= 4:
            score[0] = 10
            return STUB_CARES
    if apart <= ONE_CALL:
        score[0] = 6
        return STUB_GLIBC
    score[0] = 1 if apart < TWO_CALLS else 2
    return STUB_GLIBC if apart < TWO_CALLS else STUB_CARES


cdef uint8_t fingerprint(const Lookup* l, int16_t* score) noexcept nogil:
    cdef const Attempt* a
    cdef const Attempt* b = NULL
    cdef uint32_t i
    score[0] = 0
    if l.attempt_count == 0:
        return STUB_UNKNOWN
    a = &l.attempts[0]
    for i in range(1, l.attempt_count):
        if l.attempts[i].candidate == 0 and l.attempts[i].qtype != a.qtype:
            b = &l.attempts[i]
            break
    if a.sent & EXCHANGE_EDNS:
        return with_edns(l, a, b, score)
    return without_edns(l, a, b, score)
