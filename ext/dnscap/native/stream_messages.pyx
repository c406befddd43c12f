"""Messages within one direction of a connection (RFC 7766 section 8): a length of two octets before each.

A message that lies whole in one segment is pointed to where it is, one that is split grows in `part`.
Framing is exact as long as every length prefix is known; where that knowledge is lost (joined in mid-stream,
a hole that reaches past the message it began in) the flow *seeks*: it starts again at the first segment that
looks like the beginning of a message.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from dnscap.native.datagrams cimport (
    CUT_BY_CAPTURE,
    TRANSPORT_TCP,
    WHOLE,
    Datagram,
    outbox_add,
    outbox_octets,
)
from dnscap.native.flows cimport (
    BLANK,
    BY_NOTHING,
    BY_QR,
    FRAMED,
    HEADER,
    SEEKING,
    TRYING,
    Conn,
    Flow,
    Stamp,
    StreamTable,
    flow_dst,
    flow_src,
)
from dnscap.native.octets cimport be16

cdef enum:
    LARGEST_MESSAGE = 2 + 65535
    FIRST_PART = 256           # octets first allotted to a message that is split
    MOST_QUESTIONS = 32        # in a message at which a flow may start
    PROBE = 288                # prefix, header, longest name, type and class: what a start is judged by


# ---- does a segment begin a message? ----

cdef bint known_class(uint32_t rrclass) noexcept nogil:
    rrclass &= 0x7FFF          # mDNS uses the top bit (RFC 6762 section 18.12)
    return rrclass == 1 or rrclass == 3 or rrclass == 4 or rrclass == 254 or rrclass == 255


cdef Verdict message_like(const uint8_t* m, uint32_t have, uint32_t length) noexcept nogil:
    """Judge the beginning of a message of `length` octets, of which `have` (at least HEADER) are here."""
    cdef uint32_t opcode = (m[2] >> 3) & 15
    cdef uint32_t questions = be16(m + 4)
    cdef uint32_t records = <uint32_t>be16(m + 6) + be16(m + 8) + be16(m + 10)
    cdef uint32_t at = HEADER
    cdef uint32_t label, kind
    if opcode == 3 or opcode > 6 or questions > MOST_QUESTIONS:
        return NO
    if questions == 0 and records == 0:
        return YES if length == HEADER else NO
    if HEADER + 5 * questions + 11 * records > length:     # least octets of a question and of a record
        return NO
    while True:
        if at >= length or at - HEADER >= 255:             # RFC 1035 section 2.3.4
            return NO
        if at >= have:
            return YES
        label = m[at]
        if label == 0:
            at += 1
            break
        if label > 63:         # no pointer either: the first name has nothing before it to point to
            return NO
        at += 1 + label
    if at + 4 > length:
        return NO
    if at + 4 > have:
        return YES
    kind = be16(m + at)
    if kind == 0:
        return NO
    if questions == 0:
        if at + 10 > length:
            return NO
        if at + 10 <= have and at + 10 + be16(m + at + 8) > length:
            return NO
        if kind == 41:         # OPT has a size where others have a class (RFC 6891 section 6.1.2)
            return YES
    return YES if known_class(be16(m + at + 2)) else NO


cdef Verdict begins_message(const uint8_t* octets, uint32_t size, uint32_t wire) noexcept nogil:
    """Whether a segment begins with a length prefix and a message; UNSURE where it is too short to tell."""
    cdef uint32_t length, left
    if size < 2:
        return UNSURE if wire == size else NO
    length = be16(octets)
    if length < HEADER:
        return NO
    if size < 2 + HEADER:
        return UNSURE if wire == size else NO
    if message_like(octets + 2, min(size - 2, length), length) == NO:
        return NO
    if size > 2 + length:      # and so must what follows it
        octets += 2 + length
        left = size - 2 - length
        if left >= 2 and be16(octets) < HEADER:
            return NO
        if left >= 2 + HEADER:
            length = be16(octets)
            return message_like(octets + 2, min(left - 2, length), length)
    return YES


cdef Verdict tried(Flow* f, const uint8_t* octets, uint32_t size, uint32_t wire) noexcept nogil:
    """Judge a start together with the octets that follow it."""
    cdef uint8_t probe[PROBE]
    cdef uint32_t n = min(size, <uint32_t>(PROBE - 2 - HEADER))
    cdef uint32_t have = f.part_size
    cdef uint32_t length
    if have >= 2 + HEADER:
        return YES
    memcpy(probe, f.part, have)
    memcpy(probe + have, octets, n)
    have += n
    if have < 2:
        return UNSURE if wire == size else NO
    length = be16(probe)
    if length < HEADER:
        return NO
    if have < 2 + HEADER:
        return UNSURE if wire == size else NO
    return message_like(probe + 2, min(have - 2, length), length)


# ---- messages out ----

cdef void emit(StreamTable* t, Flow* f, const uint8_t* octets, uint32_t size, uint32_t wire_size,
               uint32_t frames, const Stamp* stamp, bint in_place, uint8_t wholeness) noexcept nogil:
    cdef Conn* c = f.conn
    cdef uint8_t* copy
    cdef Datagram* d
    if not in_place:
        copy = outbox_octets(t.box, size)
        if copy == NULL:
            t.failed = True
            return
        memcpy(copy, octets, size)
        octets = copy
    d = outbox_add(t.box)
    if d == NULL:
        t.failed = True
        return
    memset(d, 0, sizeof(Datagram))
    d.octets = octets
    memcpy(d.src, flow_src(f), 16)
    memcpy(d.dst, flow_dst(f), 16)
    d.place = f.home_place
    d.size = size
    d.wire_size = wire_size
    d.time = stamp.time
    d.number = stamp.number
    d.source = stamp.source
    d.interface = stamp.interface
    d.frames = frames
    d.stream = c.stream
    d.src_port = c.high_port if f.side else c.low_port
    d.dst_port = c.low_port if f.side else c.high_port
    d.transport = TRANSPORT_TCP
    d.wholeness = wholeness
    d.ip_ttl = stamp.ip_ttl
    d.ip_version = c.ip_version
    d.direction = stamp.direction
    f.messages += 1
    if c.told == BY_NOTHING and size >= HEADER:
        c.client = f.side if octets[2] < 0x80 else 1 - f.side      # QR clear: a query
        c.told = BY_QR


cdef void part_drop(StreamTable* t, Flow* f) noexcept nogil:
    t.held -= f.part_room
    free(f.part)
    f.part = NULL
    f.part_size = f.part_room = f.part_frames = 0


cdef void part_put(StreamTable* t, Flow* f, const uint8_t* octets, uint32_t size) noexcept nogil:
    """Add octets to the message in progress, never more than it needs."""
    cdef uint32_t room
    cdef uint8_t* part
    if f.part_size + size > f.part_room:
        room = max(max(f.part_size + size, 2 * f.part_room), <uint32_t>FIRST_PART)
        room = min(room, <uint32_t>LARGEST_MESSAGE)
        part = <uint8_t*>realloc(f.part, room)
        if part == NULL:
            t.failed = True
            return
        t.held += room - f.part_room
        f.part = part
        f.part_room = room
    memcpy(f.part + f.part_size, octets, size)
    f.part_size += size


cdef void part_cut(StreamTable* t, Flow* f) noexcept nogil:
    """Give up the message in progress: hand on what is there if that has a header."""
    if f.state == FRAMED and f.part_size >= 2 + HEADER:
        emit(t, f, f.part + 2, f.part_size - 2, be16(f.part), f.part_frames, &f.part_stamp, False,
             CUT_BY_CAPTURE)
    part_drop(t, f)


cdef void lose(StreamTable* t, Flow* f, uint32_t count) noexcept nogil:
    """The next `count` octets are not in the capture.

    Where the message in which they begin reaches past them, its end is still known and framing goes on there.
    """
    cdef uint32_t missing
    if f.skip:
        if count > f.skip:
            f.state = SEEKING
            f.skip = 0
        else:
            f.skip -= count
        return
    if f.state != FRAMED or f.part_size < 2:
        part_drop(t, f)
        if f.state != BLANK:
            f.state = SEEKING
        return
    missing = 2 + <uint32_t>be16(f.part) - f.part_size
    part_cut(t, f)
    if count > missing:
        f.state = SEEKING
    else:
        f.skip = missing - count


cdef void consume(StreamTable* t, Flow* f, const uint8_t* p, uint32_t left, const Stamp* stamp,
                  uint64_t carrier, bint in_place) noexcept nogil:
    """Frame octets that are next in sequence: 2 octets of length, then the message (RFC 7766 section 8)."""
    cdef uint32_t n, length
    while left and not t.failed:
        if f.skip:
            n = min(left, f.skip)
            f.skip -= n
            p += n
            left -= n
            continue
        if f.part_size == 0 and left >= 2:
            length = be16(p)
            if left >= 2 + length:
                if length:
                    emit(t, f, p + 2, length, length, 1, stamp, in_place, WHOLE)
                p += 2 + length
                left -= 2 + length
                continue
        if f.part_size < 2:
            n = min(left, 2 - f.part_size)
        else:
            n = min(left, 2 + <uint32_t>be16(f.part) - f.part_size)
        if f.part_frames == 0 or f.part_serial != carrier:
            f.part_frames += 1
            f.part_serial = carrier
        if f.part_frames == 1 or stamp.serial > f.part_stamp.serial:
            f.part_stamp = stamp[0]
        part_put(t, f, p, n)
        if t.failed:
            return
        p += n
        left -= n
        if f.part_size >= 2 and f.part_size == 2 + <uint32_t>be16(f.part):
            if f.part_size > 2:
                n = f.part_size - 2
                emit(t, f, f.part + 2, n, n, f.part_frames, &f.part_stamp, False, WHOLE)
            part_drop(t, f)


cdef void take_chunk(StreamTable* t, Flow* f, const uint8_t* octets, uint32_t size, uint32_t wire,
                     const Stamp* stamp, uint64_t carrier, bint in_place) noexcept nogil:
    """A segment, or what is left of one, is next in sequence."""
    cdef Verdict verdict
    f.expected += wire
    if f.state == TRYING:
        verdict = tried(f, octets, size, wire)
        if verdict == YES:
            f.state = FRAMED
        elif verdict == NO:
            t.counts.unplaced += 1
            part_drop(t, f)
            f.state = SEEKING
    if f.state == SEEKING:
        verdict = begins_message(octets, size, wire)
        if verdict == NO:
            t.counts.unplaced += 1
            f.conn.gap += wire - size
            return
        f.state = FRAMED if verdict == YES else TRYING
    consume(t, f, octets, size, stamp, carrier, in_place)
    if wire > size:            # the snap length took the end
        f.conn.gap += wire - size
        lose(t, f, wire - size)
