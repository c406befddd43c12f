"""Memory of the columns of messages and records; see message_columns.pxd."""
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from dnscap.native.interning cimport big_alloc, big_grow
from dnscap.native.octets cimport PADDING

cdef enum:
    MOST_OCTETS = 0xFFFF0000   # of one growable octet column
    COLUMN_STEP = 192          # octets
    FIRST_ROWS = 3 << 13       # for a start: more than a batch of the usual size, which ends with a window of octets


cdef inline void* column_block(void* column) noexcept nogil:
    """The block of memory in which a column lies."""
    return (<void**>column - 1)[0] if column != NULL else NULL


cdef int grow_column(void** column, size_t width, size_t used, size_t room, uint32_t place) noexcept nogil:
    """Give a column room for `room` rows and one more, in a new block if there is none or the old one is too small.

    Large blocks begin at like places in their pages.  Columns that did so too would all want the same few sets of the
    caches where they are written side by side, so each begins three cache lines further into its block than the one
    before; in front of it stands where the block begins.
    """
    cdef uint8_t* block = <uint8_t*>big_alloc((room + 1) * width + PADDING + (place + 1) * COLUMN_STEP)
    cdef void** wider
    if block == NULL:
        return -1
    wider = <void**>(block + (place + 1) * COLUMN_STEP)
    (wider - 1)[0] = block
    if used:
        memcpy(wider, column[0], used * width)
    free(column_block(column[0]))
    column[0] = wider
    return 0


cdef int grow_columns(void** columns, uint32_t many, size_t width, size_t used, size_t room,
                      uint32_t place) noexcept nogil:
    cdef uint32_t k
    for k in range(many):
        if grow_column(columns + k, width, used, room, place + k) != 0:
            return -1
    return 0


cdef int grow_messages(MessageColumns* c) noexcept nogil:
    # Never less than a whole stride more, however little was reserved: the octets of a compressed file say little.
    return widen_messages(c, <size_t>c.room * 2 if c.room > 1 << 13 else FIRST_ROWS)


cdef int widen_messages(MessageColumns* c, size_t room) noexcept nogil:
    cdef size_t n = c.count
    if grow_columns(<void**>&c.frame, MESSAGE_COLUMNS_8, 8, n, room, 0) != 0 \
            or grow_columns(<void**>&c.frames, MESSAGE_COLUMNS_4, 4, n, room, MESSAGE_COLUMNS_8) != 0 \
            or grow_columns(<void**>&c.src_port, MESSAGE_COLUMNS_2, 2, n, room,
                            MESSAGE_COLUMNS_8 + MESSAGE_COLUMNS_4) != 0 \
            or grow_columns(<void**>&c.edns_version, MESSAGE_COLUMNS_1, 1, n, room,
                            MESSAGE_COLUMNS_8 + MESSAGE_COLUMNS_4 + MESSAGE_COLUMNS_2) != 0:
        return -1
    c.room = <uint32_t>room
    return 0


cdef int grow_records(RecordColumns* c) noexcept nogil:
    return widen_records(c, <size_t>c.room * 2 if c.room else 1 << 15)


cdef int widen_records(RecordColumns* c, size_t room) noexcept nogil:
    cdef size_t n = c.count
    if grow_columns(<void**>&c.message, RECORD_COLUMNS_4, 4, n, room, 0) != 0 \
            or grow_columns(<void**>&c.type, RECORD_COLUMNS_2, 2, n, room, RECORD_COLUMNS_4) != 0 \
            or grow_column(<void**>&c.section, 1, n, room, RECORD_COLUMNS_4 + RECORD_COLUMNS_2) != 0:
        return -1
    c.room = <uint32_t>room
    return 0


cdef int grow_octets(uint8_t** octets, uint32_t used, uint32_t* room, size_t need) noexcept nogil:
    """Batches are closed long before 32 bits run out."""
    cdef size_t wide = <size_t>room[0] * 2 if room[0] else 1 << 18
    cdef void* wider
    while wide < used + need:
        wide *= 2
    if wide > MOST_OCTETS:
        wide = MOST_OCTETS
        if used + need > wide:
            return -1
    wider = big_grow(octets[0], used, wide + PADDING)
    if wider == NULL:
        return -1
    octets[0] = <uint8_t*>wider
    room[0] = <uint32_t>wide
    return 0


cdef void free_messages(MessageColumns* c) noexcept nogil:
    cdef void** columns = <void**>c
    cdef uint32_t k
    for k in range(MESSAGE_COLUMNS_8 + MESSAGE_COLUMNS_4 + MESSAGE_COLUMNS_2 + MESSAGE_COLUMNS_1):
        free(column_block(columns[k]))
    free(c.options_octets)
    memset(c, 0, sizeof(MessageColumns))


cdef void free_records(RecordColumns* c) noexcept nogil:
    cdef void** columns = <void**>c
    cdef uint32_t k
    for k in range(RECORD_COLUMNS_4 + RECORD_COLUMNS_2):
        free(column_block(columns[k]))
    free(column_block(c.section))
    free(c.rdata_octets)
    memset(c, 0, sizeof(RecordColumns))
