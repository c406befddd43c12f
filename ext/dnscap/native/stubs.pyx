"""Profiles of stub resolvers; see stubs.pxd.

The numbers come from the programs' sources and documentation: default waits of resolv.h (5 s), musl's resolvconf.c
(5 s in two rounds), Go's dnsconfig_unix.go, c-ares' ares_private.h since 1.20 (2 s), dnspython's resolver (2 s a try).
"""
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t

from dnscap.native.attempts cimport Attempt, Lookup
from dnscap.native.datagrams cimport TRANSPORT_TCP
from dnscap.native.exchanges cimport OUTCOME_REFERRAL, OUTCOME_SERVFAIL, EXCHANGE_AD, EXCHANGE_CD, EXCHANGE_COOKIE, EXCHANGE_DO, EXCHANGE_EDNS

cdef enum:
    TYPE_A = 1
    TYPE_AAAA = 28
    LEAST_NEAR = 60            # musl makes both ids from a clock in nanoseconds, a few hundred apart
    MOST_NEAR = 450
    MANY = 40                  # addresses that fit no first buffer of glibc's getaddrinfo
    ONE_CALL = 400000          # nanoseconds from an answer to the next query within one call of the stub
    ROUNDED = 1900000000       # glibc rounds shorter waits of later servers up

cdef Profile[10] PROFILES
PROFILES[0] = Profile(b"", 5000000000, 1, 0, 0, 0, 1, 0, 0)
PROFILES[1] = Profile(b"glibc", 5000000000, 1, 1, 0, 0, 1, 1, 0)
PROFILES[2] = Profile(b"musl", 2500000000, 1, 1, 1, 1, 0, 0, 1)
PROFILES[3] = Profile(b"go", 5000000000, 0, 0, 0, 0, 1, 0, 0)
PROFILES[4] = Profile(b"c-ares", 2000000000, 1, 1, 0, 0, 1, 0, 0)
PROFILES[5] = Profile(b"dnspython", 2000000000, 0, 0, 0, 0, 1, 0, 0)
PROFILES[6] = Profile(b"systemd-resolved", 5000000000, 1, 0, 0, 0, 1, 0, 0)
PROFILES[7] = Profile(b"dig", 5000000000, 1, 1, 0, 0, 1, 0, 0)
PROFILES[8] = Profile(b"windows", 1000000000, 1, 1, 0, 0, 1, 0, 0)
PROFILES[9] = Profile(b"dnsmasq", 10000000000, 1, 0, 0, 0, 1, 0, 0)


cdef const Profile* profile(uint8_t stub) noexcept nogil:
    return &PROFILES[stub if stub < STUBS else 0]


def names():
    """Names of the stubs, in the order of their numbers; the first, of none, is empty.

    Returns
    -------
    list of str
    """
    return [PROFILES[i].name.decode() for i in range(STUBS)]


cdef inline uint8_t with_edns(const Attempt* a, const Attempt* b, int16_t* score) noexcept nogil:
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


cdef bint clock_ids(const Attempt* a, const Attempt* b) noexcept nogil:
    """Whether the ids of the A and the AAAA query come from a clock read twice (musl)."""
    cdef uint16_t d = <uint16_t>(b.id - a.id) if a.qtype == TYPE_A else <uint16_t>(a.id - b.id)
    return LEAST_NEAR <= d <= MOST_NEAR


cdef inline bint good(const Attempt* a) noexcept nogil:
    return a.answered >= 0 and a.outcome <= OUTCOME_REFERRAL


cdef bint even_rounds(const Lookup* l) noexcept nogil:
    """Whether three servers were given the same time each: glibc gives the second one two thirds (3 s of 5)."""
    cdef uint32_t i
    cdef const Attempt* a = &l.attempts[0]
    cdef const Attempt* b = NULL
    cdef const Attempt* c = NULL
    for i in range(1, l.attempt_count):
        if l.attempts[i].qtype != a.qtype or l.attempts[i].candidate != 0 or l.attempts[i].server[1] == a.server[1]:
            continue
        if b == NULL:
            b = &l.attempts[i]
        elif l.attempts[i].server[1] != b.server[1]:
            c = &l.attempts[i]
            break
    if c == NULL or a.answered >= 0 or b.answered >= 0 or b.time - a.time < ROUNDED:
        return False
    return -(b.time - a.time) // 8 < c.time - b.time - (b.time - a.time) < (b.time - a.time) // 8


cdef uint8_t without_edns(const Lookup* l, const Attempt* a, const Attempt* b, int16_t* score) noexcept nogil:
    cdef uint32_t i, j
    cdef const Attempt* c
    cdef const Attempt* d
    cdef int64_t a_again = -1, b_again = -1
    cdef bint retried = False, renewed = False, anew = False, connected = False, after_failure = False
    for i in range(min(l.attempt_count, <uint32_t>48)):
        c = &l.attempts[i]
        connected |= c.transport == TRANSPORT_TCP
        for j in range(i + 1, l.attempt_count):
            d = &l.attempts[j]
            if d.candidate == c.candidate + 1 and c.outcome == OUTCOME_SERVFAIL:
                after_failure = True
            if d.qtype == c.qtype and d.candidate == c.candidate and d.transport == c.transport:
                if c.id == d.id:
                    retried = True
                elif c.answered < 0:
                    renewed = True
                else:
                    anew = True
                break
    if renewed and not retried:
        score[0] = 15          # a new id for each try
        return STUB_DNSPYTHON
    if b == NULL:
        score[0] = 1
        return STUB_GLIBC
    if a.port != b.port and a.transport != TRANSPORT_TCP:
        if a.answered < 0 or a.answered > b.time:
            if a.server[0] != b.server[0] or a.server[1] != b.server[1]:
                score[0] = 6   # at once, of two servers: c-ares with rotate counts on with each query
                return STUB_CARES
            score[0] = 4
            return STUB_GO     # before 1.19 without EDNS
        # One family after the other from two ports: glibc on its own accord goes on at once, an application that calls
        # dnspython twice a little later.
        score[0] = 8
        return STUB_DNSPYTHON if b.time - a.answered > ONE_CALL and not retried else STUB_GLIBC
    if clock_ids(a, b) and not after_failure and a.transport != TRANSPORT_TCP:
        score[0] = 12
        return STUB_MUSL
    if l.answer_count >= MANY and connected:
        # glibc begins anew with a larger buffer where the addresses do not fit.
        score[0] = 20
        return STUB_GLIBC if anew else STUB_CARES
    if a.transport == TRANSPORT_TCP and a.stream == b.stream:
        score[0] = 12          # glibc writes both in one call, they share a segment
        return STUB_GLIBC if a.time == b.time else STUB_CARES
    # Candidates of a search walk from one socket: c-ares; glibc opens a new one for each name.
    for i in range(l.attempt_count):
        c = &l.attempts[i]
        if c.candidate > 0 and c.transport == a.transport:
            score[0] = 25
            return STUB_CARES if c.port == a.port else STUB_GLIBC
    # After a loss glibc sends the pair again, whichever of them was answered; c-ares only what is missing.
    for i in range(l.attempt_count):
        c = &l.attempts[i]
        if c.transport != a.transport or c.candidate != 0:
            continue
        if a_again < 0 and c.qtype == a.qtype and c.id == a.id and c.time > a.time:
            a_again = c.time
        if b_again < 0 and c.qtype == b.qtype and c.id == b.id and c.time > b.time:
            b_again = c.time
    if a_again >= 0 and b_again >= 0:
        if good(a) and a.answered < a_again or good(b) and b.answered < a_again:
            score[0] = 25
            return STUB_GLIBC
    elif a_again >= 0 and good(a) and a.answered < b.time < a_again:
        score[0] = 25          # the pair again; the first time one of it was lost before it came here
        return STUB_GLIBC
    elif a_again < 0 and 0 <= a.answered < b.time - ROUNDED // 10:
        score[0] = 10          # the first time it was lost before it came here; glibc would have sent both again
        return STUB_CARES
    elif a_again >= 0 and 0 <= b.answered < a_again or b_again >= 0 and 0 <= a.answered < b_again:
        score[0] = 10
        return STUB_CARES
    if even_rounds(l):
        score[0] = 15
        return STUB_CARES
    score[0] = 3               # so most do
    return STUB_GLIBC


cdef uint8_t fingerprint(const Lookup* l, int16_t* score) noexcept nogil:
    cdef const Attempt* a
    cdef const Attempt* b = NULL
    cdef uint32_t i
    score[0] = 0
    if l.attempt_count == 0:
        return STUB_UNKNOWN
    a = &l.attempts[0]
    if l.attempt_count == 1:
        return fingerprint_one(a, score)
    for i in range(1, l.attempt_count):
        if l.attempts[i].candidate == 0 and l.attempts[i].qtype != a.qtype:
            b = &l.attempts[i]
            break
    if a.sent & EXCHANGE_EDNS:
        return with_edns(a, b, score)
    return without_edns(l, a, b, score)


cdef uint8_t fingerprint_one(const Attempt* a, int16_t* score) noexcept nogil:
    if a.sent & EXCHANGE_EDNS:
        return with_edns(a, NULL, score)
    score[0] = 1
    return STUB_GLIBC
