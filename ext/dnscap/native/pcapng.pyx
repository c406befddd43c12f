"""pcapng (draft-ietf-opsawg-pcapng): sections of either byte order, interfaces, packets, statistics."""
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.capture_file cimport (
    FAULT_BLOCK_SIZE,
    FAULT_BYTE_ORDER,
    FAULT_VERSION,
    MOST_RECORD,
    SECOND,
    STATE_ENDED,
    TOLD_INTERFACE_DROPS,
    TOLD_PACKET_DROPS,
    TOLD_SYSTEM_DROPS,
    CaptureFile,
    Source,
    Text,
    add_text,
    aligned,
    count_frames_of,
    fetch_ahead,
    new_source,
    refuse,
    u16,
    u32,
    u64,
)
from dnscap.native.frames cimport DIRECTION_IN, DIRECTION_OUT, DIRECTION_UNKNOWN, FRAME_BATCH, Frame, bounded_time
from dnscap.native.octets cimport Octets, be32, left, take

cdef enum Clock:
    CLOCK_MULTIPLY = 0         # units of at least a nanosecond
    CLOCK_DIVIDE = 1           # shorter ones
    CLOCK_BINARY = 2           # negative powers of two seconds

cdef enum:
    # An interface takes 20 octets of a hostile file and ten times that here.
    MOST_SOURCES = 65536       # a file

cdef enum:                     # block types of pcapng
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
    OPTION_END_TIME = 3
    OPTION_INTERFACE_DROPS = 5
    OPTION_SYSTEM_DROPS = 7


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


cdef Text comments(CaptureFile* file, Octets options) noexcept nogil:
    """The comments among options, a line each."""
    cdef Octets value
    cdef uint16_t code = 0
    cdef Text text
    text.offset = text.size = 0
    while next_option(&options, file.big, &code, &value):
        if code == OPTION_COMMENT and left(&value):
            if text.size and not add_text(file, &text, b"\n", 1):
                break
            if not add_text(file, &text, value.at, left(&value)):
                break
    return text


cdef void begin_section(CaptureFile* file, const uint8_t* p, size_t size) noexcept nogil:
    cdef Octets options
    cdef uint16_t major
    cdef uint16_t minor
    file.big = section_order(p) == 1
    if size < SECTION_HEAD + BLOCK_TAIL:
        refuse(file, FAULT_BLOCK_SIZE, size)
        return
    major = u16(p + 12, file.big)
    minor = u16(p + 14, file.big)
    if major != 1 or (minor != 0 and minor != 2):      # 1.2 was written by mistake and is 1.0
        refuse(file, FAULT_VERSION, <uint64_t>major << 16 | minor)
        return
    file.section = file.source_count
    file.interfaces = 0
    options.at, options.end = p + SECTION_HEAD, p + size - BLOCK_TAIL
    file.section_comment = comments(file, options)


cdef void add_interface(CaptureFile* file, const uint8_t* p, size_t size) noexcept nogil:
    cdef Octets options
    cdef Octets value
    cdef uint16_t code = 0
    cdef int64_t seconds
    cdef Source* source = NULL
    # The shortest sound block leaves a row even if it is too short: later interfaces keep their numbers.
    if file.source_count - file.file_source < MOST_SOURCES:
        source = new_source(file)
    if source == NULL:
        file.lost_sources += 1             # packets that refer to it will be skipped
        return
    file.interfaces += 1
    source.pcapng = True
    source.section_comment = file.section_comment
    set_clock(source, 6)
    if size < INTERFACE_HEAD + BLOCK_TAIL:
        source.link = 0xFFFF
        return
    source.link = u16(p + 8, file.big)
    source.snaplen = u32(p + 12, file.big)
    options.at, options.end = p + INTERFACE_HEAD, p + size - BLOCK_TAIL
    source.comment = comments(file, options)
    while next_option(&options, file.big, &code, &value):
        if code == OPTION_INTERFACE_NAME:
            source.name.size = 0
            add_text(file, &source.name, value.at, left(&value))
        elif code == OPTION_INTERFACE_DESCRIPTION:
            source.description.size = 0
            add_text(file, &source.description, value.at, left(&value))
        elif code == OPTION_FILTER and left(&value) > 1 and value.at[0] == 0:      # 1 is machine code
            source.filter.size = 0
            add_text(file, &source.filter, value.at + 1, left(&value) - 1)
        elif code == OPTION_CLOCK and left(&value) == 1:
            set_clock(source, value.at[0])
        elif code == OPTION_TIME_OFFSET and left(&value) == 8:
            seconds = <int64_t>u64(value.at, file.big)
            if seconds > INT64_MAX // SECOND:
                seconds = INT64_MAX // SECOND
            if seconds < -(INT64_MAX // SECOND):
                seconds = -(INT64_MAX // SECOND)
            source.time_offset = seconds * <int64_t>SECOND


cdef void statistics(CaptureFile* file, const uint8_t* p, size_t size) noexcept nogil:
    """Drops of an interface since the capture began: a later block replaces an earlier one."""
    cdef Octets options
    cdef Octets value
    cdef uint16_t code = 0
    cdef uint32_t interface
    cdef int64_t time
    cdef Source* source
    if size < STATISTICS_HEAD + BLOCK_TAIL:
        return
    interface = u32(p + 8, file.big)
    if interface >= file.interfaces:
        return
    source = &file.sources[file.section + interface]
    options.at, options.end = p + STATISTICS_HEAD, p + size - BLOCK_TAIL
    while next_option(&options, file.big, &code, &value):
        if code == OPTION_INTERFACE_DROPS and left(&value) == 8:
            source.interface_drops = u64(value.at, file.big)
            source.told_drops |= TOLD_INTERFACE_DROPS
        elif code == OPTION_SYSTEM_DROPS and left(&value) == 8:
            source.system_drops = u64(value.at, file.big)
            source.told_drops |= TOLD_SYSTEM_DROPS
        elif code == OPTION_END_TIME and left(&value) == 8:
            time = bounded_time(
                nanoseconds(source, <uint64_t>u32(value.at, file.big) << 32 | u32(value.at + 4, file.big)))
            file.end_time = max(file.end_time, time)


cdef void packet_options(CaptureFile* file, const uint8_t* p, const uint8_t* end, Frame* f) noexcept nogil:
    cdef Octets options
    cdef Octets value
    cdef uint16_t code = 0
    cdef uint32_t direction
    cdef Source* source = &file.sources[f.source]
    options.at, options.end = p, end
    while next_option(&options, file.big, &code, &value):
        if code == OPTION_PACKET_FLAGS and left(&value) == 4:
            direction = u32(value.at, file.big) & 3
            if direction == 1 or direction == 2:
                f.direction = DIRECTION_IN if direction == 1 else DIRECTION_OUT
        elif code == OPTION_PACKET_DROPS and left(&value) == 8:
            source.packet_drops += u64(value.at, file.big)
            source.told_drops |= TOLD_PACKET_DROPS


cdef uint32_t packet(CaptureFile* file, Frame* f, uint32_t interface, const uint8_t* octets, size_t room,
                     uint32_t captured, uint32_t wire) noexcept nogil:
    """A packet with PACKET_HEAD octets before it, padding and options behind: 1, or 0 if it cannot be."""
    cdef Source* source
    cdef size_t used = aligned(captured)
    file.frame_number += 1
    if interface >= file.interfaces or captured > room:
        file.skipped += 1
        return 0
    source = &file.sources[file.section + interface]
    f.octets = octets
    f.time = bounded_time(
        nanoseconds(source, <uint64_t>u32(octets - 16, file.big) << 32 | u32(octets - 12, file.big)))
    f.number = file.frame_number
    f.size = captured
    f.wire_size = wire if wire > captured else captured
    f.source = file.section + interface
    f.link = source.link
    f.direction = DIRECTION_UNKNOWN
    f.reserved = 0
    file.last_time = f.time
    count_frames_of(source, f, f, 1)
    if room - used >= 4:                   # `room` is a multiple of four
        packet_options(file, octets + used, octets + room, f)
    return 1


cdef uint32_t block(CaptureFile* file, uint32_t kind, const uint8_t* p, size_t size,
                    Frame* frame) noexcept nogil:
    """Any block but the usual packet, `size` octets of it there: the frames it gives, 0 or 1."""
    cdef uint32_t captured
    cdef uint32_t wire
    cdef uint32_t interface
    cdef uint32_t drops
    cdef size_t room
    cdef Source* source
    if kind == BLOCK_SECTION:
        begin_section(file, p, size)
    elif kind == BLOCK_INTERFACE:
        add_interface(file, p, size)
    elif kind == BLOCK_STATISTICS:
        statistics(file, p, size)
    elif kind == BLOCK_PACKET and size >= PACKET_HEAD + BLOCK_TAIL:
        interface = u16(p + 8, file.big)
        drops = u16(p + 10, file.big)
        if not packet(file, frame, interface, p + PACKET_HEAD, size - PACKET_HEAD - BLOCK_TAIL,
                      u32(p + 20, file.big), u32(p + 24, file.big)):
            return 0
        if drops != 0xFFFF:                # not known
            file.sources[frame.source].packet_drops += drops
            file.sources[frame.source].told_drops |= TOLD_PACKET_DROPS
        return 1
    elif kind == BLOCK_SIMPLE_PACKET and size >= SIMPLE_PACKET_HEAD + BLOCK_TAIL:
        file.frame_number += 1
        if file.interfaces == 0:
            file.skipped += 1
            return 0
        source = &file.sources[file.section]
        wire = captured = u32(p + 8, file.big)
        if source.snaplen and captured > source.snaplen:
            captured = source.snaplen
        room = size - SIMPLE_PACKET_HEAD - BLOCK_TAIL
        if captured > room:
            captured = <uint32_t>room
        frame.octets = p + SIMPLE_PACKET_HEAD
        frame.time = file.last_time        # the block has no time
        frame.number = file.frame_number
        frame.size = captured
        frame.wire_size = wire
        frame.source = file.section
        frame.link = source.link
        frame.direction = DIRECTION_UNKNOWN
        frame.reserved = 0
        count_frames_of(source, frame, frame, 1)
        return 1
    elif kind == BLOCK_ENHANCED_PACKET or kind == BLOCK_PACKET or kind == BLOCK_SIMPLE_PACKET:
        file.frame_number += 1             # too short for its own header
        file.skipped += 1
    elif (kind == BLOCK_CUSTOM or kind == BLOCK_CUSTOM_PRIVATE or kind == BLOCK_JOURNAL
          or kind == BLOCK_SYSDIG_EVENT or kind == BLOCK_SYSDIG_EVENT_2):
        file.frame_number += 1             # no packet, but Wireshark shows it as a frame and numbers it
    return 0


cdef const uint8_t* pcapng_blocks(CaptureFile* file, const uint8_t* p, const uint8_t* end,
                                  Frame* frames, uint32_t* count) noexcept nogil:
    cdef uint32_t n = count[0]
    cdef uint32_t kind
    cdef uint32_t told
    cdef size_t size
    cdef int order
    while n < FRAME_BATCH and end - p >= BLOCK_HEAD:
        kind = u32(p, file.big)
        order = file.big
        if kind == BLOCK_SECTION:          # reads the same in both byte orders
            order = section_order(p)
            if order < 0:
                refuse(file, FAULT_BYTE_ORDER, be32(p + 8))
                break
        told = u32(p + 4, order)
        if told < BLOCK_HEAD or told > MOST_RECORD:
            refuse(file, FAULT_BLOCK_SIZE, told)
            break
        size = aligned(told)               # some writers leave the padding out of the length
        if end - p < <ptrdiff_t>size:
            break
        if kind == BLOCK_ENHANCED_PACKET and size >= PACKET_HEAD + BLOCK_TAIL:
            n += packet(file, &frames[n], u32(p + 8, order), p + PACKET_HEAD,
                        size - PACKET_HEAD - BLOCK_TAIL, u32(p + 20, order), u32(p + 24, order))
        else:
            n += block(file, kind, p, size, &frames[n])
            if file.state == STATE_ENDED:
                break
        p += size
        fetch_ahead(p)
    count[0] = n
    return p


cdef size_t pcapng_need(const CaptureFile* file, const uint8_t* p, size_t rest) noexcept nogil:
    cdef uint32_t size
    cdef int order
    if rest < BLOCK_HEAD:
        return 0
    order = section_order(p) if be32(p) == BLOCK_SECTION else <int>file.big
    size = u32(p + 4, order == 1)
    if order < 0 or size < BLOCK_HEAD or size > MOST_RECORD:
        return BLOCK_HEAD
    return aligned(size)
