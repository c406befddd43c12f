"""Clients and servers; see acquaintances.pxd."""
from libc.stdint cimport int16_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memset

from dnscap.native.attempts cimport NO_NOTE, ROLE_EDNS_FALLBACK, Attempt, Lookup, ServerNote
from dnscap.native.datagrams cimport TRANSPORT_UDP
from dnscap.native.exchanges cimport EXCHANGE_EDNS, NO_LOOKUP, Exchange
from dnscap.native.grouping cimport AT_ONCE, HELD_UP, common
from dnscap.native.lookup_index cimport hash_client
from dnscap.native.stubs cimport STUB_CARES, STUB_DNSPYTHON, STUB_GLIBC, STUB_MUSL, STUB_UNKNOWN, STUBS, fingerprint

cdef enum:
    TYPE_A = 1
    TYPE_AAAA = 28

cdef enum:
    MOST_CLIENTS = 1 << 18
    MOST_NOTES = 1 << 16       # servers with a memory; an authoritative-side capture of a resolver meets some ten thousand
    FIRST_CLIENTS = 256
    SURE = 12                  # score of habits that one lookup shows, from which on other lookups do not count
    SELDOM = 8                 # one lookup in so many whose ids are near one another: chance
    MOST_VOTES = 60000
    TURNED = 2                 # lookups that must have begun with the other server: one may with `rotate`
    SHUNS = 14                 # votes for it
    SHARES = 10
    TWO_CALLS = 10
    COMMON = 6                 # votes that the commonest stub has before it has shown anything


cdef bint acquaintances_open(Acquaintances* k, uint64_t seed) noexcept nogil:
    memset(k, 0, sizeof(Acquaintances))
    k.seed = seed
    k.client_mask = FIRST_CLIENTS - 1
    k.clients = <Client*>calloc(FIRST_CLIENTS, sizeof(Client))
    k.notes = <ServerNote*>malloc(MOST_NOTES * sizeof(ServerNote))
    k.note_slots = <uint32_t*>calloc(2 * MOST_NOTES, sizeof(uint32_t))
    return k.clients != NULL and k.notes != NULL and k.note_slots != NULL


cdef void acquaintances_close(Acquaintances* k) noexcept nogil:
    free(k.clients)
    free(k.notes)
    free(k.note_slots)


cdef Client* client_of(Acquaintances* k, const uint64_t* address) noexcept nogil:
    cdef uint32_t i, j
    cdef Client* old
    cdef uint32_t mask
    i = <uint32_t>hash_client(k.seed, address) & k.client_mask
    while k.clients[i].lookups or k.clients[i].iterates:
        if k.clients[i].address[0] == address[0] and k.clients[i].address[1] == address[1]:
            return &k.clients[i]
        i = (i + 1) & k.client_mask
    if k.client_count * 2 > k.client_mask:
        if k.client_count >= MOST_CLIENTS:
            memset(k.clients, 0, (<size_t>k.client_mask + 1) * sizeof(Client))
            k.client_count = 0
            k.forgotten += 1
            k.moves += 1
        else:
            old = k.clients
            mask = k.client_mask
            k.clients = <Client*>calloc((<size_t>mask + 1) * 2, sizeof(Client))
            if k.clients == NULL:
                k.clients = old
                k.failed = 1
                return NULL
            k.client_mask = mask * 2 + 1
            for j in range(mask + 1):
                if old[j].lookups or old[j].iterates:
                    i = <uint32_t>hash_client(k.seed, old[j].address) & k.client_mask
                    while k.clients[i].lookups or k.clients[i].iterates:
                        i = (i + 1) & k.client_mask
                    k.clients[i] = old[j]
            free(old)
            k.moves += 1
        i = <uint32_t>hash_client(k.seed, address) & k.client_mask
        while k.clients[i].lookups or k.clients[i].iterates:
            i = (i + 1) & k.client_mask
    k.clients[i].address[0] = address[0]
    k.clients[i].address[1] = address[1]
    k.clients[i].latest = NO_LOOKUP
    k.client_count += 1
    return &k.clients[i]       # the caller counts something in it, which takes the place


cdef uint32_t note_of(Acquaintances* k, const uint64_t* address, bint enter) noexcept nogil:
    """Where a server is noted; NO_NOTE where it is not, or cannot be."""
    cdef uint32_t i = <uint32_t>hash_client(k.seed, address) & (2 * MOST_NOTES - 1)
    cdef ServerNote* n
    while k.note_slots[i]:
        n = &k.notes[k.note_slots[i] - 1]
        if n.address[0] == address[0] and n.address[1] == address[1]:
            return k.note_slots[i] - 1
        i = (i + 1) & (2 * MOST_NOTES - 1)
    if not enter or k.note_count == MOST_NOTES:
        return NO_NOTE
    n = &k.notes[k.note_count]
    memset(n, 0, sizeof(ServerNote))
    n.address[0] = address[0]
    n.address[1] = address[1]
    n.last_answer = -1
    k.note_count += 1
    k.note_slots[i] = k.note_count
    return k.note_count - 1


cdef void vote_for(Client* c, uint32_t which, int16_t score) noexcept nogil:
    cdef uint32_t side = which >= STUBS
    if c.votes[which] < MOST_VOTES:
        c.votes[which] += <uint16_t>score
        # One vote more for the one that has most changes nothing.
        c.decided[side] &= which == side * STUBS + c.best[side]


cdef void begins_with(Client* c, const Exchange* ex, const Lookup* before) noexcept nogil:
    """Learn whether a server that was silent is asked first again: glibc always begins with the same, c-ares with one that answered."""
    cdef const Attempt* a
    cdef const Attempt* b
    cdef uint32_t i
    if ex.flags & EXCHANGE_EDNS:
        return                 # told by other things
    if before != NULL and before.attempt_count > 1:
        a = &before.attempts[0]
        for i in range(1, before.attempt_count):
            b = &before.attempts[i]
            if a.answered < 0 and b.answered >= 0 and (a.server[0] != b.server[0] or a.server[1] != b.server[1]):
                c.instead[0] = b.server[0]
                c.instead[1] = b.server[1]
                c.turned = 0
                c.silence = 1
                break
    if not c.silence:
        return
    if ex.server[0] == c.instead[0] and ex.server[1] == c.instead[1]:
        c.turned += 1
        if c.turned == TURNED:
            vote_for(c, STUB_CARES, SHUNS)
            c.silence = 0
    else:
        c.silence = 0


cdef void goes_on(Client* c, const Exchange* ex, const Lookup* l, Lookup* before) noexcept nogil:
    """Learn from a lookup that begins while the one before is not yet answered, or as soon as it is."""
    cdef const Attempt* a = &before.attempts[0]
    cdef uint32_t i, n = l.names[1]
    cdef const uint8_t* name
    if before.negative and 0 <= before.step and 0 <= ex.time - before.step <= HELD_UP:
        i = before.names[before.candidate_count - 1]
        name = before.text + i
        i = before.names[before.candidate_count] - i
        # A walk over a search list whose suffixes have nothing in common, on a busy machine: one lookup, or two.
        if common(name, i, l.text, n) > 0 and (i != n or memcmp(name, l.text, n) != 0):
            before.may_go_on = 1
    if ex.flags & EXCHANGE_EDNS or ex.transport != TRANSPORT_UDP or a.transport != TRANSPORT_UDP:
        return
    if a.port == ex.client_port:
        # c-ares has one socket for all that it asks a server; getaddrinfo of glibc and musl, Go and dnspython one a call.
        if not before.complete and before.attempt_count > 1 and before.attempts[1].port == a.port and before.attempts[1].qtype != a.qtype \
                and ex.id != a.id and ex.server[0] == a.server[0] and ex.server[1] == a.server[1]:
            vote_for(c, STUB_CARES, SHARES)
    elif ex.qtype == TYPE_AAAA and a.qtype == TYPE_A and before.candidate_count > 1 and 0 <= ex.time - before.step <= AT_ONCE:
        # A whole walk over the search list for one family, and then another: a call each.
        if n != before.names[1] or memcmp(l.text, before.text, n) != 0:
            return
        for i in range(before.attempt_count):
            if before.attempts[i].qtype != TYPE_A:
                return
        vote_for(c, STUB_DNSPYTHON, TWO_CALLS)


cdef void vote_by(Client* c, const Lookup* l, uint8_t stub, int16_t score) noexcept nogil:
    cdef uint32_t i, side = STUBS if l.sent & EXCHANGE_EDNS else 0
    if stub == STUB_UNKNOWN:
        return
    if c.lookups == 0:
        c.lookups = 1
    vote_for(c, side + stub, score)
    if side == 0 and score > 1:
        c.pairs += 1
        c.near += stub == STUB_MUSL
        if c.votes[STUB_MUSL]:
            c.decided[0] = 0
    elif side and l.attempt_count > 1:
        for i in range(l.attempt_count):
            if l.attempts[i].role == ROLE_EDNS_FALLBACK:
                vote_for(c, stub, score)       # it goes on without EDNS from here
                break


cdef inline uint32_t weight(const uint16_t* votes, uint32_t stub, uint32_t side) noexcept nogil:
    """Votes for a stub of clients without EDNS (side 0) or with."""
    return votes[stub] + (COMMON if stub == STUB_GLIBC and side == 0 else 0)


cdef uint8_t recognise_by(Client* c, const Lookup* l, uint8_t stub, int16_t score) noexcept nogil:
    cdef uint32_t i, most = 0, best = 0, side = 1 if l.sent & EXCHANGE_EDNS else 0
    cdef const uint16_t* votes = c.votes + side * STUBS
    cdef bint chance = stub == STUB_MUSL and c.near * SELDOM < c.pairs
    if score >= SURE and not chance:
        return stub
    if not c.decided[side]:
        for i in range(STUBS):
            if weight(votes, i, side) > most and not (i == STUB_MUSL and not side and c.near * 2 <= c.pairs):
                best = i
                most = weight(votes, i, side)
        c.best[side] = <uint8_t>best
        c.decided[side] = 1
    best = c.best[side]
    return <uint8_t>best if chance or weight(votes, best, side) > <uint32_t>score else stub


cdef uint8_t vote(Acquaintances* k, Lookup* l, int16_t* strength) noexcept nogil:
    """Let a lookup tell by its habits which stub its client runs: what it shows."""
    cdef Client* c = client_at(k, l.client, &l.client_place, &l.client_moves)
    cdef uint8_t stub = fingerprint(l, strength)
    if c != NULL:
        vote_by(c, l, stub, strength[0])
    return stub


cdef uint8_t recognise(Acquaintances* k, Lookup* l, uint8_t stub, int16_t score) noexcept nogil:
    cdef Client* c = client_at(k, l.client, &l.client_place, &l.client_moves)
    return recognise_by(c, l, stub, score) if c != NULL else stub


cdef bint is_loopback(const uint64_t* address) noexcept nogil:
    cdef const uint8_t* p = <const uint8_t*>address
    if address[0] == 0 and p[8] == 0 and p[9] == 0 and p[10] == 0xFF and p[11] == 0xFF:
        return p[12] == 127
    return address[0] == 0 and p[15] == 1 and p[8] == 0 and p[14] == 0
