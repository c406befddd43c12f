"""File framing: octets of a pcap or pcapng file in, frames out.

Formats: classic pcap (draft-ietf-opsawg-pcap) with micro- or nanoseconds in either byte order, its older
versions with the two lengths the other way round, the variants with longer headers that Kuznetzov's libpcap
patches, netsniff-ng and Ixia write; pcapng (draft-ietf-opsawg-pcapng) with sections of either byte order.

Nothing here reads a file: the caller hands over windows of octets, of any size that holds a whole record.
Damage is not an exception: the frames before it are given out, `fault` and `offset` tell the rest.
"""
cimport cython

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport INT64_MAX, UINT32_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from dnscap.native.frames cimport DIRECTION_IN, DIRECTION_OUT, DIRECTION_UNKNOWN, FRAME_BATCH, Frame
from dnscap.native.octets cimport (
    PADDING,
    Octets,
    be16,
    be32,
    be64,
    left,
    le16,
    le32,
    le64,
    take,
)

cdef extern from * nogil:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define dnscap_prefetch(at) __builtin_prefetch((const void *)(at))
    #else
    #define dnscap_prefetch(at) ((void)(at))
    #endif
    """
    void prefetch "dnscap_prefetch"(uintptr_t at) noexcept

cdef enum State:
    STATE_ENDED = 0            # no file begun, or nothing further can be read of this one
    STATE_HEADER = 1           # the file header comes next
    STATE_PCAP = 2
    STATE_PCAPNG = 3

cdef enum LengthOrder:         # of the two lengths in a pcap record header
    LENGTHS_PLAIN = 0          # captured, then on the wire
    LENGTHS_UNSURE = 1         # version 2.3 was written both ways: the captured one is the smaller
    LENGTHS_SWAPPED = 2        # before version 2.3, and by DG/UX

cdef enum Clock:
    CLOCK_MULTIPLY = 0         # units of at least a nanosecond
    CLOCK_DIVIDE = 1           # shorter ones
    CLOCK_BINARY = 2           # negative powers of two seconds

cdef enum:
    TOLD_INTERFACE_DROPS = 1
    TOLD_SYSTEM_DROPS = 2
    TOLD_PACKET_DROPS = 4

cdef enum:
    # What libpcap and Wireshark write and read at most, so that a damaged length does not swallow the rest of
    # the file as one frame.  A file header that tells a larger snap length raises it, up to the next limit.
    USUAL_MOST_FRAME = 262144
    # A record longer than this is damage.  libpcap's and Wireshark's limit for pcapng blocks.
    MOST_RECORD = 16 * 1024 * 1024
    # An interface takes 20 octets of a hostile file and ten times that here.
    MOST_SOURCES = 65536       # a file
    MOST_TEXT = 4 * 1024 * 1024  # octets of names, filters and comments a file
    SECOND = 1000000000        # nanoseconds
    FAR_AHEAD = 2048           # octets between what is read and what is fetched: some ten frames

cdef enum:                     # block types of pcapng
    BLOCK_SECTION = 0x0A0D0D0A
    BLOCK_INTERFACE = 1
    BLOCK_PACKET = 2           # obsolete
    BLOCK_SIMPLE_PACKET = 3
    BLOCK_STATISTICS = 5
    BLOCK_ENHANCED_PACKET = 6
    BLOCK_JOURNAL = 9
    BLOCK_SYSDIG_EVENT = 0x204
    BLOCK_SYSDIG_EVENT_2 = 0x216
    BLOCK_CUSTOM = 0x0BAD
    BLOCK_CUSTOM_PRIVATE = 0x40000BAD

cdef enum:
    BLOCK_HEAD = 12            # type, length, byte-order magic of a section header; also the shortest block
    SECTION_HEAD = 24          # up to the options
    INTERFACE_HEAD = 16
    STATISTICS_HEAD = 20
    PACKET_HEAD = 28           # of both kinds of packet block
    SIMPLE_PACKET_HEAD = 12
    BLOCK_TAIL = 4             # the length again

cdef enum:                     # option codes
    OPTION_END = 0
    OPTION_COMMENT = 1
    OPTION_PACKET_FLAGS = 2
    OPTION_PACKET_DROPS = 4
    OPTION_INTERFACE_NAME = 2
    OPTION_INTERFACE_DESCRIPTION = 3
    OPTION_CLOCK = 9
    OPTION_FILTER = 11
    OPTION_TIME_OFFSET = 14
    OPTION_INTERFACE_DROPS = 5
    OPTION_SYSTEM_DROPS = 7


cdef inline uint16_t u16(const uint8_t* p, bint big) noexcept nogil:
    return be16(p) if big else le16(p)


cdef inline uint32_t u32(const uint8_t* p, bint big) noexcept nogil:
    return be32(p) if big else le32(p)


cdef inline uint64_t u64(const uint8_t* p, bint big) noexcept nogil:
    return be64(p) if big else le64(p)


cdef inline size_t aligned(size_t size) noexcept nogil:
    return (size + 3) & ~<size_t>3


cdef inline void lengths_of(const uint8_t* p, bint big, uint8_t order,
                            uint32_t* captured, uint32_t* wire) noexcept nogil:
    """The two lengths of the pcap record header at `p`, told apart as libpcap does."""
    cdef uint32_t a = u32(p + 8, big)
    cdef uint32_t b = u32(p + 12, big)
    if order == LENGTHS_SWAPPED or (order == LENGTHS_UNSURE and a > b):
        captured[0], wire[0] = b, a
    else:
        captured[0], wire[0] = a, b


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
        prefetch(<uintptr_t>p + FAR_AHEAD)
    count[0] = n
    return p


cdef const uint8_t* odd_records(const uint8_t* p, const uint8_t* end, Frame* frames, uint32_t* count,
                                uint64_t number, uint32_t source, Framing framing) noexcept nogil:
    """Records of the variants: longer headers, lengths the other way round."""
    cdef uint32_t n = count[0]
    cdef ptrdiff_t header = framing.record_header
    cdef int64_t tick = framing.tick
    cdef bint big = framing.big
    cdef uint16_t link = framing.sources[source].link
    cdef uint32_t size = 0
    cdef uint32_t wire = 0
    cdef uint8_t kind
    cdef Frame* f
    while n < FRAME_BATCH and end - p >= header:
        lengths_of(p, big, framing.lengths, &size, &wire)
        if size > framing.most or end - p - header < <ptrdiff_t>size:
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
        if framing.packet_kind:        # packet(7): 0 to 2 to this host, 3 to another, 4 sent
            kind = p[framing.packet_kind]
            f.direction = DIRECTION_IN if kind < 3 else DIRECTION_OUT if kind == 4 else DIRECTION_UNKNOWN
        n += 1
        p += header + <ptrdiff_t>size
    count[0] = n
    return p


cdef inline int section_order(const uint8_t* p) noexcept nogil:
    """Byte order of the section whose header (BLOCK_HEAD of it) is at `p`: 1 big, 0 little, -1 neither."""
    cdef uint32_t magic = be32(p + 8)
    if magic == 0x1A2B3C4D:
        return 1
    return 0 if magic == 0x4D3C2B1A else -1


cdef inline bint next_option(Octets* options, bint big, uint16_t* code, Octets* value) noexcept nogil:
    """The next option of a block, and on; False at the end of the options or where they do not add up."""
    cdef const uint8_t* head = take(options, 4)
    cdef size_t size
    if head == NULL:
        return False
    code[0] = u16(head, big)
    size = u16(head + 2, big)
    if code[0] == OPTION_END:
        return False
    value.at = take(options, size)
    if value.at == NULL:
        return False
    value.end = value.at + size
    if take(options, aligned(size) - size) == NULL:
        options.at = options.end
    return True


cdef inline int64_t nanoseconds(const Source* source, uint64_t told) noexcept nogil:
    """A pcapng time in nanoseconds since the epoch; what 64 bits cannot say stops at their end.

    Ticks are taken as signed: at nanoseconds and coarser a set top bit, read as unsigned, lies beyond the
    year 2262, and there are captures in which it is the difference of two times near 0.
    """
    cdef int64_t ticks = <int64_t>told
    cdef int64_t bits = source.scale
    cdef int64_t seconds
    cdef int64_t time
    if source.clock == CLOCK_MULTIPLY:
        if ticks > source.most_ticks or ticks < -source.most_ticks:
            return INT64_MAX if ticks > 0 else -INT64_MAX
        time = ticks * source.scale
    elif source.clock == CLOCK_DIVIDE:
        time = ticks // source.scale if source.scale else 0
    else:
        if bits > 63:
            ticks >>= bits - 63 if bits - 63 < 63 else 63
            bits = 63
        seconds = ticks >> bits
        ticks &= <int64_t>((<uint64_t>1 << bits) - 1)
        if bits > 33:                  # a fraction of 33 bits times 1e9 fits; what is shifted out is 0.1 ns
            ticks >>= bits - 33
            bits = 33
        if seconds >= INT64_MAX // SECOND or seconds <= -(INT64_MAX // SECOND):
            return INT64_MAX if seconds > 0 else -INT64_MAX
        time = seconds * SECOND + (ticks * SECOND >> bits)
    if source.time_offset > 0 and time > INT64_MAX - source.time_offset:
        return INT64_MAX
    if source.time_offset < 0 and time < -INT64_MAX - source.time_offset:
        return -INT64_MAX
    return time + source.time_offset


cdef void set_clock(Source* source, uint8_t resolution) noexcept nogil:
    """The clock of an interface from its if_tsresol: a power of ten, or of two if the top bit is set."""
    cdef uint32_t power = resolution & 0x7F
    cdef uint32_t _i
    source.most_ticks = 0
    if resolution & 0x80:
        source.clock = CLOCK_BINARY
        source.scale = power
        return
    source.clock = CLOCK_MULTIPLY if power <= 9 else CLOCK_DIVIDE
    power = 9 - power if power <= 9 else power - 9
    source.scale = 1
    if power > 18:                     # units so short that 63 bits of them are less than a nanosecond
        source.scale = 0
        return
    for _i in range(power):
        source.scale *= 10
    if source.clock == CLOCK_MULTIPLY:
        source.most_ticks = INT64_MAX // source.scale


cdef inline void count_frames_of(Source* source, const Frame* first, const Frame* final,
                                 uint64_t count) noexcept nogil:
    if source.frames == 0:
        source.first_frame = first.number
        source.first_time = first.time
    source.frames += count
    source.last_frame = final.number
    source.last_time = final.time


_OTHER_FORMATS = {                # captures that people may take for pcap: editcap converts them
    0x736E6F6F: "a snoop file",
    0x474D4255: "a Network Monitor file",
    0x5254534D: "a Network Monitor file",
}


@cython.final
cdef class Framing:
    """Reads capture files given as windows of octets, one file after another."""

    def __cinit__(self):
        self.file = UINT32_MAX
        self.state = STATE_ENDED

    def __dealloc__(self):
        free(self.sources)
        free(self.texts)
        free(self.tail)

    cdef void begin(self) noexcept nogil:
        self.file += 1                 # 0 for the first
        self.state = STATE_HEADER
        self.fault = FAULT_NONE
        self.fault_value = 0
        self.cut = False
        self.offset = self.frame_number = 0
        self.wanted = 0
        self.last_time = 0
        self.file_source = self.section = self.source_count
        self.interfaces = 0
        self.file_text = self.text_used

    cdef bint refuse(self, int fault, uint64_t value) noexcept nogil:
        """Note why reading stops; always False."""
        self.fault = fault
        self.fault_value = value
        self.state = STATE_ENDED
        return False

    cdef int fill(self, const uint8_t* data, size_t size, bint last,
                  Frame* frames, uint32_t* count, size_t* consumed) noexcept nogil:
        cdef const uint8_t* p = data
        cdef const uint8_t* end = data + size
        cdef size_t rest
        cdef size_t need
        cdef int header
        cdef uint8_t* tail
        count[0] = 0
        consumed[0] = 0
        self.wanted = 0
        if self.state == STATE_ENDED:
            return FRAMING_END
        if self.state == STATE_HEADER:
            header = self.header(data, size)
            if header < 0:
                if last and not self.fault:
                    self.refuse(FAULT_SHORT_FILE, size)
                return FRAMING_END if self.fault else FRAMING_MORE
            p += header
        if end - p > PADDING:
            p = self.frames_in(p, end - PADDING, frames, count)
        rest = <size_t>(end - p)
        need = self.need(p, rest)
        if self.state != STATE_ENDED and count[0] < FRAME_BATCH and need and need <= rest:
            # What follows ends where there may be nothing to read beyond: one record of any size, and the few
            # that begin within PADDING of the end.
            if self.tail_room < rest + PADDING:
                tail = <uint8_t*>realloc(self.tail, rest + PADDING)
                if tail == NULL:
                    self.refuse(FAULT_MEMORY, rest)
                else:
                    self.tail = tail
                    self.tail_room = rest + PADDING
            if self.state != STATE_ENDED:
                memcpy(self.tail, p, rest)
                memset(self.tail + rest, 0, PADDING)
                p += self.frames_in(self.tail, self.tail + rest, frames, count) - self.tail
                rest = <size_t>(end - p)
                need = self.need(p, rest)
        consumed[0] = <size_t>(p - data)
        self.offset += consumed[0]
        if self.state == STATE_ENDED:
            return FRAMING_END
        if count[0] == FRAME_BATCH:
            return FRAMING_FULL
        if last and rest:
            self.cut = True
            self.state = STATE_ENDED
            return FRAMING_END
        if need:
            self.wanted = need
        else:
            self.wanted = self.record_header if self.state == STATE_PCAP else BLOCK_HEAD
        return FRAMING_MORE

    cdef int header(self, const uint8_t* data, size_t size) noexcept nogil:
        """Read the file header: its octets that are done with, or -1 if it is not there yet or not good."""
        cdef uint32_t magic
        cdef uint32_t snaplen
        cdef uint16_t major
        cdef uint16_t minor
        cdef size_t header = 24
        cdef Source* source
        cdef int i
        if size < 4:
            self.wanted = 24
            return -1
        magic = be32(data)
        if magic == BLOCK_SECTION:
            self.state = STATE_PCAPNG
            return 0
        self.tick = 1000
        self.record_header = 16
        self.packet_kind = 0
        for i in range(2):
            self.big = i == 0
            magic = u32(data, self.big)
            if magic == 0xA1B2C3D4U:
                break
            if magic == 0xA1B23C4DU:
                self.tick = 1
                break
            if magic == 0xA1B2CD34U:   # Kuznetzov: interface, protocol, kind of packet, one unused
                self.record_header = 24
                self.packet_kind = 22
                break
            if magic == 0xA1E2CB12U:   # netsniff-ng: the kind of packet is last
                self.tick = 1
                self.record_header = 24
                self.packet_kind = 23
                break
            if magic == 0x1C0001AC or magic == 0x1C0001AB:     # Ixia: the size of all records follows
                header = 28
                break
        else:
            self.refuse(FAULT_NOT_A_CAPTURE, be32(data))
            return -1
        if size < header:
            self.wanted = header
            return -1
        major = u16(data + 4, self.big)
        minor = u16(data + 6, self.big)
        if not (major == 2 or (major == 543 and minor == 0)):
            self.refuse(FAULT_VERSION, <uint64_t>major << 16 | minor)
            return -1
        self.lengths = LENGTHS_PLAIN
        if major == 543 or minor < 3:
            self.lengths = LENGTHS_SWAPPED
        elif minor == 3:
            self.lengths = LENGTHS_UNSURE
        snaplen = u32(data + 16, self.big)
        self.most = USUAL_MOST_FRAME
        if snaplen > self.most:
            self.most = snaplen if snaplen < MOST_RECORD else MOST_RECORD
        source = self.new_source()
        if source == NULL:
            self.refuse(FAULT_MEMORY, sizeof(Source))
            return -1
        source.snaplen = snaplen
        source.link = <uint16_t>(u32(data + 20, self.big) & 0xFFFF)    # above it: the check sequence
        self.state = STATE_PCAP
        return <int>header

    cdef const uint8_t* frames_in(self, const uint8_t* p, const uint8_t* end,
                                  Frame* frames, uint32_t* count) noexcept nogil:
        """Frames out of the whole records of [p, end); returns where it stopped."""
        if self.state == STATE_PCAP:
            return self.records(p, end, frames, count)
        return self.blocks(p, end, frames, count)

    cdef size_t need(self, const uint8_t* p, size_t rest) noexcept nogil:
        """Size of the record at `p`; 0 if too few are there to tell; of its head if that is not sane."""
        cdef uint32_t size = 0
        cdef uint32_t wire = 0
        cdef int order
        if self.state == STATE_PCAP:
            if rest < self.record_header:
                return 0
            lengths_of(p, self.big, self.lengths, &size, &wire)
            return self.record_header + <size_t>(size if size <= self.most else 0)
        if rest < BLOCK_HEAD:
            return 0
        order = section_order(p) if be32(p) == BLOCK_SECTION else <int>self.big
        size = u32(p + 4, order == 1)
        if order < 0 or size < BLOCK_HEAD or size > MOST_RECORD:
            return BLOCK_HEAD
        return aligned(size)

    # Classic pcap.

    cdef const uint8_t* records(self, const uint8_t* p, const uint8_t* end,
                                Frame* frames, uint32_t* count) noexcept nogil:
        cdef uint32_t before = count[0]
        cdef uint32_t which = self.file_source
        cdef Source* source = &self.sources[which]
        cdef uint32_t n
        cdef uint32_t size = 0
        cdef uint32_t wire = 0
        if self.record_header != 16 or self.lengths != LENGTHS_PLAIN:
            p = odd_records(p, end, frames, count, self.frame_number, which, self)
        elif self.big:
            p = plain_records(p, end, frames, count, self.frame_number, which,
                              source.link, self.tick, self.most, True)
        else:
            p = plain_records(p, end, frames, count, self.frame_number, which,
                              source.link, self.tick, self.most, False)
        n = count[0] - before
        if n:
            self.frame_number += n
            count_frames_of(source, &frames[before], &frames[count[0] - 1], n)
        if count[0] < FRAME_BATCH and end - p >= <ptrdiff_t>self.record_header:
            lengths_of(p, self.big, self.lengths, &size, &wire)
            if size > self.most:
                self.refuse(FAULT_RECORD_SIZE, size)
        return p

    # pcapng.

    cdef const uint8_t* blocks(self, const uint8_t* p, const uint8_t* end,
                               Frame* frames, uint32_t* count) noexcept nogil:
        cdef uint32_t n = count[0]
        cdef uint32_t kind
        cdef uint32_t told
        cdef size_t size
        cdef int order
        while n < FRAME_BATCH and end - p >= BLOCK_HEAD:
            kind = u32(p, self.big)
            order = self.big
            if kind == BLOCK_SECTION:          # reads the same in both byte orders
                order = section_order(p)
                if order < 0:
                    self.refuse(FAULT_BYTE_ORDER, be32(p + 8))
                    break
            told = u32(p + 4, order)
            if told < BLOCK_HEAD or told > MOST_RECORD:
                self.refuse(FAULT_BLOCK_SIZE, told)
                break
            size = aligned(told)               # some writers leave the padding out of the length
            if end - p < <ptrdiff_t>size:
                break
            if kind == BLOCK_ENHANCED_PACKET and size >= PACKET_HEAD + BLOCK_TAIL:
                n += self.packet(&frames[n], u32(p + 8, order), p + PACKET_HEAD,
                                 size - PACKET_HEAD - BLOCK_TAIL, u32(p + 20, order), u32(p + 24, order))
            else:
                n += self.block(kind, p, size, &frames[n])
                if self.state == STATE_ENDED:
                    break
            p += size
            prefetch(<uintptr_t>p + FAR_AHEAD)
        count[0] = n
        return p

    cdef uint32_t packet(self, Frame* f, uint32_t interface, const uint8_t* octets, size_t room,
                         uint32_t captured, uint32_t wire) noexcept nogil:
        """A packet with PACKET_HEAD octets before it, padding and options behind: 1, or 0 if it cannot be."""
        cdef Source* source
        cdef size_t used = aligned(captured)
        self.frame_number += 1
        if interface >= self.interfaces or captured > room:
            self.skipped += 1
            return 0
        source = &self.sources[self.section + interface]
        f.octets = octets
        f.time = nanoseconds(source, <uint64_t>u32(octets - 16, self.big) << 32 | u32(octets - 12, self.big))
        f.number = self.frame_number
        f.size = captured
        f.wire_size = wire if wire > captured else captured
        f.source = self.section + interface
        f.link = source.link
        f.direction = DIRECTION_UNKNOWN
        f.reserved = 0
        self.last_time = f.time
        count_frames_of(source, f, f, 1)
        if room - used >= 4:                   # `room` is a multiple of four
            self.packet_options(octets + used, octets + room, f)
        return 1

    cdef void packet_options(self, const uint8_t* p, const uint8_t* end, Frame* f) noexcept nogil:
        cdef Octets options
        cdef Octets value
        cdef uint16_t code = 0
        cdef uint32_t direction
        cdef Source* source = &self.sources[f.source]
        options.at, options.end = p, end
        while next_option(&options, self.big, &code, &value):
            if code == OPTION_PACKET_FLAGS and left(&value) == 4:
                direction = u32(value.at, self.big) & 3
                if direction == 1 or direction == 2:
                    f.direction = DIRECTION_IN if direction == 1 else DIRECTION_OUT
            elif code == OPTION_PACKET_DROPS and left(&value) == 8:
                source.packet_drops += u64(value.at, self.big)
                source.told_drops |= TOLD_PACKET_DROPS

    cdef uint32_t block(self, uint32_t kind, const uint8_t* p, size_t size, Frame* frame) noexcept nogil:
        """Any block but the usual packet, `size` octets of it there: the frames it gives, 0 or 1."""
        cdef uint32_t captured
        cdef uint32_t wire
        cdef uint32_t interface
        cdef uint32_t drops
        cdef size_t room
        cdef Source* source
        if kind == BLOCK_SECTION:
            self.begin_section(p, size)
        elif kind == BLOCK_INTERFACE:
            self.add_interface(p, size)
        elif kind == BLOCK_STATISTICS:
            self.statistics(p, size)
        elif kind == BLOCK_PACKET and size >= PACKET_HEAD + BLOCK_TAIL:
            interface = u16(p + 8, self.big)
            drops = u16(p + 10, self.big)
            if not self.packet(frame, interface, p + PACKET_HEAD, size - PACKET_HEAD - BLOCK_TAIL,
                               u32(p + 20, self.big), u32(p + 24, self.big)):
                return 0
            if drops != 0xFFFF:                # not known
                self.sources[frame.source].packet_drops += drops
                self.sources[frame.source].told_drops |= TOLD_PACKET_DROPS
            return 1
        elif kind == BLOCK_SIMPLE_PACKET and size >= SIMPLE_PACKET_HEAD + BLOCK_TAIL:
            self.frame_number += 1
            if self.interfaces == 0:
                self.skipped += 1
                return 0
            source = &self.sources[self.section]
            wire = captured = u32(p + 8, self.big)
            if source.snaplen and captured > source.snaplen:
                captured = source.snaplen
            room = size - SIMPLE_PACKET_HEAD - BLOCK_TAIL
            if captured > room:
                captured = <uint32_t>room
            frame.octets = p + SIMPLE_PACKET_HEAD
            frame.time = self.last_time        # the block has no time
            frame.number = self.frame_number
            frame.size = captured
            frame.wire_size = wire
            frame.source = self.section
            frame.link = source.link
            frame.direction = DIRECTION_UNKNOWN
            frame.reserved = 0
            count_frames_of(source, frame, frame, 1)
            return 1
        elif kind == BLOCK_ENHANCED_PACKET or kind == BLOCK_PACKET or kind == BLOCK_SIMPLE_PACKET:
            self.frame_number += 1             # too short for its own header
            self.skipped += 1
        elif (kind == BLOCK_CUSTOM or kind == BLOCK_CUSTOM_PRIVATE or kind == BLOCK_JOURNAL
              or kind == BLOCK_SYSDIG_EVENT or kind == BLOCK_SYSDIG_EVENT_2):
            self.frame_number += 1             # no packet, but Wireshark shows it as a frame and numbers it
        return 0

    cdef void begin_section(self, const uint8_t* p, size_t size) noexcept nogil:
        cdef Octets options
        cdef uint16_t major
        cdef uint16_t minor
        self.big = section_order(p) == 1
        if size < SECTION_HEAD + BLOCK_TAIL:
            self.refuse(FAULT_BLOCK_SIZE, size)
            return
        major = u16(p + 12, self.big)
        minor = u16(p + 14, self.big)
        if major != 1 or (minor != 0 and minor != 2):      # 1.2 was written by mistake and is 1.0
            self.refuse(FAULT_VERSION, <uint64_t>major << 16 | minor)
            return
        self.section = self.source_count
        self.interfaces = 0
        options.at, options.end = p + SECTION_HEAD, p + size - BLOCK_TAIL
        self.section_comment = self.comments(options)

    cdef void add_interface(self, const uint8_t* p, size_t size) noexcept nogil:
        cdef Octets options
        cdef Octets value
        cdef uint16_t code = 0
        cdef int64_t seconds
        cdef Source* source = NULL
        # The shortest sound block leaves a row even if it is too short: later interfaces keep their numbers.
        if self.source_count - self.file_source < MOST_SOURCES:
            source = self.new_source()
        if source == NULL:
            self.lost_sources += 1             # packets that refer to it will be skipped
            return
        self.interfaces += 1
        source.pcapng = True
        source.section_comment = self.section_comment
        set_clock(source, 6)
        if size < INTERFACE_HEAD + BLOCK_TAIL:
            source.link = 0xFFFF
            return
        source.link = u16(p + 8, self.big)
        source.snaplen = u32(p + 12, self.big)
        options.at, options.end = p + INTERFACE_HEAD, p + size - BLOCK_TAIL
        source.comment = self.comments(options)
        while next_option(&options, self.big, &code, &value):
            if code == OPTION_INTERFACE_NAME:
                source.name.size = 0
                self.add_text(&source.name, value.at, left(&value))
            elif code == OPTION_INTERFACE_DESCRIPTION:
                source.description.size = 0
                self.add_text(&source.description, value.at, left(&value))
            elif code == OPTION_FILTER and left(&value) > 1 and value.at[0] == 0:      # 1 is machine code
                source.filter.size = 0
                self.add_text(&source.filter, value.at + 1, left(&value) - 1)
            elif code == OPTION_CLOCK and left(&value) == 1:
                set_clock(source, value.at[0])
            elif code == OPTION_TIME_OFFSET and left(&value) == 8:
                seconds = <int64_t>u64(value.at, self.big)
                if seconds > INT64_MAX // SECOND:
                    seconds = INT64_MAX // SECOND
                if seconds < -(INT64_MAX // SECOND):
                    seconds = -(INT64_MAX // SECOND)
                source.time_offset = seconds * <int64_t>SECOND

    cdef void statistics(self, const uint8_t* p, size_t size) noexcept nogil:
        """Drops of an interface since the capture began: a later block replaces an earlier one."""
        cdef Octets options
        cdef Octets value
        cdef uint16_t code = 0
        cdef uint32_t interface
        cdef Source* source
        if size < STATISTICS_HEAD + BLOCK_TAIL:
            return
        interface = u32(p + 8, self.big)
        if interface >= self.interfaces:
            return
        source = &self.sources[self.section + interface]
        options.at, options.end = p + STATISTICS_HEAD, p + size - BLOCK_TAIL
        while next_option(&options, self.big, &code, &value):
            if code == OPTION_INTERFACE_DROPS and left(&value) == 8:
                source.interface_drops = u64(value.at, self.big)
                source.told_drops |= TOLD_INTERFACE_DROPS
            elif code == OPTION_SYSTEM_DROPS and left(&value) == 8:
                source.system_drops = u64(value.at, self.big)
                source.told_drops |= TOLD_SYSTEM_DROPS

    # What is kept beside the frames.

    cdef Source* new_source(self) noexcept nogil:
        cdef uint32_t room
        cdef Source* sources
        if self.source_count == self.source_room:
            room = self.source_room * 2 if self.source_room else 8
            if room <= self.source_room:
                return NULL
            sources = <Source*>realloc(self.sources, <size_t>room * sizeof(Source))
            if sources == NULL:
                return NULL
            self.sources = sources
            self.source_room = room
        sources = &self.sources[self.source_count]
        memset(sources, 0, sizeof(Source))
        sources.file = self.file
        self.source_count += 1
        return sources

    cdef bint add_text(self, Text* text, const uint8_t* p, size_t size) noexcept nogil:
        """Append octets to a text that is empty or the last one added to."""
        cdef size_t room
        cdef char* texts
        if size == 0:
            return True
        if self.text_used + size - self.file_text > MOST_TEXT or self.text_used + size > UINT32_MAX:
            self.lost_texts += 1
            return False
        if self.text_used + size > self.text_room:
            room = (self.text_used + size) * 2
            texts = <char*>realloc(self.texts, room)
            if texts == NULL:
                self.lost_texts += 1
                return False
            self.texts = texts
            self.text_room = room
        if text.size == 0:
            text.offset = <uint32_t>self.text_used
        memcpy(self.texts + self.text_used, p, size)
        self.text_used += size
        text.size += <uint32_t>size
        return True

    cdef Text comments(self, Octets options) noexcept nogil:
        """The comments among options, a line each."""
        cdef Octets value
        cdef uint16_t code = 0
        cdef Text text
        text.offset = text.size = 0
        while next_option(&options, self.big, &code, &value):
            if code == OPTION_COMMENT and left(&value):
                if text.size and not self.add_text(&text, b"\n", 1):
                    break
                if not self.add_text(&text, value.at, left(&value)):
                    break
        return text

    # The Python face.

    def begin_file(self):
        """A new file starts: frame numbers from 1, offsets from 0, a file header expected."""
        self.begin()

    @property
    def frames(self) -> int:
        """Number of the last frame of this file."""
        return self.frame_number

    @property
    def position(self) -> int:
        """Octets of this file read."""
        return self.offset

    @property
    def cut_at(self) -> int | None:
        """Offset of the record inside which this file ends; None if it ends where it should."""
        return self.offset if self.cut else None

    @property
    def losses(self) -> dict[str, int]:
        """What was passed over in all files: packets, and interfaces and texts beyond the limits."""
        return {
            "skipped_packets": self.skipped,
            "lost_interfaces": self.lost_sources,
            "lost_texts": self.lost_texts,
        }

    def fault_text(self) -> str | None:
        """Why reading of this file stopped early, and where; None if nothing is wrong."""
        value = self.fault_value
        if self.fault == FAULT_NONE:
            return None
        if self.fault == FAULT_NOT_A_CAPTURE:
            kind = _OTHER_FORMATS.get(value, "it")
            what = f"not a pcap or pcapng file: {kind} begins with {value:08x}"
        elif self.fault == FAULT_SHORT_FILE:
            what = f"not a capture file: {value} octets, no whole file header" if value else "an empty file"
        elif self.fault == FAULT_VERSION:
            what = f"version {value >> 16}.{value & 0xFFFF} of the format is not known"
        elif self.fault == FAULT_RECORD_SIZE:
            what = f"a record of {value} octets, where {self.most} are the most there can be"
        elif self.fault == FAULT_BLOCK_SIZE:
            what = f"a block of {value} octets, which no block of its type can have"
        elif self.fault == FAULT_BYTE_ORDER:
            what = f"a section with the byte-order magic {value:08x}"
        else:
            what = f"no memory for {value} octets"
        return f"{what}, at offset {self.offset}"

    cdef object text(self, Text text):
        if text.size == 0:
            return None
        return self.texts[text.offset:text.offset + text.size].decode("utf-8", "replace").rstrip("\0") or None

    def source_rows(self) -> list[dict[str, object]]:
        """One row a pcap file or pcapng interface, over all files, in order of appearance."""
        rows = []
        cdef Source* s
        cdef uint32_t i
        for i in range(self.source_count):
            s = &self.sources[i]
            drops = None
            if s.told_drops & (TOLD_INTERFACE_DROPS | TOLD_SYSTEM_DROPS):
                drops = s.interface_drops + s.system_drops
            elif s.told_drops:
                drops = s.packet_drops
            comments = [text for text in (self.text(s.section_comment), self.text(s.comment)) if text]
            rows.append({
                "source": i,
                "file": s.file,
                "format": "pcapng" if s.pcapng else "pcap",
                "interface": self.text(s.name) or self.text(s.description),
                "link": s.link,
                "snaplen": s.snaplen,
                "filter": self.text(s.filter),
                "comment": "\n".join(comments) or None,
                "frames": s.frames,
                "first_frame": s.first_frame if s.frames else None,
                "last_frame": s.last_frame if s.frames else None,
                "first_time": s.first_time if s.frames else None,
                "last_time": s.last_time if s.frames else None,
                "drops": drops,
            })
        return rows

    cdef uint64_t run(self, const uint8_t* data, size_t size, size_t window, list out):
        """Feed a whole file in windows; frames go to `out` unless it is None."""
        cdef Frame frames[FRAME_BATCH]
        cdef uint32_t count = 0
        cdef uint32_t i
        cdef size_t at = 0
        cdef size_t consumed = 0
        cdef size_t given
        cdef uint64_t total = 0
        cdef int result
        cdef bint last
        cdef unsigned int beyond = 0
        self.begin()
        while True:
            given = self.wanted if self.wanted > window else window
            last = size - at <= given
            if last:
                given = size - at
            with nogil:
                result = self.fill(data + at, given, last, frames, &count, &consumed)
                for i in range(count):         # every frame may be read beyond: let a checker see it if not
                    beyond += frames[i].octets[frames[i].size + PADDING - 1]
            at += consumed
            total += count
            if out is not None:
                for i in range(count):
                    out.append((
                        frames[i].number,
                        frames[i].time,
                        frames[i].octets[:frames[i].size],
                        frames[i].wire_size,
                        frames[i].source,
                        frames[i].link,
                        frames[i].direction,
                    ))
            if result == FRAMING_END or (result == FRAMING_MORE and last):
                break
        self.padding_sum = beyond
        return total

    def read(
        self, const uint8_t[::1] data not None, size_t window=1 << 20
    ) -> list[tuple[int, int, bytes, int, int, int, int]]:
        """Read a whole file: (number, time, octets, wire size, source, link type, direction) a frame."""
        frames = []
        self.run(&data[0] if data.shape[0] else NULL, <size_t>data.shape[0], window, frames)
        return frames

    def count(self, const uint8_t[::1] data not None, size_t window=1 << 20) -> int:
        """Read a whole file for its sources only: how many frames it has."""
        return self.run(&data[0] if data.shape[0] else NULL, <size_t>data.shape[0], window, None)
