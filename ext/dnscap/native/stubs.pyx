"""Profiles of stub resolvers; see stubs.pxd.

The numbers come from the programs' sources and documentation: default waits of resolv.h (5 s), musl's resolvconf.c
(5 s in two rounds), Go's dnsconfig_unix.go, c-ares' ares_private.h since 1.20 (2 s), dnspython's resolver (2 s a try).

What tells glibc from c-ares before 1.20, which send the same two questions from one port without EDNS, are their ids.
glibc since 2.30 takes each from the clock (random-bits.h: nanoseconds and seconds by exclusive or, and the result with
itself eight bits on), reads the clock for both one after the other, and writes them as the machine stores them, which is
the low octet first nearly everywhere.  So the octet sent last is nearly the same in both.  c-ares draws them from a cipher.
"""
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t

from dnscap.native.attempts cimport Attempt, Lookup
from dnscap.native.datagrams cimport TRANSPORT_TCP
from dnscap.native.exchanges cimport (
    EXCHANGE_AD, EXCHANGE_CD, EXCHANGE_COOKIE, EXCHANGE_DO, EXCHANGE_EDNS, OUTCOME_REFERRAL, OUTCOME_SERVFAIL, OUTCOME_TRUNCATED,
)
from dnscap.native.grouping cimport failing

cdef enum:
    TYPE_A = 1
    TYPE_AAAA = 28
    LEAST_NEAR = 60            # musl makes both ids from a clock in nanoseconds, a few hundred apart
    MOST_NEAR = 450
    MANY = 40                  # addresses that fit no first buffer of glibc's getaddrinfo
    ONE_CALL = 400000          # nanoseconds from an answer to the next query within one call of the stub
    ROUNDED = 1900000000       # glibc rounds shorter waits of later servers up
    ONE_CLOCK = 11             # bits in which readings of a clock within 2 us differ: two of three pairs of glibc, 1 in 32 others
    SLOWER = 12                # 4 us: one of six, and again 1 in 32
    BY_CHANCE = 14             # from here on 1 of 12 pairs of glibc, 7 of 8 others
    ONE_SEND = 10000           # nanoseconds: so close together are queries of one call; older glibc sends like that, with other ids
    AT_ONCE = 20000000         # and a reaction to an answer
    NEXT_ROUND = 200000000     # a timer rather than a reaction

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


cdef bint asked_once(const Lookup* l, const Attempt* a) noexcept nogil:
    cdef uint32_t i
    for i in range(l.attempt_count):
        if &l.attempts[i] != a and l.attempts[i].qtype == a.qtype:
            return False
    return True


cdef inline uint8_t with_edns(const Lookup* l, const Attempt* a, const Attempt* b, int16_t* score) noexcept nogil:
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
        if a.port != b.port and a.answered >= 0 and a.answered < b.time and failing(a.outcome) and asked_once(l, a):
            score[0] = 8       # an application that calls dnspython twice, with EDNS: Go would have asked again
            return STUB_DNSPYTHON
        if a.port != b.port and good(a) and a.answered < b.time:
            # Go with single-request goes on at once; two calls of an application are further apart.
            score[0] = 6
            return STUB_DNSPYTHON if b.time - a.answered > ONE_CALL else STUB_GO
        # Go asks for each family from a goroutine of its own, with a socket of its own.
        score[0] = 25
        return STUB_CARES if a.port == b.port else STUB_GO
    score[0] = 1
    return STUB_CARES if a.edns_size == 1232 else STUB_UNKNOWN


cdef bint clock_ids(const Attempt* a, const Attempt* b) noexcept nogil:
    """Whether the ids of the A and the AAAA query come from a clock read twice (musl)."""
    cdef uint16_t d = <uint16_t>(b.id - a.id) if a.qtype == TYPE_A else <uint16_t>(a.id - b.id)
    return LEAST_NEAR <= d <= MOST_NEAR


cdef inline int clock_bits(const Attempt* a, const Attempt* b) noexcept nogil:
    """In how many low bits the clock readings differ that glibc would have made these ids from."""
    cdef uint16_t both = a.id ^ b.id
    cdef int bits = 0
    both = <uint16_t>(both << 8 | both >> 8)
    both ^= both >> 8
    while both:
        both >>= 1
        bits += 1
    return bits


cdef uint8_t by_ids(const Attempt* a, const Attempt* b, int16_t* score) noexcept nogil:
    """glibc or c-ares, by the ids of a pair; the score is twice the logarithm of how much likelier one of them is."""
    cdef int bits = clock_bits(a, b)
    if bits >= BY_CHANCE and b.time - a.time > ONE_SEND:
        score[0] = 5
        return STUB_CARES
    score[0] = 6 if bits <= ONE_CLOCK else 3 if bits <= SLOWER else 2
    return STUB_GLIBC


cdef uint8_t by_failures(const Lookup* l, const Attempt* b, int16_t* score) noexcept nogil:
    """musl or c-ares, that send a query at once to the same server again when it failed; glibc opens another port for it.

    musl does so twice a round and then waits for the next one, c-ares until it has tried often enough.
    """
    cdef uint32_t i, j, resent = 0
    cdef const Attempt* c
    cdef const Attempt* d
    cdef bint paused = False
    for i in range(min(l.attempt_count, <uint32_t>48)):
        c = &l.attempts[i]
        if c.outcome != OUTCOME_SERVFAIL or c.answered < 0 or c.transport == TRANSPORT_TCP:
            continue
        for j in range(i + 1, l.attempt_count):
            d = &l.attempts[j]
            if d.id == c.id and d.port == c.port and d.qtype == c.qtype and d.server[1] == c.server[1] and d.server[0] == c.server[0]:
                if 0 <= d.time - c.answered < AT_ONCE:
                    resent += 1
                elif d.time - c.answered > NEXT_ROUND:
                    paused = True
                break
    if resent == 0:
        return STUB_UNKNOWN
    if paused:
        score[0] = 20
        return STUB_MUSL
    if resent > (2 if b == NULL else 4):
        score[0] = 20
        return STUB_CARES
    return STUB_UNKNOWN


cdef bint new_id_over_tcp(const Lookup* l) noexcept nogil:
    """Whether a question that was answered truncated went out over TCP under another id, and never under its own."""
    cdef uint32_t i, j
    cdef const Attempt* c
    cdef const Attempt* d
    cdef bint renewed = False
    for i in range(min(l.attempt_count, <uint32_t>48)):
        c = &l.attempts[i]
        if c.outcome != OUTCOME_TRUNCATED or c.transport == TRANSPORT_TCP:
            continue
        for j in range(i + 1, l.attempt_count):
            d = &l.attempts[j]
            if d.transport == TRANSPORT_TCP and d.candidate == c.candidate and d.qtype == c.qtype:
                if d.id == c.id:
                    return False
                renewed = True
    return renewed


cdef bint two_new_ports(const Lookup* l, const Attempt* a, const Attempt* b) noexcept nogil:
    """Whether both questions were sent again at once to their server from a new port each: c-ares gives up a socket after a timeout.

    glibc sends both again from the port that they had, or one after the other.
    """
    cdef uint32_t i
    cdef const Attempt* c
    cdef const Attempt* a2 = NULL
    cdef const Attempt* b2 = NULL
    for i in range(l.attempt_count):
        c = &l.attempts[i]
        if c.transport != a.transport or c.server[1] != a.server[1] or c.server[0] != a.server[0]:
            continue
        if a2 == NULL and c != a and c.qtype == a.qtype and c.id == a.id:
            a2 = c
        elif b2 == NULL and c != b and c.qtype == b.qtype and c.id == b.id:
            b2 = c
    return a2 != NULL and b2 != NULL and a2.port != a.port and b2.port != b.port and a2.port != b2.port \
        and (a2.answered < 0 or b2.time < a2.answered)


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
    cdef uint8_t by
    cdef bint retried = False, renewed = False, anew = False, connected = False, after_failure = False, after_failure_again = False
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
                    after_failure_again |= c.outcome == OUTCOME_SERVFAIL
                elif c.answered < 0:
                    renewed = True
                else:
                    anew = True
                break
    if renewed and not retried or b == NULL and new_id_over_tcp(l):
        score[0] = 15          # a new id for each try
        return STUB_DNSPYTHON
    if after_failure_again:
        by = by_failures(l, b, score)
        if by != STUB_UNKNOWN:
            return by
    if b == NULL:
        for i in range(1, l.attempt_count):
            c = &l.attempts[i]
            if c.candidate > 0 and c.transport == a.transport and c.port == a.port and a.transport != TRANSPORT_TCP:
                score[0] = 25  # names of a search walk from one socket
                return STUB_CARES
        score[0] = 1
        return STUB_GLIBC
    if a.port != b.port and a.transport != TRANSPORT_TCP:
        if a.answered < 0 or a.answered > b.time:
            if a.server[0] != b.server[0] or a.server[1] != b.server[1]:
                score[0] = 9   # at once, of two servers: c-ares with rotate counts on with each query
                return STUB_CARES
            score[0] = 8
            return STUB_GO     # before 1.19 without EDNS
        # One family after the other from two ports: glibc on its own accord goes on at once, with the query that it made
        # together with the first; an application that calls dnspython twice a little later.
        if clock_bits(a, b) < BY_CHANCE or retried:
            score[0] = 10 if clock_bits(a, b) <= SLOWER else 3
            return STUB_GLIBC
        score[0] = 8 if b.time - a.answered > ONE_CALL else 4
        return STUB_DNSPYTHON
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
        if two_new_ports(l, a, b):
            score[0] = 25
            return STUB_CARES
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
    return by_ids(a, b, score)


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
        return with_edns(l, a, b, score)
    return without_edns(l, a, b, score)


cdef uint8_t fingerprint_one(const Attempt* a, int16_t* score) noexcept nogil:
    if a.sent & EXCHANGE_EDNS:
        return with_edns(NULL, a, NULL, score)
    score[0] = 1
    return STUB_GLIBC
