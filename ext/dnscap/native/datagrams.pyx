"""The outbox between the network stages and the message decoder."""
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

from dnscap.native.octets cimport PADDING

cdef enum:
    FIRST_ROWS = 512
    BLOCK_OCTETS = 1 << 18


cdef int outbox_open(Outbox* box) noexcept nogil:
    box.rows = <Datagram*>malloc(FIRST_ROWS * sizeof(Datagram))
    box.count = 0
    box.room = FIRST_ROWS if box.rows != NULL else 0
    box.arena = NULL
    return 0 if box.rows != NULL else -1


cdef void outbox_close(Outbox* box) noexcept nogil:
    cdef ArenaBlock* block
    free(box.rows)
    box.rows = NULL
    box.room = box.count = 0
    while box.arena != NULL:
        block = box.arena
        box.arena = block.next
        free(block)


cdef void outbox_clear(Outbox* box) noexcept nogil:
    cdef ArenaBlock* block
    box.count = 0
    if box.arena == NULL:
        return
    while box.arena.next != NULL:
        block = box.arena
        box.arena = block.next
        free(block)
    box.arena.used = 0


cdef int outbox_grow(Outbox* box) noexcept nogil:
    cdef uint32_t room = box.room * 2 if box.room else FIRST_ROWS
    cdef Datagram* rows
    if room <= box.room:
        return -1
    rows = <Datagram*>realloc(box.rows, <size_t>room * sizeof(Datagram))
    if rows == NULL:
        return -1
    box.rows = rows
    box.room = room
    return 0


cdef uint8_t* outbox_octets(Outbox* box, size_t size) noexcept nogil:
    cdef size_t need = (size + PADDING + 15) & ~<size_t>15
    cdef ArenaBlock* block = box.arena
    cdef size_t room
    cdef uint8_t* p
    if block == NULL or block.room - block.used < need:
        room = need if need > BLOCK_OCTETS else BLOCK_OCTETS
        block = <ArenaBlock*>malloc(sizeof(ArenaBlock) + room)
        if block == NULL:
            return NULL
        block.next = box.arena
        block.used = 0
        block.room = room
        box.arena = block
    p = <uint8_t*>(block + 1) + block.used
    block.used += need
    memset(p + size, 0, PADDING)
    return p
