"""The walk from frames to payloads under fuzzing: link layers, tunnels, IP with its fragments, TCP, ICMP.

Input: a link type (two octets), then frames: size (two octets), kind, gap, octets[size].  `kind` has the
direction in bits 0 and 1; the rest says by how many octets the frame was longer on the wire.  `gap` is the
time since the last frame.  The frames are walked in one batch and again one by one; both must give the same.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from dnscap.native.datagrams cimport Outbox, outbox_clear
from dnscap.native.events cimport EventLog
from dnscap.native.frames cimport FRAME_BATCH, Frame
from dnscap.native.octets cimport Octets, left, take
from dnscap.native.streams cimport Streams
from dnscap.native.walk cimport Walk

from fuzz.feeding cimport (
    check_events,
    check_outbox,
    empty_log,
    empty_outbox,
    next8,
    next16,
    offer,
    padded_copy,
)

# From one input to the next, each long after the one before: their tables are large.
cdef Walk batched, single
cdef int64_t now = 0
cdef uint32_t inputs = 0

cdef enum:
    INPUTS_EACH = 64
    # Small, so that an input of a few frames meets them.
    MOST_CONNECTIONS = 4
    MOST_HELD = 4096


cdef int run(const uint8_t* data, size_t size) except -1:
    cdef Frame frames[FRAME_BATCH]
    cdef uint32_t count = 0, i
    cdef uint64_t together = 0, singly = 0
    global batched, single, inputs, now

    if inputs % INPUTS_EACH == 0:
        now = 1_700_000_000_000_000_000
        batched = new_walk()
        single = new_walk()
    inputs += 1
    now += 3600 * <int64_t>1_000_000_000
    try:
        count = take_apart(data, size, frames)
        walk_through(batched, frames, count, FRAME_BATCH, &together)
        walk_through(single, frames, count, 1, &singly)
    finally:
        for i in range(count):
            free(<void*>frames[i].octets)
    if together != singly:
        raise AssertionError("other messages or events when frames come one by one")
    return 0


cdef Walk new_walk():
    cdef Walk walk = Walk()
    walk.streams = Streams(MOST_CONNECTIONS, MOST_HELD)
    return walk


cdef uint32_t take_apart(const uint8_t* data, size_t size, Frame* frames) except? 0:
    """Fill `frames` with at most FRAME_BATCH frames out of the input, each octets of its own."""
    global now
    cdef Octets input
    cdef uint32_t count = 0
    cdef size_t wanted
    cdef uint8_t kind, gap
    cdef uint16_t link
    cdef uint8_t* octets
    cdef Frame* frame

    input.at = data
    input.end = data + size
    link = next16(&input)
    while left(&input) and count < FRAME_BATCH:
        wanted = next16(&input)
        kind = next8(&input)
        gap = next8(&input)
        wanted = min(wanted, left(&input))
        octets = padded_copy(take(&input, wanted), wanted)
        if octets == NULL:
            break
        # Mostly milliseconds; long silences too, so that fragments and connections run out.
        now += gap * <int64_t>1_000_000 if gap < 240 else (gap - 239) * <int64_t>9_000_000_000
        frame = &frames[count]
        memset(frame, 0, sizeof(Frame))
        frame.octets = octets
        frame.size = <uint32_t>wanted
        frame.wire_size = <uint32_t>wanted + (kind >> 2) * 16
        frame.time = now
        frame.number = count + 1
        frame.link = link
        frame.direction = kind & 3 if kind & 3 != 3 else 0
        count += 1
    return count


cdef int walk_through(Walk walk, Frame* frames, uint32_t count, uint32_t step, uint64_t* seen) except -1:
    cdef Outbox* box = empty_outbox()
    cdef EventLog* events = empty_log()
    cdef uint64_t messages = 0, noted = 0
    cdef uint32_t at = 0, some

    while at < count:
        some = min(step, count - at)
        if walk.frames(&frames[at], some, box, events) != 0:
            raise MemoryError
        at += some
        check_outbox(box, &messages)
        check_events(events, &noted)
        outbox_clear(box)
        events.count = 0
    if walk.finish(box, events) != 0:
        raise MemoryError
    check_outbox(box, &messages)
    check_events(events, &noted)
    walk.streams.table.closed_count = 0
    seen[0] = messages ^ (noted << 1)
    return 0


ENTRY = offer(run)
