"""What the fuzz targets share: taking an input apart, and looking hard at what a stage gives back."""
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport malloc
from libc.string cimport memcpy, memset

from dnscap.native.datagrams cimport (
    CUT_BY_CAPTURE,
    FIRST_FRAGMENT,
    NO_STREAM,
    TRANSPORT_TCP,
    WHOLE,
    Datagram,
    Outbox,
    outbox_clear,
    outbox_open,
)
from dnscap.native.events cimport QUOTE_ROOM, Event, EventLog, event_log_open
from dnscap.native.frames cimport FRAME_BATCH, Frame
from dnscap.native.octets cimport PADDING, Octets, be16, be32, take

cdef Outbox the_outbox
cdef EventLog the_log
cdef bint opened = False


cdef int open_both() except -1:
    global opened
    if not opened:
        if outbox_open(&the_outbox) != 0 or event_log_open(&the_log) != 0:
            raise MemoryError
        opened = True
    return 0


cdef Outbox* empty_outbox() except NULL:
    open_both()
    outbox_clear(&the_outbox)
    return &the_outbox


cdef EventLog* empty_log() except NULL:
    open_both()
    the_log.count = 0
    the_log.lost = 0
    return &the_log


cdef object offer(Entry entry):
    return PyCapsule_New(<void*>entry, "fuzz.entry", NULL)


def call(entry, const uint8_t[::1] data not None):
    """Hand one input to a target: a capsule of `offer`, or any callable that takes octets."""
    if callable(entry):
        entry(data)
    else:
        (<Entry>PyCapsule_GetPointer(entry, "fuzz.entry"))(&data[0] if data.shape[0] else NULL, data.shape[0])


cdef uint8_t next8(Octets* o) noexcept nogil:
    cdef const uint8_t* p = take(o, 1)
    return p[0] if p != NULL else 0


cdef uint16_t next16(Octets* o) noexcept nogil:
    cdef const uint8_t* p = take(o, 2)
    return be16(p) if p != NULL else 0


cdef uint32_t next32(Octets* o) noexcept nogil:
    cdef const uint8_t* p = take(o, 4)
    return be32(p) if p != NULL else 0


cdef uint64_t digest(uint64_t seed, const uint8_t* octets, size_t size) noexcept nogil:
    # FNV-1a: slow, but it has to look at each octet anyway.
    cdef uint64_t h = seed ^ <uint64_t>14695981039346656037
    cdef size_t i
    for i in range(size):
        h = (h ^ octets[i]) * <uint64_t>1099511628211
    return h


cdef uint8_t* padded_copy(const uint8_t* octets, size_t size) noexcept nogil:
    cdef uint8_t* copy = <uint8_t*>malloc(size + PADDING)
    if copy != NULL:
        if size:
            memcpy(copy, octets, size)
        memset(copy + size, 0, PADDING)
    return copy


cdef int check_frames(const Frame* frames, uint32_t count, uint64_t* seen) except -1:
    cdef uint32_t i
    cdef const Frame* frame
    if count > FRAME_BATCH:
        raise AssertionError("more frames than a batch holds")
    for i in range(count):
        frame = &frames[i]
        if frame.wire_size < frame.size:
            raise AssertionError("a frame is larger than on the wire")
        if frame.number == 0:
            raise AssertionError("frames are numbered from 1")
        seen[0] = digest(seen[0], frame.octets, frame.size)
        digest(0, frame.octets, frame.size + PADDING)       # promised to be readable, never to mean anything
        seen[0] = digest(seen[0], <const uint8_t*>&frame.time, sizeof(frame.time))
        seen[0] = digest(seen[0], <const uint8_t*>&frame.number, sizeof(frame.number))
        seen[0] = digest(seen[0], <const uint8_t*>&frame.wire_size, sizeof(frame.wire_size))
        seen[0] = digest(seen[0], <const uint8_t*>&frame.source, sizeof(frame.source))
        seen[0] = digest(seen[0], <const uint8_t*>&frame.link, sizeof(frame.link))
    return 0


cdef int check_outbox(const Outbox* box, uint64_t* seen) except -1:
    cdef uint32_t i
    cdef const Datagram* row
    for i in range(box.count):
        row = &box.rows[i]
        if row.wholeness > FIRST_FRAGMENT:
            raise AssertionError("no such wholeness")
        if row.wholeness == WHOLE and row.size != row.wire_size:
            raise AssertionError("whole, but not of its wire size")
        if row.wholeness == CUT_BY_CAPTURE and row.size >= row.wire_size:
            raise AssertionError("cut, but nothing is missing")
        if row.transport == TRANSPORT_TCP and row.stream == NO_STREAM:
            raise AssertionError("over TCP, but of no connection")
        if row.transport != TRANSPORT_TCP and row.stream != NO_STREAM:
            raise AssertionError("over UDP, but of a connection")
        if row.frames == 0:
            raise AssertionError("carried by no frame")
        if row.ip_version != 4 and row.ip_version != 6:
            raise AssertionError("no such IP version")
        seen[0] = digest(seen[0], row.octets, row.size)
        digest(0, row.octets, row.size + PADDING)
        seen[0] = digest(seen[0], <const uint8_t*>&row.src, sizeof(row.src))
        seen[0] = digest(seen[0], <const uint8_t*>&row.dst, sizeof(row.dst))
        seen[0] = digest(seen[0], <const uint8_t*>&row.place, sizeof(row.place))
        seen[0] = digest(seen[0], <const uint8_t*>&row.time, sizeof(row.time))
        seen[0] = digest(seen[0], <const uint8_t*>&row.number, sizeof(row.number))
        seen[0] = digest(seen[0], <const uint8_t*>&row.interface, sizeof(row.interface))
        seen[0] = digest(seen[0], <const uint8_t*>&row.ip_ttl, sizeof(row.ip_ttl))
        seen[0] = digest(seen[0], <const uint8_t*>&row.direction, sizeof(row.direction))
    return 0


cdef int check_events(const EventLog* log, uint64_t* seen) except -1:
    cdef uint32_t i
    cdef const Event* event
    for i in range(log.count):
        event = &log.rows[i]
        if event.quote_size > QUOTE_ROOM:
            raise AssertionError("a quote larger than its room")
        seen[0] = digest(seen[0], <const uint8_t*>event, sizeof(Event))
    return 0
