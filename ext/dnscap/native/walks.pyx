"""Joining by cause; see walks.pxd.

An exchange upstream belongs to a client's when its time overlaps and its name is one that the answer needs: the name asked
for or the target of an alias on the way (*direct*), a name above these (what QNAME minimisation (RFC 9156) and validation
(DS and DNSKEY, RFC 4035) ask for), or the address of a name server of a zone above these, with the same again for that name.
"""
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from dnscap.native.acquaintances cimport is_loopback
from dnscap.native.cache_model cimport HOST_SUFFIXES, Zone, zone_of
from dnscap.native.exchange_state cimport EARLY
from dnscap.native.exchanges cimport *
from dnscap.native.interning cimport prefetch
from dnscap.native.resolution_state cimport *
from dnscap.native.resolvers cimport may_ask_for
from dnscap.native.suffixes cimport suffixes

cdef enum:
    MOST_STEPS = 96            # entries of one name looked at: so many are asked for one name in the time of a slow walk
    MOST_OLD = 6               # entries before the client's question looked at
    TYPE_A = 1
    TYPE_CNAME = 5
    TYPE_AAAA = 28
    TYPE_DS = 43
    TYPE_DNSKEY = 48
    TYPE_ANY = 255

cdef enum:                     # nanoseconds
    NEXT = 2000000             # a resolver goes on after an answer within this
    AT_ONCE = 50000000         # no resolver sends a question again so soon for want of an answer
    SKEW = 50000               # clocks of captures: a query may seem to be passed on this much before it came


cdef bint open_targets(Walk* w) noexcept nogil:
    w.targets = <Target*>malloc(MOST_TARGETS * sizeof(Target))
    return w.targets != NULL


cdef void close_targets(Walk* w) noexcept nogil:
    free(w.targets)


cdef Target* add_target(const Resolving* t, Walk* w, const uint8_t* text, uint32_t size, bint host) noexcept nogil:
    cdef Target* a
    cdef uint32_t i
    if w.target_count == MOST_TARGETS:
        return NULL
    a = &w.targets[w.target_count]
    a.labels = suffixes(t.seed, text, size, a.path)
    a.name = a.path[a.labels]
    a.era = NULL
    a.host = host
    for i in range(w.target_count):
        if w.targets[i].name == a.name:
            return NULL
    w.target_count += 1
    return a


cdef void add_known(Walk* w, uint64_t name, const Era* era, uint32_t code) noexcept nogil:
    cdef Target* a
    cdef uint32_t i
    if w.target_count == MOST_TARGETS:
        return
    for i in range(w.target_count):
        if w.targets[i].name == name:
            return
    a = &w.targets[w.target_count]
    a.name = name
    a.era = era
    a.code = code
    a.host = False
    w.target_count += 1


cdef inline void take_apart(const Resolving* t, Target* a) noexcept nogil:
    cdef const Era* era = a.era
    if era != NULL:
        a.labels = suffixes(t.seed, <const uint8_t*>era.text + era.offsets[a.code],
                            <uint32_t>(era.offsets[a.code + 1] - era.offsets[a.code]), a.path)
        a.era = NULL


cdef inline bint overlaps(const Entry* u, const Entry* e) noexcept nogil:
    if u.time > e.answered:
        return False
    if u.time >= e.since - SKEW:
        return True
    return e.since - u.time < LONGEST and (u.answered < 0 or u.answered >= e.since)


cdef inline bint asked_by(const Resolving* t, const Entry* u, const Entry* e) noexcept nogil:
    """Whether the resolver that `e` was sent to may have sent `u`."""
    if u.number == e.number or u.server[0] == e.server[0] and u.server[1] == e.server[1]:
        return False
    if u.client[0] == e.client[0] and u.client[1] == e.client[1] and not is_loopback(u.client) and u.client_host != e.server_host \
            and (e.client[0] != e.server[0] or e.client[1] != e.server[1]):
        return False
    return may_ask_for(t, u.client_host, e.server_host)


cdef inline bint quiet(const Resolving* t, uint64_t name, int64_t since) noexcept nogil:
    """Whether no upstream query for the name was out at that time or later."""
    cdef const NameHead* h = &t.upstream[name & (HEADS - 1)]
    return h.open == 0 and h.until < since - SKEW


cdef inline void weigh_direct(const Resolving* t, Walk* w, const Entry* e, const Entry* u, int64_t* mine, int64_t* theirs) noexcept nogil:
    """Count a query for the very name, if it is what `e` may have waited for."""
    if not ((u.qtype == e.qtype or e.qtype == TYPE_ANY) and overlaps(u, e) and asked_by(t, u, e)):
        return
    w.direct += 1
    w.before += u.time < e.time - SKEW
    w.forwarded += u.kind & ENTRY_RECURSIVE != 0
    w.refreshing |= u.kind & ENTRY_REFRESHED != 0
    if u.time >= e.time - SKEW and u.time < e.time + AT_ONCE:
        mine[0] = min(mine[0], u.time)
    elif u.time < e.time - SKEW and u.answered >= 0 and u.outcome == OUTCOME_ANSWER:
        theirs[0] = max(theirs[0], u.answered)
    if u.answered < 0 or u.answered > e.answered + SKEW:
        w.silent += 1
        return
    w.last = max(w.last, u.answered)
    if u.outcome in (OUTCOME_ANSWER, OUTCOME_NODATA, OUTCOME_NXDOMAIN, OUTCOME_TRUNCATED, OUTCOME_REFERRAL):
        w.good += 1
    else:
        w.failed += 1


cdef void find_direct(Resolving* t, Walk* w, const Entry* e) noexcept nogil:
    cdef uint32_t i, steps, old
    cdef uint64_t name, before
    cdef const Entry* u
    cdef int64_t mine = INT64_MAX, theirs = INT64_MIN
    w.direct = w.good = w.failed = w.silent = w.before = w.forwarded = 0
    w.last = -1
    w.refreshing = w.again = False
    for i in range(max(w.target_count, <uint32_t>1)):
        name = w.targets[i].name if w.target_count else e.name
        if quiet(t, name, e.since):
            continue
        u = entry_at(t, t.upstream[name & (HEADS - 1)].newest, t.next)
        steps = old = 0
        while u != NULL and steps < MOST_STEPS and old < MOST_OLD:
            before = u.number
            if u.time < e.since - LONGEST:
                break
            steps += 1
            if u.name == name:
                old += u.time < e.since - SKEW
                weigh_direct(t, w, e, u, &mine, &theirs)
            if u.older_over < e.since - SKEW:
                break
            u = entry_at(t, u.older_name, before)
    w.again = e.kind & ENTRY_JOINED != 0 and theirs > mine


cdef bint upstream_between(Resolving* t, const Entry* e, int64_t begin, int64_t end) noexcept nogil:
    cdef const Entry* u = entry_at(t, t.upstream[e.name & (HEADS - 1)].newest, t.next)
    cdef uint32_t steps = 0
    cdef uint64_t before
    while u != NULL and steps < MOST_STEPS:
        before = u.number
        steps += 1
        if u.name == e.name and u.kind & ENTRY_UPSTREAM and u.qtype == e.qtype and begin - SKEW <= u.answered <= end and asked_by(t, u, e):
            return True
        u = entry_at(t, u.older_name, before)
    return False


cdef bint may_be_denied(Resolving* t, const Entry* e) noexcept nogil:
    cdef const Denials* d = &t.denials
    cdef int64_t since = e.since - SKEW - EARLY
    cdef const Entry* u
    cdef uint32_t i
    if d.count > DENIALS and d.before >= since:
        return True
    for i in range(<uint32_t>min(d.count, <uint64_t>DENIALS)):
        if d.answered[i] >= since:
            u = entry_of(t, d.numbers[i])
            if u != NULL and overlaps(u, e) and asked_by(t, u, e):
                return True
    return False


cdef bint upstream_during(Resolving* t, const Entry* e) noexcept nogil:
    cdef uint64_t number = t.next
    cdef const Entry* u
    while number > e.number and t.next - number < MOST_STEPS:
        number -= 1
        u = &t.ring[number & t.mask]
        if u.number == number and u.kind & ENTRY_UPSTREAM and u.answered >= 0 and u.answered <= e.answered + SKEW and asked_by(t, u, e):
            return True
    return False


cdef bint taken(const Walk* w, uint64_t number) noexcept nogil:
    cdef uint32_t i
    for i in range(w.count):
        if w.numbers[i] == number:
            return True
    return False


cdef inline void weigh_named(Resolving* t, Walk* w, Entry* e, const Entry* u, bint above, bint host) noexcept nogil:
    """Add a query for a name that the walk needs, if it is one of the walk's."""
    if not overlaps(u, e) or not asked_by(t, u, e) or taken(w, u.number):
        return
    if w.forwarded and not u.kind & ENTRY_RECURSIVE:
        return                 # what the server that was asked on did in its turn
    if host and u.qtype != TYPE_A and u.qtype != TYPE_AAAA and not above:
        return
    if above or host or u.qtype == e.qtype or e.qtype == TYPE_ANY or u.qtype == TYPE_DS or u.qtype == TYPE_DNSKEY \
            or u.kind & ENTRY_RECURSIVE == 0 and u.qtype == TYPE_A and u.outcome != OUTCOME_ANSWER:
        w.numbers[w.count] = u.number
        w.count += 1
        if above:
            w.ancestors += 1
            if u.outcome == OUTCOME_NXDOMAIN and u.answered >= 0 and u.answered <= e.answered + SKEW:
                w.denied += 1
                w.last = max(w.last, u.answered)


cdef void find_named(Resolving* t, Walk* w, Entry* e, uint64_t name, bint above, bint host) noexcept nogil:
    """Add the exchanges upstream for one name that overlap with the client's."""
    cdef const Entry* u
    cdef uint32_t steps = 0, old = 0
    cdef uint64_t before
    if quiet(t, name, e.since):
        return
    u = entry_at(t, t.upstream[name & (HEADS - 1)].newest, t.next)
    while u != NULL and steps < MOST_STEPS and old < MOST_OLD and w.count < MOST_WAITED:
        before = u.number
        steps += 1
        if u.time < e.since - LONGEST:
            break
        if u.name == name:
            old += u.time < e.since - SKEW
            weigh_named(t, w, e, u, above, host)
        if u.older_over < e.since - SKEW:
            break
        u = entry_at(t, u.older_name, before)


cdef bint leads_on(Resolving* t, const Walk* w, const Entry* u, uint16_t qtype) noexcept nogil:
    """Whether a question of the walk, of type `qtype`, was sent as soon as `u` was answered."""
    cdef uint32_t i
    cdef const Entry* o
    for i in range(w.count):
        o = &t.ring[w.numbers[i] & t.mask]
        if o.name == u.name and o.qtype == qtype and u.answered >= 0 and o.time >= u.answered - SKEW and o.time < u.answered + NEXT:
            return True
    return False


cdef inline bint asked_for(const Resolving* t, const Walk* w, uint64_t name, uint16_t qtype) noexcept nogil:
    """Whether the very question is part of the walk."""
    cdef uint32_t i
    cdef const Entry* o
    for i in range(w.count):
        o = &t.ring[w.numbers[i] & t.mask]
        if o.name == name and o.qtype == qtype:
            return True
    return False


cdef void find_steps(Resolving* t, Walk* w, Entry* e, uint64_t name) noexcept nogil:
    """Add the address queries for the whole name that QNAME minimisation sent ahead of the question (RFC 9156 section 2.1)."""
    cdef const NameHead* h = &t.upstream[name & (HEADS - 1)]
    cdef const Entry* u
    cdef uint32_t steps = 0
    cdef uint64_t before
    if h.until < e.since - SKEW - EARLY or not asked_for(t, w, name, e.qtype):
        return                 # none had its answer since, or was followed by the question
    u = entry_at(t, h.newest, t.next)
    while u != NULL and steps < MOST_STEPS and w.count < MOST_WAITED:
        before = u.number
        steps += 1
        if u.name == name and u.kind & ENTRY_UPSTREAM and u.qtype == TYPE_A and overlaps(u, e) and asked_by(t, u, e) \
                and not taken(w, u.number) and leads_on(t, w, u, e.qtype):
            w.numbers[w.count] = u.number
            w.count += 1
            return
        if u.older_over < e.since - SKEW:
            return
        u = entry_at(t, u.older_name, before)


cdef void find_walk(Resolving* t, Walk* w, Entry* e) noexcept nogil:
    cdef uint32_t i = 0, k, j, n
    cdef const Zone* z
    cdef Target* a
    cdef uint32_t found
    w.count = w.ancestors = w.denied = 0
    while i < w.target_count:
        a = &w.targets[i]
        take_apart(t, a)
        for k in range(a.labels + 1):
            prefetch(&t.upstream[a.path[k] & (HEADS - 1)])
            z = zone_of(t.model, a.path[k])
            if z != NULL:
                prefetch(&z.host_count)
        for k in range(a.labels + 1):
            n = a.labels - k
            find_named(t, w, e, a.path[n], k > 0, a.host)
        if e.qtype != TYPE_A and w.forwarded == 0:
            find_steps(t, w, e, a.path[a.labels])
        if w.forwarded == 0:
            for n in range(a.labels + 1):
                z = zone_of(t.model, a.path[n])
                if z == NULL:
                    continue
                for j in range(z.host_count):
                    if w.target_count == MOST_TARGETS:
                        break
                    found = w.count
                    find_named(t, w, e, z.hosts[j * HOST_SUFFIXES + z.labels[j]], False, True)
                    if w.count > found:
                        memcpy(w.targets[w.target_count].path, &z.hosts[j * HOST_SUFFIXES], (z.labels[j] + 1) * sizeof(uint64_t))
                        w.targets[w.target_count].labels = z.labels[j]
                        w.targets[w.target_count].name = z.hosts[j * HOST_SUFFIXES + z.labels[j]]
                        w.targets[w.target_count].era = NULL
                        w.targets[w.target_count].host = True
                        w.target_count += 1
        i += 1


cdef int depth_of(Resolving* t, const Walk* w, const Entry* u) noexcept nogil:
    """Labels of the zone whose server was asked, by what was learned of zones, or by how the name was cut."""
    cdef uint32_t i, k, n, j, m
    cdef const Zone* z
    cdef const Target* a
    for i in range(w.target_count):
        a = &w.targets[i]
        for k in range(a.labels + 1):
            if a.path[k] != u.name:
                continue
            for j in range(k + 1):
                n = k - j
                z = zone_of(t.model, a.path[n])
                if z == NULL:
                    continue
                for m in range(z.address_count):
                    if z.addresses[2 * m] == u.server[0] and z.addresses[2 * m + 1] == u.server[1]:
                        return <int>n
            if u.outcome == OUTCOME_REFERRAL and u.cut_labels:
                return u.cut_labels - 1
            if k < a.labels:
                return <int>k - 1 if k > 0 else 0
    return -1


cdef void charge(Resolving* t, Walk* w, Entry* e) noexcept nogil:
    cdef uint32_t i, j
    cdef uint64_t n
    cdef const Entry* u
    cdef int64_t reach = e.time, begin, end, time = 0
    # In order of time: numbers are.
    for i in range(1, w.count):
        n = w.numbers[i]
        j = i
        while j > 0 and w.numbers[j - 1] > n:
            w.numbers[j] = w.numbers[j - 1]
            j -= 1
        w.numbers[j] = n
    for i in range(w.count):
        u = &t.ring[w.numbers[i] & t.mask]
        begin = max(u.time, reach)
        end = min(u.answered if u.answered >= 0 else e.answered, e.answered)
        if end > begin:
            time += end - begin
            reach = end
    if w.count == 0:
        return
    e.waited = <Waited*>malloc(sizeof(Waited) + (w.count - 1) * sizeof(uint64_t))
    if e.waited == NULL:
        t.failed = 1
        return
    e.waited.time = time
    e.waited.count = w.count
    e.waited.start_depth = -1
    if w.forwarded == 0:
        e.waited.start_depth = <signed char>depth_of(t, w, &t.ring[w.numbers[0] & t.mask])
    memcpy(e.waited.numbers, w.numbers, w.count * sizeof(uint64_t))
