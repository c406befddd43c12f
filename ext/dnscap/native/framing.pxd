"""File framing: octets of a pcap or pcapng file in, frames out."""
cimport cython

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from dnscap.native.frames cimport Frame
from dnscap.native.octets cimport Octets

cdef enum FramingResult:
    FRAMING_MORE = 0           # the octets given are used up as far as whole records go; feed more
    FRAMING_FULL = 1           # the batch is full; call again with what is left
    FRAMING_END = 2            # nothing further can be read: see Framing.fault (damage) and Framing.cut

cdef enum FramingFault:
    FAULT_NONE = 0
    FAULT_NOT_A_CAPTURE = 1    # neither a pcap nor a pcapng file
    FAULT_SHORT_FILE = 2       # ends inside the file header
    FAULT_VERSION = 3          # a version of the format that is not known
    FAULT_RECORD_SIZE = 4      # a pcap record longer than a record can be
    FAULT_BLOCK_SIZE = 5       # a pcapng block shorter or longer than a block can be
    FAULT_BYTE_ORDER = 6       # a pcapng section that does not tell its byte order
    FAULT_MEMORY = 7

cdef struct Text:              # in Framing.texts
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


@cython.final
cdef class Framing:
    cdef Source* sources       # one a file section or interface, in order of appearance over all files
    cdef uint32_t source_count
    cdef uint32_t source_room
    cdef uint64_t frame_number  # of the last frame given out, 1-based in its file
    cdef uint64_t offset       # octets of this file consumed so far
    cdef int fault             # a FramingFault: 0, or why reading stopped; `offset` tells where
    cdef uint64_t fault_value  # the number that is wrong
    cdef bint cut              # the file ends inside the record at `offset`; all before it was given out
    # After FRAMING_MORE: octets from `consumed` on without which the next call gets no further.
    cdef size_t wanted
    # Over all files: packets passed over, for want of their interface or because lengths do not add up;
    # interfaces beyond MOST_SOURCES; names, filters and comments beyond MOST_TEXT.
    cdef uint64_t skipped
    cdef uint64_t lost_sources
    cdef uint64_t lost_texts

    cdef uint32_t file         # 0-based; UINT32_MAX before the first
    cdef uint8_t state         # a State
    cdef bint big              # byte order of the file or section
    cdef uint8_t lengths       # pcap: a LengthOrder
    cdef uint8_t record_header  # pcap: octets
    cdef uint8_t packet_kind   # pcap: where in the record header the kind of packet is, or 0
    cdef uint32_t tick         # pcap: nanoseconds a sub-second unit
    cdef uint32_t most         # pcap: octets of the longest sane frame
    cdef uint32_t file_source  # first source of this file
    cdef uint32_t section      # pcapng: first source of this section
    cdef uint32_t interfaces   # pcapng: sources of this section
    cdef int64_t last_time     # of the last frame, for packets without a time
    cdef Text section_comment
    cdef char* texts
    cdef size_t text_used
    cdef size_t text_room
    cdef size_t file_text      # where the texts of this file begin
    cdef uint8_t* tail         # the last records of a window, and PADDING octets of zero
    cdef size_t tail_room
    cdef uint32_t padding_sum  # of octets beyond frames, read to show that they can be

    # A new file, the first included, starts: frame numbers from 1, offsets from 0, a file header expected.
    cdef void begin(self) noexcept nogil

    # Fill `frames` with up to FRAME_BATCH whole records out of data[0:size].  `consumed` tells how
    # many octets need not be given again.  A frame that ends within PADDING of data + size is copied to the
    # framing's own padded tail, valid until the next call.  `last`: no more octets will come after these.
    cdef int fill(self, const uint8_t* data, size_t size, bint last,
                  Frame* frames, uint32_t* count, size_t* consumed) noexcept nogil

    cdef int header(self, const uint8_t* data, size_t size) noexcept nogil
    cdef const uint8_t* frames_in(self, const uint8_t* p, const uint8_t* end,
                                  Frame* frames, uint32_t* count) noexcept nogil
    cdef const uint8_t* records(self, const uint8_t* p, const uint8_t* end,
                                Frame* frames, uint32_t* count) noexcept nogil
    cdef const uint8_t* blocks(self, const uint8_t* p, const uint8_t* end,
                               Frame* frames, uint32_t* count) noexcept nogil
    cdef size_t need(self, const uint8_t* p, size_t rest) noexcept nogil
    cdef uint32_t block(self, uint32_t kind, const uint8_t* p, size_t size, Frame* frame) noexcept nogil
    cdef void begin_section(self, const uint8_t* p, size_t size) noexcept nogil
    cdef void add_interface(self, const uint8_t* p, size_t size) noexcept nogil
    cdef uint32_t packet(self, Frame* f, uint32_t interface, const uint8_t* octets, size_t room,
                         uint32_t captured, uint32_t wire) noexcept nogil
    cdef void packet_options(self, const uint8_t* p, const uint8_t* end, Frame* f) noexcept nogil
    cdef void statistics(self, const uint8_t* p, size_t size) noexcept nogil
    cdef Source* new_source(self) noexcept nogil
    cdef bint add_text(self, Text* text, const uint8_t* p, size_t size) noexcept nogil
    cdef Text comments(self, Octets options) noexcept nogil
    cdef object text(self, Text text)
    cdef uint64_t run(self, const uint8_t* data, size_t size, size_t window, list out)
    cdef bint refuse(self, int fault, uint64_t value) noexcept nogil
