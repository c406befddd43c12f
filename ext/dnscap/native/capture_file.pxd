"""A capture file in the course of being read: what both formats keep, sources and their texts among it."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t

from dnscap.native.frames cimport Frame
from dnscap.native.octets cimport be16, be32, be64, le16, le32, le64

cdef extern from * nogil:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define dnscap_prefetch(at) __builtin_prefetch((const void *)(at))
    #else
    #define dnscap_prefetch(at) ((void)(at))
    #endif
    """
    void prefetch "dnscap_prefetch"(uintptr_t at) noexcept

cdef enum:
    # A record longer than this is damage.  libpcap's and Wireshark's limit for pcapng blocks.
    MOST_RECORD = 16 * 1024 * 1024
    SECOND = 1000000000        # nanoseconds
    FAR_AHEAD = 4096           # octets between what is read and what is fetched: some tens of frames
    CACHE_LINE = 64

cdef inline void fetch_ahead(const uint8_t* p) noexcept nogil:
    """Fetch what lies FAR_AHEAD of a record: three lines, as a frame of DNS takes two to three."""
    prefetch(<uintptr_t>p + FAR_AHEAD)
    prefetch(<uintptr_t>p + FAR_AHEAD + CACHE_LINE)
    prefetch(<uintptr_t>p + FAR_AHEAD + 2 * CACHE_LINE)


cdef enum State:
    STATE_ENDED = 0            # no file begun, or nothing further can be read of this one
    STATE_HEADER = 1           # the file header comes next
    STATE_PCAP = 2
    STATE_PCAPNG = 3

cdef enum FramingFault:
    FAULT_NONE = 0
    FAULT_NOT_A_CAPTURE = 1    # neither a pcap nor a pcapng file
    FAULT_SHORT_FILE = 2       # ends inside the file header
    FAULT_VERSION = 3          # a version of the format that is not known
    FAULT_RECORD_SIZE = 4      # a pcap record longer than a record can be
    FAULT_BLOCK_SIZE = 5       # a pcapng block shorter or longer than a block can be
    FAULT_BYTE_ORDER = 6       # a pcapng section that does not tell its byte order
    FAULT_MEMORY = 7

cdef struct Text:              # in CaptureFile.texts
    uint32_t offset
    uint32_t size

cdef struct Source:            # a pcap file, or an interface of a section of a pcapng file
    uint64_t frames
    uint64_t first_frame
    uint64_t last_frame
    int64_t first_time
    int64_t last_time
    int64_t most_ticks         # the clock: see `nanoseconds`
    int64_t scale
    int64_t time_offset        # nanoseconds
    uint64_t interface_drops   # as the interface statistics last told
    uint64_t system_drops
    uint64_t packet_drops      # as the packets told, one by one
    uint32_t file              # 0-based, in the order of begin_file()
    uint32_t snaplen
    uint16_t link
    uint8_t clock
    uint8_t pcapng
    uint8_t told_drops         # bits: which of the three
    Text name
    Text description
    Text filter
    Text section_comment
    Text comment

cdef enum:                     # bits of Source.told_drops
    TOLD_INTERFACE_DROPS = 1
    TOLD_SYSTEM_DROPS = 2
    TOLD_PACKET_DROPS = 4

cdef struct CaptureFile:
    Source* sources            # one a file section or interface, in order of appearance over all files
    uint32_t source_count
    uint32_t source_room
    uint64_t frame_number      # of the last frame given out, 1-based in its file
    uint64_t offset            # octets of this file consumed so far
    int fault                  # a FramingFault: 0, or why reading stopped; `offset` tells where
    uint64_t fault_value       # the number that is wrong
    bint cut                   # the file ends inside the record at `offset`; all before it was given out
    # After FRAMING_MORE: octets from `consumed` on without which the next call gets no further.
    size_t wanted
    # Over all files: packets passed over, for want of their interface or because lengths do not add up;
    # interfaces beyond MOST_SOURCES; names, filters and comments beyond MOST_TEXT.
    uint64_t skipped
    uint64_t lost_sources
    uint64_t lost_texts

    uint32_t index             # 0-based; UINT32_MAX before the first
    uint8_t state              # a State
    bint big                   # byte order of the file or section
    uint8_t lengths            # pcap: a LengthOrder
    uint8_t record_header      # pcap: octets
    uint8_t packet_kind        # pcap: where in the record header the kind of packet is, or 0
    uint32_t tick              # pcap: nanoseconds a sub-second unit
    uint32_t most              # pcap: octets of the longest sane frame
    uint32_t file_source       # first source of this file
    uint32_t section           # pcapng: first source of this section
    uint32_t interfaces        # pcapng: sources of this section
    int64_t last_time          # pcapng: of the last frame, for packets without a time
    int64_t end_time           # pcapng: when capturing ended, as interface statistics of any file tell; 0 untold
    Text section_comment       # pcapng
    char* texts
    size_t text_used
    size_t text_room
    size_t file_text           # where the texts of this file begin

cdef void file_begin(CaptureFile* file) noexcept nogil     # the next file, the first included
cdef void file_close(CaptureFile* file) noexcept nogil
cdef Source* new_source(CaptureFile* file) noexcept nogil  # NULL without memory
cdef bint add_text(CaptureFile* file, Text* text, const uint8_t* p, size_t size) noexcept nogil

cdef inline uint16_t u16(const uint8_t* p, bint big) noexcept nogil:
    return be16(p) if big else le16(p)

cdef inline uint32_t u32(const uint8_t* p, bint big) noexcept nogil:
    return be32(p) if big else le32(p)

cdef inline uint64_t u64(const uint8_t* p, bint big) noexcept nogil:
    return be64(p) if big else le64(p)

cdef inline size_t aligned(size_t size) noexcept nogil:
    return (size + 3) & ~<size_t>3

cdef inline void count_frames_of(Source* source, const Frame* first, const Frame* final,
                                 uint64_t count) noexcept nogil:
    if source.frames == 0:
        source.first_frame = first.number
        source.first_time = first.time
    source.frames += count
    source.last_frame = final.number
    source.last_time = final.time

cdef inline bint refuse(CaptureFile* file, int fault, uint64_t value) noexcept nogil:
    """Note why reading stops; always False."""
    file.fault = fault
    file.fault_value = value
    file.state = STATE_ENDED
    return False
