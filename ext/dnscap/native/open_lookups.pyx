"""Open lookups; see open_lookups.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

from dnscap.native.assembly cimport LISTS, Assembly
from dnscap.native.attempts cimport *
from dnscap.native.datagrams cimport TRANSPORT_TCP, TRANSPORT_UDP
from dnscap.native.exchanges cimport *
from dnscap.native.grouping cimport LARGE, settling
from dnscap.native.lookup_index cimport label_key, link, stream_key, unlink_key

cdef enum:
    FEW_LOOKUPS = 1 << 12      # so few are kept open for longer, and fit the cache
    MOST_SPARE = 1 << 13       # lookups that are over, kept to be used again
    MOST_TYPES = 4             # of one name in one lookup: A, AAAA, HTTPS

cdef int64_t MS = 1000000

cdef int64_t[7] WAITS          # how long a lookup of each list stays open after its last event
WAITS[0] = 150 * MS            # answered: the other family asked late
WAITS[1] = 3000 * MS           # answered over TCP: how the connection ended
WAITS[2] = 6500 * MS           # a failure (musl and Go may ask again after 5 s), or an answer still out that came too late
WAITS[3] = 13000 * MS          # no answer yet, timer known to be 5 s or less
WAITS[4] = 31000 * MS          # no answer yet
WAITS[5] = 70000 * MS
WAITS[6] = 260000 * MS         # connecting: the kernel's last wait of a blocking connect

cdef inline const uint8_t* current_name(const Lookup* l, uint32_t* size) noexcept nogil:
    cdef uint32_t i = l.candidate_count - 1
    size[0] = l.names[i + 1] - l.names[i]
    return l.text + l.names[i]


cdef bint is_current(const Lookup* l, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef uint32_t n
    cdef const uint8_t* p = current_name(l, &n)
    return n == size and memcmp(p, name, size) == 0


cdef bint add_name(Lookup* l, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef uint32_t at = l.names[l.candidate_count]
    cdef uint8_t* text
    if at + size > l.text_room:
        text = <uint8_t*>wider(l.text, l.few_name_octets, at, (at + size) * 2)
        if text == NULL:
            return False
        l.text = text
        l.text_room = (at + size) * 2
    memcpy(l.text + at, name, size)
    l.candidate_count += 1
    l.names[l.candidate_count] = at + size
    return True


cdef inline void empty(Lookup* l) noexcept nogil:
    """Give back what was had beyond the lookup's own room."""
    if l.attempts != l.few_attempts:
        free(l.attempts)
    if l.text != l.few_name_octets:
        free(l.text)
    if l.records != l.few_record_octets:
        free(l.records)
    if l.dials != NULL:
        free(l.dials)


cdef void destroy(Lookup* l) noexcept nogil:
    empty(l)
    free(l)


cdef Lookup* obtain(Assembly* t) noexcept nogil:
    """A lookup with nothing in it; the room of one that is over is used again."""
    cdef Lookup* l = t.spare
    if l == NULL:
        l = <Lookup*>malloc(sizeof(Lookup))
        if l == NULL:
            return NULL
    else:
        t.spare = l.later
        t.spare_count -= 1
    memset(l, 0, <size_t>(<uint8_t*>l.nodes - <uint8_t*>l))
    l.names[0] = 0
    l.attempts = l.few_attempts
    l.attempt_room = FEW_ATTEMPTS
    l.text = l.few_name_octets
    l.text_room = FEW_NAME_OCTETS
    l.records = l.few_record_octets
    l.record_room = FEW_RECORD_OCTETS
    return l


cdef void give_back(Assembly* t, Lookup* l) noexcept nogil:
    empty(l)
    if t.spare_count >= MOST_SPARE:
        free(l)
        return
    l.later = t.spare
    t.spare = l
    t.spare_count += 1


cdef void enlist(Assembly* t, Lookup* l, uint8_t which) noexcept nogil:
    """Put the lookup at the end of a list of those that wait equally long from now."""
    delist(t, l)
    l.list = which
    l.deadline = t.now + WAITS[which]
    t.due = min(t.due, l.deadline)
    l.earlier = t.newest[which]
    l.later = NULL
    if t.newest[which] != NULL:
        t.newest[which].later = l
    else:
        t.oldest[which] = l
    t.newest[which] = l


cdef void delist(Assembly* t, Lookup* l) noexcept nogil:
    if l.list == LISTS:
        return
    if l.earlier != NULL:
        l.earlier.later = l.later
    else:
        t.oldest[l.list] = l.later
    if l.later != NULL:
        l.later.earlier = l.earlier
    else:
        t.newest[l.list] = l.earlier
    l.list = LISTS


cdef inline void settle_first(Assembly* t, Lookup* l) noexcept nogil:
    """As `settle`, of a lookup that sent one query, over UDP: what remains of it then."""
    cdef const Attempt* a = &l.attempts[0]
    cdef bint few = t.next - t.oldest_open < FEW_LOOKUPS
    l.complete = settling(a.outcome)
    if a.answered < 0 or a.outcome == OUTCOME_TRUNCATED:
        l.step = -1
        l.negative = 0
        label(t, l, False)
        enlist(t, l, 2 if a.outcome == OUTCOME_TRUNCATED else 4 if few else 3)
        return
    l.step = t.now
    l.negative = a.outcome != OUTCOME_ANSWER
    label(t, l, l.negative or l.answer_count >= LARGE)
    enlist(t, l, 2 if not l.complete else 3 if a.flags & ATTEMPT_FRAGMENT else 2 if few else 0)


cdef inline void label(Assembly* t, Lookup* l, bint heard) noexcept nogil:
    """Let it be found by its first label where its walk over a search list may go on, or begin anew; only then."""
    if heard == l.labelled:
        return
    l.labelled = heard
    if heard:
        link(&t.index, l, label_key(&t.index, l.client, l.text, l.names[1]))
    else:
        unlink_key(&t.index, l, label_key(&t.index, l.client, l.text, l.names[1]))


cdef void settle(Assembly* t, Lookup* l) noexcept nogil:
    """Find out where the lookup stands after an event, and how long it may still go on."""
    cdef const Attempt* asked[4]       # latest of each type for the present name
    cdef uint8_t[4] good               # any answer that settles it?
    cdef uint32_t i, j, types = 0
    cdef const Attempt* a
    cdef uint8_t now_at = <uint8_t>(l.candidate_count - 1)
    cdef bint complete = True, answered = True, positive = False, lost = False, tcp = False, truncated = False, cut = False
    cdef int64_t gap = 0
    if l.attempt_count == 1 and not l.dial_count and l.attempts[0].transport == TRANSPORT_UDP:
        settle_first(t, l)
        return
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if i and a.time - l.attempts[i - 1].time > gap:
            gap = a.time - l.attempts[i - 1].time
        lost |= a.answered < 0
        tcp |= a.transport == TRANSPORT_TCP
        cut |= a.flags & ATTEMPT_FRAGMENT != 0
        if a.candidate != now_at:
            continue
        # The verdict over a type is that of any good answer, or else of its latest attempt.
        j = 0
        while j < types and asked[j].qtype != a.qtype:
            j += 1
        if j == MOST_TYPES:
            continue
        if j == types:
            types += 1
            good[j] = False
        asked[j] = a
        good[j] |= settling(a.outcome) and not a.flags & ATTEMPT_LED
        positive |= a.outcome == OUTCOME_ANSWER
    for j in range(types):
        if not good[j]:
            complete = False
            truncated |= asked[j].outcome == OUTCOME_TRUNCATED
            if asked[j].answered < 0 or asked[j].outcome == OUTCOME_TRUNCATED:
                answered = False
    l.complete = complete
    label(t, l, answered and (not positive or l.answer_count >= LARGE))
    if answered:
        l.negative = not positive
        l.step = t.now
    else:
        l.negative = 0
        l.step = -1
    if complete:
        # Where the answer is lost behind the capture, the stub asks again; room permitting, that is waited for.
        enlist(t, l, 3 if cut else 2 if lost or t.next - t.oldest_open < FEW_LOOKUPS else 1 if tcp or l.dial_count else 0)
    elif answered:
        enlist(t, l, 2)
    else:
        for i in range(l.dial_count):
            if l.dials[i].ended < 0 and truncated:
                enlist(t, l, 6)
                return
        if truncated:
            enlist(t, l, 2)
        elif gap == 0 or gap > 5500 * MS:
            enlist(t, l, 5 if gap >= 14000 * MS else 4 if gap or t.next - t.oldest_open < FEW_LOOKUPS else 3)
        else:
            enlist(t, l, 3)


cdef Attempt* add_attempt(Assembly* t, Lookup* l, const Exchange* ex, uint8_t role, uint32_t note) noexcept nogil:
    cdef Attempt* a
    cdef uint32_t room
    l.queries += 1
    l.last = max(l.last, ex.time)
    if l.attempt_count == MOST_ATTEMPTS:
        return NULL
    if l.attempt_count == l.attempt_room:
        room = l.attempt_room * 2
        a = <Attempt*>wider(l.attempts, l.few_attempts, l.attempt_count * sizeof(Attempt), room * sizeof(Attempt))
        if a == NULL:
            t.failed = 1
            return NULL
        l.attempts = a
        l.attempt_room = room
    a = &l.attempts[l.attempt_count]
    l.attempt_count += 1
    memset(a, 0, sizeof(Attempt))
    a.time = ex.time
    a.answered = a.opened = a.handshake = -1
    a.exchange = ex.number
    a.server[0] = ex.server[0]
    a.server[1] = ex.server[1]
    a.first = ex.first
    a.stream = ex.stream
    a.note = note
    a.port = ex.client_port
    a.server_port = ex.server_port
    a.id = ex.id
    a.qtype = ex.qtype
    a.edns_size = ex.edns_udp_size
    a.sent = ex.flags & (EXCHANGE_EDNS | EXCHANGE_DO | EXCHANGE_AD | EXCHANGE_CD | EXCHANGE_RD | EXCHANGE_COOKIE)
    a.transport = ex.transport
    a.candidate = <uint8_t>(l.candidate_count - 1)
    a.role = role
    if role == ROLE_CHASE:
        a.flags = ATTEMPT_ALIAS    # that led to it
    if a.transport == TRANSPORT_TCP:
        link(&t.index, l, stream_key(&t.index, ex.stream))
    return a
