"""Which lookup a query belongs to; see grouping.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp

from dnscap.native.attempts cimport *
from dnscap.native.datagrams cimport TRANSPORT_TCP, TRANSPORT_UDP
from dnscap.native.exchanges cimport *
from dnscap.native.many_attempts cimport Kind, Sums, id_mark, marked, port_mark, settling, sums_of

cdef enum:
    TYPE_A = 1
    TYPE_AAAA = 28
    TYPE_HTTPS = 65

cdef enum:                     # nanoseconds
    SECOND = 1000000000
    SKEW = 1000000             # clocks of captures: an event may seem to come this much before its cause
    NEXT_NAME = 5000000        # the next name of a search list, where the names alone do not tell
    TOGETHER = 20000000        # threads of one lookup start within this
    RETRY = 200000000          # the shortest timer of a stub that uses a new id for each try
    TICK = 25000000            # tolerance of a timer of whole seconds
    TURNED_AWAY = 500000000    # a stub that was turned away has asked another server by then, on whatever machine

cdef enum:
    ADDRESS_LABELS = 4         # an address of IPv4 in a name, and the least of one of IPv6 that is worth looking at


cdef inline bint address_type(uint16_t qtype) noexcept nogil:
    return qtype == TYPE_A or qtype == TYPE_AAAA or qtype == TYPE_HTTPS


cdef bint failing(uint8_t outcome) noexcept nogil:
    return OUTCOME_SERVFAIL <= outcome <= OUTCOME_OTHER_RCODE or outcome == OUTCOME_REFERRAL or outcome == OUTCOME_UNREACHABLE


cdef uint32_t common(const uint8_t* a, uint32_t na, const uint8_t* b, uint32_t nb) noexcept nogil:
    """Octets of the whole labels, last dot included, with which both names begin."""
    cdef uint32_t i = 0, whole = 0
    while i < na and i < nb and a[i] == b[i]:
        i += 1
        if a[i - 1] == c'.' and not (i > 1 and a[i - 2] == c'\\'):
            whole = i
    return whole


cdef inline bint ends_with(const uint8_t* name, uint32_t size, const uint8_t* suffix, uint32_t n) noexcept nogil:
    if n > size or memcmp(name + size - n, suffix, n) != 0:
        return False
    return n == size or n == 0 or name[size - n - 1] == c'.'


cdef uint32_t alike_labels(const uint8_t* a, uint32_t na, const uint8_t* b, uint32_t nb) noexcept nogil:
    """How many labels both names have in common at their end."""
    cdef uint32_t i = 1, count = 0
    while i < na and i < nb:
        if a[na - 1 - i] != b[nb - 1 - i]:
            return count
        if a[na - 1 - i] == c'.':
            count += 1
        i += 1
    return count


cdef bint is_address(const uint8_t* name, uint32_t size) noexcept nogil:
    """Whether a name begins with an address turned round, as those asked of lists of mail senders do (RFC 5782 section 2.1)."""
    cdef uint32_t i, digits = 0, labels = 0
    for i in range(size):
        if name[i] == c'.':
            if digits == 0:
                return False
            labels += 1
            if labels == ADDRESS_LABELS:
                return True
            digits = 0
        elif digits == 3 or not (c'0' <= name[i] <= c'9' or c'a' <= name[i] <= c'f'):
            return False
        else:
            digits += 1
    return False


cdef inline bint several_labels(const uint8_t* name, uint32_t size) noexcept nogil:
    """Whether these whole labels, each with its dot, are two or more."""
    cdef uint32_t i
    for i in range(size - 1):
        if name[i] == c'.' and not (i > 0 and name[i - 1] == c'\\'):
            return True
    return False


cdef bint begins_anew(const Lookup* l, const Exchange* ex) noexcept nogil:
    """Whether glibc asks everything again with a larger buffer, because the addresses did not fit."""
    return l.complete and l.answer_count >= LARGE and ex.time - l.step <= AT_ONCE \
        and (not l.sent & EXCHANGE_EDNS or l.edns_size == 1200) \
        and (l.sent ^ ex.flags) & (EXCHANGE_AD | EXCHANGE_CD | EXCHANGE_DO | EXCHANGE_EDNS) == 0


cdef inline const Kind* kind_of(const Sums* s, uint16_t qtype) noexcept nogil:
    cdef uint32_t i
    for i in range(s.kind_count):
        if s.kinds[i].qtype == qtype:
            return &s.kinds[i]
    return NULL


cdef bint asked_at(const Lookup* l, const Exchange* ex) noexcept nogil:
    """Whether the lookup has asked this server this before: a new one would begin with the same as the one before, as a rule."""
    cdef uint32_t i
    for i in range(l.attempt_count):
        if l.attempts[i].qtype == ex.qtype and l.attempts[i].server[0] == ex.server[0] and l.attempts[i].server[1] == ex.server[1]:
            return True
    return False


cdef uint8_t fits(const Lookup* l, const Exchange* ex, bint fixed, bint shares) noexcept nogil:
    """The role that a query for the lookup's current name would have in it; ROLE_NONE where it is not one of its own."""
    cdef uint32_t i
    cdef const Attempt* a
    cdef const Attempt* p = NULL       # latest of the same type
    cdef const Attempt* same = NULL    # latest of the same type and id
    cdef const Attempt* begun = NULL   # first for this name
    cdef uint8_t now_at = <uint8_t>(l.candidate_count - 1)
    cdef uint16_t bits = EXCHANGE_AD | EXCHANGE_CD | EXCHANGE_DO
    cdef bint keeps = False, one_port = False, stream = False, refused = False, truncated = False, plain, alike
    cdef int64_t gap, rest
    cdef uint32_t lost = 0, first = 0      # attempt to look at
    cdef bint unanswered = False
    cdef const Sums* s = sums_of(l)
    cdef const Kind* k
    if s != NULL and not s.further and ex.transport != TRANSPORT_TCP and s.begun:
        k = kind_of(s, ex.qtype)
        if (k == NULL or not marked(s.ids, id_mark(ex.qtype, ex.id))) \
                and (k != NULL or not marked(s.ports, port_mark(ex.client_port, ex.server_port, ex.transport))):
            # None has its id, or comes from its port, as far as that matters.
            begun = &l.attempts[s.begun - 1]
            keeps = s.one_port
            unanswered = s.unanswered
            if k != NULL:
                p = &l.attempts[k.latest]
                lost = k.lost
                truncated = k.truncated
                keeps |= k.keeps
            first = l.attempt_count
    for i in range(first, l.attempt_count):
        a = &l.attempts[i]
        if i and a.port == l.attempts[0].port and a.qtype != l.attempts[0].qtype and a.transport == TRANSPORT_UDP:
            keeps = True               # stubs that ask both families from one port keep their ids
        if a.candidate != now_at:
            continue
        if a.answered < 0:
            unanswered = True
        if begun == NULL:
            begun = a
        if a.qtype == ex.qtype:
            if p != NULL and p.id == a.id and a.transport == p.transport:
                keeps = True
            p = a
            lost += a.answered < 0
            if a.id == ex.id:
                same = a
            if a.outcome == OUTCOME_TRUNCATED:
                truncated = True
        if a.port == ex.client_port and a.transport == ex.transport and a.server_port == ex.server_port:
            one_port = True
        if a.transport == TRANSPORT_TCP and ex.transport == TRANSPORT_TCP and a.stream == ex.stream:
            stream = True
    if begun == NULL:
        return ROLE_NONE
    for i in range(l.dial_count):
        if l.dials[i].refused or l.dials[i].ended < 0:
            refused = True
    plain = l.sent & EXCHANGE_EDNS and not ex.flags & EXCHANGE_EDNS
    alike = (l.sent ^ ex.flags) & bits == 0 and ((l.sent ^ ex.flags) & EXCHANGE_EDNS == 0)
    if same != NULL:
        # Once all is answered, the same id is no proof where the client always uses the same.
        if l.complete and ex.time - l.step > AT_ONCE and not unanswered and (fixed or ex.time - same.time < RETRY):
            return ROLE_NONE
        if ex.transport == TRANSPORT_TCP and same.transport == TRANSPORT_UDP:
            return ROLE_TCP_FALLBACK
        if plain and same.sent & EXCHANGE_EDNS:
            return ROLE_EDNS_FALLBACK
        if same.server[0] != ex.server[0] or same.server[1] != ex.server[1]:
            if same.answered < 0 and ex.time - same.time < TOGETHER:
                return ROLE_PARALLEL
            return ROLE_FAILOVER
        return ROLE_RETRANSMISSION
    if p != NULL:
        if begins_anew(l, ex):
            return ROLE_RETRANSMISSION
        if ex.transport == TRANSPORT_TCP:
            if truncated and (ex.time - p.time < 3 * <int64_t>SECOND):
                return ROLE_TCP_FALLBACK
            if p.transport != TRANSPORT_TCP or not alike or p.answered >= 0 and not p.flags & ATTEMPT_CLOSED and not failing(p.outcome):
                return ROLE_NONE
            return ROLE_RETRANSMISSION
        if settling(p.outcome) and not p.flags & ATTEMPT_FRAGMENT or l.complete and not p.flags & ATTEMPT_FRAGMENT:
            return ROLE_NONE
        if keeps and not plain or not alike and not plain:
            return ROLE_NONE
        gap = ex.time - p.time
        if plain and p.answered < 0 and lost < 2:
            return ROLE_NONE           # who tries without EDNS because of silence has tried with it before
        if p.answered < 0 or p.flags & ATTEMPT_FRAGMENT:
            if gap < RETRY and not p.flags & ATTEMPT_BOGUS:
                return ROLE_NONE
        elif p.outcome == OUTCOME_TRUNCATED and not refused:
            return ROLE_NONE
        elif ex.time - p.answered > AT_ONCE and not (
            ex.time - p.answered <= TURNED_AWAY and failing(p.outcome) and not asked_at(l, ex)
        ):
            # Some go on waiting after a failure, and ask again when their timer of whole seconds is up.
            rest = gap % SECOND
            if gap < 9 * (SECOND // 10) or TICK < rest < SECOND - TICK or begun.sent & EXCHANGE_COOKIE and begun.sent & EXCHANGE_AD:
                return ROLE_NONE
        elif not plain and begun.sent & EXCHANGE_AD and begun.edns_size != 1200 and p.server[0] == ex.server[0] \
                and p.server[1] == ex.server[1]:
            return ROLE_NONE           # a tool that was run again
        if plain:
            return ROLE_EDNS_FALLBACK
        if p.server[0] != ex.server[0] or p.server[1] != ex.server[1]:
            return ROLE_FAILOVER
        return ROLE_RETRANSMISSION
    if not address_type(ex.qtype) or not address_type(begun.qtype) or not alike:
        return ROLE_NONE
    if stream:
        return ROLE_COMPANION
    if begun.sent & EXCHANGE_EDNS and begun.sent & EXCHANGE_AD and begun.edns_size != 1200:
        return ROLE_NONE               # tools ask one question a run
    if one_port and (not l.complete or ex.time - l.step <= AT_ONCE):
        return ROLE_COMPANION
    if one_port and not fixed and not shares and ex.time - begun.time >= RETRY:
        return ROLE_COMPANION          # asked again; the first time it was lost before it came here
    if ex.time - begun.time <= TOGETHER:
        return ROLE_COMPANION | (SERIAL if l.complete else 0)
    if l.step >= 0 and ex.time - l.step <= AT_ONCE:
        return ROLE_COMPANION | SERIAL
    return ROLE_NONE


cdef bint half_heard(const Lookup* l, const Exchange* ex) noexcept nogil:
    """Whether one family of the current name does not exist, and the timer for the other, of whole seconds, has just run out."""
    cdef uint32_t i
    cdef const Attempt* a
    cdef const Attempt* first = NULL   # the latest of the family asked first, with which a round begins
    cdef const Attempt* other = NULL
    cdef int64_t gap
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if a.candidate != l.candidate_count - 1:
            continue
        if first == NULL or a.qtype == first.qtype:
            first = a
        else:
            other = a
    if first == NULL or other == NULL or other.answered >= 0 or first.qtype != ex.qtype or ex.transport != TRANSPORT_UDP:
        return False
    if first.outcome != OUTCOME_NXDOMAIN and first.outcome != OUTCOME_NODATA:
        return False
    gap = ex.time - first.time
    return gap >= 9 * (SECOND // 10) and not TICK < gap % SECOND < SECOND - TICK


cdef uint8_t continues(
    const Lookup* l, const Exchange* ex, const uint8_t* name, uint32_t size, uint32_t added, bint unlisted
) noexcept nogil:
    """Whether a query is for the next name of the lookup's walk over a search list."""
    cdef uint32_t i, n, n0, base, least, walk
    cdef const uint8_t* c
    cdef const uint8_t* c0 = l.text + l.names[l.walk]
    cdef bint asked = False, other = False, soon, several, guess
    cdef bint half = not l.negative and l.step < 0
    if l.candidate_count == MOST_CANDIDATES:
        return NO_WALK
    if half:
        if not half_heard(l, ex):
            return NO_WALK
    elif not l.negative or l.step < 0 or ex.time - l.step > HELD_UP or ex.time < l.step - SKEW:
        return NO_WALK
    if (l.sent ^ ex.flags) & (EXCHANGE_AD | EXCHANGE_CD | EXCHANGE_DO | EXCHANGE_EDNS):
        return NO_WALK
    for i in range(l.attempt_count):
        if l.attempts[i].qtype == ex.qtype:
            asked = True
        else:
            other = True
    if not asked:
        return NO_WALK
    n0 = l.names[l.walk + 1] - l.names[l.walk]
    walk = n0
    least = common(c0, n0, name, size)
    for i in range(l.walk, l.candidate_count):
        c = l.text + l.names[i]
        n = l.names[i + 1] - l.names[i]
        if n == size and memcmp(c, name, size) == 0:
            return NO_WALK
        walk = min(walk, common(c0, n0, c, n))
    if least < 2:
        return NO_WALK
    soon = half or ex.time - l.step <= AT_ONCE
    several = several_labels(c0, least)
    if l.candidate_count > l.walk + 1 and least >= walk and (soon or several):
        return WALK                    # begins as all names of the walk do
    for i in range(l.walk, l.candidate_count):
        base = common(l.text + l.names[i], l.names[i + 1] - l.names[i], name, size)
        if base == l.names[i + 1] - l.names[i] or base == size:
            return WALK                # the name itself is among them
    if added and least + added == n0:
        return WALK                    # what the client is known to add first was added
    # Services and lists of mail senders are asked for under several names that lie in one another, or have nothing in common,
    # by those who look for them (RFC 7489 section 6.6.3, for one).
    if not soon or c0[0] == c'_' or is_address(c0, n0):
        return NO_WALK
    # Suffixes that lie in one another, as in Kubernetes.
    for i in range(l.walk, l.candidate_count):
        c = l.text + l.names[i]
        n = l.names[i + 1] - l.names[i]
        base = common(c, n, name, size)
        if ends_with(c + base, n - base, name + base, size - base):
            return WALK
    if l.candidate_count > l.walk + 1:
        return NO_WALK
    guess = not (other and several)
    if guess:
        # One label alone is like that of many hosts; applications seldom ask for both families of one after the other.
        if half or ex.time - l.step > (TOGETHER if other else NEXT_NAME) or unlisted:
            return NO_WALK
    # Two suffixes of their own; names that end alike are rather two names under one suffix.
    if alike_labels(c0, n0, name, size) >= 3:
        return NO_WALK
    return SHORT_WALK if guess else WALK
