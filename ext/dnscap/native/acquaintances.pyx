"""Clients and servers; see acquaintances.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from dnscap.native.attempts cimport NO_NOTE, ServerNote
from dnscap.native.exchanges cimport NO_LOOKUP
from dnscap.native.lookup_index cimport hash_client

cdef enum:
    MOST_CLIENTS = 1 << 18
    MOST_NOTES = 1 << 16       # servers with a memory; an authoritative-side capture of a resolver meets some ten thousand
    FIRST_CLIENTS = 256


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


cdef bint is_loopback(const uint64_t* address) noexcept nogil:
    cdef const uint8_t* p = <const uint8_t*>address
    if address[0] == 0 and p[8] == 0 and p[9] == 0 and p[10] == 0xFF and p[11] == 0xFF:
        return p[12] == 127
    return address[0] == 0 and p[15] == 1 and p[8] == 0 and p[14] == 0
