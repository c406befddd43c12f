"""Classic pcap (draft-ietf-opsawg-pcap) with micro- or nanoseconds in either byte order.

Its older versions with the two lengths the other way round, and the variants with longer headers that
Kuznetzov's libpcap patches, netsniff-ng and Ixia write, too.
"""
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.capture_file cimport (
    FAULT_MEMORY,
    FAULT_NOT_A_CAPTURE,
    FAULT_RECORD_SIZE,
    FAULT_VERSION,
    MOST_RECORD,
    SECOND,
    STATE_PCAP,
    CaptureFile,
    Source,
    count_frames_of,
    fetch_ahead,
    new_source,
    refuse,
    u16,
    u32,
)
from dnscap.native.frames cimport DIRECTION_IN, DIRECTION_OUT, DIRECTION_UNKNOWN, FRAME_BATCH, Frame
from dnscap.native.octets cimport be32

cdef enum LengthOrder:         # of the two lengths in a pcap record header
    LENGTHS_PLAIN = 0          # captured, then on the wire
    LENGTHS_UNSURE = 1         # version 2.3 was written both ways: the captured one is the smaller
    LENGTHS_SWAPPED = 2        # before version 2.3, and by DG/UX

cdef enum:
    # What libpcap and Wireshark write and read at most, so that a damaged length does not swallow the rest of
    # the file as one frame.  A file header that tells a larger snap length raises it, up to MOST_RECORD.
    USUAL_MOST_FRAME = 262144


cdef inline void lengths_of(const uint8_t* p, bint big, uint8_t order,
                            uint32_t* captured, uint32_t* wire) noexcept nogil:
    """The two lengths of the pcap record header at `p`, told apart as libpcap does."""
    cdef uint32_t a = u32(p + 8, big)
    cdef uint32_t b = u32(p + 12, big)
    if order == LENGTHS_SWAPPED or (order == LENGTHS_UNSURE and a > b):
        captured[0], wire[0] = b, a
    else:
        captured[0], wire[0] = a, b


cdef int pcap_header(CaptureFile* file, const uint8_t* data, size_t size) noexcept nogil:
    """Read the file header: its octets that are done with, or -1 if it is not there yet or not good."""
    cdef uint32_t magic
    cdef uint32_t snaplen
    cdef uint16_t major
    cdef uint16_t minor
    cdef size_t header = 24
    cdef Source* source
    cdef int i
    file.tick = 1000
    file.record_header = 16
    file.packet_kind = 0
    for i in range(2):
        file.big = i == 0
        magic = u32(data, file.big)
        if magic == 0xA1B2C3D4U:
            break
        if magic == 0xA1B23C4DU:
            file.tick = 1
            break
        if magic == 0xA1B2CD34U:   # Kuznetzov: interface, protocol, kind of packet, one unused
            file.record_header = 24
            file.packet_kind = 22
            break
        if magic == 0xA1E2CB12U:   # netsniff-ng: the kind of packet is last
            file.tick = 1
            file.record_header = 24
            file.packet_kind = 23
            break
        if magic == 0x1C0001AC or magic == 0x1C0001AB:     # Ixia: the size of all records follows
            header = 28
            break
    else:
        refuse(file, FAULT_NOT_A_CAPTURE, be32(data))
        return -1
    if size < header:
        file.wanted = header
        return -1
    major = u16(data + 4, file.big)
    minor = u16(data + 6, file.big)
    if not (major == 2 or (major == 543 and minor == 0)):
        refuse(file, FAULT_VERSION, <uint64_t>major << 16 | minor)
        return -1
    file.lengths = LENGTHS_PLAIN
    if major == 543 or minor < 3:
        file.lengths = LENGTHS_SWAPPED
    elif minor == 3:
        file.lengths = LENGTHS_UNSURE
    snaplen = u32(data + 16, file.big)
    file.most = USUAL_MOST_FRAME
    if snaplen > file.most:
        file.most = snaplen if snaplen < MOST_RECORD else MOST_RECORD
    source = new_source(file)
    if source == NULL:
        refuse(file, FAULT_MEMORY, sizeof(Source))
        return -1
    source.snaplen = snaplen
    source.link = <uint16_t>(u32(data + 20, file.big) & 0xFFFF)    # above it: the check sequence
    file.state = STATE_PCAP
    return <int>header


cdef inline const uint8_t* plain_records(const uint8_t* p, const uint8_t* end, Frame* frames, uint32_t* count,
                                         uint64_t number, uint32_t source, uint16_t link, int64_t tick,
                                         uint32_t most, bint big) noexcept nogil:
    """Records of classic pcap: what nearly every file is made of, and so the path that has to be short.

    Stops before a record that is not wholly before `end` or too long; the caller finds out which.
    """
    cdef uint32_t n = count[0]
    cdef uint32_t size
    cdef uint32_t wire
    cdef Frame* f
    while n < FRAME_BATCH and end - p >= 16:
        size = u32(p + 8, big)
        if size > most or end - p - 16 < <ptrdiff_t>size:
            break
        wire = u32(p + 12, big)
        number += 1
        f = &frames[n]
        f.octets = p + 16
        f.time = <int64_t>u32(p, big) * SECOND + <int64_t>u32(p + 4, big) * tick
        f.number = number
        f.size = size
        f.wire_size = wire if wire > size else size
        f.source = source
        f.link = link
        f.direction = DIRECTION_UNKNOWN
        f.reserved = 0
        n += 1
        p += 16 + size
        fetch_ahead(p)
    count[0] = n
    return p


cdef const uint8_t* odd_records(const uint8_t* p, const uint8_t* end, Frame* frames, uint32_t* count,
                                uint64_t number, uint32_t source, const CaptureFile* file) noexcept nogil:
    """Records of the variants: longer headers, lengths the other way round."""
    cdef uint32_t n = count[0]
    cdef ptrdiff_t header = file.record_header
    cdef int64_t tick = file.tick
    cdef bint big = file.big
    cdef uint16_t link = file.sources[source].link
    cdef uint32_t size = 0
    cdef uint32_t wire = 0
    cdef uint8_t kind
    cdef Frame* f
    while n < FRAME_BATCH and end - p >= header:
        lengths_of(p, big, file.lengths, &size, &wire)
        if size > file.most or end - p - header < <ptrdiff_t>size:
            break
        number += 1
        f = &frames[n]
        f.octets = p + header
        f.time = <int64_t>u32(p, big) * SECOND + <int64_t>u32(p + 4, big) * tick
        f.number = number
        f.size = size
        f.wire_size = wire if wire > size else size
        f.source = source
        f.link = link
        f.direction = DIRECTION_UNKNOWN
        f.reserved = 0
        if file.packet_kind:        # packet(7): 0 to 2 to this host, 3 to another, 4 sent
            kind = p[file.packet_kind]
            f.direction = DIRECTION_IN if kind < 3 else DIRECTION_OUT if kind == 4 else DIRECTION_UNKNOWN
        n += 1
        p += header + <ptrdiff_t>size
    count[0] = n
    return p


cdef const uint8_t* pcap_records(CaptureFile* file, const uint8_t* p, const uint8_t* end,
                                 Frame* frames, uint32_t* count) noexcept nogil:
    cdef uint32_t before = count[0]
    cdef uint32_t which = file.file_source
    cdef Source* source = &file.sources[which]
    cdef uint32_t n
    cdef uint32_t size = 0
    cdef uint32_t wire = 0
    if file.record_header != 16 or file.lengths != LENGTHS_PLAIN:
        p = odd_records(p, end, frames, count, file.frame_number, which, file)
    elif file.big:
        p = plain_records(p, end, frames, count, file.frame_number, which,
                          source.link, file.tick, file.most, True)
    else:
        p = plain_records(p, end, frames, count, file.frame_number, which,
                          source.link, file.tick, file.most, False)
    n = count[0] - before
    if n:
        file.frame_number += n
        count_frames_of(source, &frames[before], &frames[count[0] - 1], n)
    if count[0] < FRAME_BATCH and end - p >= <ptrdiff_t>file.record_header:
        lengths_of(p, file.big, file.lengths, &size, &wire)
        if size > file.most:
            refuse(file, FAULT_RECORD_SIZE, size)
    return p


cdef size_t pcap_need(const CaptureFile* file, const uint8_t* p, size_t rest) noexcept nogil:
    cdef uint32_t size = 0
    cdef uint32_t wire = 0
    if rest < file.record_header:
        return 0
    lengths_of(p, file.big, file.lengths, &size, &wire)
    return file.record_header + <size_t>(size if size <= file.most else 0)
